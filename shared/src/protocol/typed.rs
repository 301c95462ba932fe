//! Text that must not be seen on its way: wiped when dropped, never printed.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use zeroize::Zeroizing;

/// A code as it was typed, a secret, a ticket.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Typed(Zeroizing<String>);

impl Deref for Typed {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Typed {
    fn from(text: String) -> Typed {
        Typed(Zeroizing::new(text))
    }
}

impl From<Zeroizing<String>> for Typed {
    fn from(text: Zeroizing<String>) -> Typed {
        Typed(text)
    }
}

impl Serialize for Typed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(…)")
    }
}
