//! What all acts of administration share: the account that is meant, the event that each leaves, and why one is refused.

pub use super::error::{AdministrationError, AppPasswordError};

use super::account_name::new_name;
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::{Distinct, UserName};
use crate::account::record::AccountRecord;
use crate::config::Config;
use crate::engine::mail::notification;
use crate::engine::principal::{Principal, audit_event};
use crate::store::{StoreError, Transaction};
use crate::system::clock::Timestamp;

/// An account; made if there is none, and none of which this is another spelling.
pub(in crate::engine) fn known_or_new<'a>(
    config: &Config,
    tx: &mut dyn Transaction,
    name: &UserName,
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<AccountRecord, AdministrationError> {
    known_or_distinct(config, tx, name, Distinct::No, actor, now)
}

/// The same, where root may say that it is an account of its own.
pub(in crate::engine) fn known_or_distinct<'a>(
    config: &Config,
    tx: &mut dyn Transaction,
    name: &UserName,
    distinct: Distinct,
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<AccountRecord, AdministrationError> {
    if let Some(record) = tx.find_account(name)? {
        return Ok(record);
    }
    let new = new_name(config, tx, name, distinct)?.map_err(AdministrationError::OtherSpelling)?;
    tx.add_event(&audit_event(
        name,
        EventKind::AccountAdded,
        actor.into(),
        now,
    ))?;
    Ok(tx.add_account(&new, now)?)
}

pub(in crate::engine) fn known(
    tx: &mut dyn Transaction,
    name: &UserName,
) -> Result<AccountRecord, AdministrationError> {
    tx.find_account(name)?
        .ok_or_else(|| AdministrationError::UnknownAccount(name.clone()))
}

/// Logs what someone did to an account, and lets the person know.
pub(in crate::engine) fn log<'a>(
    config: &Config,
    tx: &mut dyn Transaction,
    name: &UserName,
    what: EventKind,
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<(), StoreError> {
    log_because(config, tx, name, what, "", actor, now)
}

pub(in crate::engine) fn log_because<'a>(
    config: &Config,
    tx: &mut dyn Transaction,
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
    notification::log(config, tx, &event)
}

/// Outcome of an act that returns nothing.
pub(in crate::engine) type AdministrationResult = Result<(), AdministrationError>;
