//! CBOR maps as authenticators write them: few levels, few entries, no key twice in a map that is
//! read here.

use ciborium::value::{Integer, Value};

/// Levels of arrays and maps in what an authenticator sends.
const DEPTH: usize = 8;
/// Most entries of a map: several times as many as any that is read here has.
const MAX_ENTRIES: usize = 64;

/// A map, each key of which is there once.
pub(super) struct Map(Vec<(Value, Value)>);

impl Map {
    /// Reads a map from the beginning of some bytes; what follows it stays in `bytes`.
    pub(super) fn read(bytes: &mut &[u8]) -> Option<Map> {
        let value = ciborium::de::from_reader_with_recursion_limit(&mut *bytes, DEPTH).ok()?;
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
