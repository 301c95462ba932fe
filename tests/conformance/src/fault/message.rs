//! Requests and responses as the faulty proxy reads and writes them, also malformed ones.

use crate::net::browser::to_latin_1;
use crate::net::reply::{Reply, latin_1};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest head, in bytes.
const LONGEST_HEAD: usize = 1024 * 1024;
/// Longest body of a form, in bytes.
const LONGEST_FORM: usize = 64 * 1024;

/// A request whose head has arrived, with the part of the body that came with it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) version: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Reads a head, and the body if it is a form. Fails at what is no request.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Request> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
                break end;
            }
            let length = stream.read_buf(&mut bytes).await?;
            if length == 0 || bytes.len() > LONGEST_HEAD {
                return Err(io::Error::other("no head of a request"));
            }
        };
        let text = latin_1(&bytes[..end]);
        let (line, lines) = text.split_once("\r\n").unwrap_or((&text, ""));
        let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (target, version) = rest.rsplit_once(' ').unwrap_or((rest, ""));
        let headers = lines.split("\r\n").filter_map(|line| line.split_once(':'));
        let mut request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version.to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            body: bytes.split_off(end + 4),
        };
        if request.value("Content-Type").contains("form-urlencoded") {
            let length = request.value("Content-Length").parse().unwrap_or(0);
            while request.body.len() < usize::min(length, LONGEST_FORM) {
                if stream.read_buf(&mut request.body).await? == 0 {
                    break;
                }
            }
        }
        Ok(request)
    }

    /// Returns the values of a header, joined; empty if it is missing.
    pub(super) fn value(&self, name: &str) -> String {
        let headers = self.headers.iter();
        let same = headers.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Counts the lines of a header.
    pub(super) fn count(&self, name: &str) -> usize {
        let headers = self.headers.iter();
        headers
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .count()
    }

    /// Replaces a header by one line.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Returns the value of a field of the form; `None` if there is none.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let mut fields = form_urlencoded::parse(&self.body);
        let found = fields.find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    }

    /// Returns the request as it goes on.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} {}\r\n", self.method, self.target, self.version);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut bytes = to_latin_1(&(text + "\r\n"));
        bytes.extend(&self.body);
        bytes
    }
}

/// Returns a response as it is sent to the client.
pub(super) fn reply_bytes(reply: &Reply) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} Faulty\r\n", reply.status);
    for (name, value) in &reply.headers {
        if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    let length = reply.body.len();
    text.push_str(&format!(
        "content-length: {length}\r\nconnection: close\r\n\r\n"
    ));
    let mut bytes = to_latin_1(&text);
    bytes.extend(&reply.body);
    bytes
}
