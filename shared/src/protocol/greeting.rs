//! The greeting: the first frame of posternd, with its versions and whether it accepts a request.

use super::codec::{DecodeError, Decoder, Encoder};
use super::frame::{Frame, FrameError};

const GREETING: u8 = 1;
/// Most versions in a greeting.
const MOST: usize = 16;

/// Whether posternd accepts one more conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreetingState {
    Ready = 0,
    /// The connection limit is reached. The module MUST NOT proceed without posternd.
    Busy = 1,
    /// The user ID of the peer on pam.sock has no name on this host, or a name that no account can
    /// have.
    NoAccount = 2,
    /// The name of the peer cannot be looked up now.
    NameUnavailable = 3,
}

impl GreetingState {
    const ALL: [GreetingState; 4] = [
        GreetingState::Ready,
        GreetingState::Busy,
        GreetingState::NoAccount,
        GreetingState::NameUnavailable,
    ];

    fn number(self) -> u8 {
        self as u8
    }
}

/// The protocol versions of posternd, and whether it accepts one more conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    pub versions: Vec<u16>,
    pub state: GreetingState,
}

impl Frame for Greeting {
    const LIMIT: usize = 1 + 1 + 4 + 2 * MOST;

    fn kind(&self) -> u8 {
        GREETING
    }

    fn encode(&self, fields: &mut Encoder) {
        fields.u8(self.state.number());
        let versions = self.versions.iter().take(MOST);
        fields.bytes(
            &versions
                .flat_map(|version| version.to_le_bytes())
                .collect::<Vec<u8>>(),
        );
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<Greeting, FrameError> {
        if kind != GREETING {
            return Err(FrameError::Kind(kind));
        }
        let state = fields.one_of(GreetingState::ALL, GreetingState::number, "state")?;
        let bytes = fields.bytes(2 * MOST, "versions")?;
        if bytes.len() % 2 != 0 {
            return Err(DecodeError("versions").into());
        }
        let pairs = bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        Ok(Greeting {
            versions: pairs.collect(),
            state,
        })
    }
}
