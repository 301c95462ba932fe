//! The audit log: events of accounts, shown by `postern log`. An event never contains a secret, a
//! code or a user's input.
//!
//! An attacker MUST NOT be able to push older events out of the log: the events that sign-ins can
//! cause are limited per account and day, and a name without an account causes none.

use super::name::UserName;
use crate::system::clock::Timestamp;
use serde::Serialize;

/// One event of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    pub at: Timestamp,
    pub account: UserName,
    pub kind: EventKind,
    /// A PAM service, the web, or the command.
    pub service: String,
    /// Address or local user of the request, or `-`.
    pub origin: String,
    /// The account itself at a sign-in; the administrator in administration.
    pub principal: String,
    /// Reason of a refusal, authentication method of a success, or browser of a new sign-in.
    pub cause: String,
}

/// Number of events of one kind at one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCount {
    pub kind: EventKind,
    pub service: String,
    pub count: u32,
}

/// Most events in the store; the oldest are deleted first.
pub const MAX_EVENTS: u32 = 1_000_000;
/// Seconds after which an event is deleted: 400 days, so that a year can be compared with the one
/// before.
pub const RETENTION: u64 = 400 * 24 * 3600;
/// The window of [`EventKind::daily_limit`], in seconds.
pub const DAY: u64 = 24 * 3600;
/// The cause of the last event that [`EventKind::daily_limit`] allows. Later events of the day are
/// written to the system log only.
pub const DAILY_LIMIT_CAUSE: &str = "daily-limit";

/// Conditions that select events. `None` is no condition.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub account: Option<UserName>,
    pub kind: Option<EventKind>,
    pub service: Option<String>,
    /// First second that is selected.
    pub since: Option<Timestamp>,
    /// Last second that is selected.
    pub until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    AccountAdded,
    AccountRemoved,
    AccountRenamed,
    GroupsChanged,
    /// A sign-in was accepted.
    Accepted,
    /// A sign-in came from a browser and an address that the account had not used.
    NewSignIn,
    /// A sign-in was refused after its input was verified.
    Refused,
    /// A throttle bucket was locked.
    Locked,
    /// A second factor was activated.
    Enrolled,
    /// A second factor was imported from another system.
    Imported,
    /// A further authenticator was activated.
    AuthenticatorAdded,
    /// One of several authenticators was removed.
    AuthenticatorRemoved,
    PasskeyAdded,
    PasskeyRenamed,
    PasskeyRemoved,
    /// A passkey has made a one-time code for PAM prompts.
    PasskeyCodeIssued,
    /// The owner refused a request of a PAM prompt for an approval.
    ApprovalRefused,
    RecoveryCodesReplaced,
    OneTimeCodeIssued,
    OneTimeCodeCancelled,
    /// A code by mail was requested.
    CodeRequested,
    /// An address was set, and awaits confirmation.
    EmailSet,
    /// An address was confirmed; codes can be mailed to it.
    EmailConfirmed,
    EmailRemoved,
    /// The second factor was removed.
    Disabled,
    /// Delays and locks of the throttle were removed.
    Unlocked,
    PasswordSet,
    /// The account's password of this host was changed, which revokes what a new password revokes.
    HostPasswordChanged,
    AppPasswordAdded,
    AppPasswordRenamed,
    /// One app password, or all of the account, were revoked.
    AppPasswordRevoked,
    BrowserRevoked,
    SessionRevoked,
    /// The last accepted time steps, which a wrong clock had set too far ahead, were lowered to the
    /// present.
    ClockUnlocked,
    /// The keys were rotated. The event concerns every account and is stored under the principal's
    /// name.
    KeysRotated,
    /// All keys were replaced, which invalidates everything that depended on them. The event is
    /// stored under the principal's name.
    KeysRenewed,
    /// A backup of the store was written. The event is stored under the principal's name.
    BackupMade,
    /// The store was replaced by a backup. The event is stored under the principal's name.
    StoreRestored,
    /// The store was moved from another place. The event is stored under the principal's name.
    StoreMoved,
    /// A host was invited to the fleet. The event is stored under the principal's name.
    HostInvited,
    /// A host joined the fleet. The event is stored under the name of root.
    HostJoined,
    /// A host was revoked. The event is stored under the principal's name.
    HostRevoked,
    /// Break-glass codes were made for a host. The event is stored under the principal's name.
    BreakGlassIssued,
    /// A host had lost its break-glass codes, which were removed. The event is stored under the name
    /// of root.
    BreakGlassLost,
}

