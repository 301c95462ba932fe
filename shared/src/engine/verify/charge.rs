//! The throttle of a verification: which bucket counts it, what a failure adds, and what a success
//! removes. An attempt at a password is charged before it is verified, and refunded afterwards: so
//! however many requests arrive at once, no more passwords are verified than the bucket allows.
//!
//! MUST NOT refund an attempt that was not verified, except one about which the host was never
//! asked: a stack that is slow only where the password is wrong would allow uncounted guesses.

use super::bucket::HOST_WINDOW;
use super::evaluation::Evaluation;
use crate::account::event::EventKind;
use crate::engine::transaction::EngineTransaction;
use crate::engine::{Engine, EngineError};
use crate::store::{BucketKey, FailureId, Intent, StoreError};
use crate::system::clock::Timestamp;
use crate::verify::decision::Refusal;
use crate::verify::throttle::{self, BucketState, Phase, ThrottleFailure, WrongFactor};
use crate::verify::throttle_scope::ThrottleScope;

/// A password attempt that is charged and not yet verified. A caller drops an attempt without a
/// reply, and it stays charged.
#[derive(Debug)]
pub struct ChargedAttempt {
    bucket_failure: FailureId,
    address_failure: Option<FailureId>,
}

impl ChargedAttempt {
    pub(in crate::engine) fn refund(
        &self,
        tx: &mut EngineTransaction<'_>,
    ) -> Result<(), StoreError> {
        tx.remove_failure(self.bucket_failure, self.address_failure)
    }
}

impl Engine {
    /// Refunds an attempt about which the host was never asked.
    pub(in crate::engine) fn refund_unasked(
        &mut self,
        attempt: &ChargedAttempt,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let mut tx = self.begin_act(Intent::Attempt, now)?;
        attempt.refund(&mut tx)?;
        Ok(tx.commit()?)
    }
}

impl Evaluation<'_> {
    /// Charges a password before it is verified, or refuses to have it verified.
    pub(in crate::engine) fn charge_password(
        &mut self,
    ) -> Result<Result<ChargedAttempt, Refusal>, StoreError> {
        match self.password_refusal() {
            Some(refusal) => Ok(Err(refusal)),
            None => Ok(Ok(ChargedAttempt {
                bucket_failure: self.charge_bucket(1, WrongFactor::Password)?,
                address_failure: self.charge_address()?,
            })),
        }
    }

    /// Returns why an input would be refused without comparison now.
    pub(in crate::engine) fn delay(&self) -> Option<Refusal> {
        match self.credentials.host_wait {
            Some(wait) => Some(Refusal::AddressDelayed { wait }),
            None => self.password_refusal(),
        }
    }

    fn password_refusal(&self) -> Option<Refusal> {
        match self.credentials.address_wait {
            Some(wait) => Some(Refusal::AddressDelayed { wait }),
            None => self.bucket_refusal(),
        }
    }

    /// Returns why the bucket refuses an input without comparison, if it does.
    pub(in crate::engine) fn bucket_refusal(&self) -> Option<Refusal> {
        let bucket = &self.credentials.bucket;
        match bucket.state(&self.tx.config.throttle, self.tx.now) {
            BucketState::Open => None,
            BucketState::Delayed { wait } => Some(Refusal::Delayed { wait }),
            BucketState::Locked => Some(Refusal::Locked),
        }
    }

    /// Adds a failure to the bucket, and locks the bucket if that was one too many.
    pub(in crate::engine) fn charge_bucket(
        &mut self,
        cost: u32,
        wrong: WrongFactor,
    ) -> Result<FailureId, StoreError> {
        let charged = self.add_failure(cost, wrong)?;
        let throttle = &self.tx.config.throttle;
        let locks = self.credentials.bucket.locks_with(cost, throttle);
        if self.request.phase == Phase::After && locks {
            let now = self.tx.now;
            self.tx.lock_bucket(&self.key, now)?;
            self.log_event(EventKind::Locked, "too many wrong codes in 30 days")?;
        }
        Ok(charged)
    }

    /// Adds a failure. Failures of the bucket are kept for one day before the first factor, where
    /// nothing locks, and for 30 days after it.
    fn add_failure(&mut self, cost: u32, wrong: WrongFactor) -> Result<FailureId, StoreError> {
        let now = self.tx.now;
        let kept_since = match self.request.phase {
            Phase::Before => now.minus(throttle::DELAY_WINDOW),
            Phase::After => Engine::lock_window_start(now),
        };
        let (failure, from) = (
            ThrottleFailure { at: now, cost },
            self.address_key.as_deref(),
        );
        self.tx
            .add_failure(&self.key, failure, wrong, from, kept_since)
    }

    /// Writes what a wrong input writes, and removes it again. A refusal because of the bucket's
    /// delay does the same before the first factor: names without an account share their buckets,
    /// and the time of a commit would tell an account, whose own bucket is not delayed, from such a
    /// name.
    pub(in crate::engine) fn write_as_if_charged(&mut self) -> Result<(), StoreError> {
        let charged = self.add_failure(1, WrongFactor::Code)?;
        let charged_address = self.charge_address()?;
        self.tx.remove_failure(charged, charged_address)
    }

    /// Adds a failure to the address, unless the scope is exempt or the origin has no address.
    pub(in crate::engine) fn charge_address(&mut self) -> Result<Option<FailureId>, StoreError> {
        let (config, now) = (self.tx.config, self.tx.now);
        match &self.count_key {
            Some(address_key) if !self.key.scope.is_exempt_from_address_count() => {
                let since = now.minus(config.throttle.address_window.seconds());
                let limit = config.throttle.address_limit.value();
                self.tx.add_address_failure(address_key, now, since, limit)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Adds a failure to the host of a fleet that states the origin.
    pub(in crate::engine) fn charge_host(&mut self) -> Result<(), StoreError> {
        let Some(bucket) = &self.host_bucket else {
            return Ok(());
        };
        let now = self.tx.now;
        let failure = ThrottleFailure { at: now, cost: 1 };
        let since = now.minus(HOST_WINDOW);
        self.tx
            .add_failure(bucket, failure, WrongFactor::Code, None, since)
            .map(drop)
    }

    /// Removes the failures from the request's own address. An origin without an address removes
    /// nothing: otherwise one success would forgive the failures of everyone without an address.
    pub(in crate::engine) fn forget_own_failures(&mut self) -> Result<(), StoreError> {
        match &self.address_key {
            Some(address_key) => self.tx.remove_failures_from(&self.key, address_key),
            None => Ok(()),
        }
    }

    /// Does the same in the bucket of [`Evaluation::use_recovery_bucket`].
    pub(in crate::engine) fn forget_recovery_failures(&mut self) -> Result<(), StoreError> {
        let key = BucketKey {
            scope: ThrottleScope::RecoveryCode,
            ..self.key.clone()
        };
        match &self.address_key {
            Some(address_key) => self.tx.remove_failures_from(&key, address_key),
            None => Ok(()),
        }
    }
}
