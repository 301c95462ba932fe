//! The event log: what happened to accounts, for `postern log`. Never a secret, a code, or what was typed.
//!
//! MUST NOT be a log that someone can fill until what matters has left it: what a sign-in can write is bounded for
//! each account and day, and names without an account write nothing.

use super::name::UserName;
use crate::system::clock::Timestamp;
use serde::Serialize;

/// One event, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// Whose account.
    pub account: UserName,
    /// What happened.
    pub what: EventKind,
    /// Through which door: a PAM service, the web, or the command.
    pub door: String,
    /// Where from: an address, a local user, or `-`.
    pub origin: String,
    /// Who did it: at a door whoever came as the account, so the account's own name; in administration the
    /// administrator's.
    pub actor: String,
    /// Why, or by what: the cause of a refusal, the means of an entry.
    pub cause: String,
}

/// Events that are kept; the oldest make room.
pub const KEPT: u32 = 1_000_000;
/// How long one is kept, in seconds: 400 days, so that a year can be compared with the one before.
pub const KEPT_FOR: u64 = 400 * 24 * 3600;
/// The window of [`What::daily_limit`], in seconds.
pub const DAY: u64 = 24 * 3600;
/// The cause of the last event that [`What::daily_limit`] allows: whatever follows stands in the system log alone.
pub const LAST_OF_DAY: &str = "daily-limit";

/// Which events are meant; what is not given does not narrow.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of this account.
    pub account: Option<UserName>,
    /// Of this kind.
    pub what: Option<EventKind>,
    /// Through this door.
    pub door: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The account came into being.
    AccountAdded,
    /// The account was removed.
    AccountRemoved,
    /// The account was given another name.
    AccountRenamed,
    /// The account is in other groups.
    GroupsChanged,
    /// An answer opened a door.
    Accepted,
    /// An evaluated answer did not.
    Refused,
    /// The row of this place was locked.
    Locked,
    /// A second factor became active.
    Enrolled,
    /// A second factor was taken over from another system.
    Imported,
    /// An authenticator was added to others.
    AuthenticatorAdded,
    /// One of several authenticators was removed.
    AuthenticatorRemoved,
    /// A new set of recovery codes.
    RecoveryCodesReplaced,
    /// An administrator issued a one-time code.
    OneTimeCodeIssued,
    /// An administrator took a one-time code back.
    OneTimeCodeCancelled,
    /// Somebody asked for a code by mail.
    #[serde(rename = "code-requested")]
    CodeRequested,
    /// An address was given; it is to be confirmed.
    EmailSet,
    /// Mail to an address has arrived: codes go there.
    EmailConfirmed,
    /// An address was removed.
    EmailRemoved,
    /// The second factor was turned off.
    Disabled,
    /// Delays and locks were lifted.
    Unlocked,
    /// A password was set.
    PasswordSet,
    /// The person's password of this host was changed, and ended what a new one ends.
    HostPasswordChanged,
    /// An app password was made.
    AppPasswordAdded,
    /// An app password was given another name.
    AppPasswordRenamed,
    /// An app password was revoked, or all of the account's.
    AppPasswordRevoked,
    /// A browser is trusted no longer.
    BrowserRevoked,
    /// A session was ended.
    SessionRevoked,
    /// The floors of used steps were lowered to the clock.
    #[serde(rename = "clock-unlocked")]
    ClockUnlocked,
    /// The keys were rotated; it concerns every account, and stands under the name of who did it.
    KeysRotated,
    /// All keys were renewed, and what hung on them ended; it stands under the name of who did it.
    KeysRenewed,
}

impl EventKind {
    /// All of them.
    pub const ALL: [EventKind; 30] = [
        EventKind::AccountAdded,
        EventKind::AccountRemoved,
        EventKind::AccountRenamed,
        EventKind::GroupsChanged,
        EventKind::Accepted,
        EventKind::Refused,
        EventKind::Locked,
        EventKind::Enrolled,
        EventKind::Imported,
        EventKind::AuthenticatorAdded,
        EventKind::AuthenticatorRemoved,
        EventKind::RecoveryCodesReplaced,
        EventKind::OneTimeCodeIssued,
        EventKind::OneTimeCodeCancelled,
        EventKind::CodeRequested,
        EventKind::EmailSet,
        EventKind::EmailConfirmed,
        EventKind::EmailRemoved,
        EventKind::Disabled,
        EventKind::Unlocked,
        EventKind::PasswordSet,
        EventKind::HostPasswordChanged,
        EventKind::AppPasswordAdded,
        EventKind::AppPasswordRenamed,
        EventKind::AppPasswordRevoked,
        EventKind::BrowserRevoked,
        EventKind::SessionRevoked,
        EventKind::ClockUnlocked,
        EventKind::KeysRotated,
        EventKind::KeysRenewed,
    ];

    /// How many of an account are written in a day, of those that whoever holds its first factor can cause as often
    /// as they like: recovery codes have no row that would delay them, and one's own password changes hands with
    /// oneself. One account alone cannot fill the log before
    /// its events are too old anyway.
    pub fn daily_limit(self) -> Option<u32> {
        match self {
            EventKind::Refused | EventKind::CodeRequested => Some(100),
            EventKind::Accepted => Some(1000),
            EventKind::HostPasswordChanged => Some(40),
            _ => None,
        }
    }

    /// The name in the store and in `postern log`.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::AccountAdded => "account-added",
            EventKind::AccountRemoved => "account-removed",
            EventKind::AccountRenamed => "account-renamed",
            EventKind::GroupsChanged => "groups-changed",
            EventKind::Accepted => "accepted",
            EventKind::Refused => "refused",
            EventKind::Locked => "locked",
            EventKind::Enrolled => "enrolled",
            EventKind::Imported => "imported",
            EventKind::AuthenticatorAdded => "authenticator-added",
            EventKind::AuthenticatorRemoved => "authenticator-removed",
            EventKind::RecoveryCodesReplaced => "recovery-codes-replaced",
            EventKind::OneTimeCodeIssued => "one-time-code-issued",
            EventKind::OneTimeCodeCancelled => "one-time-code-cancelled",
            EventKind::CodeRequested => "code-requested",
            EventKind::EmailSet => "email-set",
            EventKind::EmailConfirmed => "email-confirmed",
            EventKind::EmailRemoved => "email-removed",
            EventKind::Disabled => "disabled",
            EventKind::Unlocked => "unlocked",
            EventKind::PasswordSet => "password-set",
            EventKind::HostPasswordChanged => "host-password-changed",
            EventKind::AppPasswordAdded => "app-password-added",
            EventKind::AppPasswordRenamed => "app-password-renamed",
            EventKind::AppPasswordRevoked => "app-password-revoked",
            EventKind::BrowserRevoked => "browser-revoked",
            EventKind::SessionRevoked => "session-revoked",
            EventKind::ClockUnlocked => "clock-unlocked",
            EventKind::KeysRotated => "keys-rotated",
            EventKind::KeysRenewed => "keys-renewed",
        }
    }

    /// Reads [`What::name`].
    pub fn from_name(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|what| what.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_map_both_ways() {
        for what in EventKind::ALL {
            assert_eq!(EventKind::from_name(what.name()), Some(what));
        }
        assert_eq!(EventKind::from_name("x"), None);
    }

    #[test]
    fn what_one_account_can_write_is_too_old_before_it_fills_the_log() {
        let a_day: u64 = EventKind::ALL
            .into_iter()
            .filter_map(EventKind::daily_limit)
            .map(u64::from)
            .sum();
        assert!(a_day * KEPT_FOR / DAY < u64::from(KEPT) / 2);
    }
}
