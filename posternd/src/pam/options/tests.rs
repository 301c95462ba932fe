//! The options as a service file combines them with postern.toml, and the list in the manual.

use super::*;

fn read(words: &str) -> Result<PamOptions, UnknownOption> {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    PamOptions::parse(&words)
}

fn merged(words: &str, pam: &PamConfig, service: &str) -> PamSettings {
    read(words).unwrap().merge_settings(pam, service)
}

#[test]
fn options_override_the_service_which_overrides_the_defaults() {
    let prompt = |text: &str| Some(SingleLine::try_from(text.to_owned()).unwrap());
    let sudo = PamServiceConfig {
        tries: Some(BoundedInteger::new(2)),
        prompt: prompt("B: "),
        ..PamServiceConfig::default()
    };
    let pam = PamConfig {
        tries: Some(BoundedInteger::new(1)),
        prompt: prompt("A: "),
        first_factor: Some(FirstFactorState::Passed),
        service: [("sudo".to_owned(), sudo)].into(),
        ..PamConfig::default()
    };
    let settings = merged("tries=5", &pam, "sudo");
    assert_eq!((settings.tries, settings.prompt.as_str()), (5, "B: "));
    assert_eq!(settings.first_factor, FirstFactorState::Passed);
    let settings = merged("", &pam, "login");
    assert_eq!((settings.tries, settings.prompt.as_str()), (1, "A: "));
}

/// The page of defaults states those of `[pam]`: with each of its values set, nothing changes.
#[test]
fn the_defaults_are_those_of_the_page() {
    const PAGE: &str = include_str!("../../../../docs/defaults.md");
    let rows = PAGE.lines().filter_map(|line| {
        let (key, rest) = line.strip_prefix("| `pam.")?.split_once("` | `")?;
        Some(format!("{key} = {}", rest.split_once("` | ")?.0))
    });
    let rows: Vec<String> = rows.collect();
    assert!(rows.len() >= 12, "{rows:?}");
    let stated: PamConfig = toml::from_str(&rows.join("\n")).unwrap();
    assert_ne!(stated, PamConfig::default());
    assert_eq!(
        merged("", &stated, "login"),
        merged("", &PamConfig::default(), "login")
    );
}

#[test]
fn the_defaults_are_those_of_the_manual() {
    let settings = merged("", &PamConfig::default(), "sshd");
    let expected = PamSettings {
        first_factor: FirstFactorState::Unknown,
        unenrolled: None,
        prompt: "Verification code: ".to_owned(),
        echo: Echo::Off,
        first_pass: FirstPass::Ignored,
        reading: InputReading::Whole,
        accepts: AcceptedCredentials::All,
        approval: false,
        user: None,
        tries: 3,
        grace: GracePeriod::new(0),
        fail_delay: None,
        sshd: true,
        rhost_is_address: false,
        debug: false,
        quiet: false,
    };
    assert_eq!(settings, expected);
    assert!(!merged("", &PamConfig::default(), "sudo").sshd);
}

#[test]
fn grace_is_off_unless_given_and_can_be_off_at_one_service_or_line() {
    let sudo = PamServiceConfig {
        grace: Some(GracePeriod::new(0)),
        ..PamServiceConfig::default()
    };
    let pam = PamConfig {
        grace: Some(GracePeriod::new(3600)),
        service: [("sudo".to_owned(), sudo)].into(),
        ..PamConfig::default()
    };
    for (words, service, seconds) in [
        ("", "sshd", 3600),
        ("grace=8h", "sshd", 8 * 3600),
        ("grace=90", "sshd", 90),
        ("grace=0", "sshd", 0),
        ("", "sudo", 0),
        ("grace=30d", "sudo", 30 * 86_400),
    ] {
        assert_eq!(
            merged(words, &pam, service).grace.seconds(),
            seconds,
            "{words}"
        );
    }
    assert_eq!(merged("", &PamConfig::default(), "sshd").grace.seconds(), 0);
}

#[test]
fn nullok_is_another_word_for_unenrolled_allow() {
    assert_eq!(read("nullok"), read("unenrolled=allow"));
}

#[test]
fn use_first_pass_is_stricter_than_try_first_pass() {
    let settings = |words| merged(words, &PamConfig::default(), "vpn");
    assert_eq!(settings("try_first_pass").first_pass, FirstPass::Tried);
    assert_eq!(
        settings("use_first_pass try_first_pass").first_pass,
        FirstPass::Used
    );
    let pam = PamConfig {
        use_first_pass: Some(true),
        ..PamConfig::default()
    };
    assert_eq!(
        merged("try_first_pass", &pam, "vpn").first_pass,
        FirstPass::Used
    );
}

#[test]
fn a_delay_after_failures_is_two_seconds_unless_said_otherwise() {
    let delay = |words| merged(words, &PamConfig::default(), "login").fail_delay;
    assert_eq!(
        (delay(""), delay("fail_delay"), delay("fail_delay=5s")),
        (None, Some(2), Some(5))
    );
}

#[test]
fn unknown_words_and_values_are_refused() {
    for words in [
        "nulok",
        "tries=0",
        "tries=11",
        "tries=",
        "tries",
        "first_factor=yes",
        "proven=1",
        "config=rel",
        "grace",
        "grace=",
        "grace=31d",
        "grace=8x",
        "grace=-1",
        "unenrolled=maybe",
        "prompt=",
        "Proven",
        "=",
        "secret=/x",
        "user=",
        "user=a/b",
        "fail_delay=31s",
        "fail_delay=",
        "forward_pass=1",
    ] {
        assert!(read(words).is_err(), "{words}");
    }
}

#[test]
fn check_knows_every_option() {
    let names = OPTIONS.each_ref().map(|option| option.name);
    assert_eq!(names, postern_shared::system::pam_service::MODULE_OPTIONS);
}

#[test]
fn the_man_page_lists_every_option_and_no_other() {
    let manual = include_str!("../../../../packaging/man/pam_totp.8");
    let (_, options) = manual.split_once("\n.Sh OPTIONS\n").unwrap();
    let (options, _) = options.split_once("\n.Sh ").unwrap();
    let mut listed: Vec<&str> = options
        .lines()
        .filter_map(|line| line.strip_prefix(".It Cm "))
        .collect();
    let written = OPTIONS.map(|option| format!("{}{}", option.name, option.value));
    let mut declared = written.each_ref().map(String::as_str);
    listed.sort_unstable();
    declared.sort_unstable();
    assert_eq!(listed, declared);
}
