//! The log lines about mail, with the fields that postern-gate(8) lists for its own.
//!
//! MUST NOT contain a code or a subject.

use crate::daemon::log::log;
use std::fmt::Display;

/// The result of sending a mail, or a notification of an event.
pub(super) fn sent(user: &impl Display, notification: Option<&str>, sent: &Result<(), String>) {
    let user = user.to_string();
    let notification =
        notification.map_or_else(String::new, |event| format!(" notification={event}"));
    match sent {
        Ok(()) => log(format_args!("mailed user={user:?}{notification}")),
        Err(why) => log(format_args!(
            "not mailed cause=mail user={user:?}{notification}: {why}"
        )),
    }
}
