//! One transaction of the store, with what an act needs beside it: configuration, keys and time.
//! The keys are those of the transaction, so a key rotation in another process never splits an act.

use super::principal::{Principal, audit_event};
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;
use crate::config::Config;
use crate::crypto::vault::Vault;
use crate::engine::mail::notification;
use crate::engine::{Engine, EngineError};
use crate::store::{Intent, StoreError, Transaction};
use crate::system::clock::{StoreTime, Timestamp};
use std::ops::{Deref, DerefMut};

pub(in crate::engine) struct EngineTransaction<'e> {
    pub(in crate::engine) config: &'e Config,
    pub(in crate::engine) vault: &'e Vault,
    pub(in crate::engine) now: Timestamp,
    open: Transaction<'e>,
}

impl Engine {
    /// Begins the transaction of an act.
    pub(in crate::engine) fn begin_act(
        &mut self,
        intent: Intent,
        now: Timestamp,
    ) -> Result<EngineTransaction<'_>, EngineError> {
        let before = StoreTime::begin();
        let (open, config, vault) = self.begin_with_keys(intent)?;
        let now = before.correct(now);
        Ok(EngineTransaction {
            config,
            vault,
            now,
            open,
        })
    }
}

impl EngineTransaction<'_> {
    /// Commits durably. Access is granted only after this returns.
    pub(in crate::engine) fn commit(self) -> Result<(), StoreError> {
        self.open.commit()
    }

    /// Logs an event and queues the notification to the account's owner.
    pub(in crate::engine) fn log_event(
        &mut self,
        name: &UserName,
        kind: EventKind,
        cause: &str,
        actor: Principal<'_>,
    ) -> Result<(), StoreError> {
        let event = AuditEvent {
            cause: cause.to_owned(),
            ..audit_event(name, kind, actor, self.now)
        };
        notification::log_event(self.config, &mut self.open, &event)
    }
}

impl<'e> Deref for EngineTransaction<'e> {
    type Target = Transaction<'e>;

    fn deref(&self) -> &Transaction<'e> {
        &self.open
    }
}

impl<'e> DerefMut for EngineTransaction<'e> {
    fn deref_mut(&mut self) -> &mut Transaction<'e> {
        &mut self.open
    }
}
