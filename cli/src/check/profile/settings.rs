//! Compares settings with what a requirement needs. Each function returns the settings that differ,
//! and an empty list where the requirement is met. Pure functions of the configuration.

use super::requirements::{
    FUTURE, IDLE, LIFETIME, MAIL, MAILED, NO_MAILED_CODES, PAST, PERIOD, RECENT, RECOVERY,
    SENSITIVE, TWO_FACTORS,
};
use postern_shared::config::email::SignInNotifications;
use postern_shared::config::gate::rule::{GateRule, RuleAccess};
use postern_shared::config::{Config, GracePeriod, RequiredAccounts, UnenrolledAction};
use serde::Serialize;

const HOUR: u64 = 3600;

/// A setting that does not meet a requirement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SettingDifference {
    /// The key, part by part; a position in a list counts from 0.
    pub(super) keys: Vec<String>,
    /// The key and its value in force.
    pub(super) found: String,
    /// The line that meets the requirement.
    pub(super) setting: String,
}

impl SettingDifference {
    fn new(key: &str, value: &impl Serialize, setting: &str) -> SettingDifference {
        // values of postern.toml are written as in JSON
        let value = serde_json::to_string(value).unwrap_or_default();
        let found = match value.as_str() {
            "null" => format!("{key} is not set"),
            value => format!("{key} is {value}"),
        };
        SettingDifference {
            keys: key.split('.').map(str::to_owned).collect(),
            found,
            setting: setting.to_owned(),
        }
    }

    fn of_rule(index: usize, found: String, setting: &str) -> SettingDifference {
        let keys = ["gate", "rule", &index.to_string()].map(str::to_owned);
        SettingDifference {
            keys: keys.into(),
            found,
            setting: setting.to_owned(),
        }
    }
}

/// Reports what grants access without a second factor.
pub(super) fn two_factors_are_not_required(config: &Config) -> Vec<SettingDifference> {
    let (policy, pam) = (&config.policy, &config.pam);
    let mut found = Vec::new();
    if policy.required != RequiredAccounts::All {
        let (key, value) = ("policy.required", &policy.required);
        found.push(SettingDifference::new(key, value, TWO_FACTORS));
    }
    if policy.enroll_within.seconds() > 0 {
        let (key, value) = ("policy.enroll_within", &policy.enroll_within);
        let setting = format!("{key} = \"0s\"");
        found.push(SettingDifference::new(key, value, &setting));
    }
    found.extend(weak_options(
        "pam",
        pam.unenrolled,
        pam.grace,
        pam.app_password,
    ));
    for (name, service) in &pam.service {
        found.extend(weak_options(
            &format!("pam.service.{name}"),
            service.unenrolled,
            service.grace,
            service.app_password,
        ));
    }
    let rules = config.gate.rule.iter().zip(0usize..);
    let by_password = rules.filter(|(rule, _)| rule.then == RuleAccess::Password);
    found.extend(by_password.map(|(_, index)| {
        let what = format!("gate.rule-{} has then = \"password\"", index + 1);
        SettingDifference::of_rule(index, what, "then = \"code\" in it")
    }));
    found
}

/// Reports settings of pam_totp.so, for all services or for one, with which one factor is enough.
fn weak_options(
    table: &str,
    unenrolled: Option<UnenrolledAction>,
    grace: Option<GracePeriod>,
    app_password: Option<bool>,
) -> Vec<SettingDifference> {
    let mut found = Vec::new();
    if let Some(action @ UnenrolledAction::Allow) = unenrolled {
        let key = format!("{table}.unenrolled");
        let setting = format!("{key} = \"deny\"");
        found.push(SettingDifference::new(&key, &action, &setting));
    }
    if let Some(period) = grace.filter(|period| period.seconds() > 0) {
        let key = format!("{table}.grace");
        let setting = format!("{key} = \"0s\"");
        found.push(SettingDifference::new(&key, &period, &setting));
    }
    if app_password == Some(true) {
        let key = format!("{table}.app_password");
        let setting = format!("{key} = false");
        found.push(SettingDifference::new(&key, &true, &setting));
    }
    found
}

/// Reports sessions that last longer than a day.
pub(super) fn session_is_too_long(config: &Config) -> Vec<SettingDifference> {
    let lifetime = &config.gate.session_lifetime;
    let differs = lifetime.seconds() > 24 * HOUR;
    only_if(differs, || {
        SettingDifference::new("gate.session_lifetime", lifetime, LIFETIME)
    })
}

/// Reports sessions that do not end after an hour without a request.
pub(super) fn idle_timeout_is_too_long(config: &Config) -> Vec<SettingDifference> {
    let timeout = &config.gate.idle_timeout;
    let differs = timeout.is_none_or(|timeout| timeout.seconds() > HOUR);
    only_if(differs, || {
        SettingDifference::new("gate.idle_timeout", timeout, IDLE)
    })
}

