//! The factors that passed at the login of a session. They are facts: whether they suffice is
//! decided by the policy at the time of each check.

use super::session::CLOCKS_APART;
use crate::account::second_factor::Enrolled;
use crate::config::PolicyConfig;
use crate::config::gate::rule::RuleAccess;
use crate::policy::requirement::{PolicySubject, Requirement};
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// The factors that passed at a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedFactors {
    pub first: FirstFactorMethod,
    pub second: SecondFactorMethod,
}

/// When the factors passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorTimes {
    pub first: Timestamp,
    /// When the second factor passed, or the session began without one.
    pub second: Timestamp,
}

/// The proof that a page requires again, because the last one is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutdatedProof {
    FirstFactor,
    Code,
}

/// The first factor that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstFactorMethod {
    Password,
    HostPassword,
    /// An identity that a trusted proxy has established.
    Identity,
    /// A passkey whose authenticator verified its user: no password was entered.
    Passkey,
}

/// The second factor that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondFactorMethod {
    /// None passed; the value says whether the account had one then.
    None(Enrolled),
    Code,
    MailedCode,
    RecoveryCode,
    OneTimeCode,
    /// A trusted browser, which skips the second factor.
    TrustedBrowser,
    Passkey,
}

impl SecondFactorMethod {
    /// Whether a second factor passed, by a code or by a trusted browser.
    pub fn is_full(self) -> bool {
        !matches!(self, SecondFactorMethod::None(_))
    }

    /// Whether the user gave a proof at the login: typed a code, or used a passkey.
    pub fn is_typed(self) -> bool {
        match self {
            SecondFactorMethod::None(_) | SecondFactorMethod::TrustedBrowser => false,
            SecondFactorMethod::Code
            | SecondFactorMethod::MailedCode
            | SecondFactorMethod::RecoveryCode
            | SecondFactorMethod::OneTimeCode
            | SecondFactorMethod::Passkey => true,
        }
    }

    /// Whether it permits the owner to change passkeys where one is demanded: a passkey itself, or
    /// what replaces a lost one.
    pub fn may_change_passkeys(self) -> bool {
        match self {
            SecondFactorMethod::Passkey
            | SecondFactorMethod::RecoveryCode
            | SecondFactorMethod::OneTimeCode => true,
            SecondFactorMethod::None(_)
            | SecondFactorMethod::Code
            | SecondFactorMethod::MailedCode
            | SecondFactorMethod::TrustedBrowser => false,
        }
    }
}

impl CompletedFactors {
    /// Returns whether the factors give a full session, for this account at this address. An
    /// account without a second factor needs one as soon as the policy requires it. An account that
    /// has one and was exempt needs it wherever no exemption applies.
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

    /// Returns which proof is older than `within` seconds, for a session that suffices for `access`
    /// otherwise. Where a code is asked for, a trusted browser proves none. Where the policy
    /// requires no code, the first factor is the proof.
    pub fn outdated_proof(
        self,
        times: FactorTimes,
        access: RuleAccess,
        within: u64,
        now: Timestamp,
    ) -> Option<OutdatedProof> {
        // a proof from the future: the clock ran ahead and was set back
        let is_recent = |at: Timestamp| at <= now.plus(CLOCKS_APART) && now.since(at) < within;
        let by_first = (!is_recent(times.first)).then_some(OutdatedProof::FirstFactor);
        match (access, self.second) {
            (RuleAccess::Open | RuleAccess::Deny, _) => None,
            // such a session does not suffice for the rule, whatever its age
            (RuleAccess::Passkey, SecondFactorMethod::Passkey) => {
                (!is_recent(times.second)).then_some(OutdatedProof::Code)
            }
            (RuleAccess::Passkey, _) => None,
            (RuleAccess::Password, _) | (_, SecondFactorMethod::None(_)) => by_first,
            (RuleAccess::Code, second) => {
                (!second.is_typed() || !is_recent(times.second)).then_some(OutdatedProof::Code)
            }
        }
    }

    /// Encodes the factors for a cookie.
    pub(super) fn to_bytes(self) -> [u8; 2] {
        let first = match self.first {
            FirstFactorMethod::Password => 1,
            FirstFactorMethod::HostPassword => 2,
            FirstFactorMethod::Identity => 3,
            FirstFactorMethod::Passkey => 4,
        };
        let second = match self.second {
            SecondFactorMethod::None(Enrolled::No) => 1,
            SecondFactorMethod::None(Enrolled::Yes) => 2,
            SecondFactorMethod::Code => 3,
            SecondFactorMethod::MailedCode => 4,
            SecondFactorMethod::RecoveryCode => 5,
            SecondFactorMethod::OneTimeCode => 6,
            SecondFactorMethod::TrustedBrowser => 7,
            SecondFactorMethod::Passkey => 8,
        };
        [first, second]
    }

