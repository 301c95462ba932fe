//! Asking the root helper `postern-password` whether a password of this host is right.
//!
//! MUST NOT speak to a helper that is not root's: it is given passwords.

use super::store_pool::ShareKey;
use crate::observe::metrics::METRICS;
use shared::protocol::host_password::{
    GREETING, HostPasswordReply, HostPasswordRequest, JUDGED, LONGEST_WORD, QUESTIONS, SOCKET,
    WAITED,
};
use shared::system::admission::{Admission, AdmissionPermit, Busy};
use std::io;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long the helper may take to be started by systemd, and to greet.
const GREETED: Duration = Duration::from_millis(1200);
/// How long a question waits for its turn.
const TURN: Duration = Duration::from_secs(20);
/// How long it may take to say something: longer than it gives PAM.
const SAYS: Duration = JUDGED
    .saturating_add(WAITED)
    .saturating_add(Duration::from_secs(2));

/// How many are asked at once, as many as the helper has judged at once: each takes one of the descriptors that the
/// web's connections leave.
static AT_ONCE: LazyLock<Admission<ShareKey>> = LazyLock::new(|| Admission::new(QUESTIONS));

/// Nothing was said.
pub(crate) enum HelperUnavailable {
    /// There was no place for the question.
    Busy(Busy),
    /// The helper was not reached: it knows nothing of the question.
    Absent(String),
    /// It has the question.
    Unanswered(String),
}

/// Has it asked; the key says whose share of the questions it takes.
pub(crate) async fn verify_host_password(
    key: ShareKey,
    question: &HostPasswordRequest,
) -> Result<HostPasswordReply, HelperUnavailable> {
    let _turn = turn(key, question).await.map_err(|busy| {
        METRICS.count_rejection("host-passwords", busy);
        HelperUnavailable::Busy(busy)
    })?;
    let reached = timeout(GREETED, reach(Path::new(SOCKET))).await;
    let mut stream = reached.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
        HelperUnavailable::Absent(format!(
            "postern-password does not answer at {SOCKET}: {error}; systemctl enable --now postern-password.socket starts it"
        ))
    })?;
    let unanswered = |why: &dyn std::fmt::Display| {
        HelperUnavailable::Unanswered(format!(
            "postern-password did not answer: {why}; its log says more"
        ))
    };
    match timeout(SAYS, put(&mut stream, question)).await {
        Ok(Ok(word)) => {
            HostPasswordReply::read(&word).ok_or_else(|| unanswered(&"it closed the connection"))
        }
        Ok(Err(error)) => Err(unanswered(&error)),
        Err(_) => Err(unanswered(&"it took too long")),
    }
}

async fn turn(
    key: ShareKey,
    question: &HostPasswordRequest,
) -> Result<AdmissionPermit<ShareKey>, Busy> {
    timeout(TURN, AT_ONCE.acquire(question.class, key)?)
        .await
        .unwrap_or(Err(Busy::All))
}

async fn reach(socket: &Path) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).await?;
    if stream.peer_cred()?.uid() != 0 {
        return Err(io::Error::other("a user other than root listens there"));
    }
    let mut greeting = [0; GREETING.len()];
    stream.read_exact(&mut greeting).await?;
    match greeting == *GREETING {
        true => Ok(stream),
        false => Err(io::Error::other("it has another version")),
    }
}

async fn put(stream: &mut UnixStream, question: &HostPasswordRequest) -> io::Result<Vec<u8>> {
    stream.write_all(&question.write()).await?;
    stream.shutdown().await?;
    let mut word = Vec::with_capacity(LONGEST_WORD);
    stream
        .take(LONGEST_WORD as u64)
        .read_to_end(&mut word)
        .await?;
    Ok(word)
}
