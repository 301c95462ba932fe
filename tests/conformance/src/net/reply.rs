//! A response of HTTP/1.1.

use std::io::{self, BufRead, Read};

/// A response. Bytes outside of ASCII stand in texts as the characters U+0080 to U+00FF.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Reads a response to a request of this method. Of a longer body, `longest` bytes are kept.
    pub(crate) fn read(wire: &mut impl BufRead, method: &str, longest: u64) -> io::Result<Reply> {
        let mut reply = Reply::read_head(wire, longest)?;
        while (100..200).contains(&reply.status) && reply.status != 101 {
            reply = Reply::read_head(wire, longest)?;
        }
        if method == "HEAD" || matches!(reply.status, 101 | 204 | 304) {
            return Ok(reply);
        }
        let chunked = reply
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let length = reply.header("content-length").map(str::parse::<u64>);
        reply.body = match length {
            _ if chunked => read_chunks(wire, longest)?,
            Some(Ok(length)) => {
                let mut body = Vec::new();
                wire.take(length.min(longest)).read_to_end(&mut body)?;
                body
            }
            Some(Err(_)) => return Err(io::Error::other("a Content-Length that is no number")),
            None => {
                let mut body = Vec::new();
                // Servers end the connection without a close_notify too.
                let _ = wire.take(longest).read_to_end(&mut body);
                body
            }
        };
        Ok(reply)
    }

    /// Reads status and headers.
    pub(crate) fn read_head(wire: &mut impl BufRead, longest: u64) -> io::Result<Reply> {
        let mut head = wire.take(longest);
        let line = read_line(&mut head)?;
        if line.is_empty() {
            let message = "the connection ended without a response";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {line:?}")))?;
        let mut headers = Vec::new();
        while let Some((name, value)) = read_line(&mut head)?.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Reply {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// Returns the first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns all values of a header.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = self.headers.iter().filter(move |(key, _)| key == name);
        same.map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns status and Location, for messages.
    pub(crate) fn summary(&self) -> String {
        match self.header("location") {
            Some(location) => format!("{} to {location}", self.status),
            None => self.status.to_string(),
        }
    }
}

/// Reads bytes as the characters U+0000 to U+00FF.
pub(crate) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Reads a line without its end; empty where the connection ends.
pub(crate) fn read_line(wire: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    wire.read_until(b'\n', &mut line)?;
    Ok(latin_1(&line).trim_end_matches(['\r', '\n']).to_owned())
}

fn read_chunks(wire: &mut impl BufRead, longest: u64) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(wire)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = u64::from_str_radix(digits, 16)
            .map_err(|_| io::Error::other(format!("no length of a chunk in {line:?}")))?;
        if length == 0 || body.len() as u64 + length > longest {
            return Ok(body);
        }
        wire.by_ref().take(length).read_to_end(&mut body)?;
        read_line(wire)?;
    }
}
