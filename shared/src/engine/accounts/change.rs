//! The frame of every change by an act of administration: one transaction, in which the account is
//! found or added, a principal whose session has ended is refused, and the audit event is logged.
//!
//! MUST refuse an ended session in the transaction that writes, after the account was found.
//!
//! A sign-in, a command, an import and an administrator at the web all check the name of a new
//! account here, in the transaction that adds it. Of two spellings that arrive at once, one becomes
//! an account.

use crate::account::event::EventKind;
use crate::account::name::{Distinct, NewName, OtherSpelling, UserName};
use crate::account::record::{AccountId, AccountRecord};
use crate::config::Config;
use crate::engine::app_passwords::changes;
use crate::engine::principal::audit_event;
use crate::engine::transaction::EngineTransaction;
use crate::engine::{AdministrationError, AppPasswordsAfter, Engine, EngineError, Principal};
use crate::store::{Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::token::session::SessionId;

/// A change by one principal. Without a commit it changes nothing.
pub(in crate::engine) struct AccountChange<'a> {
    pub(in crate::engine) tx: EngineTransaction<'a>,
    actor: Principal<'a>,
}

impl Engine {
    pub(in crate::engine) fn begin_change<'a, 'p: 'a>(
        &'a mut self,
        actor: impl Into<Principal<'p>>,
        now: Timestamp,
    ) -> Result<AccountChange<'a>, EngineError> {
        Ok(AccountChange {
            tx: self.begin_act(Intent::Write, now)?,
            actor: actor.into(),
        })
    }

    /// Begins a transaction that reads, and returns the account.
    pub(in crate::engine) fn read_account(
        &mut self,
        name: &UserName,
    ) -> Result<(Transaction<'_>, AccountRecord), AdministrationError> {
        let mut tx = self.begin(Intent::Read)?;
        let record = find_account(&mut tx, name)?;
        Ok((tx, record))
    }

    pub(in crate::engine) fn check_not_declared(
        &self,
        name: &UserName,
    ) -> Result<(), AdministrationError> {
        match self.config.find_declared_account(name) {
            Some(_) => Err(AdministrationError::Declared(name.clone())),
            None => Ok(()),
        }
    }
}

