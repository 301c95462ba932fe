//! The enrollment of an authenticator at a terminal. It shows the secret and the QR code once, asks
//! for a code to confirm them, and shows recovery codes with the first authenticator. The store is
//! changed only after that: Ctrl-C or the end of input at any prompt leaves it unchanged.

use crate::arguments::Enroll;
use crate::arguments::authenticator::HardwareToken;
use crate::backend::Backend;
use crate::check::{AskedServices, is_known_to_host};
use crate::context::Invocation;
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use crate::terminal::prompt;
use postern_shared::credential::otp::qr;
use postern_shared::credential::otp::secret::Secret;
use postern_shared::engine::messages;
use postern_shared::protocol::command_request::{
    AuthenticatorKind, EnrollmentOperation, FinishOperation, ShownAuthenticator, TypedText,
};
use postern_shared::system::trusted_file::{self, Follow, Privacy};
use serde_json::json;
use std::path::Path;

/// Codes that may be entered to confirm one enrollment.
const TRIES: u32 = 3;
const SCANNED: &str = "Scan it, then enter the code that your app shows: ";
const IN_HAND: &str = "Enter the code that the token shows, or two in a row if it counts: ";
/// Largest size of a seed file, in bytes.
const LARGEST_SEED: u64 = 4096;

/// Runs `postern enroll`, which activates the first authenticator of an account, and `postern
/// authenticator add`.
pub(super) fn enroll(run: Invocation<'_>, what: &Enroll, kind: AuthenticatorKind) -> CommandResult {
    let seed = seed_of_file(&what.token)?;
    // before the backend gives root up, since only root sees what sshd does
    let asked = AskedServices::look_up(run.config_path);
    if let Some(user) = what.user.as_ref().filter(|user| !is_known_to_host(user)) {
        run.output.warn(format_args!(
            "this host has no user {user}; Ctrl-C ends the enrollment if that is a typing error"
        ))?;
    }
    let mut backend = Backend::open(run, what.user.as_ref())?;
    activate_new_authenticator(&mut backend, run.output, what, seed, kind)?;
    let account = backend.account();
    match (run.output.is_json() && what.no_confirm, kind) {
        (true, _) => Ok(()),
        (false, AuthenticatorKind::First) => run.output.done(format_args!(
            "the second factor of {account} is on; {}",
            asked.describe()
        )),
        (false, AuthenticatorKind::Further) => run.output.done(format_args!(
            "{account} has an additional authenticator, {}; sessions and trusted browsers have ended",
            what.token.name
        )),
    }
}

/// Runs the whole enrollment. The seed is the result of [`seed_of_file`].
fn activate_new_authenticator(
    backend: &mut Backend,
    output: Output,
    what: &Enroll,
    seed: Option<TypedText>,
    kind: AuthenticatorKind,
) -> CommandResult {
    if what.no_confirm {
        backend.refuse_unless_root("--no-confirm")?;
    }
    output.is_seen()?;
    let shown = backend.begin_setup(described(output, &what.token, seed, kind)?)?;
    // A hardware token that has the seed does not scan a QR code.
    let scanned = what.token.seed_file.is_none();
    if output.is_json() {
        show_json(output, backend, &shown)?;
    } else if scanned {
        show_secret(output, &shown)?;
    }
    let finish = match what.no_confirm {
        true => FinishOperation::ActivateUnconfirmed { token: shown.token },
        false => {
            let prompt = if scanned { SCANNED } else { IN_HAND };
            FinishOperation::Activate {
                token: confirm(backend, output, &shown.token, prompt)?,
            }
        }
    };
    if kind == AuthenticatorKind::First {
        if !output.is_json() {
            show_recovery_codes(output, &shown.recovery_codes)?;
            output.text(format_args!("{}.\n", messages::PROGRAMS_NEED_APP_PASSWORD))?;
        }
        if !what.no_confirm {
            wait_until_saved(output)?;
        }
    }
    backend.finish(finish)
}

