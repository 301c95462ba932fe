//! One frame on a stream: the length of the rest (4 bytes, little-endian), the kind (1 byte), the
//! fields. The receiver limits the length before it allocates memory for the frame.

use super::codec::{DecodeError, Decoder, Encoder};
use std::fmt;
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// A message of one side.
pub trait Frame: Sized {
    /// Longest frame of this message, in bytes of kind and fields.
    const LIMIT: usize;

    /// Returns the kind. No two kinds of messages have the same number, in either direction.
    fn kind(&self) -> u8;
    fn encode(&self, fields: &mut Encoder);
    /// Decodes the fields of a kind.
    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<Self, FrameError>;
}

/// Reason why no frame was received or sent.
#[derive(Debug)]
pub enum FrameError {
    /// The stream was closed, ended in the middle of a frame, or was silent beyond its time limit.
    Stream(io::Error),
    /// The frame is longer than the message allows.
    TooLong {
        /// Length of the frame in bytes.
        length: usize,
        /// Most bytes that a frame may have.
        limit: usize,
    },
    /// The kind is not expected here.
    Kind(u8),
    Malformed(DecodeError),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Stream(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("the connection was closed in the middle of a conversation")
            }
            FrameError::Stream(error) => error.fmt(f),
            FrameError::TooLong { length, limit } => {
                write!(f, "a frame of {length} bytes, of which {limit} are allowed")
            }
            FrameError::Kind(kind) => {
                write!(f, "unexpected frame of kind {kind} (another version?)")
            }
            FrameError::Malformed(malformed) => malformed.fmt(f),
        }
    }
}

impl std::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FrameError::Stream(error) => Some(error),
            FrameError::Malformed(malformed) => Some(malformed),
            FrameError::TooLong { .. } | FrameError::Kind(_) => None,
        }
    }
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> FrameError {
        FrameError::Stream(error)
    }
}

impl From<DecodeError> for FrameError {
    fn from(malformed: DecodeError) -> FrameError {
        FrameError::Malformed(malformed)
    }
}

/// Bytes of the length at the head of a frame.
const HEAD: usize = 4;

/// Allocates memory for a frame. Too little memory is an error: it MUST NOT abort a PAM host whose
/// user has limited its memory.
fn allocate(length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer
        .try_reserve_exact(length)
        .map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(buffer)
}

/// Sends one message, by a single write if the stream accepts it whole.
pub fn send<M: Frame>(stream: &mut impl Write, message: &M) -> Result<(), FrameError> {
    let encode = |mut encoder: Encoder, length: u32| {
        encoder.u32(length);
        encoder.u8(message.kind());
        message.encode(&mut encoder);
        encoder
    };
    let whole = encode(Encoder::measuring(), 0).length();
    let length = whole - HEAD;
    let head = u32::try_from(length).ok().filter(|_| length <= M::LIMIT);
    let head = head.ok_or(FrameError::TooLong {
        length,
        limit: M::LIMIT,
    })?;
    let frame = encode(Encoder::writing(allocate(whole)?), head).into_bytes();
    stream.write_all(&frame)?;
    stream.flush()?;
    Ok(())
}

/// Receives one message. It reads nothing beyond the frame.
pub fn receive<M: Frame>(stream: &mut impl Read) -> Result<M, FrameError> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head)?;
    let length = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
    if length > M::LIMIT {
        return Err(FrameError::TooLong {
            length,
            limit: M::LIMIT,
        });
    }
    let mut frame = Zeroizing::new(allocate(length)?);
    frame.resize(length, 0);
    stream.read_exact(&mut frame)?;
    let (kind, fields) = frame.split_first().ok_or(DecodeError("an empty frame"))?;
    let mut fields = Decoder::new(fields);
    let message = M::decode(*kind, &mut fields)?;
    fields.end()?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of 100 kB once aborted a PAM host whose user had limited its memory.
    #[test]
    fn too_little_memory_for_a_frame_is_an_error() {
        let error = allocate(usize::MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }

    /// The measured length is the written one: no reallocation leaves a copy of a code in memory.
    #[test]
    fn a_frame_has_the_size_that_was_measured() {
        let reply = crate::protocol::RelayReply::Typed(Zeroizing::new(b"123456".to_vec()));
        let mut stream = Vec::new();
        send(&mut stream, &reply).unwrap();
        assert_eq!(stream.len(), HEAD + 1 + 4 + 6);
        assert_eq!(
            receive::<crate::protocol::RelayReply>(&mut stream.as_slice()).unwrap(),
            reply
        );
    }
}
