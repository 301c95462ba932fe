//! What the protected application sends on connections that stay open: frames of websockets, and
//! server-sent events.

use data_encoding::BASE64;
use sha1::{Digest, Sha1};
use std::io::{Read, Write};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Longest wait for the browser to ask for the next event.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the value of Sec-WebSocket-Accept for a key (RFC 6455, section 4.2.2).
pub(super) fn accept_key(key: &str) -> String {
    let joined = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(&Sha1::digest(joined.as_bytes()))
}

/// Sends each short frame back. A server's frame has no mask (RFC 6455, section 5.1).
pub(super) fn echo_frames(reader: &mut impl Read, stream: &mut impl Write) -> Option<()> {
    loop {
        let mut head = [0; 2];
        reader.read_exact(&mut head).ok()?;
        let (is_masked, length) = (head[1] & 0x80 != 0, usize::from(head[1] & 0x7f));
        let mut mask = [0; 4];
        if is_masked {
            reader.read_exact(&mut mask).ok()?;
        }
        // A longer frame has its length elsewhere, and no story sends one.
        let mut text = vec![0; (length < 126).then_some(length)?];
        reader.read_exact(&mut text).ok()?;
        let plain = text.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b);
        let frame: Vec<u8> = [head[0], head[1] & 0x7f].into_iter().chain(plain).collect();
        stream.write_all(&frame).ok()?;
    }
}

/// How often the browser has asked for the next event.
#[derive(Default)]
pub(super) struct Nudges {
    count: Mutex<u32>,
    added: Condvar,
}

impl Nudges {
    pub(super) fn add(&self) {
        *self.count.lock().expect("no thread panicked") += 1;
        self.added.notify_all();
    }

    fn count(&self) -> u32 {
        *self.count.lock().expect("no thread panicked")
    }

    /// Waits until there are more than this many.
    fn wait_beyond(&self, count: u32) -> Option<()> {
        let guard = self.count.lock().expect("no thread panicked");
        let is_short = |now: &mut u32| *now <= count;
        let waited = self
            .added
            .wait_timeout_while(guard, PATIENCE, is_short)
            .expect("no thread panicked");
        (!waited.1.timed_out()).then_some(())
    }
}

/// Sends three events, each once the browser has asked for it: a proxy that holds an event back
/// keeps the browser from asking for the next one.
pub(super) fn send_events(stream: &mut impl Write, nudges: &Nudges) -> Option<()> {
    let asked = nudges.count();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).ok()?;
    for (name, number) in ["one", "two", "three"].into_iter().zip(0..) {
        if number > 0 {
            nudges.wait_beyond(asked + number - 1)?;
        }
        stream
            .write_all(format!("data: {name}\n\n").as_bytes())
            .ok()?;
    }
    nudges.wait_beyond(asked + 2)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_key_of_the_standard_is_accepted() {
        let accept = super::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
