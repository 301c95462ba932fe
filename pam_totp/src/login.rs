//! The `auth` line: asks for the code. From the prompt to the desk that judges and back; it is gone to after the
//! prompt, and nothing is held across it.

use crate::caller::{self, UserError};
use crate::desk::{Desk, Ruled};
use crate::entry::{Denial, Entry};
use crate::host::{Host, Severity};
use crate::mark::{Left, Mark};
use crate::options::{Options, Settings};
use shared::config::file::{self, ConfigError};
use shared::config::{Config, FirstFactor, Pam, Unenrolled};
use shared::decision::Spared;
use shared::door::Visitor;
use shared::earlier::Earlier;
use shared::guess::Stage;
use shared::name::{Service, UserName};
use shared::place::Origin;
use shared::policy::Need;
use shared::store;
use shared::words;
use std::ops::Deref;

/// A line of a service file: what is known before it is known who stands there.
pub(crate) struct Front<'a> {
    host: &'a dyn Host,
    config: Config,
    desk: Desk,
    pub(crate) settings: Settings,
    service: Service,
    pub(crate) origin: Origin,
    /// What sshd says has passed before.
    pub(crate) earlier: Earlier,
    debug: bool,
}

/// A line of a service file at work.
pub(crate) struct Line<'a> {
    front: &'a Front<'a>,
    pub(crate) user: UserName,
}

impl<'a> Deref for Line<'a> {
    type Target = Front<'a>;

    fn deref(&self) -> &Front<'a> {
        self.front
    }
}

/// `auth … pam_totp.so`
pub(crate) fn authenticate(host: &dyn Host, words: &[String]) -> Entry {
    let options = match Options::read(words) {
        Ok(options) => options,
        Err(error) => return misconfigured(host, &error),
    };
    if options.proven() {
        return prove(host, &options);
    }
    let front = match Front::open(host, &options) {
        Ok(front) => front,
        Err(denial) => return Entry::Denied(denial),
    };
    let stage = match front.settings.first_factor {
        FirstFactor::Passed => Stage::After,
        FirstFactor::Unknown if !front.earlier.is_nothing() => Stage::After,
        FirstFactor::Unknown => Stage::Before,
    };
    let line = match front.line() {
        Ok(line) => line,
        Err(denial) => {
            // Where anyone may be typing, a name that nobody can have meets the same prompt and text.
            if stage == Stage::Before {
                let _ = host.ask(&front.settings.prompt, front.settings.echo);
                host.tell(words::BEFORE_FIRST_FACTOR);
            }
            return Entry::Denied(denial);
        }
    };
    match stage {
        Stage::After => line.ask_kindly(),
        Stage::Before => line.ask_everyone_alike(),
    }
}

/// `auth … pam_totp.so proven`: asks nothing. A configuration that cannot be read is for the line that asks to
/// refuse and to log; here the service's name decides.
fn prove(host: &dyn Host, options: &Options) -> Entry {
    let service = caller::service(host);
    let pam = file::in_force(&options.config_path()).map_or_else(|_| Pam::default(), |file| file.config.pam);
    match caller::earlier(host, options.settings(&pam, service.as_str()).sshd).is_nothing() {
        true => Entry::NotNeeded,
        false => Entry::Passed,
    }
}

pub(crate) fn misconfigured(host: &dyn Host, error: &dyn std::fmt::Display) -> Entry {
    host.log(Severity::Error, &format!("refused cause=misconfigured: {error}"));
    Entry::Denied(Denial::Misconfigured)
}

impl<'a> Front<'a> {
    /// Reads the configuration and where the host stands.
    pub(crate) fn open(host: &'a dyn Host, options: &Options) -> Result<Front<'a>, Denial> {
        let service = caller::service(host);
        let config = configuration(host, &options.config_path()).map_err(|error| {
            misconfigured(host, &error);
            Denial::Misconfigured
        })?;
        let settings = options.settings(&config.pam, service.as_str());
        let origin = caller::origin(host, settings.sshd);
        let earlier = caller::earlier(host, settings.sshd);
        let desk = Desk::of(host.reach(), &config);
        Ok(Front { host, config, desk, settings, service, origin, earlier, debug: options.debug() })
    }

    /// The service, fit for a log.
    pub(crate) fn service(&self) -> &str {
        self.service.as_str()
    }

    /// Finds out who stands there.
    pub(crate) fn line(&self) -> Result<Line<'_>, Denial> {
        match caller::user(self.host) {
            Ok(user) => Ok(Line { front: self, user }),
            Err(error) => {
                let (severity, cause, denial) = match error {
                    UserError::Name(_) => (Severity::Notice, "bad-name", Denial::BadName),
                    UserError::Lookup(_) => (Severity::Error, "unavailable", Denial::Unavailable),
                };
                let (origin, service) = (&self.origin, &self.service);
                self.host.log(
                    severity,
                    &format!("refused cause={cause} address={origin} service={service}: {error}"),
                );
                Err(denial)
            }
        }
    }
}

