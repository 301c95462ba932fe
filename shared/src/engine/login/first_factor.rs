//! The first factor of a login. A password is charged before it is verified, so that however many
//! arrive at once, no more are verified than the bucket allows. While the host is asked, no engine
//! is held. An identity is not charged: the trusted proxy that sends it has verified it.
//!
//! MUST NOT refund an attempt that was not verified, except one about which the host was never
//! asked.
//! MUST verify no password where another first factor is configured.

use super::known_browser::{RecognizedBrowser, recognize_browser};
use super::new_session::NewSession;
use super::next::LoginProgress;
use super::proof::FirstFactorPassed;
use super::{AfterPassword, BrowserContext, LoginError};
use crate::account::event::EventKind;
use crate::account::name::{Distinct, OtherSpelling, UserName};
use crate::account::record::AccountId;
use crate::config::gate::FirstFactorSource;
use crate::credential::input::Input;
use crate::crypto::password::{Password, PasswordError, PasswordHash};
use crate::engine::accounts::account_data;
use crate::engine::accounts::change::check_new_name;
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::policy::exemption;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{ChargedAttempt, Login};
use crate::policy::groups;
use crate::protocol::host_password::HostPasswordReply;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::{TokenId, TokenParent};
use crate::verify::decision::Refusal;
use crate::verify::throttle::Phase;

/// A password attempt that is charged and not yet verified.
pub struct FirstFactorAttempt {
    pub(super) charge: ChargedAttempt,
    /// The account's generation when the attempt was charged.
    pub(super) generation: Option<u64>,
    hash: Option<PasswordHash>,
}

