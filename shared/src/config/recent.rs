//! The configuration that this process has read last, for as long as no file that it came from has changed: the lines of a
//! PAM stack ask for it one after the other, in one process.
//!
//! MUST NOT hold one that a change within the resolution of time stamps could have followed unseen.

use super::Config;
use crate::clock;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Seconds for which a file must have been left alone.
const SETTLED: i64 = 2;

static RECENT: Mutex<Option<Recent>> = Mutex::new(None);

struct Recent {
    path: PathBuf,
    files: Files,
    config: Config,
}

/// Every file of a configuration, its copy and the folder of accounts.d, as the file system tells one state from another.
#[derive(PartialEq, Eq)]
pub(super) struct Files(Vec<(PathBuf, State)>);

/// Device, number, length, mode and owner, last change and last write in seconds and nanoseconds.
type State = [i128; 9];

impl Files {
    /// As they are now. MUST be taken before they are read.
    pub(super) fn of(path: &Path, copy: PathBuf) -> io::Result<Files> {
        let mut files = Vec::new();
        let mut add = |path: PathBuf| -> io::Result<()> {
            let metadata = path.metadata()?;
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
            files.push((path, state));
            Ok(())
        };
        add(path.to_owned())?;
        add(copy)?;
        let folder = path.with_file_name("accounts.d");
        match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            entries => {
                add(folder)?;
                for entry in entries? {
                    add(entry?.path())?;
                }
            }
        }
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Files(files))
    }

    /// Whether none has changed a moment ago.
    fn are_settled(&self, now: i64) -> bool {
        self.0.iter().all(|(_, state)| state[5] + i128::from(SETTLED) <= i128::from(now))
    }
}

/// The configuration that came from these files, if it is the one that was read last.
pub(super) fn recall(path: &Path, files: &Files) -> Option<Config> {
    // whoever forked while it was held goes without
    let recent = RECENT.try_lock().ok()?;
    let recent = recent.as_ref()?;
    (recent.path == path && recent.files == *files).then(|| recent.config.clone())
}

/// Holds a configuration that came from these files, and that root has kept.
pub(super) fn remember(path: &Path, files: Files, config: &Config) {
    let now = clock::now().ok().and_then(|now| i64::try_from(now.0).ok());
    if !now.is_some_and(|now| files.are_settled(now)) {
        return;
    }
    if let Ok(mut recent) = RECENT.try_lock() {
        *recent = Some(Recent { path: path.to_owned(), files, config: config.clone() });
    }
}
