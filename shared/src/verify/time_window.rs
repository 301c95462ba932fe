//! The window of time steps (RFC 6238, section 5.2): compares the digits with codes of one
//! time-based authenticator.
//!
//! MUST compare with every step within the recognised drift in constant time, whichever one
//! matches.

use super::account::LiveAuthenticator;
use super::matching::{Match, find_last};
use crate::config::TotpConfig;
use crate::credential::otp::totp::{Step, generate_code};
use crate::system::clock::Timestamp;
use subtle::{Choice, ConstantTimeEq};

/// Seconds within which the drift of a clock is recognised as such.
const RECOGNISED_DRIFT: u64 = 600;

/// Compares the digits with every step within the recognised drift. Returns the match, and how many
/// codes could have been accepted.
pub(super) fn compare_time_steps(
    authenticator: &LiveAuthenticator,
    period: u64,
    digits: &str,
    totp: &TotpConfig,
    now: Timestamp,
) -> (Match, usize) {
    let parameters = authenticator.parameters;
    if parameters.digits as usize != digits.len() {
        return (Match::None, 0);
    }
    let current = now.0 / period;
    let (past, future) = (
        u64::from(totp.past_steps.value()),
        u64::from(totp.future_steps.value()),
    );
    let window = current.saturating_sub(past)..=current.saturating_add(future);
    let drift = (RECOGNISED_DRIFT / period).max(past).max(future);
    let matches = |step: u64| {
        generate_code(&authenticator.secret, parameters, Step(step))
            .as_bytes()
            .ct_eq(digits.as_bytes())
    };

    // The highest match in the window: if a lower one were accepted, an equal code of a higher step
    // would stay usable.
    let (any_in_window, in_window) = find_last(window.clone(), matches);
    // Outside the window, the match nearest to now, on each side.
    let (any_past, past_match) = find_last(current.saturating_sub(drift)..*window.start(), matches);
    let beyond = window.end().saturating_add(1)..=current.saturating_add(drift);
    let (any_future, future_match) = find_last(beyond.rev(), matches);

    let seconds = |steps: u64| steps * period;
    let begin = |step: u64| Timestamp(step.saturating_mul(period));
    let floor = authenticator.floor.map(|floor| floor.0);
    let is_marked = |step: u64| authenticator.used_above.contains(&Step(step));
    let used = |step: u64| match floor.filter(|floor| step <= *floor) {
        None if is_marked(step) => Some(step),
        floor => floor,
    };
    // A future code above the floor MUST NOT reveal anything about the floor: it will be valid
    // later.
    let used_or_older = any_in_window
        | any_past
        | (any_future & Choice::from(u8::from(used(future_match).is_some())));
    let found = match (used_or_older, floor) {
        (any, Some(floor)) if floor > *window.end() && any.into() => Match::ClockSetBack {
            seconds: begin(floor).since(now),
        },
        _ if any_in_window.into() => match used(in_window) {
            Some(floor) => Match::Used {
                wait: begin(floor.saturating_add(1)).since(now),
            },
            None => Match::Live(authenticator.fingerprint, Step(in_window)),
        },
        _ if any_past.into() => match used(past_match) {
            Some(floor) => Match::Used {
                wait: begin(floor.saturating_add(1)).since(now),
            },
            None => Match::Behind {
                steps: current - past_match,
                seconds: seconds(current - past_match),
            },
        },
        _ if any_future.into() => Match::Ahead {
            steps: future_match - current,
            seconds: seconds(future_match - current),
        },
        _ => Match::None,
    };
    (found, window.count())
}
