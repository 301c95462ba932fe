//! Error of reading, writing or trusting a file. The message says what to do about it.

use std::path::{Path, PathBuf};
use std::{fmt, io};

#[derive(Debug)]
pub struct FileError {
    path: PathBuf,
    problem: FileProblem,
}

#[derive(Debug)]
pub(super) enum FileProblem {
    Io(io::Error),
    Link,
    NotAFile,
    Owner(u32),
    Mode { is: u32, allowed: u32 },
    TooLarge(u64),
    OpenFolder { is: u32, allowed: u32 },
    LinkOwner(u32),
    Links,
    Planted,
    Missing,
    Changed,
    LeftOver,
}

impl FileError {
    pub(super) fn new(path: &Path, problem: FileProblem) -> FileError {
        FileError {
            path: path.to_owned(),
            problem,
        }
    }

    /// An error of the operating system on `path`.
    pub fn io(path: &Path, error: io::Error) -> FileError {
        // O_NOFOLLOW reports a link in this way
        let is_link = error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32);
        match is_link {
            true => FileError::link(path),
            false => FileError::new(path, FileProblem::Io(error)),
        }
    }

    /// A symbolic link where none is allowed.
    pub fn link(path: &Path) -> FileError {
        FileError::new(path, FileProblem::Link)
    }

    /// A folder, a device, or a file with several links.
    pub fn not_a_file(path: &Path) -> FileError {
        FileError::new(path, FileProblem::NotAFile)
    }

    /// A file that belongs to another user.
    pub fn owner(path: &Path, uid: u32) -> FileError {
        FileError::new(path, FileProblem::Owner(uid))
    }

    /// A file whose mode is too open.
    pub fn mode(path: &Path, is: u32, allowed: u32) -> FileError {
        FileError::new(path, FileProblem::Mode { is, allowed })
    }

    pub fn folder_mode(path: &Path, is: u32, allowed: u32) -> FileError {
        FileError::new(path, FileProblem::OpenFolder { is, allowed })
    }

    /// A file that Postern never creates.
    pub fn planted(path: &Path) -> FileError {
        FileError::new(path, FileProblem::Planted)
    }

    /// A file that only root can create again.
    pub fn missing(path: &Path) -> FileError {
        FileError::new(path, FileProblem::Missing)
    }

    /// A file of another store that no longer exists.
    pub fn left_over(path: &Path) -> FileError {
        FileError::new(path, FileProblem::LeftOver)
    }

    /// Replaces the allowed mode in the error of a folder at `path` whose mode is too open.
    pub fn with_folder_mode(self, path: &Path, allowed: u32) -> FileError {
        match self.problem {
            FileProblem::OpenFolder { is, .. } if self.path == path => {
                FileError::folder_mode(path, is, allowed)
            }
            _ => self,
        }
    }

    /// Returns whether the file is a symbolic link where none is allowed.
    pub(super) fn is_link(&self) -> bool {
        matches!(self.problem, FileProblem::Link)
    }

    /// Returns whether another process changed the file in the meantime.
    pub fn is_changed(&self) -> bool {
        matches!(self.problem, FileProblem::Changed)
    }

    /// Returns whether the file does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(&self.problem, FileProblem::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.problem {
            FileProblem::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "{error}; only root may")
            }
            FileProblem::Io(error) if out_of_files(error) => {
                let remedy = "raise the limit of open files (ulimit -n, LimitNOFILE=)";
                write!(f, "{error}; {remedy}")
            }
            FileProblem::Io(error) => write!(f, "{error}"),
            FileProblem::Link => f.write_str("is a symbolic link; replace it with the file itself"),
            FileProblem::NotAFile => f.write_str("is not a regular file"),
            FileProblem::Owner(uid) => write!(f, "belongs to uid {uid}; chown it to root"),
            FileProblem::Mode { is, allowed } => {
                write!(f, "has mode {is:04o}, too open; chmod it to {allowed:04o}")
            }
            FileProblem::OpenFolder { is, allowed } => write!(
                f,
                "the folder has mode {is:04o}, too open; chmod it to {allowed:04o}"
            ),
            FileProblem::LinkOwner(uid) => write!(
                f,
                "the symbolic link belongs to uid {uid}; chown --no-dereference it to root"
            ),
            FileProblem::Links => f.write_str("too many symbolic links, one after the other"),
            FileProblem::Planted => {
                f.write_str("unexpected file; find out who created it, then remove it")
            }
            FileProblem::Missing => {
                f.write_str("is missing; run postern status as root, which makes it")
            }
            FileProblem::LeftOver => {
                f.write_str("belongs to another store; restore that store, or move this file away")
            }
            FileProblem::Changed => f.write_str("was changed by someone else in the meantime"),
            FileProblem::TooLarge(largest) => write!(f, "is larger than {largest} bytes"),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            FileProblem::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Returns whether this process or the whole system has no file descriptor left.
fn out_of_files(error: &io::Error) -> bool {
    use nix::errno::Errno;
    [Errno::EMFILE, Errno::ENFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32))
}
