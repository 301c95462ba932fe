//! Replies of the module to the instructions that need one. Their contents are secrets: wiped when
//! dropped, never printed.

use super::codec::{Decoder, Encoder};
use super::frame::{Frame, FrameError};
use crate::credential::input;
use std::fmt;
use zeroize::Zeroizing;

const TYPED: u8 = 128;
const NO_INPUT: u8 = 129;
const STACKED: u8 = 130;

/// Longest input in bytes: one byte above the limit shows that an input is too long.
const INPUT: usize = input::LONGEST + 1;

#[derive(PartialEq, Eq)]
pub enum RelayReply {
    /// The input, cut just above its limit.
    Typed(Zeroizing<Vec<u8>>),
    /// The conversation failed or was cancelled.
    NoInput,
    /// The stacked password, if there is one and the options allow it to leave the host process.
    Stacked(Option<Zeroizing<Vec<u8>>>),
}

impl fmt::Debug for RelayReply {
    /// Prints the variant without the input.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RelayReply::Typed(_) => "Typed(…)",
            RelayReply::NoInput => "NoInput",
            RelayReply::Stacked(Some(_)) => "Stacked(Some(…))",
            RelayReply::Stacked(None) => "Stacked(None)",
        })
    }
}

impl Frame for RelayReply {
    const LIMIT: usize = INPUT + 16;

    fn kind(&self) -> u8 {
        match self {
            RelayReply::Typed(_) => TYPED,
            RelayReply::NoInput => NO_INPUT,
            RelayReply::Stacked(_) => STACKED,
        }
    }

    fn encode(&self, fields: &mut Encoder) {
        match self {
            RelayReply::Typed(typed) => fields.bytes(typed),
            RelayReply::NoInput => {}
            RelayReply::Stacked(password) => {
                fields.optional_bytes(password.as_ref().map(|password| password.as_slice()));
            }
        }
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<RelayReply, FrameError> {
        let secret = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        Ok(match kind {
            TYPED => RelayReply::Typed(secret(fields.bytes(INPUT, "input")?)),
            NO_INPUT => RelayReply::NoInput,
            STACKED => RelayReply::Stacked(
                fields
                    .optional_bytes(INPUT, "stacked password")?
                    .map(secret),
            ),
            _ => return Err(FrameError::Kind(kind)),
        })
    }
}
