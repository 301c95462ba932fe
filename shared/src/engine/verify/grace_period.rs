//! The grace period: no second code is asked for after a recent one at the same service, from the
//! same address.
//! Only a code starts a grace period. Its use does not extend it.

use super::evaluation::Evaluation;
use crate::config::GracePeriod;
use crate::engine::{Engine, EngineError, VerificationRequest, account_data};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::decision::{WithinGrace, decide_grace};
use crate::verify::throttle::Phase;

impl Engine {
    /// Returns whether this request is within a grace period. Writes nothing.
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
        let spared = decide_grace(&visit.credentials, last, grace, &config.throttle, now);
        drop(visit);
        // An attempt that shares this commit may have written the code that this result relies on.
        transaction.commit()?;
        Ok(spared)
    }
}
