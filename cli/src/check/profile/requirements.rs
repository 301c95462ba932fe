//! The requirements of the standards that postern.toml decides. The lines of docs/standards.md that
//! name a setting are compared with this table by a test, so that page and command say the same.

use super::Profile;
use super::settings::{
    SettingDifference, code_lifetimes_differ, codes_are_mailed, idle_timeout_is_missing,
    idle_timeout_is_too_long, mail_is_missing, no_recent_code, recovery_codes_are_short,
    session_is_too_long, sign_ins_are_not_mailed, some_rule_is_missing,
    two_factors_are_not_required,
};
use postern_shared::config::Config;

/// A line of a standard that one setting or several decide.
pub(crate) struct ProfileRequirement {
    pub(crate) profile: Profile,
    /// The section of the standard, and what it asks for, as docs/standards.md has them.
    pub(crate) section: &'static str,
    pub(crate) asks: &'static str,
    /// Lines of postern.toml that meet it.
    pub(crate) settings: &'static [&'static str],
    /// Whether it is about the web only.
    pub(crate) is_of_gate: bool,
    /// Returns the settings that do not meet it.
    pub(crate) differences: fn(&Config) -> Vec<SettingDifference>,
}

impl ProfileRequirement {
    /// Whether options of pam_totp.so decide it, too.
    pub(super) fn is_about_options(&self) -> bool {
        self.settings.contains(&TWO_FACTORS)
    }
}

pub(super) const TWO_FACTORS: &str = "policy.required = \"all\"";
pub(super) const MAIL: &str = "email.smtp_url = \"smtps://mail.example.com\"";
pub(super) const NO_MAILED_CODES: &str = "email.codes = \"off\"";
pub(super) const IDLE: &str = "gate.idle_timeout = \"1h\"";
pub(super) const LIFETIME: &str = "gate.session_lifetime = \"12h\"";
pub(super) const RECENT: &str = "gate.rule = [{ then = \"code\", within = \"12h\" }]";
pub(super) const SENSITIVE: &str =
    "gate.rule = [{ paths = [\"/pay\"], then = \"code\", within = \"5m\" }]";
pub(super) const RECOVERY: &str = "recovery.length = 14";
pub(super) const PERIOD: &str = "totp.period = 30";
pub(super) const PAST: &str = "totp.past_steps = 0";
pub(super) const FUTURE: &str = "totp.future_steps = 0";
pub(super) const MAILED: &str = "email.code_ttl = \"10m\"";

/// The requirements, in the order of the page.
pub(crate) const PROFILE_REQUIREMENTS: &[ProfileRequirement] = &[
    ProfileRequirement {
        profile: Profile::Nist,
        section: "2.2.1",
        asks: "two different factors",
        settings: &[TWO_FACTORS],
        is_of_gate: false,
        differences: two_factors_are_not_required,
    },
    ProfileRequirement {
        profile: Profile::Nist,
        section: "2.2.3",
        asks: "at the latest every 24 hours: new authentication",
        settings: &[LIFETIME],
        is_of_gate: true,
        differences: session_is_too_long,
    },
    ProfileRequirement {
        profile: Profile::Nist,
        section: "2.2.3",
        asks: "inactivity of at most 1 hour",
        settings: &[IDLE],
        is_of_gate: true,
        differences: idle_timeout_is_too_long,
    },
    ProfileRequirement {
        profile: Profile::Nist,
        section: "2.2.3, 5.1",
        asks: "a remembered browser replaces no factor",
        settings: &[RECENT],
        is_of_gate: true,
        differences: no_recent_code,
    },
    ProfileRequirement {
        profile: Profile::Nist,
        section: "3.1.3.1",
        asks: "no mail as a second factor",
        settings: &[NO_MAILED_CODES],
        is_of_gate: false,
        differences: codes_are_mailed,
    },
    ProfileRequirement {
        profile: Profile::Nist,
        section: "4.1.2, 4.2",
        asks: "the user is notified",
        settings: &[MAIL],
        is_of_gate: false,
        differences: mail_is_missing,
    },
    ProfileRequirement {
        profile: Profile::Nist,
        section: "4.2.1.1",
        asks: "saved recovery codes of at least 64 bits",
        settings: &[RECOVERY],
        is_of_gate: false,
        differences: recovery_codes_are_short,
    },
    ProfileRequirement {
        profile: Profile::Asvs,
        section: "6.3.3",
        asks: "two factors",
        settings: &[TWO_FACTORS],
        is_of_gate: false,
        differences: two_factors_are_not_required,
    },
    ProfileRequirement {
        profile: Profile::Asvs,
        section: "6.3.5",
        asks: "users hear of unusual sign-ins",
        settings: &[MAIL],
        is_of_gate: false,
        differences: sign_ins_are_not_mailed,
    },
    ProfileRequirement {
        profile: Profile::Asvs,
        section: "6.3.6",
        asks: "no mail as a factor",
        settings: &[NO_MAILED_CODES],
        is_of_gate: false,
        differences: codes_are_mailed,
    },
    ProfileRequirement {
        profile: Profile::Asvs,
        section: "6.3.7",
        asks: "users hear of changes",
        settings: &[MAIL],
        is_of_gate: false,
        differences: mail_is_missing,
    },
    ProfileRequirement {
        profile: Profile::Asvs,
        section: "6.5.5",
        asks: "TOTP for at most 30 s, other codes for 10 minutes",
        settings: &[PERIOD, PAST, FUTURE, MAILED],
        is_of_gate: false,
        differences: code_lifetimes_differ,
    },
    ProfileRequirement {
        profile: Profile::Asvs,
        section: "7.3.1",
        asks: "inactivity timeout",
        settings: &[IDLE],
        is_of_gate: true,
        differences: idle_timeout_is_missing,
    },
    ProfileRequirement {
        profile: Profile::Asvs,
        section: "7.5.3",
        asks: "new authentication before sensitive transactions",
        settings: &[SENSITIVE],
        is_of_gate: true,
        differences: some_rule_is_missing,
    },
    ProfileRequirement {
        profile: Profile::Pci,
        section: "8.5.1 c",
        asks: "two different types of factors",
        settings: &[TWO_FACTORS],
        is_of_gate: false,
        differences: two_factors_are_not_required,
    },
    ProfileRequirement {
        profile: Profile::Pci,
        section: "8.5.1 d",
        asks: "all factors succeed before access is granted",
        settings: &[RECENT],
        is_of_gate: true,
        differences: no_recent_code,
    },
];
