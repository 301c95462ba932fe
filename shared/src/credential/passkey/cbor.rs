//! CBOR maps as authenticators and browsers write them: few levels, few entries, no key twice in a map
//! that is read here, and no text, bytes, array or map without a length in front (CTAP2's canonical form,
//! which section 2.4.1 demands). That a length could be written in fewer bytes is not refused: the encoders
//! of attestation objects are those of browsers and password managers.

use ciborium::value::{Integer, Value};
use ciborium_ll::{Decoder, Header};

/// Levels of arrays and maps in what an authenticator sends.
const DEPTH: usize = 8;
/// Most entries of a map: several times as many as any that is read here has.
const MAX_ENTRIES: usize = 64;

/// A map, each key of which is there once.
pub(super) struct Map(Vec<(Value, Value)>);

impl Map {
    /// Reads a map from the beginning of some bytes; what follows it stays in `bytes`.
    pub(super) fn read(bytes: &mut &[u8]) -> Option<Map> {
        let whole = *bytes;
        let value = ciborium::de::from_reader_with_recursion_limit(&mut *bytes, DEPTH).ok()?;
        if !has_definite_lengths(&whole[..whole.len() - bytes.len()]) {
            return None;
        }
        let Value::Map(entries) = value else {
            return None;
        };
        if entries.len() > MAX_ENTRIES {
            return None;
        }
        let is_once = |(index, (key, _)): (usize, &(Value, Value))| {
            !entries[..index].iter().any(|(earlier, _)| earlier == key)
        };
        let are_once = entries.iter().enumerate().all(is_once);
        are_once.then_some(Map(entries))
    }

    pub(super) fn text(&self, key: &str) -> Option<&Value> {
        let found = self
            .0
            .iter()
            .find(|(known, _)| known.as_text() == Some(key));
        found.map(|(_, value)| value)
    }

    fn number(&self, key: i64) -> Option<&Value> {
        let key = Integer::from(key);
        let found = (self.0.iter()).find(|(known, _)| known.as_integer() == Some(key));
        found.map(|(_, value)| value)
    }

    pub(super) fn integer(&self, key: i64) -> Option<i64> {
        self.number(key)?.as_integer()?.try_into().ok()
    }

    pub(super) fn bytes(&self, key: i64) -> Option<&[u8]> {
        self.number(key)?.as_bytes().map(Vec::as_slice)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Whether every text, byte string, array and map in these bytes, which were read as a value, has its
/// length in front.
fn has_definite_lengths(bytes: &[u8]) -> bool {
    let mut decoder = Decoder::from(bytes);
    while decoder.offset() < bytes.len() {
        let is_definite = match decoder.pull() {
            Ok(Header::Bytes(Some(length)) | Header::Text(Some(length))) => {
                skip(&mut decoder, length).is_some()
            }
            Ok(
                Header::Bytes(None)
                | Header::Text(None)
                | Header::Array(None)
                | Header::Map(None)
                | Header::Break,
            )
            | Err(_) => false,
            Ok(_) => true,
        };
        if !is_definite {
            return false;
        }
    }
    true
}

/// Reads the bytes of a text or byte string.
fn skip(decoder: &mut Decoder<&[u8]>, length: usize) -> Option<()> {
    let mut buffer = [0; 256];
    let mut segments = decoder.bytes(Some(length));
    while let Some(mut segment) = segments.pull().ok()? {
        while segment.pull(&mut buffer).ok()?.is_some() {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    fn reads(hex: &str) -> bool {
        let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
        Map::read(&mut bytes.as_slice()).is_some()
    }

    #[test]
    fn maps_have_definite_lengths() {
        for (hex, what) in [
            ("a10126", "a map of one number"),
            ("a1014161", "of bytes"),
            ("a161618101", "of an array"),
            ("a10126ff", "what follows is not read"),
            ("a101580161", "a length in more bytes than it needs"),
        ] {
            assert!(reads(hex), "{what}");
        }
        for (hex, what) in [
            ("bf0126ff", "a map without a length"),
            ("a1015f4161ff", "bytes in pieces"),
            ("a17f6161ff01", "a text in pieces"),
            ("a161619f01ff", "an array without a length"),
            ("a101bf0126ff", "such a map within one"),
            ("a101", "an end too early"),
        ] {
            assert!(!reads(hex), "{what}");
        }
    }
}
