//! `postern verify`: verifies one code as a login does, consumes it, and prints the verification
//! result.

use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult};
use crate::terminal::prompt;
use postern_shared::account::name::UserName;
use postern_shared::credential::input::Input;
use postern_shared::engine::{COMMAND, VerificationRequest, messages};
use postern_shared::system::clock;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use serde_json::json;

pub(super) fn run(run: Invocation<'_>, user: &UserName) -> CommandResult {
    let config = run.config()?;
    let typed = prompt::ask(run.output, messages::CODE_PROMPT)?;
    let answer = Input::parse(typed.as_bytes());
    let now = clock::now()?;
    let origin = Origin::Local(context::actor());
    let request = VerificationRequest::new(user, Phase::After, &origin, COMMAND);
    let mut engine = context::open(config)?;
    let outcome = engine.verification().verify_input(&request, &answer, now)?;

    let refusal = outcome.result.err();
    let (verdict, retry_after) = name(refusal);
    if run.output.is_json() {
        run.output
            .json(&json!({"verdict": verdict, "retry_after": retry_after}))?;
    } else {
        run.output.text(format_args!("{verdict}\n"))?;
        let refused = refusal.map(|refusal| explain(refusal, user));
        for line in refused.into_iter().chain(outcome.after_login.messages()) {
            run.output.text(format_args!("{line}\n"))?;
        }
    }
    for warning in engine.take_warnings() {
        run.output.warn(warning.text)?;
    }
    match refusal {
        None => Ok(()),
        Some(_) => Err(CommandFailure::Reported),
    }
}

/// Returns why a code was refused, for root, who is told what to do instead of whom to ask. Root may
/// know how far a code is off in either direction, although one of a later time is valid later.
fn explain(refusal: Refusal, user: &UserName) -> String {
    let (seconds, order, device, host) = match refusal {
        Refusal::NotEnrolled => {
            return format!("{user} has no second factor; postern status lists who has one");
        }
        Refusal::Locked => {
            return format!("Locked after too many wrong codes; postern unlock {user} ends it");
        }
        Refusal::ClockSetBack { seconds } => {
            return format!(
                "This host's clock is at least {} behind the last sign-in of {user}: set the clock; if it was ahead before, run postern unlock {user} --clock",
                messages::duration(seconds)
            );
        }
        Refusal::Behind { seconds, .. } => (seconds, "older", "behind", "ahead"),
        Refusal::Ahead { seconds, .. } => (seconds, "later", "ahead", "behind"),
        refusal => return messages::refusal(refusal),
    };
    format!(
        "That code is {order} than this host's time by about {}: the device's clock is {device}, or this host's clock is {host}",
        messages::duration(seconds)
    )
}

/// Returns the result's name for scripts, and the seconds until another attempt can succeed.
fn name(refusal: Option<Refusal>) -> (&'static str, u64) {
    match refusal {
        None => ("accepted", 0),
        Some(Refusal::Wrong | Refusal::Ahead { .. } | Refusal::Malformed) => ("wrong", 0),
        Some(Refusal::Used { wait }) => ("used", wait),
        // every code of the authenticator is at or below the last accepted time step
        Some(Refusal::ClockSetBack { seconds }) => ("used", seconds),
        Some(Refusal::Behind { .. }) => ("behind", 0),
        Some(Refusal::Delayed { wait } | Refusal::AddressDelayed { wait }) => ("limited", wait),
        Some(Refusal::Locked) => ("locked", 0),
        Some(Refusal::NotEnrolled) => ("unknown", 0),
        Some(Refusal::Expired | Refusal::CodeExpired) => ("expired", 0),
    }
}
