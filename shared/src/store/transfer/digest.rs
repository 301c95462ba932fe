//! Digest of the rows of a table, whatever their order, by which a copy is compared with its
//! original.

use crate::store::column::Value;
use sha2::{Digest, Sha256};

/// Number of rows, and the sum of their digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowsDigest {
    pub(super) rows: u64,
    sum: u128,
}

impl RowsDigest {
    pub(super) fn add(&mut self, values: &[Value<'_>]) {
        let mut hash = Sha256::new();
        for value in values {
            let number;
            let (kind, bytes) = match value {
                Value::Null => (0, &[][..]),
                Value::Integer(integer) => {
                    number = integer.to_be_bytes();
                    (1, &number[..])
                }
                Value::Text(text) => (2, text.as_bytes()),
                Value::Blob(bytes) => (3, *bytes),
            };
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        let digest = hash.finalize();
        let first = digest.first_chunk().expect("a digest has 32 bytes");
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(*first));
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn of(rows: &[&[Value<'_>]]) -> RowsDigest {
        let mut digest = RowsDigest::default();
        rows.iter().for_each(|row| digest.add(row));
        digest
    }

    #[test]
    fn every_value_counts_and_the_order_of_rows_does_not() {
        let text = || Value::Text(Cow::Borrowed("a"));
        let (one, two) = (
            [Value::Integer(1), text()],
            [Value::Null, Value::Blob(b"a")],
        );
        assert_eq!(of(&[&one, &two]), of(&[&two, &one]));
        for other in [
            of(&[&one]),
            of(&[&one, &one]),
            of(&[&one, &[Value::Null, text()]]),
            of(&[&one, &[Value::Integer(0), Value::Blob(b"a")]]),
            of(&[&one, &[Value::Blob(b"a"), Value::Null]]),
        ] {
            assert_ne!(other, of(&[&one, &two]));
        }
    }
}
