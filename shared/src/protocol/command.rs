//! The one reply of posternd to a command of a user, as a frame.

use super::codec::{Decoder, Encoder};
use super::frame::{Frame, FrameError};
use std::fmt;
use zeroize::Zeroizing;

const COMMAND_REPLY: u8 = 80;
/// Longest reply in bytes: a list of trusted browsers.
const REPLY: usize = 256 * 1024;

/// The reply to an [`super::Opening::Command`], in the format of [`super::wire`].
#[derive(PartialEq, Eq)]
pub struct CommandReply(pub Zeroizing<Vec<u8>>);

impl fmt::Debug for CommandReply {
    /// Omits the reply, which may contain a secret that is shown once.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandReply(…)")
    }
}

impl Frame for CommandReply {
    const LIMIT: usize = REPLY + 16;

    fn kind(&self) -> u8 {
        COMMAND_REPLY
    }

    fn encode(&self, fields: &mut Encoder) {
        fields.bytes(&self.0);
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<CommandReply, FrameError> {
        match kind {
            COMMAND_REPLY => Ok(CommandReply(Zeroizing::new(
                fields.bytes(REPLY, "reply")?.to_vec(),
            ))),
            _ => Err(FrameError::Kind(kind)),
        }
    }
}
