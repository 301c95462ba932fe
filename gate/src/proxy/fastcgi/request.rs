//! The proxy's side of one connection: bytes in, until the request is complete.
//!
//! MUST hold no more than [`MAX_PARAMS`] and [`MAX_SMALL`] bytes, whatever the peer sends.

use super::params::{pairs, write_pair};
use super::record::{
    ABORT_REQUEST, BEGIN_REQUEST, END_REQUEST, GET_VALUES, GET_VALUES_RESULT, HEADER, MANAGEMENT,
    PARAMS, RecordHeader, UNKNOWN_TYPE, write_records,
};

/// Size limit of a request's parameters, in bytes, as of the headers of an HTTP request.
const MAX_PARAMS: usize = 64 * 1024;
/// Limit on all bytes of a connection: Apache sends the whole request before it reads the reply,
/// and 100 headers of 8 KiB are within its own limits.
const MAX_RECEIVED: usize = 1024 * 1024;
/// Size limit of a record with another content than parameters, in bytes.
const MAX_SMALL: usize = 1024;
/// Limit on records of management that are answered.
const MAX_ANSWERED: usize = 16;

/// Role of a request (section 5.1).
const AUTHORIZER: u16 = 2;

/// Results of a request that ends without a reply (section 5.5).
const CANNOT_MULTIPLEX: u8 = 1;
const UNKNOWN_ROLE: u8 = 3;
pub(super) const REQUEST_COMPLETE: u8 = 0;

/// What is to be done after the bytes that were received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More bytes are awaited.
    Incomplete,
    /// The request is complete.
    Complete(Request),
    /// The connection must be closed: the request was aborted, or has another role.
    Close,
}

/// A request whose records are complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: u16,
    /// None if they are longer than the limit.
    pub(crate) params: Option<Vec<u8>>,
}

/// Bytes that are no FastCGI, or more than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProtocolError;

/// A request while it is received.
#[derive(Default)]
pub(crate) struct RequestReader {
    received: usize,
    answered: usize,
    /// Id of the request, none before it has begun.
    id: Option<u16>,
    params: Params,
    header: Vec<u8>,
    record: Option<OpenRecord>,
    output: Vec<u8>,
}

/// A record whose content or padding is incomplete.
struct OpenRecord {
    header: RecordHeader,
    /// Bytes that are missing.
    content: usize,
    padding: usize,
    /// Content of a record that is read as a whole.
    small: Vec<u8>,
}

/// Parameters as far as they are received; none if they are longer than the limit.
struct Params(Option<Vec<u8>>);

impl Default for Params {
    fn default() -> Params {
        Params(Some(Vec::new()))
    }
}

impl Params {
    fn push(&mut self, bytes: &[u8]) {
        let fits = |params: &Vec<u8>| params.len() + bytes.len() <= MAX_PARAMS;
        self.0 = self.0.take().filter(fits).map(|mut params| {
            params.extend_from_slice(bytes);
            params
        });
    }
}

impl RequestReader {
    /// Takes bytes of the peer. After [`Progress::Complete`] and [`Progress::Close`] nothing more is
    /// read.
    pub(crate) fn receive(&mut self, mut bytes: &[u8]) -> Result<Progress, ProtocolError> {
        self.received = self.received.saturating_add(bytes.len());
        if self.received > MAX_RECEIVED {
            return Err(ProtocolError);
        }
        while !bytes.is_empty() {
            let Some(open) = &mut self.record else {
                bytes = self.receive_header(bytes)?;
                // A record may have neither content nor padding.
                match self.end_record()? {
                    Progress::Incomplete => continue,
                    ended => return Ok(ended),
                }
            };
            let (content, rest) = bytes.split_at(open.content.min(bytes.len()));
            open.content -= content.len();
            match is_params(&open.header, self.id) {
                true => self.params.push(content),
                false if open.small.len() + content.len() <= MAX_SMALL => {
                    open.small.extend_from_slice(content);
                }
                false => {}
            }
            let skipped = open.padding.min(rest.len());
            if open.content == 0 {
                open.padding -= skipped;
                bytes = &rest[skipped..];
            } else {
                bytes = rest;
            }
            match self.end_record()? {
                Progress::Incomplete => {}
                ended => return Ok(ended),
            }
        }
        Ok(Progress::Incomplete)
    }

