//! Step-up: re-authentication in a session, for acts that a session alone does not permit. It takes
//! the first factor, charged as in a login, and a code. Where a proxy establishes the identity, a
//! code alone.
//!
//! A recovery code is no step-up: its use ends every session, including this one. A login with it
//! is.

use super::first_factor::FirstFactorAttempt;
use super::proof::{FirstFactorPassed, SteppedUp};
use super::token_validity::check_session;
use super::{BrowserContext, LoginError};
use crate::account::event::EventKind;
use crate::account::second_factor::Enrolled;
use crate::config::gate::FirstFactorSource;
use crate::credential::input::Input;
use crate::crypto::password::{Password, PasswordError};
use crate::crypto::vault::TokenKeys;
use crate::engine::Login;
use crate::protocol::host_password::HostPasswordReply;
use crate::system::clock::Timestamp;
use crate::system::random::RandomError;
use crate::token::session::Session;
use crate::token::{StepUpPayload, StepUpToken, Token, TokenHolder};
use crate::verify::decision::Refusal;
use crate::verify::throttle::Phase;

pub enum AfterStepUp {
    /// The step-up token for this session.
    Verified(StepUpToken),
    /// The password is refused. The code was not verified.
    Password(Refusal),
    Code(Refusal),
    /// The host could not be asked. The attempt is refunded.
    Unasked,
    SessionEnded,
}

impl Login<'_> {
    /// Verifies the password that the store keeps, and a code. An account without a second factor
    /// gives no code.
    pub fn step_up(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        password: Option<&Password>,
        input: &Input,
        now: Timestamp,
    ) -> Result<AfterStepUp, LoginError> {
        if self.engine.config.gate.first_factor != FirstFactorSource::Password {
            return Ok(AfterStepUp::Password(Refusal::Malformed));
        }
        match self.charge_first_factor(browser, &session.name, &Input::Malformed, now)? {
            Err(refusal) => Ok(AfterStepUp::Password(refusal)),
            Ok(attempt) => {
                let reply = self.verify_stored_password(&attempt, password)?;
                self.settle_step_up(browser, session, &attempt, reply, input, now)
            }
        }
    }

    /// Verifies a code, after the host's reply about a password that
    /// `charge_first_factor` charged.
    pub fn settle_step_up(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        attempt: &FirstFactorAttempt,
        reply: HostPasswordReply,
        input: &Input,
        now: Timestamp,
    ) -> Result<AfterStepUp, LoginError> {
        match (self.settle_password(attempt, reply, now)?, reply) {
            (Ok(first), _) => {
                self.verify_step_up(browser, session, Some((attempt, first)), input, now)
            }
            (Err(_), HostPasswordReply::NotVerified) => Ok(AfterStepUp::Unasked),
            (Err(refusal), _) => Ok(AfterStepUp::Password(refusal)),
        }
    }

    /// Verifies a code alone, where a trusted proxy establishes the identity.
    pub fn step_up_by_code(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        input: &Input,
        now: Timestamp,
    ) -> Result<AfterStepUp, LoginError> {
        match self.engine.config.gate.first_factor {
            FirstFactorSource::Header => self.verify_step_up(browser, session, None, input, now),
            FirstFactorSource::Password | FirstFactorSource::Pam => {
                Ok(AfterStepUp::Password(Refusal::Malformed))
            }
        }
    }

    fn verify_step_up(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        attempt: Option<(&FirstFactorAttempt, FirstFactorPassed)>,
        input: &Input,
        now: Timestamp,
    ) -> Result<AfterStepUp, LoginError> {
        let name = &session.name;
        self.end_stolen_browser(browser, name, now)?;
        let (phase, charged) = match &attempt {
            Some((charged, _)) => (Phase::Before, Some(*charged)),
            None => (Phase::After, None),
        };
        let (mut evaluation, _) = self.evaluate_login(browser, name, phase, charged, now)?;
        if charged.is_some() {
            evaluation.forget_own_failures()?;
            evaluation = evaluation.load_again(browser.after_first_factor(name))?;
        }
        let lives = check_session(session, &mut evaluation.tx)?.is_some();
        let is_same = charged.is_none_or(|charged| charged.generation == Some(session.generation));
        if !lives || !is_same {
            evaluation.commit()?;
            return Ok(AfterStepUp::SessionEnded);
        }
        let proof = match (evaluation.credentials.enrolled, input, &attempt) {
            (Enrolled::Yes, Input::RecoveryCode(_), _) => Err(Refusal::Malformed),
            (Enrolled::Yes, _, _) => match evaluation.verify_input(input)?.result {
                Ok(accepted) => Ok(SteppedUp::by_input(&accepted)),
                Err(refusal) => Err(refusal),
            },
            (Enrolled::No, _, Some((_, first))) => {
                evaluation.log_event(EventKind::Accepted, "password-again")?;
                Ok(SteppedUp::by_first_factor(first))
            }
            (Enrolled::No, _, None) => Err(Refusal::NotEnrolled),
        };
        let keys = evaluation.tx.vault.token_keys();
        evaluation.commit()?;
        Ok(match proof {
            Ok(proof) => {
                let token = StepUpToken::begun(&proof, session, &keys, now);
                AfterStepUp::Verified(token.map_err(PasswordError::from)?)
            }
            Err(refusal) => {
                self.engine.note_drift(Some(&refusal), now);
                AfterStepUp::Code(refusal)
            }
        })
    }
}

impl StepUpToken {
    /// Issues a step-up token for a session.
    pub(crate) fn begun(
        _: &SteppedUp,
        session: &Session,
        keys: &TokenKeys,
        now: Timestamp,
    ) -> Result<StepUpToken, RandomError> {
        let to = crate::token::session_recipient(session, TokenHolder::Session(session.id));
        Token::issue_until(keys, to, StepUpPayload {}, now, session.expires)
    }
}
