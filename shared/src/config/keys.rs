//! The top level of postern.toml and its smaller tables: each key with its type, range and default.

use super::fleet::{FleetConfig, HostGroups};
use super::pam::PamConfig;
use super::policy::PolicyConfig;
use super::secret_file::SecretText;
use super::store_url::StoreUrl;
use super::value::{AbsolutePath, BoundedInteger, Digits, Duration, Issuer};
use super::{email, gate};
use crate::account::email::EmailAddress;
use crate::account::name::{Group, UserName};
use crate::credential::otp::totp::{Algorithm, OtpKind, OtpParameters};
use crate::credential::recovery_code::RecoveryCode;
use crate::system::random::RandomError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub const DEFAULT_PATH: &str = "/etc/postern/postern.toml";

/// The content of postern.toml, and the accounts that accounts.d declares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub store: StoreConfig,
    pub totp: TotpConfig,
    pub recovery: RecoveryConfig,
    pub throttle: ThrottleConfig,
    pub policy: PolicyConfig,
    pub app_passwords: AppPasswordConfig,
    pub email: email::EmailConfig,
    pub pam: PamConfig,
    pub gate: gate::GateConfig,
    pub fleet: FleetConfig,
    /// Groups of hosts of a fleet, for the policy.
    pub host_group: HostGroups,
    /// Accounts that are declared here instead of enrolled by command.
    pub account: Vec<DeclaredAccount>,
}

/// The table `[store]` of postern.toml.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `sqlite:` and an absolute path, or `postgres://USER@HOST/DATABASE`.
    pub url: StoreUrl,
    /// File with the password at PostgreSQL.
    pub password_file: Option<AbsolutePath>,
    /// CA certificates (PEM) of PostgreSQL that replace those of the host.
    pub ca_file: Option<AbsolutePath>,
    /// File with the master key.
    pub key_file: AbsolutePath,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig {
            url: StoreUrl::Sqlite(PathBuf::from("/var/lib/postern/postern.db")),
            password_file: None,
            ca_file: None,
            key_file: AbsolutePath(PathBuf::from("/etc/postern/postern.key")),
        }
    }
}

/// The table `[totp]` of postern.toml.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TotpConfig {
    /// Name that authenticator apps show; the short host name if it is not set.
    pub issuer: Option<Issuer>,
    /// Applies to new authenticators.
    pub algorithm: Algorithm,
    /// Applies to new authenticators.
    pub digits: Digits,
    /// Applies to new authenticators.
    pub period: Duration<15, 120, 30>,
    /// Time steps before now that are accepted, for slow typing and slow clocks.
    pub past_steps: BoundedInteger<0, 10, 1>,
    /// Time steps after now that are accepted, for fast clocks.
    pub future_steps: BoundedInteger<0, 2, 1>,
}

impl TotpConfig {
    /// Returns the parameters of a new authenticator.
    pub fn otp_parameters(&self) -> OtpParameters {
        let moving = OtpKind::Time {
            period: self.period.seconds(),
        };
        OtpParameters {
            algorithm: self.algorithm,
            digits: self.digits.value(),
            moving,
        }
    }
}

/// The table `[recovery]` of postern.toml.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecoveryConfig {
    /// Number of codes in a set.
    pub count: BoundedInteger<1, 20, 6>,
    /// Number of characters in a code.
    pub length: BoundedInteger<10, 32, 10>,
    pub on_use: RecoveryCodeUse,
}

impl RecoveryConfig {
    pub fn generate_codes(&self) -> Result<Vec<RecoveryCode>, RandomError> {
        RecoveryCode::random_set(self.set_size(), self.length.value() as usize)
    }

    /// Returns the number of codes in a new set: one with `on_use = "disable"`.
    pub fn set_size(&self) -> u32 {
        match self.on_use {
            RecoveryCodeUse::StepUp => self.count.value(),
            RecoveryCodeUse::Disable => 1,
        }
    }
}

/// The value of the key `recovery.on_use`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryCodeUse {
    /// Access is granted, and the code also counts as step-up.
    #[default]
    StepUp,
    /// The set has one code, which grants access and removes the second factor.
    Disable,
}

