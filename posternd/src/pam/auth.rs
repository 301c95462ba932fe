//! The `auth` line: asks for the code. From the prompt to the desk that judges and back; it is gone to after the
//! prompt, and nothing is held across it.

use super::auth_token::HostMark;
use super::engine_access::{Granted, PamRefusal, PolicyReply, Ruled};
use super::entry::{Front, PamEntry, misconfigured};
use super::host::{NoAnswer, PamHost};
use super::input::{InputSource, PromptInputs, TypedInput, hand_on};
use super::log::LogFields;
use super::options::{OptionValue, PamOptions};
use super::user;
use shared::account::second_factor::MailStatus;
use shared::config::{FirstFactorState, PamConfig, UnenrolledAction};
use shared::credential::app_password::AppPassword;
use shared::credential::completed_methods::CompletedMethods;
use shared::credential::input::InputReading;
use shared::engine::messages;
use shared::policy::requirement::Requirement;
use shared::protocol::{Denial, PamFunctionResult, Severity};
use shared::verify::throttle::Phase;

/// The letter that asks for a code by mail.
const MAIL: &[u8] = b"m";

/// `auth … pam_totp.so`. What an earlier one of the same transaction left is removed first: a host may authenticate
/// several times on one handle.
pub(super) fn authenticate(host: &dyn PamHost, words: &[String]) -> PamFunctionResult {
    if let Err(error) = host.forget() {
        LogFields::of_host(host).write(
            host,
            Severity::Error,
            "refused",
            "unavailable",
            Some(&error),
        );
        return PamFunctionResult::Denied(Denial::Unavailable);
    }
    let options = match PamOptions::read(words) {
        Ok(options) => options,
        Err(error) => return misconfigured(host, &error),
    };
    if options.proven() {
        return prove(host, &options);
    }
    let front = match Front::open(host, &options) {
        Ok(front) => front,
        Err(denial) => return PamFunctionResult::Denied(denial),
    };
    if let Some(seconds) = front.settings.fail_delay {
        host.delay_failure(seconds);
    }
    let stage = match front.settings.first_factor {
        FirstFactorState::Passed => Phase::After,
        FirstFactorState::Unknown if !front.earlier.is_empty() => Phase::After,
        FirstFactorState::Unknown => Phase::Before,
    };
    let line = match front.line() {
        Ok(line) => line,
        Err(denial) => {
            // Where anyone may be typing, a name that nobody can have meets the same prompt and text.
            if stage == Phase::Before {
                let _ = PromptInputs::one(host, &front.settings).next(&front.settings.prompt);
                host.tell(messages::BEFORE_FIRST_FACTOR);
            }
            return PamFunctionResult::Denied(denial);
        }
    };
    match (front.settings.takes, stage) {
        (OptionValue::AppPasswords, _) => line.ask_for_app_password(),
        (OptionValue::Anything, Phase::After) => line.ask_kindly(),
        (OptionValue::Anything, Phase::Before) => line.ask_everyone_alike(),
    }
}

/// `auth … pam_totp.so proven`: asks nothing. A configuration that cannot be read is for the line that asks to
/// refuse and to log; here the service's name decides.
fn prove(host: &dyn PamHost, options: &PamOptions) -> PamFunctionResult {
    let service = user::service(host);
    let in_force = host.configuration(&options.config_path());
    let pam = in_force.map_or_else(|_| PamConfig::default(), |file| file.config.pam);
    match user::earlier(host, options.settings(&pam, service.as_str()).sshd).is_empty() {
        true => PamFunctionResult::NotNeeded,
        false => PamFunctionResult::Passed,
    }
}

