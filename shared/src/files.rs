//! Files that must be trusted: opened without following a link, checked by what was opened, not by name.
//! A file is trusted when root, or the user who runs this, owns it and nobody else can write it.

use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, renameat2};
use nix::unistd::geteuid;
use std::fmt;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Everyone.
    Public,
    /// Owner and group only.
    Secret,
}

/// Whether a symbolic link at the end of the path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Yes, for files that tools such as Nix provide as links; what it leads to is checked.
    Yes,
    /// No.
    No,
}

/// Reads a trusted file of at most `largest` bytes.
pub fn read(
    path: &Path,
    privacy: Privacy,
    follow: Follow,
    largest: u64,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let no_follow = if follow == Follow::No { OFlag::O_NOFOLLOW } else { OFlag::empty() };
    // NONBLOCK, so that a FIFO in the file's place cannot hang a login.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((no_follow | OFlag::O_NONBLOCK).bits())
        .open(path)
        .map_err(|error| FileError::io(path, error))?;
    let metadata = file.metadata().map_err(|error| FileError::io(path, error))?;
    trust(path, &metadata, privacy)?;
    trust_folder(path.parent().unwrap_or(Path::new("/")))?;
    if metadata.len() > largest {
        return Err(FileError::new(path, Problem::TooLarge(largest)));
    }
    read_bounded(&file, largest).map_err(|error| FileError::io(path, error))
}

fn read_bounded(file: &File, largest: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(largest.min(64 * 1024)).unwrap_or(0)));
    file.take(largest).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Checks what was opened: a plain file, of root or of the user who runs this, that nobody else can write and,
/// if secret, that not everyone can read.
pub fn trust(path: &Path, metadata: &Metadata, privacy: Privacy) -> Result<(), FileError> {
    let forbidden = match privacy {
        Privacy::Public => 0o022,
        Privacy::Secret => 0o027,
    };
    let problem = if metadata.file_type().is_symlink() {
        Problem::Link
    } else if !metadata.is_file() {
        Problem::NotAFile
    } else if metadata.uid() != 0 && metadata.uid() != geteuid().as_raw() {
        Problem::Owner(metadata.uid())
    } else if metadata.mode() & forbidden != 0 {
        Problem::Mode { is: metadata.mode() & 0o7777, allowed: 0o644 & !forbidden | 0o600 }
    } else {
        return Ok(());
    };
    Err(FileError::new(path, problem))
}

/// Checks a folder: of root or of the user who runs this, and nobody else can exchange what lies in it.
pub fn trust_folder(folder: &Path) -> Result<(), FileError> {
    let metadata = folder.metadata().map_err(|error| FileError::io(folder, error))?;
    if metadata.uid() != 0 && metadata.uid() != geteuid().as_raw() {
        return Err(FileError::owner(folder, metadata.uid()));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(FileError::new(folder, Problem::OpenFolder(metadata.mode() & 0o7777)));
    }
    Ok(())
}

/// What happens to a file that stands in the new one's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced.
    Replace,
    /// Nothing is written.
    Refuse,
}

/// Writes a file in one step: whoever reads sees the old one or the new one, whole and on disk.
pub fn write(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    group: Option<u32>,
    existing: Existing,
) -> Result<(), FileError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let flags = match existing {
        Existing::Replace => RenameFlags::empty(),
        Existing::Refuse => RenameFlags::RENAME_NOREPLACE,
    };
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        fchown(&file, None, group)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        renameat2(AT_FDCWD, &new, AT_FDCWD, path, flags)?;
        sync_folder(path)
    };
    write().map_err(|error| {
        // best effort: the error that matters is the first one
        let _ = std::fs::remove_file(&new);
        FileError::io(path, error)
    })
}

