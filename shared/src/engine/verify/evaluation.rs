//! One verification within one transaction: the account's credentials and its throttle bucket,
//! loaded, and the writes that a decision asks for.
//! The decision itself is in `crate::verify::decision`. This file neither commits nor decides.

use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::NewName;
use crate::account::record::{AccountId, AccountRecord};
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::{Config, RecoveryCodeUse};
use crate::credential::input::Input;
use crate::credential::secret::Secret;
use crate::credential::totp::OtpParameters;
use crate::crypto::vault::{MailedFor, Vault};
use crate::engine::accounts::account_data;
use crate::engine::app_passwords::changes;
use crate::engine::mail::notification;
use crate::engine::{
    AfterLogin, AfterRecovery, COMMAND, Engine, EngineError, VerificationRequest, VerifiedAttempt,
};
use crate::network::address::Address;
use crate::store::{BucketKey, BucketOwner, FailureId, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::verify::account::AccountCredentials;
use crate::verify::decision::{
    AcceptedEnrollmentCode, Attempt, Consumed, Decision, Refusal, decide, decide_enrollment_code,
};
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use crate::verify::throttle::{
    self, BucketState, Phase, ThrottleBucket, ThrottleFailure, WrongFactor,
};
use crate::verify::throttle_scope::ThrottleScope;

/// Maximum number of SSH keys per account with a bucket each. Only keys with wrong codes count; all
/// further keys share one bucket.
const MAX_KEY_BUCKETS: u32 = 8;

/// One loaded verification.
pub(in crate::engine) struct Evaluation<'a> {
    pub(in crate::engine) config: &'a Config,
    vault: &'a Vault,
    request: &'a VerificationRequest<'a>,
    now: Timestamp,
    /// `None` for a name without an account.
    pub(in crate::engine) record: Option<AccountRecord>,
    pub(in crate::engine) credentials: AccountCredentials,
    key: BucketKey,
    address_key: Option<String>,
    /// Key under which wrong inputs from this address are counted, over all accounts.
    count_key: Option<String>,
    /// Whether failure times in the future were corrected, which needs a commit even if nothing
    /// else was written.
    pub(in crate::engine) clock_corrected: bool,
}

impl<'a> Evaluation<'a> {
    /// Loads the account, its bucket, and the failures of the request's address.
    pub(in crate::engine) fn load(
        config: &'a Config,
        vault: &'a Vault,
        tx: &mut Transaction<'_>,
        request: &'a VerificationRequest<'a>,
        declared: Option<(Secret, OtpParameters)>,
        now: Timestamp,
    ) -> Result<Evaluation<'a>, EngineError> {
        let record = match tx.find_account(request.name)? {
            None if declared.is_some() => {
                Some(tx.add_account(&NewName::accept_distinct(request.name), now)?)
            }
            found => found,
        };
        let authenticators =
            account_data::load_authenticators(vault, tx, request.name, record.as_ref(), declared)?;
        let decoy = match authenticators.is_empty() {
            true => Some(account_data::load_decoy(
                vault,
                tx,
                request.name,
                config.totp.otp_parameters(),
            )?),
            false => None,
        };
        let id = record.as_ref().map_or(AccountId(0), |record| record.id);
        let mail = match account_data::load_mail_address(config, tx, request.name, id)? {
            Some(_) => MailStatus::On,
            None => MailStatus::Off,
        };
        let enrolled = match (&decoy, mail) {
            (Some(_), MailStatus::Off) => Enrolled::No,
            _ => Enrolled::Yes,
        };
        let mailed_code = tx
            .mailed_code(id)?
            .filter(|(purpose, _)| *purpose == MailedFor::Login);
        let owner = match &record {
            Some(record) => BucketOwner::Account(record.id),
            None => BucketOwner::UnknownName(vault.shared_bucket(request.name)),
        };
        let key = BucketKey {
            owner,
            phase: request.phase,
            scope: throttle_scope(tx, id, owner, request, now)?,
        };
        let address_key = request.origin.address().map(|address| address.key());
        let count_key = request.origin.throttle_key();