    /// Decodes the bytes of [`CompletedFactors::to_bytes`].
    pub(super) fn from_bytes([first, second]: [u8; 2]) -> Option<CompletedFactors> {
        let first = match first {
            1 => FirstFactorMethod::Password,
            2 => FirstFactorMethod::HostPassword,
            3 => FirstFactorMethod::Identity,
            4 => FirstFactorMethod::Passkey,
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
            8 => SecondFactorMethod::Passkey,
            _ => return None,
        };
        Some(CompletedFactors { first, second })
    }
}

#[cfg(test)]
impl CompletedFactors {
    pub(crate) const CODE: CompletedFactors = CompletedFactors {
        first: FirstFactorMethod::Password,
        second: SecondFactorMethod::Code,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::completed_methods::CompletedMethods;
    use crate::policy::groups::PersonGroups;
    use crate::system::network::address::Address;

    /// Only the proof that the rule asks for counts, and a trusted browser proves no code.
    #[test]
    fn the_proof_that_a_rule_asks_for_grows_old() {
        use OutdatedProof::{Code, FirstFactor};
        use SecondFactorMethod as Second;
        let now = Timestamp(1_000_600);
        let none = Second::None(Enrolled::Yes);
        for (access, second, first_age, second_age, outdated) in [
            (RuleAccess::Code, Second::Code, 9000, 299, None),
            (RuleAccess::Code, Second::Code, 0, 300, Some(Code)),
            (RuleAccess::Code, Second::MailedCode, 9000, 299, None),
            (RuleAccess::Code, Second::RecoveryCode, 9000, 299, None),
            (RuleAccess::Code, Second::OneTimeCode, 0, 300, Some(Code)),
            (RuleAccess::Code, Second::TrustedBrowser, 0, 0, Some(Code)),
            (RuleAccess::Code, none, 299, 0, None),
            (RuleAccess::Code, none, 300, 0, Some(FirstFactor)),
            (RuleAccess::Password, Second::Code, 299, 9000, None),
            (
                RuleAccess::Password,
                Second::Code,
                300,
                0,
                Some(FirstFactor),
            ),
            (RuleAccess::Password, Second::TrustedBrowser, 299, 0, None),
            (RuleAccess::Open, none, 9000, 9000, None),
        ] {
            let times = FactorTimes {
                first: now.minus(first_age),
                second: now.minus(second_age),
            };
            let factors = CompletedFactors {
                first: FirstFactorMethod::Password,
                second,
            };
            let result = factors.outdated_proof(times, access, 300, now);
            assert_eq!(
                result, outdated,
                "{access:?} {second:?} {first_age} {second_age}"
            );
        }
        let ahead = FactorTimes {
            first: now.plus(61),
            second: now.plus(61),
        };
        let outdated = CompletedFactors::CODE.outdated_proof(ahead, RuleAccess::Code, 300, now);
        assert_eq!(outdated, Some(Code), "a clock that was set back");
    }

    #[test]
    fn completed_factors_survive_a_cookie_and_other_bytes_are_refused() {
        let mut count = 0;
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let Some(factors) = CompletedFactors::from_bytes([first, second]) else {
                    continue;
                };
                assert_eq!(factors.to_bytes(), [first, second]);
                count += 1;
            }
        }
        assert_eq!(count, 4 * 8);
    }

    /// The current policy decides, and not the policy at the time of the login.
    #[test]
    fn the_current_policy_decides_whether_the_factors_suffice() {
        let all = "required = \"all\"";
        let exempt = "[[exempt]]\nnetworks = [\"192.0.2.0/24\"]";
        let (none, had) = (
            SecondFactorMethod::None(Enrolled::No),
            SecondFactorMethod::None(Enrolled::Yes),
        );
        for (policy, second, address, full) in [
            ("", none, "198.51.100.7", true),
            (all, none, "198.51.100.7", false),
            ("required = [\"alice\"]", none, "198.51.100.7", false),
            ("required = [\"bob\"]", none, "198.51.100.7", true),
            (exempt, none, "198.51.100.7", true),
            (exempt, had, "192.0.2.7", true),
            (exempt, had, "198.51.100.7", false),
            (exempt, had, "", false),
            ("", had, "192.0.2.7", false),
            (all, SecondFactorMethod::TrustedBrowser, "", true),
            (all, SecondFactorMethod::Code, "", true),
        ] {
            let parsed: PolicyConfig = toml::from_str(policy).unwrap();
            let subject = PolicySubject {
                name: &"alice".parse().unwrap(),
                groups: &PersonGroups::default(),
                service: "web",
                address: Address::parse(address),
                completed_methods: &CompletedMethods::PASSWORD,
                host: None,
            };
            let factors = CompletedFactors {
                first: FirstFactorMethod::Password,
                second,
            };
            let is_full = factors.is_full(&parsed, &subject);
            assert_eq!(is_full, full, "{policy} {second:?} {address:?}");
        }
    }
}
