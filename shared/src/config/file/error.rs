//! Why a configuration is not in force, and why its copy is: each names file, line and key, and what to do.

use super::ValidConfig;
use crate::system::clock::Timestamp;
use crate::system::trusted_file::FileError;
use std::fmt;
use std::path::PathBuf;

/// Why an earlier configuration is in force.
#[derive(Debug)]
pub struct Fallback {
    /// What is wrong with the file itself.
    pub reason: ConfigError,
    /// The copy; none where it is the last one that was read.
    pub(super) copy: Option<PathBuf>,
    pub(super) since: Option<Timestamp>,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; until then ", self.reason.with_remedy())?;
        match &self.copy {
            Some(copy) => write!(f, "{} is in force", copy.display())?,
            None => f.write_str("the last configuration that was read stays in force")?,
        }
        match self.since {
            Some(since) => write!(f, ", the configuration of {since}"),
            None => Ok(()),
        }
    }
}

/// Why a configuration is not in force.
#[derive(Debug)]
pub enum ConfigError {
    /// It is valid, and cannot be kept.
    NotSaved {
        /// The configuration.
        valid: Box<ValidConfig>,
        /// Why not.
        error: FileError,
    },
    /// The file is in doubt, and there is no copy that could be in force.
    NoCopy {
        /// What is wrong with the file.
        reason: Box<ConfigError>,
        /// And with the copy.
        copy: Box<ConfigError>,
    },
    /// The file cannot be read, or may not be trusted.
    File(FileError),
    /// What stands in it is refused.
    Content {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The dotted key, where there is one.
        key: Option<String>,
        /// What is wrong and what is allowed.
        message: String,
    },
}

impl From<FileError> for ConfigError {
    fn from(error: FileError) -> ConfigError {
        ConfigError::File(error)
    }
}

impl ConfigError {
    /// With what to do about it, where the message does not say that already.
    pub fn with_remedy(&self) -> String {
        match self {
            ConfigError::File(error) if error.is_missing() => {
                format!("{error}; restore it, or create one with postern init")
            }
            ConfigError::Content { .. } => format!("{self}; correct it with postern edit"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::NotSaved { error, .. } => {
                write!(
                    f,
                    "{error}; a new configuration comes into force once root has saved a copy of it: postern check --keep"
                )
            }
            ConfigError::NoCopy { reason, copy } => {
                write!(
                    f,
                    "{}; no saved copy of an earlier configuration can be used: {copy}",
                    reason.with_remedy()
                )
            }
            ConfigError::File(error) => error.fmt(f),
            ConfigError::Content {
                path,
                line,
                key,
                message,
            } => {
                write!(f, "{}:{line}: ", path.display())?;
                if let Some(key) = key {
                    write!(f, "{key}: ")?;
                }
                f.write_str(message)
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::File(error) | ConfigError::NotSaved { error, .. } => Some(error),
            ConfigError::NoCopy { reason, .. } => Some(&**reason),
            ConfigError::Content { .. } => None,
        }
    }
}
