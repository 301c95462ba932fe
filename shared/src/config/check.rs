//! Checks for keys of postern.toml that contradict each other. The range of a single key is checked
//! by its type.

use super::gate::rule::{GateRule, RuleAccess};
use super::gate::{FirstFactorSource, GateUrl};
use super::{Config, DeclaredAccount, Exemption, SelfEnroll};
use crate::account::name::Group;
use crate::credential::completed_methods::CompletedMethods;
use crate::credential::recovery_code::{LEAST_BITS, bits_per_guess};
use crate::engine::SERVICE;
use crate::policy::groups::PersonGroups;
use crate::policy::requirement::PolicySubject;
use std::collections::BTreeSet;

/// Most groups that the configuration may name: a session cookie holds a bit for each.
pub const MOST_GROUPS: usize = 256;

/// Two keys that contradict each other.
pub(super) struct Conflict {
    /// Path of the key that the message names.
    pub(super) path: &'static [&'static str],
    pub(super) message: String,
}

impl Conflict {
    pub(super) fn new(path: &'static [&'static str], message: impl Into<String>) -> Conflict {
        let message = message.into();
        Conflict { path, message }
    }
}

impl Config {
    /// Checks that each application URL is a path on a host of its own, and the gate has another
    /// host.
    fn check_application_urls(&self) -> Result<(), Conflict> {
        let gate = &self.gate;
        let wrong = |message: String| Err(Conflict::new(&["gate", "application_urls"], message));
        if !gate.application_urls.is_empty()
            && !gate.url.as_ref().is_some_and(GateUrl::has_own_host)
        {
            return wrong("needs a gate.url on a host of its own".to_owned());
        }
        let mut hosts: BTreeSet<&str> = gate.url.iter().map(GateUrl::host).collect();
        for url in &gate.application_urls {
            if url.has_own_host() {
                return wrong(format!(
                    "{} has no path; add one, such as https://{}/_postern/",
                    url.origin(),
                    url.authority
                ));
            }
            if !hosts.insert(url.host()) {
                return wrong(format!("the gate is configured at {} twice", url.host()));
            }
        }
        Ok(())
    }

    /// Finds the hosts of the groups that the policy names.
    pub(super) fn resolve_host_groups(&mut self) -> Result<(), Conflict> {
        let (policy, groups) = (&mut self.policy, &self.host_group);
        let exempt = policy.exempt.iter_mut();
        let exempt = exempt.map(|exempt| (&["policy", "exempt"], &mut exempt.hosts));
        let named = [
            (&["policy", "required_hosts"], &mut policy.required_hosts),
            (&["policy", "enroll_hosts"], &mut policy.enroll_hosts),
            (&["policy", "mail_hosts"], &mut policy.mail_hosts),
            (
                &["policy", "sk_keys_without_server"],
                &mut policy.sk_keys_without_server,
            ),
        ];
        for (path, list) in exempt.chain(named) {
            list.resolve(groups).map_err(|group| {
                let message =
                    format!("names the group of hosts {group:?}, which [host_group] does not have");
                Conflict::new(path, message)
            })?;
        }
        Ok(())
    }

    /// Checks that a passkey can be used where a rule requires one.
    fn check_passkey_rules(&self) -> Result<(), Conflict> {
        let wrong = |position: usize, message: &str| {
            let message = format!("rule {} has then = \"passkey\", {message}", position + 1);
            Err(Conflict::new(&["gate", "rule"], message))
        };
        let rules = self.gate.rule.iter().enumerate();
        for (position, rule) in rules.filter(|(_, rule)| rule.then == RuleAccess::Passkey) {
            if self.relying_party().is_none() {
                let needs = "which needs a gate with a host name of its own in gate.url, not an address or a path";
                return wrong(position, needs);
            }
            let covers = |host: &str| {
                rule.hosts.is_empty() || rule.hosts.iter().any(|of_rule| of_rule.matches_host(host))
            };
            let mut urls = self.gate.application_urls.iter();
            if let Some(url) = urls.find(|url| covers(url.host())) {
                let host = url.host();
                return wrong(
                    position,
                    &format!(
                        "and covers {host} of gate.application_urls, where the pages are on a path and no passkey \
                         works; name the other hosts in its hosts"
                    ),
                );
            }
        }
        Ok(())
    }

    /// Checks that a passkey can approve prompts where they offer it. A host of a fleet has no gate: the
    /// configuration of its servers decides there.
    fn check_approval(&self) -> Result<(), Conflict> {
        if self.fleet.is_host() || self.relying_party().is_some() {
            return Ok(());
        }
        let needs = "needs a gate with a host name of its own in gate.url, not an address or a path: an approval \
                     is by a passkey";
        if self.pam.approval == Some(true) {
            return Err(Conflict::new(&["pam", "approval"], needs));
        }
        let mut services = self.pam.service.iter();
        match services.find(|(_, service)| service.approval == Some(true)) {
            Some((name, _)) => Err(Conflict::new(
                &["pam", "service"],
                format!("approval of {name:?} {needs}"),
            )),
            None => Ok(()),
        }
    }