    /// Returns what must be sent to the peer, and forgets it.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn receive_header<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], ProtocolError> {
        let missing = HEADER - self.header.len();
        let (part, rest) = bytes.split_at(missing.min(bytes.len()));
        self.header.extend_from_slice(part);
        if let Ok(whole) = <[u8; HEADER]>::try_from(self.header.as_slice()) {
            let header = RecordHeader::parse(whole).ok_or(ProtocolError)?;
            self.header.clear();
            self.record = Some(OpenRecord {
                header,
                content: header.content,
                padding: header.padding,
                small: Vec::new(),
            });
        }
        Ok(rest)
    }

    /// Ends the record, if it is complete.
    fn end_record(&mut self) -> Result<Progress, ProtocolError> {
        let is_complete = |open: &mut OpenRecord| open.content == 0 && open.padding == 0;
        let Some(OpenRecord { header, small, .. }) = self.record.take_if(is_complete) else {
            return Ok(Progress::Incomplete);
        };
        match (header.kind, header.id) {
            (kind, MANAGEMENT) => self.answer_management(kind, header.content, &small),
            (BEGIN_REQUEST, id) => self.begin(id, &small),
            (ABORT_REQUEST, id) if self.id == Some(id) => {
                self.end_request(id, REQUEST_COMPLETE);
                Ok(Progress::Close)
            }
            (PARAMS, id) if self.id == Some(id) && header.content == 0 => {
                let params = std::mem::take(&mut self.params).0;
                Ok(Progress::Complete(Request { id, params }))
            }
            // Parameters before their end; a body, which an Authorizer does not read; and records
            // of a request that has not begun, which section 3.3 lets ignore.
            _ => Ok(Progress::Incomplete),
        }
    }

    fn begin(&mut self, id: u16, body: &[u8]) -> Result<Progress, ProtocolError> {
        let [role1, role0, _flags, _, _, _, _, _] = *body else {
            return Err(ProtocolError);
        };
        match self.id {
            // The request begins twice.
            Some(open) if open == id => return Err(ProtocolError),
            Some(_) => {
                self.count_answer()?;
                self.end_request(id, CANNOT_MULTIPLEX);
                return Ok(Progress::Incomplete);
            }
            None => {}
        }
        if u16::from_be_bytes([role1, role0]) != AUTHORIZER {
            self.end_request(id, UNKNOWN_ROLE);
            return Ok(Progress::Close);
        }
        self.id = Some(id);
        Ok(Progress::Incomplete)
    }

    fn answer_management(
        &mut self,
        kind: u8,
        length: usize,
        content: &[u8],
    ) -> Result<Progress, ProtocolError> {
        self.count_answer()?;
        if kind != GET_VALUES {
            let body = [kind, 0, 0, 0, 0, 0, 0, 0];
            write_records(&mut self.output, UNKNOWN_TYPE, MANAGEMENT, &body);
            return Ok(Progress::Incomplete);
        }
        if length > MAX_SMALL {
            return Err(ProtocolError);
        }
        let mut values = Vec::new();
        for pair in pairs(content) {
            let (name, _) = pair.map_err(|_| ProtocolError)?;
            // The number of connections is limited by what else is open, so it is not said.
            if name == b"FCGI_MPXS_CONNS" {
                values.clear();
                write_pair(&mut values, name, b"0");
            }
        }
        write_records(&mut self.output, GET_VALUES_RESULT, MANAGEMENT, &values);
        Ok(Progress::Incomplete)
    }

    fn count_answer(&mut self) -> Result<(), ProtocolError> {
        self.answered += 1;
        match self.answered > MAX_ANSWERED {
            true => Err(ProtocolError),
            false => Ok(()),
        }
    }

    fn end_request(&mut self, id: u16, result: u8) {
        write_end(&mut self.output, id, result);
    }
}

fn is_params(header: &RecordHeader, id: Option<u16>) -> bool {
    header.kind == PARAMS && header.id != MANAGEMENT && id == Some(header.id)
}

/// Appends the end of a request, with exit status 0.
pub(super) fn write_end(out: &mut Vec<u8>, id: u16, result: u8) {
    write_records(out, END_REQUEST, id, &[0, 0, 0, 0, result, 0, 0, 0]);
}

#[cfg(test)]
mod tests;