/// Removes what a [`write`] of this file left behind when it was cut off. The caller knows that none is at work.
pub fn remove_unfinished(path: &Path) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let io = |error| FileError::io(folder, error);
    let begins = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&begins)?.strip_suffix(".new"));
        if number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())) {
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

/// Why a file cannot be read or may not be trusted, with what to do about it.
#[derive(Debug)]
pub struct FileError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Io(io::Error),
    Link,
    NotAFile,
    Owner(u32),
    Mode { is: u32, allowed: u32 },
    TooLarge(u64),
    Planted,
    OpenFolder(u32),
}

impl FileError {
    fn new(path: &Path, problem: Problem) -> FileError {
        FileError { path: path.to_owned(), problem }
    }

    /// An error of the system on `path`.
    pub fn io(path: &Path, error: io::Error) -> FileError {
        // what O_NOFOLLOW answers to a link
        let is_link = error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32);
        FileError::new(path, if is_link { Problem::Link } else { Problem::Io(error) })
    }

    /// A symbolic link where none may be.
    pub fn link(path: &Path) -> FileError {
        FileError::new(path, Problem::Link)
    }

    /// A folder, a device, or a file with a second name.
    pub fn not_a_file(path: &Path) -> FileError {
        FileError::new(path, Problem::NotAFile)
    }

    /// A file of somebody else's.
    pub fn owner(path: &Path, uid: u32) -> FileError {
        FileError::new(path, Problem::Owner(uid))
    }

    /// A file that is too open.
    pub fn mode(path: &Path, is: u32, allowed: u32) -> FileError {
        FileError::new(path, Problem::Mode { is, allowed })
    }

    /// A file that we never make.
    pub fn planted(path: &Path) -> FileError {
        FileError::new(path, Problem::Planted)
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(&self.problem, Problem::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "{path}: {error}; only root may")
            }
            Problem::Io(error) => write!(f, "{path}: {error}"),
            Problem::Link => write!(f, "{path}: is a symbolic link; put the file itself there"),
            Problem::NotAFile => write!(f, "{path}: is not a plain file"),
            Problem::Owner(uid) => write!(f, "{path}: belongs to uid {uid}; chown it to root"),
            Problem::Mode { is, allowed } => {
                write!(f, "{path}: has mode {is:04o}, too open; chmod it to {allowed:04o}")
            }
            Problem::Planted => write!(
                f,
                "{path}: does not belong there, whoever can write the folder put it there; look into it, then remove it"
            ),
            Problem::OpenFolder(mode) => {
                write!(f, "{path}: the folder has mode {mode:04o}, too open; chmod it to 0755")
            }
            Problem::TooLarge(largest) => write!(f, "{path}: is larger than {largest} bytes"),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn refusal(path: &Path, privacy: Privacy) -> String {
        read(path, privacy, Follow::No, 10).unwrap_err().to_string()
    }

    #[test]
    fn files_that_others_could_have_made_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(refusal(&path, Privacy::Public).contains("No such file"));

        fs::write(&path, "12345").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(*read(&path, Privacy::Public, Follow::No, 10).unwrap(), b"12345");
        assert!(refusal(&path, Privacy::Secret).contains("has mode 0644, too open; chmod it to 0640"));
        fs::set_permissions(&path, PermissionsExt::from_mode(0o664)).unwrap();
        assert!(refusal(&path, Privacy::Public).contains("has mode 0664, too open; chmod it to 0644"));

        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(refusal(&link, Privacy::Public).contains("is a symbolic link"));
        assert!(refusal(folder.path(), Privacy::Public).contains("is not a plain file"));
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        fs::write(&path, "12345678901").unwrap();
        assert!(refusal(&path, Privacy::Secret).contains("is larger than 10 bytes"));
    }

    #[test]
    fn a_folder_that_others_can_write_is_no_place_for_trust() {
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
        write(&path, b"one", 0o640, None, Existing::Refuse).unwrap();
        assert!(write(&path, b"none", 0o640, None, Existing::Refuse).is_err());
        write(&path, b"two", 0o600, None, Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
