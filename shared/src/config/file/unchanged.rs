//! Caches the configuration that this process read last, while none of its files has changed: the
//! modules of a PAM stack load it one after another in one process.
//!
//! MUST NOT return a cached value if a folder above the files was replaced or has another mode: its
//! content is then not trusted.
//! MUST NOT cache a value that a change within the resolution of time stamps could have made stale.

use crate::config::Config;
use crate::system::clock;
use crate::system::trusted_file::{self, FileError, FolderStates};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Seconds for which every file must be unchanged before its configuration is cached.
const SETTLED: i64 = 2;

static RECENT: Mutex<Option<RecentConfig>> = Mutex::new(None);

struct RecentConfig {
    path: PathBuf,
    files: ConfigFiles,
    config: Config,
}

/// The state of every file of a configuration, of the saved copy, of the folder accounts.d, and of
/// the folders above them.
#[derive(PartialEq, Eq)]
pub(super) struct ConfigFiles {
    files: Vec<(PathBuf, ConfigFileState)>,
    above: FolderStates,
}

/// Device, inode, length, mode, owner, and the times of the last change and the last write, each in
/// seconds and nanoseconds.
type ConfigFileState = [i128; 9];

impl ConfigFiles {
    /// Captures the present state. MUST be called before the files are read.
    ///
    /// # Errors
    /// Fails if a file cannot be examined, or if a link leads through a folder that is not trusted.
    pub(super) fn capture(path: &Path, copy: PathBuf) -> Result<ConfigFiles, FileError> {
        let above = FolderStates::capture(path)?;
        let mut found = Vec::new();
        let mut add = |path: PathBuf| -> Result<(), FileError> {
            let io = |error| FileError::io(&path, error);
            let mut metadata = path.symlink_metadata().map_err(io)?;
            if metadata.is_symlink() {
                // the folders of a link's target are not among the folders above
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

    /// Whether no file has changed within the last [`SETTLED`] seconds.
    fn are_settled(&self, now: i64) -> bool {
        self.files
            .iter()
            .all(|(_, state)| state[5] + i128::from(SETTLED) <= i128::from(now))
    }
}

/// Returns the cached configuration if the files are unchanged.
pub(super) fn find_cached(path: &Path, files: &ConfigFiles) -> Option<Config> {
    // a child that was forked while the lock was held does without the cache
    let recent = RECENT.try_lock().ok()?;
    let recent = recent.as_ref()?;
    (recent.path == path && recent.files == *files).then(|| recent.config.clone())
}

/// Caches a configuration that root has saved.
pub(super) fn cache_config(path: &Path, files: ConfigFiles, config: &Config) {
    let now = clock::host_time()
        .ok()
        .and_then(|now| i64::try_from(now.0).ok());
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

    /// The state of a file does not change when the folder above it becomes writable by others.
    #[test]
    fn files_below_a_folder_count_as_changed_with_the_mode_of_the_folder() {
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
        let files = || ConfigFiles::capture(&path, copy.clone());
        let before = files().unwrap();
        for changed in ["etc/postern", "etc", "over"] {
            fs::set_permissions(at(changed), Permissions::from_mode(0o777)).unwrap();
            assert!(files().ok().as_ref() != Some(&before), "{changed}");
            fs::set_permissions(at(changed), Permissions::from_mode(0o755)).unwrap();
            assert!(files().unwrap() == before, "{changed}");
        }
    }
}
