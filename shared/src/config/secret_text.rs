//! The content of a secret file, read before the process gave up root privileges.

use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

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
