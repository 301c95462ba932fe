//! Setting up an authenticator: shows secret and QR once, takes a code to confirm, with the first one has the recovery
//! codes saved, and only then stores anything. Ctrl-C or the end of input at any prompt leaves no trace.

use crate::arguments::{Enroll, Token};
use crate::output::{Failure, Output};
use crate::{context, terminal};
use serde_json::json;
use shared::answer::Answer;
use shared::clock;
use shared::config::Config;
use shared::door::Door;
use shared::enrolment::{Confirmation, Pending};
use shared::files::{self, Follow, Privacy};
use shared::recovery::RecoveryCode;
use shared::secret::Secret;
use shared::totp::{Moving, Parameters, Step};
use shared::{qr, words};
use std::path::Path;

/// Codes that may be tried at one setup.
const TRIES: u32 = 3;
const SCANNED: &str = "Scan it, then enter the code that your app shows: ";
const IN_HAND: &str = "Enter the code that the token shows, or two in a row if it counts: ";
/// The most that is read of a seed's file, in bytes.
const LARGEST_SEED: u64 = 4096;

/// Does it all for `pending`, which is made into what the command line says.
pub(super) fn run(door: &mut Door, output: Output, what: &Enroll, pending: Pending) -> Result<(), Failure> {
    let pending = described(pending, &what.token, door.config())?;
    door.refuse_setup(&pending)?;
    // a seed from a file is in the token already
    let pending = match &what.token.seed_file {
        Some(file) => pending.with_secret(seed(output, file)?),
        None => pending,
    };
    if output.is_json() {
        show_json(output, &pending)?;
    } else if what.token.seed_file.is_none() {
        show_secret(output, &pending)?;
    }
    let confirmation = match what.no_confirm {
        true => Confirmation::vouched(),
        false => {
            let prompt = if what.token.seed_file.is_none() { SCANNED } else { IN_HAND };
            confirm(output, &pending, door.config(), prompt)?
        }
    };
    if pending.is_first() {
        if !output.is_json() {
            show_recovery_codes(output, pending.recovery_codes())?;
        }
        if !what.no_confirm {
            wait_until_saved(output)?;
        }
    }
    Ok(door.activate(&pending, &confirmation, &context::actor(), clock::now()?)?)
}

fn described(pending: Pending, token: &Token, config: &Config) -> Result<Pending, Failure> {
    let defaults = config.totp.parameters();
    let moving = match (token.counter, token.period) {
        (Some(_), _) => Moving::Counter,
        (None, Some(period)) => Moving::Time { period },
        (None, None) => defaults.moving,
    };
    let parameters = Parameters {
        algorithm: token.algorithm.unwrap_or(defaults.algorithm),
        digits: token.digits.unwrap_or(defaults.digits),
        moving,
    };
    let first = Step(token.counter.unwrap_or_default());
    Ok(pending.called(token.name.clone()).with_parameters(parameters.check()?, first))
}

fn seed(output: Output, file: &Path) -> Result<Secret, Failure> {
    if file == Path::new("-") {
        return Ok(Secret::from_seed(&terminal::ask_hidden(output, "Seed of the token: ")?)?);
    }
    let bytes = files::read(file, Privacy::Secret, Follow::Yes, LARGEST_SEED)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    Secret::from_seed(text).map_err(|error| Failure::new(format_args!("{}: {error}", file.display())))
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
    output.json(&json!({
        "account": pending.name(),
        "secret": pending.secret().to_base32().as_str(),
        "otpauth_url": pending.url().as_str(),
        "recovery_codes": grouped(pending.recovery_codes()),
    }))
}

fn confirm(
    output: Output,
    pending: &Pending,
    config: &Config,
    prompt: &str,
) -> Result<Confirmation, Failure> {
    for left in (0..TRIES).rev() {
        let typed = terminal::ask(output, prompt)?;
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

/// Recovery codes as people read them.
pub(super) fn grouped(codes: &[RecoveryCode]) -> Vec<String> {
    codes.iter().map(|code| code.grouped().to_string()).collect()
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
