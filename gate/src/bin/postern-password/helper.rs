//! The process that listens: lets the gate and posternd in, and nobody else, and has their questions answered, so many at once. It
//! ends when nobody has asked for a while; systemd, which holds the socket, starts it again.
//!
//! MUST take who asks from the kernel (SO_PEERCRED).

use crate::asking::{self, read_until};
use crate::tries::Tries;
use crate::turns::{Seated, Turns};
use crate::{log, service};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_dumpable;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::{AcceptConn, PeerCredentials};
use nix::unistd::{User, geteuid};
use shared::protocol::host_password::{
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

/// The users of the gate and of posternd.
const ASKERS: [&str; 2] = ["postern-gate", "posternd"];
/// How long a question may take to arrive, and a word to be taken.
const HEARD: Duration = Duration::from_secs(3);
/// After so long without a question it ends.
const IDLE: Duration = Duration::from_secs(60);
/// A pause after accepting failed.
const PAUSE: Duration = Duration::from_millis(100);

struct PasswordHelper {
    config: PathBuf,
    askers: Vec<u32>,
    turns: Turns,
    tries: Mutex<Tries>,
    started: Instant,
}

/// Listens at the socket that is its standard input.
pub(crate) fn run(config: PathBuf) -> io::Result<()> {
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
    let mut askers = Vec::new();
    for name in ASKERS {
        // either may be absent
        askers.extend(User::from_name(name)?.map(|user| user.uid.as_raw()));
    }
    if askers.is_empty() {
        let names = ASKERS.join(" nor ");
        return Err(io::Error::other(format!(
            "there is neither a user {names}, which connect here"
        )));
    }
    match service::configured(&config) {
        Ok(found) => found.problem.into_iter().for_each(log::says),
        Err(error) => log::says(format_args!(
            "{error}; until then access by password is denied"
        )),
    }
    let listener = UnixListener::from(input.as_fd().try_clone_to_owned()?);
    let helper = Arc::new(PasswordHelper {
        config,
        askers,
        turns: Turns::new(),
        tries: Mutex::default(),
        started: Instant::now(),
    });
    helper.serve(&listener)
}

impl PasswordHelper {
    fn serve(self: &Arc<PasswordHelper>, listener: &UnixListener) -> io::Result<()> {
        let idle = PollTimeout::try_from(IDLE).map_err(io::Error::other)?;
        loop {
            let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waiting, idle) {
                Ok(0)
                    if self.turns.is_empty()
                        && self.with_tries(|tries, now| tries.is_clear(now)) =>
                {
                    return Ok(());
                }
                Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match listener.accept() {
                Ok((stream, _)) => self.meet(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    log::seldom(
                        "accept",
                        format_args!("a connection cannot be accepted: {error}"),
                    );
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Lets a connection in, or drops it.
    fn meet(self: &Arc<PasswordHelper>, stream: UnixStream) {
        let Ok(peer) = getsockopt(&stream, PeerCredentials) else {
            return;
        };
        if !self.askers.contains(&peer.uid()) && peer.uid() != 0 {
            log::seldom(
                "peer",
                format_args!(
                    "refused cause=untrusted-peer uid={}: only the gate and posternd may connect",
                    peer.uid()
                ),
            );
            return;
        }
        let Some(seated) = self.turns.place() else {
            log::seldom("busy", "refused cause=busy: too many requests at once");
            return;
        };
        let helper = Arc::clone(self);
        let begun = std::thread::Builder::new().spawn(move || {
            // What a peer does to its own connection is no news.
            let _ = helper.talk(stream, &seated);
        });
        if let Err(error) = begun {
            log::seldom("busy", format_args!("refused cause=busy: {error}"));
        }
    }

    fn talk(&self, mut stream: UnixStream, seated: &Seated) -> io::Result<()> {
        stream.set_write_timeout(Some(HEARD))?;
        stream.write_all(GREETING)?;
        let bytes = read_until(
            &mut stream,
            LONGEST_REQUEST + 1,
            Instant::now() + HEARD,
            |_| false,
        )?;
        let Some(question) = HostPasswordRequest::decode(&bytes) else {
            log::seldom(
                "no-request",
                "refused cause=no-request: the gate may be of another version",
            );
            return Ok(());
        };
        if let Some(said) = self.say(&question, &bytes, seated) {
            stream.write_all(said.word())?;
        }
        Ok(())
    }

    /// Says it, or nothing where PAM was asked and did not answer.
    fn say(
        &self,
        question: &HostPasswordRequest,
        bytes: &[u8],
        seated: &Seated,
    ) -> Option<HostPasswordReply> {
        let name = &question.name;
        let refused = |cause: &str, why: &dyn Display| {
            let address = question
                .address
                .map_or_else(|| "-".to_owned(), |address| address.to_string());
            let name = name.as_str();
            log::says(format_args!(
                "refused cause={cause} address={address} user={name:?}: {why}"
            ));
        };
        let Some(taken) = self.with_tries(|tries, now| tries.take(name, now)) else {
            refused(
                "limited",
                &"too many wrong passwords; the gate should have counted them",
            );
            return Some(HostPasswordReply::NotVerified);
        };
        let give_back = || self.with_tries(|tries, _| tries.give_back(name, taken));
        let Some(_turn) = seated.turn(question, QUEUE_TIMEOUT) else {
            refused("busy", &"too many requests at once");
            give_back();
            return Some(HostPasswordReply::NotVerified);
        };
        match asking::ask(bytes, &self.config, VERIFY_TIMEOUT) {
            Ok(said) => {
                if said != HostPasswordReply::Wrong {
                    give_back();
                }
                Some(said)
            }
            Err(error) => {
                refused("timeout", &format_args!("PAM gave no answer: {error}"));
                None
            }
        }
    }

    fn with_tries<T>(&self, act: impl FnOnce(&mut Tries, Duration) -> T) -> T {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut tries, self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turns::Turns;
    use std::io::{BufRead, BufReader};
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};
    use std::sync::mpsc::channel;

    /// The process of which nobody reads the log, for the test below alone.
    #[test]
    #[ignore = "run by the test below"]
    fn says_more_than_anybody_reads() {
        if std::env::var_os("LOG_UNREAD").is_none() {
            return;
        }
        log::begin();
        let turns = Turns::new();
        let _seated: Vec<_> = (0..1000).map_while(|_| turns.place()).collect();
        let helper = Arc::new(PasswordHelper {
            config: PathBuf::new(),
            askers: vec![geteuid().as_raw()],
            turns,
            tries: Mutex::default(),
            started: Instant::now(),
        });
        for _ in 0..100 {
            let (_ours, theirs) = UnixStream::pair().unwrap();
            helper.meet(theirs);
        }
        log::flush(Duration::from_millis(10));
        println!("met all of them");
    }

    /// A journal that stood still stopped the passwords of the host.
    #[test]
    fn a_log_that_nobody_reads_keeps_no_connection_waiting() {
        let (mut unread, _kept) = UnixStream::pair().unwrap();
        unread.set_nonblocking(true).unwrap();
        // in small pieces at the end, so that not one line has room
        for piece in [4096, 1] {
            while unread.write_all(&vec![b'x'; piece]).is_ok() {}
        }
        unread.set_nonblocking(false).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "helper::tests::says_more_than_anybody_reads",
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
            let said = lines
                .map_while(Result::ok)
                .any(|line| line.contains("met all of them"));
            let _ = sender.send(said);
        });
        let said = receiver.recv_timeout(Duration::from_secs(20));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(said, Ok(true));
    }
}
