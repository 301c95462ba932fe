//! `postern enroll`: shows secret, QR and recovery codes once, takes a code to confirm, and only then stores
//! anything. Ctrl-C or the end of input at any prompt leaves no trace.

use crate::arguments::{Arguments, Enroll};
use crate::output::{Failure, Output};
use crate::{context, terminal};
use serde_json::json;
use shared::answer::Answer;
use shared::clock;
use shared::config::Config;
use shared::enrolment::{Confirmation, Pending};
use shared::recovery::RecoveryCode;
use shared::{qr, words};

/// Codes that may be tried at one setup.
const TRIES: u32 = 3;

pub(super) fn run(arguments: &Arguments, output: Output, what: &Enroll) -> Result<(), Failure> {
    let mut door = context::door(arguments, output)?;
    door.refuse_enrolment(&what.user)?;
    let pending = Pending::new(door.config(), &what.user)?;
    if output.is_json() {
        show_json(output, &pending)?;
    } else {
        show_secret(output, &pending)?;
    }
    let confirmation = match what.no_confirm {
        true => Confirmation::vouched(),
        false => confirm(output, &pending, door.config())?,
    };
    if !output.is_json() {
        show_recovery_codes(output, pending.recovery_codes())?;
    }
    if !what.no_confirm {
        wait_until_saved(output)?;
    }
    door.activate(&pending, &confirmation, &context::actor(), clock::now()?)?;
    match (output.is_json(), what.no_confirm) {
        (true, true) => Ok(()),
        _ => output.done(format_args!("the second factor of {} is on, at every door", what.user)),
    }
}

/// Secret and URL stand above the QR, which then fills the terminal.
fn show_secret(output: Output, pending: &Pending) -> Result<(), Failure> {
    let url = pending.url();
    output.text(format_args!(
        "Secret: {}\nURL: {}\n",
        pending.secret().to_base32().as_str(),
        url.as_str()
    ))?;
    match qr::half_blocks(&url) {
        Some(drawn) => output.text(drawn.as_str()),
        None => output.text("The URL is too long for a QR code: type the secret into the app.\n"),
    }
}

fn show_json(output: Output, pending: &Pending) -> Result<(), Failure> {
    let codes: Vec<_> = pending.recovery_codes().iter().map(|code| code.grouped().to_string()).collect();
    output.json(&json!({
        "account": pending.name(),
        "secret": pending.secret().to_base32().as_str(),
        "otpauth_url": pending.url().as_str(),
        "recovery_codes": codes,
    }))
}

fn confirm(output: Output, pending: &Pending, config: &Config) -> Result<Confirmation, Failure> {
    for left in (0..TRIES).rev() {
        let typed = terminal::ask(output, "Scan it, then enter the code that your app shows: ")?;
        match pending.confirm(&Answer::read(typed.as_bytes()), config, clock::now()?) {
            Ok(confirmation) => return Ok(confirmation),
            Err(refusal) if left > 0 && !output.is_json() => {
                output.text(format_args!("{}\n", words::refusal(refusal)))?;
            }
            Err(refusal) if left > 0 => {
                output.json(&json!({"success": false, "message": words::refusal(refusal)}))?;
            }
            Err(refusal) => {
                let why = words::refusal(refusal);
                return Err(Failure::new(format_args!("{why}; nothing was changed, begin anew")));
            }
        }
    }
    unreachable!("the last try returns")
}

pub(super) fn show_recovery_codes(output: Output, codes: &[RecoveryCode]) -> Result<(), Failure> {
    output.text("Recovery codes:\n")?;
    for code in codes {
        output.text(format_args!("{}\n", code.grouped().as_str()))?;
    }
    output.text("Each opens once, when the app is not at hand. They are not shown again.\n")
}

pub(super) fn wait_until_saved(output: Output) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let typed = terminal::ask(output, "Write them down, then type \"saved\": ")?;
        if typed.trim().eq_ignore_ascii_case("saved") {
            return Ok(());
        }
    }
    Err(Failure::new("not confirmed that the recovery codes are saved; nothing was changed"))
}
