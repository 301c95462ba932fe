//! A password that the host judges and not the store. The try is charged first, then the host is asked, outside of
//! any transaction and off this door, then a right one is taken back: however many come at once, no more are looked
//! at than the row allows.
//!
//! MUST NOT take a try back that the host did not answer: a stack that is slow only where the password is wrong would
//! give guesses away.

use super::evaluation::Evaluation;
use crate::engine::{Engine, EngineError, VerificationRequest, account_data};
use crate::protocol::host_password::HostPasswordReply;
use crate::store::{FailureId, Intent};
use crate::system::clock::Timestamp;
use crate::verify::decision::Refusal;
use crate::verify::throttle::WrongFactor;

/// A try that is charged.
#[derive(Debug)]
pub struct HostPasswordAttempt {
    row: FailureId,
    address: Option<FailureId>,
}

/// What came of a try.
#[derive(Debug)]
pub enum HostPasswordResult {
    /// The password is right.
    Verified(HostPassword),
    /// It is not.
    Refused(Refusal),
    /// The host was not asked; the try costs nothing.
    Unasked,
}

/// Proof that the host found the password right. Only this file makes one.
#[derive(Debug)]
pub struct HostPassword(());

impl Engine {
    /// Charges a try, before the host is asked.
    pub fn charge_host_password(
        &mut self,
        visitor: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<Result<HostPasswordAttempt, Refusal>, EngineError> {
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = account_data::read_declared_secret(config, visitor.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        let visit = Evaluation::load(config, vault, tx, visitor, declared, now)?;
        if let Some(refusal) = visit.first_factor_refusal() {
            let mended = visit.clock_corrected;
            drop(visit);
            match mended {
                true => transaction.commit()?,
                false => drop(transaction),
            }
            return Ok(Err(refusal));
        }
        let row = visit.charge_bucket(tx, 1, WrongFactor::Password)?;
        let address = visit.charge_address(tx)?;
        drop(visit);
        transaction.commit()?;
        Ok(Ok(HostPasswordAttempt { row, address }))
    }

    /// Goes by what the host said of it. A try that it did not answer is dropped instead, and stays charged.
    pub fn settle_host_password(
        &mut self,
        visitor: &VerificationRequest<'_>,
        tried: HostPasswordAttempt,
        said: HostPasswordReply,
        now: Timestamp,
    ) -> Result<HostPasswordResult, EngineError> {
        if said == HostPasswordReply::Wrong {
            return Ok(HostPasswordResult::Refused(Refusal::Wrong));
        }
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = account_data::read_declared_secret(config, visitor.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        tx.remove_failure(tried.row, tried.address)?;
        let settled = match said {
            HostPasswordReply::Right => {
                let visit = Evaluation::load(config, vault, tx, visitor, declared, now)?;
                visit.forget_own_failures(tx)?;
                HostPasswordResult::Verified(HostPassword(()))
            }
            HostPasswordReply::Wrong | HostPasswordReply::NotVerified => {
                HostPasswordResult::Unasked
            }
        };
        transaction.commit()?;
        Ok(settled)
    }
}
