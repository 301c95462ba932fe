//! What a secret file held when a program that then gave root up read it.

use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The text of a secret file, if it was read already. Two are equal only if both are missing or hold the same.
#[derive(Clone, Default, PartialEq)]
pub struct SecretText(Option<Arc<Zeroizing<Vec<u8>>>>);

impl SecretText {
    /// The bytes of a file.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> SecretText {
        SecretText(Some(Arc::new(bytes)))
    }

    /// The bytes, if there are any.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.0.as_ref().map(|bytes| bytes.as_slice())
    }
}

impl fmt::Debug for SecretText {
    /// Never prints the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "SecretText(…)"
        } else {
            "SecretText(none)"
        })
    }
}
