//! Whether this host's clock is wrong, as the audit log suggests: the codes of several people are off
//! by the same number of time steps in the same direction. One person's device can be wrong; several
//! are not wrong by the same.
//!
//! It is a remark for administrators. MUST NOT change which codes are accepted: an attacker who can make
//! wrong codes would move the window.

use super::method::AuthenticationMethod;
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;

/// Seconds within which the codes must have been entered.
pub const WITHIN: u64 = 3600;
/// Least number of accounts.
const LEAST: usize = 3;
/// Steps by which codes may differ: they were entered at different seconds of their steps.
const TOLERANCE: u64 = 1;

/// A host's clock that several accounts contradict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockSuspicion {
    pub error: ClockDirection,
    /// Time steps by which the codes were off.
    pub steps: u64,
    /// The accounts whose codes were off, in the order of their names.
    pub accounts: Vec<UserName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDirection {
    /// The codes were of earlier steps than the host's.
    Fast,
    Slow,
}

impl ClockDirection {
    pub fn name(self) -> &'static str {
        match self {
            ClockDirection::Fast => "fast",
            ClockDirection::Slow => "slow",
        }
    }
}

/// Returns the suspicion that events raise. `newest` are those within [`WITHIN`], newest first. A
/// code that was accepted since ends it: the clock was right then.
pub fn suspect_clock<'e>(newest: impl Iterator<Item = &'e AuditEvent>) -> Option<ClockSuspicion> {
    let mut off: Vec<(&UserName, ClockDirection, u64)> = Vec::new();
    for event in newest {
        match event.kind {
            EventKind::Accepted if event.cause == AuthenticationMethod::Code.name() => break,
            EventKind::Refused => {
                let is_known = off.iter().any(|(name, ..)| **name == event.account);
                if let Some((error, steps)) = drift(&event.cause).filter(|_| !is_known) {
                    off.push((&event.account, error, steps));
                }
            }
            _ => {}
        }
    }
    let agreeing = |(_, error, steps): &(&UserName, ClockDirection, u64)| {
        let agrees = |one: &&(&UserName, ClockDirection, u64)| {
            one.1 == *error && one.2.abs_diff(*steps) <= TOLERANCE
        };
        off.iter().filter(agrees).count()
    };
    // of several that as many agree with, the newest
    let (_, error, steps) = off
        .iter()
        .rev()
        .max_by_key(|one| agreeing(one))
        .filter(|one| agreeing(one) >= LEAST)?;
    let mut accounts: Vec<UserName> = off
        .iter()
        .filter(|one| one.1 == *error && one.2.abs_diff(*steps) <= TOLERANCE)
        .map(|one| one.0.clone())
        .collect();
    accounts.sort();
    Some(ClockSuspicion {
        error: *error,
        steps: *steps,
        accounts,
    })
}

/// Parses the cause of a refusal: `behind-10-steps`, `ahead-10-steps`.
fn drift(cause: &str) -> Option<(ClockDirection, u64)> {
    let (direction, rest) = cause.split_once('-')?;
    let steps = rest.strip_suffix("-steps")?.parse().ok()?;
    match direction {
        "behind" => Some((ClockDirection::Fast, steps)),
        "ahead" => Some((ClockDirection::Slow, steps)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::clock::Timestamp;
    use crate::verify::decision::Refusal;

    /// Events of one character for the account each: newest first.
    #[track_caller]
    fn suspicion(events: &[(&str, &str)]) -> Option<ClockSuspicion> {
        let events: Vec<AuditEvent> = events
            .iter()
            .map(|(account, cause)| AuditEvent {
                at: Timestamp(0),
                account: account.parse().unwrap(),
                kind: match *cause {
                    "code" | "recovery-code" => EventKind::Accepted,
                    _ => EventKind::Refused,
                },
                service: "sshd".to_owned(),
                origin: "-".to_owned(),
                principal: (*account).to_owned(),
                cause: (*cause).to_owned(),
            })
            .collect();
        suspect_clock(events.iter())
    }

    #[test]
    fn three_accounts_that_agree_raise_it() {
        let found = suspicion(&[
            ("carol", "behind-10-steps"),
            ("bob", "behind-11-steps"),
            ("mallory", "ahead-3-steps"),
            ("bob", "behind-2-steps"),
            ("dave", "recovery-code"),
            ("alice", "behind-9-steps"),
        ]);
        let found = found.unwrap();
        assert_eq!((found.error, found.steps), (ClockDirection::Fast, 10));
        let names: Vec<&str> = found.accounts.iter().map(UserName::as_str).collect();
        assert_eq!(names, ["alice", "bob", "carol"]);
        let slow = suspicion(&[
            ("a", "ahead-4-steps"),
            ("b", "ahead-4-steps"),
            ("c", "ahead-4-steps"),
        ]);
        assert_eq!(slow.unwrap().error, ClockDirection::Slow);
    }

    #[test]
    fn it_takes_three_accounts_one_direction_and_no_code_that_was_accepted_since() {
        for events in [
            &[][..],
            &[("a", "behind-9-steps"), ("b", "behind-9-steps")],
            // one account that repeats itself
            &[
                ("a", "behind-9-steps"),
                ("a", "behind-9-steps"),
                ("a", "behind-9-steps"),
            ],
            &[
                ("a", "behind-9-steps"),
                ("b", "ahead-9-steps"),
                ("c", "behind-9-steps"),
            ],
            &[
                ("a", "behind-2-steps"),
                ("b", "behind-9-steps"),
                ("c", "behind-19-steps"),
            ],
            &[
                ("d", "code"),
                ("a", "behind-9-steps"),
                ("b", "behind-9-steps"),
                ("c", "behind-9-steps"),
            ],
            &[("a", "wrong"), ("b", "wrong"), ("c", "behind--steps")],
        ] {
            assert_eq!(suspicion(events), None, "{events:?}");
        }
    }

    #[test]
    fn the_causes_are_those_of_the_log() {
        let (steps, seconds) = (10, 300);
        let behind = Refusal::Behind { steps, seconds }.to_string();
        assert_eq!(drift(&behind), Some((ClockDirection::Fast, 10)));
        let ahead = Refusal::Ahead { steps, seconds }.to_string();
        assert_eq!(drift(&ahead), Some((ClockDirection::Slow, 10)));
    }
}
