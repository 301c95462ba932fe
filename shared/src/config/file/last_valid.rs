//! The configuration that a daemon was last told to go by, for when the files are in doubt: it may be newer than the copy
//! that root has kept.

use super::{ConfigError, CurrentConfig, Fallback, copy_path, load_config};
use crate::config::{Config, PamConfig};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The last configuration in force, in memory.
pub struct LastValidConfig(Mutex<Option<LastRead>>);

struct LastRead {
    path: PathBuf,
    config: Config,
    is_kept: bool,
    /// The copy that root had kept then, as the file system tells one from another.
    copy: Option<[i64; 4]>,
}

impl LastValidConfig {
    /// None yet: at the start the copy counts.
    pub const fn new() -> LastValidConfig {
        LastValidConfig(Mutex::new(None))
    }

    /// The configuration in force at this moment, as [`in_force`] says; in any doubt the last one that was, unless root has
    /// kept another one since.
    ///
    /// # Errors
    /// Those of [`in_force`], where none was in force before.
    pub fn load_config(&self, path: &Path) -> Result<CurrentConfig, ConfigError> {
        // before the files are read
        let copy = copy_state(path);
        let found = load_config(path);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = last
            .as_ref()
            .filter(|last| last.path == path && last.copy == copy);
        match (found, kept) {
            (
                Ok(CurrentConfig {
                    fallback: Some(Fallback { reason, .. }),
                    ..
                }),
                Some(last),
            ) => Ok(last.again(reason)),
            // the copy could not be read then either, or is gone
            (Err(reason), _) => match last.as_ref().filter(|last| last.path == path) {
                Some(last) => Ok(last.again(reason)),
                None => Err(reason),
            },
            (Ok(found), _) => {
                let (config, is_kept) = (found.config.clone(), found.is_saved);
                *last = Some(LastRead {
                    path: path.to_owned(),
                    config,
                    is_kept,
                    copy,
                });
                Ok(found)
            }
        }
    }
}

impl LastValidConfig {
    /// Looks at `[pam]` of the last one in force, without reading anything; at the defaults where there was none yet.
    pub fn with_pam_config<R>(&self, look: impl FnOnce(&PamConfig) -> R) -> R {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref() {
            Some(last) => look(&last.config.pam),
            None => look(&PamConfig::default()),
        }
    }
}

impl Default for LastValidConfig {
    fn default() -> LastValidConfig {
        LastValidConfig::new()
    }
}

impl LastRead {
    fn again(&self, reason: ConfigError) -> CurrentConfig {
        let reason = match reason {
            ConfigError::NoCopy { reason, .. } => *reason,
            reason => reason,
        };
        let problem = Some(Fallback {
            reason,
            copy: None,
            since: None,
        });
        CurrentConfig {
            config: self.config.clone(),
            fallback: problem,
            is_saved: self.is_kept,
        }
    }
}

/// Device, number, and last change.
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

    /// As a daemon does that is not root: a path unit keeps the copy, later.
    #[test]
    fn a_valid_change_counts_at_once_and_in_a_doubt_the_last_one_does() {
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

        // the copy is as it was when that one was read, and older
        if crate::config::file::copy_path(&path).exists() {
            fs::write(copy_path(&path), "[totp]\nperiod = 60\n").unwrap();
            let Ok(mut kept) = last.0.lock() else {
                panic!("no lock")
            };
            kept.as_mut().unwrap().copy = copy_state(&path);
        }
        for doubt in ["[totp]\nperiod = 6\n", "[totp", ""] {
            writes(doubt);
            let found = last.load_config(&path).unwrap();
            assert_eq!(period(&found), 90, "{doubt:?}");
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

        // root keeps another one, such as by postern edit on another terminal
        fs::write(copy_path(&path), "[totp]\nperiod = 45\n").unwrap();
        assert_eq!(period(&last.load_config(&path).unwrap()), 45);
        // a daemon that starts now has the copy alone
        assert_eq!(
            period(&LastValidConfig::new().load_config(&path).unwrap()),
            45
        );
        writes("[totp]\nperiod = 60\n");
        let found = last.load_config(&path).unwrap();
        assert_eq!((period(&found), found.fallback.is_none()), (60, true));
    }

    /// Whoever accepts connections must not wait for a disk.
    #[test]
    fn the_last_one_is_looked_at_without_its_file() {
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
