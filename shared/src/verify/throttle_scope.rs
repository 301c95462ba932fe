//! Throttle scopes: wrong inputs for an account are counted apart for each of them.

use crate::credential::completed_methods::Key;
use crate::network::address::Address;

/// How the text of each [`Place::VerifiedKey`] begins, before a blank.
pub(crate) const KEY: &str = "key";

/// Where a person stands, as far as guesses are concerned: each place of an account has a row of its own, so
/// that whoever guesses elsewhere cannot use up the tries of the owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A browser that the account trusts, by its number in the store.
    TrustedBrowser(i64),
    /// An address the account got in from during the last 30 days.
    Familiar(Address),
    /// The same of an address as far as the host says, apart: whoever may choose it must not use up the tries of who is
    /// there.
    ClaimedFamiliar(Address),
    /// A key that sshd has verified.
    VerifiedKey(Key),
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
    Elsewhere,
}

impl Place {
    /// Whether the count over all accounts that an address has says nothing about whoever is here: access was granted
    /// from here before, or a key was verified.
    pub fn is_exempt_from_address_count(&self) -> bool {
        match self {
            Place::TrustedBrowser(_)
            | Place::Familiar(_)
            | Place::ClaimedFamiliar(_)
            | Place::VerifiedKey(_)
            | Place::FurtherKeys
            | Place::RecoveryCode => true,
            Place::LocalUser(_) | Place::NamelessUsers | Place::Terminal(_) | Place::Elsewhere => {
                false
            }
        }
    }

    /// The text that names the place in the store.
    pub fn key(&self) -> String {
        match self {
            Place::TrustedBrowser(number) => format!("browser {number}"),
            Place::Familiar(address) => format!("address {}", address.key()),
            Place::ClaimedFamiliar(address) => format!("claimed {}", address.key()),
            Place::VerifiedKey(key) => format!("{KEY} {key}"),
            Place::FurtherKeys => "further keys".to_owned(),
            Place::RecoveryCode => "recovery code".to_owned(),
            Place::LocalUser(name) => format!("user {name}"),
            Place::NamelessUsers => "user #".to_owned(),
            Place::Terminal(name) => format!("terminal {name}"),
            Place::Elsewhere => "elsewhere".to_owned(),
        }
    }
}
