//! The `auth` hook: prompts for a code, and passes with the engine's grant.
//!
//! MUST NOT hold a worker or an engine while a prompt waits.
//! MUST NOT let the prompts or the texts before the first factor depend on the account.

use super::approval::{AfterRequest, MOST_REQUESTS};
use super::conversation::{
    HookResult, PamConversation, PamServiceContext, parse_options, remove_mark,
};
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
pub(super) fn authenticate(host: &dyn PamHost, words: &[String]) -> HookResult {
    remove_mark(host)?;
    let options = parse_options(host, words)?;
    if options.proven() {
        return Ok(check_completed_methods(host, &options));
    }
    let context = PamServiceContext::open(host, &options)?;
    if let Some(seconds) = context.settings.fail_delay {
        host.delay_failure(seconds);
    }
    let phase = match context.settings.first_factor {
        FirstFactorState::Passed => Phase::After,
        FirstFactorState::Unknown if !context.completed_methods.is_empty() => Phase::After,
        FirstFactorState::Unknown => Phase::Before,
    };
    let conversation = context.identify_user().inspect_err(|_| {
        // Before the first factor, a name that no account can have gets the same prompt and text as
        // others.
        if phase == Phase::Before {
            let settings = &context.settings;
            let _ = PromptInputs::single(host, settings).read_input(&settings.prompt);
            host.show_message(messages::BEFORE_FIRST_FACTOR);
        }
    })?;
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
    fn authenticate_after_first_factor(&self) -> HookResult {
        let sshd = self.settings.sshd;
        let policy = self.find_requirement(PamContext {
            completed_methods: &user::completed_methods_after_first_factor(self.host, sshd),
            ..self.context(Phase::After)
        })?;
        let is_unenrolled = matches!(
            policy.requirement,
            Requirement::Enrollment | Requirement::Nothing
        );
        if is_unenrolled && self.settings.unenrolled == Some(UnenrolledAction::Enroll) {
            return self.enroll_at_prompt();
        }
        let mail = policy.mail;
        let without_code = self.decide_without_code(policy, Phase::After);
        if let Some(Err(Denial::Refused)) = without_code {
            self.host.show_message(messages::NOT_ENROLLED);
        }
        let result = match without_code.transpose()? {
            Some(result) => result,
            None => match self.grant_grace_period()? {
                Some(result) => result,
                None => return self.ask_for_code(mail),
            },
        };
        self.forward_password_alone()?;
        Ok(result)
    }

    fn ask_for_code(&self, mail: MailStatus) -> HookResult {
        let mut inputs = PromptInputs::up_to_tries(self.host, &self.settings);
        let mut mails = 0;
        let approval = self.offers_approval()?;
        let mut requests = 0;
        let mut text: Option<String> = None;
        let mut denial = Denial::Refused;
        loop {
            let offers_approval = approval && requests < MOST_REQUESTS;
            let prompt = self.compose_prompt(text.as_deref(), mail, offers_approval);
            let Some(typed) = inputs.read_input(&prompt) else {
                break;
            };
            let mut typed = typed.map_err(|NoAnswer| self.deny_cancelled())?;
            let is_empty = typed.text.trim_ascii().is_empty();
            if offers_approval && is_empty && typed.source == InputSource::Prompt {
                requests += 1;
                match self.ask_for_approval()? {
                    AfterRequest::Granted(grant) => {
                        self.show_messages(&grant.messages);
                        return Ok(self.grant_access(grant));
                    }
                    AfterRequest::Refused(refusal) => {
                        self.log_refusal(&refusal);
                        text = Some(refusal.message);
                        denial = Denial::TooManyTries;
                        inputs.add_prompt();
                        continue;
                    }
                    AfterRequest::Typed(code) => typed = code,
                }
            }
            if typed.text.trim_ascii().eq_ignore_ascii_case(MAIL) && self.answers_request(mail) {
                text = Some(match mail {
                    MailStatus::On => self.mail_code()?,
                    MailStatus::Off => messages::NO_MAIL_ON_HOST.to_owned(),
                });
                mails += 1;
                if mails < self.settings.tries {
                    inputs.add_prompt();
                }
                continue;
            }
            let verified = self.verify_input(Phase::After, &typed)?;
            let refusal = match verified.result {
                Ok(grant) => {
                    forward_password(self.host, &self.settings, &typed, verified.code_length);
                    self.show_messages(&grant.messages);
                    return Ok(self.grant_access(grant));
                }
                Err(refusal) => refusal,
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
            None => {
                let cause = "no-input: no earlier module asked for a code";
                self.log_result(Severity::Notice, "refused", cause);
            }
        }
        Err(denial)
    }

    /// Whether a request for a code by mail is one: elsewhere it is an input like others.
    fn answers_request(&self, mail: MailStatus) -> bool {
        mail == MailStatus::On || self.engine.fleet_host().is_some()
    }

    /// Joins the text about the last input, the offers of a code by mail and of an approval, and the
    /// prompt.
    fn compose_prompt(&self, text: Option<&str>, mail: MailStatus, approval: bool) -> String {
        let offer = match mail {
            MailStatus::On => Some(messages::MAIL_OFFER),
            MailStatus::Off => None,
        };
        let approval = approval.then_some(messages::APPROVAL_OFFER);
        let prompt = Some(self.settings.prompt.as_str());
        let lines: Vec<&str> = [text, offer, approval, prompt]
            .into_iter()
            .flatten()
            .collect();
        lines.join("\n")
    }

    /// Mails a code. Returns the text for the next prompt.
    fn mail_code(&self) -> HookResult<String> {
        let mailed = self.engine.mail_code(self.context(Phase::After));
        let mailed = mailed.map_err(|error| self.deny_unavailable(&*error))?;
        Ok(mailed.unwrap_or_else(|PamRefusal { cause, message }| {
            self.log_result(Severity::Notice, "not mailed", &cause);
            message
        }))
    }

    /// Authenticates before the first factor: prompt, text and timing are the same for every name.
    fn authenticate_before_first_factor(&self) -> HookResult {
        let context = self.context(Phase::Before);
        let exempts = self.config.policy.exempts_everyone(
            self.service.as_str(),
            self.origin.certain_address(),
            self.engine.fleet_host(),
        );
        if let Some(rule) = exempts.filter(|_| self.engine.trusts_claims()) {
            // the engine is used all the same: a store that cannot be read denies access here too
            let policy = self.find_requirement(context)?;
            self.forward_password_alone()?;
            return Ok(self.exempt_user(rule, policy.mark));
        }
        let typed = self.read_single_input()?;
        let verified = self.verify_input(Phase::Before, &typed);
        self.host.show_message(messages::BEFORE_FIRST_FACTOR);
        let PamVerification {
            result,
            code_length,
        } = verified?;
        // for accepted inputs too, so that the time does not depend on the result
        let policy = self.engine.find_requirement(context);
        match result {
            Ok(grant) => {
                forward_password(self.host, &self.settings, &typed, code_length);
                Ok(self.grant_access(grant))
            }
            Err(refusal) => {
                let policy = policy.map_err(|error| self.deny_unavailable(&*error))?;
                let without_code = self.decide_without_code(policy, Phase::Before);
                let taken = without_code.map_or(code_length, |_| 0);
                forward_password(self.host, &self.settings, &typed, taken);
                without_code.unwrap_or_else(|| {
                    self.log_refusal(&refusal);
                    Err(Denial::Refused)
                })
            }
        }
    }

    /// Accepts an app password and nothing else. An input of another form is not verified.
    fn ask_for_app_password(&self) -> HookResult {
        let typed = self.read_single_input()?;
        let is_app_password =
            std::str::from_utf8(&typed.text).is_ok_and(|text| AppPassword::parse(text).is_ok());
        let cause = if is_app_password {
            match self.verify_input(Phase::Before, &typed)?.result {
                Ok(grant) => return Ok(self.grant_access(grant)),
                Err(refusal) => refusal.cause,
            }
        } else {
            "malformed".to_owned()
        };
        // forwarding an app password would have another module verify it again
        if is_app_password || self.settings.reading == InputReading::Whole {
            self.log_result(Severity::Notice, "refused", &cause);
        } else {
            // the module that gets the password logs the refusal
            forward_password(self.host, &self.settings, &typed, 0);
        }
        Err(Denial::Refused)
    }

    /// Reads one input; an empty one where `use_first_pass` forbids a prompt and there is no
    /// stacked password.
    fn read_single_input(&self) -> HookResult<TypedInput> {
        match PromptInputs::single(self.host, &self.settings).read_input(&self.settings.prompt) {
            Some(typed) => typed.map_err(|NoAnswer| self.deny_cancelled()),
            None => Ok(TypedInput {
                text: Default::default(),
                source: InputSource::Stacked,
            }),
        }
    }

    fn find_requirement(&self, context: PamContext<'_>) -> HookResult<PamRequirement> {
        let found = self.engine.find_requirement(context);
        found.map_err(|error| self.deny_unavailable(&*error))
    }

    fn verify_input(&self, phase: Phase, typed: &TypedInput) -> HookResult<PamVerification> {
        let (context, reading) = (self.context(phase), self.settings.reading);
        let result = self.engine.verify_input(context, &typed.text, reading);
        result.map_err(|error| self.deny_unavailable(&*error))
    }

    /// Prompts for the password alone, where no code is needed but a later module expects the
    /// password of this hook.
    fn forward_password_alone(&self) -> HookResult<()> {
        if self.settings.reading == InputReading::CodeAtEnd
            && self.host.stacked_password().is_none()
        {
            let mut inputs = PromptInputs::single(self.host, &self.settings);
            if let Some(typed) = inputs.read_input(&self.settings.prompt) {
                let typed = typed.map_err(|NoAnswer| self.deny_cancelled())?;
                forward_password(self.host, &self.settings, &typed, 0);
            }
        }
        Ok(())
    }

    /// Returns the result for a user who needs no code, or has none to give; `None` where a code is
    /// required.
    fn decide_without_code(&self, policy: PamRequirement, phase: Phase) -> Option<HookResult> {
        match (policy.requirement, self.settings.unenrolled) {
            (Requirement::Exempt(rule), _) => Some(Ok(self.exempt_user(rule, policy.mark))),
            (Requirement::Code, _) => None,
            (_, Some(UnenrolledAction::Allow)) | (Requirement::Nothing, None) => {
                self.log_result(Severity::Info, "not needed", "not-enrolled");
                Some(Ok(self.pass_without_code(policy.mark)))
            }
            // a first sign-in, from which the enrollment grace period counts, is one after the
            // first factor
            (Requirement::Enrollment, None) if phase == Phase::After => {
                Some(self.waive_requirement())
            }
            (Requirement::Enrollment | Requirement::Nothing, _) => {
                Some(Err(self.deny_unenrolled()))
            }
        }
    }

    /// Grants access within the grace period; `None` where a code is required.
    fn grant_grace_period(&self) -> HookResult<Option<PamFunctionResult>> {
        if self.settings.grace.seconds() == 0 || self.origin.certain_address().is_none() {
            return Ok(None);
        }
        let (context, period) = (self.context(Phase::After), self.settings.grace);
        let granted = self.engine.grant_grace_period(context, period);
        let granted = granted.map_err(|error| self.deny_unavailable(&*error))?;
        // not PAM_IGNORE: a code is required here, and was given earlier
        Ok(granted.map(|grant| self.grant_access_as("not needed", grant)))
    }

    fn exempt_user(&self, rule: usize, mark: Option<TypedText>) -> PamFunctionResult {
        let mut cause = format!("policy.exempt-{rule}");
        if let Some(key) = self.completed_methods.security_key() {
            cause.push_str(&format!(": after the security key {key}"));
        }
        self.log_result(Severity::Info, "not needed", &cause);
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
