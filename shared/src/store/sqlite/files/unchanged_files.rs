//! State of the store's files when they were checked. A daemon that keeps the store open compares
//! them before each act, which is cheaper than a new walk to each file.
//!
//! MUST treat files as checked only if every file, and every folder above, is the one that was
//! checked, with the same owner and mode.

use super::location::{BESIDE, check_trusted, with_suffix};
use crate::config::StoreUrl;
use crate::system::trusted_file::FileError;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// State of the store, of the files next to it, and of every folder above. A store in PostgreSQL has
/// none.
pub struct UnchangedFiles {
    path: PathBuf,
    /// Whether no link is on the path. A path with a link is walked each time.
    is_plain: bool,
    /// States of all paths, that of the store first.
    states: Vec<(PathBuf, Option<StoreFileState>)>,
}

/// Device, inode, mode, owner, group and, for a file, the number of links. `None` for a file that
/// must not exist.
type StoreFileState = [u64; 6];

impl UnchangedFiles {
    /// Checks owners, modes and links, as at opening.
    ///
    /// # Errors
    /// Names the file or folder that is not trusted.
    pub fn check(url: &StoreUrl) -> Result<UnchangedFiles, FileError> {
        let Some(path) = url.sqlite_path() else {
            return Ok(UnchangedFiles {
                path: PathBuf::new(),
                is_plain: true,
                states: Vec::new(),
            });
        };
        // read first: a change between this and the check is detected later
        let states = states(path);
        let resolved = check_trusted(path)?;
        let is_plain = resolved == path;
        Ok(UnchangedFiles {
            path: path.to_owned(),
            is_plain,
            states: match is_plain {
                true => states,
                false => self::states(&resolved),
            },
        })
    }

    /// Returns the length of the store in bytes, if all files are still those that were checked.
    pub fn length_if_unchanged(&self) -> Option<u64> {
        if !self.is_plain && check_trusted(&self.path).is_err() {
            return None;
        }
        if self.states.is_empty() {
            return Some(0);
        }
        let mut length = None;
        for (path, state) in &self.states {
            let metadata = path.symlink_metadata().ok();
            if metadata.as_ref().map(state_of) != *state {
                return None;
            }
            // the first state is the store's
            length = length.or(metadata.map(|metadata| metadata.len()));
        }
        length
    }
}

fn states(path: &Path) -> Vec<(PathBuf, Option<StoreFileState>)> {
    let beside = BESIDE
        .into_iter()
        .chain(["-journal"])
        .map(|suffix| with_suffix(path, suffix));
    let all = std::iter::once(path.to_owned()).chain(beside);
    let all = all.chain(path.ancestors().skip(1).map(Path::to_owned));
    all.map(|path| {
        let state = path.symlink_metadata().ok().as_ref().map(state_of);
        (path, state)
    })
    .collect()
}

fn state_of(metadata: &Metadata) -> StoreFileState {
    // the number of a folder's links changes with its subfolders
    let names = u64::from(metadata.is_file()) * metadata.nlink();
    let (mode, uid, gid) = (metadata.mode(), metadata.uid(), metadata.gid());
    [
        metadata.dev(),
        metadata.ino(),
        mode.into(),
        uid.into(),
        gid.into(),
        names,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct TestFolder(tempfile::TempDir);

    impl TestFolder {
        fn new() -> TestFolder {
            let folder = tempfile::tempdir().unwrap();
            let store = folder.path().join("above/store");
            fs::create_dir_all(&store).unwrap();
            fs::set_permissions(&store, Permissions::from_mode(0o750)).unwrap();
            let folder = TestFolder(folder);
            for name in ["postern.db", "postern.db-wal", "postern.db-shm"] {
                folder.write(name);
            }
            folder
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0
                .path()
                .canonicalize()
                .unwrap()
                .join("above/store")
                .join(name)
        }

        fn write(&self, name: &str) {
            fs::write(self.at(name), "12345").unwrap();
            fs::set_permissions(self.at(name), Permissions::from_mode(0o660)).unwrap();
        }

        fn checked(&self, path: &Path) -> UnchangedFiles {
            let url = format!("sqlite:{}", path.display());
            UnchangedFiles::check(&StoreUrl::try_from(url).unwrap()).unwrap()
        }
    }

    #[test]
    fn files_are_unchanged_when_only_their_length_changes() {
        let folder = TestFolder::new();
        let checked = folder.checked(&folder.at("postern.db"));
        assert!(checked.is_plain);
        assert_eq!(checked.length_if_unchanged(), Some(5));
        fs::write(folder.at("postern.db"), "1234567").unwrap();
        fs::write(folder.at("postern.db-wal"), "1").unwrap();
        assert_eq!(checked.length_if_unchanged(), Some(7));
    }

    #[test]
    fn a_replaced_opened_or_added_file_is_detected() {
        type Change = fn(&TestFolder);
        let changes: [(&str, Change); 7] = [
            ("another file", |folder| {
                fs::copy(folder.at("postern.db"), folder.at("new")).unwrap();
                fs::set_permissions(folder.at("new"), Permissions::from_mode(0o660)).unwrap();
                fs::rename(folder.at("new"), folder.at("postern.db")).unwrap();
            }),
            ("a mode", |folder| {
                fs::set_permissions(folder.at("postern.db-wal"), Permissions::from_mode(0o666))
                    .unwrap();
            }),
            ("a folder's mode", |folder| {
                fs::set_permissions(folder.at("").join(".."), Permissions::from_mode(0o777))
                    .unwrap();
            }),
            ("a second name", |folder| {
                fs::hard_link(folder.at("postern.db"), folder.at("second")).unwrap();
            }),
            ("a journal", |folder| folder.write("postern.db-journal")),
            ("a file that is gone", |folder| {
                fs::remove_file(folder.at("postern.db-shm")).unwrap()
            }),
            ("another folder", |folder| {
                let store = folder.at("").components().as_path().to_owned();
                fs::rename(&store, store.with_file_name("moved")).unwrap();
                symlink("moved", &store).unwrap();
            }),
        ];
        for (what, change) in changes {
            let folder = TestFolder::new();
            let checked = folder.checked(&folder.at("postern.db"));
            assert!(checked.length_if_unchanged().is_some(), "{what}");
            change(&folder);
            assert_eq!(checked.length_if_unchanged(), None, "{what}");
        }
    }

    #[test]
    fn a_link_on_the_way_is_walked_each_time() {
        let folder = TestFolder::new();
        let link = folder.0.path().canonicalize().unwrap().join("link");
        symlink("above", &link).unwrap();
        let checked = folder.checked(&link.join("store/postern.db"));
        assert!(!checked.is_plain);
        assert_eq!(checked.length_if_unchanged(), Some(5));
        fs::remove_file(&link).unwrap();
        assert_eq!(checked.length_if_unchanged(), None);
    }
}
