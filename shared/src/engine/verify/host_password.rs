//! Verification of a password by the host's PAM stack, which the store does not keep.
//! The attempt is charged first. Then the host is asked, outside of any transaction and without
//! this engine. A right password refunds the attempt.

use super::charge::ChargedAttempt;
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::{AdministrationError, EngineError, Verification, VerificationRequest};
use crate::protocol::host_password::HostPasswordReply;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::decision::Refusal;

/// Proof that the host accepted the password. Only this file constructs it.
#[derive(Debug)]
pub struct HostPassword(());

impl Verification<'_> {
    /// Charges an attempt before the host is asked.
    pub fn charge_host_password(
        &mut self,
        request: &VerificationRequest<'_>,
        now: Timestamp,
    ) -> Result<Result<ChargedAttempt, Refusal>, EngineError> {
        repeat_after_conflict(|| {
            let mut evaluation = self.engine.evaluate(request, Intent::Attempt, now)?;
            let charged = evaluation.charge_password()?;
            evaluation.commit_if(charged.is_ok())?;
            Ok(charged)
        })
    }

    /// Applies the host's reply to a charged attempt. A caller drops an attempt without a reply
    /// instead, and it stays charged.
    ///
    /// # Errors
    /// The password is wrong, or the host was not asked, which refunds the attempt.
    pub fn settle_host_password(
        &mut self,
        request: &VerificationRequest<'_>,
        attempt: &ChargedAttempt,
        reply: HostPasswordReply,
        now: Timestamp,
    ) -> Result<HostPassword, AdministrationError> {
        match reply {
            HostPasswordReply::Wrong => Err(AdministrationError::HostPassword(Refusal::Wrong)),
            HostPasswordReply::NotVerified => {
                self.engine.refund_unasked(attempt, now)?;
                let name = request.name.clone();
                Err(AdministrationError::HostPasswordUnavailable(name))
            }
            HostPasswordReply::Right => {
                let mut evaluation = self.engine.evaluate(request, Intent::Attempt, now)?;
                attempt.refund(&mut evaluation.tx)?;
                evaluation.forget_own_failures()?;
                evaluation.commit()?;
                Ok(HostPassword(()))
            }
        }
    }
}
