//! Invariants of frames on posternd's sockets, from either side, whatever the bytes are. The fuzz
//! targets and shared/tests/frames.rs, which needs no nightly, call these checks.

use postern_shared::protocol::command_request::CommandRequest;
use postern_shared::protocol::fleet::{HostGreeting, HostRequest, ServerReply};
use postern_shared::protocol::{
    CommandReply, Frame, FrameError, Greeting, GreetingState, Instruction, Opening, RelayReply,
    common_version, receive, send,
};
use postern_shared::protocol::{command_request, wire};
use std::io::{self, ErrorKind, Read};

/// Reads frames of posternd as the module does: a greeting, then instructions. Returns whether the
/// last one is `End`.
pub fn module_reads(bytes: &[u8]) -> bool {
    let mut stream = Stream::new(bytes);
    let Some(greeting) = next::<Greeting>(&mut stream) else {
        return false;
    };
    // Only a version that both sides list is used.
    let version = common_version(&greeting.versions);
    assert!(version.is_none_or(|version| greeting.versions.contains(&version)));
    while let Some(instruction) = next::<Instruction>(&mut stream) {
        if matches!(instruction, Instruction::End(_)) {
            return true;
        }
    }
    false
}

/// Reads frames of a module as posternd does: an opening, then replies. Returns whether nothing
/// else follows.
pub fn posternd_reads(bytes: &[u8]) -> bool {
    let mut stream = Stream::new(bytes);
    match next::<Opening>(&mut stream) {
        None => return false,
        Some(Opening::Command { request, .. }) => return is_understood::<CommandRequest>(&request),
        Some(_) => {}
    }
    while next::<RelayReply>(&mut stream).is_some() {}
    stream.rest.is_empty()
}

/// Reads frames of a host of a fleet as a server does. Returns whether nothing else follows.
pub fn server_reads(bytes: &[u8]) -> bool {
    let mut stream = Stream::new(bytes);
    while next::<HostRequest>(&mut stream).is_some() {}
    stream.rest.is_empty()
}

/// Reads frames of a server as a host of a fleet does: a greeting, then replies. Returns whether
/// nothing else follows.
pub fn host_reads(bytes: &[u8]) -> bool {
    let mut stream = Stream::new(bytes);
    if next::<HostGreeting>(&mut stream).is_none() {
        return false;
    }
    while next::<ServerReply>(&mut stream).is_some() {}
    stream.rest.is_empty()
}

/// Reads frames of posternd as a command without root does: a greeting and a reply. Returns whether
/// both are valid.
pub fn command_reads(bytes: &[u8]) -> bool {
    let mut stream = Stream::new(bytes);
    let Some(greeting) = next::<Greeting>(&mut stream) else {
        return false;
    };
    if greeting.state != GreetingState::Ready || common_version(&greeting.versions).is_none() {
        return false;
    }
    let Some(CommandReply(reply)) = next::<CommandReply>(&mut stream) else {
        return false;
    };
    is_understood::<command_request::EngineReply>(&reply)
}

/// Returns whether a command's request or reply is valid. Its encoding must decode to the same
/// value.
fn is_understood<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> bool {
    let Some(read) = wire::decode::<T>(bytes) else {
        return false;
    };
    let written = wire::encode(&read).expect("what was read can be written");
    let again = wire::decode::<T>(&written).expect("what was written can be read");
    assert_eq!(wire::encode(&again), Some(written));
    true
}

/// Receives one message and checks the invariants of every message.
fn next<M: Frame + PartialEq + std::fmt::Debug>(stream: &mut Stream<'_>) -> Option<M> {
    let rest = stream.rest;
    stream.largest_read = 0;
    let received = receive::<M>(stream);
    let consumed = &rest[..rest.len() - stream.rest.len()];
    assert!(
        consumed.len() <= 4 + M::LIMIT,
        "it read {} bytes",
        consumed.len()
    );
    assert!(
        stream.largest_read <= M::LIMIT.max(4),
        "it set {} bytes aside",
        stream.largest_read
    );

    // A stream that delivers single bytes gives the same result.
    let piecemeal = receive::<M>(&mut Piecemeal {
        rest,
        interrupts: false,
    });
    match (&received, &piecemeal) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        (Err(whole), Err(pieces)) => assert_eq!(whole.to_string(), pieces.to_string()),
        (whole, pieces) => panic!("{whole:?}, but in pieces {pieces:?}"),
    }
    match received {
        Ok(message) => {
            // A message has one encoding, so no two parsers interpret it differently.
            let mut again = Vec::new();
            send(&mut again, &message).expect("what was received can be sent");
            assert_eq!(again, consumed);
            assert_eq!(kinds(consumed), 1, "a kind belongs to one message");
            Some(message)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            if let FrameError::TooLong { length, limit } = error {
                assert!(
                    length > limit && consumed.len() == 4,
                    "it read on after a length that is refused"
                );
            }
            None
        }
    }
}

/// Returns the number of message types that accept this frame.
fn kinds(frame: &[u8]) -> usize {
    let [greeting, opening] = [
        receive::<Greeting>(&mut &*frame).is_ok(),
        receive::<Opening>(&mut &*frame).is_ok(),
    ];
    let [instruction, reply] = [
        receive::<Instruction>(&mut &*frame).is_ok(),
        receive::<RelayReply>(&mut &*frame).is_ok(),
    ];
    let command_reply = receive::<CommandReply>(&mut &*frame).is_ok();
    let fleet = [
        receive::<HostGreeting>(&mut &*frame).is_ok(),
        receive::<HostRequest>(&mut &*frame).is_ok(),
        receive::<ServerReply>(&mut &*frame).is_ok(),
    ];
    [greeting, opening, instruction, reply, command_reply]
        .into_iter()
        .chain(fleet)
        .filter(|is_one| *is_one)
        .count()
}

/// Stream of the bytes that records the largest read.
struct Stream<'a> {
    rest: &'a [u8],
    largest_read: usize,
}

impl<'a> Stream<'a> {
    fn new(bytes: &'a [u8]) -> Stream<'a> {
        Stream {
            rest: bytes,
            largest_read: 0,
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.largest_read = self.largest_read.max(buffer.len());
        self.rest.read(buffer)
    }
}

/// Stream that delivers single bytes, each after an interrupt (EINTR).
struct Piecemeal<'a> {
    rest: &'a [u8],
    interrupts: bool,
}

impl Read for Piecemeal<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupts = !self.interrupts;
        if self.interrupts {
            return Err(ErrorKind::Interrupted.into());
        }
        let length = buffer.len().min(1);
        self.rest.read(&mut buffer[..length])
    }
}
