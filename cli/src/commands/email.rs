//! `postern email`: sets, confirms and removes the address to which codes are mailed. posternd
//! sends the mail; this command waits for the result of the delivery.

use crate::arguments::Arguments;
use crate::arguments::email::NewEmailArguments;
use crate::context;
use crate::terminal::output::{CommandFailure, Output};
use crate::terminal::prompt;
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::input::Input;
use postern_shared::engine::{AdministrationError, messages};
use postern_shared::system::clock;
use postern_shared::verify::decision::Refusal;

/// Wrong codes that are accepted as input before the command ends with an error.
const TRIES: u32 = 3;

pub(super) fn set(
    arguments: &Arguments,
    output: Output,
    what: &NewEmailArguments,
) -> Result<(), CommandFailure> {
    let (now, user) = (clock::now()?, &what.user);
    let mut door = context::door(arguments, output)?;
    let posted = door
        .accounts()
        .set_email(user, &what.address, &context::actor(), now)?;
    door.mail().await_mail_delivery(&posted)?;
    let life = messages::duration(door.config().email.code_ttl.seconds());
    output.done(format_args!(
        "a code was mailed to {}; enter it within {life} with postern email confirm {user}",
        posted.to
    ))
}

pub(super) fn confirm(
    arguments: &Arguments,
    output: Output,
    user: &UserName,
) -> Result<(), CommandFailure> {
    let mut door = context::door(arguments, output)?;
    let address = door.accounts().unconfirmed_email(user)?;
    let tries = if prompt::is_watched(output) { TRIES } else { 1 };
    let mut ended = None;
    for left in (0..tries).rev() {
        let typed = prompt::ask(output, &format!("The code mailed to {address}: "))?;
        let answer = Input::parse(typed.as_bytes());
        match door
            .accounts()
            .confirm_email(user, &answer, &context::actor(), clock::now()?)
        {
            Ok((_, after)) => {
                ended = messages::app_passwords_text(after);
                break;
            }
            Err(AdministrationError::NotConfirmed(
                refusal @ (Refusal::Wrong | Refusal::Malformed),
            )) if left > 0 => {
                output.text(format_args!("{}\n", messages::refusal(refusal)))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let recovery = match door.accounts().account_status(user)?.tally.recovery_codes {
        0 => format!("; {user} has no recovery codes, postern recovery {user} makes them"),
        _ => String::new(),
    };
    let more = ended.map_or_else(String::new, |more| format!("; {more}"));
    output.done(format_args!(
        "codes for {user} are mailed to {address} on request{recovery}{more}"
    ))
}

pub(super) fn remove(
    arguments: &Arguments,
    output: Output,
    user: &UserName,
) -> Result<(), CommandFailure> {
    let now = clock::now()?;
    let mut door = context::door(arguments, output)?;
    let (enrolled, after) = door.accounts().remove_email(user, &context::actor(), now)?;
    let rest = match enrolled {
        Enrolled::Yes => "the second factor stays on",
        Enrolled::No if door.policy().is_required(user)? => {
            "there is no second factor now, and [policy] requires one: set one up with postern enroll"
        }
        Enrolled::No => "there is no second factor now",
    };
    let more =
        messages::app_passwords_text(after).map_or_else(String::new, |more| format!("; {more}"));
    output.done(format_args!(
        "no more codes are mailed for {user}; {rest}{more}"
    ))
}
