//! The look-ahead window of counters (RFC 4226, section 7): what one counter-based authenticator makes of a code, or
//! of two in a row, compared in constant time with every counter in reach.

use super::account::LiveAuthenticator;
use super::matching::{Match, find_last};
use crate::credential::totp::{Step, generate_code};
use subtle::ConstantTimeEq;

/// Codes that may have been made and not typed: RFC 4226's s.
const LOOK_AHEAD: u64 = 10;
/// Codes of the past that are recognised as used.
const LOOK_BACK: u64 = 10;
/// How far two codes in a row may lie ahead (RFC 4226, section 7.4): of 12 digits and more, a guess at a thousand
/// places is still far less likely to be right than one at three places of 6.
const RESYNC: u64 = 1000;
/// What one look-ahead counts as, in codes: as a time window of three. A typing error of someone with a counter then
/// costs what it costs everyone; a guess is right eleven times in a million, and a bucket takes [`lock_after`] of them in
/// 30 days (0.11 % at 100).
///
/// [`lock_after`]: crate::config::Throttle
const CHARGED: usize = 3;

/// How many digits two codes in a row have.
pub(super) fn resync_digits(digits: u32) -> usize {
    2 * digits as usize
}

/// Looks for one code within [`LOOK_AHEAD`] and among the last used ones, or for two in a row within [`RESYNC`],
/// always everywhere; returns what was found and as how many codes it counts.
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
        // The highest match: accepting a lower one would leave an equal code of a higher counter open.
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
        // as much as one guess at one code
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
