//! App passwords: added, listed, renamed, revoked; and kept or revoked by `app_passwords.on_change`
//! when the password or the second factor changes.

use crate::account::event::EventKind;
use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::config::{AppPasswordsOnChange, Config};
use crate::credential::app_password::AppPassword;
use crate::credential::scope::{AppPasswordScope, ScopeTerm};
use crate::engine::{AdministrationError, AppPasswordError, AppPasswords, Principal};
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
        self.check_scope(scope)?;
        if expires.is_some_and(|expires| expires <= now) {
            return Err(AppPasswordError::Past.into());
        }
        let password = AppPassword::random()?;
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_or_add_declared_account(account)?;
        let is_over =
            |stored: &AppPasswordRecord| stored.expires.is_some_and(|expires| expires <= now);
        let mut live = change.tx.app_passwords(Some(record.id))?;
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
        let hash = change.tx.vault.app_password_hash(&password);
        change.tx.add_app_password(record.id, &new, &hash)?;
        change.log_event_with_cause(account, EventKind::AppPasswordAdded, name.as_str())?;
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok(password)
    }

    /// Returns the app passwords of one account, or of all, with those that have expired.
    pub fn list_app_passwords(
        &mut self,
        of: Option<&UserName>,
    ) -> Result<Vec<AppPasswordRecord>, AdministrationError> {
        match of {
            Some(name) => {
                let (mut tx, record) = self.engine.read_account(name)?;
                Ok(tx.app_passwords(Some(record.id))?)
            }
            None => Ok(self.engine.begin(Intent::Read)?.app_passwords(None)?),
        }
    }

    pub fn rename_app_password<'a>(
        &mut self,
        account: &UserName,
        name: &Label,
        new: &Label,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(account)?;
        let all = change.tx.app_passwords(Some(record.id))?;
        let found = find(&all, account, name)?;
        if name != new && all.iter().any(|stored| stored.name == *new) {
            return Err(AppPasswordError::NameTaken(account.clone(), new.clone()).into());
        }
        change.tx.rename_app_password(found.number, new)?;
        change.log_event_with_cause(account, EventKind::AppPasswordRenamed, new.as_str())?;
        Ok(change.commit()?)
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
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(account)?;
        let all = change.tx.app_passwords(Some(record.id))?;
        let count = match one {
            Some(name) => {
                change
                    .tx
                    .remove_app_password(find(&all, account, name)?.number)?;
                1
            }
            None if all.is_empty() => return Err(AppPasswordError::None(account.clone()).into()),
            None => {
                change.tx.remove_app_passwords(record.id, now)?;
                all.len()
            }
        };
        change.log_event_with_cause(
            account,
            EventKind::AppPasswordRevoked,
            one.map_or("all", Label::as_str),
        )?;
        let revision = change.commit_revision()?;
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
        AppPasswordsOnChange::Revoke => match tx.remove_app_passwords(account, now)? {
            0 => AppPasswordsAfter::None,
            count => AppPasswordsAfter::Revoked(count),
        },
        AppPasswordsOnChange::Keep => {
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

impl AppPasswordsAfter {
    /// Returns the event and its cause of the change.
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
