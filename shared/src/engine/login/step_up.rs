//! Step-up: re-authentication in a session, for acts that a session alone does not permit. It takes
//! the first factor, charged as in a login, and a code. Where a proxy establishes the identity, a
//! code alone.
//!
//! A recovery code is no step-up: its use ends every session, including this one. A login with it
//! is.

use super::first_factor::FirstFactorAttempt;
use super::known_browser::recognize_browser;
use super::proof::{FirstFactorPassed, SteppedUp};
use super::token_validity::check_session;
use super::{BrowserContext, LoginError};
use crate::account::event::EventKind;
use crate::account::second_factor::Enrolled;
use crate::config::gate::FirstFactorSource;
use crate::credential::input::Input;
use crate::credential::secret::RandomError;
use crate::crypto::password::{Password, PasswordError};
use crate::crypto::vault::TokenKeys;
use crate::engine::Engine;
use crate::engine::Login;
use crate::engine::accounts::account_data;
use crate::engine::verify::evaluation::Evaluation;
use crate::protocol::host_password::HostPasswordReply;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{StepUpPayload, StepUpToken, Token, TokenHolder};
use crate::verify::decision::Refusal;

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
        match reply {
            HostPasswordReply::Right => {
                let first = FirstFactorPassed::by_password(
                    attempt,
                    reply,
                    self.engine.config.gate.first_factor,
                    now,
                );
                self.verify_step_up(browser, session, Some(attempt).zip(first), input, now)
            }
            HostPasswordReply::Wrong => Ok(AfterStepUp::Password(Refusal::Wrong)),
            HostPasswordReply::NotVerified => {
                self.refund_attempt(attempt)?;
                Ok(AfterStepUp::Unasked)
            }
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
        let Engine {
            config,
            vault,
            store,
            ..
        } = self.engine;
        let declared = || account_data::read_declared_secret(config, name);
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = &mut transaction;
        if let Some((attempt, _)) = &attempt {
            tx.remove_failure(attempt.bucket_failure, attempt.address_failure)?;
            let recognized = recognize_browser(vault, tx, browser, name, now)?;
            let request = browser.before_first_factor(name, &recognized);
            Evaluation::load(config, vault, tx, &request, declared()?, now)?
                .forget_own_failures(tx)?;
        }
        let after = browser.after_first_factor(name);
        let evaluation = Evaluation::load(config, vault, tx, &after, declared()?, now)?;
        let lives = check_session(session, tx, now)?.is_some();
        let is_same = attempt
            .as_ref()
            .is_none_or(|(attempt, _)| attempt.generation == Some(session.generation));
        if !lives || !is_same {
            drop(evaluation);
            transaction.commit()?;
            return Ok(AfterStepUp::SessionEnded);
        }
        let proof = match (evaluation.credentials.enrolled, input, &attempt) {
            (Enrolled::Yes, Input::RecoveryCode(_), _) => Err(Refusal::Malformed),
            (Enrolled::Yes, _, _) => match evaluation.verify_input(tx, input)?.result {
                Ok(accepted) => Ok(SteppedUp::by_input(&accepted)),
                Err(refusal) => Err(refusal),
            },
            (Enrolled::No, _, Some((_, first))) => {
                evaluation.log_event(tx, EventKind::Accepted, "password-again")?;
                Ok(SteppedUp::by_first_factor(first))
            }
            (Enrolled::No, _, None) => Err(Refusal::NotEnrolled),
        };
        drop(evaluation);
        transaction.commit()?;
        Ok(match proof {
            Ok(proof) => {
                let token =
                    StepUpToken::begun(&proof, session, &self.engine.vault.token_keys(), now);
                AfterStepUp::Verified(token.map_err(PasswordError::from)?)
            }
            Err(refusal) => AfterStepUp::Code(refusal),
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
