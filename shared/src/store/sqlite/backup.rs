//! Backup and restoring of the store's file: a copy of it as of one moment, a copy that becomes a
//! store again, and the exchange of the two.
//!
//! MUST NOT leave a store beside the WAL of another one, whenever it is interrupted: SQLite would
//! read the frames of that WAL as its own.

use super::connection::{StoreConnection, connect};
use super::create::{create_empty, set_group_and_mode};
use super::files::location::{BESIDE, with_suffix};
use super::locks::StopsBlocked;
use super::{READING, SqliteStore, migration};
use crate::store::{StoreError, StoreResult};
use crate::system::trusted_file::{self, FileError, TrustedFolder};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::unistd::geteuid;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// Pages of one step of a copy.
const PAGES: i32 = 1024;

/// Files of a store that is being copied or restored, beside the store. Only root can make them; the
/// user who reads stores fills them.
pub struct TemporaryStore {
    path: PathBuf,
}

impl TemporaryStore {
    /// Creates the files, for `user`. Those of an interrupted run are removed.
    pub(in crate::store) fn create(store: &Path, user: u32) -> StoreResult<TemporaryStore> {
        let folder = TrustedFolder::open(store.parent().unwrap_or(Path::new("/")))?;
        let store = folder.path().join(store.file_name().unwrap_or_default());
        trusted_file::remove_abandoned(&store)?;
        let name = store.file_name().unwrap_or_default().to_string_lossy();
        let path = store.with_file_name(format!(".{name}.{}.new", std::process::id()));
        let temporary = TemporaryStore { path };
        for file in temporary.files() {
            let create = || {
                let made = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&file)?;
                fchown(&made, Some(user), None)
            };
            if let Err(error) = create() {
                temporary.remove();
                return Err(FileError::io(&file, error).into());
            }
        }
        Ok(temporary)
    }

    /// The files at a path that another process has created.
    pub fn at(path: PathBuf) -> TemporaryStore {
        TemporaryStore { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn files(&self) -> [PathBuf; 3] {
        ["", "-wal", "-shm"].map(|suffix| with_suffix(&self.path, suffix))
    }

    /// Removes the files that exist.
    pub fn remove(&self) {
        for file in self.files() {
            // best effort: the next run removes what remains
            let _ = std::fs::remove_file(file);
        }
    }

    /// Makes a store of what was written: of this program's version, and with its WAL mode. Returns
    /// the version that it had.
    pub fn become_store(&self) -> StoreResult<i64> {
        let found = migration::upgrade_restored(&self.path)?;
        let (connection, _) = connect(&self.path, migration::TIME_LIMIT)?;
        let mut checked = connection.prepare("PRAGMA quick_check(1)")?;
        let result: String = checked.query_row([], |row| row.get(0))?;
        match result.as_str() {
            "ok" => Ok(found),
            _ => Err(StoreError::Damaged(result)),
        }
    }

    /// Puts this store in place of the one at `store`, which is kept beside it with its WAL. Returns
    /// the path of the kept one. `name` is what is added to its name.
    ///
    /// Whenever this is interrupted, either the old store is in place with its WAL, or none, or the
    /// new one: with none, all access is denied.
    pub fn replace(&self, store: &Path, name: &str) -> StoreResult<Option<PathBuf>> {
        let folder = TrustedFolder::open(store.parent().unwrap_or(Path::new("/")))?;
        let store = folder.path().join(store.file_name().unwrap_or_default());
        let group = Some(folder.group());
        self.seal_file(group)?;
        let mut exchange = Exchange::default();
        if let Err(error) = self.exchange(&folder, &store, name, group, &mut exchange) {
            return Err(exchange.undo(&store, error));
        }
        let kept = exchange.moved.into_iter().find(|(from, _)| *from == store);
        Ok(kept.map(|(_, to)| to))
    }

    /// Makes the store durable and complete in one file, which belongs to this user, root, and the
    /// group.
    fn seal_file(&self, group: Option<u32>) -> StoreResult<()> {
        let io = |error| StoreError::File(FileError::io(&self.path, error));
        for suffix in BESIDE {
            let beside = with_suffix(&self.path, suffix);
            let length = beside.symlink_metadata().map_or(0, |found| found.len());
            if suffix == "-wal" && length > 0 {
                return Err(FileError::left_over(&beside).into());
            }
            std::fs::remove_file(&beside).map_err(io)?;
        }
        let file = File::options()
            .write(true)
            .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
            .open(&self.path)
            .map_err(io)?;
        fchown(&file, Some(geteuid().as_raw()), group).map_err(io)?;
        set_group_and_mode(&self.path, group).map_err(io)?;
        file.sync_all().map_err(io)
    }

    fn exchange(
        &self,
        folder: &TrustedFolder,
        store: &Path,
        name: &str,
        group: Option<u32>,
        done: &mut Exchange,
    ) -> StoreResult<()> {
        let kept = unused_path(folder, &with_suffix(store, name))?;
        // the store first: without it, no process reads the files beside it
        for suffix in ["", "-wal", "-shm"] {
            let (from, to) = (with_suffix(store, suffix), with_suffix(&kept, suffix));
            if folder.stat(from.file_name().unwrap_or_default())?.is_some() {
                rename(&from, &to)?;
                done.moved.push((from, to));
            }
        }
        let sync = || trusted_file::sync_folder(store).map_err(|error| FileError::io(store, error));
        sync()?;
        for suffix in BESIDE {
            let beside = with_suffix(store, suffix);
            create_empty(&beside, group)?;
            done.created.push(beside);
        }
        sync()?;
        rename(&self.path, store)?;
        Ok(sync()?)
    }
}

/// What an exchange has done so far.
#[derive(Default)]
struct Exchange {
    /// Files of the old store: where they were, and where they are.
    moved: Vec<(PathBuf, PathBuf)>,
    /// Empty files that the new store needs beside it.
    created: Vec<PathBuf>,
}

impl Exchange {
    /// Puts the old store back, unless the new one is in place. Returns the error that matters, with
    /// what remains to be done.
    ///
    /// The store comes last, and only if the files beside it are back: without its WAL it would lack
    /// what was committed last, such as used codes.
    fn undo(&self, store: &Path, error: StoreError) -> StoreError {
        if store.symlink_metadata().is_ok() {
            return error;
        }
        let is_undone = self
            .created
            .iter()
            .all(|file| std::fs::remove_file(file).is_ok())
            && self
                .moved
                .iter()
                .rev()
                .all(|(from, to)| rename(to, from).is_ok());
        // best effort: without a store, or with the old one, the same is denied
        let _ = trusted_file::sync_folder(store);
        match self.moved.iter().find(|(from, _)| from == store) {
            Some((_, kept)) if !is_undone => StoreError::NotPutBack {
                kept: kept.clone(),
                error: Box::new(error),
            },
            _ => error,
        }
    }
}

/// Returns the path, or one with a number after it, at which nothing is.
fn unused_path(folder: &TrustedFolder, path: &Path) -> StoreResult<PathBuf> {
    let mut unused = path.to_owned();
    for number in 2.. {
        let mut exists = false;
        for suffix in ["", "-wal", "-shm"] {
            let file = with_suffix(&unused, suffix);
            exists |= folder.stat(file.file_name().unwrap_or_default())?.is_some();
        }
        if !exists {
            break;
        }
        unused = with_suffix(path, &format!("-{number}"));
    }
    Ok(unused)
}

/// Renames a file. An existing one is not replaced.
fn rename(from: &Path, to: &Path) -> StoreResult<()> {
    renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE)
        .map_err(|errno| FileError::io(to, io::Error::from(errno)).into())
}

impl SqliteStore {
    pub(in crate::store) fn copy_to(&mut self, copy: &TemporaryStore) -> StoreResult<()> {
        let transaction = self.begin_reading(StopsBlocked::new())?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut to = Connection::open_with_flags(copy.path(), flags)?;
        // a backup that was interrupted begins with a new file
        to.pragma_update(None, "journal_mode", "OFF")?;
        to.pragma_update(None, "synchronous", "OFF")?;
        let StoreConnection { connection, .. } = transaction.store_connection();
        let backup = Backup::new(connection, &mut to)?;
        let began = std::time::Instant::now();
        // the transaction keeps what is copied the same from the first step to the last
        while backup.step(PAGES)? != StepResult::Done {
            if began.elapsed() > READING * 20 {
                return Err(StoreError::TooLong);
            }
        }
        drop(backup);
        to.close().map_err(|(_, error)| error.into())
    }
}
