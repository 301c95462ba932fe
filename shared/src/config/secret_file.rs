//! Reads secrets that postern.toml names: from files, or from systemd credentials.

use super::AbsolutePath;
use super::email::SystemdCredential;
use crate::system::trusted_file::{self, Follow, Privacy};
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
