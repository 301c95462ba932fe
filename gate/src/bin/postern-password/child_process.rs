//! Runs one process for one request, and enforces its time limit.
//!
//! Kills the process with its whole group, so that a PAM module that forks leaves nothing behind.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use postern_shared::protocol::host_password::{HostPasswordReply, LONGEST_WORD};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Path of this program, which stays valid when a package upgrade replaces the file.
const SELF: &str = "/proc/self/exe";

/// A child process and its process group. Dropping this value kills both.
struct ChildProcess(Child);

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // The child was not waited for yet, so the process number is still its own. It may have
        // ended.
        if let Ok(group) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

/// Sends `request`, as it came over the wire, to a child process and returns the child's reply.
pub(crate) fn ask_child(
    request: &[u8],
    config: &Path,
    within: Duration,
) -> io::Result<HostPasswordReply> {
    let deadline = Instant::now() + within;
    let (mut stream, child_end) = UnixStream::pair()?;
    let mut command = Command::new(SELF);
    command.arg("--one-question").arg("--config").arg(config);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/");
    command
        .stdin(OwnedFd::from(child_end))
        .stdout(Stdio::null())
        .process_group(0);
    let _process = ChildProcess(command.spawn()?);
    // The command holds a copy of the child's end.
    drop(command);
    stream.set_write_timeout(Some(within))?;
    stream.write_all(request)?;
    stream.shutdown(Shutdown::Write)?;
    let reply = read_until(&mut stream, LONGEST_WORD, deadline, |reply| {
        HostPasswordReply::decode(reply).is_some()
    })?;
    HostPasswordReply::decode(&reply)
        .ok_or_else(|| io::Error::other("the process that asked PAM ended without a reply"))
}

/// Reads until end of file, until `most` bytes are there, or until `is_enough` returns true.
pub(crate) fn read_until(
    stream: &mut UnixStream,
    most: usize,
    deadline: Instant,
    is_enough: impl Fn(&[u8]) -> bool,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; most]);
    let mut filled = 0;
    while filled < most && !is_enough(&bytes[..filled]) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
