//! Grace: whoever gave a code a while ago, at the same door and from the same address, is not asked for another.

use super::evaluation::Visit;
use crate::config::Grace;
use crate::engine::{Door, DoorError, Visitor, account_data};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::decision::{Spared, decide_grace};
use crate::verify::throttle::Stage;

impl Door {
    /// Whether an earlier code spares this visitor the next. Writes nothing: only a code begins a grace anew.
    pub fn grace(
        &mut self,
        visitor: &Visitor<'_>,
        grace: Grace,
        now: Timestamp,
    ) -> Result<Spared, DoorError> {
        let (Stage::After, Some(address)) = (visitor.stage, visitor.origin.certain_address())
        else {
            return Ok(Spared::No);
        };
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
        let last = match &visit.record {
            Some(record) => tx.last_code(record.id, &address.key(), visitor.service)?,
            None => None,
        };
        let spared = decide_grace(&visit.account, last, grace, &config.throttle, now);
        drop(visit);
        // what it goes by may have been written by an attempt that shares its commit
        transaction.commit()?;
        Ok(spared)
    }
}
