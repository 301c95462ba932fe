//! What administrators do to app passwords: made, listed, renamed, revoked; and what ends them beside that.

use super::acting::{
    AdministrationError, AdministrationResult, AppPasswordError, known, known_or_new, log_because,
};
use crate::account::event::EventKind;
use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::config::{Config, OnChange};
use crate::credential::app_password::AppPassword;
use crate::credential::scope::{AppPasswordScope, ScopeTerm};
use crate::credential::secret::RandomError;
use crate::crypto::vault::VaultError;
use crate::engine::Engine;
use crate::engine::principal::Principal;
use crate::store::{AppPasswordRecord, Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;

/// The most app passwords that an account may have.
const MOST: usize = 100;
/// The cause in the log where a change of something else ended them.
const BY_CHANGE: &str = "app_passwords.on_change";

/// What became of an account's app passwords when its password changed, or its second factor was turned on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppPasswordsAfter {
    /// It has none.
    None,
    /// So many go on working.
    Kept(u64),
    /// So many ended.
    Revoked(u64),
}

impl Engine {
    /// Makes an app password; every gate knows it when this returns.
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
        self.refuse_scope(scope)?;
        if expires.is_some_and(|expires| expires <= now) {
            return Err(AppPasswordError::Past.into());
        }
        let password =
            AppPassword::random().map_err(|RandomError| VaultError::Random(RandomError))?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = match self.config.find_declared_account(account) {
            Some(_) => known_or_new(&self.config, tx.as_mut(), account, actor, now)?,
            None => known(tx.as_mut(), account)?,
        };
        actor.refuse_ended_session(tx.as_mut(), now)?;
        let is_over = |kept: &AppPasswordRecord| kept.expires.is_some_and(|expires| expires <= now);
        let mut live = tx.app_passwords(Some(record.id))?;
        live.retain(|kept| !is_over(kept));
        if live.iter().any(|kept| kept.name == *name) {
            return Err(AppPasswordError::NameTaken(account.clone(), name.clone()).into());
        }
        if live.len() >= MOST {
            return Err(AppPasswordError::TooMany(account.clone(), MOST).into());
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
        tx.add_app_password(record.id, &new, &self.vault.app_password_hash(&password))?;
        let revision = tx.raise_revision()?;
        log_because(
            &self.config,
            tx.as_mut(),
            account,
            EventKind::AppPasswordAdded,
            name.as_str(),
            actor,
            now,
        )?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        Ok(password)
    }

    /// An account's app passwords, or everyone's; those whose time is over too.
    pub fn app_passwords(
        &mut self,
        of: Option<&UserName>,
    ) -> Result<Vec<AppPasswordRecord>, AdministrationError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let of = match of {
            Some(name) => Some(known(tx.as_mut(), name)?.id),
            None => None,
        };
        Ok(tx.app_passwords(of)?)
    }

    /// Renames an app password.
    pub fn rename_app_password<'a>(
        &mut self,
        account: &UserName,
        name: &Label,
        new: &Label,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let actor = actor.into();
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), account)?;
        actor.refuse_ended_session(tx.as_mut(), now)?;
        let all = tx.app_passwords(Some(record.id))?;
        let meant = find(&all, account, name)?;
        if name != new && all.iter().any(|kept| kept.name == *new) {
            return Err(AppPasswordError::NameTaken(account.clone(), new.clone()).into());
        }
        tx.rename_app_password(meant.number, new)?;
        log_because(
            &self.config,
            tx.as_mut(),
            account,
            EventKind::AppPasswordRenamed,
            new.as_str(),
            actor,
            now,
        )?;
        Ok(tx.commit()?)
    }

    /// Revokes one app password of an account, or all; how many. When this returns, no door takes them.
    pub fn revoke_app_passwords<'a>(
        &mut self,
        account: &UserName,
        one: Option<&Label>,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let actor = actor.into();
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), account)?;
        actor.refuse_ended_session(tx.as_mut(), now)?;
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
        log_because(
            &self.config,
            tx.as_mut(),
            account,
            EventKind::AppPasswordRevoked,
            one.map_or("all", Label::as_str),
            actor,
            now,
        )?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        Ok(count)
    }

    /// A scope that means nothing now was mistyped, and the gate's own pages are nobody's application.
    fn refuse_scope(&self, scope: &AppPasswordScope) -> Result<(), AppPasswordError> {
        let gate = &self.config.gate;
        if let Some(name) = scope.undeclared(&gate.scope) {
            return Err(AppPasswordError::Undeclared(name.clone()));
        }
        let of_gate = gate
            .url
            .as_ref()
            .filter(|url| url.has_own_host())
            .map(|url| url.host());
        let is_gate = |term: &ScopeTerm| match term {
            ScopeTerm::Web(web) => web.hosts.iter().any(|host| Some(host.as_str()) == of_gate),
            ScopeTerm::Pam(_) | ScopeTerm::Named(_) => false,
        };
        match scope.terms().iter().any(is_gate) {
            true => Err(AppPasswordError::Gate),
            false => Ok(()),
        }
    }
}

/// What `app_passwords.on_change` says is done. Those that end do so with the revision that the caller makes.
pub(in crate::engine) fn after_change(
    config: &Config,
    tx: &mut dyn Transaction,
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
                |kept: &AppPasswordRecord| kept.expires.is_none_or(|expires| now < expires);
            let all = tx.app_passwords(Some(account))?;
            match all.iter().filter(|kept| is_live(kept)).count() {
                0 => AppPasswordsAfter::None,
                count => AppPasswordsAfter::Kept(count as u64),
            }
        }
    })
}

/// The same for a change of an administrator's, with its event.
pub(in crate::engine) fn after_administration<'a>(
    config: &Config,
    tx: &mut dyn Transaction,
    (name, account): (&UserName, AccountId),
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<AppPasswordsAfter, StoreError> {
    let after = after_change(config, tx, account, now)?;
    if let AppPasswordsAfter::Revoked(_) = after {
        log_because(
            config,
            tx,
            name,
            EventKind::AppPasswordRevoked,
            BY_CHANGE,
            actor,
            now,
        )?;
    }
    Ok(after)
}

impl AppPasswordsAfter {
    /// The event of a change that came through a door, and its cause.
    pub(in crate::engine) fn event(self) -> Option<(EventKind, &'static str)> {
        match self {
            AppPasswordsAfter::Revoked(_) => Some((EventKind::AppPasswordRevoked, BY_CHANGE)),
            AppPasswordsAfter::None | AppPasswordsAfter::Kept(_) => None,
        }
    }
}

fn find<'a>(
    all: &'a [AppPasswordRecord],
    account: &UserName,
    name: &Label,
) -> Result<&'a AppPasswordRecord, AppPasswordError> {
    let found = all.iter().find(|kept| kept.name == *name);
    found.ok_or_else(|| AppPasswordError::Unknown(account.clone(), name.clone()))
}
