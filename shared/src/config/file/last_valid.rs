//! The last configuration that applied to a daemon, in memory, for the time when the files are
//! invalid. It can be newer than the copy that root has saved.

use super::{ConfigError, CurrentConfig, Fallback, copy_path, load_config};
use crate::config::{Config, PamConfig};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub struct LastValidConfig(Mutex<Option<LastRead>>);

struct LastRead {
    path: PathBuf,
    config: Config,
    is_saved: bool,
    /// Identity of the saved copy at the time of reading.
    copy: Option<[i64; 4]>,
}

impl LastValidConfig {
    /// Starts without a configuration: a daemon that starts has the saved copy only.
    pub const fn new() -> LastValidConfig {
        LastValidConfig(Mutex::new(None))
    }

    /// Returns the configuration that applies now, as [`load_config`] does. If the files are
    /// invalid, the last one in memory applies, unless root has saved another copy since.
    ///
    /// # Errors
    /// Those of [`load_config`], if no configuration applied before.
    pub fn load_config(&self, path: &Path) -> Result<CurrentConfig, ConfigError> {
        // taken before the files are read: a copy that changes meanwhile is another copy
        let copy = copy_state(path);
        let found = load_config(path);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unchanged = last
            .as_ref()
            .filter(|last| last.path == path && last.copy == copy);
        match (found, unchanged) {
            (
                Ok(CurrentConfig {
                    fallback: Some(Fallback { reason, .. }),
                    ..
                }),
                Some(last),
            ) => Ok(last.to_current(reason)),
            // the copy was unreadable then too, or is gone
            (Err(reason), _) => match last.as_ref().filter(|last| last.path == path) {
                Some(last) => Ok(last.to_current(reason)),
                None => Err(reason),
            },
            (Ok(found), _) => {
                let (config, is_saved) = (found.config.clone(), found.is_saved);
                *last = Some(LastRead {
                    path: path.to_owned(),
                    config,
                    is_saved,
                    copy,
                });
                Ok(found)
            }
        }
    }

    /// Calls `inspect` with `[pam]` of the last configuration in memory, or with the defaults.
    /// Reads no file: the thread that accepts connections must not wait for a disk.
    pub fn with_pam_config<R>(&self, inspect: impl FnOnce(&PamConfig) -> R) -> R {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref() {
            Some(last) => inspect(&last.config.pam),
            None => inspect(&PamConfig::default()),
        }
    }
}

impl Default for LastValidConfig {
    fn default() -> LastValidConfig {
        LastValidConfig::new()
    }
}

impl LastRead {
    fn to_current(&self, reason: ConfigError) -> CurrentConfig {
        let reason = match reason {
            ConfigError::NoCopy { reason, .. } => *reason,
            reason => reason,
        };
        let fallback = Some(Fallback {
            reason,
            copy: None,
            since: None,
        });
        CurrentConfig {
            config: self.config.clone(),
            fallback,
            is_saved: self.is_saved,
        }
    }
}

/// Returns device, inode, and time of the last change.
fn copy_state(path: &Path) -> Option<[i64; 4]> {
    let metadata = copy_path(path).metadata().ok()?;
    let signed = |value: u64| i64::from_ne_bytes(value.to_ne_bytes());
    Some([
        signed(metadata.dev()),
        signed(metadata.ino()),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn period(found: &CurrentConfig) -> u64 {
        found.config.totp.period.seconds()
    }

    /// A daemon that is not root: a path unit saves the copy, later.
    #[test]
    fn a_valid_change_applies_at_once_and_the_last_one_while_the_file_is_invalid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        let writes = |text: &str| fs::write(&path, text).unwrap();
        let last = LastValidConfig::new();
        writes("[totp]\nperiod = 6\n");
        assert!(last.load_config(&path).is_err(), "nothing was in force");

        writes("[totp]\nperiod = 60\n");
        let found = last.load_config(&path).unwrap();
        assert_eq!((period(&found), found.fallback.is_none()), (60, true));
        writes("[totp]\nperiod = 90\n");
        assert_eq!(period(&last.load_config(&path).unwrap()), 90);

        // the copy is the one that was there at the reading, and older
        if crate::config::file::copy_path(&path).exists() {
            fs::write(copy_path(&path), "[totp]\nperiod = 60\n").unwrap();
            let Ok(mut last_read) = last.0.lock() else {
                panic!("no lock")
            };
            last_read.as_mut().unwrap().copy = copy_state(&path);
        }
        for invalid in ["[totp]\nperiod = 6\n", "[totp", ""] {
            writes(invalid);
            let found = last.load_config(&path).unwrap();
            assert_eq!(period(&found), 90, "{invalid:?}");
            let problem = found.fallback.unwrap().to_string();
            assert!(problem.contains("postern.toml:"), "{problem}");
            assert!(
                problem.ends_with("until then the last configuration that was read stays in force"),
                "{problem}"
            );
        }
        fs::remove_file(&path).unwrap();
        let _ = fs::remove_file(copy_path(&path));
        assert_eq!(
            period(&last.load_config(&path).unwrap()),
            90,
            "neither file nor copy"
        );

        // root saves another copy, such as with postern edit on another terminal
        fs::write(copy_path(&path), "[totp]\nperiod = 45\n").unwrap();
        assert_eq!(period(&last.load_config(&path).unwrap()), 45);
        // a daemon that starts now has the saved copy only
        assert_eq!(
            period(&LastValidConfig::new().load_config(&path).unwrap()),
            45
        );
        writes("[totp]\nperiod = 60\n");
        let found = last.load_config(&path).unwrap();
        assert_eq!((period(&found), found.fallback.is_none()), (60, true));
    }

    /// The thread that accepts connections must not wait for a disk.
    #[test]
    fn the_last_configuration_is_inspected_without_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        fs::write(&path, "[pam]\nfirst_factor = \"passed\"\n").unwrap();
        let last = LastValidConfig::new();
        let first_factor = || last.with_pam_config(|pam| pam.first_factor);
        assert_eq!(first_factor(), None);
        last.load_config(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(
            first_factor(),
            Some(crate::config::FirstFactorState::Passed)
        );
    }
}
