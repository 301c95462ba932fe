//! The `auth` line: asks for the code. From the prompt to the store and back; the store is opened after the
//! prompt, and nothing is held across it.

use crate::caller;
use crate::entry::{Denial, Entry};
use crate::host::{Host, Severity};
use crate::mark::Mark;
use crate::options::{Options, Settings};
use shared::account::Enrolled;
use shared::answer::Answer;
use shared::clock;
use shared::config::file::{self, ConfigError};
use shared::config::{Config, FirstFactor, Unenrolled};
use shared::decision::{Refusal, Spent, Verdict};
use shared::door::{Door, DoorError, Means, Outcome, Visitor};
use shared::guess::Stage;
use shared::name::UserName;
use shared::place::Origin;
use shared::policy::{Need, Subject};
use shared::words;

/// One line of a service file at work.
pub(crate) struct Line<'a> {
    host: &'a dyn Host,
    config: Config,
    pub(crate) settings: Settings,
    pub(crate) user: UserName,
    service: String,
    origin: Origin,
    debug: bool,
}

/// `auth … pam_totp.so`
pub(crate) fn authenticate(host: &dyn Host, words: &[String]) -> Entry {
    let options = match Options::read(words) {
        Ok(options) => options,
        Err(error) => return misconfigured(host, &error),
    };
    let line = match Line::open(host, &options) {
        Ok(line) => line,
        Err(denial) => return Entry::Denied(denial),
    };
    if options.proven() {
        return match caller::earlier_factor(host, line.settings.sshd) {
            true => Entry::Passed,
            false => Entry::NotNeeded,
        };
    }
    let after =
        line.settings.first_factor == FirstFactor::Passed || caller::earlier_factor(host, line.settings.sshd);
    if after { line.ask_kindly() } else { line.ask_everyone_alike() }
}

pub(crate) fn misconfigured(host: &dyn Host, error: &dyn std::fmt::Display) -> Entry {
    host.log(Severity::Error, &format!("refused cause=misconfigured: {error}"));
    Entry::Denied(Denial::Misconfigured)
}

