//! A first setup at the prompt of a PAM host, by someone who has passed the first factor: shown, confirmed by a code, and
//! active once the person has saved the recovery codes. Between the steps the host keeps sealed tickets, the store nothing.
//!
//! MUST NOT begin one for a process that runs as the person: it could be anyone who found a terminal open, and such a
//! host vouches for no password. `postern enroll` asks for it.

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
    /// One step.
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
        self.refuse_setup(&pending)?;
        let footing = self.footing(visitor.name)?;
        // The line itself says that whoever has none sets one up here, required or not.
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
                match self.judge_invitation(visitor, &answer, None, now)? {
                    Ok(invitation) => Some(invitation),
                    Err(refusal) => return Ok(refused(refusal)),
                }
            }
        };
        let (keys, to) = (self.token_keys(), caller.issues_to(visitor.name, &footing));
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
        // tickets are opened with the keys of now
        self.footing(visitor.name)?;
        let ticket = self.opened::<EnrollmentDraft>(ticket, caller, visitor.name, now)?;
        let pending = self.pending(ticket.payload(), &ticket)?;
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
        self.footing(visitor.name)?;
        let ticket = self.opened::<ConfirmedEnrollment>(ticket, caller, visitor.name, now)?;
        let pending = self.pending(&ticket.payload().draft, &ticket)?;
        let confirmation = EnrollmentConfirmation::given(ticket.payload().step);
        let actor = Principal::Service(visitor.name.as_str(), visitor.origin, visitor.service);
        let before = ticket.at();
        let after = self.activate(&pending, &confirmation, actor, now)?;
        // of an account that came into being with it
        let generation = before.map_or(0, |before| before.generation) + 1;
        let is_over = |record: &AccountRecord| {
            record.generation != generation || before.is_some_and(|before| before.id != record.id)
        };
        // gates were told of it meanwhile, and whatever ended all sessions since ended this one too
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
        let told = messages::app_passwords(after).into_iter().collect();
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
