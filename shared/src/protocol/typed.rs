//! Secret text in requests and replies: wiped when dropped, never printed.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use zeroize::Zeroizing;

/// A code, a password, a secret or a token.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct TypedText(Zeroizing<String>);

impl Deref for TypedText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for TypedText {
    fn from(text: String) -> TypedText {
        TypedText(Zeroizing::new(text))
    }
}

impl From<Zeroizing<String>> for TypedText {
    fn from(text: Zeroizing<String>) -> TypedText {
        TypedText(text)
    }
}

impl Serialize for TypedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for TypedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(…)")
    }
}
