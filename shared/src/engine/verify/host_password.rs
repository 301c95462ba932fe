//! Verification of a password by the host's PAM stack, which the store does not keep.
//! The attempt is charged first. Then the host is asked, outside of any transaction and without
//! this engine. A right password refunds the attempt. So however many requests arrive at once, no
//! more passwords are verified than the bucket allows.
//!
//! MUST NOT refund an attempt that the host did not answer: a stack that is slow only where the
//! password is wrong would allow uncounted guesses.

use super::evaluation::Evaluation;
use crate::engine::Verification;
use crate::engine::accounts::account_data;
use crate::engine::{Engine, EngineError, VerificationRequest};
use crate::protocol::host_password::HostPasswordReply;
use crate::store::{FailureId, Intent};
use crate::system::clock::Timestamp;
use crate::verify::decision::Refusal;
use crate::verify::throttle::WrongFactor;

#[derive(Debug)]
pub struct HostPasswordAttempt {
    bucket_failure: FailureId,
    address_failure: Option<FailureId>,
}

/// Result of a charged attempt.
#[derive(Debug)]
pub enum HostPasswordResult {
    Verified(HostPassword),
    Refused(Refusal),
    /// The host was not asked. The attempt is refunded.
    Unasked,
}

/// Proof that the host accepted the password. Only this file constructs it.
#[derive(Debug)]
pub struct HostPassword(());

impl Verification<'_> {
    /// Charges an attempt before the host is asked.
    pub fn charge_host_password(
        &mut self,
        request: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<Result<HostPasswordAttempt, Refusal>, EngineError> {
        let Engine {
            config,
            vault,
            store,
            ..
        } = self.engine;
        let declared = account_data::read_declared_secret(config, request.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = &mut transaction;
        let evaluation = Evaluation::load(config, vault, tx, request, declared, now)?;
        if let Some(refusal) = evaluation.first_factor_refusal() {
            let keep = evaluation.clock_corrected;
            drop(evaluation);
            match keep {
                true => transaction.commit()?,
                false => drop(transaction),
            }
            return Ok(Err(refusal));
        }
        let bucket_failure = evaluation.charge_bucket(tx, 1, WrongFactor::Password)?;
        let address_failure = evaluation.charge_address(tx)?;
        drop(evaluation);
        transaction.commit()?;
        Ok(Ok(HostPasswordAttempt {
            bucket_failure,
            address_failure,
        }))
    }

    /// Applies the host's reply to a charged attempt. A caller drops an attempt without a reply
    /// instead, and it stays charged.
    pub fn settle_host_password(
        &mut self,
        request: &VerificationRequest<'_>,
        attempt: HostPasswordAttempt,
        reply: HostPasswordReply,
        now: Timestamp,
    ) -> Result<HostPasswordResult, EngineError> {
        if reply == HostPasswordReply::Wrong {
            return Ok(HostPasswordResult::Refused(Refusal::Wrong));
        }
        let Engine {
            config,
            vault,
            store,
            ..
        } = self.engine;
        let declared = account_data::read_declared_secret(config, request.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = &mut transaction;
        tx.remove_failure(attempt.bucket_failure, attempt.address_failure)?;
        let result = match reply {
            HostPasswordReply::Right => {
                let evaluation = Evaluation::load(config, vault, tx, request, declared, now)?;
                evaluation.forget_own_failures(tx)?;
                HostPasswordResult::Verified(HostPassword(()))
            }
            HostPasswordReply::Wrong | HostPasswordReply::NotVerified => {
                HostPasswordResult::Unasked
            }
        };
        transaction.commit()?;
        Ok(result)
    }
}
