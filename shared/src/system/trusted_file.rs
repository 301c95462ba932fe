//! Reading and writing of trusted files. A file is trusted if it belongs to root or the current
//! user and no other user can write or replace it. Each folder and link of the path is opened from
//! the folder above and checked.
//!
//! MUST check what was opened, not a name. MUST NOT resolve a path twice: another user could
//! replace a part of it in between.

mod error;
mod folder;
mod folder_states;
mod walk;
mod write;

pub use error::FileError;
pub use folder::TrustedFolder;
pub use folder_states::FolderStates;
pub use write::{
    Existing, remove_abandoned, remove_unfinished, rename_durably, replace_if, sync_folder,
    write_atomically,
};

use error::FileProblem;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;
/// Users who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    Public,
    Secret,
}

/// Whether a symbolic link at the end of the path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// For files that NixOS, stow and the like provide as links. Link, target and every folder
    /// above must be as trusted as the file.
    Yes,
    No,
}

/// Reads a trusted file of at most `largest` bytes.
pub fn read_trusted(
    path: &Path,
    privacy: Privacy,
    follow: Follow,
    largest: u64,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let position = walk::walk_to_file(path, follow)?;
    read_in_folder(&position.folder, &position.name, path, privacy, largest)
}

/// Reads a file in a folder that was checked. A symbolic link is refused.
fn read_in_folder(
    folder: impl AsFd,
    name: &Path,
    path: &Path,
    privacy: Privacy,
    largest: u64,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    // O_NONBLOCK: a FIFO in place of the file cannot block a login.
    let flags = OFlag::O_RDONLY
        | OFlag::O_NOFOLLOW
        | OFlag::O_NONBLOCK
        | OFlag::O_NOCTTY
        | OFlag::O_CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty())
        .map_err(|errno| FileError::io(path, errno.into()))?;
    let file = File::from(file);
    let metadata = file
        .metadata()
        .map_err(|error| FileError::io(path, error))?;
    check_metadata(path, &metadata, privacy)?;
    if metadata.len() > largest {
        return Err(FileError::new(path, FileProblem::TooLarge(largest)));
    }
    read_bounded(&file, largest).map_err(|error| FileError::io(path, error))
}

fn read_bounded(file: &File, largest: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(largest.min(64 * 1024)).unwrap_or(0),
    ));
    file.take(largest).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Checks an opened file: a regular file of root or the current user that no other user can write
/// and, if it is secret, that only owner and group can read.
fn check_metadata(path: &Path, metadata: &Metadata, privacy: Privacy) -> Result<(), FileError> {
    let forbidden = match privacy {
        Privacy::Public => 0o022,
        Privacy::Secret => 0o027,
    };
    let problem = if metadata.file_type().is_symlink() {
        FileProblem::Link
    } else if !metadata.is_file() {
        FileProblem::NotAFile
    } else if !is_ours(metadata.uid()) {
        FileProblem::Owner(metadata.uid())
    } else if metadata.mode() & forbidden != 0 {
        FileProblem::Mode {
            is: metadata.mode() & 0o7777,
            allowed: 0o644 & !forbidden | 0o600,
        }
    } else {
        return Ok(());
    };
    Err(FileError::new(path, problem))
}

/// Resolves the links of a path, if it is trusted. The file itself need not exist.
pub fn resolve_path(path: &Path) -> Result<PathBuf, FileError> {
    Ok(walk::walk_to_file(path, Follow::Yes)?.path)
}

/// Returns whether root or the current user is the owner.
fn is_ours(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn refusal(path: &Path, privacy: Privacy) -> String {
        read_trusted(path, privacy, Follow::No, 10)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn files_that_others_could_have_written_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(refusal(&path, Privacy::Public).contains("No such file"));

        fs::write(&path, "12345").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(
            *read_trusted(&path, Privacy::Public, Follow::No, 10).unwrap(),
            b"12345"
        );
        assert!(
            refusal(&path, Privacy::Secret).contains("has mode 0644, too open; chmod it to 0640")
        );
        fs::set_permissions(&path, PermissionsExt::from_mode(0o664)).unwrap();
        assert!(
            refusal(&path, Privacy::Public).contains("has mode 0664, too open; chmod it to 0644")
        );

        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(refusal(&link, Privacy::Public).contains("is a symbolic link"));
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        assert!(refusal(&inner, Privacy::Public).contains("is not a regular file"));
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        fs::write(&path, "12345678901").unwrap();
        assert!(refusal(&path, Privacy::Secret).contains("is larger than 10 bytes"));
    }

    #[test]
    fn a_file_in_a_folder_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1").unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        assert!(refusal(&path, Privacy::Public).contains("the folder has mode 0777, too open"));
    }

    #[test]
    fn replacing_leaves_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, b"one", 0o640, None, Existing::Refuse).unwrap();
        assert!(write_atomically(&path, b"none", 0o640, None, Existing::Refuse).is_err());
        write_atomically(&path, b"two", 0o600, None, Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