impl EventKind {
    pub const ALL: [EventKind; 44] = [
        EventKind::AccountAdded,
        EventKind::AccountRemoved,
        EventKind::AccountRenamed,
        EventKind::GroupsChanged,
        EventKind::Accepted,
        EventKind::NewSignIn,
        EventKind::Refused,
        EventKind::Locked,
        EventKind::Enrolled,
        EventKind::Imported,
        EventKind::AuthenticatorAdded,
        EventKind::AuthenticatorRemoved,
        EventKind::PasskeyAdded,
        EventKind::PasskeyRenamed,
        EventKind::PasskeyRemoved,
        EventKind::PasskeyCodeIssued,
        EventKind::ApprovalRefused,
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
        EventKind::BackupMade,
        EventKind::StoreRestored,
        EventKind::StoreMoved,
        EventKind::HostInvited,
        EventKind::HostJoined,
        EventKind::HostRevoked,
        EventKind::BreakGlassIssued,
        EventKind::BreakGlassLost,
    ];

    /// Returns how many events of this kind are written per account and day, for kinds that a
    /// client with the first factor can cause without a limit: the throttle delays neither recovery
    /// codes nor passkeys, and users can change their password any number of times. Within these limits,
    /// events expire before one account alone can fill the log.
    pub fn daily_limit(self) -> Option<u32> {
        match self {
            EventKind::Refused | EventKind::CodeRequested | EventKind::PasskeyCodeIssued => {
                Some(100)
            }
            EventKind::Accepted => Some(800),
            EventKind::HostPasswordChanged
            | EventKind::PasskeyRenamed
            | EventKind::ApprovalRefused => Some(40),
            EventKind::NewSignIn => Some(8),
            _ => None,
        }
    }

    /// Returns the name in the store and in `postern log`.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::AccountAdded => "account-added",
            EventKind::AccountRemoved => "account-removed",
            EventKind::AccountRenamed => "account-renamed",
            EventKind::GroupsChanged => "groups-changed",
            EventKind::Accepted => "accepted",
            EventKind::NewSignIn => "new-sign-in",
            EventKind::Refused => "refused",
            EventKind::Locked => "locked",
            EventKind::Enrolled => "enrolled",
            EventKind::Imported => "imported",
            EventKind::AuthenticatorAdded => "authenticator-added",
            EventKind::AuthenticatorRemoved => "authenticator-removed",
            EventKind::PasskeyAdded => "passkey-added",
            EventKind::PasskeyRenamed => "passkey-renamed",
            EventKind::PasskeyRemoved => "passkey-removed",
            EventKind::PasskeyCodeIssued => "passkey-code-issued",
            EventKind::ApprovalRefused => "approval-refused",
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
            EventKind::BackupMade => "backup-made",
            EventKind::StoreRestored => "store-restored",
            EventKind::StoreMoved => "store-moved",
            EventKind::HostInvited => "host-invited",
            EventKind::HostJoined => "host-joined",
            EventKind::HostRevoked => "host-revoked",
            EventKind::BreakGlassIssued => "break-glass-issued",
            EventKind::BreakGlassLost => "break-glass-lost",
        }
    }

    /// Parses a name that [`EventKind::name`] returns.
    pub fn from_name(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_map_both_ways() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::from_name("x"), None);
    }

    #[test]
    fn events_of_one_account_expire_before_they_fill_the_log() {
        let per_day: u64 = EventKind::ALL
            .into_iter()
            .filter_map(EventKind::daily_limit)
            .map(u64::from)
            .sum();
        assert!(per_day * RETENTION / DAY < u64::from(MAX_EVENTS) / 2);
    }
}
