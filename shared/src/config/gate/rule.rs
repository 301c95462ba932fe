//! `[[gate.rule]]`: the conditions and the access of one rule. Syntax only; [`crate::policy::rule`]
//! evaluates the rules together.

use crate::account::name::{Group, UserName};
use crate::config::value::Duration;
use crate::credential::scope::Method;
use crate::system::network::address::Network;
use crate::system::network::web_address::{WebHost, WebPath};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// `[[gate.rule]]`: every condition that is set must hold; one alternative of each is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateRule {
    #[serde(default, deserialize_with = "non_empty_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostPattern>,
    /// Paths, each with everything below it.
    #[serde(default, deserialize_with = "non_empty_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<WebPath>,
    #[serde(default, deserialize_with = "non_empty_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Method>,
    /// Networks of the client's address.
    #[serde(default, deserialize_with = "non_empty_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    #[serde(default, deserialize_with = "non_empty_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserName>,
    /// Groups that Postern keeps, and groups of the host.
    #[serde(default, deserialize_with = "non_empty_list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    pub then: RuleAccess,
    /// Greatest age of the proof that `then` requires: of the code, or of the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Duration<60, 2_592_000>>,
}

impl GateRule {
    /// Whether the rule has no condition.
    pub fn is_unconditional(&self) -> bool {
        let without_conditions = GateRule {
            hosts: Vec::new(),
            paths: Vec::new(),
            methods: Vec::new(),
            networks: Vec::new(),
            users: Vec::new(),
            groups: Vec::new(),
            then: self.then,
            within: self.within,
        };
        *self == without_conditions
    }
}

/// Deserializes a list that is not empty: an empty list would be no condition, and a program that
/// generates lists must not open everything when it finds nothing.
fn non_empty_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    match list.is_empty() {
        true => Err(D::Error::custom(
            "must not be empty; omit it where it is not a condition",
        )),
        false => Ok(list),
    }
}

/// The access that a rule grants or requires, in ascending order of strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleAccess {
    /// No sign-in is required.
    Open,
    /// The first factor is required.
    Password,
    /// The second factor is required too, of every user of whom the policy requires it.
    Code,
    /// A passkey is required as the second factor, of every user. No exemption of the policy and no
    /// app password replaces it.
    Passkey,
    Deny,
}

impl RuleAccess {
    pub fn name(self) -> &'static str {
        match self {
            RuleAccess::Open => "open",
            RuleAccess::Password => "password",
            RuleAccess::Code => "code",
            RuleAccess::Passkey => "passkey",
            RuleAccess::Deny => "deny",
        }
    }
}

/// One entry of `gate.rule.hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    Exact(WebHost),
    /// All hosts below this one, without the host itself.
    Subdomains(WebHost),
}

impl HostPattern {
    /// Whether a host in lower case matches.
    pub fn matches_host(&self, host: &str) -> bool {
        match self {
            HostPattern::Exact(one) => one.as_str() == host,
            HostPattern::Subdomains(top) => host
                .strip_suffix(top.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|front| !front.is_empty()),
        }
    }

    /// Returns the host of the pattern, without `*.`.
    pub fn base(&self) -> &WebHost {
        match self {
            HostPattern::Exact(host) | HostPattern::Subdomains(host) => host,
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = &'static str;

    fn try_from(text: String) -> Result<HostPattern, Self::Error> {
        const EXPECTED: &str = "must be a host such as app.example.com, or *.example.com for all below it, without a port";
        let host = |text: &str| WebHost::try_from(text.to_owned()).map_err(|_| EXPECTED);
        match text.strip_prefix("*.") {
            Some(top) => host(top).map(HostPattern::Subdomains),
            None => host(&text).map(HostPattern::Exact),
        }
    }
}

impl From<HostPattern> for String {
    fn from(hosts: HostPattern) -> String {
        hosts.to_string()
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(host) => host.fmt(f),
            HostPattern::Subdomains(top) => write!(f, "*.{top}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<GateRule, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_rule_is_parsed_and_serialized_alike() {
        let text = "hosts = [\"App.example.com\", \"*.Example.org\"]\npaths = [\"/d%61v/\"]\nmethods = [\"GET\"]\nnetworks = [\"192.0.2.0/24\"]\nusers = [\"alice\"]\ngroups = [\"ops\"]\nthen = \"password\"";
        let parsed = rule(text).unwrap();
        assert_eq!(parsed.hosts[1].to_string(), "*.example.org");
        assert_eq!(rule(&toml::to_string(&parsed).unwrap()), Ok(parsed));
        let all = rule("then = \"open\"").unwrap();
        assert!(all.is_unconditional());
        assert_eq!(rule(&toml::to_string(&all).unwrap()), Ok(all));
    }

    #[test]
    fn a_rule_that_could_apply_to_more_than_intended_is_refused() {
        for text in [
            "",
            "hosts = [\"app.example.com\"]",
            "then = \"allow\"",
            "then = \"open\"\nhosts = []",
            "then = \"open\"\nusers = []",
            "then = \"open\"\nhosts = [\"*\"]",
            "then = \"open\"\nhosts = [\"*.\"]",
            "then = \"open\"\nhosts = [\"a.*.com\"]",
            "then = \"open\"\nhosts = [\"*example.com\"]",
            "then = \"open\"\nhosts = [\"example.com:443\"]",
            "then = \"open\"\nhosts = [\"example.com.\"]",
            "then = \"open\"\npaths = [\"public\"]",
            "then = \"open\"\npaths = [\"/a/../b\"]",
            "then = \"open\"\npaths = [\"/a?b\"]",
            "then = \"open\"\npaths = [\"/a*\"]\nfoo = 1",
            "then = \"open\"\nmethods = [\"get\"]",
            "then = \"open\"\nnetworks = [\"192.0.2.0/33\"]",
            "then = \"open\"\ngroups = [\"%ops\"]",
        ] {
            assert!(rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn subdomains_are_whole_labels_without_the_host_itself() {
        let subdomains: HostPattern = "*.example.com".to_owned().try_into().unwrap();
        for host in ["a.example.com", "a.b.example.com"] {
            assert!(subdomains.matches_host(host), "{host}");
        }
        for host in [
            "example.com",
            ".example.com",
            "badexample.com",
            "a.example.com.evil.org",
            "",
        ] {
            assert!(!subdomains.matches_host(host), "{host}");
        }
    }
}
