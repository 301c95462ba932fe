//! The event log: what happened to accounts, for `postern log`. Never a secret, a code, or what was typed.

use crate::clock::Timestamp;
use crate::name::UserName;
use serde::Serialize;

/// One event, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Whose account.
    pub account: UserName,
    /// What happened.
    pub what: What,
    /// Through which door: a PAM service, or the command.
    pub door: String,
    /// Where from: an address, a local user, or `-`.
    pub origin: String,
    /// Details: the cause of a refusal, what was counted.
    pub detail: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The account came into being.
    AccountAdded,
    /// An answer opened a door.
    Accepted,
    /// An evaluated answer did not.
    Refused,
    /// The row of this place was locked.
    Locked,
    /// A second factor became active.
    Enrolled,
    /// The second factor was turned off.
    Disabled,
    /// Delays and locks were lifted.
    Unlocked,
    /// A password was set.
    PasswordSet,
    /// A browser is trusted no longer.
    BrowserRevoked,
    /// A session was ended.
    SessionRevoked,
    /// The floors of used steps were lowered to the clock.
    ClockMended,
    /// The keys were rotated; it concerns every account, and stands under the name of who did it.
    KeysRotated,
    /// All keys were renewed, and what hung on them ended; it stands under the name of who did it.
    KeysRenewed,
    /// New recovery codes took the place of the old ones.
    RecoveryCodesMade,
}

impl What {
    const ALL: [What; 14] = [
        What::AccountAdded,
        What::Accepted,
        What::Refused,
        What::Locked,
        What::Enrolled,
        What::Disabled,
        What::Unlocked,
        What::PasswordSet,
        What::BrowserRevoked,
        What::SessionRevoked,
        What::ClockMended,
        What::KeysRotated,
        What::KeysRenewed,
        What::RecoveryCodesMade,
    ];

    /// The name in the store and in `postern log`.
    pub fn name(self) -> &'static str {
        match self {
            What::AccountAdded => "account-added",
            What::Accepted => "accepted",
            What::Refused => "refused",
            What::Locked => "locked",
            What::Enrolled => "enrolled",
            What::Disabled => "disabled",
            What::Unlocked => "unlocked",
            What::PasswordSet => "password-set",
            What::BrowserRevoked => "browser-revoked",
            What::SessionRevoked => "session-revoked",
            What::ClockMended => "clock-mended",
            What::KeysRotated => "keys-rotated",
            What::KeysRenewed => "keys-renewed",
            What::RecoveryCodesMade => "recovery-codes-made",
        }
    }

    /// Reads [`What::name`].
    pub fn from_name(name: &str) -> Option<What> {
        What::ALL.into_iter().find(|what| what.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_map_both_ways() {
        for what in What::ALL {
            assert_eq!(What::from_name(what.name()), Some(what));
        }
        assert_eq!(What::from_name("x"), None);
    }
}
