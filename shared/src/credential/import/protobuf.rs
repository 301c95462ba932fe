//! The encoding of protobuf, as far as an export needs it: fields in sequence, borrowed from the
//! bytes. Nothing is copied, nothing recurses; a field that exceeds the bytes ends the parsing.

pub(super) struct ProtobufField<'a> {
    pub(super) number: u64,
    pub(super) value: ProtobufValue<'a>,
}

/// Value of a field. Fixed-width numbers occur in no export, and are skipped.
pub(super) enum ProtobufValue<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

/// The bytes are no message.
#[derive(Debug)]
pub(super) struct ProtobufError;

/// Iterator over the fields of a message. It ends after an error.
pub(super) struct ProtobufFields<'a> {
    rest: &'a [u8],
}

impl<'a> ProtobufFields<'a> {
    pub(super) fn new(message: &'a [u8]) -> ProtobufFields<'a> {
        ProtobufFields { rest: message }
    }

    fn read_field(&mut self) -> Option<ProtobufField<'a>> {
        let key = self.read_varint()?;
        let value = match key & 7 {
            0 => ProtobufValue::Number(self.read_varint()?),
            1 => self.read_bytes(8).map(|_| ProtobufValue::Other)?,
            2 => {
                let length = self.read_varint()?;
                ProtobufValue::Bytes(self.read_bytes(usize::try_from(length).ok()?)?)
            }
            5 => self.read_bytes(4).map(|_| ProtobufValue::Other)?,
            _ => return None,
        };
        let number = key >> 3;
        (number > 0).then_some(ProtobufField { number, value })
    }

    /// Reads at most ten bytes of seven bits each; the tenth has only the 64th bit.
    fn read_varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            if shift == 63 && *byte > 1 {
                return None;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn read_bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }
}

impl<'a> Iterator for ProtobufFields<'a> {
    type Item = Result<ProtobufField<'a>, ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read_field().ok_or(ProtobufError);
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(message: &[u8]) -> Option<Vec<(u64, u64)>> {
        ProtobufFields::new(message)
            .map(|field| match field {
                Ok(ProtobufField {
                    number,
                    value: ProtobufValue::Number(value),
                }) => Some((number, value)),
                Ok(ProtobufField { number, .. }) => Some((number, 0)),
                Err(ProtobufError) => None,
            })
            .collect()
    }

    #[test]
    fn numbers_of_every_length_are_parsed() {
        assert_eq!(numbers(&[0x08, 0]), Some(vec![(1, 0)]));
        assert_eq!(numbers(&[0x10, 0xac, 0x02]), Some(vec![(2, 300)]));
        let most = [&[0x08][..], &[0xff; 9], &[1]].concat();
        assert_eq!(numbers(&most), Some(vec![(1, u64::MAX)]));
        assert_eq!(
            numbers(&[0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4]),
            Some(vec![(1, 0), (2, 0)])
        );
    }

    #[test]
    fn malformed_messages_are_refused() {
        for message in [
            &[0x08][..],
            &[0x08, 0x80],
            &[0x0a, 5, 1],
            &[
                0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
            &[
                0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,
            ],
            &[0x00, 0],
            &[0x0b, 0],
            &[0x09, 1],
        ] {
            assert_eq!(numbers(message), None, "{message:?}");
        }
    }
}
