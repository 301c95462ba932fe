//! The options of pam_totp.so in a service file, merged with postern.toml: options override
//! `[pam.service.NAME]`, which overrides `[pam]`.
//!
//! MUST NOT ignore an unknown option: a mistyped one must not weaken a service.

#[cfg(test)]
mod tests;

use postern_shared::account::name::{Service, UserName};
use postern_shared::config::value::{BoundedInteger, Duration, SingleLine};
use postern_shared::config::{
    self, FirstFactorState, GracePeriod, PamConfig, PamServiceConfig, UnenrolledAction,
};
use postern_shared::credential::input::InputReading;
use postern_shared::engine::messages;
use postern_shared::protocol::{Echo, PamTransaction};
use std::fmt;
use std::path::PathBuf;

/// The options of one module in a stack.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct PamOptions {
    config: Option<PathBuf>,
    proven: bool,
    /// The options that postern.toml has too.
    service: PamServiceConfig,
}

/// The options merged with the configuration.
#[derive(Debug, PartialEq)]
pub(crate) struct PamSettings {
    pub(crate) first_factor: FirstFactorState,
    pub(crate) unenrolled: Option<UnenrolledAction>,
    pub(crate) prompt: String,
    pub(crate) echo: Echo,
    pub(crate) first_pass: FirstPass,
    pub(crate) reading: InputReading,
    pub(crate) accepts: AcceptedCredentials,
    /// Whether a passkey at the web may approve the prompt.
    pub(crate) approval: bool,
    /// The account whose codes count for every user.
    pub(crate) user: Option<UserName>,
    pub(crate) tries: u32,
    pub(crate) grace: GracePeriod,
    /// The delay after a failure, in seconds.
    pub(crate) fail_delay: Option<u64>,
    pub(crate) sshd: bool,
    /// Whether PAM_RHOST contains the client's address, never a name.
    pub(crate) rhost_is_address: bool,
    pub(crate) debug: bool,
    pub(crate) quiet: bool,
}

/// The use of the stacked password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstPass {
    Ignored,
    /// It is the first input, if there is one.
    Tried,
    /// It is the only input.
    Used,
}

/// The credentials that pass a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptedCredentials {
    /// Codes of every kind, and app passwords.
    All,
    AppPasswords,
}

/// The declaration of an option.
struct PamOption {
    name: &'static str,
    /// The value, as the item of pam_totp(8) writes it, which describes each option.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a test compares it with the manual")
    )]
    value: &'static str,
    set: SetOption,
}

/// Sets the option, or returns `None` where its value is missing, out of range, or not allowed.
type SetOption = fn(&mut PamOptions, Option<&str>) -> Option<()>;

const fn option(name: &'static str, value: &'static str, set: SetOption) -> PamOption {
    PamOption { name, value, set }
}

/// Every option. The defaults are in [`PamOptions::merge_settings`], since postern.toml comes
/// between.
const OPTIONS: [PamOption; 18] = [
    option("config", "= Ns Ar path", |options, value| {
        let path = value.filter(|path| path.starts_with('/'));
        set(&mut options.config, path.map(PathBuf::from))
    }),
    option(
        "first_factor",
        "=passed | first_factor=unknown",
        |options, value| {
            let states = [
                ("passed", FirstFactorState::Passed),
                ("unknown", FirstFactorState::Unknown),
            ];
            set(&mut options.service.first_factor, choose(value, states))
        },
    ),
    option("proven", "", |options, value| {
        options.proven = true;
        value.is_none().then_some(())
    }),
    option(
        "unenrolled",
        "=deny | unenrolled=allow | unenrolled=enroll",
        |options, value| {
            let actions = [
                ("deny", UnenrolledAction::Deny),
                ("allow", UnenrolledAction::Allow),
                ("enroll", UnenrolledAction::Enroll),
            ];
            set(&mut options.service.unenrolled, choose(value, actions))
        },
    ),
    option("nullok", "", |options, value| {
        let allow = value.is_none().then_some(UnenrolledAction::Allow);
        set(&mut options.service.unenrolled, allow)
    }),
    option("prompt", "= Ns Ar text", |options, value| {
        let prompt = SingleLine::try_from(value?.to_owned());
        set(&mut options.service.prompt, prompt.ok())
    }),
    option("echo", "", |options, value| {
        switch_on(&mut options.service.echo, value)
    }),
    option("tries", "= Ns Ar n", |options, value| {
        let number = value?.parse().ok();
        let number = number.filter(|number| (1..=10).contains(number));
        set(&mut options.service.tries, number.map(BoundedInteger::new))
    }),
    option("grace", "= Ns Ar time", |options, value| {
        set(&mut options.service.grace, value?.parse().ok())
    }),
    option("try_first_pass", "", |options, value| {
        switch_on(&mut options.service.try_first_pass, value)
    }),
    option("use_first_pass", "", |options, value| {
        switch_on(&mut options.service.use_first_pass, value)
    }),
    option("forward_pass", "", |options, value| {
        switch_on(&mut options.service.forward_pass, value)
    }),
    option("app_password", "", |options, value| {
        switch_on(&mut options.service.app_password, value)
    }),
    option("approval", "", |options, value| {
        switch_on(&mut options.service.approval, value)
    }),
    option("user", "= Ns Ar name", |options, value| {
        let user = UserName::parse(value?.as_bytes());
        set(&mut options.service.user, user.ok())
    }),
    option(
        "fail_delay",
        " , fail_delay= Ns Ar duration",
        |options, value| {
            let delay = value.map_or(Some(Duration::new(2)), |value| value.parse().ok());
            set(&mut options.service.fail_delay, delay)
        },
    ),
    option("debug", "", |options, value| {
        switch_on(&mut options.service.debug, value)
    }),
    option("quiet", "", |options, value| {
        switch_on(&mut options.service.quiet, value)
    }),
];

