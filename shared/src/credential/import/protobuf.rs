//! The encoding of protobuf, as far as an export needs it: fields in sequence, borrowed from the
//! bytes. Nothing is copied, nothing recurses; a field that exceeds the bytes makes them invalid.

/// Value of a field. Fixed-width numbers occur in no export, and are skipped.
pub(super) enum ProtobufValue<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

/// Parses the fields of a message, each with its number; `None` if the bytes are no message.
pub(super) fn parse_fields(message: &[u8]) -> Option<Vec<(u64, ProtobufValue<'_>)>> {
    let mut fields = Vec::new();
    let mut bytes = ProtobufBytes { rest: message };
    while !bytes.rest.is_empty() {
        fields.push(bytes.read_field()?);
    }
    Some(fields)
}

/// The bytes of a message that are not parsed yet.
struct ProtobufBytes<'a> {
    rest: &'a [u8],
}

impl<'a> ProtobufBytes<'a> {
    fn read_field(&mut self) -> Option<(u64, ProtobufValue<'a>)> {
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
        (number > 0).then_some((number, value))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(message: &[u8]) -> Option<Vec<(u64, u64)>> {
        let fields = parse_fields(message)?.into_iter();
        let value = |value| match value {
            ProtobufValue::Number(value) => value,
            ProtobufValue::Bytes(_) | ProtobufValue::Other => 0,
        };
        Some(fields.map(|(number, of)| (number, value(of))).collect())
    }

    #[test]
    fn numbers_of_every_length_are_parsed() {
        assert_eq!(numbers(&[0x08, 0]), Some(vec![(1, 0)]));
        assert_eq!(numbers(&[0x10, 0xac, 0x02]), Some(vec![(2, 300)]));
        let most = [&[0x08][..], &[0xff; 9], &[1]].concat();
        assert_eq!(numbers(&most), Some(vec![(1, u64::MAX)]));
        let fixed_width = [0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4];
        assert_eq!(numbers(&fixed_width), Some(vec![(1, 0), (2, 0)]));
    }

    #[test]
    fn malformed_messages_are_refused() {
        let too_long = [&[0x0a][..], &[0xff; 9], &[1]].concat();
        let too_large = [&[0x08][..], &[0xff; 9], &[2]].concat();
        for message in [
            &[0x08][..],
            &[0x08, 0x80],
            &[0x0a, 5, 1],
            &too_long,
            &too_large,
            &[0x00, 0],
            &[0x0b, 0],
            &[0x09, 1],
        ] {
            assert_eq!(numbers(message), None, "{message:?}");
        }
    }
}
