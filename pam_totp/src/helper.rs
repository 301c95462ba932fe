//! The helper: starts `posternd --stdio` as a process that the user cannot influence, as pam_unix
//! runs unix_chkpwd.
//!
//! The effective user of a PAM host is root, but the user controls the rest: the user can stop the
//! host, freeze its cgroup and limit its CPU time, and has chosen its descriptors, signals and
//! priority. The helper may hold the store's write lock and must inherit none of that: `child`
//! resets it, `cgroup` leaves the user's cgroup, and an error names what cannot be reset. The user
//! can stop the copies of the host only before they become root, when they hold nothing; the host
//! then ends them at its deadline.
//!
//! MUST leave the host as it was: no SIGCHLD, no zombie, no descriptor, no allocation that a limit
//! could refuse. (A host that is a child subreaper, or process 1, adopts the helper like any
//! orphan, and receives SIGCHLD as for any other.)

mod cgroup;
mod child;
mod failure;
mod files;
mod limits;
#[cfg(test)]
mod tests;

use crate::connection::Timed;
use crate::ffi::system_calls::{self as sys, SignalsBlocked};
use child::{ARGUMENTS, Launch};
pub(crate) use failure::HelperError;
use failure::{LaunchFailure, LaunchStep, REPORT};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use nix::unistd::geteuid;
use std::ffi::CStr;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::{Duration, Instant};

/// Time limit of a helper that is ready until it runs its program, and of one whose socket was
/// closed until it ends.
const HELPER_WAIT: Duration = Duration::from_millis(500);

/// A running helper, connected through its descriptors 0 and 1. Dropping this closes the socket, at
/// which the helper ends; one that does not is killed.
pub(crate) struct HelperProcess {
    socket: UnixStream,
    /// A pidfd. `None` before Linux 5.3, where a helper that does not end when its socket closes is
    /// not killed.
    process: Option<OwnedFd>,
    deadline: Instant,
}

/// Starts a program as root and apart from this process and its user. Both the start and later
/// reads and writes end at the deadline, on CLOCK_MONOTONIC.
pub(crate) fn start(
    program: &CStr,
    arguments: &[&CStr],
    deadline: Instant,
) -> Result<HelperProcess, HelperError> {
    if !geteuid().is_root() {
        return Err(HelperError::NotRoot);
    }
    let mut list = [ptr::null(); ARGUMENTS];
    if arguments.len() > ARGUMENTS - 2 {
        return Err(HelperError::TooManyArguments);
    }
    for (slot, argument) in list.iter_mut().zip([&program].into_iter().chain(arguments)) {
        *slot = argument.as_ptr();
    }
    let (socket, helpers_socket) = socket_pair().map_err(HelperError::Descriptors)?;
    let (report, helpers_report) = socket_pair().map_err(HelperError::Descriptors)?;
    let launch = Launch {
        program,
        arguments: list,
        socket: helpers_socket.as_raw_fd(),
        report: helpers_report.as_raw_fd(),
    };
    // The host's handlers must not run in the copy, which gets a terminal's signals as the host
    // does.
    let blocked = SignalsBlocked::new().map_err(HelperError::Process)?;
    let copy = sys::run_in_copy(child::detach, &launch);
    drop(blocked);
    let copy = copy.map_err(HelperError::Process)?;
    drop((helpers_socket, helpers_report));
    let process = wait_for_program(&report, deadline);
    sys::end_copy(copy);
    Ok(HelperProcess {
        socket,
        process: process?,
        deadline,
    })
}

/// Waits until the helper runs its program, which closes the other end. Returns the pidfd that the
/// helper sent before.
fn wait_for_program(
    report: &UnixStream,
    deadline: Instant,
) -> Result<Option<OwnedFd>, HelperError> {
    let (ready, process) = match next_report(report, deadline)? {
        Some(Report(failure, process)) => (failure, process),
        None => return Err(HelperError::Ended),
    };
    if ready.step != LaunchStep::Ready {
        return Err(HelperError::Step(ready));
    }
    let soon = deadline.min(Instant::now() + HELPER_WAIT);
    match next_report(report, soon) {
        Ok(Some(Report(failure, _))) => Err(HelperError::Step(failure)),
        // Silence is accepted too: another thread of the host may have forked meanwhile, which
        // keeps that end open, or the disk is slow. If the program does not run, reads of the
        // socket fail.
        Ok(None) | Err(HelperError::Silent) => Ok(process),
        Err(error) => Err(error),
    }
}

