//! Mail through a program of the administrator's, which a unit of its own runs
//! (`postern-mail@.service`): the program is not trusted, and the unit can access neither key nor
//! store. posternd connects to the unit's socket for each mail and sends the mail only; the unit
//! reads the name of the program from the configuration.
//!
//! MUST NOT run the program in this process: where no unit listens, mail waits.

use nix::unistd::geteuid;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

/// The first byte of a request. The length of the mail follows in four bytes, big-endian, then the
/// mail.
pub(super) const VERSION: u8 = 1;
/// The longest mail, in bytes. posternd's own have some thousand.
pub(super) const LARGEST_MAIL: u32 = 256 * 1024;
/// The reply that the program accepted the mail.
pub(super) const SENT: u8 = 0;
/// The reply that the program did not accept the mail; the reason follows.
pub(super) const NOT_SENT: u8 = 1;
/// The longest reason, in bytes; no more of the program's error output is read.
pub(super) const LONGEST_REASON: u64 = 4096;

/// Time limit of connecting: the socket exists for a moment before systemd listens, or while its
/// unit is restarted.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Returns whether there is a socket to connect to. Where there is none, no mail is taken from the
/// outbox.
pub(super) fn is_ready(socket: &Path) -> bool {
    socket.symlink_metadata().is_ok()
}

/// Has the unit run the program with a mail. When this future is dropped the connection ends, and
/// the program ends within its own time limit.
pub(super) async fn send(socket: &Path, mail: &[u8]) -> Result<(), String> {
    let failed = |error: io::Error| {
        format!(
            "postern-mail does not answer at {}: {error}; systemctl enable --now postern-mail.socket starts it",
            socket.display()
        )
    };
    let Some(length) = u32::try_from(mail.len())
        .ok()
        .filter(|length| *length <= LARGEST_MAIL)
    else {
        return Err(format!("the mail is larger than {LARGEST_MAIL} bytes"));
    };
    let mut stream = connected(socket).await.map_err(failed)?;
    // a mail contains a code: it is sent only to a process that systemd has started
    let listens = stream.peer_cred().map_err(failed)?.uid();
    if listens != 0 && listens != geteuid().as_raw() {
        return Err(format!(
            "user {listens} listens at {}, and not systemd",
            socket.display()
        ));
    }
    let exchange = async {
        stream.write_u8(VERSION).await?;
        stream.write_u32(length).await?;
        stream.write_all(mail).await?;
        let result = stream.read_u8().await?;
        let mut reason = Vec::new();
        stream.take(LONGEST_REASON).read_to_end(&mut reason).await?;
        Ok((result, reason))
    };
    match exchange.await.map_err(failed)? {
        (SENT, _) => Ok(()),
        (_, reason) => Err(String::from_utf8_lossy(&reason).into_owned()),
    }
}

/// Connects to a listener that exists or comes within [`PATIENCE`]. Nothing has been sent before:
/// a mail that was taken from the outbox is not taken again.
async fn connected(socket: &Path) -> io::Result<UnixStream> {
    let until = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(socket).await {
            Err(error) if is_not_listening(&error) && Instant::now() < until => sleep(PAUSE).await,
            connected => return connected,
        }
    }
}

fn is_not_listening(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket as new_socket,
    };
    use std::os::fd::AsRawFd;

    #[test]
    fn a_program_that_listens_a_moment_later_is_connected_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.sock");
        let listener = new_socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .unwrap();
        bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let refused = UnixStream::connect(&path).await.unwrap_err();
            assert!(is_not_listening(&refused), "{refused}");
            let later = async {
                sleep(3 * PAUSE).await;
                listen(&listener, Backlog::new(1).unwrap()).unwrap();
            };
            let (connected, ()) = tokio::join!(connected(&path), later);
            connected.unwrap();
        });
    }
}
