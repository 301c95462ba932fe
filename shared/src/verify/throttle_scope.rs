//! Throttle scopes: wrong inputs for an account are counted apart in each scope, so that an
//! attacker who guesses from one cannot use up the tries of the owner in another.

use crate::credential::completed_methods::SshKey;
use crate::system::network::address::Address;

/// Prefix of the store key of each [`ThrottleScope::VerifiedKey`], before a blank.
pub(crate) const KEY_PREFIX: &str = "key";

/// The scope of an attempt. Each scope of an account has a bucket of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ThrottleScope {
    /// A browser that the account trusts, by its number in the store.
    TrustedBrowser(i64),
    /// An address from which the account signed in during the last 30 days.
    FamiliarAddress(Address),
    /// A familiar address that the host only claims, counted apart: a client that may choose the
    /// address freely MUST NOT use up the tries of the users of that address.
    ClaimedFamiliarAddress(Address),
    VerifiedKey(SshKey),
    /// All further keys together, once several keys had wrong inputs: adding keys to an account
    /// MUST NOT give more tries.
    FurtherKeys,
    /// A client that shows a right recovery code or one-time code together with a password.
    RecoveryCode,
    /// A user of this host: the real user of the PAM host's process, or the user who runs the
    /// command.
    LocalUser(String),
    /// All users of this host without a name together: one user may have thousands of such user IDs
    /// (subuid).
    NamelessUsers,
    /// A terminal of this host, where the process belongs to root.
    Terminal(String),
    /// The scope on a host of a fleet, by the host's number in the store.
    OnHost(i64, Box<ThrottleScope>),
    /// All other origins together.
    Anywhere,
}

impl ThrottleScope {
    /// Returns whether the failures of an address over all accounts do not apply here: access was
    /// granted from here before, or a key was verified.
    pub fn is_exempt_from_address_count(&self) -> bool {
        match self {
            ThrottleScope::TrustedBrowser(_)
            | ThrottleScope::FamiliarAddress(_)
            | ThrottleScope::ClaimedFamiliarAddress(_)
            | ThrottleScope::VerifiedKey(_)
            | ThrottleScope::FurtherKeys
            | ThrottleScope::RecoveryCode => true,
            ThrottleScope::OnHost(_, scope) => scope.is_exempt_from_address_count(),
            ThrottleScope::LocalUser(_)
            | ThrottleScope::NamelessUsers
            | ThrottleScope::Terminal(_)
            | ThrottleScope::Anywhere => false,
        }
    }

    /// Returns the key of the scope in the store.
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
            ThrottleScope::OnHost(number, scope) => format!("host {number} {}", scope.store_key()),
            ThrottleScope::Anywhere => "elsewhere".to_owned(),
        }
    }
}
