//! The window of steps: what one authenticator makes of a code, compared in constant time with every step in
//! reach.
//!
//! MUST always compare with all of them: which step matched, and whether any did, must not show in the time.

use crate::account::Authenticator;
use crate::clock::Timestamp;
use crate::config::Totp;
use crate::totp::{Step, code};
use crate::vault::Fingerprint;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// How far a clock may be off to be recognised as such, in seconds.
const RECOGNISED_DRIFT: u64 = 600;

/// What one authenticator makes of the digits, from best to worst.
pub(super) enum Match {
    Live(Fingerprint, Step),
    ClockSetBack { seconds: u64 },
    Used { wait: u64 },
    Behind { steps: u64, seconds: u64 },
    Ahead { steps: u64, seconds: u64 },
    None,
}

impl Match {
    pub(super) fn rank(&self) -> u8 {
        match self {
            Match::Live(..) => 5,
            Match::ClockSetBack { .. } => 4,
            Match::Used { .. } => 3,
            Match::Behind { .. } => 2,
            Match::Ahead { .. } => 1,
            Match::None => 0,
        }
    }
}

/// Looks for the digits in every step within the recognised drift, always in all of them; returns what was
/// found and how many codes could have been accepted.
pub(super) fn compare(
    authenticator: &Authenticator,
    digits: &str,
    totp: &Totp,
    now: Timestamp,
) -> (Match, usize) {
    let parameters = authenticator.parameters;
    if parameters.digits as usize != digits.len() {
        return (Match::None, 0);
    }
    let current = parameters.step_at(now).0;
    let (past, future) = (u64::from(totp.past_steps.value()), u64::from(totp.future_steps.value()));
    let window = current.saturating_sub(past)..=current.saturating_add(future);
    let drift = (RECOGNISED_DRIFT / parameters.period).max(past).max(future);
    let matches =
        |step: u64| code(&authenticator.secret, parameters, Step(step)).as_bytes().ct_eq(digits.as_bytes());

    // The highest match in the window: accepting a lower one would leave an equal code of a higher step open.
    let mut in_window = 0;
    let mut any_in_window = Choice::from(0);
    for step in window.clone() {
        let equal = matches(step);
        in_window.conditional_assign(&step, equal);
        any_in_window |= equal;
    }
    // Outside, the nearest one to now, on each side.
    let (mut past_match, mut any_past) = (0, Choice::from(0));
    for step in current.saturating_sub(drift)..*window.start() {
        let equal = matches(step);
        past_match.conditional_assign(&step, equal);
        any_past |= equal;
    }
    let (mut future_match, mut any_future) = (0, Choice::from(0));
    for step in (window.end().saturating_add(1)..=current.saturating_add(drift)).rev() {
        let equal = matches(step);
        future_match.conditional_assign(&step, equal);
        any_future |= equal;
    }

    let seconds = |steps: u64| steps * parameters.period;
    let begin = |step: u64| parameters.begin_of(Step(step));
    let floor = authenticator.floor.map(|floor| floor.0);
    let used = |step: u64| floor.filter(|floor| step <= *floor);
    // A code of a step above the floor says nothing about the floor, and must stay unsaid: it is usable later.
    let spent_or_older =
        any_in_window | any_past | (any_future & Choice::from(u8::from(used(future_match).is_some())));
    let found = match (spent_or_older, floor) {
        (any, Some(floor)) if floor > *window.end() && any.into() => {
            Match::ClockSetBack { seconds: begin(floor).since(now) }
        }
        _ if any_in_window.into() => match used(in_window) {
            Some(floor) => Match::Used { wait: begin(floor.saturating_add(1)).since(now) },
            None => Match::Live(authenticator.fingerprint, Step(in_window)),
        },
        _ if any_past.into() => match used(past_match) {
            Some(floor) => Match::Used { wait: begin(floor.saturating_add(1)).since(now) },
            None => Match::Behind { steps: current - past_match, seconds: seconds(current - past_match) },
        },
        _ if any_future.into() => {
            Match::Ahead { steps: future_match - current, seconds: seconds(future_match - current) }
        }
        _ => Match::None,
    };
    (found, window.count())
}
