//! What has passed at the sign-in that opened a session. Whether that is enough is for the policy of now to say.

use crate::account::second_factor::Enrolled;
use crate::config::Policy;
use crate::policy::requirement::{Need, Subject};
use serde::{Deserialize, Serialize};

/// What has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Before the code.
    pub first: PassedFirst,
    /// The code, or what took its place.
    pub second: PassedSecond,
}

/// A first factor that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassedFirst {
    /// A password that the store keeps.
    Password,
    /// A password of this host.
    HostPassword,
    /// An identity that a trusted proxy has established.
    Identity,
}

/// A second factor that has passed, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassedSecond {
    /// None; and whether the account had one then.
    None(Enrolled),
    /// A code of an authenticator.
    Code,
    /// A mailed code.
    MailedCode,
    /// A recovery code.
    RecoveryCode,
    /// An administrator's one-time code.
    OneTimeCode,
    /// The trust in the browser.
    TrustedBrowser,
}

impl Passed {
    /// Whether it is enough wherever a code is asked for, of this person at this address. Someone without a second
    /// factor needs one as soon as the policy requires it; someone who has one, and was exempt, wherever no exemption
    /// holds.
    pub fn is_full(self, policy: &Policy, subject: &Subject<'_>) -> bool {
        match self.second {
            PassedSecond::None(enrolled) => {
                matches!(
                    policy.need(subject, enrolled),
                    Need::Nothing | Need::Exempt(_)
                )
            }
            _ => true,
        }
    }

    /// As a cookie holds it.
    pub(super) fn to_bytes(self) -> [u8; 2] {
        let first = match self.first {
            PassedFirst::Password => 1,
            PassedFirst::HostPassword => 2,
            PassedFirst::Identity => 3,
        };
        let second = match self.second {
            PassedSecond::None(Enrolled::No) => 1,
            PassedSecond::None(Enrolled::Yes) => 2,
            PassedSecond::Code => 3,
            PassedSecond::MailedCode => 4,
            PassedSecond::RecoveryCode => 5,
            PassedSecond::OneTimeCode => 6,
            PassedSecond::TrustedBrowser => 7,
        };
        [first, second]
    }

    /// Reads what [`Passed::to_bytes`] wrote.
    pub(super) fn from_bytes([first, second]: [u8; 2]) -> Option<Passed> {
        let first = match first {
            1 => PassedFirst::Password,
            2 => PassedFirst::HostPassword,
            3 => PassedFirst::Identity,
            _ => return None,
        };
        let second = match second {
            1 => PassedSecond::None(Enrolled::No),
            2 => PassedSecond::None(Enrolled::Yes),
            3 => PassedSecond::Code,
            4 => PassedSecond::MailedCode,
            5 => PassedSecond::RecoveryCode,
            6 => PassedSecond::OneTimeCode,
            7 => PassedSecond::TrustedBrowser,
            _ => return None,
        };
        Some(Passed { first, second })
    }
}

#[cfg(test)]
impl Passed {
    /// A password and a code.
    pub(crate) const CODE: Passed = Passed {
        first: PassedFirst::Password,
        second: PassedSecond::Code,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::completed_methods::Earlier;
    use crate::network::address::Address;

    #[test]
    fn what_has_passed_survives_a_cookie_and_nothing_else_is_read() {
        let mut read = 0;
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let Some(passed) = Passed::from_bytes([first, second]) else {
                    continue;
                };
                assert_eq!(passed.to_bytes(), [first, second]);
                read += 1;
            }
        }
        assert_eq!(read, 3 * 7);
    }

    /// By the policy of now, and not by that of the sign-in.
    #[test]
    fn whether_it_is_enough_the_policy_says() {
        let exempt = "[[exempt]]\nnetworks = [\"192.0.2.0/24\"]";
        let (none, had) = (
            PassedSecond::None(Enrolled::No),
            PassedSecond::None(Enrolled::Yes),
        );
        for (policy, second, address, full) in [
            ("", none, "198.51.100.7", true),
            ("required = \"all\"", none, "198.51.100.7", false),
            ("required = [\"alice\"]", none, "198.51.100.7", false),
            ("required = [\"bob\"]", none, "198.51.100.7", true),
            (exempt, none, "198.51.100.7", true),
            (exempt, had, "192.0.2.7", true),
            (exempt, had, "198.51.100.7", false),
            (exempt, had, "", false),
            ("", had, "192.0.2.7", false),
            ("required = \"all\"", PassedSecond::TrustedBrowser, "", true),
            ("required = \"all\"", PassedSecond::Code, "", true),
        ] {
            let parsed: Policy = toml::from_str(policy).unwrap();
            let name = "alice".parse().unwrap();
            let (address, earlier) = (Address::parse(address), &Earlier::PASSWORD);
            let groups = &crate::policy::groups::PersonGroups::default();
            let subject = Subject {
                name: &name,
                groups,
                service: "web",
                address,
                earlier,
            };
            let passed = Passed {
                first: PassedFirst::Password,
                second,
            };
            assert_eq!(
                passed.is_full(&parsed, &subject),
                full,
                "{policy} {second:?} {address:?}"
            );
        }
    }
}
