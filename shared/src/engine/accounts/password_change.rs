//! Effects of a password change, by Postern or through PAM. An attacker who knew the earlier
//! password may have left sessions or app passwords behind, so both end.

use super::lookup::{AdministrationError, find_or_add_account, log_event};
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::config::Config;
use crate::crypto::password::Password;
use crate::engine::Accounts;
use crate::engine::EngineError;
use crate::engine::app_passwords::changes;
use crate::engine::app_passwords::changes::AppPasswordsAfter;
use crate::engine::principal::Principal;
use crate::store::{Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;

/// Ends every session, trusted browser and grace period of an account, revokes its app passwords by
/// `app_passwords.on_change`, and logs the event. Returns the revision that gates must apply.
pub(in crate::engine) fn end_all_with_password(
    config: &Config,
    tx: &mut Transaction<'_>,
    (name, account): (&UserName, AccountId),
    what: EventKind,
    actor: Principal<'_>,
    now: Timestamp,
) -> Result<(u64, AppPasswordsAfter), StoreError> {
    tx.end_sessions_and_browsers(account)?;
    let revision = tx.raise_revision()?;
    log_event(config, tx, name, what, actor, now)?;
    let after = changes::apply_on_change_and_log(config, tx, (name, account), actor, now)?;
    Ok((revision, after))
}

impl Accounts<'_> {
    /// Sets a password. Every session, trusted browser and grace period of the account ends.
    pub fn set_password<'a>(
        &mut self,
        name: &UserName,
        password: &Password,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        let actor = actor.into();
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        // with the pepper of this transaction, since a key rotation may have replaced an earlier
        // one
        let hash = self
            .engine
            .vault
            .hash_password(password)
            .map_err(AdministrationError::Password)?;
        let record = find_or_add_account(&self.engine.config, &mut tx, name, actor, now)?;
        actor.refuse_ended_session(&mut tx, now)?;
        tx.set_password_hash(record.id, &hash)?;
        let (account, what) = ((name, record.id), EventKind::PasswordSet);
        let (revision, after) =
            end_all_with_password(&self.engine.config, &mut tx, account, what, actor, now)?;
        tx.commit()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok(after)
    }

    /// Applies the effects of a changed host password before it returns. Returns `None` if there is
    /// no account.
    pub fn record_host_password_change(
        &mut self,
        name: &UserName,
        actor: Principal<'_>,
        now: Timestamp,
    ) -> Result<Option<AppPasswordsAfter>, EngineError> {
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        let Some(record) = tx.find_account(name)? else {
            return Ok(None);
        };
        let (account, what) = ((name, record.id), EventKind::HostPasswordChanged);
        let (revision, after) =
            end_all_with_password(&self.engine.config, &mut tx, account, what, actor, now)?;
        tx.commit()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok(Some(after))
    }
}
