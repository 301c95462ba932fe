//! The first factor of a sign-in. A password is charged before anyone judges it, so that however many come at once, no
//! more are looked at than the row allows; the host is asked while no door is held. An identity costs nothing: whoever
//! may bring one has judged already.
//!
//! MUST NOT take a try back that nobody judged, but for one that the host was never asked about.
//! MUST look at no password where another first factor is configured.

use super::known_browser::{RecognizedBrowser, recognize_browser};
use super::next::LoginProgress;
use super::proof::FirstFactorPassed;
use super::{AfterPassword, BrowserContext, LoginError, SERVICE};
use crate::account::event::EventKind;
use crate::account::name::{Distinct, OtherSpelling, UserName};
use crate::account::record::{AccountId, AccountRecord};
use crate::config::gate::FirstFactorSource;
use crate::credential::input::Input;
use crate::crypto::password::{Password, PasswordError, PasswordHash};
use crate::engine::administration::account_name::new_name;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::verify::exemption;
use crate::engine::{Engine, EnrollmentPermission, VerificationRequest, account_data};
use crate::policy::groups;
use crate::policy::requirement::EnrollmentRequirement;
use crate::protocol::host_password::HostPasswordReply;
use crate::store::{FailureId, Intent};
use crate::system::clock::Timestamp;
use crate::token::{TokenId, TokenParent};
use crate::verify::decision::Refusal;
use crate::verify::throttle::{Phase, WrongFactor};

/// A password that is charged, and to be judged.
pub struct FirstFactorAttempt {
    pub(super) row: FailureId,
    pub(super) address: Option<FailureId>,
    /// The account's generation then, if there was one.
    pub(super) generation: Option<u64>,
    hash: Option<PasswordHash>,
}

impl Engine {
    /// The password that the store keeps, with a recovery code if the person gave one along.
    pub fn enter_password(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        password: Option<&Password>,
        recovery: &Input,
        now: Timestamp,
    ) -> Result<AfterPassword, LoginError> {
        if self.config.gate.first_factor != FirstFactorSource::Password {
            return Ok(AfterPassword::Refused(Refusal::Malformed));
        }
        match self.charge_first_factor(browser, name, recovery, now)? {
            Ok(tried) => {
                let said = self.verify_stored_password(&tried, password)?;
                self.settle_first_factor(browser, name, tried, said, recovery, now)
            }
            Err(refusal) => {
                if !matches!(refusal, Refusal::AddressDelayed { .. }) {
                    // It must not show in the time whether this name's row is delayed: names without an account share
                    // theirs.
                    self.vault
                        .verify_password(&mut self.hashing, password, None)?;
                }
                Ok(AfterPassword::Refused(refusal))
            }
        }
    }

