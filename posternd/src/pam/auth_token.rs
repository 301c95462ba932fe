//! The mark that a passed `auth` line leaves for the guard: sealed, so that whichever posternd runs the guard believes what
//! one with the same keys decided, and nothing that the host process says of it.

use shared::protocol::command_request::TypedText;

/// A sealed mark.
#[derive(Clone, Debug)]
pub(crate) struct HostMark(TypedText);

impl HostMark {
    /// One that the engine sealed.
    pub(crate) fn sealed(text: TypedText) -> HostMark {
        HostMark(text)
    }

    /// What the host process kept, which may be anything.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<HostMark> {
        // an empty one is what the module leaves of a mark that it removes
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|text| !text.is_empty())?;
        Some(HostMark(text.into()))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    pub(crate) fn text(&self) -> &TypedText {
        &self.0
    }
}
