//! What administrators do to a second factor as a whole: turned off, freed of delays and locks, mended after a clock that
//! ran ahead. Each act is one transaction, with its event.

use super::acting::{AdministrationError, AdministrationResult, known, log};
use super::app_passwords::{self, AppPasswordsAfter};
use crate::account::event::EventKind;
use crate::account::name::{NewName, UserName};
use crate::credential::totp::Step;
use crate::engine::principal::Principal;
use crate::engine::{Engine, account_data, is_enrolled};
use crate::store::Intent;
use crate::system::clock::Timestamp;

impl Engine {
    /// Turns the second factor off. When this returns, the secret is gone from the store's bytes.
    pub fn disable<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        let actor = actor.into();
        self.refuse_declared(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        if !is_enrolled(tx.as_mut(), record.id)? {
            drop(tx);
            // an earlier one may have left bytes behind
            self.store
                .scrub()
                .map_err(AdministrationError::NotScrubbed)?;
            return Err(AdministrationError::NotEnrolled(name.clone()));
        }
        actor.refuse_ended_session(tx.as_mut(), now)?;
        tx.remove_second_factor(record.id)?;
        tx.unlock_account(record.id)?;
        tx.end_sessions_and_browsers(record.id)?;
        let revision = tx.raise_revision()?;
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::Disabled,
            actor,
            now,
        )?;
        let account = (name, record.id);
        let after =
            app_passwords::after_administration(&self.config, tx.as_mut(), account, actor, now)?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        self.store
            .scrub()
            .map_err(AdministrationError::NotScrubbed)?;
        Ok(after)
    }

    /// Lifts every delay and lock of an account.
    pub fn unlock<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let actor = actor.into();
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        actor.refuse_ended_session(tx.as_mut(), now)?;
        tx.unlock_account(record.id)?;
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::Unlocked,
            actor,
            now,
        )?;
        Ok(tx.commit()?)
    }

    /// Lowers floors that lie ahead of the clock to the current step. Returns how many did.
    pub fn mend_clock<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let actor = actor.into();
        let declared = account_data::read_declared_secret(&self.config, name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = match tx.find_account(name)? {
            None if declared.is_some() => tx.add_account(&NewName::accept_distinct(name), now)?,
            None => return Err(AdministrationError::UnknownAccount(name.clone())),
            Some(record) => record,
        };
        actor.refuse_ended_session(tx.as_mut(), now)?;
        let authenticators = account_data::load_authenticators(
            &self.vault,
            tx.as_mut(),
            name,
            Some(&record),
            declared,
        )?;
        let mut mended = 0;
        for authenticator in authenticators {
            let Some(current) = authenticator.parameters.moving.step_at(now) else {
                continue;
            };
            // A floor within the window was set by this clock: lowering it would open a used code again.
            let newest = Step(
                current
                    .0
                    .saturating_add(u64::from(self.config.totp.future_steps.value())),
            );
            if let Some(floor) = authenticator.floor.filter(|floor| *floor > newest) {
                tx.lower_floor(&authenticator.fingerprint, floor, current)?;
                mended += 1;
            }
        }
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::ClockUnlocked,
            actor,
            now,
        )?;
        tx.commit()?;
        Ok(mended)
    }

    pub(in crate::engine) fn refuse_declared(&self, name: &UserName) -> AdministrationResult {
        match self.config.find_declared_account(name) {
            Some(_) => Err(AdministrationError::Declared(name.clone())),
            None => Ok(()),
        }
    }
}