fn described(
    output: Output,
    token: &HardwareToken,
    seed: Option<TypedText>,
    kind: AuthenticatorKind,
) -> CommandResult<EnrollmentOperation> {
    let is_typed = token.seed_file.as_deref().is_some_and(is_terminal);
    let seed = if is_typed {
        Some(typed_seed(output)?)
    } else {
        seed
    };
    Ok(EnrollmentOperation {
        kind,
        name: token.name.clone(),
        seed,
        counter: token.counter,
        algorithm: token.algorithm,
        digits: token.digits,
        period: token.period,
    })
}

fn is_terminal(file: &Path) -> bool {
    file == Path::new("-")
}

fn typed_seed(output: Output) -> CommandResult<TypedText> {
    let typed = prompt::ask_hidden(output, "Secret of the token: ")?;
    Ok(normal(Secret::from_seed(&typed)?))
}

/// Reads the seed from the file named on the command line, if there is one. It is called before
/// root is given up, because the file may be readable by root alone. Errors name the file.
fn seed_of_file(token: &HardwareToken) -> CommandResult<Option<TypedText>> {
    let Some(file) = token.seed_file.as_deref().filter(|file| !is_terminal(file)) else {
        return Ok(None);
    };
    let bytes = trusted_file::read_trusted(file, Privacy::Secret, Follow::Yes, LARGEST_SEED)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let secret = Secret::from_seed(text);
    let seed = secret.map(normal);
    seed.map(Some)
        .map_err(|error| CommandFailure::new(format_args!("{}: {error}", file.display())))
}

fn normal(secret: Secret) -> TypedText {
    format!("base32:{}", secret.to_base32().as_str()).into()
}

/// Prints the secret and the URI above the QR code, which can fill the terminal.
fn show_secret(output: Output, shown: &ShownAuthenticator) -> CommandResult {
    output.text(format_args!(
        "Secret: {}\nURL: {}\n\n",
        &*shown.secret, &*shown.url
    ))?;
    match qr::draw_half_blocks(&shown.url) {
        Some(drawn) => output.text(drawn.as_str()),
        None => output.text("The URL is too long for a QR code: type the secret into the app.\n"),
    }
}

fn show_json(output: Output, backend: &Backend, shown: &ShownAuthenticator) -> CommandResult {
    output.json(&json!({
        "account": backend.account(),
        "secret": shown.secret,
        "otpauth_url": shown.url,
        "recovery_codes": shown.recovery_codes,
    }))
}

fn confirm(
    backend: &mut Backend,
    output: Output,
    token: &TypedText,
    prompt: &str,
) -> CommandResult<TypedText> {
    for left in (0..TRIES).rev() {
        let typed = prompt::ask(output, prompt)?;
        match backend.confirm(token, typed.into())? {
            Ok(confirmed) => return Ok(confirmed),
            Err(why) if left > 0 && !output.is_json() => output.text(format_args!("{why}\n"))?,
            Err(why) if left > 0 => output.json(&json!({"success": false, "message": why}))?,
            Err(why) => {
                return Err(CommandFailure::new(format_args!(
                    "{why}; nothing was changed, start again"
                )));
            }
        }
    }
    unreachable!("the last try returns")
}

pub(super) fn show_recovery_codes(output: Output, codes: &[TypedText]) -> CommandResult {
    output.text("Recovery codes:\n")?;
    for code in codes {
        output.text(format_args!("{}\n", &**code))?;
    }
    output.text("Each is valid once, in place of a code from the app. They are not shown again.\n")
}

pub(super) fn wait_until_saved(output: Output) -> CommandResult {
    for _ in 0..TRIES {
        let typed = prompt::ask(output, "Write them down, then type \"saved\": ")?;
        if typed.trim().eq_ignore_ascii_case("saved") {
            return Ok(());
        }
    }
    Err(CommandFailure::new(
        "not confirmed that the recovery codes are saved; nothing was changed",
    ))
}
