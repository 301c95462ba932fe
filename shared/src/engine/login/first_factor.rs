//! The first factor of a login. A password is charged before it is verified, so that however many
//! arrive at once, no more are verified than the bucket allows. While the host is asked, no engine
//! is held. An identity is not charged: the trusted proxy that sends it has verified it.
//!
//! MUST NOT refund an attempt that was not verified, except one about which the host was never
//! asked.
//! MUST verify no password where another first factor is configured.

use super::known_browser::recognize_browser;
use super::next::LoginProgress;
use super::proof::FirstFactorPassed;
use super::{AfterPassword, BrowserContext, LoginError};
use crate::account::event::EventKind;
use crate::account::name::{Distinct, OtherSpelling, UserName};
use crate::account::record::{AccountId, AccountRecord};
use crate::config::gate::FirstFactorSource;
use crate::credential::input::Input;
use crate::crypto::password::{Password, PasswordError, PasswordHash};
use crate::engine::Login;
use crate::engine::accounts::account_data;
use crate::engine::accounts::account_name::check_new_name;
use crate::engine::policy::exemption;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{Engine, EnrollmentPermission, VerificationRequest};
use crate::policy::groups;
use crate::policy::requirement::EnrollmentRequirement;
use crate::protocol::host_password::HostPasswordReply;
use crate::store::{FailureId, Intent};
use crate::system::clock::Timestamp;
use crate::token::{TokenId, TokenParent};
use crate::verify::decision::Refusal;
use crate::verify::throttle::{Phase, WrongFactor};