impl AccountChange<'_> {
    /// Returns the account, and refuses a principal whose session has ended.
    pub(in crate::engine) fn find_account(
        &mut self,
        name: &UserName,
    ) -> Result<AccountRecord, AdministrationError> {
        let record = find_account(&mut self.tx, name)?;
        self.refuse_ended_session()?;
        Ok(record)
    }

    /// Returns the account, and adds it if there is none. Refuses a name that is another spelling
    /// of an existing account, and a principal whose session has ended.
    pub(in crate::engine) fn find_or_add_account(
        &mut self,
        name: &UserName,
    ) -> Result<AccountRecord, AdministrationError> {
        let record = self.find_or_add_distinct_account(name, Distinct::No)?;
        self.refuse_ended_session()?;
        Ok(record)
    }

    /// Returns the account, and adds it if the configuration declares it. Refuses a principal whose
    /// session has ended.
    pub(in crate::engine) fn find_or_add_declared_account(
        &mut self,
        name: &UserName,
    ) -> Result<AccountRecord, AdministrationError> {
        match self.tx.config.find_declared_account(name) {
            Some(_) => self.find_or_add_account(name),
            None => self.find_account(name),
        }
    }

    /// Returns the account, and adds it if there is none. With [`Distinct::Yes`], root permits a
    /// name that is another spelling of an existing account.
    pub(in crate::engine) fn find_or_add_distinct_account(
        &mut self,
        name: &UserName,
        distinct: Distinct,
    ) -> Result<AccountRecord, AdministrationError> {
        if let Some(record) = self.tx.find_account(name)? {
            return Ok(record);
        }
        let (config, now) = (self.tx.config, self.tx.now);
        let new = check_new_name(config, &mut self.tx, name, distinct)?
            .map_err(AdministrationError::OtherSpelling)?;
        let event = audit_event(name, EventKind::AccountAdded, self.actor, now);
        self.tx.add_event(&event)?;
        Ok(self.tx.add_account(&new, now)?)
    }

    pub(in crate::engine) fn actor_session(&self) -> Option<SessionId> {
        self.actor.session()
    }

    pub(in crate::engine) fn refuse_ended_session(&mut self) -> Result<(), AdministrationError> {
        let now = self.tx.now;
        self.actor.refuse_ended_session(&mut self.tx, now)
    }

    /// Logs an event and queues the notification to the account's owner.
    pub(in crate::engine) fn log_event(
        &mut self,
        name: &UserName,
        kind: EventKind,
    ) -> Result<(), StoreError> {
        self.log_event_with_cause(name, kind, "")
    }

    pub(in crate::engine) fn log_event_with_cause(
        &mut self,
        name: &UserName,
        kind: EventKind,
        cause: &str,
    ) -> Result<(), StoreError> {
        self.tx.log_event(name, kind, cause, self.actor)
    }

    /// Applies `app_passwords.on_change`, and logs the event.
    pub(in crate::engine) fn apply_on_change(
        &mut self,
        name: &UserName,
        account: AccountId,
    ) -> Result<AppPasswordsAfter, StoreError> {
        let (config, now) = (self.tx.config, self.tx.now);
        let after = changes::apply_on_change(config, &mut self.tx, account, now)?;
        if let Some((kind, cause)) = after.event() {
            self.log_event_with_cause(name, kind, cause)?;
        }
        Ok(after)
    }

    pub(in crate::engine) fn commit(self) -> Result<(), StoreError> {
        self.tx.commit()
    }

    /// Commits, and makes every gate's copy stale. Returns the revision that gates must apply: see
    /// `await_gate_confirmations`.
    pub(in crate::engine) fn commit_revision(mut self) -> Result<u64, StoreError> {
        // Revocations are stored under the next revision, so this follows all of them.
        let revision = self.tx.raise_revision()?;
        self.tx.commit()?;
        Ok(revision)
    }
}

pub(in crate::engine) fn find_account(
    tx: &mut Transaction<'_>,
    name: &UserName,
) -> Result<AccountRecord, AdministrationError> {
    tx.find_account(name)?
        .ok_or_else(|| AdministrationError::UnknownAccount(name.clone()))
}

/// Returns the name for a new or renamed account. Refuses it if another account, stored or
/// declared, or a user named in the configuration has another spelling of it. A name declared by
/// root is always permitted.
pub(in crate::engine) fn check_new_name(
    config: &Config,
    tx: &mut Transaction<'_>,
    name: &UserName,
    distinct: Distinct,
) -> Result<Result<NewName, OtherSpelling>, StoreError> {
    if distinct == Distinct::Yes || config.find_declared_account(name).is_some() {
        return Ok(Ok(NewName::accept_distinct(name)));
    }
    let stored = tx.find_names_by_key(&name.key())?;
    Ok(check_spellings(config, &stored, name))
}

/// Returns the stored, declared or configured account of which `name` is another spelling; `None`
/// if `name` itself is an account.
pub(in crate::engine) fn find_other_spelling(
    config: &Config,
    tx: &mut Transaction<'_>,
    name: &UserName,
) -> Result<Option<OtherSpelling>, StoreError> {
    let stored = tx.find_names_by_key(&name.key())?;
    if config.find_declared_account(name).is_some() || stored.contains(name) {
        return Ok(None);
    }
    Ok(check_spellings(config, &stored, name).err())
}

/// Rules and policies may name users who have no account yet, and apply to every spelling of the
/// name. A name that root has written in the configuration itself is permitted.
fn check_spellings(
    config: &Config,
    stored: &[UserName],
    name: &UserName,
) -> Result<NewName, OtherSpelling> {
    let declared = config.account.iter().map(|declared| &declared.name);
    let mut named = config.named_users();
    if named.contains(name) {
        named.clear();
    }
    NewName::check_spelling(name, stored.iter().chain(declared).chain(&named))
}