fn set<T>(option: &mut Option<T>, value: Option<T>) -> Option<()> {
    *option = Some(value?);
    Some(())
}

fn switch_on(option: &mut Option<bool>, value: Option<&str>) -> Option<()> {
    set(option, value.is_none().then_some(true))
}

fn choose<T, const N: usize>(value: Option<&str>, choices: [(&str, T); N]) -> Option<T> {
    let mut choices = choices.into_iter();
    let chosen = choices.find(|(name, _)| Some(*name) == value)?;
    Some(chosen.1)
}

/// Returns the first value that is set.
fn first<T, const N: usize>(values: [Option<T>; N]) -> Option<T> {
    values.into_iter().flatten().next()
}

/// An unknown option, or one whose value is out of range.
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
    /// Parses the options. An unknown one is an error.
    pub(crate) fn parse(words: &[String]) -> Result<PamOptions, UnknownOption> {
        let mut options = PamOptions::default();
        for word in words {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            OPTIONS
                .iter()
                .find(|option| option.name == name)
                .and_then(|option| (option.set)(&mut options, value))
                .ok_or_else(|| UnknownOption(word.chars().take(64).collect()))?;
        }
        Ok(options)
    }

    /// Returns the path of postern.toml.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.config
            .clone()
            .unwrap_or_else(|| PathBuf::from(config::DEFAULT_PATH))
    }

    /// Returns whether the hook only checks the completed methods.
    pub(crate) fn proven(&self) -> bool {
        self.proven
    }

    /// Merges the options with the configuration of a service.
    pub(crate) fn merge_settings(&self, pam: &PamConfig, service: &str) -> PamSettings {
        let none = PamServiceConfig::default();
        let (line, own) = (&self.service, pam.service.get(service).unwrap_or(&none));
        let is_on = |values: [Option<bool>; 3]| first(values).unwrap_or(false);
        let prompt = first([&line.prompt, &own.prompt, &pam.prompt].map(Option::as_ref));
        let first_pass = if is_on([line.use_first_pass, own.use_first_pass, pam.use_first_pass]) {
            FirstPass::Used
        } else if is_on([line.try_first_pass, own.try_first_pass, pam.try_first_pass]) {
            FirstPass::Tried
        } else {
            FirstPass::Ignored
        };
        PamSettings {
            first_factor: first([line.first_factor, own.first_factor, pam.first_factor])
                .unwrap_or_default(),
            unenrolled: first([line.unenrolled, own.unenrolled, pam.unenrolled]),
            prompt: prompt
                .map_or(messages::CODE_PROMPT, SingleLine::as_str)
                .to_owned(),
            echo: match is_on([line.echo, own.echo, pam.echo]) {
                true => Echo::On,
                false => Echo::Off,
            },
            first_pass,
            reading: match is_on([line.forward_pass, own.forward_pass, pam.forward_pass]) {
                true => InputReading::CodeAtEnd,
                false => InputReading::Whole,
            },
            accepts: match is_on([line.app_password, own.app_password, pam.app_password]) {
                true => AcceptedCredentials::AppPasswords,
                false => AcceptedCredentials::All,
            },
            approval: is_on([line.approval, own.approval, pam.approval]),
            user: line.user.as_ref().or(own.user.as_ref()).cloned(),
            tries: first([line.tries, own.tries, pam.tries]).map_or(3, BoundedInteger::value),
            grace: first([line.grace, own.grace, pam.grace]).unwrap_or(GracePeriod::new(0)),
            fail_delay: first([line.fail_delay, own.fail_delay, pam.fail_delay])
                .map(Duration::seconds),
            sshd: first([own.sshd, pam.sshd]).unwrap_or(service == "sshd"),
            rhost_is_address: own.rhost_is_address.unwrap_or(false),
            debug: is_on([line.debug, own.debug, pam.debug]),
            quiet: is_on([line.quiet, own.quiet, pam.quiet]),
        }
    }
}

/// Returns whether the stack guarantees a first factor before this hook. An unknown option, which
/// denies access, guarantees nothing.
pub(crate) fn first_factor(transaction: &PamTransaction, pam: &PamConfig) -> FirstFactorState {
    let service = service(transaction);
    PamOptions::parse(&transaction.options).map_or(FirstFactorState::Unknown, |options| {
        options.merge_settings(pam, service.as_str()).first_factor
    })
}

/// Returns whether a transaction is of an sshd.
pub(crate) fn is_sshd(transaction: &PamTransaction, pam: &PamConfig) -> bool {
    PamOptions::default()
        .merge_settings(pam, service(transaction).as_str())
        .sshd
}

fn service(transaction: &PamTransaction) -> Service {
    Service::from_pam(transaction.service.as_deref().unwrap_or_default())
}
