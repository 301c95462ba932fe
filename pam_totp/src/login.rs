//! The `auth` line: asks for the code. From the prompt to the store and back; the store is opened after the
//! prompt, and nothing is held across it.

use crate::caller::{self, UserError};
use crate::entry::{Denial, Entry};
use crate::host::{Host, Severity};
use crate::mark::Mark;
use crate::options::{Options, Settings};
use shared::account::Enrolled;
use shared::answer::Answer;
use shared::app_password::AppPassword;
use shared::clock;
use shared::config::file::{self, ConfigError};
use shared::config::{Config, FirstFactor, Pam, Unenrolled};
use shared::decision::{Admission, NotAdmitted, Verdict};
use shared::door::{Door, DoorError, Means, Membership, Outcome, Recovered, Visitor};
use shared::groups::GroupsError;
use shared::guess::Stage;
use shared::name::UserName;
use shared::place::Origin;
use shared::policy::{Need, Subject};
use shared::store::{self, Missed};
use shared::words;
use std::fmt::Display;
use std::ops::Deref;

/// By what someone got in, as logs name it.
const APP_PASSWORD: &str = "app-password";

/// What came of an answer.
enum Judged {
    /// It was a code, or none at all.
    Code(Outcome),
    /// It was an app password.
    AppPassword(Result<Admission, NotAdmitted>),
}

