//! The steps between the copy of the PAM host and the helper program, in two processes:
//!
//! 1. the copy becomes root, starts a session, leaves the cgroups of users, copies itself and ends;
//! 2. the second copy, which is an orphan by then, resets what it inherited, reports that it is
//!    ready, and runs the program. (execve(2) sets the exit signal of a child to SIGCHLD again:
//!    hence the second copy.)
//!
//! MUST NOT allocate, lock or panic: see `ffi::system_calls`. The host prepares everything before the copy.

use super::failure::{LaunchFailure, LaunchStep};
use super::{files, limits};
use crate::ffi::system_calls as sys;
use libc::c_char;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};

/// The length of the argument list, with the program's name and the null at the end.
pub(super) const ARGUMENTS: usize = 10;

/// The parameters of the copies.
pub(super) struct Launch<'a> {
    pub(super) program: &'a CStr,
    pub(super) arguments: [*const c_char; ARGUMENTS],
    /// The socket that becomes the descriptors 0 and 1.
    pub(super) socket: RawFd,
    /// The socket for reports; above 2.
    pub(super) report: RawFd,
}

/// Runs the first copy.
pub(super) fn detach(launch: &Launch<'_>) -> ! {
    if let Err(failure) = detach_and_copy(launch) {
        let _ = sys::send_with(launch.report, &failure.to_report(), None);
    }
    sys::exit()
}

fn at(step: LaunchStep) -> impl Fn(Errno) -> LaunchFailure {
    move |errno| LaunchFailure::new(step, errno)
}

fn detach_and_copy(launch: &Launch<'_>) -> Result<(), LaunchFailure> {
    sys::become_root().map_err(at(LaunchStep::Root))?;
    sys::new_session().map_err(at(LaunchStep::Session))?;
    // before any file is opened: the user may have set RLIMIT_NOFILE too low
    limits::reset_limits().map_err(|(limit, errno)| LaunchFailure::of_limit(limit, errno))?;
    super::cgroup::leave_cgroups_of_users()?;
    sys::run_in_copy(run_helper, launch)
        .map_err(at(LaunchStep::Process))
        .map(drop)
}

/// Runs the second copy.
fn run_helper(launch: &Launch<'_>) -> ! {
    let mut report = launch.report;
    let failure = match prepare(launch, &mut report) {
        Err(failure) => failure,
        Ok(()) => {
            let ready = LaunchFailure::new(LaunchStep::Ready, Errno::UnknownErrno).to_report();
            // a host that has given up has closed its end: the program is not run
            if sys::send_with(report, &ready, sys::own_pidfd()).is_err() {
                sys::exit();
            }
            let environment = [
                c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".as_ptr(),
                std::ptr::null(),
            ];
            LaunchFailure::new(
                LaunchStep::Program,
                sys::run_program(launch.program, &launch.arguments, &environment),
            )
        }
    };
    let _ = sys::send_with(report, &failure.to_report(), None);
    sys::exit()
}

fn prepare(launch: &Launch<'_>, report: &mut RawFd) -> Result<(), LaunchFailure> {
    reset_descriptors(launch, report)?;
    reset_out_of_memory_score().map_err(at(LaunchStep::OutOfMemoryScore))?;
    sys::reset_scheduling().map_err(at(LaunchStep::Scheduling))?;
    sys::reset_directory_and_umask().map_err(at(LaunchStep::Directory))?;
    sys::reset_signals().map_err(at(LaunchStep::Signals))
}

/// Sets the descriptors: 0 and 1 are the socket, 2 is /dev/null, 3 is the socket for reports until
/// the program runs. All others are closed.
fn reset_descriptors(launch: &Launch<'_>, report: &mut RawFd) -> Result<(), LaunchFailure> {
    let duplicate =
        |from, to, flags| sys::duplicate(from, to, flags).map_err(at(LaunchStep::Descriptors));
    duplicate(launch.socket, 0, 0)?;
    duplicate(launch.socket, 1, 0)?;
    let null = files::open(c"/dev/null", OFlag::O_RDWR).map_err(at(LaunchStep::Null))?;
    if null.as_raw_fd() == 2 {
        // 2 was free, so the descriptor is still close-on-exec
        fcntl(&null, FcntlArg::F_SETFD(FdFlag::empty())).map_err(at(LaunchStep::Descriptors))?;
    } else {
        duplicate(null.as_raw_fd(), 2, 0)?;
    }
    // the program keeps 2, and close_from closes the others
    let _ = null.into_raw_fd();
    if *report != 3 {
        duplicate(*report, 3, libc::O_CLOEXEC)?;
        *report = 3;
    }
    sys::close_from(4).map_err(at(LaunchStep::Descriptors))
}

/// Resets the score, which the user may have set to 1000 so that the helper is the first process
/// that the kernel kills.
fn reset_out_of_memory_score() -> Result<(), Errno> {
    let path = c"/proc/self/oom_score_adj";
    let mut score = [0; 8];
    let length = files::read_file(path, &mut score)?;
    // a container may not lower the score, and 0 need not be lowered
    if score.get(..length) == Some(b"0\n") {
        Ok(())
    } else {
        files::write_file(path, b"0")
    }
}
