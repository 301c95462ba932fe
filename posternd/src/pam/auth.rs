//! The `auth` line: asks for the code. From the prompt to the desk that judges and back; it is gone to after the
//! prompt, and nothing is held across it.

use super::entry::{PamConversation, PamServiceContext, deny_misconfigured};
use super::host::{NoAnswer, PamHost};
use super::input::{InputSource, PromptInputs, TypedInput, forward_password};
use super::log::LogFields;
use super::options::{AcceptedCredentials, PamOptions};
use super::user;
use shared::account::second_factor::MailStatus;
use shared::config::{FirstFactorState, PamConfig, UnenrolledAction};
use shared::credential::app_password::AppPassword;
use shared::credential::input::InputReading;
use shared::engine::{PamContext, PamGrant, PamRefusal, PamRequirement, PamVerification, messages};
use shared::policy::requirement::Requirement;
use shared::protocol::command_request::TypedText;
use shared::protocol::{Denial, PamFunctionResult, Severity};
use shared::verify::throttle::Phase;

/// The letter that asks for a code by mail.
const MAIL: &[u8] = b"m";

/// `auth … pam_totp.so`. What an earlier one of the same transaction left is removed first: a host may authenticate
/// several times on one handle.
pub(super) fn authenticate(host: &dyn PamHost, words: &[String]) -> PamFunctionResult {
    if let Err(error) = host.remove_mark() {
        LogFields::of_host(host).write(
            host,
            Severity::Error,
            "refused",
            "unavailable",
            Some(&error),
        );
        return PamFunctionResult::Denied(Denial::Unavailable);
    }
    let options = match PamOptions::parse(words) {
        Ok(options) => options,
        Err(error) => return deny_misconfigured(host, &error),
    };
    if options.proven() {
        return check_completed_methods(host, &options);
    }
    let context = match PamServiceContext::open(host, &options) {
        Ok(context) => context,
        Err(denial) => return PamFunctionResult::Denied(denial),
    };
    if let Some(seconds) = context.settings.fail_delay {
        host.delay_failure(seconds);
    }
    let phase = match context.settings.first_factor {
        FirstFactorState::Passed => Phase::After,
        FirstFactorState::Unknown if !context.completed_methods.is_nothing() => Phase::After,
        FirstFactorState::Unknown => Phase::Before,
    };
    let conversation = match context.identify_user() {
        Ok(conversation) => conversation,
        Err(denial) => {
            // Where anyone may be typing, a name that nobody can have meets the same prompt and text.
            if phase == Phase::Before {
                let _ = PromptInputs::single(host, &context.settings)
                    .read_input(&context.settings.prompt);
                host.show_message(messages::BEFORE_FIRST_FACTOR);
            }
            return PamFunctionResult::Denied(denial);
        }
    };
    match (context.settings.accepts, phase) {
        (AcceptedCredentials::AppPasswords, _) => conversation.ask_for_app_password(),
        (AcceptedCredentials::All, Phase::After) => conversation.authenticate_after_first_factor(),
        (AcceptedCredentials::All, Phase::Before) => {
            conversation.authenticate_before_first_factor()
        }
    }
}

/// `auth … pam_totp.so proven`: asks nothing. A configuration that cannot be read is for the line that asks to
/// refuse and to log; here the service's name decides.
fn check_completed_methods(host: &dyn PamHost, options: &PamOptions) -> PamFunctionResult {
    let service = user::read_service(host);
    let in_force = host.load_configuration(&options.config_path());
    let pam = in_force.map_or_else(|_| PamConfig::default(), |file| file.config.pam);
    match user::read_completed_methods(host, options.merge_settings(&pam, service.as_str()).sshd)
        .is_nothing()
    {
        true => PamFunctionResult::NotNeeded,
        false => PamFunctionResult::Passed,
    }
}

