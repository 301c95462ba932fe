//! Creation of a store and of the files next to it.
//!
//! MUST NOT replace an existing store, nor leave a partial one after an interruption.

use super::files::location;
use super::{APPLICATION, SCHEMA, VERSION};
use crate::crypto::vault::WrappedKey;
use crate::store::{StoreError, StoreResult};
use crate::system::trusted_file::{self, FileError, TrustedFolder};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Creates the store under a temporary name and renames it once it is complete. An interruption
/// leaves no partial store, and the next call removes the temporary files.
pub(in crate::store) fn create(
    path: &Path,
    group: Option<u32>,
    keys: &[WrappedKey],
) -> StoreResult<()> {
    let folder = location::prepare_folder(path.parent().unwrap_or(Path::new("/")), group)?;
    let path = folder.path().join(path.file_name().unwrap_or_default());
    if folder.stat(path.file_name().unwrap_or_default())?.is_some() {
        return Err(FileError::io(&path, std::io::ErrorKind::AlreadyExists.into()).into());
    }
    trusted_file::remove_abandoned(&path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let mut made: Vec<PathBuf> = ["", "-journal", "-wal", "-shm"]
        .iter()
        .map(|suffix| location::with_suffix(&new, suffix))
        .collect();
    let io = |error| StoreError::File(FileError::io(&path, error));
    let make = |made: &mut Vec<PathBuf>| -> StoreResult<()> {
        create_empty(&new, None)?;
        fill(&new, keys)?;
        set_group_and_mode(&new, group).map_err(io)?;
        for suffix in location::BESIDE {
            let beside = location::with_suffix(&path, suffix);
            if adopt_empty_file(&folder, &beside, group)? {
                continue;
            }
            create_empty(&beside, group)?;
            made.push(beside);
        }
        // never replaces a store that appeared in the meantime
        renameat2(
            AT_FDCWD,
            &new,
            AT_FDCWD,
            &path,
            RenameFlags::RENAME_NOREPLACE,
        )
        .map_err(|errno| StoreError::File(FileError::io(&path, errno.into())))?;
        // the store is complete: only the temporary names are removed below
        made.truncate(4);
        trusted_file::sync_folder(&path).map_err(io)
    };
    let result = make(&mut made);
    for file in made {
        // best effort: the error that matters is the first one
        let _ = std::fs::remove_file(file);
    }
    result
}

fn fill(path: &Path, keys: &[WrappedKey]) -> StoreResult<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let statements = format!(
        "BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    );
    connection.execute_batch(&statements)?;
    for key in keys {
        connection.execute(
            "INSERT INTO data_key (purpose, master, wrapped) VALUES (?1, ?2, ?3)",
            (&key.purpose, &key.master[..], &key.wrapped),
        )?;
    }
    // closing the only connection copies the WAL into the store and removes it
    connection.close().map_err(|(_, error)| error.into())
}

/// Creates the missing files next to a store, for the store's group: a backup is only one file.
/// If the folder or the store is missing or not trusted, opening reports it.
pub(in crate::store) fn make_missing_files(path: &Path) -> StoreResult<()> {
    let Ok(folder) = TrustedFolder::open(path.parent().unwrap_or(Path::new("/"))) else {
        return Ok(());
    };
    let path = folder.path().join(path.file_name().unwrap_or_default());
    let Some(store) = folder.stat(path.file_name().unwrap_or_default())? else {
        return Ok(());
    };
    for suffix in location::BESIDE {
        let beside = location::with_suffix(&path, suffix);
        let name = beside.file_name().unwrap_or_default();
        if folder.stat(name)?.is_some() {
            continue;
        }
        match create_empty(&beside, Some(store.st_gid)) {
            // another process created it first
            Err(_) if folder.stat(name)?.is_some() => {}
            made => made?,
        }
        // SQLite does not sync the folder
        trusted_file::sync_folder(&beside).map_err(|error| FileError::io(&beside, error))?;
    }
    Ok(())
}

/// Opens a file to the group and to no other user.
pub(super) fn set_group_and_mode(path: &Path, group: Option<u32>) -> std::io::Result<()> {
    chown(path, None, group)?;
    std::fs::set_permissions(path, Permissions::from_mode(location::FILE))
}

/// Creates an empty file that only the group shares. An existing file is an error, and an error
/// leaves no file.
pub(super) fn create_empty(path: &Path, group: Option<u32>) -> StoreResult<()> {
    let make = || -> std::io::Result<()> {
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let made = set_group_and_mode(path, group).and_then(|()| file.sync_all());
        if made.is_err() {
            // best effort: the error that matters is the first one
            let _ = std::fs::remove_file(path);
        }
        made
    };
    Ok(make().map_err(|error| FileError::io(path, error))?)
}

/// Returns whether an empty file next to the store exists, and gives it to the group. A file with
/// content belongs to a lost store: SQLite would read that content into this one.
fn adopt_empty_file(
    folder: &TrustedFolder,
    beside: &Path,
    group: Option<u32>,
) -> StoreResult<bool> {
    match folder.stat(beside.file_name().unwrap_or_default())? {
        None => Ok(false),
        Some(stat) if stat.st_size == 0 => {
            set_group_and_mode(beside, group).map_err(|error| FileError::io(beside, error))?;
            Ok(true)
        }
        Some(_) => Err(FileError::left_over(beside).into()),
    }
}
