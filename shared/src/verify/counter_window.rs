//! The look-ahead window of counters (RFC 4226, section 7): compares the digits with codes of one
//! counter-based authenticator.
//!
//! MUST compare with every counter of the window in constant time, whichever one matches.

use super::account::LiveAuthenticator;
use super::matching::{Match, find_last};
use crate::credential::otp::totp::{Step, generate_code};
use subtle::ConstantTimeEq;

/// Codes that may be skipped: the parameter s of RFC 4226, section 7.4.
const LOOK_AHEAD: u64 = 10;
/// Past codes that are recognised as used.
const LOOK_BACK: u64 = 10;
/// Counters ahead that two consecutive codes may lie (RFC 4226, section 7.4). Together they have 12
/// digits or more: a guess at a thousand counters is far less likely to be right than a guess at
/// three counters with 6 digits.
const RESYNC: u64 = 1000;
/// Codes that one look-ahead counts as: the same as a time window of three, so that a typing error
/// costs the same with every kind of authenticator. A guess is right eleven times in a million, and
/// a bucket locks after [`lock_after`] of them in 30 days (0.11 % at 100).
///
/// [`lock_after`]: crate::config::ThrottleConfig
const CHARGED: usize = 3;

/// Returns the number of digits that two consecutive codes have.
pub(super) fn resync_digits(digits: u32) -> usize {
    2 * digits as usize
}

/// Compares one code within [`LOOK_AHEAD`] and with the last used ones, or two consecutive codes
/// within [`RESYNC`]. Returns the match, and as how many codes the comparison counts.
pub(super) fn compare_counters(authenticator: &LiveAuthenticator, digits: &str) -> (Match, usize) {
    let parameters = authenticator.parameters;
    let length = parameters.digits as usize;
    let next = authenticator
        .floor
        .map_or(0, |floor| floor.0.saturating_add(1));
    let equals = |counter: u64, digits: &str| {
        generate_code(&authenticator.secret, parameters, Step(counter))
            .as_bytes()
            .ct_eq(digits.as_bytes())
    };
    let live = |counter| Match::Live(authenticator.fingerprint, Step(counter));
    if digits.len() == length {
        // The highest match: if a lower one were accepted, an equal code of a higher counter would
        // stay usable.
        let window = next..=next.saturating_add(LOOK_AHEAD);
        let (any, counter) = find_last(window.clone(), |counter| equals(counter, digits));
        let (any_used, _) = find_last(next.saturating_sub(LOOK_BACK)..next, |counter| {
            equals(counter, digits)
        });
        let found = match () {
            () if any.into() => live(counter),
            () if any_used.into() => Match::Used { wait: 0 },
            () => Match::None,
        };
        (found, CHARGED)
    } else if digits.len() == resync_digits(parameters.digits) {
        let (first, second) = digits.split_at(length);
        let both =
            |counter: u64| equals(counter, first) & equals(counter.saturating_add(1), second);
        let (any, counter) = find_last(next..next.saturating_add(RESYNC), both);
        // counts as one guess at one code
        (
            if any.into() {
                live(counter.saturating_add(1))
            } else {
                Match::None
            },
            1,
        )
    } else {
        (Match::None, 0)
    }
}
