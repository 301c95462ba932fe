//! The grace period: no second code is asked for after a recent one at the same service, from the
//! same address.
//! Only a code starts a grace period. Its use does not extend it.

use crate::config::GracePeriod;
use crate::engine::{EngineError, Verification, VerificationRequest};
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
        let is_certain = request.origin.certain_address().is_some();
        let (Phase::After, true, Some(address)) =
            (request.phase, is_certain, request.origin.familiar_key())
        else {
            return Ok(WithinGrace::No);
        };
        let mut evaluation = self.engine.evaluate(request, Intent::Attempt, now)?;
        let (tx, service) = (&mut evaluation.tx, request.service);
        let last = match &evaluation.record {
            Some(record) => tx.last_code_time(record.id, &address, service)?,
            None => None,
        };
        let (credentials, throttle) = (&evaluation.credentials, &evaluation.tx.config.throttle);
        let within_grace = decide_grace_period(credentials, last, grace, throttle, now);
        // An attempt that shares this commit may have written the code that this result relies on.
        evaluation.commit()?;
        Ok(within_grace)
    }
}
