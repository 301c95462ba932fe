//! Key rotation while other processes use the store.
//!
//! A rotation that is killed between any two steps leaves a working store, and the next rotation
//! finishes it:
//!
//! 1. A new master key is added to the key file, beside the old one.
//! 2. One transaction wraps all data keys with the new master key and renews the data keys that are
//!    to be renewed. The old sealing key is kept beside the new one.
//! 3. Where all keys are renewed, whatever depended on the old keys ends with that transaction. Its
//!    rows are removed, a few accounts at a time.
//! 4. Sealed values are sealed with the new key, a few rows at a time. Then the old sealing key is
//!    removed.
//! 5. The store's journal is emptied. This waits for every transaction that still sees what the old
//!    master key wrapped.
//! 6. The old master key is removed from the key file.
//!
//! Every other transaction begins with the data keys that the store has at that moment
//! ([`super::keyed_store`]).

use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;
use crate::crypto::master_key::{MasterKeyFile, MasterKeys, OwnKeyFile};
use crate::crypto::vault::{Renewal, Resealed};
use crate::engine::{COMMAND, EngineError, Keys};
use crate::store::{self, Intent, KeyBound, SealedValue, StoreError, Transaction};
use crate::system::clock::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Rows that one transaction seals with the new key.
const BATCH: u32 = 200;
/// Accounts whose ended rows one transaction removes.
const ACCOUNTS_PER_TRANSACTION: u32 = 50;
/// Shortest pause between two such transactions.
const PAUSE: Duration = Duration::from_millis(1);

/// Number of sessions, tokens and the like that ended, by account and kind.
pub type EndedByRotation = BTreeMap<UserName, Vec<(KeyBound, u64)>>;

#[derive(Debug, Default)]
pub struct RotationReport {
    pub ended: EndedByRotation,
    /// Accounts with a sealed secret that no key opens. It could not be opened before the rotation
    /// either.
    pub damaged: BTreeSet<UserName>,
}

