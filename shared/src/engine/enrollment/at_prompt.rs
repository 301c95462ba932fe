//! A first setup at the prompt of a PAM host, by someone who has passed the first factor: shown, confirmed by a code, and
//! active once the person has saved the recovery codes. Between the steps the host keeps sealed tickets, the store nothing.
//!
//! MUST NOT begin one for a process that runs as the person: it could be anyone who found a terminal open, and such a
//! host vouches for no password. `postern enroll` asks for it.

use super::pending::{Confirmation, Pending};
use super::token::{Confirmed, Draft};
use crate::account::record::AccountRecord;
use crate::credential::input;
use crate::credential::recovery_code::RecoveryCode;
use crate::crypto::vault::VaultError;
use crate::engine::verify::pam_account::Passed;
use crate::engine::{Actor, AdministrationError, Caller, Door, Visitor, messages};
use crate::policy::requirement::Enrolling;
use crate::protocol::command_request::{Answer, AtPrompt, Judged, Judging, Reply, Typed};
use crate::system::clock::Timestamp;
use crate::token::Token;
use crate::verify::decision::Refusal;
use crate::verify::method::Means;
use crate::verify::throttle::Stage;

type Done = Result<Reply, AdministrationError>;

impl Door {
    /// One step.
    pub(in crate::engine) fn set_up_at_prompt(
        &mut self,
        caller: Caller<'_>,
        visitor: &Visitor<'_>,
        judging: &Judging,
        step: &AtPrompt,
        now: Timestamp,
    ) -> Done {
        if caller.owns(visitor.name) || visitor.stage == Stage::Before {
            return Ok(refused(Refusal::NotEnrolled));
        }
        match step {
            AtPrompt::Begin(code) => self.begin_at_prompt(caller, visitor, code.as_ref(), now),
            AtPrompt::Confirm { ticket, code } => {
                self.confirm_at_prompt(caller, visitor, ticket, code, now)
            }
            AtPrompt::Activate(ticket) => {
                self.activate_at_prompt(caller, visitor, judging, ticket, now)
            }
        }
    }

    fn begin_at_prompt(
        &mut self,
        caller: Caller<'_>,
        visitor: &Visitor<'_>,
        code: Option<&Typed>,
        now: Timestamp,
    ) -> Done {
        let pending = Pending::new(&self.config, visitor.name).map_err(VaultError::Random)?;
        self.refuse_setup(&pending)?;
        let footing = self.footing(visitor.name)?;
        // The line itself says that whoever has none sets one up here, required or not.
        let invitation = match (
            self.config
                .policy
                .enrolling(visitor.origin.certain_address()),
            code,
        ) {
            (Enrolling::Free, _) => None,
            (Enrolling::OneTimeCode, None) => return Ok(judged(Judged::OneTimeCodeNeeded)),
            (Enrolling::OneTimeCode, Some(code)) => {
                let answer = input::Answer::read(code.as_bytes());
                match self.judge_invitation(visitor, &answer, None, now)? {
                    Ok(invitation) => Some(invitation),
                    Err(refusal) => return Ok(refused(refusal)),
                }
            }
        };
        let (keys, to) = (self.token_keys(), caller.issues_to(visitor.name, &footing));
        let draft = Draft::of(&pending, footing, invitation);
        let token = Token::issue(&keys, to, draft, now).map_err(VaultError::Random)?;
        let grouped = |code: &RecoveryCode| Typed::from(code.grouped());
        Ok(judged(Judged::Setup {
            secret: pending.secret().to_base32().into(),
            url: pending.url().into(),
            recovery_codes: pending.recovery_codes().iter().map(grouped).collect(),
            ticket: token.seal(&keys)?.into(),
        }))
    }

    fn confirm_at_prompt(
        &mut self,
        caller: Caller<'_>,
        visitor: &Visitor<'_>,
        ticket: &Typed,
        code: &Typed,
        now: Timestamp,
    ) -> Done {
        // tickets are opened with the keys of now
        self.footing(visitor.name)?;
        let ticket = self.opened::<Draft>(ticket, caller, visitor.name, now)?;
        let pending = self.pending(ticket.payload(), &ticket)?;
        let confirmation =
            match pending.confirm(&input::Answer::read(code.as_bytes()), &self.config, now) {
                Ok(confirmation) => confirmation,
                Err(refusal) => return Ok(refused(refusal)),
            };
        let step = confirmation.step().ok_or(AdministrationError::Stale)?;
        let confirmed = ticket.next(|draft| Confirmed { draft, step });
        Ok(judged(Judged::Confirmed {
            ticket: confirmed.seal(&self.token_keys())?.into(),
        }))
    }

    fn activate_at_prompt(
        &mut self,
        caller: Caller<'_>,
        visitor: &Visitor<'_>,
        judging: &Judging,
        ticket: &Typed,
        now: Timestamp,
    ) -> Done {
        self.footing(visitor.name)?;
        let ticket = self.opened::<Confirmed>(ticket, caller, visitor.name, now)?;
        let pending = self.pending(&ticket.payload().draft, &ticket)?;
        let confirmation = Confirmation::given(ticket.payload().step);
        let actor = Actor::Service(visitor.name.as_str(), visitor.origin, visitor.service);
        let before = ticket.at();
        let after = self.activate(&pending, &confirmation, actor, now)?;
        // of an account that came into being with it
        let generation = before.map_or(0, |before| before.generation) + 1;
        let is_over = |record: &AccountRecord| {
            record.generation != generation || before.is_some_and(|before| before.id != record.id)
        };
        // gates were told of it meanwhile, and whatever ended all sessions since ended this one too
        match self.entered_unless(visitor, Means::Code, now, is_over)? {
            Some(_) => {}
            None => return Err(AdministrationError::Stale),
        }
        let at = self
            .account_at(visitor.name)?
            .filter(|at| at.generation == generation);
        let passed = Passed {
            caller,
            account: visitor.name,
            at: Some(at.ok_or(AdministrationError::Stale)?),
            accepted: None,
            told: Vec::new(),
        };
        let mark = self.seal_mark(judging, passed, now)?;
        let told = messages::app_passwords(after).into_iter().collect();
        Ok(Reply {
            told,
            mark,
            answer: Answer::Judged(Judged::Done),
        })
    }
}

fn judged(judged: Judged) -> Reply {
    Answer::Judged(judged).into()
}

fn refused(refusal: Refusal) -> Reply {
    judged(Judged::Refused {
        cause: refusal.to_string(),
        words: messages::refusal(refusal),
        taken: 0,
    })
}
