//! Folder and files of the embedded store. Only root creates or removes files in the folder; the
//! group may write the three files in it.
//!
//! MUST NOT let the group write the folder: it could plant files that SQLite, run by root, would
//! obey.

use crate::system::trusted_file::{FileError, TrustedFolder};
use nix::sys::stat::{FileStat, SFlag};
use nix::unistd::geteuid;
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Mode of the folder.
const FOLDER: u32 = 0o750;
/// Mode of each file.
pub(crate) const FILE: u32 = 0o660;
/// Suffixes of the files that SQLite needs next to the store in WAL mode.
pub(crate) const BESIDE: [&str; 2] = ["-wal", "-shm"];

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Checks the folder and the store's files. Returns the path with every link above the file
/// resolved.
pub(crate) fn check_trusted(path: &Path) -> Result<PathBuf, FileError> {
    let folder = open(path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().unwrap_or_default();
    let path = folder.path().join(name);
    match folder.stat(name)? {
        Some(stat) => check(&path, &stat)?,
        None => return Err(FileError::io(&path, std::io::ErrorKind::NotFound.into())),
    }
    // A store in WAL mode never has a journal, and SQLite would obey one, even to the removal of
    // files that it names. Only root can create one here, unless the folder was open to others
    // before.
    let journal = with_suffix(&path, "-journal");
    if folder
        .stat(journal.file_name().unwrap_or_default())?
        .is_some()
    {
        return Err(FileError::planted(&journal));
    }
    for suffix in BESIDE {
        let beside = with_suffix(&path, suffix);
        match folder.stat(beside.file_name().unwrap_or_default())? {
            Some(stat) => check(&beside, &stat)?,
            // SQLite creates it, with the store's owner, group and mode
            None if folder.owner() == geteuid().as_raw() => {}
            None => return Err(FileError::missing(&beside)),
        }
    }
    Ok(path)
}

/// Creates the folder for root and the group that shares the store, if it is missing.
pub(crate) fn prepare_folder(
    folder: &Path,
    group: Option<u32>,
) -> Result<TrustedFolder, FileError> {
    let io = |error| FileError::io(folder, error);
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {
            chown(folder, None, group).map_err(io)?;
            std::fs::set_permissions(folder, Permissions::from_mode(FOLDER)).map_err(io)?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            adopt_empty_volume(folder, group)?
        }
        Err(error) => return Err(io(error)),
    }
    open(folder)
}

/// Sets group and mode of an empty file system that is mounted as the store's folder: a new volume
/// has an arbitrary mode.
fn adopt_empty_volume(folder: &Path, group: Option<u32>) -> Result<(), FileError> {
    let io = |error| FileError::io(folder, error);
    let metadata = folder.symlink_metadata().map_err(io)?;
    let above = folder
        .parent()
        .unwrap_or(Path::new("/"))
        .metadata()
        .map_err(io)?;
    let is_ours =
        metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o022 == 0;
    if !is_ours || metadata.dev() == above.dev() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(io)? {
        // mkfs creates this folder
        if entry.map_err(io)?.file_name() != "lost+found" {
            return Ok(());
        }
    }
    chown(folder, None, group).map_err(io)?;
    std::fs::set_permissions(folder, Permissions::from_mode(FOLDER)).map_err(io)
}

/// Opens the folder. MUST NOT change owner or mode of an existing folder, such as /tmp.
fn open(folder: &Path) -> Result<TrustedFolder, FileError> {
    let opened =
        TrustedFolder::open(folder).map_err(|error| error.with_folder_mode(folder, FOLDER))?;
    match opened.mode() & !FOLDER & 0o777 {
        0 => Ok(opened),
        _ => Err(FileError::folder_mode(opened.path(), opened.mode(), FOLDER)),
    }
}

/// Checks a regular file with one link that belongs to root or the current user and is closed to
/// everyone except its group.
fn check(path: &Path, stat: &FileStat) -> Result<(), FileError> {
    let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
    if kind == SFlag::S_IFLNK {
        return Err(FileError::link(path));
    }
    if kind != SFlag::S_IFREG || stat.st_nlink > 1 {
        return Err(FileError::not_a_file(path));
    }
    if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
        return Err(FileError::owner(path, stat.st_uid));
    }
    if stat.st_mode & 0o007 != 0 {
        return Err(FileError::mode(path, stat.st_mode & 0o7777, FILE));
    }
    Ok(())
}
