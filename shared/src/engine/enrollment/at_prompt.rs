//! The first enrollment at the prompt of a PAM host, after the first factor has passed: the
//! authenticator is shown, confirmed by a code, and activated once the user has saved the recovery
//! codes. Between the steps the host keeps sealed tokens; the store keeps nothing.
//!
//! MUST NOT begin an enrollment for a process that runs as the user: such a process proves no
//! password and may belong to anyone at an unattended terminal. `postern enroll` asks for the
//! password.

use super::pending::{EnrollmentConfirmation, PendingEnrollment};
use super::token::{ConfirmedEnrollment, EnrollmentDraft};
use crate::account::record::AccountRecord;
use crate::credential::input;
use crate::credential::recovery_code::RecoveryCode;
use crate::crypto::vault::VaultError;
use crate::engine::verify::pam_account::MarkContents;
use crate::engine::{
    AdministrationError, Engine, Principal, Requester, VerificationRequest, messages,
};
use crate::policy::requirement::EnrollmentRequirement;
use crate::protocol::command_request::{
    EngineReply, PromptEnrollment, ReplyBody, TypedText, VerifyReply, VerifyRequest,
};
use crate::system::clock::Timestamp;
use crate::token::Token;
use crate::verify::decision::Refusal;
use crate::verify::method::AuthenticationMethod;
use crate::verify::throttle::Phase;

type PromptResult = Result<EngineReply, AdministrationError>;

impl Engine {
    /// Performs one step of the enrollment.
    pub(in crate::engine) fn set_up_at_prompt(
        &mut self,
        caller: Requester<'_>,
        visitor: &VerificationRequest<'_>,
        judging: &VerifyRequest,
        step: &PromptEnrollment,
        now: Timestamp,
    ) -> PromptResult {
        if caller.owns(visitor.name) || visitor.phase == Phase::Before {
            return Ok(refused(Refusal::NotEnrolled));
        }
        match step {
            PromptEnrollment::Begin(code) => {
                self.begin_at_prompt(caller, visitor, code.as_ref(), now)
            }
            PromptEnrollment::Confirm { ticket, code } => {
                self.confirm_at_prompt(caller, visitor, ticket, code, now)
            }
            PromptEnrollment::Activate(ticket) => {
                self.activate_at_prompt(caller, visitor, judging, ticket, now)
            }
        }
    }

    fn begin_at_prompt(
        &mut self,
        caller: Requester<'_>,
        visitor: &VerificationRequest<'_>,
        code: Option<&TypedText>,
        now: Timestamp,
    ) -> PromptResult {
        let pending =
            PendingEnrollment::new(&self.config, visitor.name).map_err(VaultError::Random)?;
        self.check_enrollment(&pending)?;
        let footing = self.snapshot_account(visitor.name)?;
        // The PAM line allows enrollment at the prompt whether or not the policy requires a second
        // factor.
        let invitation = match (
            self.config
                .policy
                .enrollment_requirement(visitor.origin.certain_address()),
            code,
        ) {
            (EnrollmentRequirement::None, _) => None,
            (EnrollmentRequirement::OneTimeCode, None) => {
                return Ok(judged(VerifyReply::OneTimeCodeNeeded));
            }
            (EnrollmentRequirement::OneTimeCode, Some(code)) => {
                let answer = input::Input::parse(code.as_bytes());
                match self.verify_enrollment_one_time_code(visitor, &answer, None, now)? {
                    Ok(invitation) => Some(invitation),
                    Err(refusal) => return Ok(refused(refusal)),
                }
            }
        };
        let (keys, to) = (
            self.token_keys(),
            caller.token_recipient(visitor.name, &footing),
        );
        let draft = EnrollmentDraft::of(&pending, footing, invitation);
        let token = Token::issue(&keys, to, draft, now).map_err(VaultError::Random)?;
        let grouped = |code: &RecoveryCode| TypedText::from(code.grouped());
        Ok(judged(VerifyReply::Setup {
            secret: pending.secret().to_base32().into(),
            url: pending.url().into(),
            recovery_codes: pending.recovery_codes().iter().map(grouped).collect(),
            ticket: token.seal(&keys)?.into(),
        }))
    }

    fn confirm_at_prompt(
        &mut self,
        caller: Requester<'_>,
        visitor: &VerificationRequest<'_>,
        ticket: &TypedText,
        code: &TypedText,
        now: Timestamp,
    ) -> PromptResult {
        // The snapshot loads the current data keys, with which tokens are opened.
        self.snapshot_account(visitor.name)?;
        let ticket = self.open_token::<EnrollmentDraft>(ticket, caller, visitor.name, now)?;
        let pending = self.restore_pending_enrollment(ticket.payload(), &ticket)?;
        let confirmation =
            match pending.confirm(&input::Input::parse(code.as_bytes()), &self.config, now) {
                Ok(confirmation) => confirmation,
                Err(refusal) => return Ok(refused(refusal)),
            };
        let step = confirmation.step().ok_or(AdministrationError::Stale)?;
        let confirmed = ticket.into_next(|draft| ConfirmedEnrollment { draft, step });
        Ok(judged(VerifyReply::Confirmed {
            ticket: confirmed.seal(&self.token_keys())?.into(),
        }))
    }

    fn activate_at_prompt(
        &mut self,
        caller: Requester<'_>,
        visitor: &VerificationRequest<'_>,
        judging: &VerifyRequest,
        ticket: &TypedText,
        now: Timestamp,
    ) -> PromptResult {
        self.snapshot_account(visitor.name)?;
        let ticket = self.open_token::<ConfirmedEnrollment>(ticket, caller, visitor.name, now)?;
        let pending = self.restore_pending_enrollment(&ticket.payload().draft, &ticket)?;
        let confirmation = EnrollmentConfirmation::by_code(ticket.payload().step);
        let actor = Principal::Service(visitor.name.as_str(), visitor.origin, visitor.service);
        let before = ticket.at();
        let after = self.activate(&pending, &confirmation, actor, now)?;
        // The activation added the account if there was none before.
        let generation = before.map_or(0, |before| before.generation) + 1;
        let is_over = |record: &AccountRecord| {
            record.generation != generation || before.is_some_and(|before| before.id != record.id)
        };
        // Gates applied the activation meanwhile. Whatever has ended all sessions since then has
        // ended this login too.
        match self.complete_login_unless(visitor, AuthenticationMethod::Code, now, is_over)? {
            Some(_) => {}
            None => return Err(AdministrationError::Stale),
        }
        let at = self
            .account_at(visitor.name)?
            .filter(|at| at.generation == generation);
        let passed = MarkContents {
            caller,
            account: visitor.name,
            at: Some(at.ok_or(AdministrationError::Stale)?),
            accepted: None,
            told: Vec::new(),
        };
        let mark = self.seal_mark(judging, passed, now)?;
        let told = messages::app_passwords_text(after).into_iter().collect();
        Ok(EngineReply {
            messages: told,
            mark,
            answer: ReplyBody::Judged(VerifyReply::Done),
        })
    }
}

fn judged(judged: VerifyReply) -> EngineReply {
    ReplyBody::Judged(judged).into()
}

fn refused(refusal: Refusal) -> EngineReply {
    judged(VerifyReply::Refused {
        cause: refusal.to_string(),
        words: messages::refusal(refusal),
        taken: 0,
    })
}
