//! The listening process: accepts the gate and posternd, refuses every other peer, and has a
//! limited number of requests answered at once. It exits after some time without a request;
//! systemd, which holds the socket, starts it again.
//!
//! MUST take the peer's identity from the kernel (SO_PEERCRED).

use crate::admission::HelperAdmission;
use crate::child_process::{self, read_until};
use crate::tries::PasswordTries;
use crate::{log, service};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_dumpable;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::{AcceptConn, PeerCredentials};
use nix::unistd::{User, geteuid};
use postern_shared::protocol::host_password::{
    GREETING, HostPasswordReply, HostPasswordRequest, LONGEST_REQUEST, QUEUE_TIMEOUT,
    VERIFY_TIMEOUT,
};
use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Users that may connect: those of the gate and of posternd.
const ALLOWED_USERS: [&str; 2] = ["postern-gate", "posternd"];
/// Time limit for the request to arrive, and for the reply to be read.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// The process exits after this time without a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause after accepting a connection failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

struct HelperServer {
    config: PathBuf,
    allowed_uids: Vec<u32>,
    admission: HelperAdmission,
    tries: Mutex<PasswordTries>,
    started: Instant,
}

/// Serves the listening socket that is the standard input.
pub(crate) fn serve_requests(config: PathBuf) -> io::Result<()> {
    set_dumpable(false)?;
    let input = io::stdin();
    if !matches!(getsockopt(&input, AcceptConn), Ok(true)) {
        return Err(io::Error::other(
            "standard input is not a listening socket; start it with systemctl start postern-password.socket",
        ));
    }
    if !geteuid().is_root() {
        return Err(io::Error::other(
            "only root reads the passwords of this host; postern-password.socket starts it",
        ));
    }
    let mut allowed_uids = Vec::new();
    for name in ALLOWED_USERS {
        // A host may lack one of the two users.
        allowed_uids.extend(User::from_name(name)?.map(|user| user.uid.as_raw()));
    }
    if allowed_uids.is_empty() {
        let names = ALLOWED_USERS.join(" nor ");
        return Err(io::Error::other(format!(
            "there is neither a user {names}, which connect here"
        )));
    }
    match service::check_service(&config) {
        Ok(found) => found.problem.into_iter().for_each(log::write_message),
        Err(error) => log::write_message(format_args!(
            "{error}; until then access by password is denied"
        )),
    }
    let listener = UnixListener::from(input.as_fd().try_clone_to_owned()?);
    let helper = Arc::new(HelperServer {
        config,
        allowed_uids,
        admission: HelperAdmission::new(),
        tries: Mutex::default(),
        started: Instant::now(),
    });
    helper.serve(&listener)
}

impl HelperServer {
    fn serve(self: &Arc<HelperServer>, listener: &UnixListener) -> io::Result<()> {
        let idle = PollTimeout::try_from(IDLE_TIMEOUT).map_err(io::Error::other)?;
        loop {
            let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waiting, idle) {
                Ok(0)
                    if self.admission.is_empty()
                        && self.with_tries(|tries, now| tries.is_clear(now)) =>
                {
                    return Ok(());
                }
                Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match listener.accept() {
                Ok((stream, _)) => self.serve_peer(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    log::write_rate_limited(
                        "accept",
                        format_args!("a connection cannot be accepted: {error}"),
                    );
                    std::thread::sleep(ACCEPT_PAUSE);
                }
            }
        }
    }

    /// Starts a thread for an allowed peer, and closes every other connection.
    fn serve_peer(self: &Arc<HelperServer>, stream: UnixStream) {
        let Ok(peer) = getsockopt(&stream, PeerCredentials) else {
            return;
        };
        if !self.allowed_uids.contains(&peer.uid()) && peer.uid() != 0 {
            log::write_rate_limited(
                "peer",
                format_args!(
                    "refused cause=untrusted-peer uid={}: only the gate and posternd may connect",
                    peer.uid()
                ),
            );
            return;
        }
        let Some(permit) = self.admission.admit_connection() else {
            log::write_rate_limited("busy", "refused cause=busy: too many requests at once");
            return;
        };
        let helper = Arc::clone(self);
        let begun = std::thread::Builder::new().spawn(move || {
            let _permit = permit;
            // An error on the peer's own connection needs no log line.
            let _ = helper.serve_stream(stream);
        });
        if let Err(error) = begun {
            log::write_rate_limited("busy", format_args!("refused cause=busy: {error}"));
        }
    }

