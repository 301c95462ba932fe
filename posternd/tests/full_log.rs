//! posternd with a log that cannot be written. `eprintln!` would panic there, and end the accepting
//! thread.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use postern_shared::protocol::{Greeting, GreetingState, receive};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// posternd at a socket of this name, as systemd passes it; its log is a full disk.
struct Daemon(Child);

impl Daemon {
    fn start(name: &str, listener: &UnixListener) -> Daemon {
        let script = format!(
            "exec 3<&0; export LISTEN_FDS=1 LISTEN_FDNAMES={name} LISTEN_PID=$$; exec \"$@\""
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_posternd")]);
        command
            .stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())))
            .stdout(Stdio::null());
        let full = File::options().write(true).open("/dev/full").unwrap();
        Daemon(command.stderr(full).spawn().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Connects and returns whether posternd greets; then sends an invalid frame, which posternd logs.
fn says_nonsense(socket: &std::path::Path) -> bool {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // a client that is not root is refused at host.sock, which posternd logs
    let greeted = receive::<Greeting>(&mut &stream)
        .is_ok_and(|greeting| greeting.state == GreetingState::Ready);
    let _ = stream.write_all(&[0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    greeted || !rest.is_empty() || !nix::unistd::geteuid().is_root()
}

#[test]
fn a_full_log_ends_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["host", "pam"] {
        let socket = folder.path().join(name);
        let listener = UnixListener::bind(&socket).unwrap();
        let mut daemon = Daemon::start(name, &listener);
        for round in 0..5 {
            assert!(says_nonsense(&socket), "{name}, connection {round}");
            assert!(
                daemon.0.try_wait().unwrap().is_none(),
                "{name} has ended, connection {round}"
            );
        }
    }
}

#[test]
fn a_wrong_command_line_is_reported_to_a_full_log() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_posternd"))
        .arg("--nonsense")
        .stderr(full)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(2));
}
