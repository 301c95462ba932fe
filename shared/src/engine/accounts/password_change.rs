//! Effects of a password change, by Postern or through PAM. An attacker who knew the earlier
//! password may have left sessions or app passwords behind, so both end.

use super::change::AccountChange;
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::config::Config;
use crate::crypto::password::{Password, PasswordError};
use crate::engine::enrollment::pending::issuer;
use crate::engine::{Accounts, AdministrationError, AppPasswordsAfter, EngineError, Principal};
use crate::store::StoreError;
use crate::system::clock::Timestamp;

impl AccountChange<'_> {
    /// Ends every session, trusted browser and grace period of an account, revokes its app
    /// passwords by `app_passwords.on_change`, and logs the event.
    fn end_all_with_password(
        &mut self,
        name: &UserName,
        account: AccountId,
        kind: EventKind,
    ) -> Result<AppPasswordsAfter, StoreError> {
        self.tx.end_sessions_and_browsers(account)?;
        self.log_event(name, kind)?;
        self.apply_on_change(name, account)
    }
}

impl Accounts<'_> {
    /// Sets a password, unless it can be guessed. Every session, trusted browser and grace period of
    /// the account ends.
    pub fn set_password<'a>(
        &mut self,
        name: &UserName,
        password: &Password,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        refuse_guessable_password(&self.engine.config, name, password)
            .map_err(AdministrationError::Password)?;
        let mut change = self.engine.begin_change(actor, now)?;
        // with the pepper of this transaction, since a key rotation may have replaced an earlier
        // one
        let hash = change
            .tx
            .vault
            .hash_password(password)
            .map_err(AdministrationError::Password)?;
        let record = change.find_or_add_account(name)?;
        change.tx.set_password_hash(record.id, &hash)?;
        let after = change.end_all_with_password(name, record.id, EventKind::PasswordSet)?;
        let revision = change.commit_revision()?;
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
        let mut change = self.engine.begin_change(actor, now)?;
        let Some(record) = change.tx.find_account(name)? else {
            return Ok(None);
        };
        let after =
            change.end_all_with_password(name, record.id, EventKind::HostPasswordChanged)?;
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok(Some(after))
    }
}

/// Refuses a new password that is common, or made of the account's name, the issuer, or the gate's
/// host.
///
/// # Errors
/// [`PasswordError::Common`], or [`PasswordError::OfNames`].
pub fn refuse_guessable_password(
    config: &Config,
    name: &UserName,
    password: &Password,
) -> Result<(), PasswordError> {
    let issuer = issuer(config);
    let host = config.gate.url.as_ref().map_or("", |url| url.host());
    password.refuse_guessable(&[name.as_str(), &issuer, host])
}
