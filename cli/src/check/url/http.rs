//! HTTP/1.1 (RFC 9112) as an attacker writes it: requests may be malformed on purpose. Answers are
//! hostile input: every size has a limit.

use std::io::{self, Read};

/// Limits of an answer, in bytes; and of its header lines.
const LARGEST_HEAD: usize = 64 * 1024;
const LARGEST_BODY: usize = 256 * 1024;
const MOST_LINES: usize = 200;
/// Interim answers (1xx) before the answer.
const MOST_INTERIM: usize = 4;

/// A request, with its header lines as they are sent.
#[derive(Clone, Debug)]
pub(super) struct ProbeRequest {
    pub(super) method: &'static str,
    pub(super) target: String,
    /// Value of the Host header, if it is not that of the origin.
    pub(super) host: Option<String>,
    pub(super) lines: Vec<String>,
    pub(super) body: String,
}

impl ProbeRequest {
    /// Returns a request of a program: without the headers of browsers.
    pub(super) fn program(method: &'static str, target: &str) -> ProbeRequest {
        ProbeRequest {
            method,
            target: target.to_owned(),
            host: None,
            lines: vec!["Accept: */*".to_owned()],
            body: String::new(),
        }
    }

    /// Returns a request as browsers load a page.
    pub(super) fn page(target: &str) -> ProbeRequest {
        let mut request = ProbeRequest::program("GET", target);
        request.lines = ["Accept: text/html,*/*;q=0.8", "Sec-Fetch-Mode: navigate"]
            .map(str::to_owned)
            .into();
        request
    }

    /// Returns a request as scripts of a page send it.
    pub(super) fn script(method: &'static str, target: &str) -> ProbeRequest {
        ProbeRequest::program(method, target).line("Sec-Fetch-Mode: cors")
    }

    /// Adds a header line.
    pub(super) fn line(mut self, line: impl Into<String>) -> ProbeRequest {
        self.lines.push(line.into());
        self
    }

    pub(super) fn host(mut self, host: impl Into<String>) -> ProbeRequest {
        self.host = Some(host.into());
        self
    }

    /// Adds a form, with the origin of its page.
    pub(super) fn form(mut self, origin: &str, fields: &[(&str, &str)]) -> ProbeRequest {
        self.method = "POST";
        self.lines.push(format!("Origin: {origin}"));
        self.lines
            .push("Content-Type: application/x-www-form-urlencoded".to_owned());
        let escape = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let pairs = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", escape(value)));
        self.body = pairs.collect::<Vec<_>>().join("&");
        self
    }