    fn serve_stream(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(REQUEST_TIMEOUT))?;
        stream.write_all(GREETING)?;
        let bytes = read_until(
            &mut stream,
            LONGEST_REQUEST + 1,
            Instant::now() + REQUEST_TIMEOUT,
            |_| false,
        )?;
        let Some(request) = HostPasswordRequest::decode(&bytes) else {
            log::write_rate_limited(
                "no-request",
                "refused cause=no-request: the gate may be of another version",
            );
            return Ok(());
        };
        if let Some(reply) = self.answer_request(&request, &bytes) {
            stream.write_all(reply.word())?;
        }
        Ok(())
    }

    /// Returns the reply, or nothing where PAM was asked and gave no answer.
    fn answer_request(
        &self,
        request: &HostPasswordRequest,
        bytes: &[u8],
    ) -> Option<HostPasswordReply> {
        let name = &request.name;
        let log_refusal = |cause: &str, why: &dyn Display| {
            let address = request
                .address
                .map_or_else(|| "-".to_owned(), |address| address.to_string());
            let name = name.as_str();
            log::write_message(format_args!(
                "refused cause={cause} address={address} user={name:?}: {why}"
            ));
        };
        let Some(taken) = self.with_tries(|tries, now| tries.take_try(name, now)) else {
            log_refusal(
                "limited",
                &"too many wrong passwords; the gate should have counted them",
            );
            return Some(HostPasswordReply::NotVerified);
        };
        let give_back = || self.with_tries(|tries, _| tries.return_try(name, taken));
        let Some(_turn) = self.admission.wait_for_turn(request, QUEUE_TIMEOUT) else {
            log_refusal("busy", &"too many requests at once");
            give_back();
            return Some(HostPasswordReply::NotVerified);
        };
        match child_process::ask_child(bytes, &self.config, VERIFY_TIMEOUT) {
            Ok(reply) => {
                if reply != HostPasswordReply::Wrong {
                    give_back();
                }
                Some(reply)
            }
            Err(error) => {
                log_refusal("timeout", &format_args!("PAM gave no answer: {error}"));
                None
            }
        }
    }

    fn with_tries<T>(&self, act: impl FnOnce(&mut PasswordTries, Duration) -> T) -> T {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut tries, self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::HelperAdmission;
    use std::io::{BufRead, BufReader};
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};
    use std::sync::mpsc::channel;

    /// Child process whose log is not read; only the test below starts it.
    #[test]
    #[ignore = "run by the test below"]
    fn log_more_than_the_reader_takes() {
        if std::env::var_os("LOG_UNREAD").is_none() {
            return;
        }
        log::start_writer();
        let admission = HelperAdmission::new();
        let _seated: Vec<_> = (0..1000)
            .map_while(|_| admission.admit_connection())
            .collect();
        let helper = Arc::new(HelperServer {
            config: PathBuf::new(),
            allowed_uids: vec![geteuid().as_raw()],
            admission,
            tries: Mutex::default(),
            started: Instant::now(),
        });
        for _ in 0..100 {
            let (_ours, theirs) = UnixStream::pair().unwrap();
            helper.serve_peer(theirs);
        }
        log::flush(Duration::from_millis(10));
        println!("met all of them");
    }

    /// A journal that was not read stopped every password verification on the host.
    #[test]
    fn a_log_that_is_not_read_delays_no_connection() {
        let (mut unread, _kept) = UnixStream::pair().unwrap();
        unread.set_nonblocking(true).unwrap();
        // The last pieces are single bytes, so that the socket buffer has no space for one line.
        for piece in [4096, 1] {
            while unread.write_all(&vec![b'x'; piece]).is_ok() {}
        }
        unread.set_nonblocking(false).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "helper::tests::log_more_than_the_reader_takes",
                "--ignored",
                "--nocapture",
            ])
            .env("LOG_UNREAD", "1")
            .stdout(Stdio::piped())
            .stderr(OwnedFd::from(unread))
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let reply = lines
                .map_while(Result::ok)
                .any(|line| line.contains("met all of them"));
            let _ = sender.send(reply);
        });
        let reply = receiver.recv_timeout(Duration::from_secs(20));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(reply, Ok(true));
    }
}
