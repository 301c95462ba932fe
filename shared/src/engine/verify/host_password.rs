//! A password that the host judges and not the store. The try is charged first, then the host is asked, outside of
//! any transaction and off this door, then a right one is taken back: however many come at once, no more are looked
//! at than the row allows.
//!
//! MUST NOT take a try back that the host did not answer: a stack that is slow only where the password is wrong would
//! give guesses away.

use super::evaluation::Visit;
use crate::engine::{Door, DoorError, Visitor, account_data};
use crate::protocol::host_password::Said;
use crate::store::{FailureId, Intent};
use crate::system::clock::Timestamp;
use crate::verify::decision::Refusal;
use crate::verify::throttle::Wrong;

/// A try that is charged.
#[derive(Debug)]
pub struct Tried {
    row: FailureId,
    address: Option<FailureId>,
}

/// What came of a try.
#[derive(Debug)]
pub enum Settled {
    /// The password is right.
    Proven(HostPassword),
    /// It is not.
    Refused(Refusal),
    /// The host was not asked; the try costs nothing.
    Unasked,
}

/// Proof that the host found the password right. Only this file makes one.
#[derive(Debug)]
pub struct HostPassword(());

impl Door {
    /// Charges a try, before the host is asked.
    pub fn try_host_password(
        &mut self,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Result<Tried, Refusal>, DoorError> {
        let Door {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = account_data::declared(config, visitor.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        let visit = Visit::load(config, vault, tx, visitor, declared, now)?;
        if let Some(refusal) = visit.standing() {
            let mended = visit.mended;
            drop(visit);
            match mended {
                true => transaction.commit()?,
                false => drop(transaction),
            }
            return Ok(Err(refusal));
        }
        let row = visit.charge(tx, 1, Wrong::Password)?;
        let address = visit.charge_address(tx)?;
        drop(visit);
        transaction.commit()?;
        Ok(Ok(Tried { row, address }))
    }

    /// Goes by what the host said of it. A try that it did not answer is dropped instead, and stays charged.
    pub fn settle_host_password(
        &mut self,
        visitor: &Visitor<'_>,
        tried: Tried,
        said: Said,
        now: Timestamp,
    ) -> Result<Settled, DoorError> {
        if said == Said::Wrong {
            return Ok(Settled::Refused(Refusal::Wrong));
        }
        let Door {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = account_data::declared(config, visitor.name)?;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        tx.take_back(tried.row, tried.address)?;
        let settled = match said {
            Said::Right => {
                let visit = Visit::load(config, vault, tx, visitor, declared, now)?;
                visit.forgive(tx)?;
                Settled::Proven(HostPassword(()))
            }
            Said::Wrong | Said::Unasked => Settled::Unasked,
        };
        transaction.commit()?;
        Ok(settled)
    }
}
