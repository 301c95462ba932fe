//! The decision about an app password. An accepted one counts as both factors, at the services of
//! its scope only.
//!
//! MUST be the only file that makes an [`AcceptedAppPassword`].

use crate::account::email::EmailAddress;
use crate::account::name::{Group, UserName};
use crate::credential::scope::AppPasswordScope;
use crate::system::clock::Timestamp;
use std::fmt;

/// Proof that [`decide_app_password`] accepted an app password.
#[derive(Debug, PartialEq, Eq)]
pub struct AcceptedAppPassword {
    number: i64,
}

impl AcceptedAppPassword {
    /// Returns the number of the app password in the store, whose time of last use the caller
    /// updates.
    pub fn number(&self) -> i64 {
        self.number
    }
}

/// Reason why an app password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppPasswordRefusal {
    /// The account has no such app password: it was never made, was revoked, or belongs to another
    /// account.
    Wrong,
    Expired,
    /// The scope does not cover this service.
    Scope,
    /// Too many wrong inputs came from this address.
    AddressDelayed {
        wait: u64,
    },
}

/// Decides about the app password `found` by the hash of the input that `name` typed at `service`.
///
/// No bucket delays an app password: 128 random bits cannot be guessed. It is compared while its
/// address is delayed too; a wrong one is not counted then. One of another account is as wrong as
/// an unknown one.
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

/// An app password that was found by its hash.
#[derive(Clone, Debug)]
pub struct FoundAppPassword {
    pub number: i64,
    pub account: UserName,
    /// Groups of the account in the store.
    pub groups: Vec<Group>,
    /// Confirmed e-mail address of the account.
    pub email: Option<EmailAddress>,
    pub scope: AppPasswordScope,
    pub expires: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use AppPasswordRefusal::{AddressDelayed, Expired, Scope, Wrong};

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
    fn an_app_password_is_accepted_for_its_account_at_its_services_until_it_expires() {
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let accepted = || Ok(AcceptedAppPassword { number: 7 });
        let delayed = || Err(AddressDelayed { wait: 9 });
        let expired = || Some(found(Some(NOW.0)));
        let unlimited = || Some(found(None));
        for (found, name, service, wait, expected) in [
            (unlimited(), &alice, "dovecot", None, accepted()),
            (
                Some(found(Some(NOW.0 + 1))),
                &alice,
                "dovecot",
                None,
                accepted(),
            ),
            (expired(), &alice, "dovecot", None, Err(Expired)),
            (expired(), &alice, "sshd", None, Err(Expired)),
            (unlimited(), &alice, "sshd", None, Err(Scope)),
            (unlimited(), &alice, "app.example.com", None, Err(Scope)),
            (unlimited(), &bob, "dovecot", None, Err(Wrong)),
            (unlimited(), &bob, "sshd", None, Err(Wrong)),
            (unlimited(), &alice, "dovecot", Some(9), accepted()),
            (expired(), &alice, "dovecot", Some(9), Err(Expired)),
            (unlimited(), &alice, "sshd", Some(9), Err(Scope)),
            (unlimited(), &bob, "dovecot", Some(9), delayed()),
            (None, &alice, "dovecot", None, Err(Wrong)),
            (None, &alice, "dovecot", Some(9), delayed()),
        ] {
            let decided = decide_app_password(found.as_ref(), name, service, wait, NOW);
            assert_eq!(decided, expected, "{found:?} {name} {service} {wait:?}");
        }
    }
}
