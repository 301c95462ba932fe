//! `postern email`: sets, confirms and removes the address to which codes are mailed. posternd
//! sends the mail; this command waits for the result of the delivery.

use super::password::and_app_passwords;
use crate::arguments::email::NewEmailArguments;
use crate::context::{self, Invocation};
use crate::terminal::output::CommandResult;
use crate::terminal::prompt;
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::input::Input;
use postern_shared::engine::{AdministrationError, messages};
use postern_shared::system::clock;
use postern_shared::verify::decision::Refusal;

/// Wrong codes that are accepted as input before the command ends with an error.
const TRIES: u32 = 3;

pub(super) fn set(run: Invocation<'_>, what: &NewEmailArguments) -> CommandResult {
    let (now, user) = (clock::now()?, &what.user);
    let mut engine = run.engine()?;
    let posted = engine
        .accounts()
        .set_email(user, &what.address, &context::actor(), now)?;
    engine.mail().await_mail_delivery(&posted)?;
    let life = messages::duration(engine.config().email.code_ttl.seconds());
    run.output.done(format_args!(
        "a code was mailed to {}; enter it within {life} with postern email confirm {user}",
        posted.to
    ))
}

pub(super) fn confirm(run: Invocation<'_>, user: &UserName) -> CommandResult {
    let mut engine = run.engine()?;
    let address = engine.accounts().unconfirmed_email(user)?;
    let tries = if prompt::is_watched(run.output) {
        TRIES
    } else {
        1
    };
    let mut more = String::new();
    for left in (0..tries).rev() {
        let typed = prompt::ask(run.output, &format!("The code mailed to {address}: "))?;
        let answer = Input::parse(typed.as_bytes());
        match engine
            .accounts()
            .confirm_email(user, &answer, &context::actor(), clock::now()?)
        {
            Ok((_, after)) => {
                more = and_app_passwords(after);
                break;
            }
            Err(AdministrationError::NotConfirmed(
                refusal @ (Refusal::Wrong | Refusal::Malformed),
            )) if left > 0 => {
                run.output
                    .text(format_args!("{}\n", messages::refusal(refusal)))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let recovery = match engine.accounts().account_status(user)?.tally.recovery_codes {
        0 => format!("; {user} has no recovery codes, postern recovery {user} makes them"),
        _ => String::new(),
    };
    run.output.done(format_args!(
        "codes for {user} are mailed to {address} on request{recovery}{more}"
    ))
}

pub(super) fn remove(run: Invocation<'_>, user: &UserName) -> CommandResult {
    let now = clock::now()?;
    let mut engine = run.engine()?;
    let (enrolled, after) = engine
        .accounts()
        .remove_email(user, &context::actor(), now)?;
    let rest = match enrolled {
        Enrolled::Yes => "the second factor stays on",
        Enrolled::No if engine.policy().is_required(user)? => {
            "there is no second factor now, and [policy] requires one: set one up with postern enroll"
        }
        Enrolled::No => "there is no second factor now",
    };
    let more = and_app_passwords(after);
    run.output.done(format_args!(
        "no more codes are mailed for {user}; {rest}{more}"
    ))
}
