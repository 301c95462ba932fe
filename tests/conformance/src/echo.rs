//! The echo application: it answers each request with what it received, as JSON. At a websocket it
//! returns the bytes that arrive; at `/events` it sends one event and then waits.

use crate::net::echoed::MARK;
use crate::net::reply::read_line;
use serde_json::json;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Longest wait for the next bytes of a client.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest head of a request, in bytes.
const LONGEST_HEAD: u64 = 1024 * 1024;
/// What RFC 6455, section 1.3, appends to a client's key.
const WEBSOCKET: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Serves until the process ends.
pub(crate) fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    for stream in listener.incoming() {
        match stream {
            // A client that disconnects is not an error.
            Ok(stream) => drop(std::thread::spawn(move || answer(stream))),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    Ok(())
}

struct Received {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Received {
    fn read(wire: &mut impl BufRead) -> io::Result<Received> {
        let mut head = wire.take(LONGEST_HEAD);
        let line = read_line(&mut head)?;
        let mut words = line.split(' ');
        let (method, path) = (words.next(), words.next());
        let mut headers = Vec::new();
        while let Some((name, value)) = read_line(&mut head)?.split_once(':') {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Received {
            method: method.unwrap_or_default().to_owned(),
            path: path.unwrap_or_default().to_owned(),
            headers,
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut wire = BufReader::new(stream.try_clone()?);
    let received = Received::read(&mut wire)?;
    if received.method.is_empty() {
        return Ok(());
    }
    if let Some(key) = received.header("Sec-WebSocket-Key") {
        let accept = websocket_accept(key);
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{MARK}: yes\r\n\r\n"
        )?;
        return io::copy(&mut wire, &mut stream).map(drop);
    }
    if received.path.split('?').next() == Some("/events") {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{MARK}: yes\r\n\
             Connection: close\r\n\r\ndata: one\n\n"
        )?;
        // Nothing follows until the client disconnects.
        return wire.read(&mut [0]).map(drop);
    }
    let length = read_body(&mut wire, &received)?;
    let json = json!({
        "method": received.method,
        "path": received.path,
        "headers": received.headers,
        "body_length": length,
    });
    let body = json.to_string();
    let sent = if received.method == "HEAD" { "" } else { &body };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         {MARK}: yes\r\nConnection: close\r\n\r\n{sent}",
        body.len(),
    )
}

/// Reads and drops the body, and returns its length.
fn read_body(wire: &mut impl BufRead, received: &Received) -> io::Result<u64> {
    if received.header("Transfer-Encoding").is_none() {
        let length = received.header("Content-Length").map(str::parse::<u64>);
        let length = length.and_then(Result::ok).unwrap_or(0);
        return io::copy(&mut wire.take(length), &mut io::sink());
    }
    let mut all = 0;
    loop {
        let line = read_line(wire)?;
        let length = u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
        let length = length.map_err(io::Error::other)?;
        all += io::copy(&mut wire.by_ref().take(length), &mut io::sink())?;
        read_line(wire)?;
        if length == 0 {
            return Ok(all);
        }
    }
}

/// Returns the answer to a client's key (RFC 6455, section 4.2.2).
pub(crate) fn websocket_accept(key: &str) -> String {
    use sha1::Digest;
    let digest = sha1::Sha1::digest(format!("{key}{WEBSOCKET}").as_bytes());
    data_encoding::BASE64.encode(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc_is_accepted() {
        let accept = websocket_accept("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_arrives_is_returned() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || answer(listener.accept().expect("a client").0));
        let mut client = TcpStream::connect(address).expect("it listens");
        let request = b"PUT /a?b HTTP/1.1\r\nX: \xe9\r\nX: 2\r\nContent-Length: 3\r\n\r\nabc";
        client.write_all(request).expect("it reads");
        let reply = crate::net::reply::Reply::read(&mut BufReader::new(client), "PUT", 10_000);
        let format = crate::target::EchoFormat::default();
        let reply = reply.expect("an answer");
        let echoed = crate::net::echoed::Echoed::read(&reply, &format).expect("an echo");
        assert_eq!(
            (echoed.method.as_str(), echoed.path.as_str()),
            ("PUT", "/a?b")
        );
        assert_eq!(echoed.values("x"), ["\u{e9}", "2"]);
        assert_eq!(echoed.body_length, Some(3));
    }
}
