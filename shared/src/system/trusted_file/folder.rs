//! A trusted folder, which is checked once, however many files are read in it.

use super::{FileError, Follow, Privacy, read_in_folder, read_trusted, walk};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, fstatat};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A folder of root or the current user that no other user can write.
pub struct TrustedFolder {
    open: OwnedFd,
    stat: FileStat,
    path: PathBuf,
    requested_path: PathBuf,
}

impl TrustedFolder {
    /// Opens a folder. Links on the path are followed if they are trusted.
    pub fn open(path: &Path) -> Result<TrustedFolder, FileError> {
        let (open, stat, real) = walk::walk_to_folder(path)?;
        Ok(TrustedFolder {
            open,
            stat,
            path: real,
            requested_path: path.to_owned(),
        })
    }

    /// Returns the path, in which no part is a link.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Mode without the file type.
    pub fn mode(&self) -> u32 {
        self.stat.st_mode & 0o7777
    }

    pub fn owner(&self) -> u32 {
        self.stat.st_uid
    }

    pub fn group(&self) -> u32 {
        self.stat.st_gid
    }

    /// Returns the metadata of an entry, without following links, or `None` if it does not exist.
    pub fn stat(&self, name: &OsStr) -> Result<Option<FileStat>, FileError> {
        match fstatat(&self.open, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(FileError::io(&self.path.join(name), errno.into())),
        }
    }

    /// Returns the sorted names that end in `extension`.
    pub fn file_names(&self, extension: &str) -> Result<Vec<PathBuf>, FileError> {
        let io = |errno: Errno| FileError::io(&self.requested_path, errno.into());
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut open = Dir::openat(&self.open, ".", flags, Mode::empty()).map_err(io)?;
        let mut names = Vec::new();
        for entry in open.iter() {
            let entry = entry.map_err(io)?;
            let name = PathBuf::from(OsStr::from_bytes(entry.file_name().to_bytes()));
            if name.extension().is_some_and(|found| found == extension) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads a trusted file in the folder, of at most `largest` bytes. A link is followed if it is
    /// trusted.
    pub fn read_file(
        &self,
        name: &Path,
        privacy: Privacy,
        largest: u64,
    ) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let path = self.requested_path.join(name);
        match read_in_folder(&self.open, name, &path, privacy, largest) {
            Err(error) if error.is_link() => read_trusted(&path, privacy, Follow::Yes, largest),
            read => read,
        }
    }
}
