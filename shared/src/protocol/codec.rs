//! Fields of a frame: numbers in little-endian order, byte strings after their length.
//!
//! MUST NOT read beyond the frame, allocate more than the frame contains, or accept bytes that
//! remain.

use std::fmt;
use zeroize::Zeroizing;

/// A frame does not contain what its kind requires; names the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError(pub &'static str);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed frame: {}", self.0)
    }
}

impl std::error::Error for DecodeError {}

/// Encodes the fields of a frame, or only measures them. The bytes may contain codes and passwords,
/// and are wiped when dropped.
pub struct Encoder {
    length: usize,
    written: Option<Zeroizing<Vec<u8>>>,
}

impl Encoder {
    /// Makes an encoder that only measures.
    pub(super) fn measuring() -> Encoder {
        Encoder {
            length: 0,
            written: None,
        }
    }

    /// Makes an encoder that writes into an empty vector. Its capacity MUST suffice for all: a
    /// reallocation would leave a copy in memory.
    pub(super) fn writing(buffer: Vec<u8>) -> Encoder {
        Encoder {
            length: 0,
            written: Some(Zeroizing::new(buffer)),
        }
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    pub(super) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.written.unwrap_or_default()
    }

    fn put(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        if let Some(written) = &mut self.written {
            written.extend_from_slice(bytes);
        }
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    /// Writes a byte string. A length of 4 GiB or more exceeds every frame, and is refused when the
    /// frame is sent.
    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.put(value);
    }

    pub(super) fn optional_bytes(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.u8(0),
            Some(value) => {
                self.u8(1);
                self.bytes(value);
            }
        }
    }
}

/// Decodes the fields of a frame.
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub(super) fn new(fields: &'a [u8]) -> Decoder<'a> {
        Decoder(fields)
    }

    fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError(field))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let bytes = self.take(N, field)?;
        bytes.try_into().map_err(|_| DecodeError(field))
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Reads the number of one of these values.
    pub(super) fn one_of<T: Copy, const N: usize>(
        &mut self,
        values: [T; N],
        number: impl Fn(T) -> u8,
        field: &'static str,
    ) -> Result<T, DecodeError> {
        let found = self.u8(field)?;
        let value = values.into_iter().find(|value| number(*value) == found);
        value.ok_or(DecodeError(field))
    }

    /// Reads a byte string of at most `limit` bytes.
    pub(super) fn bytes(
        &mut self,
        limit: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.u32(field)?).map_err(|_| DecodeError(field))?;
        if length > limit {
            return Err(DecodeError(field));
        }
        self.take(length, field)
    }

    pub(super) fn text(
        &mut self,
        limit: usize,
        field: &'static str,
    ) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(limit, field)?).map_err(|_| DecodeError(field))
    }

    pub(super) fn optional_bytes(
        &mut self,
        limit: usize,
        field: &'static str,
    ) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.u8(field)? {
            0 => Ok(None),
            1 => self.bytes(limit, field).map(Some),
            _ => Err(DecodeError(field)),
        }
    }

    /// Refuses bytes that remain: a frame MUST have one interpretation.
    pub(super) fn end(self) -> Result<(), DecodeError> {
        match self.0 {
            [] => Ok(()),
            _ => Err(DecodeError("bytes are left over")),
        }
    }
}
