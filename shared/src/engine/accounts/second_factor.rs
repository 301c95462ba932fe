//! The second factor as a whole: disabled, freed of delays and locks, unlocked after a clock that
//! ran ahead. Each act is one transaction with its event.

use super::account_data;
use super::lookup::{AdministrationError, AdministrationResult, find_account, log_event};
use crate::account::event::EventKind;
use crate::account::name::{NewName, UserName};
use crate::credential::totp::Step;
use crate::engine::Accounts;
use crate::engine::app_passwords::changes;
use crate::engine::app_passwords::changes::AppPasswordsAfter;
use crate::engine::is_enrolled;
use crate::engine::principal::Principal;
use crate::store::Intent;
use crate::system::clock::Timestamp;

impl Accounts<'_> {
    /// Disables the second factor. When this returns, the secret is erased from the store's files.
    pub fn disable_second_factor<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        let actor = actor.into();
        self.check_not_declared(name)?;
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        let record = find_account(&mut tx, name)?;
        if !is_enrolled(&mut tx, record.id)? {
            drop(tx);
            // An earlier call may have failed to erase the secret.
            self.engine
                .store
                .scrub()
                .map_err(AdministrationError::NotScrubbed)?;
            return Err(AdministrationError::NotEnrolled(name.clone()));
        }
        actor.refuse_ended_session(&mut tx, now)?;
        tx.remove_second_factor(record.id)?;
        tx.unlock_account(record.id)?;
        tx.end_sessions_and_browsers(record.id)?;
        let revision = tx.raise_revision()?;
        log_event(
            &self.engine.config,
            &mut tx,
            name,
            EventKind::Disabled,
            actor,
            now,
        )?;
        let account = (name, record.id);
        let after =
            changes::apply_on_change_and_log(&self.engine.config, &mut tx, account, actor, now)?;
        tx.commit()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        self.engine
            .store
            .scrub()
            .map_err(AdministrationError::NotScrubbed)?;
        Ok(after)
    }

    /// Removes every delay and lock of an account.
    pub fn unlock_account<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let actor = actor.into();
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        let record = find_account(&mut tx, name)?;
        actor.refuse_ended_session(&mut tx, now)?;
        tx.unlock_account(record.id)?;
        log_event(
            &self.engine.config,
            &mut tx,
            name,
            EventKind::Unlocked,
            actor,
            now,
        )?;
        Ok(tx.commit()?)
    }

    /// Lowers floors that are ahead of the clock to the current time step. Returns how many were
    /// lowered.
    pub fn lower_floors_to_clock<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let actor = actor.into();
        let declared = account_data::read_declared_secret(&self.engine.config, name)?;
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        let record = match tx.find_account(name)? {
            None if declared.is_some() => tx.add_account(&NewName::accept_distinct(name), now)?,
            None => return Err(AdministrationError::UnknownAccount(name.clone())),
            Some(record) => record,
        };
        actor.refuse_ended_session(&mut tx, now)?;
        let authenticators = account_data::load_authenticators(
            &self.engine.vault,
            &mut tx,
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
                    .saturating_add(u64::from(self.engine.config.totp.future_steps.value())),
            );
            if let Some(floor) = authenticator.floor.filter(|floor| *floor > newest) {
                tx.lower_floor(&authenticator.fingerprint, floor, current)?;
                lowered += 1;
            }
        }
        log_event(
            &self.engine.config,
            &mut tx,
            name,
            EventKind::ClockUnlocked,
            actor,
            now,
        )?;
        tx.commit()?;
        Ok(lowered)
    }

    pub(in crate::engine) fn check_not_declared(&self, name: &UserName) -> AdministrationResult {
        match self.engine.config.find_declared_account(name) {
            Some(_) => Err(AdministrationError::Declared(name.clone())),
            None => Ok(()),
        }
    }
}
