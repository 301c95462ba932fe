//! The application for the length of a check (`--listen`): it shows which requests pass the proxy,
//! and with which headers they arrive. It answers everything with an empty page.
//!
//! MUST NOT print or keep what arrives from others: only requests of this run are recorded.

use crate::terminal::output::{CommandFailure, CommandResult};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest wait for the next bytes of a client.
const PATIENCE: Duration = Duration::from_secs(5);
/// Limit of a request's head, in bytes, and of connections at once.
const LARGEST_HEAD: u64 = 128 * 1024;
const MOST_CONNECTIONS: usize = 32;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A request as the application receives it.
#[derive(Clone, Debug, Default)]
pub(super) struct ArrivedRequest {
    /// Headers, with names as they arrived.
    pub(super) headers: Vec<(String, String)>,
}

impl ArrivedRequest {
    /// Returns the values of the headers that a CGI application reads by this name: it cannot tell
    /// `_` and `.` from `-`.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = move |key: &str| {
            let plain = |byte: u8| match byte.is_ascii_alphanumeric() {
                true => byte.to_ascii_lowercase(),
                false => b'_',
            };
            key.bytes().map(plain).eq(name.bytes().map(plain))
        };
        let found = self.headers.iter().filter(move |(key, _)| same(key));
        found.map(|(_, value)| value.as_str())
    }
}

type Arrivals = Arc<Mutex<BTreeMap<u32, ArrivedRequest>>>;

/// The application while it listens.
pub(super) struct RecordingApplication {
    arrivals: Arrivals,
}

impl RecordingApplication {
    /// Listens until the command ends. Requests of this run are those whose User-Agent has the
    /// token.
    pub(super) fn start(address: SocketAddr, token: &str) -> CommandResult<RecordingApplication> {
        let listener = TcpListener::bind(address).map_err(|error| {
            CommandFailure::new(format_args!(
                "--listen {address}: {error}; stop the application for the length of the check, or lead the proxy to another port"
            ))
        })?;
        let arrivals = Arrivals::default();
        let (kept, token) = (Arc::clone(&arrivals), token.to_owned());
        let open = Arc::new(AtomicUsize::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if open.fetch_add(1, Ordering::SeqCst) >= MOST_CONNECTIONS {
                    open.fetch_sub(1, Ordering::SeqCst);
                    continue;
                }
                let (kept, token, open) = (Arc::clone(&kept), token.clone(), Arc::clone(&open));
                std::thread::spawn(move || {
                    // a client that disconnects is no error here
                    let _ = serve(stream, &token, &kept);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(RecordingApplication { arrivals })
    }

    /// Returns the request of this number, if it arrived.
    pub(super) fn arrived(&self, number: u32) -> Option<ArrivedRequest> {
        let arrivals = self.arrivals.lock();
        arrivals
            .unwrap_or_else(PoisonError::into_inner)
            .get(&number)
            .cloned()
    }
}

fn serve(mut stream: TcpStream, token: &str, arrivals: &Arrivals) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = read_request(stream.try_clone()?)?;
    let number = request
        .values("user-agent")
        .find_map(|agent| request_number(agent, token));
    if let Some(number) = number {
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.insert(number, request);
    }
    stream.write_all(ANSWER)
}

fn read_request(stream: impl Read) -> io::Result<ArrivedRequest> {
    let mut reader = BufReader::new(stream.take(LARGEST_HEAD));
    let mut request = ArrivedRequest::default();
    let mut is_first = true;
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line);
        match line.trim_end_matches(['\r', '\n']) {
            "" if !is_first => return Ok(request),
            line => {
                if let Some((name, value)) = line.split_once(':').filter(|_| !is_first) {
                    let pair = (name.to_owned(), value.trim().to_owned());
                    request.headers.push(pair);
                }
            }
        }
        is_first = false;
    }
}

/// Returns the number in the User-Agent of a request of this run.
fn request_number(agent: &str, token: &str) -> Option<u32> {
    let (_, rest) = agent.split_once(token)?;
    let number = rest.strip_prefix("; ")?.strip_suffix(')')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_token_and_number() {
        let agent = "postern-check/0.1.0 (0123abcd; 17)";
        assert_eq!(request_number(agent, "0123abcd"), Some(17));
        assert_eq!(request_number(agent, "0123abce"), None);
        assert_eq!(request_number("0123abcd; x)", "0123abcd"), None);
    }

    #[test]
    fn an_alias_has_the_name_that_cgi_applications_read() {
        let text = "GET / HTTP/1.1\r\nRemote_User: a\r\nremote.user:b\r\nRemote-Users: c\r\n\r\n";
        let request = read_request(text.as_bytes()).unwrap();
        let values: Vec<_> = request.values("Remote-User").collect();
        assert_eq!(values, ["a", "b"]);
    }

    #[test]
    fn a_head_without_end_is_an_error() {
        let long = format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(50_000));
        for text in ["", "GET / HTTP/1.1\r\nA: b\r\n", &long] {
            assert!(read_request(text.as_bytes()).is_err());
        }
    }
}