/// A password attempt that is charged and not yet verified.
pub struct FirstFactorAttempt {
    pub(super) bucket_failure: FailureId,
    pub(super) address_failure: Option<FailureId>,
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
        match self.engine.config.gate.first_factor {
            FirstFactorSource::Header => match self.find_other_spelling(name)? {
                Some(other) => Ok(AfterPassword::OtherSpelling(other)),
                None => {
                    let first =
                        FirstFactorPassed::by_identity(self.engine.config.gate.first_factor, now);
                    self.continue_after_first_factor(
                        browser,
                        name,
                        None,
                        first,
                        &Input::Malformed,
                        now,
                    )
                }
            },
            FirstFactorSource::Password | FirstFactorSource::Pam => {
                Ok(AfterPassword::Refused(Refusal::Malformed))
            }
        }
    }

    /// Returns the account that an unknown identity has on this host under another name: some name
    /// services resolve `alice@example.com` to alice.
    fn find_other_spelling(
        &mut self,
        name: &UserName,
    ) -> Result<Option<OtherSpelling>, LoginError> {
        if self.engine.config.find_declared_account(name).is_some()
            || self.load_account(name)?.is_some()
        {
            return Ok(None);
        }
        let Some(of) = groups::find_canonical_name(name)
            .map_err(LoginError::Groups)?
            .filter(|of| of != name)
        else {
            return Ok(None);
        };
        let is_account = self.engine.config.find_declared_account(&of).is_some()
            || self.load_account(&of)?.is_some();
        Ok(is_account.then(|| OtherSpelling {
            name: name.clone(),
            existing: of,
        }))
    }

    fn load_account(&mut self, name: &UserName) -> Result<Option<AccountRecord>, LoginError> {
        Ok(self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Read)?
            .find_account(name)?)
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
        let Engine {
            config,
            vault,
            store,
            ..
        } = self.engine;
        let declared = account_data::read_declared_secret(config, name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = &mut transaction;
        let recognized = recognize_browser(vault, tx, browser, name, now)?;
        let request = browser.before_first_factor(name, &recognized);
        let evaluation = Evaluation::load(config, vault, tx, &request, declared, now)?;
        let with_recovery = evaluation.has_recovery_code(recovery);
        let evaluation = match with_recovery {
            true => evaluation.in_recovery_bucket(tx)?,
            false => evaluation,
        };
        if let Some(refusal) = evaluation.first_factor_refusal() {
            let delayed = matches!(refusal, Refusal::Delayed { .. });
            if delayed {
                evaluation.write_as_if_charged(tx)?;
            }
            let worth_keeping = delayed || evaluation.clock_corrected;
            drop(evaluation);
            match worth_keeping {
                true => transaction.commit()?,
                false => drop(transaction),
            }
            return Ok(Err(refusal));
        }
        let bucket_failure = evaluation.charge_bucket(tx, 1, WrongFactor::Password)?;
        let address_failure = evaluation.charge_address(tx)?;
        let hash = tx.password_hash(
            evaluation
                .record
                .as_ref()
                .map_or(AccountId(0), |record| record.id),
        )?;
        let generation = evaluation.record.as_ref().map(|record| record.generation);
        drop(evaluation);
        transaction.commit()?;
        Ok(Ok(FirstFactorAttempt {
            bucket_failure,
            address_failure,
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
        match reply {
            HostPasswordReply::Right => {
                let first = FirstFactorPassed::by_password(
                    &attempt,
                    reply,
                    self.engine.config.gate.first_factor,
                    now,
                );
                self.continue_after_first_factor(
                    browser,
                    name,
                    Some(&attempt),
                    first,
                    recovery,
                    now,
                )
            }
            HostPasswordReply::Wrong => Ok(AfterPassword::Refused(Refusal::Wrong)),
            HostPasswordReply::NotVerified => {
                self.refund_attempt(&attempt)?;
                Ok(AfterPassword::Refused(Refusal::Malformed))
            }
        }
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
        Ok(if is_right {
            HostPasswordReply::Right
        } else {
            HostPasswordReply::Wrong
        })
    }

    pub(super) fn refund_attempt(
        &mut self,
        attempt: &FirstFactorAttempt,
    ) -> Result<(), LoginError> {
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Attempt)?;
        tx.remove_failure(attempt.bucket_failure, attempt.address_failure)?;
        Ok(tx.commit()?)
    }

    /// Continues after a first factor has passed: the only place that does. The attempt is
    /// refunded, and what follows is written in the same transaction.
    fn continue_after_first_factor(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        attempt: Option<&FirstFactorAttempt>,
        first: Option<FirstFactorPassed>,
        recovery: &Input,
        now: Timestamp,
    ) -> Result<AfterPassword, LoginError> {
        let Some(first) = first else {
            return Ok(AfterPassword::Refused(Refusal::Malformed));
        };
        self.end_stolen_browser(browser, name, now)?;
        let host = self.load_host_groups(name)?;
        let Engine {
            config,
            vault,
            store,
            ..
        } = self.engine;
        let declared = || account_data::read_declared_secret(config, name);
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = &mut transaction;
        if let Some(attempt) = attempt {
            tx.remove_failure(attempt.bucket_failure, attempt.address_failure)?;
        }
        let recognized = recognize_browser(vault, tx, browser, name, now)?;
        let request = browser.before_first_factor(name, &recognized);
        let mut evaluation = Evaluation::load(config, vault, tx, &request, declared()?, now)?;
        if attempt.is_some() {
            evaluation.forget_own_failures(tx)?;
            evaluation.forget_recovery_failures(tx)?;
        }
        // What ended all sessions meanwhile (a new password, the second factor on or off) ended
        // this login too.
        let found = evaluation.record.as_ref().map(|record| record.generation);
        if attempt.is_some_and(|attempt| attempt.generation != found) {
            return Ok(AfterPassword::Refused(Refusal::Expired));
        }
        if evaluation.record.is_none() && config.gate.first_factor.creates_accounts() {
            drop(evaluation);
            let new = match check_new_name(config, tx, name, Distinct::No)? {
                Ok(new) => new,
                Err(other) => {
                    // The first factor was right, so the attempt is refunded.
                    transaction.commit()?;
                    return Ok(AfterPassword::OtherSpelling(other));
                }
            };
            exemption::log_request(tx, &request, EventKind::AccountAdded, "first-sign-in", now)?;
            tx.add_account(&new, now)?;
            evaluation = Evaluation::load(config, vault, tx, &request, declared()?, now)?;
        }
        let Some(record) = &evaluation.record else {
            return Ok(AfterPassword::Refused(Refusal::Expired));
        };
        let sign_in = TokenId::random().map_err(PasswordError::from)?;
        let parent = TokenParent::FirstFactor {
            sign_in,
            first: first.first(),
        };
        let progress = LoginProgress {
            config,
            vault,
            browser,
            record,
            host: &host,
            recovery,
            first,
            parent,
            now,
        };
        let next = progress.continue_login(tx, &evaluation, &recognized)?;
        drop(evaluation);
        transaction.commit()?;
        match next {
            AfterPassword::Opened(opened) => {
                self.engine
                    .verification()
                    .settle_recovery(opened.recovery)?;
                self.await_session_end(&opened)?;
                Ok(AfterPassword::Opened(opened))
            }
            // Enrollment needs no one-time code while access would be granted without a second
            // factor.
            AfterPassword::Enroll(token) => {
                let request = VerificationRequest {
                    phase: Phase::After,
                    browser: None,
                    ..request
                };
                let may = match self.engine.policy().enrollment_requirement(&request, now)? {
                    EnrollmentRequirement::None => EnrollmentPermission::Yes,
                    EnrollmentRequirement::OneTimeCode => EnrollmentPermission::WithOneTimeCode,
                };
                Ok(AfterPassword::Enroll(Box::new(token.with_permission(may))))
            }
            AfterPassword::Code(_)
            | AfterPassword::Refused(_)
            | AfterPassword::OtherSpelling(_) => Ok(next),
        }
    }
}
