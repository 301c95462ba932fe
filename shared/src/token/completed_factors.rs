//! What has passed at the sign-in that opened a session. Whether that is enough is for the policy of now to say.

use crate::account::second_factor::Enrolled;
use crate::config::PolicyConfig;
use crate::policy::requirement::{PolicySubject, Requirement};
use serde::{Deserialize, Serialize};

/// What has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedFactors {
    /// Before the code.
    pub first: FirstFactorMethod,
    /// The code, or what took its place.
    pub second: SecondFactorMethod,
}

/// A first factor that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstFactorMethod {
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
pub enum SecondFactorMethod {
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

impl CompletedFactors {
    /// Whether it is enough wherever a code is asked for, of this person at this address. Someone without a second
    /// factor needs one as soon as the policy requires it; someone who has one, and was exempt, wherever no exemption
    /// holds.
    pub fn is_full(self, policy: &PolicyConfig, subject: &PolicySubject<'_>) -> bool {
        match self.second {
            SecondFactorMethod::None(enrolled) => {
                matches!(
                    policy.evaluate_requirement(subject, enrolled),
                    Requirement::Nothing | Requirement::Exempt(_)
                )
            }
            _ => true,
        }
    }

    /// As a cookie holds it.
    pub(super) fn to_bytes(self) -> [u8; 2] {
        let first = match self.first {
            FirstFactorMethod::Password => 1,
            FirstFactorMethod::HostPassword => 2,
            FirstFactorMethod::Identity => 3,
        };
        let second = match self.second {
            SecondFactorMethod::None(Enrolled::No) => 1,
            SecondFactorMethod::None(Enrolled::Yes) => 2,
            SecondFactorMethod::Code => 3,
            SecondFactorMethod::MailedCode => 4,
            SecondFactorMethod::RecoveryCode => 5,
            SecondFactorMethod::OneTimeCode => 6,
            SecondFactorMethod::TrustedBrowser => 7,
        };
        [first, second]
    }

    /// Reads what [`Passed::to_bytes`] wrote.
    pub(super) fn from_bytes([first, second]: [u8; 2]) -> Option<CompletedFactors> {
        let first = match first {
            1 => FirstFactorMethod::Password,
            2 => FirstFactorMethod::HostPassword,
            3 => FirstFactorMethod::Identity,
            _ => return None,
        };
        let second = match second {
            1 => SecondFactorMethod::None(Enrolled::No),
            2 => SecondFactorMethod::None(Enrolled::Yes),
            3 => SecondFactorMethod::Code,
            4 => SecondFactorMethod::MailedCode,
            5 => SecondFactorMethod::RecoveryCode,
            6 => SecondFactorMethod::OneTimeCode,
            7 => SecondFactorMethod::TrustedBrowser,
            _ => return None,
        };
        Some(CompletedFactors { first, second })
    }
}

#[cfg(test)]
impl CompletedFactors {
    /// A password and a code.
    pub(crate) const CODE: CompletedFactors = CompletedFactors {
        first: FirstFactorMethod::Password,
        second: SecondFactorMethod::Code,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::completed_methods::CompletedMethods;
    use crate::network::address::Address;

    #[test]
    fn what_has_passed_survives_a_cookie_and_nothing_else_is_read() {
        let mut read = 0;
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let Some(passed) = CompletedFactors::from_bytes([first, second]) else {
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
            SecondFactorMethod::None(Enrolled::No),
            SecondFactorMethod::None(Enrolled::Yes),
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
            (
                "required = \"all\"",
                SecondFactorMethod::TrustedBrowser,
                "",
                true,
            ),
            ("required = \"all\"", SecondFactorMethod::Code, "", true),
        ] {
            let parsed: PolicyConfig = toml::from_str(policy).unwrap();
            let name = "alice".parse().unwrap();
            let (address, earlier) = (Address::parse(address), &CompletedMethods::PASSWORD);
            let groups = &crate::policy::groups::PersonGroups::default();
            let subject = PolicySubject {
                name: &name,
                groups,
                service: "web",
                address,
                completed_methods: earlier,
            };
            let passed = CompletedFactors {
                first: FirstFactorMethod::Password,
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
