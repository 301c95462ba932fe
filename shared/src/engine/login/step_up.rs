//! A fresh proof in a session, for what a session alone may not do: the first factor again, charged like that of a
//! sign-in, and a code. Where a proxy establishes who is there, a fresh code alone.
//!
//! A recovery code steps nobody up here: its use ends every session, this one too; signing in with it does.

use super::first_factor::{FirstFactorAttempt, before};
use super::known_browser::recognize_browser;
use super::proof::{FirstFactorPassed, SteppedUp};
use super::token_validity::check_session;
use super::{BrowserContext, LoginError, SERVICE};
use crate::account::event::EventKind;
use crate::account::second_factor::Enrolled;
use crate::config::gate::FirstFactorSource;
use crate::credential::input::Input;
use crate::credential::secret::RandomError;
use crate::crypto::password::{Password, PasswordError};
use crate::crypto::vault::TokenKeys;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{Engine, VerificationRequest, account_data};
use crate::protocol::host_password::HostPasswordReply;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{StepUpPayload, StepUpToken, Token, TokenHolder};
use crate::verify::decision::Refusal;
use crate::verify::throttle::Phase;

/// What comes of it.
pub enum AfterStepUp {
    /// The proof, for this session.
    Verified(StepUpToken),
    /// The password is refused; the code was not looked at.
    Password(Refusal),
    /// The code is refused.
    Code(Refusal),
    /// The host could not be asked; nothing was charged.
    Unasked,
    /// The session has ended.
    SessionEnded,
}

impl Engine {
    /// The password that the store keeps, and a code. An account without a second factor has no code to give.
    pub fn step_up(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        password: Option<&Password>,
        answer: &Input,
        now: Timestamp,
    ) -> Result<AfterStepUp, LoginError> {
        if self.config.gate.first_factor != FirstFactorSource::Password {
            return Ok(AfterStepUp::Password(Refusal::Malformed));
        }
        match self.charge_first_factor(browser, &session.name, &Input::Malformed, now)? {
            Err(refusal) => Ok(AfterStepUp::Password(refusal)),
            Ok(tried) => {
                let said = self.verify_stored_password(&tried, password)?;
                self.settle_step_up(browser, session, &tried, said, answer, now)
            }
        }
    }

    /// A code, by what the judge said of a password that [`Door::try_first_factor`] charged.
    pub fn settle_step_up(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        tried: &FirstFactorAttempt,
        said: HostPasswordReply,
        answer: &Input,
        now: Timestamp,
    ) -> Result<AfterStepUp, LoginError> {
        match said {
            HostPasswordReply::Right => {
                let first =
                    FirstFactorPassed::by_password(tried, said, self.config.gate.first_factor, now);
                self.verify_step_up(browser, session, Some(tried).zip(first), answer, now)
            }
            HostPasswordReply::Wrong => Ok(AfterStepUp::Password(Refusal::Wrong)),
            HostPasswordReply::NotVerified => {
                self.refund_attempt(tried)?;
                Ok(AfterStepUp::Unasked)
            }
        }
    }

    /// A code alone, where a trusted proxy establishes who is there.
    pub fn step_up_by_code(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        answer: &Input,
        now: Timestamp,
    ) -> Result<AfterStepUp, LoginError> {
        match self.config.gate.first_factor {
            FirstFactorSource::Header => self.verify_step_up(browser, session, None, answer, now),
            FirstFactorSource::Password | FirstFactorSource::Pam => {
                Ok(AfterStepUp::Password(Refusal::Malformed))
            }
        }
    }

    fn verify_step_up(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        tried: Option<(&FirstFactorAttempt, FirstFactorPassed)>,
        answer: &Input,
        now: Timestamp,
    ) -> Result<AfterStepUp, LoginError> {
        let name = &session.name;
        self.end_stolen_browser(browser, name, now)?;
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = || account_data::read_declared_secret(config, name);
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        if let Some((tried, _)) = &tried {
            tx.remove_failure(tried.row, tried.address)?;
            let recognised = recognize_browser(vault, tx, browser, name, now)?;
            let visitor = before(browser, name, &recognised);
            Evaluation::load(config, vault, tx, &visitor, declared()?, now)?
                .forget_own_failures(tx)?;
        }
        let after = VerificationRequest {
            name,
            phase: Phase::After,
            origin: browser.origin,
            browser: None,
            service: SERVICE,
        };
        let visit = Evaluation::load(config, vault, tx, &after, declared()?, now)?;
        let lives = check_session(session, tx, now)?.is_some();
        let is_same = tried
            .as_ref()
            .is_none_or(|(tried, _)| tried.generation == Some(session.generation));
        if !lives || !is_same {
            drop(visit);
            transaction.commit()?;
            return Ok(AfterStepUp::SessionEnded);
        }
        let proof = match (visit.credentials.enrolled, answer, &tried) {
            (Enrolled::Yes, Input::RecoveryCode(_), _) => Err(Refusal::Malformed),
            (Enrolled::Yes, _, _) => match visit.verify_input(tx, answer)?.result {
                Ok(accepted) => Ok(SteppedUp::by_input(&accepted)),
                Err(refusal) => Err(refusal),
            },
            (Enrolled::No, _, Some((_, first))) => {
                visit.log_event(tx, EventKind::Accepted, "password-again")?;
                Ok(SteppedUp::by_first_factor(first))
            }
            (Enrolled::No, _, None) => Err(Refusal::NotEnrolled),
        };
        drop(visit);
        transaction.commit()?;
        Ok(match proof {
            Ok(proof) => {
                let token = StepUpToken::begun(&proof, session, &self.vault.token_keys(), now);
                AfterStepUp::Verified(token.map_err(PasswordError::from)?)
            }
            Err(refusal) => AfterStepUp::Code(refusal),
        })
    }
}

impl StepUpToken {
    /// One for a session, by a proof.
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
