//! Tests of the profiles: each setting that the page names changes what is found.

use super::*;
use crate::check::finding::FindingSeverity::{Fault, Ok as Met, Skipped, Warning};
use std::fs;

/// A host with this configuration, and these lines of a service file.
fn host(toml: &str, service: &str) -> (tempfile::TempDir, Machine, Config) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("etc/postern/postern.toml", toml),
        ("etc/pam.d/sshd", service),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let machine = Machine::at(folder.path());
    (folder, machine, toml::from_str(toml).unwrap())
}

fn find(toml: &str, service: &str, profile: Profile) -> Vec<Finding> {
    let (_folder, machine, config) = host(toml, service);
    let path = Path::new("/etc/postern/postern.toml");
    profile_findings(&machine, path, &config, profile)
}

fn faults(toml: &str, service: &str, profile: Profile) -> Vec<String> {
    let found = find(toml, service, profile).into_iter();
    found
        .filter(|finding| finding.severity == Fault)
        .map(|finding| finding.to_string())
        .collect()
}

const PROFILES: [Profile; 3] = [Profile::Nist, Profile::Asvs, Profile::Pci];
const LINE: &str = "auth required pam_totp.so\n";
const GATE: &str = "gate.url = \"https://auth.example.com/\"\n";

/// Every setting of the table, with a gate.
fn all_settings() -> String {
    let mut lines: Vec<&str> = PROFILE_REQUIREMENTS
        .iter()
        .flat_map(|one| one.settings)
        .copied()
        .filter(|line| !line.starts_with("gate.rule"))
        .collect();
    lines.sort_unstable();
    lines.dedup();
    format!(
        "{GATE}email.from = \"a@example.com\"\n{}\n[[gate.rule]]\npaths = [\"/pay\"]\nthen = \"code\"\nwithin = \"5m\"\n\
         [[gate.rule]]\nthen = \"code\"\nwithin = \"12h\"\n",
        lines.join("\n")
    )
}

#[test]
fn the_settings_of_the_page_meet_every_profile() {
    for profile in PROFILES {
        let found = faults(&all_settings(), LINE, profile);
        assert_eq!(found, Vec::<String>::new(), "{profile:?}");
    }
}

