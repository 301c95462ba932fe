//! Shared steps of every act of administration: the account is found or added, and the audit event
//! is logged.

pub use super::error::{AdministrationError, AppPasswordError};

use super::account_name::check_new_name;
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::{Distinct, UserName};
use crate::account::record::AccountRecord;
use crate::config::Config;
use crate::engine::mail::notification;
use crate::engine::principal::{Principal, audit_event};
use crate::store::{StoreError, Transaction};
use crate::system::clock::Timestamp;

/// Returns the account, and adds it if there is none. Fails if the name is another spelling of an
/// existing account.
pub(in crate::engine) fn find_or_add_account<'a>(
    config: &Config,
    tx: &mut Transaction<'_>,
    name: &UserName,
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<AccountRecord, AdministrationError> {
    find_or_add_distinct_account(config, tx, name, Distinct::No, actor, now)
}

/// Returns the account, and adds it if there is none. With [`Distinct::Yes`], root permits a name
/// that is another spelling of an existing account.
pub(in crate::engine) fn find_or_add_distinct_account<'a>(
    config: &Config,
    tx: &mut Transaction<'_>,
    name: &UserName,
    distinct: Distinct,
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<AccountRecord, AdministrationError> {
    if let Some(record) = tx.find_account(name)? {
        return Ok(record);
    }
    let new =
        check_new_name(config, tx, name, distinct)?.map_err(AdministrationError::OtherSpelling)?;
    tx.add_event(&audit_event(
        name,
        EventKind::AccountAdded,
        actor.into(),
        now,
    ))?;
    Ok(tx.add_account(&new, now)?)
}

pub(in crate::engine) fn find_account(
    tx: &mut Transaction<'_>,
    name: &UserName,
) -> Result<AccountRecord, AdministrationError> {
    tx.find_account(name)?
        .ok_or_else(|| AdministrationError::UnknownAccount(name.clone()))
}

/// Logs an event and queues the notification to the account's owner.
pub(in crate::engine) fn log_event<'a>(
    config: &Config,
    tx: &mut Transaction<'_>,
    name: &UserName,
    what: EventKind,
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<(), StoreError> {
    log_event_with_cause(config, tx, name, what, "", actor, now)
}

pub(in crate::engine) fn log_event_with_cause<'a>(
    config: &Config,
    tx: &mut Transaction<'_>,
    name: &UserName,
    what: EventKind,
    cause: &str,
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let event = AuditEvent {
        cause: cause.to_owned(),
        ..audit_event(name, what, actor.into(), now)
    };
    notification::log_event(config, tx, &event)
}

pub(in crate::engine) type AdministrationResult = Result<(), AdministrationError>;