    /// Returns the bytes of the request. Unless a line sets another Connection, the server closes
    /// the connection after its answer.
    pub(super) fn to_bytes(&self, authority: &str, agent: &str) -> Vec<u8> {
        let host = self.host.as_deref().unwrap_or(authority);
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {host}\r\n",
            self.method, self.target
        );
        text.push_str(&format!("User-Agent: {agent}\r\n"));
        if !self
            .lines
            .iter()
            .any(|line| line.starts_with("Connection:"))
        {
            text.push_str("Connection: close\r\n");
        }
        for line in &self.lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        if !self.body.is_empty() || self.method == "POST" || self.method == "PUT" {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

/// An answer. Bytes that are no UTF-8 are replaced.
#[derive(Clone, Debug, Default)]
pub(super) struct ProbeAnswer {
    /// Number of the request, in the order of sending.
    pub(super) number: u32,
    pub(super) status: u16,
    /// Headers, with names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl ProbeAnswer {
    /// Returns the first value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(key, _)| key == name)?;
        Some(&found.1)
    }

    pub(super) fn headers_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = self.headers.iter().filter(move |(key, _)| key == name);
        same.map(|(_, value)| value.as_str())
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Reads the answer to a request of this method.
pub(super) fn read_answer(stream: &mut impl Read, method: &str) -> io::Result<ProbeAnswer> {
    let mut bytes = Vec::new();
    for _ in 0..=MOST_INTERIM {
        let end = read_head(stream, &mut bytes)?;
        let rest = bytes.split_off(end);
        let mut answer = parse_head(&bytes)?;
        bytes = rest;
        let is_interim = (100..200).contains(&answer.status) && answer.status != 101;
        if is_interim {
            continue;
        }
        let has_no_body = method == "HEAD" || matches!(answer.status, 101 | 204 | 304);
        if !has_no_body {
            read_body(stream, &answer, &mut bytes)?;
            answer.body = String::from_utf8_lossy(&bytes).into_owned();
        }
        return Ok(answer);
    }
    Err(invalid("too many interim answers"))
}

/// Reads up to the empty line, and returns where the body begins.
fn read_head(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(at + 4);
        }
        if bytes.len() > LARGEST_HEAD {
            return Err(invalid("the headers are too large"));
        }
        if read_more(stream, bytes)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn parse_head(bytes: &[u8]) -> io::Result<ProbeAnswer> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5)?.parse().ok())
        .filter(|status| (100..600).contains(status))
        .ok_or_else(|| invalid("this is no answer of HTTP/1.1"))?;
    let pairs = lines.take(MOST_LINES).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok(ProbeAnswer {
        status,
        headers: pairs.collect(),
        ..ProbeAnswer::default()
    })
}

/// Reads the body, or its beginning up to the limit. Chunks remain as they are.
fn read_body(stream: &mut impl Read, answer: &ProbeAnswer, bytes: &mut Vec<u8>) -> io::Result<()> {
    let is_chunked = answer.header("transfer-encoding").is_some();
    let length = answer
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let length = length.unwrap_or(LARGEST_BODY).min(LARGEST_BODY);
    while bytes.len() < length && !(is_chunked && bytes.ends_with(b"0\r\n\r\n")) {
        if read_more(stream, bytes)? == 0 {
            break;
        }
    }
    Ok(())
}

fn read_more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 8192];
    let read = match stream.read(&mut buffer) {
        // a TLS connection that ends without saying so
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
        read => read?,
    };
    bytes.extend_from_slice(&buffer[..read]);
    Ok(read)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<ProbeAnswer> {
        read_answer(&mut text.as_bytes(), "GET")
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_not_further() {
        let answer = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
        assert_eq!(answer.header("x-a"), Some("b"));
        let interim = "HTTP/1.1 103 Early\r\n\r\nHTTP/1.0 404 No\r\n\r\nx";
        assert_eq!(read(interim).unwrap().status, 404);
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
        assert_eq!(read_answer(&mut head.as_bytes(), "HEAD").unwrap().body, "");
    }

    #[test]
    fn hostile_answers_are_errors_and_have_limits() {
        for text in [
            "",
            "\r\n\r\n",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 20\r\n\r\n",
            "HTTP/1.1 999 x\r\n\r\n",
            "HTTP/1.1 \u{fc}00 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: y",
            &"HTTP/1.1 100 C\r\n\r\n".repeat(9),
            &format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(90_000)),
        ] {
            assert!(read(text).is_err(), "{:?}", text.get(..40));
        }
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(2 * LARGEST_BODY));
        assert!(read(&endless).unwrap().body.len() <= LARGEST_BODY + 8192);
        let lines = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a:b\r\n".repeat(1000));
        assert_eq!(read(&lines).unwrap().headers.len(), MOST_LINES);
    }

    #[test]
    fn a_form_has_its_length_and_hides_no_second_field() {
        let request = ProbeRequest::page("/s").form("https://a", &[("user", "a&b=c\r\n")]);
        let text = String::from_utf8(request.to_bytes("a", "agent")).unwrap();
        assert!(
            text.ends_with("Content-Length: 20\r\n\r\nuser=a%26b%3Dc%0D%0A"),
            "{text}"
        );
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    }
}