impl<'a> Line<'a> {
    /// Reads the configuration and who stands at the line.
    pub(crate) fn open(host: &'a dyn Host, options: &Options) -> Result<Line<'a>, Denial> {
        let service = caller::service(host);
        let config = configuration(host, &options.config_path()).map_err(|error| {
            misconfigured(host, &error);
            Denial::Misconfigured
        })?;
        let settings = options.settings(&config.pam, &service);
        let origin = caller::origin(host, settings.sshd);
        let user = caller::user(host).map_err(|error| {
            host.log(
                Severity::Notice,
                &format!("refused cause=bad-name address={origin} service={service}: {error}"),
            );
            // Where anyone may be typing, a bad name gets the same prompt as a good one.
            if settings.first_factor == FirstFactor::Unknown {
                let _ = host.ask(&settings.prompt, settings.echo);
                host.tell(words::BEFORE_FIRST_FACTOR);
            }
            Denial::BadName
        })?;
        Ok(Line { host, config, settings, user, service, origin, debug: options.debug() })
    }

    /// After the first factor: whoever needs no code passes, refusals say why, and there are several tries.
    fn ask_kindly(&self) -> Entry {
        let enrolled = match self.door().and_then(|mut door| door.enrolled(&self.user)) {
            Ok(enrolled) => enrolled,
            Err(error) => return self.unavailable(&error),
        };
        if let Some(entry) = self.without_code(enrolled) {
            if let Entry::Denied(_) = entry {
                self.host.tell(words::NOT_ENROLLED);
            }
            return entry;
        }
        let mut reason: Option<String> = None;
        for _ in 0..self.settings.tries {
            let prompt = match &reason {
                Some(reason) => format!("{reason}\n{}", self.settings.prompt),
                None => self.settings.prompt.clone(),
            };
            let outcome = match self.one_try(&prompt, Stage::After) {
                Ok(outcome) => outcome,
                Err(entry) => return entry,
            };
            match outcome.verdict {
                Verdict::Accepted(accepted) => {
                    self.tell_success(outcome.missed.as_ref(), outcome.recovery_codes_left);
                    return self.passed(means(accepted.spent()), None);
                }
                Verdict::Refused(refusal) => {
                    self.log_refusal(refusal);
                    reason = Some(words::refusal(refusal));
                }
            }
        }
        self.host.tell(&reason.unwrap_or_default());
        Entry::Denied(Denial::TooManyTries)
    }

    /// Before the first factor: one prompt, one text, one timing for everyone.
    fn ask_everyone_alike(&self) -> Entry {
        if let Some(rule) = self.config.policy.exempts_everyone(&self.service, self.origin.address()) {
            return self.exempt(rule);
        }
        let outcome = match self.one_try(&self.settings.prompt, Stage::Before) {
            Ok(outcome) => outcome,
            Err(entry) => return entry,
        };
        self.host.tell(words::BEFORE_FIRST_FACTOR);
        let enrolled = match self.door().and_then(|mut door| door.enrolled(&self.user)) {
            Ok(enrolled) => enrolled,
            Err(error) => return self.unavailable(&error),
        };
        if let Verdict::Accepted(accepted) = outcome.verdict {
            let means = means(accepted.spent());
            return self.passed(means, Some(means));
        }
        if let Some(entry) = self.without_code(enrolled) {
            return entry;
        }
        if let Verdict::Refused(refusal) = outcome.verdict {
            self.log_refusal(refusal);
        }
        Entry::Denied(Denial::Refused)
    }

    /// Prompts once, then opens the store and has the answer judged.
    fn one_try(&self, prompt: &str, stage: Stage) -> Result<Outcome, Entry> {
        let typed = self.host.ask(prompt, self.settings.echo).map_err(|_| {
            self.log(Severity::Notice, "refused", "no-answer");
            Entry::Denied(Denial::Conversation)
        })?;
        let answer = Answer::read(&typed);
        let now = clock::now().map_err(|error| self.unavailable(&error))?;
        let visitor = self.visitor(stage);
        let judged = self.door().and_then(|mut door| door.attempt(&visitor, &answer, now));
        judged.map_err(|error| self.unavailable(&error))
    }

    /// What whoever needs no code gets, or whoever should have one and cannot; `None` if the code decides.
    fn without_code(&self, enrolled: Enrolled) -> Option<Entry> {
        let need = self.need(enrolled);
        match (need, enrolled, self.settings.unenrolled) {
            (Need::Exempt(rule), ..) => Some(self.exempt(rule)),
            (_, Enrolled::Yes, _) => None,
            (_, Enrolled::No, Some(Unenrolled::Allow)) | (Need::Nothing, Enrolled::No, None) => {
                self.log(Severity::Info, "not needed", "not-enrolled");
                self.mark(None);
                Some(Entry::NotNeeded)
            }
            (_, Enrolled::No, _) => {
                self.log(Severity::Notice, "refused", "not-enrolled");
                Some(Entry::Denied(Denial::Refused))
            }
        }
    }

    /// What the policy says of this person here.
    pub(crate) fn need(&self, enrolled: Enrolled) -> Need {
        let mut groups = match self.config.policy.asks_groups() {
            true => caller::groups(&self.user),
            false => Vec::new(),
        };
        if let Some(declared) = self.config.declared(&self.user) {
            groups.extend(declared.groups.iter().cloned());
        }
        let subject = Subject {
            name: &self.user,
            groups: &groups,
            service: &self.service,
            address: self.origin.address(),
        };
        self.config.policy.need(&subject, enrolled)
    }

    fn exempt(&self, rule: usize) -> Entry {
        self.log(Severity::Info, "not needed", &format!("policy.exempt-{rule}"));
        self.mark(None);
        Entry::NotNeeded
    }

    fn passed(&self, means: Means, unbooked: Option<Means>) -> Entry {
        self.log(Severity::Info, "accepted", means.name());
        self.mark(unbooked);
        Entry::Passed
    }

    fn mark(&self, unbooked: Option<Means>) {
        self.host.remember(Mark { user: self.user.clone(), unbooked }.to_bytes());
    }

    fn tell_success(&self, missed: Option<&shared::store::Missed>, codes_left: Option<usize>) {
        if let Some(missed) = missed {
            self.host.tell(&words::missed(missed));
        }
        if let Some(left) = codes_left {
            self.host.tell(&words::recovery_codes_left(left));
        }
    }

    /// Opens the store; the configuration was read at the start of the line.
    pub(crate) fn door(&self) -> Result<Door, DoorError> {
        Door::open(self.config.clone())
    }

    pub(crate) fn visitor(&self, stage: Stage) -> Visitor<'_> {
        Visitor { name: &self.user, stage, origin: &self.origin, browser: None, service: &self.service }
    }

    pub(crate) fn unavailable(&self, error: &dyn std::fmt::Display) -> Entry {
        self.log(Severity::Error, "refused", &format!("unavailable: {error}"));
        Entry::Denied(Denial::Unavailable)
    }

    fn log_refusal(&self, refusal: Refusal) {
        self.log(Severity::Notice, "refused", &refusal.to_string());
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
            let origin = format!("origin={} first_factor={:?}", self.origin, self.settings.first_factor);
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

fn means(spent: Spent) -> Means {
    match spent {
        Spent::Step(..) => Means::Code,
        Spent::RecoveryCode(_) => Means::RecoveryCode,
    }
}