impl PamConversation<'_> {
    /// After the first factor: whoever needs no code passes, refusals say why, and there are several tries.
    fn authenticate_after_first_factor(&self) -> PamFunctionResult {
        let context = PamContext {
            completed_methods: &user::completed_methods_after_first_factor(
                self.host,
                self.settings.sshd,
            ),
            ..self.context(Phase::After)
        };
        let policy = match self.engine.find_requirement(context) {
            Ok(found) => found,
            Err(error) => return self.deny_unavailable(&error),
        };
        let nobody_enrolled = matches!(
            policy.requirement,
            Requirement::Enrolment | Requirement::Nothing
        );
        if nobody_enrolled && self.settings.unenrolled == Some(UnenrolledAction::Enroll) {
            return self.enroll_at_prompt();
        }
        let mail = policy.mail;
        match self.decide_without_code(policy, Phase::After) {
            None => match self.grant_grace_period() {
                None => self.ask_for_code(mail),
                Some(PamFunctionResult::Denied(denial)) => PamFunctionResult::Denied(denial),
                Some(entry) => self
                    .forward_password_alone()
                    .map_or_else(|denied| denied, |()| entry),
            },
            Some(PamFunctionResult::Denied(Denial::Refused)) => {
                self.host.show_message(messages::NOT_ENROLLED);
                PamFunctionResult::Denied(Denial::Refused)
            }
            Some(PamFunctionResult::Denied(denial)) => PamFunctionResult::Denied(denial),
            Some(entry) => self
                .forward_password_alone()
                .map_or_else(|denied| denied, |()| entry),
        }
    }

    fn ask_for_code(&self, mail: MailStatus) -> PamFunctionResult {
        let mut answers = PromptInputs::up_to_tries(self.host, &self.settings);
        let mut mails = 0;
        let mut said: Option<String> = None;
        let mut denial = Denial::Refused;
        while let Some(typed) = answers.read_input(&self.compose_prompt(said.as_deref(), mail)) {
            let typed = match typed {
                Ok(typed) => typed,
                Err(NoAnswer) => return self.deny_cancelled(),
            };
            if mail == MailStatus::On && typed.text.trim_ascii().eq_ignore_ascii_case(MAIL) {
                said = match self.mail_code() {
                    Ok(said) => Some(said),
                    Err(denied) => return denied,
                };
                mails += 1;
                if mails < self.settings.tries {
                    answers.add_prompt();
                }
                continue;
            }
            let refusal = match self.verify_input(Phase::After, &typed) {
                Err(denied) => return denied,
                Ok(PamVerification::Accepted {
                    grant,
                    messages,
                    code_length,
                }) => {
                    forward_password(self.host, &self.settings, &typed, code_length);
                    self.show_messages(&messages);
                    return self.grant_access(grant);
                }
                Ok(PamVerification::Refused { refusal, .. }) => refusal,
            };
            // What an earlier module asked for may be a password alone, where the code is asked for here.
            if typed.source == InputSource::Stacked && refusal.cause == "malformed" {
                said = None;
                continue;
            }
            if typed.source == InputSource::Prompt {
                denial = Denial::TooManyTries;
            }
            self.log_refusal(&refusal);
            said = Some(refusal.message);
        }
        match said {
            Some(said) => self.host.show_message(&said),
            None => self.log_result(
                Severity::Notice,
                "refused",
                "no-input: no earlier module asked for a code",
            ),
        }
        PamFunctionResult::Denied(denial)
    }

    /// What was said of the last answer, what else may be typed, and the prompt.
    fn compose_prompt(&self, said: Option<&str>, mail: MailStatus) -> String {
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
    fn mail_code(&self) -> Result<String, PamFunctionResult> {
        match self.engine.mail_code(self.context(Phase::After)) {
            Err(error) => Err(self.deny_unavailable(&error)),
            Ok(Ok(messages)) => Ok(messages),
            Ok(Err(PamRefusal { cause, message })) => {
                self.log_result(Severity::Notice, "not mailed", &cause);
                Ok(message)
            }
        }
    }

    /// Before the first factor: one prompt, one text, one timing for everyone.
    fn authenticate_before_first_factor(&self) -> PamFunctionResult {
        let context = self.context(Phase::Before);
        let exempts = self
            .config
            .policy
            .exempts_everyone(self.service.as_str(), self.origin.certain_address());
        if let Some(rule) = exempts.filter(|_| self.engine.trusts_claims()) {
            // A store that cannot be read closes this door too.
            return match self.engine.find_requirement(context) {
                Err(error) => self.deny_unavailable(&error),
                Ok(policy) => self
                    .forward_password_alone()
                    .map_or_else(|denied| denied, |()| self.exempt_user(rule, policy.mark)),
            };
        }
        let typed = match PromptInputs::single(self.host, &self.settings)
            .read_input(&self.settings.prompt)
        {
            Some(Ok(typed)) => typed,
            Some(Err(NoAnswer)) => return self.deny_cancelled(),
            None => TypedInput {
                text: Default::default(),
                source: InputSource::Stacked,
            },
        };
        let ruled = self.verify_input(Phase::Before, &typed);
        self.host.show_message(messages::BEFORE_FIRST_FACTOR);
        let ruled = match ruled {
            Ok(ruled) => ruled,
            Err(denied) => return denied,
        };
        // asked for everyone, so that it takes everyone as long
        let policy = self.engine.find_requirement(context);
        match (ruled, policy) {
            (
                PamVerification::Accepted {
                    grant, code_length, ..
                },
                _,
            ) => {
                forward_password(self.host, &self.settings, &typed, code_length);
                self.grant_access(grant)
            }
            (PamVerification::Refused { .. }, Err(error)) => self.deny_unavailable(&error),
            (
                PamVerification::Refused {
                    refusal,
                    code_length,
                },
                Ok(policy),
            ) => {
                let entry = self.decide_without_code(policy, Phase::Before);
                forward_password(
                    self.host,
                    &self.settings,
                    &typed,
                    if entry.is_some() { 0 } else { code_length },
                );
                entry.unwrap_or_else(|| {
                    self.log_refusal(&refusal);
                    PamFunctionResult::Denied(Denial::Refused)
                })
            }
        }
    }

    /// An app password and nothing else, whoever stands there; what is none is not looked at any further.
    fn ask_for_app_password(&self) -> PamFunctionResult {
        let typed = match PromptInputs::single(self.host, &self.settings)
            .read_input(&self.settings.prompt)
        {
            Some(Ok(typed)) => typed,
            Some(Err(NoAnswer)) => return self.deny_cancelled(),
            None => TypedInput {
                text: Default::default(),
                source: InputSource::Stacked,
            },
        };
        let is_one =
            std::str::from_utf8(&typed.text).is_ok_and(|text| AppPassword::read(text).is_ok());
        let ruled = match is_one {
            true => self.verify_input(Phase::Before, &typed),
            false => Ok(PamVerification::Refused {
                refusal: PamRefusal {
                    cause: "malformed".to_owned(),
                    message: String::new(),
                },
                code_length: 0,
            }),
        };
        match ruled {
            Err(denied) => denied,
            Ok(PamVerification::Accepted { grant, .. }) => self.grant_access(grant),
            // another line would judge it again
            Ok(PamVerification::Refused { refusal, .. })
                if is_one || self.settings.reading == InputReading::Whole =>
            {
                self.log_refusal(&refusal);
                PamFunctionResult::Denied(Denial::Refused)
            }
            // what goes on to another line is for that one to refuse
            Ok(PamVerification::Refused { .. }) => {
                forward_password(self.host, &self.settings, &typed, 0);
                PamFunctionResult::Denied(Denial::Refused)
            }
        }
    }

    fn verify_input(
        &self,
        phase: Phase,
        typed: &TypedInput,
    ) -> Result<PamVerification, PamFunctionResult> {
        let ruled =
            self.engine
                .verify_input(self.context(phase), &typed.text, self.settings.reading);
        ruled.map_err(|error| self.deny_unavailable(&error))
    }

    /// Nobody needs a code here, but the next module wants a password of this line.
    fn forward_password_alone(&self) -> Result<(), PamFunctionResult> {
        if self.settings.reading == InputReading::Ending && self.host.stacked_password().is_none() {
            match PromptInputs::single(self.host, &self.settings).read_input(&self.settings.prompt)
            {
                Some(Ok(typed)) => forward_password(self.host, &self.settings, &typed, 0),
                Some(Err(NoAnswer)) => return Err(self.deny_cancelled()),
                None => {}
            }
        }
        Ok(())
    }

    /// What whoever needs no code gets, or whoever should have one and cannot; `None` if the code decides.
    fn decide_without_code(
        &self,
        policy: PamRequirement,
        phase: Phase,
    ) -> Option<PamFunctionResult> {
        match (policy.requirement, self.settings.unenrolled) {
            (Requirement::Exempt(rule), _) => Some(self.exempt_user(rule, policy.mark)),
            (Requirement::Code, _) => None,
            (_, Some(UnenrolledAction::Allow)) | (Requirement::Nothing, None) => {
                self.log_result(Severity::Info, "not needed", "not-enrolled");
                Some(self.pass_without_code(policy.mark))
            }
            // Only someone who has passed the first factor signs in for the first time.
            (Requirement::Enrolment, None) if phase == Phase::After => {
                Some(self.waive_requirement())
            }
            (Requirement::Enrolment | Requirement::Nothing, _) => Some(self.deny_unenrolled()),
        }
    }

    /// Whoever gave a code from this address a while ago passes; `None` if one is asked.
    fn grant_grace_period(&self) -> Option<PamFunctionResult> {
        if self.settings.grace.seconds() == 0 || self.origin.certain_address().is_none() {
            return None;
        }
        match self
            .engine
            .grant_grace_period(self.context(Phase::After), self.settings.grace)
        {
            Err(error) => Some(self.deny_unavailable(&error)),
            Ok(None) => None,
            // not PAM_IGNORE: this person needs a code here, and gave it earlier
            Ok(Some(grant)) => Some(self.grant_access_as("not needed", grant)),
        }
    }

    fn exempt_user(&self, rule: usize, mark: Option<TypedText>) -> PamFunctionResult {
        self.log_result(
            Severity::Info,
            "not needed",
            &format!("policy.exempt-{rule}"),
        );
        self.pass_without_code(mark)
    }

    /// No code is needed. Without a mark the guard asks the policy anew.
    fn pass_without_code(&self, mark: Option<TypedText>) -> PamFunctionResult {
        if let Some(mark) = mark {
            self.keep_mark(Some(&mark));
        }
        PamFunctionResult::NotNeeded
    }

    /// The line passes, by what was decided and nothing else.
    pub(crate) fn grant_access(&self, grant: PamGrant) -> PamFunctionResult {
        self.grant_access_as("accepted", grant)
    }

    fn grant_access_as(&self, result: &str, grant: PamGrant) -> PamFunctionResult {
        let (by, mark) = grant.into_parts();
        self.log_result(Severity::Info, result, by);
        self.keep_mark(mark.as_ref());
        PamFunctionResult::Passed
    }

    fn log_refusal(&self, refusal: &PamRefusal) {
        self.log_result(Severity::Notice, "refused", &refusal.cause);
    }
}
