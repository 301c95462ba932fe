//! Reads secrets that postern.toml names: from files, or from systemd credentials.

use super::AbsolutePath;
use crate::system::trusted_file::{self, Follow, Privacy};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Size limit of a secret file, in bytes.
const LARGEST: u64 = 4096;

/// Reads a secret on one line; `None` if neither a file nor a credential is set. `key` is the
/// configuration key without `_file` or `_credential`.
pub fn read_secret_line(
    key: &str,
    file: Option<&AbsolutePath>,
    credential: Option<&SystemdCredential>,
) -> Result<Option<Zeroizing<String>>, String> {
    let (path, follow): (PathBuf, Follow) = match (file, credential) {
        (None, None) => return Ok(None),
        (Some(file), _) => (file.path().to_owned(), Follow::Yes),
        (None, Some(name)) => {
            let path = name.path().ok_or_else(|| {
                format!(
                    "{key}_credential: systemd passes no credentials; give the service LoadCredential={}:…",
                    name.as_str()
                )
            })?;
            (path, Follow::No)
        }
    };
    let bytes = trusted_file::read_trusted(&path, Privacy::Secret, follow, LARGEST)
        .map_err(|error| format!("{key}: {error}"))?;
    match std::str::from_utf8(bytes.trim_ascii()) {
        Ok(text) if !text.is_empty() && !text.chars().any(char::is_control) => {
            Ok(Some(Zeroizing::new(text.to_owned())))
        }
        _ => Err(format!(
            "{key}: {}: must contain the secret on one line",
            path.display()
        )),
    }
}

/// The name of a systemd credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SystemdCredential(String);

impl SystemdCredential {
    /// Returns the path of the credential below `$CREDENTIALS_DIRECTORY`; `None` if systemd passes
    /// no credentials.
    pub fn path(&self) -> Option<PathBuf> {
        let folder = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?);
        folder.is_absolute().then(|| folder.join(&self.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SystemdCredential {
    type Error = &'static str;

    fn try_from(name: String) -> Result<SystemdCredential, Self::Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match (1..=128).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
            true => Ok(SystemdCredential(name)),
            false => {
                Err("must be the name of a systemd credential: letters, digits, '-', '_' and '.'")
            }
        }
    }
}

/// The content of a secret file, if it was read. Two values are equal if both are unread or have
/// the same content.
#[derive(Clone, Default, PartialEq)]
pub struct SecretText(Option<Arc<Zeroizing<Vec<u8>>>>);

impl SecretText {
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> SecretText {
        SecretText(Some(Arc::new(bytes)))
    }

    /// Returns the content, if it was read.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.0.as_ref().map(|bytes| bytes.as_slice())
    }
}

impl fmt::Debug for SecretText {
    /// Prints whether there is a secret, never the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "SecretText(…)"
        } else {
            "SecretText(none)"
        })
    }
}