impl Line<'_> {
    /// After the first factor: whoever needs no code passes, refusals say why, and there are several tries.
    fn ask_kindly(&self) -> Entry {
        // where sshd names nothing, the line stands behind a password
        let earlier = if self.earlier.is_nothing() { &Earlier::PASSWORD } else { &self.earlier };
        let need = match self.desk.need(&self.visitor(Stage::After), earlier) {
            Ok(need) => need,
            Err(error) => return self.unavailable(&error),
        };
        if let Some(entry) = self.without_code(need, Stage::After) {
            if entry == Entry::Denied(Denial::Refused) {
                self.host.tell(words::NOT_ENROLLED);
            }
            return entry;
        }
        if let Some(entry) = self.by_grace() {
            return entry;
        }
        let mut reason: Option<String> = None;
        for _ in 0..self.settings.tries {
            let prompt = match &reason {
                Some(reason) => format!("{reason}\n{}", self.settings.prompt),
                None => self.settings.prompt.clone(),
            };
            match self.one_try(&prompt, Stage::After) {
                Ok(Ruled::Accepted { by, told, left }) => {
                    self.tell(&told);
                    return self.passed(&by, left);
                }
                Ok(Ruled::Refused { cause, words }) => {
                    self.log(Severity::Notice, "refused", &cause);
                    reason = Some(words);
                }
                Err(entry) => return entry,
            }
        }
        self.host.tell(&reason.unwrap_or_default());
        Entry::Denied(Denial::TooManyTries)
    }

    /// Before the first factor: one prompt, one text, one timing for everyone.
    fn ask_everyone_alike(&self) -> Entry {
        if let Some(rule) = self.config.policy.exempts_everyone(self.service.as_str(), self.origin.address())
        {
            // A store that cannot be read closes this door too.
            return match self.desk.refuse_if_closed(&self.visitor(Stage::Before)) {
                Ok(()) => self.exempt(rule),
                Err(error) => self.unavailable(&error),
            };
        }
        let judged = self.one_try(&self.settings.prompt, Stage::Before);
        if judged.as_ref().err() == Some(&Entry::Denied(Denial::Conversation)) {
            return Entry::Denied(Denial::Conversation);
        }
        self.host.tell(words::BEFORE_FIRST_FACTOR);
        let ruled = match judged {
            Ok(ruled) => ruled,
            Err(entry) => return entry,
        };
        // asked for everyone, so that it takes everyone as long
        let need = self.desk.need(&self.visitor(Stage::Before), &Earlier::default());
        match (ruled, need) {
            (Ruled::Accepted { by, left, .. }, _) => self.passed(&by, left),
            (Ruled::Refused { .. }, Err(error)) => self.unavailable(&error),
            (Ruled::Refused { cause, .. }, Ok(need)) => {
                self.without_code(need, Stage::Before).unwrap_or_else(|| {
                    self.log(Severity::Notice, "refused", &cause);
                    Entry::Denied(Denial::Refused)
                })
            }
        }
    }

    /// Prompts once, then has the answer judged.
    fn one_try(&self, prompt: &str, stage: Stage) -> Result<Ruled, Entry> {
        let typed = self.host.ask(prompt, self.settings.echo).map_err(|_| {
            self.log(Severity::Notice, "refused", "cancelled");
            Entry::Denied(Denial::Conversation)
        })?;
        self.desk.judge(&self.visitor(stage), &typed).map_err(|error| self.unavailable(&error))
    }

    /// What whoever needs no code gets, or whoever should have one and cannot; `None` if the code decides.
    fn without_code(&self, need: Need, stage: Stage) -> Option<Entry> {
        match (need, self.settings.unenrolled) {
            (Need::Exempt(rule), _) => Some(self.exempt(rule)),
            (Need::Code, _) => None,
            (_, Some(Unenrolled::Allow)) | (Need::Nothing, None) => {
                self.log(Severity::Info, "not needed", "not-enrolled");
                self.mark(Left::Nothing);
                Some(Entry::NotNeeded)
            }
            // Only someone who has passed the first factor signs in for the first time.
            (Need::Enrolment, None) if stage == Stage::After => Some(self.waived()),
            (Need::Enrolment | Need::Nothing, _) => Some(self.not_enrolled()),
        }
    }

    /// What whoever must have a second factor, and has none, gets where neither the line nor postern.toml says what.
    pub(crate) fn waived(&self) -> Entry {
        match self.desk.waive(&self.visitor(Stage::After)) {
            Err(error) => self.unavailable(&error),
            Ok(None) => self.not_enrolled(),
            Ok(Some(waiver)) => {
                self.host.tell(&words::waived(waiver));
                self.log(Severity::Notice, "not needed", waiver.name());
                self.mark(Left::Nothing);
                Entry::NotNeeded
            }
        }
    }

    fn not_enrolled(&self) -> Entry {
        self.log(Severity::Notice, "refused", "not-enrolled");
        Entry::Denied(Denial::Refused)
    }

    fn exempt(&self, rule: usize) -> Entry {
        self.log(Severity::Info, "not needed", &format!("policy.exempt-{rule}"));
        self.mark(Left::Nothing);
        Entry::NotNeeded
    }

    /// Whoever gave a code from this address a while ago passes; `None` if one is asked.
    fn by_grace(&self) -> Option<Entry> {
        if self.settings.grace.seconds() == 0 || self.origin.address().is_none() {
            return None;
        }
        match self.desk.grace(&self.visitor(Stage::After), self.settings.grace) {
            Err(error) => Some(self.unavailable(&error)),
            Ok(Spared::No) => None,
            Ok(Spared::Yes) => {
                self.log(Severity::Info, "not needed", "grace");
                self.mark(Left::Nothing);
                // not PAM_IGNORE: this person needs a code here, and gave it earlier
                Some(Entry::Passed)
            }
        }
    }

    fn passed(&self, by: &str, left: Left) -> Entry {
        self.log(Severity::Info, "accepted", by);
        self.mark(left);
        Entry::Passed
    }

    fn mark(&self, left: Left) {
        self.host.remember(Mark { user: self.user.clone(), left }.to_bytes());
    }

    /// What a success brings, told to whoever got in.
    pub(crate) fn tell(&self, told: &[String]) {
        for text in told {
            self.host.tell(text);
        }
    }

    /// Who judges.
    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    pub(crate) fn visitor(&self, stage: Stage) -> Visitor<'_> {
        Visitor {
            name: &self.user,
            stage,
            origin: &self.origin,
            browser: None,
            service: self.service.as_str(),
        }
    }

    pub(crate) fn unavailable(&self, error: &(dyn std::error::Error + 'static)) -> Entry {
        self.log(Severity::Error, "refused", &format!("{}: {error}", store::cause(error)));
        Entry::Denied(Denial::Unavailable)
    }

    /// One line in a fixed format: the words before the user never hold what a stranger typed, and the user
    /// comes quoted.
    pub(crate) fn log(&self, severity: Severity, result: &str, cause: &str) {
        if self.settings.quiet && severity == Severity::Info {
            return;
        }
        let address = self.origin.address().map_or_else(|| "-".to_owned(), |address| address.to_string());
        let (cause, detail) = match cause.split_once(": ") {
            Some((cause, detail)) => (cause, format!(": {detail}")),
            None => (cause, String::new()),
        };
        let line = format!(
            "{result} cause={cause} address={address} service={} user={:?}{detail}",
            self.service,
            self.user.as_str()
        );
        self.host.log(severity, &line);
        if self.debug {
            let Front { origin, earlier, settings, .. } = self.front;
            let origin =
                format!("origin={origin} first_factor={:?} earlier={earlier}", settings.first_factor);
            self.host.log(Severity::Debug, &origin);
        }
    }
}

/// postern.toml, or its last valid copy with a line in the log.
fn configuration(host: &dyn Host, path: &std::path::Path) -> Result<Config, ConfigError> {
    let in_force = file::in_force(path)?;
    if let Some(problem) = in_force.problem {
        let copy = file::copy_path(path);
        host.log(
            Severity::Error,
            &format!("{problem}; going by {} until it is mended: postern edit", copy.display()),
        );
    }
    Ok(in_force.config)
}
