//! Writing a file in one step, and what a cut-off leaves behind.

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

/// What happens to a file that stands in the new one's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced.
    Replace,
    /// Nothing is written.
    Refuse,
}

/// Writes a file in one step: whoever reads sees the old one or the new one, whole and on disk.
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

/// The same, in place of what is there, if `is_current` still holds at the last moment; it is asked once the new file
/// is on disk. Else an error that [`FileError::is_changed`].
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

/// A process with a limit on the size of files is ended by a signal where it writes beyond.
fn check_size_limit(length: usize) -> io::Result<()> {
    let (limit, _) = getrlimit(Resource::RLIMIT_FSIZE)?;
    match u64::try_from(length) {
        Ok(length) if length <= limit => Ok(()),
        _ => Err(Errno::EFBIG.into()),
    }
}

/// Removes what a [`write`] of this file left behind when it was cut off. The caller knows that none is at work.
pub fn remove_unfinished(path: &Path) -> Result<(), FileError> {
    remove_temporary_files(path, |_| true)
}

/// The same, where others may be at work: what processes left that have ended.
pub fn remove_abandoned(path: &Path) -> Result<(), FileError> {
    remove_temporary_files(path, |number| {
        let process = number.parse().map(Pid::from_raw);
        process.is_ok_and(|process| kill(process, None) == Err(Errno::ESRCH))
    })
}

/// `.NAME.PID.new`, and what an engine makes beside it: `.NAME.PID.new-wal`.
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

/// Makes a file's name durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
