//! The words after pam_totp.so in a service file, and what they mean together with postern.toml: options
//! override `[pam.service.NAME]`, which overrides `[pam]`.

use shared::account::name::{Service, UserName};
use shared::config::value::{BoundedInteger, Duration, SingleLine};
use shared::config::{
    self, FirstFactorState, GracePeriod, PamConfig, PamServiceConfig, UnenrolledAction,
};
use shared::credential::input::InputReading;
use shared::engine::messages;
use shared::protocol::{Echo, PamTransaction};
use std::fmt;
use std::path::PathBuf;

/// The options as typed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct PamOptions {
    config: Option<PathBuf>,
    first_factor: Option<FirstFactorState>,
    proven: bool,
    unenrolled: Option<UnenrolledAction>,
    prompt: Option<SingleLine>,
    echo: bool,
    try_first_pass: bool,
    use_first_pass: bool,
    forward_pass: bool,
    app_password: bool,
    user: Option<UserName>,
    tries: Option<BoundedInteger<1, 10>>,
    grace: Option<GracePeriod>,
    fail_delay: Option<Duration<0, 30>>,
    debug: bool,
    quiet: bool,
}

/// What the options and the configuration mean together.
#[derive(Debug, PartialEq)]
pub(crate) struct PamSettings {
    pub(crate) first_factor: FirstFactorState,
    pub(crate) unenrolled: Option<UnenrolledAction>,
    pub(crate) prompt: String,
    pub(crate) echo: Echo,
    pub(crate) first_pass: FirstPass,
    pub(crate) reading: InputReading,
    pub(crate) takes: OptionValue,
    /// Whose code is asked for, whoever signs in.
    pub(crate) user: Option<UserName>,
    pub(crate) tries: u32,
    pub(crate) grace: GracePeriod,
    /// Seconds.
    pub(crate) fail_delay: Option<u64>,
    pub(crate) sshd: bool,
    /// Whether PAM_RHOST holds the client's address, never a name.
    pub(crate) rhost_is_address: bool,
    pub(crate) debug: bool,
    pub(crate) quiet: bool,
}

/// What is made of a password that an earlier module has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstPass {
    /// Nothing.
    Left,
    /// The first answer, if there is one.
    Tried,
    /// The only answer.
    Used,
}

/// What opens a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionValue {
    /// Every kind of code, and app passwords.
    Anything,
    /// App passwords alone.
    AppPasswords,
}

/// A word that is no option, or whose value is out of range.
#[derive(Debug, PartialEq)]
pub(crate) struct UnknownOption(String);

impl fmt::Display for UnknownOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown option or value {:?}; pam_totp(8) lists them",
            self.0
        )
    }
}

impl PamOptions {
    /// Reads the words. Any that is unknown denies: a mistyped option must not weaken a line.
    pub(crate) fn read(words: &[String]) -> Result<PamOptions, UnknownOption> {
        let mut options = PamOptions::default();
        for word in words {
            let unknown = || UnknownOption(word.chars().take(64).collect());
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            match (name, value) {
                ("config", Some(path)) if path.starts_with('/') => {
                    options.config = Some(path.into())
                }
                ("first_factor", Some("passed")) => {
                    options.first_factor = Some(FirstFactorState::Passed)
                }
                ("first_factor", Some("unknown")) => {
                    options.first_factor = Some(FirstFactorState::Unknown)
                }
                ("proven", None) => options.proven = true,
                ("unenrolled", Some("enroll")) => {
                    options.unenrolled = Some(UnenrolledAction::Enroll)
                }
                ("unenrolled", Some("deny")) => options.unenrolled = Some(UnenrolledAction::Deny),
                ("unenrolled", Some("allow")) | ("nullok", None) => {
                    options.unenrolled = Some(UnenrolledAction::Allow);
                }
                ("prompt", Some(text)) => {
                    options.prompt =
                        Some(SingleLine::try_from(text.to_owned()).map_err(|_| unknown())?);
                }
                ("echo", None) => options.echo = true,
                ("tries", Some(number)) => {
                    let number = number
                        .parse()
                        .ok()
                        .filter(|n| (1..=10).contains(n))
                        .ok_or_else(unknown)?;
                    options.tries = Some(BoundedInteger::new(number));
                }
                ("grace", Some(time)) => {
                    options.grace = Some(time.parse().map_err(|()| unknown())?)
                }
                ("try_first_pass", None) => options.try_first_pass = true,
                ("use_first_pass", None) => options.use_first_pass = true,
                ("forward_pass", None) => options.forward_pass = true,
                ("app_password", None) => options.app_password = true,
                ("user", Some(name)) => {
                    options.user = Some(UserName::parse(name.as_bytes()).map_err(|_| unknown())?);
                }
                ("fail_delay", None) => options.fail_delay = Some(Duration::new(2)),
                ("fail_delay", Some(text)) => {
                    options.fail_delay = Some(text.parse().map_err(|()| unknown())?);
                }
                ("debug", None) => options.debug = true,
                ("quiet", None) => options.quiet = true,
                _ => return Err(unknown()),
            }
        }
        Ok(options)
    }

