//! Version in the file header of a store, read without SQLite (SQLite file format, section 1.3).

use super::location;
use crate::system::trusted_file::FileError;
use nix::fcntl::OFlag;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// First bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Offsets of `user_version` and `application_id`: four bytes each, big-endian.
const USER_VERSION: usize = 60;
const APPLICATION_ID: usize = 68;

/// Returns whether the header names this application and version. A store may have the version
/// although the header does not name it yet: the last commits may be in the WAL only.
pub(crate) fn has_version(path: &Path, application: i64, version: i64) -> Result<bool, FileError> {
    let path = location::check_trusted(path)?;
    let io = |error| FileError::io(&path, error);
    let mut options = File::options();
    let opened = options
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(&path);
    let mut header = Vec::new();
    opened
        .and_then(|file| file.take(100).read_to_end(&mut header))
        .map_err(io)?;
    let number = |at: usize| {
        let bytes = header
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| i64::from(i32::from_be_bytes(bytes)))
    };
    let is_store = header.starts_with(MAGIC) && number(APPLICATION_ID) == Some(application);
    Ok(is_store && number(USER_VERSION) == Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{APPLICATION, VERSION, new_store};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_header_says_which_version_a_store_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store/postern.db");
        new_store(&folder);
        assert!(has_version(&path, APPLICATION, VERSION).unwrap());
        assert!(!has_version(&path, APPLICATION, VERSION + 1).unwrap());

        let of_version_3 =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/version-3/postern.db");
        for (bytes, what) in [
            (fs::read(of_version_3).unwrap(), "an older one"),
            (Vec::new(), "empty"),
            (vec![b'S'; 200], "none"),
        ] {
            fs::write(&path, bytes).unwrap();
            assert!(!has_version(&path, APPLICATION, VERSION).unwrap(), "{what}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(has_version(&path, APPLICATION, VERSION).is_err());
    }
}
