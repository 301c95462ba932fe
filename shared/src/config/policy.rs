//! `[policy]`: who must have a second factor, who may enroll, and which sign-ins are exempt.
//! Syntax only; [`crate::policy::requirement`] evaluates it.

use super::fleet::HostList;
use super::value::Duration;
use crate::account::name::UserName;
use crate::credential::completed_methods::{SshKeyFingerprint, SshMethod};
use crate::system::network::address::Network;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The table `[policy]` of postern.toml.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    pub required: RequiredAccounts,
    /// Hosts of a fleet where everyone must have a second factor, whatever `required` says.
    pub required_hosts: HostList,
    /// Accounts that must use a passkey at the web, where a code suffices for others.
    pub passkey_required: PasskeyAccounts,
    /// Enrollment grace period after the first sign-in.
    pub enroll_within: Duration<0, 7_776_000>,
    pub self_enroll: SelfEnroll,
    /// Networks for [`SelfEnroll::Networks`].
    pub self_enroll_networks: Vec<Network>,
    pub administrators: Administrators,
    pub exempt: Vec<Exemption>,
    /// Hosts of a fleet where a user without a second factor may enroll at a prompt.
    pub enroll_hosts: HostList,
    /// Hosts of a fleet at whose prompts a user may have a code mailed.
    pub mail_hosts: HostList,
    /// Hosts of a fleet where an sshd login with a FIDO security key passes while no server answers.
    pub sk_keys_without_server: HostList,
}

/// `policy.self_enroll`: what a first enrollment requires besides the first factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelfEnroll {
    #[default]
    Always,
    /// Nothing from `policy.self_enroll_networks`; an administrator's one-time code from elsewhere.
    Networks,
    OneTimeCode,
}

/// `policy.administrators`: names and `%groups`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Administrators(pub(crate) Vec<String>);

impl Administrators {
    /// Returns names and `%groups` as they are written.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl TryFrom<Vec<String>> for Administrators {
    type Error = &'static str;

    fn try_from(entries: Vec<String>) -> Result<Administrators, Self::Error> {
        match entries
            .iter()
            .all(|entry| is_entry(entry) && !entry.starts_with('!'))
        {
            true => Ok(Administrators(entries)),
            false => Err("must be a list of names and \"%groups\""),
        }
    }
}

/// The value of the key `policy.required`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub enum RequiredAccounts {
    /// Accounts with a second factor.
    #[default]
    Enrolled,
    All,
    /// Names, `%groups`, and exceptions with `!`.
    Listed(Vec<String>),
}

impl TryFrom<toml::Value> for RequiredAccounts {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<RequiredAccounts, Self::Error> {
        const EXPECTED: &str = "must be \"enrolled\", \"all\", or a list of names, \"%groups\" and exceptions with \"!\"";
        match value {
            toml::Value::String(entry) if entry == "enrolled" => Ok(RequiredAccounts::Enrolled),
            toml::Value::String(entry) if entry == "all" => Ok(RequiredAccounts::All),
            toml::Value::Array(entries) => entries
                .into_iter()
                .map(|entry| match entry {
                    toml::Value::String(entry) if is_entry(&entry) => Ok(entry),
                    _ => Err(EXPECTED),
                })
                .collect::<Result<_, _>>()
                .map(RequiredAccounts::Listed),
            _ => Err(EXPECTED),
        }
    }
}

/// The value of the key `policy.passkey_required`: names, `%groups`, `all`, and exceptions with `!`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct PasskeyAccounts(pub(crate) Vec<String>);

impl TryFrom<toml::Value> for PasskeyAccounts {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<PasskeyAccounts, Self::Error> {
        const EXPECTED: &str =
            "must be \"all\", or a list of names, \"%groups\" and exceptions with \"!\"";
        let entries = match RequiredAccounts::try_from(value) {
            Ok(RequiredAccounts::All) => vec!["all".to_owned()],
            Ok(RequiredAccounts::Listed(entries)) => entries,
            Ok(RequiredAccounts::Enrolled) | Err(_) => return Err(EXPECTED),
        };
        match !entries.is_empty() && entries.iter().all(|entry| entry.starts_with('!')) {
            true => Err(
                "must list at least one entry that is not an exception, or it covers no account",
            ),
            false => Ok(PasskeyAccounts(entries)),
        }
    }
}

/// Whether an entry can be a name or `%group`, with or without `!`.
fn is_entry(entry: &str) -> bool {
    let entry = entry.strip_prefix('!').unwrap_or(entry);
    let entry = entry.strip_prefix('%').unwrap_or(entry);
    UserName::parse(entry.as_bytes()).is_ok() && !entry.starts_with(['!', '%', '@', '+'])
}

