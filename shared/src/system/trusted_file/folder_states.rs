//! State of the folders above a file when the path was walked. Code that caches a file compares it
//! before each use: once another user could write a folder, nothing below it is trusted.
//!
//! MUST NOT compare only folders if the path has a link: then the path is walked again.

use super::{FileError, resolve_path};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// State of every folder above a file, and the target of the path.
#[derive(Debug, PartialEq, Eq)]
pub struct FolderStates {
    states: Vec<FolderState>,
    /// `None` if no link is on the path.
    leads_to: Option<PathBuf>,
}

/// Device, inode, mode, owner and group. The modification time is left out, since entries of a
/// folder come and go.
type FolderState = [u64; 5];

impl FolderStates {
    /// Reads the current state. MUST be called before the file is read by
    /// [`read_trusted`](super::read_trusted).
    ///
    /// # Errors
    /// A folder cannot be read, or a path with a link is not trusted.
    pub fn capture(path: &Path) -> Result<FolderStates, FileError> {
        let mut has_link = false;
        let state = |folder: &Path| {
            let found = folder
                .symlink_metadata()
                .map_err(|error| FileError::io(folder, error))?;
            has_link |= !found.is_dir();
            Ok(state_of(&found))
        };
        let states = path
            .ancestors()
            .skip(1)
            .map(state)
            .collect::<Result<_, FileError>>()?;
        let leads_to = if has_link {
            Some(resolve_path(path)?)
        } else {
            None
        };
        Ok(FolderStates { states, leads_to })
    }
}

fn state_of(found: &Metadata) -> FolderState {
    [
        found.dev(),
        found.ino(),
        found.mode().into(),
        found.uid().into(),
        found.gid().into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_that_is_opened_to_others_is_another_one_until_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("above/inner");
        fs::create_dir_all(&inner).unwrap();
        let path = inner.join("file");
        let before = FolderStates::capture(&path).unwrap();
        for changed in [&inner, &folder.path().join("above")] {
            mode(changed, 0o777);
            assert_ne!(FolderStates::capture(&path).unwrap(), before);
            mode(changed, 0o755);
            assert_eq!(FolderStates::capture(&path).unwrap(), before);
        }
        fs::write(inner.join("another"), "").unwrap();
        assert_eq!(
            FolderStates::capture(&path).unwrap(),
            before,
            "names come and go"
        );
        fs::rename(&inner, folder.path().join("moved")).unwrap();
        fs::create_dir(&inner).unwrap();
        assert_ne!(FolderStates::capture(&path).unwrap(), before);
    }

    /// The folders of a link's target are not above the file.
    #[test]
    fn a_way_with_a_link_is_walked_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("over/real")).unwrap();
        symlink("over/real", at("link")).unwrap();
        let path = at("link/file");
        let before = FolderStates::capture(&path).unwrap();
        assert_eq!(FolderStates::capture(&path).unwrap(), before);
        mode(&at("over"), 0o777);
        let doubt = FolderStates::capture(&path).unwrap_err().to_string();
        assert!(
            doubt.contains("the folder has mode 0777, too open"),
            "{doubt}"
        );
        mode(&at("over"), 0o755);
        assert_eq!(FolderStates::capture(&path).unwrap(), before);
    }
}