impl Login<'_> {
    /// Verifies the password that the store keeps, with a recovery code if one was given along with
    /// it.
    pub fn enter_password(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        password: Option<&Password>,
        recovery: &Input,
        now: Timestamp,
    ) -> Result<AfterPassword, LoginError> {
        if self.engine.config.gate.first_factor != FirstFactorSource::Password {
            return Ok(AfterPassword::Refused(Refusal::Malformed));
        }
        match self.charge_first_factor(browser, name, recovery, now)? {
            Ok(attempt) => {
                let reply = self.verify_stored_password(&attempt, password)?;
                self.settle_first_factor(browser, name, attempt, reply, recovery, now)
            }
            Err(refusal) => {
                if !matches!(refusal, Refusal::AddressDelayed { .. }) {
                    // The time must not show whether this name's bucket is delayed: names without
                    // an account share theirs.
                    self.engine
                        .vault
                        .verify_password(&mut self.engine.hashing, password, None)?;
                }
                Ok(AfterPassword::Refused(refusal))
            }
        }
    }

    /// Logs in with an identity that a trusted proxy has established.
    pub fn enter_identity(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        now: Timestamp,
    ) -> Result<AfterPassword, LoginError> {
        let configured = self.engine.config.gate.first_factor;
        let Some(first) = FirstFactorPassed::by_identity(configured, now) else {
            return Ok(AfterPassword::Refused(Refusal::Malformed));
        };
        if let Some(other) = self.find_other_spelling(name)? {
            return Ok(AfterPassword::OtherSpelling(other));
        }
        self.continue_after_first_factor(browser, name, None, first, &Input::Malformed, now)
    }

    /// Returns the account that an unknown identity has on this host under another name: some name
    /// services resolve `alice@example.com` to alice.
    fn find_other_spelling(
        &mut self,
        name: &UserName,
    ) -> Result<Option<OtherSpelling>, LoginError> {
        if self.is_account(name)? {
            return Ok(None);
        }
        let Some(of) = groups::find_canonical_name(name)
            .map_err(LoginError::Groups)?
            .filter(|of| of != name)
        else {
            return Ok(None);
        };
        Ok(self.is_account(&of)?.then(|| OtherSpelling {
            name: name.clone(),
            existing: of,
        }))
    }

    fn is_account(&mut self, name: &UserName) -> Result<bool, LoginError> {
        if self.engine.config.find_declared_account(name).is_some() {
            return Ok(true);
        }
        let mut tx = self.engine.begin(Intent::Read)?;
        Ok(tx.find_account(name)?.is_some())
    }

    /// Charges a password before it is verified.
    ///
    /// With a valid recovery or one-time code, no delay applies that others have caused, of the
    /// account or of the address. Such an attempt has its own bucket, in which a person who found
    /// the code guesses no more passwords than anyone else.
    pub fn charge_first_factor(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        recovery: &Input,
        now: Timestamp,
    ) -> Result<Result<FirstFactorAttempt, Refusal>, LoginError> {
        self.end_stolen_browser(browser, name, now)?;
        repeat_after_conflict(|| self.charge_once(browser, name, recovery, now))
    }

    /// Charges a password in one transaction.
    fn charge_once(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        recovery: &Input,
        now: Timestamp,
    ) -> Result<Result<FirstFactorAttempt, Refusal>, LoginError> {
        let (mut evaluation, _) = self.evaluate_login(browser, name, Phase::Before, None, now)?;
        if evaluation.has_recovery_code(recovery) {
            evaluation.use_recovery_bucket()?;
        }
        let charge = match evaluation.charge_password()? {
            Ok(charge) => charge,
            Err(refusal) => {
                let delayed = matches!(refusal, Refusal::Delayed { .. });
                if delayed {
                    evaluation.write_as_if_charged()?;
                }
                evaluation.commit_if(delayed)?;
                return Ok(Err(refusal));
            }
        };
        let record = evaluation.record.as_ref();
        let account = record.map_or(AccountId(0), |record| record.id);
        let generation = record.map(|record| record.generation);
        let hash = evaluation.tx.password_hash(account)?;
        evaluation.commit()?;
        Ok(Ok(FirstFactorAttempt {
            charge,
            generation,
            hash,
        }))
    }

    /// Applies the verification of a charged password. A caller drops an attempt without a reply
    /// instead, and it stays charged.
    pub fn settle_first_factor(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        attempt: FirstFactorAttempt,
        reply: HostPasswordReply,
        recovery: &Input,
        now: Timestamp,
    ) -> Result<AfterPassword, LoginError> {
        match self.settle_password(&attempt, reply, now)? {
            Ok(first) => {
                let attempt = Some(&attempt);
                self.continue_after_first_factor(browser, name, attempt, first, recovery, now)
            }
            Err(refusal) => Ok(AfterPassword::Refused(refusal)),
        }
    }

    /// Returns the proof that a charged password is right. Refunds an attempt about which the host
    /// was never asked; the caller refunds a right one.
    pub(super) fn settle_password(
        &mut self,
        attempt: &FirstFactorAttempt,
        reply: HostPasswordReply,
        now: Timestamp,
    ) -> Result<Result<FirstFactorPassed, Refusal>, LoginError> {
        let configured = self.engine.config.gate.first_factor;
        Ok(match reply {
            HostPasswordReply::Right => {
                FirstFactorPassed::by_password(attempt, reply, configured, now)
                    .ok_or(Refusal::Malformed)
            }
            HostPasswordReply::Wrong => Err(Refusal::Wrong),
            HostPasswordReply::NotVerified => {
                self.engine.refund_unasked(&attempt.charge, now)?;
                Err(Refusal::Malformed)
            }
        })
    }

    pub(super) fn verify_stored_password(
        &mut self,
        attempt: &FirstFactorAttempt,
        password: Option<&Password>,
    ) -> Result<HostPasswordReply, LoginError> {
        let is_right = self.engine.vault.verify_password(
            &mut self.engine.hashing,
            password,
            attempt.hash.as_ref(),
        )?;
        Ok(match is_right {
            true => HostPasswordReply::Right,
            false => HostPasswordReply::Wrong,
        })
    }

    /// Evaluates a browser's request before or after the first factor. A charged attempt is
    /// refunded, unless the caller drops the transaction.
    pub(super) fn evaluate_login<'a>(
        &'a mut self,
        browser: &BrowserContext<'a>,
        name: &'a UserName,
        phase: Phase,
        attempt: Option<&FirstFactorAttempt>,
        now: Timestamp,
    ) -> Result<(Evaluation<'a>, RecognizedBrowser), LoginError> {
        let declared = account_data::read_declared_secret(&self.engine.config, name)?;
        let mut tx = self.engine.begin_act(Intent::Attempt, now)?;
        if let Some(attempt) = attempt {
            tx.lock_account(name)?;
            attempt.charge.refund(&mut tx)?;
        }
        let recognized = recognize_browser(&mut tx, browser, name)?;
        let request = match phase {
            Phase::Before => browser.before_first_factor(name, &recognized),
            Phase::After => browser.after_first_factor(name),
        };
        Ok((Evaluation::load(tx, request, declared)?, recognized))
    }

    /// Continues after a first factor has passed: the only place that does. The attempt is
    /// refunded, and what follows is written in the same transaction.
    fn continue_after_first_factor(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        attempt: Option<&FirstFactorAttempt>,
        first: FirstFactorPassed,
        recovery: &Input,
        now: Timestamp,
    ) -> Result<AfterPassword, LoginError> {
        self.end_stolen_browser(browser, name, now)?;
        let host = self.load_host_groups(name)?;
        let (mut evaluation, recognized) =
            self.evaluate_login(browser, name, Phase::Before, attempt, now)?;
        if attempt.is_some() {
            evaluation.forget_own_failures()?;
            evaluation.forget_recovery_failures()?;
        }
        // What ended all sessions meanwhile (a new password, the second factor on or off) ended
        // this login too.
        let found = evaluation.record.as_ref().map(|record| record.generation);
        if attempt.is_some_and(|attempt| attempt.generation != found) {
            return Ok(AfterPassword::Refused(Refusal::Expired));
        }
        let (config, request) = (evaluation.tx.config, evaluation.request);
        if evaluation.record.is_none() && config.gate.first_factor.creates_accounts() {
            let tx = &mut evaluation.tx;
            let new = match check_new_name(config, tx, name, Distinct::No)? {
                Ok(new) => new,
                Err(other) => {
                    // The first factor was right, so the attempt is refunded.
                    evaluation.commit()?;
                    return Ok(AfterPassword::OtherSpelling(other));
                }
            };
            exemption::log_request(tx, &request, EventKind::AccountAdded, "first-sign-in")?;
            tx.add_account(&new, now)?;
            evaluation = evaluation.load_again(request)?;
        }
        let Some(record) = evaluation.record.clone() else {
            return Ok(AfterPassword::Refused(Refusal::Expired));
        };
        let sign_in = TokenId::random().map_err(PasswordError::from)?;
        let parent = TokenParent::FirstFactor {
            sign_in,
            first: first.first(),
        };
        let progress = LoginProgress {
            session: NewSession {
                browser,
                record: &record,
                host: &host,
            },
            recovery,
            first,
            parent,
            only_code: false,
        };
        match progress.continue_login(evaluation, &recognized)? {
            AfterPassword::Opened(opened) => {
                self.settle_login(&opened)?;
                Ok(AfterPassword::Opened(opened))
            }
            // Enrollment needs no one-time code while access would be granted without a second
            // factor.
            AfterPassword::Enroll(token) => {
                let request = browser.after_first_factor(name);
                let required = self.engine.policy().enrollment_requirement(&request, now)?;
                let token = token.with_permission(required.into());
                Ok(AfterPassword::Enroll(Box::new(token)))
            }
            next => Ok(next),
        }
    }
}
