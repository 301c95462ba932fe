//! A client of the gate's `fastcgi:` listener, which sends what Apache sends, and anything else.

use crate::web::gate::Reply;
use crate::web::setup::PROOF;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The listener that the sample of Apache names.
const LISTENER: &str = "127.0.0.1:9092";

/// Types of FastCGI records.
const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDOUT: u8 = 6;

const AUTHORIZER: u16 = 2;

/// One connection to the listener.
pub struct FastcgiWire(TcpStream);

/// What the gate sent until it closed the connection.
#[derive(Debug)]
pub struct FastcgiReply {
    /// The reply to the check, if there is one.
    pub reply: Option<Reply>,
    /// Request id and protocol status of each record that ends a request.
    pub ended: Vec<(u16, u8)>,
}

impl FastcgiReply {
    #[track_caller]
    pub fn reply(self) -> Reply {
        let text = format!("{self:?}");
        self.reply.unwrap_or_else(|| panic!("no reply in {text}"))
    }
}

impl FastcgiWire {
    #[track_caller]
    pub fn open() -> FastcgiWire {
        let stream = TcpStream::connect(LISTENER).expect("the gate listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .expect("a timeout");
        FastcgiWire(stream)
    }

    /// Sends bytes as they are.
    pub fn sends(&mut self, bytes: &[u8]) -> &mut FastcgiWire {
        // The gate may have closed the connection already.
        let _ = self.0.write_all(bytes);
        self
    }

    /// Sends the parameters of a check of a page load, and returns the reply.
    #[track_caller]
    pub fn checks(&mut self, params: &[(&str, &str)]) -> Reply {
        self.sends(&fastcgi_request(1, params)).reads().reply()
    }

    /// Reads until the gate closes the connection.
    #[track_caller]
    pub fn reads(&mut self) -> FastcgiReply {
        let mut bytes = Vec::new();
        // A reset ends what can be read.
        let _ = self.0.read_to_end(&mut bytes);
        let (mut rest, mut response, mut ended) = (bytes.as_slice(), Vec::new(), Vec::new());
        while let Some((header, later)) = rest.split_first_chunk::<8>() {
            let [_, kind, id1, id0, length1, length0, padding, _] = *header;
            let length = usize::from(u16::from_be_bytes([length1, length0]));
            let (content, later) = later.split_at(length);
            match kind {
                STDOUT => response.extend_from_slice(content),
                END_REQUEST => ended.push((u16::from_be_bytes([id1, id0]), content[4])),
                _ => {}
            }
            rest = &later[usize::from(padding)..];
        }
        assert!(rest.is_empty(), "a record is cut off: {bytes:?}");
        FastcgiReply {
            reply: parse_response(&String::from_utf8_lossy(&response)),
            ended,
        }
    }
}

fn parse_response(text: &str) -> Option<Reply> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let headers: Vec<_> = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let (_, status) = headers.iter().find(|(name, _)| name == "status")?;
    Some(Reply {
        status: status.split(' ').next()?.parse().ok()?,
        headers,
        body: body.to_owned(),
    })
}

/// Parameters of a check of a page load, as Apache sends them.
#[must_use]
pub fn fastcgi_params() -> Vec<(&'static str, &'static str)> {
    vec![
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_SCHEME", "https"),
        ("REQUEST_URI", "/page?q=1"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("HTTP_HOST", "app.example.test:8443"),
        ("HTTP_SEC_FETCH_MODE", "navigate"),
        ("HTTP_X_POSTERN_PROXY", PROOF),
        ("SERVER_SOFTWARE", "Apache"),
    ]
}

/// Returns a whole request.
#[must_use]
pub fn fastcgi_request(id: u16, params: &[(&str, &str)]) -> Vec<u8> {
    let mut content = Vec::new();
    for (name, value) in params {
        for text in [name, value] {
            let length = u32::try_from(text.len()).expect("a short text");
            content.extend_from_slice(&(length | 0x8000_0000).to_be_bytes());
        }
        content.extend_from_slice(name.as_bytes());
        content.extend_from_slice(value.as_bytes());
    }
    let parts = content.chunks(16 * 1024);
    let parts: Vec<_> = parts.map(|part| fastcgi_record(PARAMS, id, part)).collect();
    let begin = fastcgi_begin(id, AUTHORIZER);
    [begin, parts.concat(), fastcgi_record(PARAMS, id, b"")].concat()
}

/// Returns the record that begins a request of a role.
#[must_use]
pub fn fastcgi_begin(id: u16, role: u16) -> Vec<u8> {
    let [role1, role0] = role.to_be_bytes();
    fastcgi_record(BEGIN_REQUEST, id, &[role1, role0, 0, 0, 0, 0, 0, 0])
}

/// Returns a record of a type.
#[must_use]
pub fn fastcgi_record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("one record");
    let ([id1, id0], [length1, length0]) = (id.to_be_bytes(), length.to_be_bytes());
    [&[1, kind, id1, id0, length1, length0, 0, 0], content].concat()
}
