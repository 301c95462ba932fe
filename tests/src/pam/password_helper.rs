//! The root helper of the gate: a real process of root at a socket that the test host holds, as
//! systemd does.

use crate::process::processes::{Running, below, end, patiently, wait_until};
use postern_shared::protocol::host_password::{GREETING, SOCKET};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const PROGRAM: &str = "/usr/libexec/postern-password";

/// A running helper. The helper and its socket end when this value is dropped.
pub struct PasswordHelper {
    running: Option<Running>,
    socket: UnixListener,
}

impl PasswordHelper {
    /// Makes the socket, and starts the helper.
    #[track_caller]
    pub fn start() -> PasswordHelper {
        PasswordHelper::start_through(&[])
    }

    /// Starts the helper through a command that runs the next one.
    #[track_caller]
    pub fn start_through(command: &[&str]) -> PasswordHelper {
        if Path::new(SOCKET).exists() {
            fs::remove_file(SOCKET).expect("/run can be written");
        }
        let socket = UnixListener::bind(SOCKET).expect("/run can be written");
        let group = nix::unistd::Group::from_name("postern")
            .ok()
            .flatten()
            .expect("postern is installed");
        chown(SOCKET, None, Some(group.gid.as_raw())).expect("root may do it");
        fs::set_permissions(SOCKET, PermissionsExt::from_mode(0o660)).expect("root may do it");
        let running = Some(launch(&socket, command));
        PasswordHelper { running, socket }
    }

    /// Starts the helper again, as systemd does at the next connection.
    #[track_caller]
    pub fn restart(&mut self) {
        self.crash();
        self.running = Some(launch(&self.socket, &[]));
    }

    /// Kills the helper, but none of the processes that it started.
    pub fn crash(&mut self) {
        if let Some(running) = self.running.as_mut() {
            end(running.process());
            wait_until("the helper has ended", || Ok(!running.is_running()));
        }
        self.running = None;
    }

    /// Returns everything that the helper logged since it started.
    pub fn log(&self) -> String {
        self.running
            .as_ref()
            .map(Running::output)
            .unwrap_or_default()
    }

    /// Waits until the helper's log contains a text.
    #[track_caller]
    pub fn says(&self, words: &str) {
        patiently(&format!("the helper says {words:?}"), || {
            Ok(self.log().contains(words).then_some(()))
        });
    }

    /// Returns the helper's process id; 0 if it does not run.
    pub fn process(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::process)
    }

    /// Returns the processes that serve requests, and all that they started.
    pub fn questions(&self) -> Vec<u32> {
        below(self.process())
    }

    /// Sends bytes as root, and returns what arrives after the greeting; `None` if there is no
    /// greeting.
    pub fn hears(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut stream = UnixStream::connect(SOCKET).expect("the socket is there");
        // The test host holds the socket: without a helper the connection stays open, and nothing
        // arrives.
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .expect("a timeout");
        let mut greeting = [0; GREETING.len()];
        stream.read_exact(&mut greeting).ok()?;
        assert_eq!(greeting, GREETING);
        // The helper may have closed the connection already.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut output = Vec::new();
        let _ = stream.read_to_end(&mut output);
        Some(output)
    }
}

impl Drop for PasswordHelper {
    fn drop(&mut self) {
        self.running = None;
        // The story may have removed it.
        let _ = fs::remove_file(SOCKET);
    }
}

#[track_caller]
fn launch(socket: &UnixListener, through: &[&str]) -> Running {
    let words: Vec<_> = through.iter().copied().chain([PROGRAM]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    let input = Stdio::from(OwnedFd::from(socket.try_clone().expect("a descriptor")));
    Running::start_at(command, input, "password_helper.log")
}
