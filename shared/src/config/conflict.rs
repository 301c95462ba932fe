//! What no single key can know: keys of postern.toml that contradict one another.

use super::gate::FirstFactor;
use super::{Config, Exempt, SelfEnroll};
use crate::recovery::{LEAST_BITS, bits_per_guess};

/// What is wrong between keys, and the key to name.
pub(super) struct Conflict {
    pub(super) path: &'static [&'static str],
    pub(super) message: String,
}

impl Config {
    /// Checks what no single key can know.
    pub(super) fn check(&self) -> Result<(), Conflict> {
        let (count, length) = (self.recovery.codes(), self.recovery.length.value());
        let bits = bits_per_guess(count, length);
        if bits < LEAST_BITS {
            return Err(Conflict {
                path: &["recovery", "count"],
                message: format!(
                    "{count} codes of {length} characters leave {bits:.1} bits per guess, at least \
                     {LEAST_BITS} are needed: fewer codes, or a greater length"
                ),
            });
        }
        if self.throttle.max_delay.seconds() < self.throttle.first_delay.seconds() {
            return Err(Conflict {
                path: &["throttle", "max_delay"],
                message: "must not be shorter than first_delay".to_owned(),
            });
        }
        if (self.policy.self_enroll == SelfEnroll::Networks) == self.policy.self_enroll_networks.is_empty() {
            return Err(Conflict {
                path: &["policy", "self_enroll"],
                message: "self_enroll = \"networks\" and self_enroll_networks need each other".to_owned(),
            });
        }
        if self.policy.exempt.contains(&Exempt::default()) {
            return Err(Conflict {
                path: &["policy", "exempt"],
                message: "an exemption needs at least one of groups, services, networks, after".to_owned(),
            });
        }
        let names_identities = self.gate.trusted_proxies.iter().any(|proxy| proxy.identity_header.is_some());
        if (self.gate.first_factor == FirstFactor::Header) != names_identities {
            return Err(Conflict {
                path: &["gate", "first_factor"],
                message: "first_factor = \"header\" and identity_header of a trusted proxy need each other"
                    .to_owned(),
            });
        }
        self.email.check()?;
        let mut names: Vec<_> = self.account.iter().map(|a| &a.name).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Conflict {
                path: &["account"],
                message: format!("the account {} is declared twice", twice[0]),
            });
        }
        Ok(())
    }
}
