//! Verifies a password of this host through the root helper `postern-password`.
//!
//! MUST NOT send a password to a helper that is not root's.

use postern_shared::protocol::host_password::{
    GREETING, HostPasswordReply, HostPasswordRequest, LONGEST_WORD, QUEUE_TIMEOUT, REQUEST_LIMITS,
    SOCKET, VERIFY_TIMEOUT,
};
use postern_shared::system::admission::{Admission, AdmissionRefusal};
use postern_shared::system::network::local_stream::LocalStream;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Time limit of systemd for starting the helper, and of the helper for its greeting.
const GREETED: Duration = Duration::from_millis(1200);
/// Time limit of waiting for a turn.
const TURN: Duration = Duration::from_secs(8);
/// Time limit of the reply: longer than the helper's own limit for PAM.
const SAYS: Duration = VERIFY_TIMEOUT
    .saturating_add(QUEUE_TIMEOUT)
    .saturating_add(Duration::from_secs(2));

/// The client of the helper; limits the requests at the same time, by user.
pub(crate) struct HostPasswordHelper(Admission<u32>);

/// Why there is no reply.
pub(crate) enum HelperSilent {
    /// Too many requests waited.
    Busy(AdmissionRefusal),
    /// The helper was not reached and has not received the request.
    Absent(String),
    /// The helper has received the request.
    Unanswered(String),
}

impl HostPasswordHelper {
    pub(crate) fn new() -> HostPasswordHelper {
        HostPasswordHelper(Admission::new(REQUEST_LIMITS))
    }

    /// Has the helper verify a password, for a user.
    pub(crate) fn verify_password(
        &self,
        uid: u32,
        request: &HostPasswordRequest,
    ) -> Result<HostPasswordReply, HelperSilent> {
        let turn = self
            .0
            .acquire(request.class, uid)
            .and_then(|turn| turn.wait(TURN));
        let _turn = turn.map_err(HelperSilent::Busy)?;
        let mut stream = connect_helper().map_err(|error| {
            HelperSilent::Absent(format!(
                "postern-password does not answer at {SOCKET}: {error}; systemctl enable --now postern-password.socket starts it"
            ))
        })?;
        let unanswered = |why: &dyn std::fmt::Display| {
            HelperSilent::Unanswered(format!(
                "postern-password did not answer: {why}; its log says more"
            ))
        };
        let word = send_request(&mut stream, request).map_err(|error| unanswered(&error))?;
        HostPasswordReply::decode(&word).ok_or_else(|| unanswered(&"it closed the connection"))
    }
}

fn connect_helper() -> io::Result<LocalStream> {
    let mut stream = LocalStream::connect_to_root(Path::new(SOCKET), Instant::now() + GREETED)?;
    let mut greeting = [0; GREETING.len()];
    stream.read_exact(&mut greeting)?;
    match greeting == *GREETING {
        true => Ok(stream),
        false => Err(io::Error::other("it has another version")),
    }
}

fn send_request(stream: &mut LocalStream, request: &HostPasswordRequest) -> io::Result<Vec<u8>> {
    stream.set_deadline(Instant::now() + SAYS);
    stream.write_all(&request.encode())?;
    stream.shutdown_write()?;
    let mut word = Vec::with_capacity(LONGEST_WORD);
    stream.take(LONGEST_WORD as u64).read_to_end(&mut word)?;
    Ok(word)
}