/// Reports sessions that do not end, however long they are not used.
pub(super) fn idle_timeout_is_missing(config: &Config) -> Vec<SettingDifference> {
    let timeout = &config.gate.idle_timeout;
    only_if(timeout.is_none(), || {
        SettingDifference::new("gate.idle_timeout", timeout, IDLE)
    })
}

/// Reports requests for which a code of more than a day ago, or a trusted browser, is enough.
pub(super) fn no_recent_code(config: &Config) -> Vec<SettingDifference> {
    let mut found = Vec::new();
    for (rule, index) in config.gate.rule.iter().zip(0usize..) {
        let asks = matches!(rule.then, RuleAccess::Code | RuleAccess::Passkey);
        if asks && !is_within(rule, 24 * HOUR) {
            let what = format!("gate.rule-{} has no within of at most \"24h\"", index + 1);
            found.push(SettingDifference::of_rule(
                index,
                what,
                "within = \"12h\" in it",
            ));
        }
        if rule.is_unconditional() {
            return found;
        }
    }
    found.push(SettingDifference {
        keys: vec!["gate".to_owned(), "rule".to_owned()],
        found: "gate.rule has no rule for every request, so a trusted browser replaces the code"
            .to_owned(),
        setting: format!("{RECENT}, or this as the last rule"),
    });
    found
}

/// Reports a gate without a rule for pages that need a code of a few minutes ago.
pub(super) fn some_rule_is_missing(config: &Config) -> Vec<SettingDifference> {
    let asks = |rule: &GateRule| matches!(rule.then, RuleAccess::Code | RuleAccess::Passkey);
    let is_such = |rule: &GateRule| asks(rule) && is_within(rule, 15 * 60);
    only_if(!config.gate.rule.iter().any(is_such), || {
        SettingDifference {
            keys: vec!["gate".to_owned(), "rule".to_owned()],
            found: "gate.rule has no rule that needs a code of the last 15 minutes".to_owned(),
            setting: format!("{SENSITIVE}, with the paths of your applications"),
        }
    })
}

fn is_within(rule: &GateRule, seconds: u64) -> bool {
    rule.within
        .is_some_and(|within| within.seconds() <= seconds)
}

/// Reports that nothing can be mailed.
pub(super) fn mail_is_missing(config: &Config) -> Vec<SettingDifference> {
    only_if(!config.email.is_enabled(), || {
        let none = None::<String>;
        SettingDifference::new("email.smtp_url", &none, MAIL)
    })
}

/// Reports that a mailed code is a second factor.
pub(super) fn codes_are_mailed(config: &Config) -> Vec<SettingDifference> {
    only_if(config.email.mails_codes(), || {
        SettingDifference::new("email.codes", &config.email.codes, NO_MAILED_CODES)
    })
}

/// Reports that sign-ins from new browsers and addresses are not mailed.
pub(super) fn sign_ins_are_not_mailed(config: &Config) -> Vec<SettingDifference> {
    let (key, value) = (
        "email.sign_in_notifications",
        &config.email.sign_in_notifications,
    );
    let mut found = mail_is_missing(config);
    found.extend(only_if(*value == SignInNotifications::Off, || {
        SettingDifference::new(key, value, &format!("{key} = \"new\""))
    }));
    found
}

/// Reports recovery codes of less than 64 bits for each guess: 5 bits a character, less the binary
/// logarithm of the number of codes.
pub(super) fn recovery_codes_are_short(config: &Config) -> Vec<SettingDifference> {
    let recovery = &config.recovery;
    let spare = (5 * recovery.length.value()).checked_sub(64);
    let is_enough = spare.is_some_and(|bits| {
        1u64.checked_shl(bits)
            .is_none_or(|most| u64::from(recovery.set_size()) <= most)
    });
    only_if(!is_enough, || {
        SettingDifference::new("recovery.length", &recovery.length, RECOVERY)
    })
}

/// Reports codes that are valid for longer than 30 seconds, and mailed ones for 10 minutes.
pub(super) fn code_lifetimes_differ(config: &Config) -> Vec<SettingDifference> {
    let (totp, ttl) = (&config.totp, &config.email.code_ttl);
    let mut found = only_if(totp.period.seconds() > 30, || {
        SettingDifference::new("totp.period", &totp.period, PERIOD)
    });
    found.extend(only_if(totp.past_steps.value() > 0, || {
        SettingDifference::new("totp.past_steps", &totp.past_steps, PAST)
    }));
    found.extend(only_if(totp.future_steps.value() > 0, || {
        SettingDifference::new("totp.future_steps", &totp.future_steps, FUTURE)
    }));
    found.extend(only_if(ttl.seconds() > 600, || {
        SettingDifference::new("email.code_ttl", ttl, MAILED)
    }));
    found
}

fn only_if(
    differs: bool,
    difference: impl FnOnce() -> SettingDifference,
) -> Vec<SettingDifference> {
    differs.then(difference).into_iter().collect()
}