/// A line of a service file: what is known before it is known who stands there.
pub(crate) struct Front<'a> {
    host: &'a dyn Host,
    config: Config,
    pub(crate) settings: Settings,
    service: String,
    origin: Origin,
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
    let earlier_factor = caller::earlier_factor(host, front.settings.sshd);
    let stage = match front.settings.first_factor {
        FirstFactor::Passed => Stage::After,
        FirstFactor::Unknown if earlier_factor => Stage::After,
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
    match caller::earlier_factor(host, options.settings(&pam, &service).sshd) {
        true => Entry::Passed,
        false => Entry::NotNeeded,
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
        let settings = options.settings(&config.pam, &service);
        let origin = caller::origin(host, settings.sshd);
        Ok(Front { host, config, settings, service, origin, debug: options.debug() })
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
        let membership = match self.door().and_then(|mut door| door.membership(&self.user)) {
            Ok(membership) => membership,
            Err(error) => return self.unavailable(&error),
        };
        if let Some(entry) = self.without_code(&membership, Stage::After) {
            if entry == Entry::Denied(Denial::Refused) {
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
                Ok(Judged::Code(outcome)) => outcome,
                Ok(Judged::AppPassword(Ok(_))) => return self.passed(APP_PASSWORD, None),
                Ok(Judged::AppPassword(Err(refusal))) => {
                    self.log_refusal(refusal);
                    reason = Some(words::not_admitted(refusal));
                    continue;
                }
                Err(entry) => return entry,
            };
            match outcome.verdict {
                Verdict::Accepted(accepted) => {
                    self.tell_success(outcome.missed.as_ref(), outcome.recovery);
                    return self.passed(Means::from(accepted.spent()).name(), None);
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
            // A store that cannot be read closes this door too.
            return match self.door() {
                Ok(_) => self.exempt(rule),
                Err(error) => self.unavailable(&error),
            };
        }
        let judged = self.one_try(&self.settings.prompt, Stage::Before);
        if judged.as_ref().err() == Some(&Entry::Denied(Denial::Conversation)) {
            return Entry::Denied(Denial::Conversation);
        }
        self.host.tell(words::BEFORE_FIRST_FACTOR);
        let judged = match judged {
            Ok(judged) => judged,
            Err(entry) => return entry,
        };
        let membership = match self.door().and_then(|mut door| door.membership(&self.user)) {
            Ok(membership) => membership,
            Err(error) => return self.unavailable(&error),
        };
        let cause = match judged {
            Judged::AppPassword(Ok(_)) => return self.passed(APP_PASSWORD, None),
            Judged::AppPassword(Err(refusal)) => refusal.to_string(),
            Judged::Code(Outcome { verdict: Verdict::Accepted(accepted), .. }) => {
                let means = Means::from(accepted.spent());
                return self.passed(means.name(), Some(means));
            }
            Judged::Code(Outcome { verdict: Verdict::Refused(refusal), .. }) => refusal.to_string(),
        };
        self.without_code(&membership, Stage::Before).unwrap_or_else(|| {
            self.log_refusal(cause);
            Entry::Denied(Denial::Refused)
        })
    }

    /// Prompts once, then opens the store and has the answer judged.
    fn one_try(&self, prompt: &str, stage: Stage) -> Result<Judged, Entry> {
        let typed = self.host.ask(prompt, self.settings.echo).map_err(|_| {
            self.log(Severity::Notice, "refused", "cancelled");
            Entry::Denied(Denial::Conversation)
        })?;
        let app_password = std::str::from_utf8(&typed).ok().and_then(|text| AppPassword::read(text).ok());
        let answer = Answer::read(&typed);
        let now = clock::now().map_err(|error| self.unavailable(&error))?;
        let visitor = self.visitor(stage);
        let judged = self.door().and_then(|mut door| match &app_password {
            Some(typed) => door.admit(&visitor, typed, now).map(Judged::AppPassword),
            None => door.attempt(&visitor, &answer, now).map(Judged::Code),
        });
        judged.map_err(|error| self.unavailable(&error))
    }

    /// What whoever needs no code gets, or whoever should have one and cannot; `None` if the code decides.
    fn without_code(&self, membership: &Membership, stage: Stage) -> Option<Entry> {
        let need = match self.need(membership) {
            Ok(need) => need,
            Err(error) => return Some(self.unavailable(&error)),
        };
        match (need, membership.enrolled, self.settings.unenrolled) {
            (Need::Exempt(rule), ..) => Some(self.exempt(rule)),
            (_, Enrolled::Yes, _) => None,
            (_, Enrolled::No, Some(Unenrolled::Allow)) | (Need::Nothing, Enrolled::No, None) => {
                self.log(Severity::Info, "not needed", "not-enrolled");
                self.mark(None);
                Some(Entry::NotNeeded)
            }
            // Only someone who has passed the first factor signs in for the first time.
            (Need::Enrolment, Enrolled::No, None) if stage == Stage::After => Some(self.waived()),
            (_, Enrolled::No, _) => Some(self.not_enrolled()),
        }
    }

    /// What whoever must have a second factor, and has none, gets where neither the line nor postern.toml says what.
    pub(crate) fn waived(&self) -> Entry {
        let now = match clock::now() {
            Ok(now) => now,
            Err(error) => return self.unavailable(&error),
        };
        let waived = match self.door() {
            Ok(mut door) => door.waive(&self.visitor(Stage::After), now),
            Err(error) => return self.unavailable(&error),
        };
        match waived {
            Err(error) => self.unavailable(&error),
            Ok(None) => self.not_enrolled(),
            Ok(Some(waiver)) => {
                self.host.tell(&words::waived(waiver));
                self.log(Severity::Notice, "not needed", waiver.name());
                self.mark(None);
                Entry::NotNeeded
            }
        }
    }

    fn not_enrolled(&self) -> Entry {
        self.log(Severity::Notice, "refused", "not-enrolled");
        Entry::Denied(Denial::Refused)
    }

    /// What the policy says of this person here.
    pub(crate) fn need(&self, membership: &Membership) -> Result<Need, GroupsError> {
        let groups = self.config.groups_of(&self.user, &membership.groups)?;
        let subject = Subject {
            name: &self.user,
            groups: &groups,
            service: &self.service,
            address: self.origin.address(),
        };
        Ok(self.config.policy.need(&subject, membership.enrolled))
    }

    fn exempt(&self, rule: usize) -> Entry {
        self.log(Severity::Info, "not needed", &format!("policy.exempt-{rule}"));
        self.mark(None);
        Entry::NotNeeded
    }

    fn passed(&self, means: &str, unbooked: Option<Means>) -> Entry {
        self.log(Severity::Info, "accepted", means);
        self.mark(unbooked);
        Entry::Passed
    }

    fn mark(&self, unbooked: Option<Means>) {
        self.host.remember(Mark { user: self.user.clone(), unbooked }.to_bytes());
    }

    /// What a success brings, told to whoever got in.
    pub(crate) fn tell_success(&self, missed: Option<&Missed>, recovery: Option<Recovered>) {
        for text in [missed.map(words::missed), recovery.map(words::recovered)].into_iter().flatten() {
            self.host.tell(&text);
        }
    }

    /// Opens the store; the configuration was read at the start of the line.
    pub(crate) fn door(&self) -> Result<Door, DoorError> {
        Door::open(self.config.clone())
    }

    pub(crate) fn visitor(&self, stage: Stage) -> Visitor<'_> {
        Visitor { name: &self.user, stage, origin: &self.origin, browser: None, service: &self.service }
    }

    pub(crate) fn unavailable(&self, error: &(dyn std::error::Error + 'static)) -> Entry {
        self.log(Severity::Error, "refused", &format!("{}: {error}", store::cause(error)));
        Entry::Denied(Denial::Unavailable)
    }

    fn log_refusal(&self, refusal: impl Display) {
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
