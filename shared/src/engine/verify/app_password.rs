//! App passwords at the doors: one typed where a PAM service asks for a code, and what gates saw of them.

use super::evaluation::Evaluation;
use crate::account::event::EventKind;
use crate::credential::app_password::AppPassword;
use crate::engine::{Engine, EngineError, VerificationRequest, account_data};
use crate::network::address::Address;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::decision::{AcceptedAppPassword, AppPasswordRefusal, decide_app_password};
use crate::verify::throttle::Phase;
use std::time::Duration;

/// Rows that one transaction writes where there may be many.
const AT_ONCE: usize = 100;
/// Transactions of one clearing at most.
const MOST_CLEARINGS: usize = 100;
/// What lets others have their turn between two.
const BETWEEN: Duration = Duration::from_millis(20);

impl Engine {
    /// Judges an app password that was typed at a PAM service. A right one is no sign-in with a second factor: it
    /// clears no wrong codes and makes no address familiar, or whoever holds it could go on guessing codes.
    pub fn verify_app_password(
        &mut self,
        visitor: &VerificationRequest<'_>,
        typed: &AppPassword,
        now: Timestamp,
    ) -> Result<Result<AcceptedAppPassword, AppPasswordRefusal>, EngineError> {
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let declared = account_data::read_declared_secret(config, visitor.name)?;
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        let visit = Evaluation::load(config, vault, tx, visitor, declared, now)?;
        let found = tx.find_app_password(&vault.app_password_hash(typed))?;
        let wait = visit.credentials.address_wait;
        let decided = decide_app_password(found.as_ref(), visitor.name, visitor.service, wait, now);
        match &decided {
            // mail programs sign in every few minutes: the last use says it, events would push others out
            Ok(admission) => tx.record_app_password_use(admission.number(), now)?,
            Err(AppPasswordRefusal::AddressDelayed { .. }) => return Ok(decided),
            Err(refusal) => {
                if *refusal == AppPasswordRefusal::Wrong {
                    visit.charge_address(tx)?;
                }
                if visitor.phase == Phase::After {
                    visit.log_event(tx, EventKind::Refused, &refusal.to_string())?;
                }
            }
        }
        drop(visit);
        transaction.commit()?;
        Ok(decided)
    }

    /// What a gate saw since it last said so: app passwords that were used, and addresses that sent wrong ones.
    pub fn record_app_password_use(
        &mut self,
        used: &[(i64, Timestamp)],
        wrong: &[(Address, Timestamp)],
    ) -> Result<(), EngineError> {
        if used.is_empty() && wrong.is_empty() {
            return Ok(());
        }
        let (window, limit) = (
            self.config.throttle.address_window.seconds(),
            self.config.throttle.address_limit,
        );
        // each in a short transaction: logins wait for every one of them
        for used in used.chunks(AT_ONCE) {
            let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
            for (number, at) in used {
                tx.record_app_password_use(*number, *at)?;
            }
            tx.commit()?;
        }
        for wrong in wrong.chunks(AT_ONCE) {
            let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
            for (address, at) in wrong {
                tx.add_address_failure(&address.key(), *at, at.minus(window), limit.value())?;
            }
            tx.commit()?;
        }
        Ok(())
    }

    /// Removes what is too old to count and what ended with keys that were renewed, in short transactions: see [`Transaction::clear`]. At most so many of them at
    /// once; the next call goes on.
    ///
    /// [`Transaction::clear`]: crate::store::Transaction::clear
    pub fn remove_expired_rows(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let window = self.config.throttle.address_window.seconds();
        for _ in 0..MOST_CLEARINGS {
            let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
            // a renewal of all keys that was cut off leaves something behind
            let cleared = tx.remove_expired_rows(now, window, AT_ONCE as u32)?
                + tx.forget_key_bound(AT_ONCE as u32)?;
            tx.commit()?;
            if cleared == 0 {
                break;
            }
            std::thread::sleep(BETWEEN);
        }
        Ok(())
    }
}