struct Report(LaunchFailure, Option<OwnedFd>);

/// Receives the next report, or `None` at the end.
fn next_report(report: &UnixStream, deadline: Instant) -> Result<Option<Report>, HelperError> {
    let mut bytes = [0; REPORT];
    let received = retry_until(report, PollFlags::POLLIN, deadline, || {
        sys::receive_with(report.as_fd(), &mut bytes)
    });
    let (length, process) = match received {
        Ok(received) => received,
        Err(Errno::ETIMEDOUT) => return Err(HelperError::Silent),
        Err(errno) => return Err(HelperError::Descriptors(errno)),
    };
    // the host would print into a descriptor that is 0, 1 or 2
    let process = process
        .map(above_standard)
        .transpose()
        .map_err(HelperError::Descriptors)?;
    match length {
        0 => Ok(None),
        REPORT => LaunchFailure::from_report(bytes)
            .map(|failure| Some(Report(failure, process)))
            .ok_or(HelperError::Ended),
        _ => Err(HelperError::Ended),
    }
}

/// Repeats a nonblocking call until it succeeds or fails, or until the deadline (ETIMEDOUT).
fn retry_until<T>(
    socket: &UnixStream,
    events: PollFlags,
    deadline: Instant,
    mut call: impl FnMut() -> Result<T, Errno>,
) -> Result<T, Errno> {
    loop {
        // checked each time: a helper that never stops sending must not block the host
        if Instant::now() >= deadline {
            return Err(Errno::ETIMEDOUT);
        }
        match call() {
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                wait_until(socket.as_fd(), events, deadline)?;
            }
            result => return result,
        }
    }
}

/// Waits for an event, whatever signals interrupt the wait. Returns `Ok(false)` at the deadline.
fn wait_until(fd: BorrowedFd<'_>, events: PollFlags, deadline: Instant) -> Result<bool, Errno> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // rounded up: waits of 0 ms would spin through the last millisecond
        let left = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(fd, events)], left) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}

/// Returns a pair of sockets, close-on-exec and above 2: a host that closed its standard
/// descriptors must not print into one of them.
fn socket_pair() -> Result<(UnixStream, UnixStream), Errno> {
    let (one, other) = UnixStream::pair().map_err(errno_of)?;
    Ok((
        above_standard(one.into())?.into(),
        above_standard(other.into())?.into(),
    ))
}

fn above_standard(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    match fd.as_raw_fd() {
        // try_clone duplicates to 3 or above
        0..=2 => match fd.try_clone().map_err(errno_of) {
            // the error of fcntl where the limit is 3 or less
            Err(Errno::EINVAL) => Err(Errno::EMFILE),
            result => result,
        },
        _ => Ok(fd),
    }
}

fn errno_of(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

impl Timed for HelperProcess {
    fn wait_until(&mut self, until: Instant) {
        self.deadline = until;
    }
}

impl Read for HelperProcess {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let receive = || recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT);
        retry_until(&self.socket, PollFlags::POLLIN, self.deadline, receive)
            .map_err(io::Error::from)
    }
}

impl Write for HelperProcess {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        let send = || send(self.socket.as_raw_fd(), bytes, flags);
        retry_until(&self.socket, PollFlags::POLLOUT, self.deadline, send).map_err(io::Error::from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for HelperProcess {
    fn drop(&mut self) {
        // shutdown works also where another process has inherited the descriptor
        let _ = self.socket.shutdown(Shutdown::Both);
        let Some(process) = self.process.as_ref().map(AsFd::as_fd) else {
            return;
        };
        if !matches!(
            wait_until(process, PollFlags::POLLIN, Instant::now() + HELPER_WAIT),
            Ok(true)
        ) {
            sys::kill_process(process);
            let _ = wait_until(process, PollFlags::POLLIN, Instant::now() + HELPER_WAIT);
        }
        sys::reap_process(process);
    }
}