    /// Checks that the accounts of `policy.passkey_required` can have passkeys.
    fn check_passkey_accounts(&self) -> Result<(), Conflict> {
        if !self.policy.requires_some_passkey() {
            return Ok(());
        }
        let wrong = |message: String| Err(Conflict::new(&["policy", "passkey_required"], message));
        if self.relying_party().is_none() {
            return wrong(
                "needs a gate with a host name of its own in gate.url, not an address or a path"
                    .to_owned(),
            );
        }
        if let Some(url) = self.gate.application_urls.first() {
            let host = url.host();
            return wrong(format!(
                "cannot be set with gate.application_urls: at {host} the pages are on a path, where no passkey works"
            ));
        }
        let is_covered = |declared: &&DeclaredAccount| {
            let groups = declared.groups.iter().map(Group::as_str);
            let subject = PolicySubject {
                name: &declared.name,
                groups: &PersonGroups::from_names(groups),
                service: SERVICE,
                address: None,
                completed_methods: &CompletedMethods::EMPTY,
                host: None,
            };
            self.policy.requires_passkey(&subject)
        };
        match self.account.iter().find(is_covered) {
            Some(DeclaredAccount { name, .. }) => wrong(format!(
                "includes {name}, which is declared in [[account]] and can have no passkey; except it: \"!{name}\""
            )),
            None => Ok(()),
        }
    }

