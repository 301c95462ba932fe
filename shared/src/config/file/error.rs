//! Why a configuration does not apply, and why the saved copy does. Each message names file, line
//! and key, and the remedy.

use super::ValidConfig;
use crate::system::clock::Timestamp;
use crate::system::trusted_file::FileError;
use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Fallback {
    pub reason: ConfigError,
    /// The saved copy; `None` if the last configuration in memory applies.
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

/// Why the configuration in the files does not apply.
#[derive(Debug)]
pub enum ConfigError {
    /// The configuration is valid, and root could not save it.
    NotSaved {
        valid: Box<ValidConfig>,
        error: FileError,
    },
    /// Neither the files nor a saved copy can be used.
    NoCopy {
        reason: Box<ConfigError>,
        copy: Box<ConfigError>,
    },
    /// A file cannot be read, or its owner or mode is not trusted.
    File(FileError),
    /// The content of a file is refused.
    Content {
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// Dotted key, where there is one.
        key: Option<String>,
        /// What is invalid, and what is allowed.
        message: String,
    },
}

impl From<FileError> for ConfigError {
    fn from(error: FileError) -> ConfigError {
        ConfigError::File(error)
    }
}

impl ConfigError {
    /// Refuses the content of a file, at a line from 1.
    pub(in crate::config) fn content(
        path: &Path,
        line: usize,
        key: Option<String>,
        message: impl Into<String>,
    ) -> ConfigError {
        ConfigError::Content {
            path: path.to_owned(),
            line,
            key,
            message: message.into(),
        }
    }

    /// Returns the message, with the remedy if the message does not name one.
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
