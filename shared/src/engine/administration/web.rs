//! Administration of an account's web sign-in: its password, its sessions, its trusted browsers,
//! and whether it is an administrator.

use super::acting::{AdministrationError, find_account, find_or_add_account, log_event};
use super::app_passwords::AppPasswordsAfter;
use super::password_change::end_all_with_password;
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::second_factor::Enrolled;
use crate::crypto::password::Password;
use crate::engine::Engine;
use crate::engine::principal::Principal;
use crate::store::{BrowserRecord, BrowserSessions, Intent, SessionRecord};
use crate::system::clock::Timestamp;
use crate::token::session::SessionId;

/// Whether an account is an administrator at the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdministratorStatus {
    No,
    /// The policy names it, but it has no second factor.
    OnceEnrolled,
    Yes,
}

impl Engine {
    /// Returns whether an account is an administrator at the web, which requires a second factor.
    pub fn administrator_status(
        &mut self,
        name: &UserName,
    ) -> Result<AdministratorStatus, AdministrationError> {
        let known = self.load_policy_facts(name)?;
        let is_one = self.is_administrator(name, &known.groups)?;
        Ok(match (is_one, known.enrolled) {
            (false, _) => AdministratorStatus::No,
            (true, Enrolled::No) => AdministratorStatus::OnceEnrolled,
            (true, Enrolled::Yes) => AdministratorStatus::Yes,
        })
    }

    /// Sets a password. Every session, trusted browser and grace period of the account ends.
    pub fn set_password<'a>(
        &mut self,
        name: &UserName,
        password: &Password,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        let actor = actor.into();
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        // with the pepper of this transaction, since a key rotation may have replaced an earlier
        // one
        let hash = self
            .vault
            .hash_password(password)
            .map_err(AdministrationError::Password)?;
        let record = find_or_add_account(&self.config, &mut tx, name, actor, now)?;
        actor.refuse_ended_session(&mut tx, now)?;
        tx.set_password_hash(record.id, &hash)?;
        let (account, what) = ((name, record.id), EventKind::PasswordSet);
        let (revision, after) =
            end_all_with_password(&self.config, &mut tx, account, what, actor, now)?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        Ok(after)
    }

    /// Returns the sessions of an account, newest first.
    pub fn sessions(
        &mut self,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>, AdministrationError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let record = find_account(&mut tx, name)?;
        Ok(tx.sessions(record.id, now)?)
    }

    /// Returns the trusted browsers of an account, newest first.
    pub fn trusted_browsers(
        &mut self,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Vec<BrowserRecord>, AdministrationError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let record = find_account(&mut tx, name)?;
        Ok(tx.trusted_browsers(record.id, now)?)
    }

    /// Ends one session of an account, or all, and its grace period. Returns how many sessions
    /// ended. Ending all also ends sign-ins and enrollments that have begun. When this returns, no
    /// gate accepts them.
    pub fn revoke_sessions<'a>(
        &mut self,
        name: &UserName,
        one: Option<SessionId>,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let actor = actor.into();
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = find_account(&mut tx, name)?;
        actor.refuse_ended_session(&mut tx, now)?;
        let nothing = || AdministrationError::NothingToRevoke("session", name.clone());
        let had_grace = tx.end_grace_period(record.id)?;
        let ended = match one {
            // finds also a session that has expired by a clock that runs ahead
            Some(id) => match tx.find_session(record.id, id, Timestamp(0))? {
                Some(_) => usize::from(tx.end_session(id)?),
                None => return Err(nothing()),
            },
            None => {
                let count = tx.sessions(record.id, now)?.len();
                tx.end_sessions(record.id)?;
                count
            }
        };
        let is_seen = ended > 0 || had_grace;
        let revision = tx.raise_revision()?;
        if is_seen {
            log_event(
                &self.config,
                &mut tx,
                name,
                EventKind::SessionRevoked,
                actor,
                now,
            )?;
        }
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        if is_seen { Ok(ended) } else { Err(nothing()) }
    }

    /// Revokes one trusted browser of an account, or all, and its grace period. Returns how many.
    /// Sessions in which the trust replaced the code end too, except the session of the actor. When
    /// this returns, no gate accepts them.
    pub fn revoke_browsers<'a>(
        &mut self,
        name: &UserName,
        one: Option<i64>,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let actor = actor.into();
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = find_account(&mut tx, name)?;
        actor.refuse_ended_session(&mut tx, now)?;
        let mut ended = 0;
        // finds also trust that has expired by a clock that runs ahead
        for browser in tx.trusted_browsers(record.id, Timestamp(0))? {
            if one.is_some_and(|one| one != browser.number) {
                continue;
            }
            ended += usize::from(tx.remove_trusted_browser(browser.number)?);
            tx.end_sessions_of_browser(browser.number, BrowserSessions::ByTrust, actor.session())?;
        }
        let had_grace = tx.end_grace_period(record.id)? && one.is_none();
        if ended == 0 && !had_grace {
            return Err(AdministrationError::NothingToRevoke(
                "trusted browser",
                name.clone(),
            ));
        }
        let revision = tx.raise_revision()?;
        log_event(
            &self.config,
            &mut tx,
            name,
            EventKind::BrowserRevoked,
            actor,
            now,
        )?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        Ok(ended)
    }
}