/// The table `[throttle]` of postern.toml.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThrottleConfig {
    /// Wrong inputs before the first delay.
    pub free: BoundedInteger<1, 10, 5>,
    /// Length of the first delay; each further wrong input doubles the delay.
    pub first_delay: Duration<1, 3600, 30>,
    pub max_delay: Duration<60, 86_400, 3600>,
    /// Wrong inputs within 30 days that lock the bucket (NIST SP 800-63B, 5.2.2: at most 100).
    pub lock_after: BoundedInteger<10, 100, 100>,
    /// Wrong inputs from one address, for all accounts together, within `address_window`.
    pub address_limit: BoundedInteger<1, 1000, 10>,
    /// Time for which the wrong inputs from an address count.
    pub address_window: Duration<60, 86_400, 300>,
}

/// `[app_passwords]`: the effect of other changes on app passwords.
/// `[gate.scope.NAME]` sets where they are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppPasswordConfig {
    /// What happens to the app passwords of an account when its password changes, or its second
    /// factor is activated or removed.
    pub on_change: AppPasswordsOnChange,
}

/// The value of the key `app_passwords.on_change`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppPasswordsOnChange {
    Keep,
    /// The default: a user may change a password because an attacker knew it, who could have made
    /// an app password.
    #[default]
    Revoke,
}

/// `[[account]]`: an account whose TOTP secret is in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredAccount {
    pub name: UserName,
    /// File with an otpauth URI or a Base32 secret.
    pub secret_file: AbsolutePath,
    /// Content of the file, if it was read before the process gave up root privileges.
    #[serde(skip)]
    pub secret: SecretText,
    /// Groups for the policy, in addition to those of the host.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// Address for notifications and mailed codes.
    #[serde(default)]
    pub email: Option<EmailAddress>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../config/postern.toml");

    const MANUAL: &str = include_str!("../../../packaging/man/postern.toml.5");

    /// The sample with every key set: `#key` and `#[table]` are uncommented, prose comments stay.
    fn uncommented() -> String {
        let line = |line: &'static str| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
            _ => line,
        };
        SAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Returns the keys of a table, taken from the message that refuses an unknown key.
    fn known_keys(header: &str, rest: &str) -> Vec<String> {
        let text = format!("{header}\n{rest}\nunknown_key = 1\n");
        let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
        let (_, expected) = error.split_once("expected").expect(&error);
        expected
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_sample_is_the_default_and_names_the_defaults() {
        assert_eq!(toml::from_str::<Config>(SAMPLE).unwrap(), Config::default());
        let sample: toml::Table = uncommented().parse().unwrap();
        toml::from_str::<Config>(&uncommented()).unwrap();
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        for (section, table) in &defaults {
            for (key, default) in table.as_table().into_iter().flatten() {
                if default.as_array().is_none_or(|a| !a.is_empty()) && default.as_table().is_none()
                {
                    assert_eq!(sample[section].get(key), Some(default), "{section}.{key}");
                }
            }
        }
    }

    #[test]
    fn the_sample_and_the_man_page_name_every_key() {
        let sample: toml::Table = uncommented().parse().unwrap();
        let sample = toml::Value::Table(sample);
        for (header, rest) in [
            ("[store]", ""),
            ("[totp]", ""),
            ("[recovery]", ""),
            ("[throttle]", ""),
            ("[policy]", ""),
            ("[[policy.exempt]]", ""),
            ("[app_passwords]", ""),
            ("[email]", ""),
            ("[pam]", ""),
            ("[fleet]", ""),
            ("[gate]", ""),
            ("[gate.tls]", "cert_file = \"/a\"\nkey_file = \"/a\""),
            ("[[gate.trusted_proxies]]", "proxy = \"nginx\"\nfrom = []"),
            ("[gate.scope.webdav]", "hosts = [\"a\"]"),
            ("[[gate.rule]]", "then = \"code\""),
            ("[gate.branding]", ""),
            ("[gate.administration]", ""),
            ("[gate.passkeys]", ""),
            ("[[account]]", "name = \"a\"\nsecret_file = \"/a\""),
        ] {
            let path = header.trim_matches(['[', ']']).split('.');
            let table = path.fold(&sample, |table, name| &table[name]);
            let table = table.get(0).unwrap_or(table);
            for key in known_keys(header, rest) {
                assert!(table.get(&key).is_some(), "{header} lacks {key}");
                let described = [format!(".It Cm {key}\n"), format!(".{key}]")];
                let is_described = described.iter().any(|text| MANUAL.contains(text));
                assert!(is_described, "postern.toml(5) lacks {key}");
            }
        }
        for section in known_keys("", "") {
            let has_section = sample.get(&section).is_some();
            assert!(has_section, "the sample lacks [{section}]");
        }
    }
}
