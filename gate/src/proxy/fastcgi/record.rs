//! Records, the frames of FastCGI (section 3.3): a header of 8 bytes, content and padding.

/// Length of a header, in bytes.
pub(super) const HEADER: usize = 8;
/// Longest content, in bytes.
const MAX_CONTENT: usize = 65_535;
const VERSION: u8 = 1;

/// Types of records (section 8).
pub(super) const BEGIN_REQUEST: u8 = 1;
pub(super) const ABORT_REQUEST: u8 = 2;
pub(super) const END_REQUEST: u8 = 3;
pub(super) const PARAMS: u8 = 4;
pub(super) const STDOUT: u8 = 6;
pub(super) const GET_VALUES: u8 = 9;
pub(super) const GET_VALUES_RESULT: u8 = 10;
pub(super) const UNKNOWN_TYPE: u8 = 11;

/// Request id of management records, which belong to no request.
pub(super) const MANAGEMENT: u16 = 0;

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) kind: u8,
    pub(super) id: u16,
    /// Lengths of what follows, in bytes.
    pub(super) content: usize,
    pub(super) padding: usize,
}

impl RecordHeader {
    /// Parses a header; none if it is of another version.
    pub(super) fn parse(bytes: [u8; HEADER]) -> Option<RecordHeader> {
        let [version, kind, id1, id0, length1, length0, padding, _] = bytes;
        (version == VERSION).then_some(RecordHeader {
            kind,
            id: u16::from_be_bytes([id1, id0]),
            content: usize::from(u16::from_be_bytes([length1, length0])),
            padding: usize::from(padding),
        })
    }
}

/// Appends content as records, as many as it takes. Empty content makes one empty record.
pub(super) fn write_records(out: &mut Vec<u8>, kind: u8, id: u16, content: &[u8]) {
    let mut rest = content;
    loop {
        let (part, later) = rest.split_at(rest.len().min(MAX_CONTENT));
        let length = u16::try_from(part.len()).expect("at most MAX_CONTENT bytes");
        let ([id1, id0], [length1, length0]) = (id.to_be_bytes(), length.to_be_bytes());
        out.extend_from_slice(&[VERSION, kind, id1, id0, length1, length0, 0, 0]);
        out.extend_from_slice(part);
        if later.is_empty() {
            return;
        }
        rest = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let mut out = Vec::new();
        write_records(&mut out, PARAMS, 0x0102, b"abc");
        let header = RecordHeader::parse(out[..HEADER].try_into().unwrap());
        let expected = RecordHeader {
            kind: PARAMS,
            id: 0x0102,
            content: 3,
            padding: 0,
        };
        assert_eq!((header, &out[HEADER..]), (Some(expected), &b"abc"[..]));
        out[0] = 2;
        let other = RecordHeader::parse(out[..HEADER].try_into().unwrap());
        assert_eq!(other, None, "another version");
    }

    #[test]
    fn long_content_takes_several_records_and_no_content_takes_one() {
        for (length, records) in [(0, 1), (1, 1), (MAX_CONTENT, 1), (MAX_CONTENT + 1, 2)] {
            let mut out = Vec::new();
            write_records(&mut out, STDOUT, 1, &vec![b'a'; length]);
            assert_eq!(out.len(), length + records * HEADER, "{length}");
        }
    }
}
