//! Throttle scopes: wrong inputs for an account are counted apart for each of them.

use crate::credential::completed_methods::SshKey;
use crate::network::address::Address;

/// How the text of each [`Place::VerifiedKey`] begins, before a blank.
pub(crate) const KEY_PREFIX: &str = "key";

/// Where a person stands, as far as guesses are concerned: each place of an account has a row of its own, so
/// that whoever guesses elsewhere cannot use up the tries of the owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ThrottleScope {
    /// A browser that the account trusts, by its number in the store.
    TrustedBrowser(i64),
    /// An address the account got in from during the last 30 days.
    FamiliarAddress(Address),
    /// The same of an address as far as the host says, apart: whoever may choose it must not use up the tries of who is
    /// there.
    ClaimedFamiliarAddress(Address),
    /// A key that sshd has verified.
    VerifiedKey(SshKey),
    /// Every further key, where several were wrong already: whoever may add keys to an account gets no more tries.
    FurtherKeys,
    /// Whoever shows a right recovery or one-time code together with a password.
    RecoveryCode,
    /// A user of this host (the real user of the PAM host's process, or who runs the command).
    LocalUser(String),
    /// Users of this host without a name together: one user may have thousands of such numbers (subuid).
    NamelessUsers,
    /// A terminal of this host, where the process is root's.
    Terminal(String),
    /// Everywhere else together.
    Anywhere,
}

impl ThrottleScope {
    /// Whether the count over all accounts that an address has says nothing about whoever is here: access was granted
    /// from here before, or a key was verified.
    pub fn is_exempt_from_address_count(&self) -> bool {
        match self {
            ThrottleScope::TrustedBrowser(_)
            | ThrottleScope::FamiliarAddress(_)
            | ThrottleScope::ClaimedFamiliarAddress(_)
            | ThrottleScope::VerifiedKey(_)
            | ThrottleScope::FurtherKeys
            | ThrottleScope::RecoveryCode => true,
            ThrottleScope::LocalUser(_)
            | ThrottleScope::NamelessUsers
            | ThrottleScope::Terminal(_)
            | ThrottleScope::Anywhere => false,
        }
    }

    /// The text that names the place in the store.
    pub fn store_key(&self) -> String {
        match self {
            ThrottleScope::TrustedBrowser(number) => format!("browser {number}"),
            ThrottleScope::FamiliarAddress(address) => format!("address {}", address.key()),
            ThrottleScope::ClaimedFamiliarAddress(address) => format!("claimed {}", address.key()),
            ThrottleScope::VerifiedKey(key) => format!("{KEY_PREFIX} {key}"),
            ThrottleScope::FurtherKeys => "further keys".to_owned(),
            ThrottleScope::RecoveryCode => "recovery code".to_owned(),
            ThrottleScope::LocalUser(name) => format!("user {name}"),
            ThrottleScope::NamelessUsers => "user #".to_owned(),
            ThrottleScope::Terminal(name) => format!("terminal {name}"),
            ThrottleScope::Anywhere => "elsewhere".to_owned(),
        }
    }
}
