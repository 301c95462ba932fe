//! Files that root reads, and that others may replace meanwhile: only what is certainly a regular
//! file is opened. Opening a device can do harm by itself, and opening a FIFO can wait without end.

use super::Reader;
use nix::fcntl::OFlag;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A regular file that is located and not yet opened: what is read is what was looked at.
pub(super) struct RegularFile {
    located: File,
    metadata: Metadata,
}

impl RegularFile {
    /// Locates a file, through links.
    pub(super) fn locate(path: &Path) -> io::Result<RegularFile> {
        let located = File::options()
            .read(true)
            .custom_flags(OFlag::O_PATH.bits())
            .open(path)?;
        let metadata = located.metadata()?;
        match metadata.is_file() {
            true => Ok(RegularFile { located, metadata }),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Whether its mode lets a user read it. Some files of the kernel, which a link of a user may
    /// name, lose what is read from them; only root can read those.
    pub(super) fn is_readable_by(&self, reader: &Reader) -> bool {
        let mode = self.metadata.mode();
        let bits = if reader.uid == 0 {
            return true;
        } else if self.metadata.uid() == reader.uid {
            mode >> 6
        } else if reader.gids.contains(&self.metadata.gid()) {
            mode >> 3
        } else {
            mode
        };
        bits & 0o4 != 0
    }

    /// Reads it as text, if it has at most `limit` bytes. Bytes that are not UTF-8 are replaced.
    pub(super) fn read(&self, limit: u64) -> io::Result<String> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits())
            .open(format!("/proc/self/fd/{}", self.located.as_raw_fd()))?;
        // enough for the whole file, so that a secret leaves no copy behind
        let size = self.metadata.len().min(limit) + 1;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let device = folder.path().join("device");
        symlink("/dev/zero", &device).unwrap();
        for path in [&fifo, &device, &folder.path().to_owned()] {
            assert!(RegularFile::locate(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn what_was_looked_at_is_read_although_it_was_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, "first").unwrap();
        let located = RegularFile::locate(&path).unwrap();
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert_eq!(located.read(100).unwrap(), "first");
    }

    #[test]
    fn a_large_file_is_an_error_and_no_beginning_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        fs::write(&path, "x".repeat(101)).unwrap();
        let located = RegularFile::locate(&path).unwrap();
        assert_eq!(
            located.read(100).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        assert_eq!(located.read(101).unwrap().len(), 101);
    }

    #[test]
    fn a_users_link_to_what_only_root_can_read_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "").unwrap();
        let gid = fs::metadata(&path).unwrap().gid();
        let located = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            RegularFile::locate(&path).unwrap()
        };
        let other = Reader {
            uid: 54_321,
            gids: vec![54_321],
        };
        let root = Reader {
            uid: 0,
            gids: vec![0],
        };
        assert!(located(0o600).is_readable_by(&root));
        let member = Reader {
            uid: 54_321,
            gids: vec![gid],
        };
        assert!(!located(0o640).is_readable_by(&other));
        assert!(located(0o644).is_readable_by(&other));
        assert!(located(0o640).is_readable_by(&member));
        assert!(!located(0o604).is_readable_by(&member));
    }
}