impl From<RequiredAccounts> for toml::Value {
    fn from(required: RequiredAccounts) -> toml::Value {
        match required {
            RequiredAccounts::Enrolled => "enrolled".into(),
            RequiredAccounts::All => "all".into(),
            RequiredAccounts::Listed(entries) => entries.into(),
        }
    }
}

/// `[[policy.exempt]]`: every condition that is set must hold; one alternative of each is enough.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exemption {
    pub groups: Vec<String>,
    pub services: Vec<String>,
    /// Networks of the client's address.
    pub networks: Vec<Network>,
    pub completed_methods: MethodCondition,
    /// Hosts of a fleet. The exemption applies on them, and not on the server itself.
    pub hosts: HostList,
}

/// `policy.exempt.completed_methods`: methods and keys, and exceptions with `!`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct MethodCondition {
    /// Methods and keys that may be completed.
    pub listed: Vec<MethodEntry>,
    /// Methods and keys that must not be completed.
    pub excepted: Vec<MethodEntry>,
}

/// One entry of `completed_methods`.
#[derive(Clone, Debug, PartialEq)]
pub enum MethodEntry {
    /// An authentication method of sshd.
    Method(SshMethod),
    /// A key of a FIDO security key.
    SecurityKey,
    Key(SshKeyFingerprint),
}

/// The entry of `completed_methods` for [`MethodEntry::SecurityKey`].
const SECURITY_KEY: &str = "publickey-sk";

impl MethodEntry {
    fn parse(entry: &str) -> Option<MethodEntry> {
        let key = || {
            SshKeyFingerprint::try_from(entry.to_owned())
                .ok()
                .map(MethodEntry::Key)
        };
        if entry == SECURITY_KEY {
            return Some(MethodEntry::SecurityKey);
        }
        SshMethod::from_name(entry)
            .map(MethodEntry::Method)
            .or_else(key)
    }

    fn to_text(&self) -> String {
        match self {
            MethodEntry::Method(method) => method.name().to_owned(),
            MethodEntry::SecurityKey => SECURITY_KEY.to_owned(),
            MethodEntry::Key(fingerprint) => fingerprint.to_string(),
        }
    }
}

impl TryFrom<Vec<String>> for MethodCondition {
    type Error = &'static str;

    fn try_from(entries: Vec<String>) -> Result<MethodCondition, Self::Error> {
        const EXPECTED: &str = "must be a list of \"password\", \"publickey\", \"publickey-sk\", \"keyboard-interactive\", \"hostbased\", \
                            \"gssapi-with-mic\", \"gssapi-keyex\", keys' fingerprints as ssh-keygen -l prints them, \
                            \"SHA256:\" and 43 characters, and exceptions with \"!\"";
        let mut condition = MethodCondition::default();
        for entry in &entries {
            let (list, entry) = match entry.strip_prefix('!') {
                Some(entry) => (&mut condition.excepted, entry),
                None => (&mut condition.listed, entry.as_str()),
            };
            list.push(MethodEntry::parse(entry).ok_or(EXPECTED)?);
        }
        match condition.listed.is_empty() && !condition.excepted.is_empty() {
            true => {
                Err("must list at least one entry that is not an exception, or it never applies")
            }
            false => Ok(condition),
        }
    }
}

impl From<MethodCondition> for Vec<String> {
    fn from(condition: MethodCondition) -> Vec<String> {
        let listed = condition.listed.iter().map(MethodEntry::to_text);
        listed
            .chain(
                condition
                    .excepted
                    .iter()
                    .map(|entry| format!("!{}", entry.to_text())),
            )
            .collect()
    }
}

impl PolicyConfig {
    /// Returns the groups that `required` and the exemptions name; only these are looked up.
    pub fn named_groups(&self) -> BTreeSet<&str> {
        self.each_named_group().collect()
    }

    /// Whether `required` or an exemption names a group.
    pub fn names_groups(&self) -> bool {
        self.each_named_group().next().is_some()
    }

    fn each_named_group(&self) -> impl Iterator<Item = &str> {
        let required = match &self.required {
            RequiredAccounts::Enrolled | RequiredAccounts::All => &[],
            RequiredAccounts::Listed(entries) => entries.as_slice(),
        };
        let required = required
            .iter()
            .chain(&self.passkey_required.0)
            .filter_map(|entry| entry.trim_start_matches('!').strip_prefix('%'));
        let exempt = self
            .exempt
            .iter()
            .flat_map(|exempt| exempt.groups.iter().map(String::as_str));
        required.chain(exempt)
    }
}
