//! An enrollment at the prompt of a PAM host, by a user who has passed the first factor. It is
//! shown, confirmed by a code, and activated once the user has saved the recovery codes. Between
//! the steps the host keeps sealed tokens, and the store keeps nothing.
//!
//! MUST NOT begin an enrollment for a process of the account's own user: another person may have
//! found a terminal open, and such a host proves no password. `postern enroll` prompts for the
//! password.

use super::pending::PendingEnrollment;
use super::steps::{ActivatedEnrollment, AfterEnrollmentCode, show_authenticator};
use crate::account::record::AccountRecord;
use crate::credential::input::Input;
use crate::engine::{
    AdministrationError, Enrollment, PamContext, PamGrant, PamRefusal, Principal, messages,
};
use crate::policy::requirement::EnrollmentRequirement;
use crate::protocol::command_request::{ShownAuthenticator, TypedText};
use crate::system::clock::Timestamp;
use crate::verify::decision::Refusal;
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// The result of the first step of an enrollment at a prompt.
#[derive(Debug)]
pub enum PromptEnrollment {
    Begun(ShownAuthenticator),
    /// An administrator's one-time code is required.
    OneTimeCodeNeeded,
    Refused(PamRefusal),
}

impl Enrollment<'_> {
    /// Makes a new authenticator, which the store does not keep yet; with an administrator's
    /// one-time code, where the policy requires one.
    pub fn begin_prompt_enrollment(
        &mut self,
        context: PamContext<'_>,
        one_time_code: Option<&str>,
        now: Timestamp,
    ) -> Result<PromptEnrollment, AdministrationError> {
        let account = context.account;
        let origin = match self.enrolling_origin(context)? {
            Ok(origin) => origin,
            Err(refusal) => return Ok(PromptEnrollment::Refused(refusal)),
        };
        let request = context.verification_request(&origin, Phase::After);
        let pending = PendingEnrollment::new(&self.engine.config, account)?;
        self.check_enrollment(&pending)?;
        let snapshot = self.snapshot_account(account)?;
        // the PAM service's configuration says that a user without a second factor enrolls here,
        // required or not
        let requirement = self
            .engine
            .config
            .policy
            .enrollment_requirement(origin.certain_address());
        let accepted_code = match (requirement, one_time_code) {
            (EnrollmentRequirement::None, _) => None,
            (EnrollmentRequirement::OneTimeCode, None) => {
                return Ok(PromptEnrollment::OneTimeCodeNeeded);
            }
            (EnrollmentRequirement::OneTimeCode, Some(code)) => {
                let input = Input::parse(code.as_bytes());
                match self
                    .engine
                    .accounts()
                    .verify_enrollment_one_time_code(&request, &input, None, now)?
                {
                    Ok(accepted_code) => Some(accepted_code),
                    Err(refusal) => return Ok(PromptEnrollment::Refused(refusal.into())),
                }
            }
        };
        let to = context.requester.token_recipient(account, &snapshot);
        let (draft, sealed) = self.issue_draft(pending, snapshot, accepted_code, to, now)?;
        let shown = show_authenticator(&self.engine.config, &draft, sealed);
        Ok(PromptEnrollment::Begun(shown))
    }

    /// Verifies a code of the new authenticator, which the store does not keep yet. Returns the
    /// token for its activation.
    pub fn confirm_prompt_enrollment(
        &mut self,
        context: PamContext<'_>,
        token: &TypedText,
        code: &str,
        now: Timestamp,
    ) -> Result<Result<TypedText, PamRefusal>, AdministrationError> {
        if let Err(refusal) = self.enrolling_origin(context)? {
            return Ok(Err(refusal));
        }
        let (account, holder) = (context.account, context.requester.holder());
        let input = Input::parse(code.as_bytes());
        match self.confirm_draft(token.clone(), account, holder, &input, now)? {
            AfterEnrollmentCode::Confirmed { confirmed, .. } => Ok(Ok(confirmed)),
            AfterEnrollmentCode::Refused(refusal, _) => Ok(Err(refusal.into())),
            AfterEnrollmentCode::Over => Err(AdministrationError::Stale),
        }
    }

    /// Stores the confirmed authenticator and grants access; with messages for the user.
    pub fn activate_prompt_enrollment(
        &mut self,
        context: PamContext<'_>,
        token: &TypedText,
        now: Timestamp,
    ) -> Result<PamGrant, AdministrationError> {
        let Ok(origin) = self.enrolling_origin(context)? else {
            return Err(AdministrationError::Stale);
        };
        let request = context.verification_request(&origin, Phase::After);
        let (account, holder) = (context.account, context.requester.holder());
        let actor = Principal::Service(account.as_str(), &origin, request.service);
        let ActivatedEnrollment {
            before,
            app_passwords,
            ..
        } = self.activate_confirmed(token, account, holder, actor, now)?;
        // 0 of an account that the activation added
        let generation = before.map_or(0, |before| before.generation) + 1;
        let is_over = |record: &AccountRecord| {
            record.generation != generation || before.is_some_and(|before| before.id != record.id)
        };
        // The activation waited for the gates: what ended all sessions meanwhile ends this sign-in
        // too.
        match self.engine.verification().complete_login_unless(
            &request,
            AuthenticationMethod::Code,
            now,
            is_over,
        )? {
            Some(_) => {}
            None => return Err(AdministrationError::Stale),
        }
        let at = self
            .engine
            .verification()
            .find_account_version(account)?
            .filter(|at| at.generation == generation)
            .ok_or(AdministrationError::Stale)?;
        let mark = self
            .engine
            .verification()
            .seal_mark(context, Some(at), now)?;
        let messages = messages::app_passwords_text(app_passwords)
            .into_iter()
            .collect();
        Ok(PamGrant::new(messages::ENROLLED_CAUSE, mark).with_messages(messages))
    }

    /// Returns the origin of a user who may enroll here, or refuses: a process of the account's own
    /// user, and a user who has not passed the first factor.
    fn enrolling_origin(
        &mut self,
        context: PamContext<'_>,
    ) -> Result<Result<Origin, PamRefusal>, AdministrationError> {
        let (origin, phase) = self.engine.verification().trusted_claims(context)?;
        // a host of a fleet could enroll an authenticator of its own for anyone
        let may_enroll = phase == Phase::After
            && !context.requester.owns(context.account)
            && origin.host().is_none_or(|host| {
                let policy = &self.engine.config.policy;
                policy.enroll_hosts.contains(&host.name)
            });
        Ok(may_enroll
            .then_some(origin)
            .ok_or_else(|| Refusal::NotEnrolled.into()))
    }
}