        let mut clock_corrected = false;
        let mut failures = tx.bucket_failures(&key, Engine::lock_window_start(now))?;
        let mut address_failures = address_failures(tx, config, count_key.as_deref(), now)?;
        let ahead = |at: Timestamp| at > now;
        if failures.iter().any(|f| ahead(f.at)) || address_failures.iter().any(|at| ahead(*at)) {
            // The clock ran ahead and was set back. No delay may end later than max_delay from now.
            tx.clamp_future_failures(&key, count_key.as_deref(), now)?;
            failures.iter_mut().for_each(|f| f.at = f.at.min(now));
            address_failures
                .iter_mut()
                .for_each(|at| *at = (*at).min(now));
            clock_corrected = true;
        }
        let account = AccountCredentials {
            enrolled,
            authenticators,
            decoy,
            mail,
            mailed_code: mailed_code.map(|(_, kept)| kept),
            recovery_codes: tx.recovery_codes(id)?,
            one_time_code: tx.one_time_code(id)?,
            bucket: ThrottleBucket {
                failures,
                locked: tx.is_bucket_locked(&key)?,
            },
            address_wait: match key.scope.is_exempt_from_address_count() {
                true => None,
                false => address_wait(config, &address_failures, now),
            },
        };
        Ok(Evaluation {
            config,
            vault,
            request,
            now,
            record,
            credentials: account,
            key,
            address_key,
            count_key,
            clock_corrected,
        })
    }

    /// Counts this verification in the bucket for valid recovery and one-time codes. Neither delays
    /// caused by others nor the address limit apply there.
    pub(in crate::engine) fn in_recovery_bucket(
        mut self,
        tx: &mut Transaction<'_>,
    ) -> Result<Evaluation<'a>, StoreError> {
        self.key.scope = ThrottleScope::RecoveryCode;
        let mut failures = tx.bucket_failures(&self.key, Engine::lock_window_start(self.now))?;
        failures
            .iter_mut()
            .for_each(|failure| failure.at = failure.at.min(self.now));
        self.credentials.bucket = ThrottleBucket {
            failures,
            locked: tx.is_bucket_locked(&self.key)?,
        };
        self.credentials.address_wait = None;
        Ok(self)
    }

    /// Verifies an input and writes what the decision asks for.
    pub(in crate::engine) fn verify_input(
        &self,
        tx: &mut Transaction<'_>,
        input: &Input,
    ) -> Result<VerifiedAttempt, StoreError> {
        let decision = self.decide_input(input);
        self.apply_decision(tx, decision)
    }

    /// Decides about an input and writes nothing. The caller MUST apply the decision before the
    /// result is told: a guess that is answered and not counted can be repeated without limit.
    pub(in crate::engine) fn decide_input(&self, input: &Input) -> Decision {
        self.decide_at(input, self.request.phase)
    }

    fn decide_at(&self, input: &Input, phase: Phase) -> Decision {
        let attempt = self.attempt(input, phase);
        decide(
            &self.credentials,
            &attempt,
            &self.config.totp,
            &self.config.throttle,
            self.now,
        )
    }

    /// Returns whether an input is a valid recovery or one-time code; consumes nothing. Digits are
    /// refused without comparison: this counts no failure, and digits can be guessed.
    pub(in crate::engine) fn has_recovery_code(&self, input: &Input) -> bool {
        match input {
            Input::RecoveryCode(_) | Input::OneTimeCode(_) => {
                self.decide_at(input, Phase::After).result.is_ok()
            }
            Input::Digits(_) | Input::Malformed => false,
        }
    }

    /// Decides whether a one-time code permits a first enrollment. A wrong one is counted and
    /// logged.
    pub(in crate::engine) fn check_invitation(
        &self,
        tx: &mut Transaction<'_>,
        input: &Input,
    ) -> Result<Result<AcceptedEnrollmentCode, Refusal>, StoreError> {
        let decided = decide_enrollment_code(
            &self.credentials,
            &self.attempt(input, self.request.phase),
            self.now,
        );
        if let Err(Refusal::Wrong) = decided {
            self.charge_address(tx)?;
            self.log_event(tx, EventKind::Refused, &Refusal::Wrong.to_string())?;
        }
        Ok(decided)
    }

    fn attempt<'b>(&self, input: &'b Input, phase: Phase) -> Attempt<'b> {
        let number = self.record.as_ref().map_or(0, |record| record.id.0);
        let recovery_hash = match input {
            Input::RecoveryCode(plain) => Some(self.vault.recovery_hash(number, plain)),
            Input::Digits(_) | Input::OneTimeCode(_) | Input::Malformed => None,
        };
        let one_time_hash = match input {
            Input::OneTimeCode(plain) => Some(self.vault.one_time_hash(number, plain)),
            Input::Digits(_) | Input::RecoveryCode(_) | Input::Malformed => None,
        };
        let mailed_hash = match input {
            Input::Digits(plain) => Some(self.vault.mailed_hash(number, MailedFor::Login, plain)),
            Input::RecoveryCode(_) | Input::OneTimeCode(_) | Input::Malformed => None,
        };
        let usual_length = self.config.recovery.length.value();
        Attempt {
            input,
            recovery_hash,
            one_time_hash,
            mailed_hash,
            configured_length: usual_length,
            phase,
        }
    }

    /// Returns why a first factor is refused without being verified, if it is.
    pub(in crate::engine) fn first_factor_refusal(&self) -> Option<Refusal> {
        match (
            self.credentials.address_wait,
            self.credentials
                .bucket
                .state(&self.config.throttle, self.now),
        ) {
            (Some(wait), _) => Some(Refusal::AddressDelayed { wait }),
            (None, BucketState::Delayed { wait }) => Some(Refusal::Delayed { wait }),
            (None, BucketState::Locked) => Some(Refusal::Locked),
            (None, BucketState::Open) => None,
        }
    }

    /// Writes what a decision asks for.
    pub(in crate::engine) fn apply_decision(
        &self,
        tx: &mut Transaction<'_>,
        decision: Decision,
    ) -> Result<VerifiedAttempt, StoreError> {
        let is_free = decision.is_free();
        let mut verified = VerifiedAttempt {
            result: decision.result,
            missed: None,
            recovery: None,
            at: None,
            is_free,
        };
        match &verified.result {
            Ok(accepted) => {
                let record = self
                    .record
                    .as_ref()
                    .expect("only an account with a second factor is accepted");
                // Otherwise a full disk or a write limit could let wrong inputs fail uncounted
                // while right ones are accepted.
                self.write_as_if_charged(tx)?;
                match accepted.consumed() {
                    Consumed::Step(fingerprint, step) => tx.raise_floor(&fingerprint, step)?,
                    Consumed::RecoveryCode(hash) => {
                        tx.consume_recovery_code(record.id, &hash, self.now)?
                    }
                    Consumed::OneTimeCode => tx.consume_one_time_code(record.id)?,
                    Consumed::MailedCode => tx.consume_mailed_code(record.id)?,
                }
                let method = AuthenticationMethod::from(accepted.consumed());
                self.log_event(tx, EventKind::Accepted, method.name())?;
                if self.request.phase == Phase::After {
                    let after_login = self.record_login(tx, record, method)?;
                    (verified.missed, verified.recovery) =
                        (after_login.missed, after_login.recovery);
                }
            }
            Err(Refusal::Delayed { .. }) if self.request.phase == Phase::Before => {
                self.write_as_if_charged(tx)?;
                verified.is_free = false;
            }
            Err(_) if is_free => {}
            Err(refusal) => {
                if let Some(cost) = decision.bucket_cost {
                    self.charge_bucket(tx, cost, WrongFactor::Code)?;
                }
                if decision.charges_address {
                    self.charge_address(tx)?;
                }
                // Names without an account leave no event. Before the first factor, accounts must
                // not differ from them.
                if self.request.phase == Phase::After {
                    self.log_event(tx, EventKind::Refused, &refusal.to_string())?;
                }
            }
        }
        Ok(verified)
    }

    /// Adds a failure to the bucket, and locks the bucket if that was one too many.
    pub(in crate::engine) fn charge_bucket(
        &self,
        tx: &mut Transaction<'_>,
        cost: u32,
        wrong: WrongFactor,
    ) -> Result<FailureId, StoreError> {
        let failure = ThrottleFailure { at: self.now, cost };
        let charged = tx.add_failure(
            &self.key,
            failure,
            wrong,
            self.address_key.as_deref(),
            self.failures_kept_since(),
        )?;
        let locks = self
            .credentials
            .bucket
            .locks_with(cost, &self.config.throttle);
        if self.request.phase == Phase::After && locks {
            tx.lock_bucket(&self.key, self.now)?;
            self.log_event(tx, EventKind::Locked, "too many wrong codes in 30 days")?;
        }
        Ok(charged)
    }

    /// Writes what a wrong input writes, and removes it again. A refusal because of the bucket's
    /// delay does the same before the first factor: names without an account share their buckets,
    /// and the time of a commit would tell an account, whose own bucket is not delayed, from such a
    /// name.
    pub(in crate::engine) fn write_as_if_charged(
        &self,
        tx: &mut Transaction<'_>,
    ) -> Result<(), StoreError> {
        let failure = ThrottleFailure {
            at: self.now,
            cost: 1,
        };
        let address_key = self.address_key.as_deref();
        let charged = tx.add_failure(
            &self.key,
            failure,
            WrongFactor::Code,
            address_key,
            self.failures_kept_since(),
        )?;
        let charged_address = self.charge_address(tx)?;
        tx.remove_failure(charged, charged_address)
    }

    /// Returns since when failures of the bucket are kept: one day before the first factor, where
    /// nothing locks, and 30 days after it.
    fn failures_kept_since(&self) -> Timestamp {
        match self.request.phase {
            Phase::Before => self.now.minus(throttle::DELAY_WINDOW),
            Phase::After => Engine::lock_window_start(self.now),
        }
    }

    /// Adds a failure to the address, unless the scope is exempt or the origin has no address.
    pub(in crate::engine) fn charge_address(
        &self,
        tx: &mut Transaction<'_>,
    ) -> Result<Option<FailureId>, StoreError> {
        let since = self
            .now
            .minus(self.config.throttle.address_window.seconds());
        match &self.count_key {
            Some(address_key) if !self.key.scope.is_exempt_from_address_count() => {
                let limit = self.config.throttle.address_limit.value();
                Ok(tx.add_address_failure(address_key, self.now, since, limit)?)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Removes the failures from the request's own address. An origin without an address removes
    /// nothing: otherwise one success would forgive the failures of everyone without an address.
    pub(in crate::engine) fn forget_own_failures(
        &self,
        tx: &mut Transaction<'_>,
    ) -> Result<(), StoreError> {
        match &self.address_key {
            Some(address_key) => tx.remove_failures_from(&self.key, address_key),
            None => Ok(()),
        }
    }

    /// Does the same in the bucket of [`Evaluation::in_recovery_bucket`].
    pub(in crate::engine) fn forget_recovery_failures(
        &self,
        tx: &mut Transaction<'_>,
    ) -> Result<(), StoreError> {
        match &self.address_key {
            Some(address_key) => tx.remove_failures_from(
                &BucketKey {
                    scope: ThrottleScope::RecoveryCode,
                    ..self.key.clone()
                },
                address_key,
            ),
            None => Ok(()),
        }
    }

    /// Records a login: removes the failures from its own address, makes the address familiar, and
    /// starts a grace period if a code was given.
    pub(in crate::engine) fn record_login(
        &self,
        tx: &mut Transaction<'_>,
        record: &AccountRecord,
        method: AuthenticationMethod,
    ) -> Result<AfterLogin, StoreError> {
        let missed = tx.missed_inputs(record.id, record.last_sign_in.unwrap_or(Timestamp(0)))?;
        match method {
            AuthenticationMethod::Code
            | AuthenticationMethod::MailedCode
            | AuthenticationMethod::TrustedBrowser
            | AuthenticationMethod::Password
            | AuthenticationMethod::Identity => self.forget_own_failures(tx)?,
            // These methods remove a lock.
            AuthenticationMethod::RecoveryCode | AuthenticationMethod::OneTimeCode => {
                tx.unlock_bucket(&self.key)?
            }
        }
        if let Some(address_key) = &self.address_key {
            let service = self.request.service;
            tx.record_familiar_address(
                record.id,
                address_key,
                service,
                self.now,
                Engine::lock_window_start(self.now),
            )?;
            // A code that was given before the first factor is recorded in a later transaction, and
            // all sessions may have been ended between the two.
            if self.request.phase == Phase::After
                && matches!(
                    method,
                    AuthenticationMethod::Code | AuthenticationMethod::MailedCode
                )
            {
                tx.record_code_time(record.id, address_key, service, self.now)?;
            }
        }
        tx.record_sign_in(record.id, self.now)?;
        let recovery = match method {
            AuthenticationMethod::Code
            | AuthenticationMethod::MailedCode
            | AuthenticationMethod::OneTimeCode
            | AuthenticationMethod::TrustedBrowser
            | AuthenticationMethod::Password
            | AuthenticationMethod::Identity => None,
            AuthenticationMethod::RecoveryCode => Some(self.after_recovery(tx, record)?),
        };
        Ok(AfterLogin { missed, recovery })
    }

    /// Ends every session and trusted browser after the use of a recovery code, because the device
    /// may be in other hands. Turns the second factor off if the configuration says so.
    fn after_recovery(
        &self,
        tx: &mut Transaction<'_>,
        record: &AccountRecord,
    ) -> Result<AfterRecovery, StoreError> {
        let declared = self.config.find_declared_account(&record.name).is_some();
        tx.end_sessions_and_browsers(record.id)?;
        tx.raise_revision()?;
        if self.config.recovery.on_use == RecoveryCodeUse::Disable && !declared {
            tx.remove_second_factor(record.id)?;
            self.log_event(tx, EventKind::Disabled, "recovery.on_use = \"disable\"")?;
            let after = changes::apply_on_change(self.config, tx, record.id, self.now)?;
            if let Some((kind, cause)) = after.event() {
                self.log_event(tx, kind, cause)?;
            }
            return Ok(AfterRecovery::TurnedOff(after));
        }
        let left = tx
            .recovery_codes(record.id)?
            .iter()
            .filter(|code| !code.used)
            .count();
        Ok(AfterRecovery::CodesLeft(left))
    }

    pub(in crate::engine) fn log_event(
        &self,
        tx: &mut Transaction<'_>,
        kind: EventKind,
        cause: &str,
    ) -> Result<(), StoreError> {
        // Names without an account leave no rows, whose number would have no limit.
        let Some(record) = &self.record else {
            return Ok(());
        };
        let actor = match self.request.origin {
            Origin::Local(name) if self.request.service == COMMAND => name.as_str(),
            _ => record.name.as_str(),
        };
        let event = AuditEvent {
            at: self.now,
            account: record.name.clone(),
            kind,
            service: self.request.service.to_owned(),
            origin: self.request.origin.to_string(),
            principal: actor.to_owned(),
            cause: cause.to_owned(),
        };
        notification::log_event(self.config, tx, &event)
    }
}

/// Returns the scope in whose bucket this request's wrong inputs are counted.
fn throttle_scope(
    tx: &mut Transaction<'_>,
    account: AccountId,
    owner: BucketOwner,
    request: &VerificationRequest<'_>,
    now: Timestamp,
) -> Result<ThrottleScope, StoreError> {
    Ok(match (request.browser, request.origin) {
        (Some(number), _) => ThrottleScope::TrustedBrowser(number),
        (None, Origin::Key { key, address }) => {
            let own = BucketKey {
                owner,
                phase: request.phase,
                scope: ThrottleScope::VerifiedKey(key.clone()),
            };
            match tx.count_other_failed_keys(
                &own,
                MAX_KEY_BUCKETS,
                Engine::lock_window_start(now),
            )? < MAX_KEY_BUCKETS
            {
                true => own.scope,
                false => match address {
                    Some(address) if is_familiar(tx, account, *address, now)? => {
                        ThrottleScope::FamiliarAddress(*address)
                    }
                    _ => ThrottleScope::FurtherKeys,
                },
            }
        }
        (None, Origin::Local(name)) if name.starts_with('#') => ThrottleScope::NamelessUsers,
        (None, Origin::Local(name)) => ThrottleScope::LocalUser(name.clone()),
        (None, Origin::Terminal(name)) => ThrottleScope::Terminal(name.clone()),
        (None, Origin::Remote(address)) if is_familiar(tx, account, *address, now)? => {
            ThrottleScope::FamiliarAddress(*address)
        }
        (None, Origin::Claimed(address)) if is_familiar(tx, account, *address, now)? => {
            ThrottleScope::ClaimedFamiliarAddress(*address)
        }
        _ => ThrottleScope::Anywhere,
    })
}

fn is_familiar(
    tx: &mut Transaction<'_>,
    account: AccountId,
    address: Address,
    now: Timestamp,
) -> Result<bool, StoreError> {
    tx.is_familiar(
        account,
        &address.key(),
        Engine::lock_window_start(now),
        now.plus(throttle::CLOCK_SLACK),
    )
}

/// Returns when an address failed within its window, newest first.
pub(in crate::engine) fn address_failures(
    tx: &mut Transaction<'_>,
    config: &Config,
    address_key: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    match address_key {
        Some(address_key) => tx.address_failures(
            address_key,
            now.minus(config.throttle.address_window.seconds() - 1),
        ),
        None => Ok(Vec::new()),
    }
}

/// Returns the seconds until the address may try again, which is when the failure that reaches the
/// limit leaves the window.
pub(in crate::engine) fn address_wait(
    config: &Config,
    newest_first: &[Timestamp],
    now: Timestamp,
) -> Option<u64> {
    let limit = config.throttle.address_limit.value() as usize;
    let filling = newest_first.get(limit - 1)?;
    Some(
        config
            .throttle
            .address_window
            .seconds()
            .saturating_sub(now.since(*filling))
            .max(1),
    )
}
