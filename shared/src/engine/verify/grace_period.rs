//! The grace period: no second code is asked for after a recent one at the same service, from the
//! same address.
//! Only a code starts a grace period. Its use does not extend it.

use super::evaluation::Evaluation;
use crate::config::GracePeriod;
use crate::engine::Verification;
use crate::engine::accounts::account_data;
use crate::engine::{Engine, EngineError, VerificationRequest};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::decision::{WithinGrace, decide_grace_period};
use crate::verify::throttle::Phase;

impl Verification<'_> {
    /// Returns whether this request is within a grace period. Writes nothing.
    pub fn check_grace_period(
        &mut self,
        request: &VerificationRequest<'_>,
        grace: GracePeriod,
        now: Timestamp,
    ) -> Result<WithinGrace, EngineError> {
        let (Phase::After, Some(address)) = (request.phase, request.origin.certain_address())
        else {
            return Ok(WithinGrace::No);
        };
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
        let last = match &evaluation.record {
            Some(record) => tx.last_code_time(record.id, &address.key(), request.service)?,
            None => None,
        };
        let within_grace =
            decide_grace_period(&evaluation.credentials, last, grace, &config.throttle, now);
        drop(evaluation);
        // An attempt that shares this commit may have written the code that this result relies on.
        transaction.commit()?;
        Ok(within_grace)
    }
}
