//! The second factor as a whole: disabled, freed of delays and locks, unlocked after a clock that
//! ran ahead. Each act is one transaction with its event.

use super::account_data;
use super::change::find_account;
use crate::account::event::EventKind;
use crate::account::name::{NewName, UserName};
use crate::credential::otp::totp::Step;
use crate::engine::passkeys::demand::refuse_weak_owner;
use crate::engine::{Accounts, AdministrationError, AppPasswordsAfter, Principal, is_enrolled};
use crate::system::clock::Timestamp;

impl Accounts<'_> {
    /// Disables the second factor. When this returns, the secret is erased from the store's files.
    pub fn disable_second_factor<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        self.engine.check_not_declared(name)?;
        let actor = actor.into();
        let mut change = self.engine.begin_change(actor, now)?;
        let record = find_account(&mut change.tx, name)?;
        if !is_enrolled(&mut change.tx, record.id)? {
            drop(change);
            // An earlier call may have failed to erase the secret.
            self.engine.truncate_wal()?;
            return Err(AdministrationError::NotEnrolled(name.clone()));
        }
        change.refuse_ended_session()?;
        // this removes the passkeys too
        let kept = change.tx.passkeys(record.id)?;
        refuse_weak_owner(change.tx.config, name, &kept, actor)?;
        change.tx.remove_second_factor(record.id)?;
        change.tx.unlock_account(record.id)?;
        change.tx.end_sessions_and_browsers(record.id)?;
        change.log_event(name, EventKind::Disabled)?;
        let after = change.apply_on_change(name, record.id)?;
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        self.engine.truncate_wal()?;
        Ok(after)
    }

    /// Removes every delay and lock of an account.
    pub fn unlock_account<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        change.tx.unlock_account(record.id)?;
        change.log_event(name, EventKind::Unlocked)?;
        Ok(change.commit()?)
    }

    /// Lowers floors that are ahead of the clock to the current time step. Returns how many were
    /// lowered.
    pub fn lower_floors_to_clock<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let declared = account_data::read_declared_secret(&self.engine.config, name)?;
        let mut change = self.engine.begin_change(actor, now)?;
        let record = match change.tx.find_account(name)? {
            None if declared.is_some() => change
                .tx
                .add_account(&NewName::accept_distinct(name), now)?,
            None => return Err(AdministrationError::UnknownAccount(name.clone())),
            Some(record) => record,
        };
        change.refuse_ended_session()?;
        let authenticators = account_data::load_authenticators(
            change.tx.vault,
            &mut change.tx,
            name,
            Some(&record),
            declared,
        )?;
        let mut lowered = 0;
        for authenticator in authenticators {
            let Some(current) = authenticator.parameters.moving.step_at(now) else {
                continue;
            };
            // The current clock may have set a floor within the window. Lowering that one would
            // accept a consumed code again.
            let newest = Step(
                current
                    .0
                    .saturating_add(u64::from(change.tx.config.totp.future_steps.value())),
            );
            if let Some(floor) = authenticator.floor.filter(|floor| *floor > newest) {
                change
                    .tx
                    .lower_floor(&authenticator.fingerprint, floor, current)?;
                lowered += 1;
            }
        }
        change.log_event(name, EventKind::ClockUnlocked)?;
        change.commit()?;
        Ok(lowered)
    }
}