#[test]
fn each_setting_that_differs_is_a_fault_with_its_line() {
    let base = all_settings();
    for (profile, from, to, words) in [
        (
            Profile::Nist,
            "\"all\"",
            "\"enrolled\"",
            "2.2.1: two different factors: policy.required is \"enrolled\"; set policy.required = \"all\"",
        ),
        (
            Profile::Nist,
            "\"all\"",
            "[\"all\", \"!bob\"]",
            "policy.required is [\"all\",\"!bob\"]",
        ),
        (
            Profile::Nist,
            "session_lifetime = \"12h\"",
            "session_lifetime = \"25h\"",
            "gate.session_lifetime is \"25h\"",
        ),
        (
            Profile::Nist,
            "idle_timeout = \"1h\"",
            "idle_timeout = \"61m\"",
            "gate.idle_timeout is \"61m\"",
        ),
        (
            Profile::Nist,
            "within = \"12h\"",
            "within = \"2d\"",
            "gate.rule-2 has no within",
        ),
        (
            Profile::Nist,
            "within = \"12h\"",
            "paths = [\"/a\"]\nwithin = \"12h\"",
            "no rule for every request",
        ),
        (
            Profile::Nist,
            "length = 14",
            "length = 13",
            "recovery.length is 13",
        ),
        (
            Profile::Nist,
            "recovery.length",
            "pam.grace = \"1h\"\nrecovery.length",
            "pam.grace is \"1h\"",
        ),
        (
            Profile::Nist,
            "recovery.length",
            "pam.service.sudo.unenrolled = \"allow\"\nrecovery.length",
            "pam.service.sudo.unenrolled is \"allow\"",
        ),
        (
            Profile::Nist,
            "recovery.length",
            "pam.service.dovecot.app_password = true\nrecovery.length",
            "app_password is true",
        ),
        (
            Profile::Asvs,
            "past_steps = 0",
            "past_steps = 1",
            "totp.past_steps is 1",
        ),
        (
            Profile::Asvs,
            "future_steps = 0",
            "future_steps = 1",
            "totp.future_steps is 1",
        ),
        (
            Profile::Asvs,
            "code_ttl = \"10m\"",
            "code_ttl = \"11m\"",
            "email.code_ttl is \"11m\"",
        ),
        (
            Profile::Asvs,
            "email.from",
            "email.sign_in_notifications = \"off\"\nemail.from",
            "email.sign_in_notifications is \"off\"",
        ),
        (
            Profile::Nist,
            "email.codes = \"off\"",
            "email.codes = \"second-factor\"",
            "3.1.3.1: no mail as a second factor: email.codes is \"second-factor\"",
        ),
        (
            Profile::Asvs,
            "email.codes = \"off\"\n",
            "",
            "6.3.6: no mail as a factor: email.codes is \"second-factor\"",
        ),
        (
            Profile::Asvs,
            "within = \"5m\"",
            "within = \"16m\"",
            "the last 15 minutes",
        ),
        (
            Profile::Asvs,
            "then = \"code\"\nwithin = \"12h\"",
            "then = \"password\"",
            "gate.rule-2 has then = \"password\"",
        ),
        (
            Profile::Pci,
            "policy.required = \"all\"",
            "policy.enroll_within = \"1d\"\npolicy.required = \"all\"",
            "policy.enroll_within is \"1d\"",
        ),
        (
            Profile::Pci,
            "within = \"12h\"",
            "",
            "gate.rule-2 has no within",
        ),
    ] {
        let toml = base.replacen(from, to, 1);
        assert_ne!(toml, base, "{from}");
        let found = faults(&toml, LINE, profile);
        assert!(
            found.len() == 1 && found[0].contains(words),
            "{to}: {found:#?}"
        );
        assert!(found[0].contains("postern.toml:"), "{found:?}");
    }
}

#[test]
fn an_option_of_a_service_file_that_weakens_is_a_fault() {
    for (option, count) in [
        ("nullok", 1),
        ("unenrolled=allow", 1),
        ("app_password", 1),
        ("grace=1h", 1),
        ("grace=0", 0),
        ("tries=1", 0),
    ] {
        for profile in PROFILES {
            let line = format!("# sshd\nauth required pam_totp.so {option}\n");
            let found = faults(&all_settings(), &line, profile);
            assert_eq!(found.len(), count, "{option}: {found:?}");
            let is_named =
                |fault: &String| fault.contains("/etc/pam.d/sshd:2") && fault.contains(option);
            assert!(found.iter().all(is_named), "{found:?}");
        }
    }
}

#[test]
fn what_no_setting_decides_is_a_warning_and_what_does_not_apply_is_skipped() {
    let severity = |toml: &str, words: &str| {
        let found = find(toml, LINE, Profile::Nist);
        let mut fitting = found.iter().filter(|one| one.what.contains(words));
        fitting.next().map(|one| one.severity)
    };
    let exempt = format!(
        "{}[[policy.exempt]]\nservices = [\"cron\"]\n",
        all_settings()
    );
    assert_eq!(severity(&exempt, "policy.exempt-1"), Some(Warning));
    assert_eq!(severity("", "3.1.3.1"), Some(Met));
    assert_eq!(severity("", "gate.url is not set"), Some(Skipped));
    assert_eq!(severity(&all_settings(), "4.2.1.1"), Some(Met));
    let host = "fleet.servers = [\"https://a.example.com:7443\"]\n";
    let found = find(host, LINE, Profile::Nist);
    assert!(
        found.len() == 1 && found[0].severity == Skipped,
        "{found:?}"
    );
}