impl Keys<'_> {
    /// Returns what `rotate_keys` with [`Renewal::All`] would end now.
    pub fn list_key_bound(&mut self, now: Timestamp) -> Result<EndedByRotation, EngineError> {
        Ok(key_bound(&mut self.engine.begin(Intent::Read)?, now)?)
    }

    /// Replaces the master key, wraps the data keys with the new one, and seals all secrets with
    /// the newest sealing key. When this returns, the old master key opens nothing of the store,
    /// and every gate refuses what ended.
    pub fn rotate_keys(
        &mut self,
        renewal: Renewal,
        actor: &str,
        now: Timestamp,
    ) -> Result<RotationReport, RotationError> {
        let mut file = OwnKeyFile::lock(self.engine.config.store.key_file.path())?;
        self.rotate_keys_by(&mut file, renewal, actor, now)
    }

    /// Does the same for a process that cannot write the key file itself.
    pub fn rotate_keys_by(
        &mut self,
        file: &mut dyn MasterKeyFile,
        renewal: Renewal,
        actor: &str,
        now: Timestamp,
    ) -> Result<RotationReport, RotationError> {
        let masters = file.add(&self.engine.store.masters_in_use()?.ids())?;

        // A rotation that was cut off may have left the store with two sealing keys.
        let mut rotated = RotationReport::default();
        if self.engine.vault.has_previous_key() {
            self.reseal_all(&masters)?;
        }
        let mut other = match renewal {
            Renewal::Seal => None,
            Renewal::All => Some(store::open(&self.engine.config.store)?),
        };
        let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Exclusive)?;
        tx.replace_data_keys(&vault.renew_keys(renewal, &masters)?)?;
        tx.add_event(&event(renewal, actor, now))?;
        match &mut other {
            None => tx.commit()?,
            Some(other) => {
                // Begun under the write lock, this transaction sees exactly what ends, and it
                // blocks no writer.
                let mut before = other.begin(Intent::Read)?;
                tx.end_key_bound()?;
                tx.end_fleet()?;
                let revision = tx.raise_revision()?;
                tx.commit()?;
                let ended = key_bound(&mut before, now);
                self.engine.sessions().await_gate_confirmations(revision)?;
                rotated.ended = ended?;
            }
        }
        drop(other);
        self.remove_key_bound()?;
        rotated.damaged = self.reseal_all(&masters)?;
        let path = || self.engine.config.store.key_file.path().to_owned();
        self.engine
            .store
            .truncate_wal()
            .map_err(|error| RotationError::OldKeyStays(path(), error))?;
        file.keep_newest()?;
        Ok(rotated)
    }

    /// Removes the rows that ended with the keys, including those of a renewal that was cut off.
    fn remove_key_bound(&mut self) -> Result<(), EngineError> {
        loop {
            let began = Instant::now();
            let mut tx = self.engine.begin(Intent::Write)?;
            let accounts = tx.forget_key_bound(ACCOUNTS_PER_TRANSACTION)?;
            if accounts == 0 {
                return Ok(());
            }
            tx.commit()?;
            // Half of the time is left to other writers, as in `reseal_all`.
            std::thread::sleep(began.elapsed().max(PAUSE));
        }
    }

    /// Seals with the new key whatever the previous key sealed, and removes the previous key.
    /// Returns the accounts whose secrets neither key opens.
    fn reseal_all(&mut self, masters: &MasterKeys) -> Result<BTreeSet<UserName>, EngineError> {
        let mut damaged = BTreeSet::new();
        for sealed_in in SealedValue::ALL {
            let mut after = 0;
            loop {
                let began = Instant::now();
                let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Exclusive)?;
                let rows = tx.sealed_rows_after(sealed_in, after, BATCH)?;
                let Some(last) = rows.last() else { break };
                after = last.number;
                for row in &rows {
                    match vault.reseal(&row.sealed, &row.associated_data)? {
                        Resealed::Current => {}
                        Resealed::Replaced(sealed) => tx.reseal_row(row, &sealed)?,
                        Resealed::Damaged => damaged.extend(row.name.clone()),
                    }
                }
                tx.commit()?;
                // Logins poll for the write lock: half of the time is left to them.
                std::thread::sleep(began.elapsed().max(PAUSE));
            }
        }
        let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Exclusive)?;
        tx.replace_data_keys(&vault.drop_previous_key(masters)?)?;
        tx.commit()?;
        Ok(damaged)
    }
}

fn key_bound(tx: &mut Transaction<'_>, now: Timestamp) -> Result<EndedByRotation, StoreError> {
    let mut ended = EndedByRotation::new();
    for what in KeyBound::ALL {
        for (name, count) in tx.count_key_bound(what, now)? {
            ended.entry(name).or_default().push((what, count));
        }
    }
    Ok(ended)
}

fn event(renewal: Renewal, actor: &str, now: Timestamp) -> AuditEvent {
    let root = || "root".parse().expect("root is a name");
    AuditEvent {
        at: now,
        account: actor.parse().unwrap_or_else(|_| root()),
        kind: match renewal {
            Renewal::Seal => EventKind::KeysRotated,
            Renewal::All => EventKind::KeysRenewed,
        },
        service: COMMAND.to_owned(),
        origin: format!("local user {actor}"),
        principal: actor.to_owned(),
        cause: String::new(),
    }
}

/// Why a rotation did not finish. The store stays usable, and another rotation finishes it.
#[derive(Debug)]
pub enum RotationError {
    Engine(EngineError),
    /// Every step but the last is done: the old master key is still in the file.
    OldKeyStays(PathBuf, StoreError),
}

impl<E: Into<EngineError>> From<E> for RotationError {
    fn from(error: E) -> RotationError {
        RotationError::Engine(error.into())
    }
}

impl fmt::Display for RotationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RotationError::Engine(error) => error.fmt(f),
            RotationError::OldKeyStays(path, error) => write!(
                f,
                "the keys are new, but old bytes may be left in the store's journal ({error}), so the old master key stays in {}; run postern key rotate again later",
                path.display()
            ),
        }
    }
}

impl std::error::Error for RotationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RotationError::Engine(error) => Some(error),
            RotationError::OldKeyStays(_, error) => Some(error),
        }
    }
}
