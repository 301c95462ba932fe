//! Grace: whoever gave a code a while ago, at the same door and from the same address, is not asked for another.

use super::evaluation::Evaluation;
use crate::config::GracePeriod;
use crate::engine::{Engine, EngineError, VerificationRequest, account_data};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::decision::{WithinGrace, decide_grace_period};
use crate::verify::throttle::Phase;

impl Engine {
    /// Whether an earlier code spares this visitor the next. Writes nothing: only a code begins a grace anew.
    pub fn check_grace_period(
        &mut self,
        visitor: &VerificationRequest<'_>,
        grace: GracePeriod,
        now: Timestamp,
    ) -> Result<WithinGrace, EngineError> {
        let (Phase::After, Some(address)) = (visitor.phase, visitor.origin.certain_address())
        else {
            return Ok(WithinGrace::No);
        };
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
        let last = match &visit.record {
            Some(record) => tx.last_code_time(record.id, &address.key(), visitor.service)?,
            None => None,
        };
        let spared = decide_grace_period(&visit.credentials, last, grace, &config.throttle, now);
        drop(visit);
        // what it goes by may have been written by an attempt that shares its commit
        transaction.commit()?;
        Ok(spared)
    }
}
