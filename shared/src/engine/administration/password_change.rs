//! What a new password ends, whether it was set here or through PAM: whoever knew the old one may have left something
//! open.

use super::acting::log;
use super::app_passwords::{self, AppPasswordsAfter};
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::config::Config;
use crate::engine::principal::Principal;
use crate::engine::{Engine, EngineError};
use crate::store::{Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;

/// Ends every session, trusted browser and grace of an account, and its app passwords by `app_passwords.on_change`, with the
/// event; the revision that gates must go by.
pub(in crate::engine) fn end_with_password(
    config: &Config,
    tx: &mut dyn Transaction,
    (name, account): (&UserName, AccountId),
    what: EventKind,
    actor: Principal<'_>,
    now: Timestamp,
) -> Result<(u64, AppPasswordsAfter), StoreError> {
    tx.end_sessions_and_browsers(account)?;
    let revision = tx.raise_revision()?;
    log(config, tx, name, what, actor, now)?;
    let after = app_passwords::after_administration(config, tx, (name, account), actor, now)?;
    Ok((revision, after))
}

impl Engine {
    /// Someone's password of this host was changed: what a password of Postern's own would end is over when this
    /// returns. `None` if there is no account, and so nothing that could end.
    pub fn host_password_changed(
        &mut self,
        name: &UserName,
        actor: Principal<'_>,
        now: Timestamp,
    ) -> Result<Option<AppPasswordsAfter>, EngineError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let Some(record) = tx.find_account(name)? else {
            return Ok(None);
        };
        let (account, what) = ((name, record.id), EventKind::HostPasswordChanged);
        let (revision, after) =
            end_with_password(&self.config, tx.as_mut(), account, what, actor, now)?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        Ok(Some(after))
    }
}
