//! App passwords: verified where a PAM service asks for a code, and their use at the gate recorded.
//! The gate verifies app passwords itself, from memory (`live` in the gate).

use crate::account::event::EventKind;
use crate::credential::app_password::AppPassword;
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::{AppPasswords, EngineError, VerificationRequest};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::system::network::address::Address;
use crate::verify::decision::{AcceptedAppPassword, AppPasswordRefusal, decide_app_password};
use crate::verify::throttle::Phase;
use std::time::Duration;

/// Rows that one transaction writes, so that logins wait only briefly for the write lock.
const ROWS_PER_TRANSACTION: usize = 100;
/// Maximum number of transactions in one call.
const MAX_TRANSACTIONS: usize = 100;
/// Pause between two transactions, which lets other writers in.
const PAUSE: Duration = Duration::from_millis(20);

impl AppPasswords<'_> {
    /// Verifies an app password that was typed at a PAM service.
    ///
    /// A valid one is no login with a second factor: it clears no wrong codes and makes no address
    /// familiar. Otherwise a person who holds one could go on guessing codes.
    pub fn verify_app_password(
        &mut self,
        request: &VerificationRequest<'_>,
        app_password: &AppPassword,
        now: Timestamp,
    ) -> Result<Result<AcceptedAppPassword, AppPasswordRefusal>, EngineError> {
        repeat_after_conflict(|| {
            let mut evaluation = self.engine.evaluate(request, Intent::Write, now)?;
            let hash = evaluation.tx.vault.app_password_hash(app_password);
            let found = evaluation.tx.find_app_password(&hash)?;
            let wait = evaluation.credentials.address_wait;
            let decided =
                decide_app_password(found.as_ref(), request.name, request.service, wait, now);
            match &decided {
                // Mail programs log in every few minutes. The last use records that; events would push
                // other events out.
                Ok(admission) => evaluation
                    .tx
                    .record_app_password_use(admission.number(), now)?,
                Err(AppPasswordRefusal::AddressDelayed { .. }) => return Ok(decided),
                Err(refusal) => {
                    if *refusal == AppPasswordRefusal::Wrong {
                        evaluation.charge_address()?;
                    }
                    if request.phase == Phase::After {
                        evaluation.log_event(EventKind::Refused, &refusal.to_string())?;
                    }
                }
            }
            evaluation.commit()?;
            Ok(decided)
        })
    }

    /// Records what a gate saw since its last report: app passwords that were used, and addresses
    /// that sent wrong ones.
    pub fn record_app_password_use(
        &mut self,
        used: &[(i64, Timestamp)],
        wrong: &[(Address, Timestamp)],
    ) -> Result<(), EngineError> {
        if used.is_empty() && wrong.is_empty() {
            return Ok(());
        }
        let (window, limit) = (
            self.engine.config.throttle.address_window.seconds(),
            self.engine.config.throttle.address_limit,
        );
        // In one order, so that no two gates wait for one another.
        let (mut used, mut wrong) = (used.to_vec(), wrong.to_vec());
        used.sort_unstable_by_key(|(number, _)| *number);
        wrong.sort_by_key(|(address, _)| address.key());
        // Short transactions, because logins wait for each of them.
        for used in used.chunks(ROWS_PER_TRANSACTION) {
            let mut tx = self.engine.begin(Intent::Write)?;
            for (number, at) in used {
                tx.record_app_password_use(*number, *at)?;
            }
            tx.commit()?;
        }
        for wrong in wrong.chunks(ROWS_PER_TRANSACTION) {
            let mut tx = self.engine.begin(Intent::Write)?;
            for (address, at) in wrong {
                tx.add_address_failure(&address.key(), *at, at.minus(window), limit.value())?;
            }
            tx.commit()?;
        }
        Ok(())
    }

    /// Removes rows that are too old to count and rows that ended with renewed keys, in at most
    /// `MAX_TRANSACTIONS` short transactions: see [`Transaction::remove_expired_rows`]. The next
    /// call continues.
    ///
    /// [`Transaction::remove_expired_rows`]: crate::store::Transaction::remove_expired_rows
    pub fn remove_expired_rows(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let window = self.engine.config.throttle.address_window.seconds();
        for _ in 0..MAX_TRANSACTIONS {
            let mut tx = self.engine.begin(Intent::Write)?;
            // A renewal of all keys that was cut off leaves such rows.
            let cleared = tx.remove_expired_rows(now, window, ROWS_PER_TRANSACTION as u32)?
                + tx.forget_key_bound(ROWS_PER_TRANSACTION as u32)?;
            tx.commit()?;
            if cleared == 0 {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}
