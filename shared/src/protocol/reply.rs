//! What the module replies to an instruction that asks for something.

use super::codec::{Decoder, Encoder};
use super::frame::{FrameError, Message};
use crate::credential::input;
use std::fmt;
use zeroize::Zeroizing;

const TYPED: u8 = 128;
const NO_INPUT: u8 = 129;
const STACKED: u8 = 130;

/// One byte above the longest input shows that it is too long.
const INPUT: usize = input::LONGEST + 1;

/// A reply.
#[derive(PartialEq, Eq)]
pub enum Reply {
    /// What was typed, cut just above the longest input.
    Typed(Zeroizing<Vec<u8>>),
    /// The conversation failed or was cancelled.
    NoInput,
    /// The stacked password, if there is one and the line's options let it leave the host process.
    Stacked(Option<Zeroizing<Vec<u8>>>),
}

impl fmt::Debug for Reply {
    /// Never prints what was typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reply::Typed(_) => "Typed(…)",
            Reply::NoInput => "NoInput",
            Reply::Stacked(Some(_)) => "Stacked(Some(…))",
            Reply::Stacked(None) => "Stacked(None)",
        })
    }
}

impl Message for Reply {
    const LIMIT: usize = INPUT + 16;

    fn kind(&self) -> u8 {
        match self {
            Reply::Typed(_) => TYPED,
            Reply::NoInput => NO_INPUT,
            Reply::Stacked(_) => STACKED,
        }
    }

    fn encode(&self, fields: &mut Encoder) {
        match self {
            Reply::Typed(typed) => fields.bytes(typed),
            Reply::NoInput => {}
            Reply::Stacked(password) => {
                fields.optional_bytes(password.as_ref().map(|password| password.as_slice()));
            }
        }
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<Reply, FrameError> {
        let secret = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        Ok(match kind {
            TYPED => Reply::Typed(secret(fields.bytes(INPUT, "input")?)),
            NO_INPUT => Reply::NoInput,
            STACKED => Reply::Stacked(
                fields
                    .optional_bytes(INPUT, "stacked password")?
                    .map(secret),
            ),
            _ => return Err(FrameError::Kind(kind)),
        })
    }
}