    /// An identity that a trusted proxy has established.
    pub fn enter_identity(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        now: Timestamp,
    ) -> Result<AfterPassword, LoginError> {
        match self.config.gate.first_factor {
            FirstFactorSource::Header => match self.find_other_spelling(name)? {
                Some(other) => Ok(AfterPassword::OtherSpelling(other)),
                None => {
                    let first = FirstFactorPassed::by_identity(self.config.gate.first_factor, now);
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

    /// The account that an unknown identity is on this host, if the host knows it by another name: some name services take
    /// `alice@example.com` for alice.
    fn find_other_spelling(
        &mut self,
        name: &UserName,
    ) -> Result<Option<OtherSpelling>, LoginError> {
        if self.config.find_declared_account(name).is_some() || self.load_account(name)?.is_some() {
            return Ok(None);
        }
        let Some(of) = groups::find_canonical_name(name)
            .map_err(LoginError::Groups)?
            .filter(|of| of != name)
        else {
            return Ok(None);
        };
        let is_account =
            self.config.find_declared_account(&of).is_some() || self.load_account(&of)?.is_some();
        Ok(is_account.then(|| OtherSpelling {
            name: name.clone(),
            existing: of,
        }))
    }

    fn load_account(&mut self, name: &UserName) -> Result<Option<AccountRecord>, LoginError> {
        Ok(self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .find_account(name)?)
    }

    /// Charges a password, before it is judged. With a valid recovery or one-time code along with it no delay holds that
    /// others have caused, of the account or of the address: it has a bucket of its own, in which whoever found such a code
    /// guesses no more passwords than anybody else.
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
        } = self;
        let declared = account_data::read_declared_secret(config, name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        let recognised = recognize_browser(vault, tx, browser, name, now)?;
        let visitor = before(browser, name, &recognised);
        let visit = Evaluation::load(config, vault, tx, &visitor, declared, now)?;
        let with_recovery = visit.has_recovery_code(recovery);
        let visit = match with_recovery {
            true => visit.in_recovery_bucket(tx)?,
            false => visit,
        };
        if let Some(refusal) = visit.first_factor_refusal() {
            let delayed = matches!(refusal, Refusal::Delayed { .. });
            if delayed {
                visit.write_as_if_charged(tx)?;
            }
            let worth_keeping = delayed || visit.clock_corrected;
            drop(visit);
            match worth_keeping {
                true => transaction.commit()?,
                false => drop(transaction),
            }
            return Ok(Err(refusal));
        }
        let row = visit.charge_bucket(tx, 1, WrongFactor::Password)?;
        let address = visit.charge_address(tx)?;
        let hash = tx.password_hash(
            visit
                .record
                .as_ref()
                .map_or(AccountId(0), |record| record.id),
        )?;
        let generation = visit.record.as_ref().map(|record| record.generation);
        drop(visit);
        transaction.commit()?;
        Ok(Ok(FirstFactorAttempt {
            row,
            address,
            generation,
            hash,
        }))
    }

    /// Goes on by what the judge said of it. A try that was never answered is dropped instead, and stays charged.
    pub fn settle_first_factor(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        tried: FirstFactorAttempt,
        said: HostPasswordReply,
        recovery: &Input,
        now: Timestamp,
    ) -> Result<AfterPassword, LoginError> {
        match said {
            HostPasswordReply::Right => {
                let first = FirstFactorPassed::by_password(
                    &tried,
                    said,
                    self.config.gate.first_factor,
                    now,
                );
                self.continue_after_first_factor(browser, name, Some(&tried), first, recovery, now)
            }
            HostPasswordReply::Wrong => Ok(AfterPassword::Refused(Refusal::Wrong)),
            HostPasswordReply::NotVerified => {
                self.refund_attempt(&tried)?;
                Ok(AfterPassword::Refused(Refusal::Malformed))
            }
        }
    }

    /// Has the store's own password judged.
    pub(super) fn verify_stored_password(
        &mut self,
        tried: &FirstFactorAttempt,
        password: Option<&Password>,
    ) -> Result<HostPasswordReply, LoginError> {
        let is_right =
            self.vault
                .verify_password(&mut self.hashing, password, tried.hash.as_ref())?;
        Ok(if is_right {
            HostPasswordReply::Right
        } else {
            HostPasswordReply::Wrong
        })
    }

    pub(super) fn refund_attempt(&mut self, tried: &FirstFactorAttempt) -> Result<(), LoginError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Attempt)?;
        tx.remove_failure(tried.row, tried.address)?;
        Ok(tx.commit()?)
    }

    /// The one point where a first factor has passed: what it cost is taken back, and what follows happens together with
    /// it.
    fn continue_after_first_factor(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        tried: Option<&FirstFactorAttempt>,
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
        } = self;
        let declared = || account_data::read_declared_secret(config, name);
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        if let Some(tried) = tried {
            tx.remove_failure(tried.row, tried.address)?;
        }
        let recognised = recognize_browser(vault, tx, browser, name, now)?;
        let visitor = before(browser, name, &recognised);
        let mut visit = Evaluation::load(config, vault, tx, &visitor, declared()?, now)?;
        if tried.is_some() {
            visit.forget_own_failures(tx)?;
            visit.forget_recovery_failures(tx)?;
        }
        // Whatever ended all sessions meanwhile (a new password, the second factor on or off) ended this too.
        let found = visit.record.as_ref().map(|record| record.generation);
        if tried.is_some_and(|tried| tried.generation != found) {
            return Ok(AfterPassword::Refused(Refusal::Expired));
        }
        if visit.record.is_none() && config.gate.first_factor.creates_accounts() {
            drop(visit);
            let new = match new_name(config, tx, name, Distinct::No)? {
                Ok(new) => new,
                Err(other) => {
                    // the first factor was right, and costs nothing
                    transaction.commit()?;
                    return Ok(AfterPassword::OtherSpelling(other));
                }
            };
            exemption::log_request(tx, &visitor, EventKind::AccountAdded, "first-sign-in", now)?;
            tx.add_account(&new, now)?;
            visit = Evaluation::load(config, vault, tx, &visitor, declared()?, now)?;
        }
        let Some(record) = &visit.record else {
            return Ok(AfterPassword::Refused(Refusal::Expired));
        };
        let sign_in = TokenId::random().map_err(PasswordError::from)?;
        let parent = TokenParent::FirstFactor {
            sign_in,
            first: first.first(),
        };
        let entering = LoginProgress {
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
        let next = entering.continue_login(tx, &visit, &recognised)?;
        drop(visit);
        transaction.commit()?;
        match next {
            AfterPassword::Opened(opened) => {
                self.settle_recovery(opened.recovery)?;
                self.await_session_end(&opened)?;
                Ok(AfterPassword::Opened(opened))
            }
            // They may set it up by themselves while they could come in without.
            AfterPassword::Enroll(token) => {
                let visitor = VerificationRequest {
                    phase: Phase::After,
                    browser: None,
                    ..visitor
                };
                let may = match self.enrollment_requirement(&visitor, now)? {
                    EnrollmentRequirement::None => EnrollmentPermission::Yes,
                    EnrollmentRequirement::OneTimeCode => EnrollmentPermission::WithOneTimeCode,
                };
                Ok(AfterPassword::Enroll(Box::new(token.that_may(may))))
            }
            AfterPassword::Code(_)
            | AfterPassword::Refused(_)
            | AfterPassword::OtherSpelling(_) => Ok(next),
        }
    }
}

/// Whoever gives a first factor in this browser.
pub(super) fn before<'a>(
    browser: &BrowserContext<'a>,
    name: &'a UserName,
    recognised: &RecognizedBrowser,
) -> VerificationRequest<'a> {
    let browser_number = match recognised {
        RecognizedBrowser::Trusted(trusted) => Some(trusted.number()),
        _ => None,
    };
    VerificationRequest {
        name,
        phase: Phase::Before,
        origin: browser.origin,
        browser: browser_number,
        service: SERVICE,
    }
}
