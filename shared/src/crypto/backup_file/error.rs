//! Why the file of a backup cannot be written or read.

use crate::system::random::RandomError;
use std::fmt;
use std::io;

/// Why the file of a backup cannot be written or read.
#[derive(Debug)]
pub enum BackupFileError {
    NotABackup,
    /// A newer Postern wrote the file, in this format.
    Format(u8),
    /// The file was truncated or altered.
    Damaged,
    /// Another master key sealed the file. Both are given as fingerprints.
    OtherKey {
        needed: String,
        found: Vec<String>,
    },
    /// The file does not contain the key file.
    NoKeyFile,
    /// The passphrase does not open the key file in the backup.
    Passphrase,
    WeakPassphrase {
        /// Least number of characters.
        shortest: usize,
    },
    Random(RandomError),
    Io(io::Error),
}

impl From<io::Error> for BackupFileError {
    fn from(error: io::Error) -> BackupFileError {
        BackupFileError::Io(error)
    }
}

impl From<RandomError> for BackupFileError {
    fn from(error: RandomError) -> BackupFileError {
        BackupFileError::Random(error)
    }
}

impl fmt::Display for BackupFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupFileError::NotABackup => f.write_str("it is not a backup of Postern"),
            BackupFileError::Format(found) => write!(
                f,
                "a newer Postern made it (format {found}); install that version or a newer one"
            ),
            BackupFileError::Damaged => {
                f.write_str("it was truncated or altered; use another backup")
            }
            BackupFileError::OtherKey { needed, found } => write!(
                f,
                "master key {needed} opens it, and the key file has {}; put the key file that was saved with it in place, or use --with-key if the backup contains it",
                found.join(", ")
            ),
            BackupFileError::NoKeyFile => {
                f.write_str("it does not contain the key file; leave --with-key out")
            }
            BackupFileError::Passphrase => {
                f.write_str("the passphrase does not open the key file in it, or it was altered")
            }
            BackupFileError::WeakPassphrase { shortest } => write!(
                f,
                "a passphrase has at least {shortest} characters and at most 1024 bytes"
            ),
            BackupFileError::Random(error) => error.fmt(f),
            BackupFileError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BackupFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BackupFileError::Random(error) => Some(error),
            BackupFileError::Io(error) => Some(error),
            _ => None,
        }
    }
}