    /// Where postern.toml is.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.config
            .clone()
            .unwrap_or_else(|| PathBuf::from(config::DEFAULT_PATH))
    }

    /// Whether the line only looks for a proven earlier factor.
    pub(crate) fn proven(&self) -> bool {
        self.proven
    }

    /// Merges with the configuration for a service.
    pub(crate) fn settings(&self, pam: &PamConfig, service: &str) -> PamSettings {
        let none = PamServiceConfig::default();
        let own = pam.service.get(service).unwrap_or(&none);
        let is_on =
            |word: bool, own: Option<bool>, all: Option<bool>| word || own.or(all).unwrap_or(false);
        let prompt = self
            .prompt
            .as_ref()
            .or(own.prompt.as_ref())
            .or(pam.prompt.as_ref());
        let forward_pass = is_on(self.forward_pass, own.forward_pass, pam.forward_pass);
        let takes = match is_on(self.app_password, own.app_password, pam.app_password) {
            true => OptionValue::AppPasswords,
            false => OptionValue::Anything,
        };
        let first_pass = if is_on(self.use_first_pass, own.use_first_pass, pam.use_first_pass) {
            FirstPass::Used
        } else if is_on(self.try_first_pass, own.try_first_pass, pam.try_first_pass) {
            FirstPass::Tried
        } else {
            FirstPass::Left
        };
        PamSettings {
            first_factor: self
                .first_factor
                .or(own.first_factor)
                .or(pam.first_factor)
                .unwrap_or_default(),
            unenrolled: self.unenrolled.or(own.unenrolled).or(pam.unenrolled),
            prompt: prompt
                .map_or(messages::CODE_PROMPT, SingleLine::as_str)
                .to_owned(),
            echo: if is_on(self.echo, own.echo, pam.echo) {
                Echo::On
            } else {
                Echo::Off
            },
            first_pass,
            reading: if forward_pass {
                InputReading::CodeAtEnd
            } else {
                InputReading::Whole
            },
            takes,
            user: self.user.as_ref().or(own.user.as_ref()).cloned(),
            tries: self
                .tries
                .or(own.tries)
                .or(pam.tries)
                .map_or(3, BoundedInteger::value),
            grace: self
                .grace
                .or(own.grace)
                .or(pam.grace)
                .unwrap_or(GracePeriod::new(0)),
            fail_delay: self
                .fail_delay
                .or(own.fail_delay)
                .or(pam.fail_delay)
                .map(Duration::seconds),
            sshd: own.sshd.or(pam.sshd).unwrap_or(service == "sshd"),
            rhost_is_address: own.rhost_is_address.unwrap_or(false),
            debug: is_on(self.debug, own.debug, pam.debug),
            quiet: is_on(self.quiet, own.quiet, pam.quiet),
        }
    }
}

/// What the stack guarantees before a transaction's line; nothing if a word of it is unknown, which denies.
pub(crate) fn first_factor(transaction: &PamTransaction, pam: &PamConfig) -> FirstFactorState {
    match PamOptions::read(&transaction.options) {
        Ok(options) => {
            options
                .settings(pam, service(transaction).as_str())
                .first_factor
        }
        Err(_) => FirstFactorState::Unknown,
    }
}

/// Whether a transaction is of an sshd.
pub(crate) fn is_sshd(transaction: &PamTransaction, pam: &PamConfig) -> bool {
    PamOptions::default()
        .settings(pam, service(transaction).as_str())
        .sshd
}

fn service(transaction: &PamTransaction) -> Service {
    Service::from_pam(transaction.service.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<PamOptions, UnknownOption> {
        PamOptions::read(
            &words
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
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
        let settings = read("tries=5").unwrap().settings(&pam, "sudo");
        assert_eq!((settings.tries, settings.prompt.as_str()), (5, "B: "));
        assert_eq!(settings.first_factor, FirstFactorState::Passed);
        let settings = read("").unwrap().settings(&pam, "login");
        assert_eq!((settings.tries, settings.prompt.as_str()), (1, "A: "));
    }

    #[test]
    fn the_defaults_are_those_of_the_manual() {
        let settings = read("").unwrap().settings(&PamConfig::default(), "sshd");
        let expected = PamSettings {
            first_factor: FirstFactorState::Unknown,
            unenrolled: None,
            prompt: "Verification code: ".to_owned(),
            echo: Echo::Off,
            first_pass: FirstPass::Left,
            reading: InputReading::Whole,
            takes: OptionValue::Anything,
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
        assert!(
            !read("")
                .unwrap()
                .settings(&PamConfig::default(), "sudo")
                .sshd
        );
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
                read(words).unwrap().settings(&pam, service).grace.seconds(),
                seconds,
                "{words}"
            );
        }
        assert_eq!(
            read("")
                .unwrap()
                .settings(&PamConfig::default(), "sshd")
                .grace
                .seconds(),
            0
        );
    }

    #[test]
    fn nullok_is_another_word_for_unenrolled_allow() {
        assert_eq!(read("nullok"), read("unenrolled=allow"));
    }

    #[test]
    fn use_first_pass_is_stricter_than_try_first_pass() {
        let settings = |words| read(words).unwrap().settings(&PamConfig::default(), "vpn");
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
            read("try_first_pass")
                .unwrap()
                .settings(&pam, "vpn")
                .first_pass,
            FirstPass::Used
        );
    }

    #[test]
    fn a_delay_after_failures_is_two_seconds_unless_said_otherwise() {
        let delay = |words| {
            read(words)
                .unwrap()
                .settings(&PamConfig::default(), "login")
                .fail_delay
        };
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

    /// Every option that the reader knows, from its own source, stands in the man page.
    #[test]
    fn every_option_stands_in_the_man_page() {
        let manual = include_str!("../../../packaging/man/pam_totp.8");
        let source = include_str!("options.rs");
        let reader = source
            .split("match (name, value) {")
            .nth(1)
            .unwrap()
            .split("_ =>")
            .next()
            .unwrap();
        let names: Vec<_> = reader
            .split(" (\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(names.contains(&"nullok") && names.contains(&"config"));
        for name in names {
            assert!(
                manual.contains(&format!("Cm {name}")),
                "pam_totp(8) lacks {name}"
            );
        }
    }
}
