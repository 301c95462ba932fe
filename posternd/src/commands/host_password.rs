//! Asking the root helper `postern-password` whether a password of this host is right.
//!
//! MUST NOT speak to a helper that is not root's: it is given passwords.

use shared::network::local_stream::LocalStream;
use shared::protocol::host_password::{
    GREETING, HostPasswordReply, HostPasswordRequest, LONGEST_WORD, QUEUE_TIMEOUT, REQUEST_LIMITS,
    SOCKET, VERIFY_TIMEOUT,
};
use shared::system::admission::{Admission, Busy};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the helper may take to be started by systemd, and to greet.
const GREETED: Duration = Duration::from_millis(1200);
/// How long a question waits for its turn.
const TURN: Duration = Duration::from_secs(8);
/// How long it may take to say something: longer than it gives PAM.
const SAYS: Duration = VERIFY_TIMEOUT
    .saturating_add(QUEUE_TIMEOUT)
    .saturating_add(Duration::from_secs(2));

/// The way to the helper; so many are asked at once, counted by user.
pub(crate) struct Passwords(Admission<u32>);

/// Nothing was said.
pub(crate) enum HelperSilent {
    /// There was no place for the question.
    Busy(Busy),
    /// The helper was not reached: it knows nothing of the question.
    Absent(String),
    /// It has the question.
    Unanswered(String),
}

impl Passwords {
    pub(crate) fn new() -> Passwords {
        Passwords(Admission::new(REQUEST_LIMITS))
    }

    /// Has it asked, for a user.
    pub(crate) fn ask(
        &self,
        uid: u32,
        question: &HostPasswordRequest,
    ) -> Result<HostPasswordReply, HelperSilent> {
        let turn = self
            .0
            .acquire(question.class, uid)
            .and_then(|turn| turn.wait(TURN));
        let _turn = turn.map_err(HelperSilent::Busy)?;
        let mut stream = reach().map_err(|error| {
            HelperSilent::Absent(format!(
                "postern-password does not answer at {SOCKET}: {error}; systemctl enable --now postern-password.socket starts it"
            ))
        })?;
        let unanswered = |why: &dyn std::fmt::Display| {
            HelperSilent::Unanswered(format!(
                "postern-password did not answer: {why}; its log says more"
            ))
        };
        let word = put(&mut stream, question).map_err(|error| unanswered(&error))?;
        HostPasswordReply::decode(&word).ok_or_else(|| unanswered(&"it closed the connection"))
    }
}

fn reach() -> io::Result<LocalStream> {
    let mut stream = LocalStream::connect_to_root(Path::new(SOCKET), Instant::now() + GREETED)?;
    let mut greeting = [0; GREETING.len()];
    stream.read_exact(&mut greeting)?;
    match greeting == *GREETING {
        true => Ok(stream),
        false => Err(io::Error::other("it has another version")),
    }
}

fn put(stream: &mut LocalStream, question: &HostPasswordRequest) -> io::Result<Vec<u8>> {
    stream.set_deadline(Instant::now() + SAYS);
    stream.write_all(&question.encode())?;
    stream.shutdown_write()?;
    let mut word = Vec::with_capacity(LONGEST_WORD);
    stream.take(LONGEST_WORD as u64).read_to_end(&mut word)?;
    Ok(word)
}
