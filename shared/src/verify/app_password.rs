//! What an app password opens where a code is asked: the one service of its scope, in place of both factors.

use crate::account::email::EmailAddress;
use crate::account::name::{Group, UserName};
use crate::credential::scope::AppPasswordScope;
use crate::system::clock::Timestamp;
use std::fmt;

/// Proof that this file accepted an app password.
#[derive(Debug, PartialEq, Eq)]
pub struct AcceptedAppPassword {
    number: i64,
}

impl AcceptedAppPassword {
    /// The app password, by number: its last use is now.
    pub fn number(&self) -> i64 {
        self.number
    }
}

/// Why an app password does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppPasswordRefusal {
    /// No such one of this account's: never made, revoked, or somebody else's.
    Wrong,
    /// Its time is over.
    Expired,
    /// It is good elsewhere.
    Scope,
    /// Too many wrong answers from this address.
    AddressDelayed {
        /// Seconds left.
        wait: u64,
    },
}

/// Decides about what was found under the hash of an app password that was typed at `service` for `name`.
///
/// It has no bucket, and is compared before anything delays: 128 bits. Somebody else's is as wrong as none. A wrong one
/// is not counted while the address waits.
pub fn decide_app_password(
    found: Option<&FoundAppPassword>,
    name: &UserName,
    service: &str,
    address_wait: Option<u64>,
    now: Timestamp,
) -> Result<AcceptedAppPassword, AppPasswordRefusal> {
    match (found, address_wait) {
        (Some(found), _) if found.account == *name => match found {
            found if found.expires.is_some_and(|expires| expires <= now) => {
                Err(AppPasswordRefusal::Expired)
            }
            found if !found.scope.covers_service(service) => Err(AppPasswordRefusal::Scope),
            found => Ok(AcceptedAppPassword {
                number: found.number,
            }),
        },
        (_, Some(wait)) => Err(AppPasswordRefusal::AddressDelayed { wait }),
        (_, None) => Err(AppPasswordRefusal::Wrong),
    }
}

/// The cause, as logs name it.
impl fmt::Display for AppPasswordRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppPasswordRefusal::Wrong => f.write_str("app-password-wrong"),
            AppPasswordRefusal::Expired => f.write_str("app-password-expired"),
            AppPasswordRefusal::Scope => f.write_str("scope"),
            AppPasswordRefusal::AddressDelayed { wait } => write!(f, "address-delayed-{wait}s"),
        }
    }
}

/// An app password, as a door finds it by its hash.
#[derive(Clone, Debug)]
pub struct FoundAppPassword {
    /// Its number.
    pub number: i64,
    /// Whose.
    pub account: UserName,
    /// Groups that the store keeps for that account.
    pub groups: Vec<Group>,
    /// Its confirmed address.
    pub email: Option<EmailAddress>,
    /// Where it is good.
    pub scope: AppPasswordScope,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_015);

    fn found(expires: Option<u64>) -> FoundAppPassword {
        FoundAppPassword {
            number: 7,
            account: "alice".parse().unwrap(),
            groups: Vec::new(),
            email: None,
            scope: "pam:dovecot\nweb:app.example.com".parse().unwrap(),
            expires: expires.map(Timestamp),
        }
    }

    #[test]
    fn an_app_password_opens_the_service_of_its_scope_for_its_account_within_its_time() {
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let open = || Ok(AcceptedAppPassword { number: 7 });
        for (expires, name, service, wait, expected) in [
            (None, &alice, "dovecot", None, open()),
            (Some(NOW.0 + 1), &alice, "dovecot", None, open()),
            (
                Some(NOW.0),
                &alice,
                "dovecot",
                None,
                Err(AppPasswordRefusal::Expired),
            ),
            (
                Some(NOW.0),
                &alice,
                "sshd",
                None,
                Err(AppPasswordRefusal::Expired),
            ),
            (None, &alice, "sshd", None, Err(AppPasswordRefusal::Scope)),
            (
                None,
                &alice,
                "app.example.com",
                None,
                Err(AppPasswordRefusal::Scope),
            ),
            (None, &bob, "dovecot", None, Err(AppPasswordRefusal::Wrong)),
            (None, &bob, "sshd", None, Err(AppPasswordRefusal::Wrong)),
            (None, &alice, "dovecot", Some(9), open()),
            (
                Some(NOW.0),
                &alice,
                "dovecot",
                Some(9),
                Err(AppPasswordRefusal::Expired),
            ),
            (
                None,
                &alice,
                "sshd",
                Some(9),
                Err(AppPasswordRefusal::Scope),
            ),
            (
                None,
                &bob,
                "dovecot",
                Some(9),
                Err(AppPasswordRefusal::AddressDelayed { wait: 9 }),
            ),
        ] {
            let decided = decide_app_password(Some(&found(expires)), name, service, wait, NOW);
            assert_eq!(decided, expected, "{expires:?} {name} {service} {wait:?}");
        }
        assert_eq!(
            decide_app_password(None, &alice, "dovecot", None, NOW),
            Err(AppPasswordRefusal::Wrong)
        );
        let delayed = decide_app_password(None, &alice, "dovecot", Some(9), NOW);
        assert_eq!(delayed, Err(AppPasswordRefusal::AddressDelayed { wait: 9 }));
    }
}
