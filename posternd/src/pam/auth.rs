//! The `auth` hook: prompts for a code, and passes with the engine's grant.
//!
//! MUST NOT hold a worker or an engine while a prompt waits.
//! MUST NOT let the prompts or the texts before the first factor depend on the account.

use super::entry::{PamConversation, PamServiceContext, deny_mark_not_removed, deny_misconfigured};
use super::host::{NoAnswer, PamHost};
use super::input::{InputSource, PromptInputs, TypedInput, forward_password};
use super::options::{AcceptedCredentials, PamOptions};
use super::user;
use postern_shared::account::second_factor::MailStatus;
use postern_shared::config::{FirstFactorState, PamConfig, UnenrolledAction};
use postern_shared::credential::app_password::AppPassword;
use postern_shared::credential::input::InputReading;
use postern_shared::engine::{
    PamContext, PamGrant, PamRefusal, PamRequirement, PamVerification, messages,
};
use postern_shared::policy::requirement::Requirement;
use postern_shared::protocol::command_request::TypedText;
use postern_shared::protocol::{Denial, PamFunctionResult, Severity};
use postern_shared::verify::throttle::Phase;

/// The input that requests a code by mail.
const MAIL: &[u8] = b"m";

/// Runs `auth pam_totp.so`. Removes the mark of an earlier `auth` first: a host may authenticate
/// several times in one transaction.
pub(super) fn authenticate(host: &dyn PamHost, words: &[String]) -> PamFunctionResult {
    if let Err(error) = host.remove_mark() {
        return deny_mark_not_removed(host, &error);
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
        FirstFactorState::Unknown if !context.completed_methods.is_empty() => Phase::After,
        FirstFactorState::Unknown => Phase::Before,
    };
    let conversation = match context.identify_user() {
        Ok(conversation) => conversation,
        Err(denial) => {
            // Before the first factor, a name that no account can have gets the same prompt and
            // text as others.
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

/// Runs `auth pam_totp.so proven`, which prompts for nothing. The `auth` hook that prompts denies
/// and logs an invalid configuration; here the name of the service decides then.
fn check_completed_methods(host: &dyn PamHost, options: &PamOptions) -> PamFunctionResult {
    let service = user::read_service(host);
    let in_force = host.load_configuration(&options.config_path());
    let pam = in_force.map_or_else(|_| PamConfig::default(), |file| file.config.pam);
    match user::read_completed_methods(host, options.merge_settings(&pam, service.as_str()).sshd)
        .is_empty()
    {
        true => PamFunctionResult::NotNeeded,
        false => PamFunctionResult::Passed,
    }
}

impl PamConversation<'_> {
    /// Authenticates after the first factor: a user who needs no code passes, texts name the reason
    /// of a refusal, and there are several prompts.
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
        let is_unenrolled = matches!(
            policy.requirement,
            Requirement::Enrollment | Requirement::Nothing
        );
        if is_unenrolled && self.settings.unenrolled == Some(UnenrolledAction::Enroll) {
            return self.enroll_at_prompt();
        }
        let mail = policy.mail;
        match self.decide_without_code(policy, Phase::After) {
            None => match self.grant_grace_period() {
                None => self.ask_for_code(mail),
                Some(result) => self.pass_after_password(result),
            },
            Some(PamFunctionResult::Denied(Denial::Refused)) => {
                self.host.show_message(messages::NOT_ENROLLED);
                PamFunctionResult::Denied(Denial::Refused)
            }
            Some(result) => self.pass_after_password(result),
        }
    }

    fn ask_for_code(&self, mail: MailStatus) -> PamFunctionResult {
        let mut inputs = PromptInputs::up_to_tries(self.host, &self.settings);
        let mut mails = 0;
        let mut text: Option<String> = None;
        let mut denial = Denial::Refused;
        while let Some(typed) = inputs.read_input(&self.compose_prompt(text.as_deref(), mail)) {
            let typed = match typed {
                Ok(typed) => typed,
                Err(NoAnswer) => return self.deny_cancelled(),
            };
            if mail == MailStatus::On && typed.text.trim_ascii().eq_ignore_ascii_case(MAIL) {
                text = match self.mail_code() {
                    Ok(text) => Some(text),
                    Err(denied) => return denied,
                };
                mails += 1;
                if mails < self.settings.tries {
                    inputs.add_prompt();
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
            // The stacked password may contain no code: then the code is prompted for here.
            if typed.source == InputSource::Stacked && refusal.cause == "malformed" {
                text = None;
                continue;
            }
            if typed.source == InputSource::Prompt {
                denial = Denial::TooManyTries;
            }
            self.log_refusal(&refusal);
            text = Some(refusal.message);
        }
        match text {
            Some(text) => self.host.show_message(&text),
            None => self.log_result(
                Severity::Notice,
                "refused",
                "no-input: no earlier module asked for a code",
            ),
        }
        PamFunctionResult::Denied(denial)
    }

    /// Joins the text about the last input, the offer of a code by mail, and the prompt.
    fn compose_prompt(&self, text: Option<&str>, mail: MailStatus) -> String {
        let offer = match mail {
            MailStatus::On => Some(messages::MAIL_OFFER),
            MailStatus::Off => None,
        };
        let lines: Vec<&str> = text
            .into_iter()
            .chain(offer)
            .chain([self.settings.prompt.as_str()])
            .collect();
        lines.join("\n")
    }

    /// Mails a code. Returns the text for the next prompt.
    fn mail_code(&self) -> Result<String, PamFunctionResult> {
        match self.engine.mail_code(self.context(Phase::After)) {
            Err(error) => Err(self.deny_unavailable(&error)),
            Ok(Ok(text)) => Ok(text),
            Ok(Err(PamRefusal { cause, message })) => {
                self.log_result(Severity::Notice, "not mailed", &cause);
                Ok(message)
            }
        }
    }

    /// Authenticates before the first factor: prompt, text and timing are the same for every name.
    fn authenticate_before_first_factor(&self) -> PamFunctionResult {
        let context = self.context(Phase::Before);
        let exempts = self
            .config
            .policy
            .exempts_everyone(self.service.as_str(), self.origin.certain_address());
        if let Some(rule) = exempts.filter(|_| self.engine.trusts_claims()) {
            // the engine is used all the same: a store that cannot be read denies access here too
            return match self.engine.find_requirement(context) {
                Err(error) => self.deny_unavailable(&error),
                Ok(policy) => match self.forward_password_alone() {
                    Ok(()) => self.exempt_user(rule, policy.mark),
                    Err(denied) => denied,
                },
            };
        }
        let typed = match self.read_single_input() {
            Ok(typed) => typed,
            Err(denied) => return denied,
        };
        let result = self.verify_input(Phase::Before, &typed);
        self.host.show_message(messages::BEFORE_FIRST_FACTOR);
        let result = match result {
            Ok(result) => result,
            Err(denied) => return denied,
        };
        // for accepted inputs too, so that the time does not depend on the result
        let policy = self.engine.find_requirement(context);
        match (result, policy) {
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
                let without_code = self.decide_without_code(policy, Phase::Before);
                forward_password(
                    self.host,
                    &self.settings,
                    &typed,
                    if without_code.is_some() {
                        0
                    } else {
                        code_length
                    },
                );
                without_code.unwrap_or_else(|| {
                    self.log_refusal(&refusal);
                    PamFunctionResult::Denied(Denial::Refused)
                })
            }
        }
    }

    /// Accepts an app password and nothing else. An input of another form is not verified.
    fn ask_for_app_password(&self) -> PamFunctionResult {
        let typed = match self.read_single_input() {
            Ok(typed) => typed,
            Err(denied) => return denied,
        };
        let is_app_password =
            std::str::from_utf8(&typed.text).is_ok_and(|text| AppPassword::parse(text).is_ok());
        let result = match is_app_password {
            true => self.verify_input(Phase::Before, &typed),
            false => Ok(PamVerification::Refused {
                refusal: PamRefusal {
                    cause: "malformed".to_owned(),
                    message: String::new(),
                },
                code_length: 0,
            }),
        };
        match result {
            Err(denied) => denied,
            Ok(PamVerification::Accepted { grant, .. }) => self.grant_access(grant),
            // forwarding an app password would have another module verify it again
            Ok(PamVerification::Refused { refusal, .. })
                if is_app_password || self.settings.reading == InputReading::Whole =>
            {
                self.log_refusal(&refusal);
                PamFunctionResult::Denied(Denial::Refused)
            }
            // the module that gets the password logs the refusal
            Ok(PamVerification::Refused { .. }) => {
                forward_password(self.host, &self.settings, &typed, 0);
                PamFunctionResult::Denied(Denial::Refused)
            }
        }
    }

    /// Reads one input; an empty one where `use_first_pass` forbids a prompt and there is no
    /// stacked password.
    fn read_single_input(&self) -> Result<TypedInput, PamFunctionResult> {
        match PromptInputs::single(self.host, &self.settings).read_input(&self.settings.prompt) {
            Some(Ok(typed)) => Ok(typed),
            Some(Err(NoAnswer)) => Err(self.deny_cancelled()),
            None => Ok(TypedInput {
                text: Default::default(),
                source: InputSource::Stacked,
            }),
        }
    }

    /// Returns the result, once the password for later modules is set.
    fn pass_after_password(&self, result: PamFunctionResult) -> PamFunctionResult {
        match result {
            PamFunctionResult::Denied(_) => result,
            PamFunctionResult::Passed | PamFunctionResult::NotNeeded => {
                self.forward_password_alone().err().unwrap_or(result)
            }
        }
    }

    fn verify_input(
        &self,
        phase: Phase,
        typed: &TypedInput,
    ) -> Result<PamVerification, PamFunctionResult> {
        let result =
            self.engine
                .verify_input(self.context(phase), &typed.text, self.settings.reading);
        result.map_err(|error| self.deny_unavailable(&error))
    }

    /// Prompts for the password alone, where no code is needed but a later module expects the
    /// password of this hook.
    fn forward_password_alone(&self) -> Result<(), PamFunctionResult> {
        if self.settings.reading == InputReading::CodeAtEnd
            && self.host.stacked_password().is_none()
        {
            match PromptInputs::single(self.host, &self.settings).read_input(&self.settings.prompt)
            {
                Some(Ok(typed)) => forward_password(self.host, &self.settings, &typed, 0),
                Some(Err(NoAnswer)) => return Err(self.deny_cancelled()),
                None => {}
            }
        }
        Ok(())
    }

    /// Returns the result for a user who needs no code, or has none to give; `None` where a code is
    /// required.
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
            // a first sign-in, from which the enrollment grace period counts, is one after the
            // first factor
            (Requirement::Enrollment, None) if phase == Phase::After => {
                Some(self.waive_requirement())
            }
            (Requirement::Enrollment | Requirement::Nothing, _) => Some(self.deny_unenrolled()),
        }
    }

    /// Grants access within the grace period; `None` where a code is required.
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
            // not PAM_IGNORE: a code is required here, and was given earlier
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

    /// Returns that no code is needed. Without a mark the `account` hook evaluates the policy
    /// again.
    fn pass_without_code(&self, mark: Option<TypedText>) -> PamFunctionResult {
        if let Some(mark) = mark {
            self.keep_mark(Some(&mark));
        }
        PamFunctionResult::NotNeeded
    }

    /// Passes the hook, which only the engine's grant allows.
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