    /// Checks everything that involves more than one key.
    pub(super) fn check(&self) -> Result<(), Conflict> {
        let (count, length) = (self.recovery.set_size(), self.recovery.length.value());
        let bits = bits_per_guess(count, length);
        if bits < LEAST_BITS {
            return Err(Conflict::new(
                &["recovery", "count"],
                format!(
                    "{count} codes of {length} characters leave {bits:.1} bits per guess, at least \
                     {LEAST_BITS} are required; set a lower count or a greater length"
                ),
            ));
        }
        if self.throttle.max_delay.seconds() < self.throttle.first_delay.seconds() {
            return Err(Conflict::new(
                &["throttle", "max_delay"],
                "must not be shorter than first_delay",
            ));
        }
        if (self.policy.self_enroll == SelfEnroll::Networks)
            == self.policy.self_enroll_networks.is_empty()
        {
            return Err(Conflict::new(
                &["policy", "self_enroll"],
                "self_enroll = \"networks\" and self_enroll_networks must be set together",
            ));
        }
        if self.policy.exempt.contains(&Exemption::default()) {
            return Err(Conflict::new(
                &["policy", "exempt"],
                "an exemption needs at least one of groups, services, networks, completed_methods, hosts",
            ));
        }
        self.check_passkey_accounts()?;
        let rules = &self.gate.rule;
        let before_last = rules.len().saturating_sub(1);
        if let Some(position) = rules[..before_last]
            .iter()
            .position(GateRule::is_unconditional)
        {
            return Err(Conflict::new(
                &["gate", "rule"],
                format!(
                    "rule {} has no condition and matches every request, so the rules below it never apply; \
                     move it to the end",
                    position + 1
                ),
            ));
        }
        let outlasts = |rule: &GateRule| {
            rule.within.is_some() && matches!(rule.then, RuleAccess::Open | RuleAccess::Deny)
        };
        if let Some(position) = rules.iter().position(outlasts) {
            return Err(Conflict::new(
                &["gate", "rule"],
                format!(
                    "rule {} has within, which only then = \"password\", \"code\" and \"passkey\" can have",
                    position + 1
                ),
            ));
        }
        let asks_in_vain = |rule: &GateRule| {
            let mut methods = rule.methods.iter();
            rule.within.is_some()
                && !rule.methods.is_empty()
                && !methods.any(|method| method.as_str() == "GET")
        };
        if let Some(position) = rules.iter().position(asks_in_vain) {
            return Err(Conflict::new(
                &["gate", "rule"],
                format!(
                    "rule {} has within and methods without GET: a proof is asked for at page loads only, \
                     so add GET to methods, or omit one of the two",
                    position + 1
                ),
            ));
        }
        let asks_no_one = |rule: &GateRule| {
            rule.within.is_some()
                && rule.then == RuleAccess::Password
                && self.gate.first_factor == FirstFactorSource::Header
        };
        if let Some(position) = rules.iter().position(asks_no_one) {
            return Err(Conflict::new(
                &["gate", "rule"],
                format!(
                    "rule {} has within and then = \"password\", but with first_factor = \"header\" the gate asks \
                     for no password; use then = \"code\", or omit within",
                    position + 1
                ),
            ));
        }
        self.check_passkey_rules()?;
        self.check_approval()?;
        if self.named_groups().len() > MOST_GROUPS {
            return Err(Conflict::new(
                &["gate", "rule"],
                format!("rules and [policy] together name more than {MOST_GROUPS} groups"),
            ));
        }
        let names_identities = self
            .gate
            .trusted_proxies
            .iter()
            .any(|proxy| proxy.identity_header.is_some());
        if (self.gate.first_factor == FirstFactorSource::Header) != names_identities {
            return Err(Conflict::new(
                &["gate", "first_factor"],
                "first_factor = \"header\" and identity_header of a trusted proxy must be set together",
            ));
        }
        self.check_application_urls()?;
        self.email.check()?;
        if self.gate.api_tokens && !self.gate.url.as_ref().is_none_or(GateUrl::has_own_host) {
            return Err(Conflict::new(
                &["gate", "api_tokens"],
                "needs a gate with a host of its own: on a path of the protected host, in gate.url, the \
                 application's scripts could read the tokens of everyone who signs in",
            ));
        }
        self.gate.passkeys.check(&self.gate)?;
        self.gate.administration.check(
            self.gate.url.as_ref(),
            self.policy.administrators.entries().count(),
        )?;
        let mut names: Vec<_> = self.account.iter().map(|a| &a.name).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Conflict::new(
                &["account"],
                format!("the account {} is declared twice", twice[0]),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proof that can never be asked for would deny access without end.
    #[test]
    fn within_needs_a_proof_that_can_be_asked_for() {
        let check = |text: &str| {
            let config: Config = toml::from_str(text).unwrap();
            config.check().map_err(|conflict| conflict.message)
        };
        let rule = |methods: &str, then: &str| {
            format!("[[gate.rule]]\nthen = \"{then}\"\nwithin = \"5m\"\n{methods}\n")
        };
        for methods in ["", "methods = [\"POST\", \"GET\"]"] {
            assert_eq!(check(&rule(methods, "code")), Ok(()), "{methods}");
        }
        for then in ["code", "password"] {
            let message = check(&rule("methods = [\"POST\"]", then)).unwrap_err();
            assert!(message.contains("methods without GET"), "{message}");
        }
        let by_header = |then: &str| {
            format!(
                "[gate]\nfirst_factor = \"header\"\n[[gate.trusted_proxies]]\nproxy = \"nginx\"\nfrom = [\"unix\"]\n\
                 identity_header = \"Remote-User\"\n{}",
                rule("", then)
            )
        };
        let message = check(&by_header("password")).unwrap_err();
        assert!(message.contains("asks for no password"), "{message}");
        assert_eq!(check(&by_header("code")), Ok(()));
    }

    /// Its prompts would offer what no page can do.
    #[test]
    fn an_approval_needs_a_gate_that_can_have_passkeys() {
        let check = |text: &str| {
            let config: Config = toml::from_str(text).unwrap();
            config
                .check()
                .map_err(|Conflict { path, message }| (path.join("."), message))
        };
        for approval in [
            "[pam]\napproval = true\n",
            "[pam.service.sudo]\napproval = true\n",
        ] {
            for url in [
                "",
                "[gate]\nurl = \"https://app.example.com/_postern/\"\n",
                "[gate]\nurl = \"https://192.0.2.1/\"\n",
            ] {
                let (path, message) = check(&format!("{url}{approval}")).unwrap_err();
                assert!(path.starts_with("pam."), "{path}");
                assert!(message.contains("a host name of its own"), "{message}");
                let off = approval.replace("true", "false");
                assert_eq!(check(&format!("{url}{off}")), Ok(()));
            }
            let own = "[gate]\nurl = \"https://auth.example.com/\"\n";
            assert_eq!(check(&format!("{own}{approval}")), Ok(()));
            let fleet = "[fleet]\nservers = [\"https://one.example.com:9443\"]\n";
            assert_eq!(check(&format!("{fleet}{approval}")), Ok(()));
        }
    }

    #[test]
    fn header_tokens_need_a_gate_with_a_host_of_its_own() {
        let check = |url: &str| {
            let text = format!("[gate]\napi_tokens = true\n{url}");
            let config: Config = toml::from_str(&text).unwrap();
            config
                .check()
                .map_err(|Conflict { path, message }| (path.join("."), message))
        };
        assert_eq!(check("url = \"https://auth.example.com/\""), Ok(()));
        assert_eq!(check(""), Ok(()), "no gate yet");
        let (path, message) = check("url = \"https://app.example.com/_postern/\"").unwrap_err();
        assert_eq!(path, "gate.api_tokens");
        assert!(message.contains("host of its own"), "{message}");
    }
}
