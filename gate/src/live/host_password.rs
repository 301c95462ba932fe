//! Client of the root helper `postern-password`, which verifies passwords of this host.
//!
//! MUST NOT send a password to a helper that does not run as root.

use super::store_pool::{PoolError, ShareKey};
use crate::observe::metrics::METRICS;
use postern_shared::protocol::host_password::{
    GREETING, HostPasswordReply, HostPasswordRequest, LONGEST_WORD, QUEUE_TIMEOUT, REQUEST_LIMITS,
    SOCKET, VERIFY_TIMEOUT,
};
use postern_shared::system::admission::{Admission, AdmissionPermit, AdmissionRefusal};
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Time limit for systemd to start the helper, and for its greeting.
const GREETING_TIMEOUT: Duration = Duration::from_millis(1200);
/// Time limit in the queue.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(20);
/// Time limit for the reply: longer than what the helper gives PAM.
const REPLY_TIMEOUT: Duration = VERIFY_TIMEOUT
    .saturating_add(QUEUE_TIMEOUT)
    .saturating_add(Duration::from_secs(2));

/// Limit on open requests, the same as the helper's. Each takes one of the descriptors that
/// connections leave free.
static ADMISSION: LazyLock<Admission<ShareKey>> = LazyLock::new(|| Admission::new(REQUEST_LIMITS));

/// Asks the helper; `key` says which share of the limit the request takes.
///
/// An inner error means that the helper has not received the request. An outer one means that it
/// has, and gave no reply.
pub(crate) async fn verify_host_password(
    key: ShareKey,
    request: &HostPasswordRequest,
) -> Result<Result<HostPasswordReply, PoolError>, PoolError> {
    let _permit = match enter_queue(key, request).await {
        Ok(permit) => permit,
        Err(busy) => {
            METRICS.count_rejection("host-passwords", busy);
            return Ok(Err(PoolError::Busy(busy)));
        }
    };
    let connected = timeout(GREETING_TIMEOUT, connect_to_helper(Path::new(SOCKET))).await;
    let mut stream = match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => stream,
        Err(error) => {
            return Ok(Err(PoolError::Failed {
                cause: "password-unavailable",
                why: format!(
                    "postern-password does not answer at {SOCKET}: {error}; systemctl enable --now postern-password.socket starts it"
                ),
            }));
        }
    };
    let unanswered = |why: &dyn Display| PoolError::Failed {
        cause: "password-timeout",
        why: format!("postern-password did not answer: {why}; its log says more"),
    };
    match timeout(REPLY_TIMEOUT, send_request(&mut stream, request)).await {
        Ok(Ok(reply)) => HostPasswordReply::decode(&reply)
            .map(Ok)
            .ok_or_else(|| unanswered(&"it closed the connection")),
        Ok(Err(error)) => Err(unanswered(&error)),
        Err(_) => Err(unanswered(&"it took too long")),
    }
}

async fn enter_queue(
    key: ShareKey,
    request: &HostPasswordRequest,
) -> Result<AdmissionPermit<ShareKey>, AdmissionRefusal> {
    timeout(ADMISSION_TIMEOUT, ADMISSION.acquire(request.class, key)?)
        .await
        .unwrap_or(Err(AdmissionRefusal::Capacity))
}

async fn connect_to_helper(socket: &Path) -> io::Result<UnixStream> {
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

async fn send_request(
    stream: &mut UnixStream,
    request: &HostPasswordRequest,
) -> io::Result<Vec<u8>> {
    stream.write_all(&request.encode()).await?;
    stream.shutdown().await?;
    let mut reply = Vec::with_capacity(LONGEST_WORD);
    stream
        .take(LONGEST_WORD as u64)
        .read_to_end(&mut reply)
        .await?;
    Ok(reply)
}
