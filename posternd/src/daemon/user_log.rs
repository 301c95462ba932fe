//! Log lines about users. A user can cause any number of them, and the service manager drops lines
//! that come too fast, of any user. So the lines of each user are limited, and the next
//! one reports how many were left out.

use super::log::write_line;
use postern_shared::protocol::Severity;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of one user within [`WINDOW`], at most.
const LINES: u32 = 64;
const WINDOW: Duration = Duration::from_secs(10);
/// Users whose lines are counted, at most.
const USERS: usize = 1024;

#[derive(Default)]
pub(crate) struct UserLog {
    written: Mutex<HashMap<u32, LoggedLine>>,
}

struct LoggedLine {
    since: Instant,
    lines: u32,
}

impl UserLog {
    /// Writes a line about a user, unless the user has caused too many.
    pub(crate) fn write(&self, uid: u32, severity: Severity, line: &str) {
        match self.count(uid, Instant::now()) {
            lines if lines < LINES => write(severity, line),
            LINES => write(
                Severity::Notice,
                &format!("more lines about uid {uid} are left out for {WINDOW:?}"),
            ),
            _ => {}
        }
    }

    /// Returns how many lines of a user came before this one.
    fn count(&self, uid: u32, now: Instant) -> u32 {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |written: &LoggedLine| now.duration_since(written.since) >= WINDOW;
        if written.len() >= USERS && !written.contains_key(&uid) {
            written.retain(|_, written| !is_over(written));
            if written.len() >= USERS {
                return u32::MAX;
            }
        }
        let none = LoggedLine {
            since: now,
            lines: 0,
        };
        if written.get(&uid).is_some_and(is_over) {
            written.remove(&uid);
        }
        let of_user = written.entry(uid).or_insert(none);
        let before = of_user.lines;
        of_user.lines = before.saturating_add(1);
        before
    }
}

/// Writes a line with its level as in sd-daemon(3). Control characters are replaced, since one
/// could begin another line.
fn write(severity: Severity, line: &str) {
    let level = severity.number();
    let line: String = line
        .chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect();
    write_line(format_args!("<{level}>{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_with_too_many_lines_takes_none_of_another() {
        let log = UserLog::default();
        let now = Instant::now();
        let last = (0..10_000).map(|_| log.count(1000, now)).last();
        assert_eq!(last, Some(9_999));
        assert_eq!(log.count(1001, now), 0);
        assert_eq!(
            log.count(1000, now + WINDOW),
            0,
            "and the next time begins again"
        );
    }

    #[test]
    fn so_many_users_are_counted() {
        let log = UserLog::default();
        let now = Instant::now();
        for uid in 0..3_000 {
            log.count(uid, now);
        }
        assert_eq!(log.count(5_000, now), u32::MAX);
        assert_eq!(log.count(5_000, now + WINDOW), 0);
    }
}
