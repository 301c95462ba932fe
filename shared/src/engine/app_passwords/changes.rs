//! App passwords: added, listed, renamed, revoked; and kept or revoked by `app_passwords.on_change`
//! when the password or the second factor changes.

use crate::account::event::EventKind;
use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::config::{Config, OnChange};
use crate::credential::app_password::AppPassword;
use crate::credential::scope::{AppPasswordScope, ScopeTerm};
use crate::credential::secret::RandomError;
use crate::crypto::vault::VaultError;
use crate::engine::AppPasswords;
use crate::engine::accounts::lookup::{
    AdministrationError, AdministrationResult, AppPasswordError, find_account, find_or_add_account,
    log_event_with_cause,
};
use crate::engine::principal::Principal;
use crate::store::{AppPasswordRecord, Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;

const MAX_APP_PASSWORDS: usize = 100;
/// Cause in the audit log where another change revoked them.
const CHANGE_CAUSE: &str = "app_passwords.on_change";

/// What happened to an account's app passwords when its password or second factor changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppPasswordsAfter {
    /// The account has none.
    None,
    /// This many are still valid.
    Kept(u64),
    /// This many were revoked.
    Revoked(u64),
}

impl AppPasswords<'_> {
    /// Adds an app password. When this returns, every gate accepts it.
    pub fn add_app_password<'a>(
        &mut self,
        account: &UserName,
        name: &Label,
        scope: &AppPasswordScope,
        expires: Option<Timestamp>,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPassword, AdministrationError> {
        let actor = actor.into();
        self.check_scope(scope)?;
        if expires.is_some_and(|expires| expires <= now) {
            return Err(AppPasswordError::Past.into());
        }
        let password =
            AppPassword::random().map_err(|RandomError| VaultError::Random(RandomError))?;
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        let record = match self.engine.config.find_declared_account(account) {
            Some(_) => find_or_add_account(&self.engine.config, &mut tx, account, actor, now)?,
            None => find_account(&mut tx, account)?,
        };
        actor.refuse_ended_session(&mut tx, now)?;
        let is_over =
            |stored: &AppPasswordRecord| stored.expires.is_some_and(|expires| expires <= now);
        let mut live = tx.app_passwords(Some(record.id))?;
        live.retain(|stored| !is_over(stored));
        if live.iter().any(|stored| stored.name == *name) {
            return Err(AppPasswordError::NameTaken(account.clone(), name.clone()).into());
        }
        if live.len() >= MAX_APP_PASSWORDS {
            return Err(AppPasswordError::TooMany(account.clone(), MAX_APP_PASSWORDS).into());
        }
        let new = AppPasswordRecord {
            number: 0,
            account: account.clone(),
            name: name.clone(),
            scope: scope.clone(),
            created: now,
            expires,
            last_used: None,
        };
        tx.add_app_password(
            record.id,
            &new,
            &self.engine.vault.app_password_hash(&password),
        )?;
        let revision = tx.raise_revision()?;
        log_event_with_cause(
            &self.engine.config,
            &mut tx,
            account,
            EventKind::AppPasswordAdded,
            name.as_str(),
            actor,
            now,
        )?;
        tx.commit()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok(password)
    }

    /// Returns the app passwords of one account, or of all, with those that have expired.
    pub fn list_app_passwords(
        &mut self,
        of: Option<&UserName>,
    ) -> Result<Vec<AppPasswordRecord>, AdministrationError> {
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Read)?;
        let of = match of {
            Some(name) => Some(find_account(&mut tx, name)?.id),
            None => None,
        };
        Ok(tx.app_passwords(of)?)
    }

    pub fn rename_app_password<'a>(
        &mut self,
        account: &UserName,
        name: &Label,
        new: &Label,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let actor = actor.into();
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        let record = find_account(&mut tx, account)?;
        actor.refuse_ended_session(&mut tx, now)?;
        let all = tx.app_passwords(Some(record.id))?;
        let found = find(&all, account, name)?;
        if name != new && all.iter().any(|stored| stored.name == *new) {
            return Err(AppPasswordError::NameTaken(account.clone(), new.clone()).into());
        }
        tx.rename_app_password(found.number, new)?;
        log_event_with_cause(
            &self.engine.config,
            &mut tx,
            account,
            EventKind::AppPasswordRenamed,
            new.as_str(),
            actor,
            now,
        )?;
        Ok(tx.commit()?)
    }

    /// Revokes one app password of an account, or all. Returns how many. When this returns, neither
    /// a gate nor the PAM module accepts them.
    pub fn revoke_app_passwords<'a>(
        &mut self,
        account: &UserName,
        one: Option<&Label>,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let actor = actor.into();
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        let record = find_account(&mut tx, account)?;
        actor.refuse_ended_session(&mut tx, now)?;
        let all = tx.app_passwords(Some(record.id))?;
        let count = match one {
            Some(name) => {
                tx.remove_app_password(find(&all, account, name)?.number)?;
                1
            }
            None if all.is_empty() => return Err(AppPasswordError::None(account.clone()).into()),
            None => {
                tx.remove_app_passwords(record.id, now)?;
                all.len()
            }
        };
        let revision = tx.raise_revision()?;
        log_event_with_cause(
            &self.engine.config,
            &mut tx,
            account,
            EventKind::AppPasswordRevoked,
            one.map_or("all", Label::as_str),
            actor,
            now,
        )?;
        tx.commit()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok(count)
    }

    /// Returns an error for a scope that the configuration does not declare, which is a typing
    /// error, and for the gate's own pages.
    fn check_scope(&self, scope: &AppPasswordScope) -> Result<(), AppPasswordError> {
        let gate = &self.engine.config.gate;
        if let Some(name) = scope.undeclared(&gate.scope) {
            return Err(AppPasswordError::Undeclared(name.clone()));
        }
        let gate_host = gate
            .url
            .as_ref()
            .filter(|url| url.has_own_host())
            .map(|url| url.host());
        let is_gate = |term: &ScopeTerm| match term {
            ScopeTerm::Web(web) => web
                .hosts
                .iter()
                .any(|host| Some(host.as_str()) == gate_host),
            ScopeTerm::Pam(_) | ScopeTerm::Named(_) => false,
        };
        match scope.terms().iter().any(is_gate) {
            true => Err(AppPasswordError::Gate),
            false => Ok(()),
        }
    }
}

