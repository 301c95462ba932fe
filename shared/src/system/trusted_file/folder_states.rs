//! The folders on the way to a file, as they were when the way was walked: whoever keeps what a file held compares them
//! before each use, since a folder that was opened to others afterwards is a doubt about all that lies below it.
//!
//! MUST NOT take a way with a link in it for the same by its folders alone: it is walked anew.

use super::{FileError, resolve_path};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Every folder above a file, and where the way leads.
#[derive(Debug, PartialEq, Eq)]
pub struct FolderStates {
    states: Vec<FolderState>,
    /// None where no link is on the way.
    leads_to: Option<PathBuf>,
}

/// Device, number, mode, owner and group. The time of a change is left out: names in a folder come and go.
type FolderState = [u64; 5];

impl FolderStates {
    /// As they are now. MUST be taken before the file is read, and the file be read by a walk.
    ///
    /// # Errors
    /// Those of looking at a folder; where there is a link, also those of a way that cannot be trusted.
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

    /// What a link leads over is no folder above the file.
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
