//! The writing of a backup, while other processes use the store.

use crate::account::event::{AuditEvent, EventKind};
use crate::config::StoreUrl;
use crate::crypto::backup_file::{BackupFileError, BackupHeader};
use crate::engine::{Backups, COMMAND, EngineError};
use crate::store::{Intent, STORE_VERSION, TemporaryStore};
use crate::system::clock::Timestamp;
use crate::system::trusted_file::FileError;
use std::fmt;
use std::fs::File;
use std::io::Write;

impl Backups<'_> {
    /// Copies the store into `copy` and writes it, sealed, to `output`. With a passphrase, the file
    /// contains the key file too.
    pub fn write_backup(
        &mut self,
        copy: &TemporaryStore,
        passphrase: Option<&str>,
        output: &mut impl Write,
        now: Timestamp,
    ) -> Result<BackupHeader, BackupError> {
        let before = self.engine.store.masters_in_use()?.ids();
        self.engine.store.copy_to(copy)?;
        let masters = self.engine.store.masters_in_use()?;
        // else the copy might need another key than the file names
        if masters.ids() != before {
            return Err(BackupError::KeysRotated);
        }
        let header = BackupHeader::new(&masters, now, STORE_VERSION, passphrase)?;
        let mut input =
            File::open(copy.path()).map_err(|error| FileError::io(copy.path(), error))?;
        header.seal(&masters, &mut input, output)?;
        Ok(header)
    }

    /// Records that a backup is complete.
    pub fn log_backup(&mut self, actor: &str, now: Timestamp) -> Result<(), EngineError> {
        let mut transaction = self.engine.begin(Intent::Write)?;
        transaction.add_event(&event(EventKind::BackupMade, actor, "", now))?;
        Ok(transaction.commit()?)
    }
}

impl Backups<'_> {
    /// Records that the store was moved from another place.
    pub fn log_transfer(
        &mut self,
        from: &StoreUrl,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let mut transaction = self.engine.begin(Intent::Write)?;
        let cause = format!("from {from}");
        transaction.add_event(&event(EventKind::StoreMoved, actor, &cause, now))?;
        Ok(transaction.commit()?)
    }
}

/// Returns an event of the whole store, under the name of the actor.
pub(super) fn event(kind: EventKind, actor: &str, cause: &str, now: Timestamp) -> AuditEvent {
    let root = || "root".parse().expect("root is a name");
    AuditEvent {
        at: now,
        account: actor.parse().unwrap_or_else(|_| root()),
        kind,
        service: COMMAND.to_owned(),
        origin: format!("local user {actor}"),
        principal: actor.to_owned(),
        cause: cause.to_owned(),
    }
}

/// Why a backup was not written, or not restored.
#[derive(Debug)]
pub enum BackupError {
    Engine(EngineError),
    File(BackupFileError),
    /// The master key was replaced meanwhile.
    KeysRotated,
}

impl<E: Into<EngineError>> From<E> for BackupError {
    fn from(error: E) -> BackupError {
        BackupError::Engine(error.into())
    }
}

impl From<FileError> for BackupError {
    fn from(error: FileError) -> BackupError {
        BackupError::Engine(EngineError::Store(error.into()))
    }
}

impl From<BackupFileError> for BackupError {
    fn from(error: BackupFileError) -> BackupError {
        BackupError::File(error)
    }
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::Engine(error) => error.fmt(f),
            BackupError::File(error) => error.fmt(f),
            BackupError::KeysRotated => {
                f.write_str("the master key was replaced meanwhile; run postern backup again")
            }
        }
    }
}

impl std::error::Error for BackupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BackupError::Engine(error) => Some(error),
            BackupError::File(error) => Some(error),
            BackupError::KeysRotated => None,
        }
    }
}