impl PamEntry<'_> {
    /// After the first factor: whoever needs no code passes, refusals say why, and there are several tries.
    fn ask_kindly(&self) -> PamFunctionResult {
        let earlier = user::earlier_behind(self.host, self.settings.sshd);
        let policy = match self.desk.need(&self.person(Phase::After), &earlier) {
            Ok(found) => found,
            Err(error) => return self.unavailable(&error),
        };
        let nobody_enrolled = matches!(policy.need, Requirement::Enrollment | Requirement::Nothing);
        if nobody_enrolled && self.settings.unenrolled == Some(UnenrolledAction::Enroll) {
            return self.set_up();
        }
        let mail = policy.mail;
        match self.without_code(policy, Phase::After) {
            None => match self.by_grace() {
                None => self.ask_for_code(mail),
                Some(PamFunctionResult::Denied(denial)) => PamFunctionResult::Denied(denial),
                Some(entry) => self
                    .hand_on_alone()
                    .map_or_else(|denied| denied, |()| entry),
            },
            Some(PamFunctionResult::Denied(Denial::Refused)) => {
                self.host.tell(messages::NOT_ENROLLED);
                PamFunctionResult::Denied(Denial::Refused)
            }
            Some(PamFunctionResult::Denied(denial)) => PamFunctionResult::Denied(denial),
            Some(entry) => self
                .hand_on_alone()
                .map_or_else(|denied| denied, |()| entry),
        }
    }

    fn ask_for_code(&self, mail: MailStatus) -> PamFunctionResult {
        let mut answers = PromptInputs::several(self.host, &self.settings);
        let mut mails = 0;
        let mut said: Option<String> = None;
        let mut denial = Denial::Refused;
        while let Some(typed) = answers.next(&self.prompt(said.as_deref(), mail)) {
            let typed = match typed {
                Ok(typed) => typed,
                Err(NoAnswer) => return self.cancelled(),
            };
            if mail == MailStatus::On && typed.text.trim_ascii().eq_ignore_ascii_case(MAIL) {
                said = match self.mail() {
                    Ok(said) => Some(said),
                    Err(denied) => return denied,
                };
                mails += 1;
                if mails < self.settings.tries {
                    answers.give_back();
                }
                continue;
            }
            let refusal = match self.judge(Phase::After, &typed) {
                Err(denied) => return denied,
                Ok(Ruled::Accepted {
                    granted,
                    told,
                    taken,
                }) => {
                    hand_on(self.host, &self.settings, &typed, taken);
                    self.tell(&told);
                    return self.passed(granted);
                }
                Ok(Ruled::Refused { refusal, .. }) => refusal,
            };
            // What an earlier module asked for may be a password alone, where the code is asked for here.
            if typed.source == InputSource::Stacked && refusal.cause == "malformed" {
                said = None;
                continue;
            }
            if typed.source == InputSource::Prompt {
                denial = Denial::TooManyTries;
            }
            self.refused(&refusal);
            said = Some(refusal.words);
        }
        match said {
            Some(said) => self.host.tell(&said),
            None => self.log(
                Severity::Notice,
                "refused",
                "no-input: no earlier module asked for a code",
            ),
        }
        PamFunctionResult::Denied(denial)
    }

    /// What was said of the last answer, what else may be typed, and the prompt.
    fn prompt(&self, said: Option<&str>, mail: MailStatus) -> String {
        let offer = match mail {
            MailStatus::On => Some(messages::MAIL_OFFER),
            MailStatus::Off => None,
        };
        let lines: Vec<&str> = said
            .into_iter()
            .chain(offer)
            .chain([self.settings.prompt.as_str()])
            .collect();
        lines.join("\n")
    }

    /// Has a code mailed; what there is to say.
    fn mail(&self) -> Result<String, PamFunctionResult> {
        match self.desk.mail(&self.person(Phase::After)) {
            Err(error) => Err(self.unavailable(&error)),
            Ok(Ok(told)) => Ok(told),
            Ok(Err(PamRefusal { cause, words })) => {
                self.log(Severity::Notice, "not mailed", &cause);
                Ok(words)
            }
        }
    }

    /// Before the first factor: one prompt, one text, one timing for everyone.
    fn ask_everyone_alike(&self) -> PamFunctionResult {
        let person = self.person(Phase::Before);
        let exempts = self
            .config
            .policy
            .exempts_everyone(self.service.as_str(), self.origin.certain_address());
        if let Some(rule) = exempts.filter(|_| self.desk.believes_claims()) {
            // A store that cannot be read closes this door too.
            return match self.desk.need(&person, &CompletedMethods::default()) {
                Err(error) => self.unavailable(&error),
                Ok(policy) => self
                    .hand_on_alone()
                    .map_or_else(|denied| denied, |()| self.exempt(rule, policy.mark)),
            };
        }
        let typed = match PromptInputs::one(self.host, &self.settings).next(&self.settings.prompt) {
            Some(Ok(typed)) => typed,
            Some(Err(NoAnswer)) => return self.cancelled(),
            None => TypedInput {
                text: Default::default(),
                source: InputSource::Stacked,
            },
        };
        let ruled = self.judge(Phase::Before, &typed);
        self.host.tell(messages::BEFORE_FIRST_FACTOR);
        let ruled = match ruled {
            Ok(ruled) => ruled,
            Err(denied) => return denied,
        };
        // asked for everyone, so that it takes everyone as long
        let policy = self.desk.need(&person, &CompletedMethods::default());
        match (ruled, policy) {
            (Ruled::Accepted { granted, taken, .. }, _) => {
                hand_on(self.host, &self.settings, &typed, taken);
                self.passed(granted)
            }
            (Ruled::Refused { .. }, Err(error)) => self.unavailable(&error),
            (Ruled::Refused { refusal, taken }, Ok(policy)) => {
                let entry = self.without_code(policy, Phase::Before);
                hand_on(
                    self.host,
                    &self.settings,
                    &typed,
                    if entry.is_some() { 0 } else { taken },
                );
                entry.unwrap_or_else(|| {
                    self.refused(&refusal);
                    PamFunctionResult::Denied(Denial::Refused)
                })
            }
        }
    }

    /// An app password and nothing else, whoever stands there; what is none is not looked at any further.
    fn ask_for_app_password(&self) -> PamFunctionResult {
        let typed = match PromptInputs::one(self.host, &self.settings).next(&self.settings.prompt) {
            Some(Ok(typed)) => typed,
            Some(Err(NoAnswer)) => return self.cancelled(),
            None => TypedInput {
                text: Default::default(),
                source: InputSource::Stacked,
            },
        };
        let is_one =
            std::str::from_utf8(&typed.text).is_ok_and(|text| AppPassword::parse(text).is_ok());
        let ruled = match is_one {
            true => self.judge(Phase::Before, &typed),
            false => Ok(Ruled::Refused {
                refusal: PamRefusal {
                    cause: "malformed".to_owned(),
                    words: String::new(),
                },
                taken: 0,
            }),
        };
        match ruled {
            Err(denied) => denied,
            Ok(Ruled::Accepted { granted, .. }) => self.passed(granted),
            // another line would judge it again
            Ok(Ruled::Refused { refusal, .. })
                if is_one || self.settings.reading == InputReading::Whole =>
            {
                self.refused(&refusal);
                PamFunctionResult::Denied(Denial::Refused)
            }
            // what goes on to another line is for that one to refuse
            Ok(Ruled::Refused { .. }) => {
                hand_on(self.host, &self.settings, &typed, 0);
                PamFunctionResult::Denied(Denial::Refused)
            }
        }
    }

    fn judge(&self, stage: Phase, typed: &TypedInput) -> Result<Ruled, PamFunctionResult> {
        let ruled = self
            .desk
            .judge(&self.person(stage), &typed.text, self.settings.reading);
        ruled.map_err(|error| self.unavailable(&error))
    }

    /// Nobody needs a code here, but the next module wants a password of this line.
    fn hand_on_alone(&self) -> Result<(), PamFunctionResult> {
        if self.settings.reading == InputReading::CodeAtEnd && self.host.stacked().is_none() {
            match PromptInputs::one(self.host, &self.settings).next(&self.settings.prompt) {
                Some(Ok(typed)) => hand_on(self.host, &self.settings, &typed, 0),
                Some(Err(NoAnswer)) => return Err(self.cancelled()),
                None => {}
            }
        }
        Ok(())
    }

    /// What whoever needs no code gets, or whoever should have one and cannot; `None` if the code decides.
    fn without_code(&self, policy: PolicyReply, stage: Phase) -> Option<PamFunctionResult> {
        match (policy.need, self.settings.unenrolled) {
            (Requirement::Exempt(rule), _) => Some(self.exempt(rule, policy.mark)),
            (Requirement::Code, _) => None,
            (_, Some(UnenrolledAction::Allow)) | (Requirement::Nothing, None) => {
                self.log(Severity::Info, "not needed", "not-enrolled");
                Some(self.not_needed(policy.mark))
            }
            // Only someone who has passed the first factor signs in for the first time.
            (Requirement::Enrollment, None) if stage == Phase::After => Some(self.waived()),
            (Requirement::Enrollment | Requirement::Nothing, _) => Some(self.not_enrolled()),
        }
    }

    /// Whoever gave a code from this address a while ago passes; `None` if one is asked.
    fn by_grace(&self) -> Option<PamFunctionResult> {
        if self.settings.grace.seconds() == 0 || self.origin.certain_address().is_none() {
            return None;
        }
        match self
            .desk
            .grace(&self.person(Phase::After), self.settings.grace)
        {
            Err(error) => Some(self.unavailable(&error)),
            Ok(None) => None,
            // not PAM_IGNORE: this person needs a code here, and gave it earlier
            Ok(Some(granted)) => Some(self.passed_as("not needed", granted)),
        }
    }

    fn exempt(&self, rule: usize, mark: Option<HostMark>) -> PamFunctionResult {
        self.log(
            Severity::Info,
            "not needed",
            &format!("policy.exempt-{rule}"),
        );
        self.not_needed(mark)
    }

    /// No code is needed. Without a mark the guard asks the policy anew.
    fn not_needed(&self, mark: Option<HostMark>) -> PamFunctionResult {
        if let Some(mark) = mark {
            self.mark(Some(&mark));
        }
        PamFunctionResult::NotNeeded
    }

    /// The line passes, by what was decided and nothing else.
    pub(crate) fn passed(&self, granted: Granted) -> PamFunctionResult {
        self.passed_as("accepted", granted)
    }

    fn passed_as(&self, result: &str, granted: Granted) -> PamFunctionResult {
        let (by, mark) = granted.into_parts();
        self.log(Severity::Info, result, &by);
        self.mark(mark.as_ref());
        PamFunctionResult::Passed
    }

    fn refused(&self, refusal: &PamRefusal) {
        self.log(Severity::Notice, "refused", &refusal.cause);
    }
}
