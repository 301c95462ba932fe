//! Atomic writing of a file, and removal of what an interrupted write leaves.

use super::FileError;
use super::error::FileProblem;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

/// Whether an existing file is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Replace,
    Refuse,
}

/// Writes a file atomically: every reader sees the complete old or the complete new file. Both are
/// durable.
pub fn write_atomically(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    group: Option<u32>,
    existing: Existing,
) -> Result<(), FileError> {
    let flags = match existing {
        Existing::Replace => RenameFlags::empty(),
        Existing::Refuse => RenameFlags::RENAME_NOREPLACE,
    };
    write_and_rename(path, bytes, mode, group, flags, || Ok(()))
}

/// Like [`write_atomically`], if `is_current` still holds at the last moment. It is called once the
/// new file is durable. Otherwise returns an error with [`FileError::is_changed`].
pub fn replace_if(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    is_current: impl FnOnce() -> bool,
) -> Result<(), FileError> {
    write_and_rename(
        path,
        bytes,
        mode,
        None,
        RenameFlags::empty(),
        || match is_current() {
            true => Ok(()),
            false => Err(FileError::new(path, FileProblem::Changed)),
        },
    )
}

/// Gives a complete file its name, durably. `new` is in the same folder and is durable.
pub fn rename_durably(new: &Path, path: &Path, existing: Existing) -> Result<(), FileError> {
    let flags = match existing {
        Existing::Replace => RenameFlags::empty(),
        Existing::Refuse => RenameFlags::RENAME_NOREPLACE,
    };
    renameat2(AT_FDCWD, new, AT_FDCWD, path, flags)
        .map_err(io::Error::from)
        .and_then(|()| sync_folder(path))
        .map_err(|error| FileError::io(path, error))
}

fn write_and_rename(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    group: Option<u32>,
    flags: RenameFlags,
    before: impl FnOnce() -> Result<(), FileError>,
) -> Result<(), FileError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let fill = || -> io::Result<()> {
        check_size_limit(bytes.len())?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        fchown(&file, None, group)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    let written = fill()
        .map_err(|error| FileError::io(path, error))
        .and_then(|()| before())
        .and_then(|()| {
            let renamed = renameat2(AT_FDCWD, &new, AT_FDCWD, path, flags).map_err(io::Error::from);
            renamed
                .and_then(|()| sync_folder(path))
                .map_err(|error| FileError::io(path, error))
        });
    if written.is_err() {
        // best effort: the error that matters is the first one
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Refuses a write above RLIMIT_FSIZE. The kernel would end the process with a signal.
fn check_size_limit(length: usize) -> io::Result<()> {
    let (limit, _) = getrlimit(Resource::RLIMIT_FSIZE)?;
    match u64::try_from(length) {
        Ok(length) if length <= limit => Ok(()),
        _ => Err(Errno::EFBIG.into()),
    }
}

/// Removes the temporary files of interrupted writes of this file. The caller knows that no write
/// is in progress.
pub fn remove_unfinished(path: &Path) -> Result<(), FileError> {
    remove_temporary_files(path, |_| true)
}

/// Removes the temporary files of processes that have ended, since other writes may be in progress.
pub fn remove_abandoned(path: &Path) -> Result<(), FileError> {
    remove_temporary_files(path, |number| {
        let process = number.parse().map(Pid::from_raw);
        process.is_ok_and(|process| kill(process, None) == Err(Errno::ESRCH))
    })
}

/// Removes `.NAME.PID.new`, and what SQLite creates next to it, such as `.NAME.PID.new-wal`.
fn remove_temporary_files(path: &Path, is_left: impl Fn(&str) -> bool) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let io = |error| FileError::io(folder, error);
    let begins = format!(
        ".{}.",
        path.file_name().unwrap_or_default().to_string_lossy()
    );
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        let rest = name
            .to_str()
            .and_then(|name| name.strip_prefix(&begins)?.split_once(".new"));
        let Some((number, suffix)) = rest else {
            continue;
        };
        let is_new = number.bytes().all(|b| b.is_ascii_digit())
            && (suffix.is_empty() || suffix.starts_with('-') || suffix == ".toml");
        if is_new && is_left(number) {
            std::fs::remove_file(entry.path()).map_err(io)?;
        }
    }
    Ok(())
}

/// Makes a file's directory entry durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
