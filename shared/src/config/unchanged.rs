//! The configuration that this process has read last, for as long as no file that it came from has changed: the lines of a
//! PAM stack ask for it one after the other, in one process.
//!
//! MUST NOT hold one while a folder above it is another, or has another mode: what is below it is in doubt then.
//! MUST NOT hold one that a change within the resolution of time stamps could have followed unseen.

use super::Config;
use crate::system::clock;
use crate::system::trusted_file::{self, FileError, FolderStates};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Seconds for which a file must have been left alone.
const SETTLED: i64 = 2;

static RECENT: Mutex<Option<RecentConfig>> = Mutex::new(None);

struct RecentConfig {
    path: PathBuf,
    files: ConfigFiles,
    config: Config,
}

/// Every file of a configuration, its copy and the folder of accounts.d, as the file system tells one state from another;
/// and the folders above them.
#[derive(PartialEq, Eq)]
pub(super) struct ConfigFiles {
    files: Vec<(PathBuf, ConfigFileState)>,
    above: FolderStates,
}

/// Device, number, length, mode and owner, last change and last write in seconds and nanoseconds.
type ConfigFileState = [i128; 9];

impl ConfigFiles {
    /// As they are now. MUST be taken before they are read.
    ///
    /// # Errors
    /// Those of looking at a file, and of a link that leads over what cannot be trusted.
    pub(super) fn of(path: &Path, copy: PathBuf) -> Result<ConfigFiles, FileError> {
        let above = FolderStates::capture(path)?;
        let mut found = Vec::new();
        let mut add = |path: PathBuf| -> Result<(), FileError> {
            let io = |error| FileError::io(&path, error);
            let mut metadata = path.symlink_metadata().map_err(io)?;
            if metadata.is_symlink() {
                // what it leads over is none of the folders above
                metadata = trusted_file::resolve_path(&path)?.metadata().map_err(io)?;
            }
            let state = [
                metadata.dev().into(),
                metadata.ino().into(),
                metadata.len().into(),
                metadata.mode().into(),
                metadata.uid().into(),
                metadata.ctime().into(),
                metadata.ctime_nsec().into(),
                metadata.mtime().into(),
                metadata.mtime_nsec().into(),
            ];
            found.push((path, state));
            Ok(())
        };
        add(path.to_owned())?;
        add(copy)?;
        let folder = path.with_file_name("accounts.d");
        match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            entries => {
                let io = |error| FileError::io(&folder, error);
                for entry in entries.map_err(io)? {
                    add(entry.map_err(io)?.path())?;
                }
                add(folder)?;
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(ConfigFiles {
            files: found,
            above,
        })
    }

    /// Whether none has changed a moment ago.
    fn are_settled(&self, now: i64) -> bool {
        self.files
            .iter()
            .all(|(_, state)| state[5] + i128::from(SETTLED) <= i128::from(now))
    }
}

/// The configuration that came from these files, if it is the one that was read last.
pub(super) fn recall(path: &Path, files: &ConfigFiles) -> Option<Config> {
    // whoever forked while it was held goes without
    let recent = RECENT.try_lock().ok()?;
    let recent = recent.as_ref()?;
    (recent.path == path && recent.files == *files).then(|| recent.config.clone())
}

/// Holds a configuration that came from these files, and that root has kept.
pub(super) fn remember(path: &Path, files: ConfigFiles, config: &Config) {
    let now = clock::now().ok().and_then(|now| i64::try_from(now.0).ok());
    if !now.is_some_and(|now| files.are_settled(now)) {
        return;
    }
    if let Ok(mut recent) = RECENT.try_lock() {
        *recent = Some(RecentConfig {
            path: path.to_owned(),
            files,
            config: config.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// Nothing of a file changes when the folder above it is opened to others.
    #[test]
    fn what_was_read_below_a_folder_counts_while_the_folder_has_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("etc/postern/accounts.d")).unwrap();
        fs::create_dir_all(at("over/real")).unwrap();
        let (path, copy) = (
            at("etc/postern/postern.toml"),
            at("etc/postern/postern.toml.valid"),
        );
        fs::write(&path, "# a comment\n").unwrap();
        fs::write(&copy, "# a comment\n").unwrap();
        fs::write(at("over/real/bob.toml"), "").unwrap();
        symlink(
            at("over/real/bob.toml"),
            at("etc/postern/accounts.d/bob.toml"),
        )
        .unwrap();
        let files = || ConfigFiles::of(&path, copy.clone());
        let before = files().unwrap();
        for changed in ["etc/postern", "etc", "over"] {
            fs::set_permissions(at(changed), Permissions::from_mode(0o777)).unwrap();
            assert!(files().ok().as_ref() != Some(&before), "{changed}");
            fs::set_permissions(at(changed), Permissions::from_mode(0o755)).unwrap();
            assert!(files().unwrap() == before, "{changed}");
        }
    }
}
