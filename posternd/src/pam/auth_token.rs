//! The mark that a passed `auth` line leaves for the guard: sealed, so that whichever posternd runs the guard believes what
//! one with the same keys decided, and nothing that the host process says of it.

use shared::protocol::command_request::Typed;

/// A sealed mark.
#[derive(Clone, Debug)]
pub(crate) struct Mark(Typed);

impl Mark {
    /// One that the engine sealed.
    pub(crate) fn sealed(text: Typed) -> Mark {
        Mark(text)
    }

    /// What the host process kept, which may be anything.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Mark> {
        // an empty one is what the module leaves of a mark that it removes
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|text| !text.is_empty())?;
        Some(Mark(text.into()))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    pub(crate) fn text(&self) -> &Typed {
        &self.0
    }
}