/// Applies `app_passwords.on_change`. The caller makes the revision with which gates apply the
/// revocation.
pub(in crate::engine) fn apply_on_change(
    config: &Config,
    tx: &mut Transaction<'_>,
    account: AccountId,
    now: Timestamp,
) -> Result<AppPasswordsAfter, StoreError> {
    Ok(match config.app_passwords.on_change {
        OnChange::Revoke => match tx.remove_app_passwords(account, now)? {
            0 => AppPasswordsAfter::None,
            count => AppPasswordsAfter::Revoked(count),
        },
        OnChange::Keep => {
            let is_live =
                |stored: &AppPasswordRecord| stored.expires.is_none_or(|expires| now < expires);
            let all = tx.app_passwords(Some(account))?;
            match all.iter().filter(|stored| is_live(stored)).count() {
                0 => AppPasswordsAfter::None,
                count => AppPasswordsAfter::Kept(count as u64),
            }
        }
    })
}

/// Applies `app_passwords.on_change` for an act of administration, and logs the event.
pub(in crate::engine) fn apply_on_change_and_log<'a>(
    config: &Config,
    tx: &mut Transaction<'_>,
    (name, account): (&UserName, AccountId),
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<AppPasswordsAfter, StoreError> {
    let after = apply_on_change(config, tx, account, now)?;
    if let AppPasswordsAfter::Revoked(_) = after {
        log_event_with_cause(
            config,
            tx,
            name,
            EventKind::AppPasswordRevoked,
            CHANGE_CAUSE,
            actor,
            now,
        )?;
    }
    Ok(after)
}

impl AppPasswordsAfter {
    /// Returns the event and its cause for a change that a sign-in made.
    pub(in crate::engine) fn event(self) -> Option<(EventKind, &'static str)> {
        match self {
            AppPasswordsAfter::Revoked(_) => Some((EventKind::AppPasswordRevoked, CHANGE_CAUSE)),
            AppPasswordsAfter::None | AppPasswordsAfter::Kept(_) => None,
        }
    }
}

fn find<'a>(
    all: &'a [AppPasswordRecord],
    account: &UserName,
    name: &Label,
) -> Result<&'a AppPasswordRecord, AppPasswordError> {
    let found = all.iter().find(|stored| stored.name == *name);
    found.ok_or_else(|| AppPasswordError::Unknown(account.clone(), name.clone()))
}
