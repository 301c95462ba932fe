//! The match of one input with one authenticator or with the mailed code, and their order: the best
//! match of all is the result.

use crate::credential::otp::totp::Step;
use crate::crypto::vault::SecretFingerprint;
use subtle::{Choice, ConditionallySelectable};

pub(super) enum Match {
    Live(SecretFingerprint, Step),
    Mailed,
    ClockSetBack { seconds: u64 },
    Used { wait: u64 },
    Expired,
    Behind { steps: u64, seconds: u64 },
    Ahead { steps: u64, seconds: u64 },
    None,
}

impl Match {
    pub(super) fn rank(&self) -> u8 {
        match self {
            Match::Live(..) | Match::Mailed => 6,
            Match::ClockSetBack { .. } => 5,
            Match::Used { .. } => 4,
            Match::Expired => 3,
            Match::Behind { .. } => 2,
            Match::Ahead { .. } => 1,
            Match::None => 0,
        }
    }
}

/// Returns whether any of `steps` matches, and the last one that does. Every step is compared:
/// neither a match nor its position may show in the time.
pub(super) fn find_last(
    steps: impl Iterator<Item = u64>,
    matches: impl Fn(u64) -> Choice,
) -> (Choice, u64) {
    let (mut any, mut last) = (Choice::from(0), 0);
    for step in steps {
        let equal = matches(step);
        last.conditional_assign(&step, equal);
        any |= equal;
    }
    (any, last)
}
