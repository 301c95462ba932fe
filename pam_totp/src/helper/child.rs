//! The steps between the copy of the PAM host and the helper program, in two processes:
//!
//! 1. the copy becomes root, starts a session, leaves the cgroups of users, copies itself and ends;
//! 2. the second copy, which is an orphan by then, resets what it inherited, reports that it is
//!    ready, and runs the program. (execve(2) sets the exit signal of a child to SIGCHLD again:
//!    hence the second copy.)
//!
//! MUST NOT allocate, lock or panic: see `sys`. The host prepares everything before the copy.

use super::sys;
use libc::c_char;
use nix::errno::Errno;
use std::ffi::CStr;
use std::os::fd::RawFd;

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

/// The step of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum LaunchStep {
    /// No failure: all steps but running the program are done.
    Ready,
    Root,
    Session,
    CgroupUnknown,
    CgroupOfUser,
    Process,
    Limit,
    OutOfMemoryScore,
    Scheduling,
    Null,
    Descriptors,
    Directory,
    Signals,
    Program,
}

impl LaunchStep {
    const ALL: [LaunchStep; 14] = [
        LaunchStep::Ready,
        LaunchStep::Root,
        LaunchStep::Session,
        LaunchStep::CgroupUnknown,
        LaunchStep::CgroupOfUser,
        LaunchStep::Process,
        LaunchStep::Limit,
        LaunchStep::OutOfMemoryScore,
        LaunchStep::Scheduling,
        LaunchStep::Null,
        LaunchStep::Descriptors,
        LaunchStep::Directory,
        LaunchStep::Signals,
        LaunchStep::Program,
    ];
}

/// The step that failed, with the error of its system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaunchFailure {
    pub(super) step: LaunchStep,
    pub(super) errno: Errno,
    /// The entry of [`LIMITS`] that [`LaunchStep::Limit`] is about.
    limit: u8,
}

/// The size of a report, in bytes.
pub(super) const REPORT: usize = 6;

impl LaunchFailure {
    pub(super) fn new(step: LaunchStep, errno: Errno) -> LaunchFailure {
        LaunchFailure {
            step,
            errno,
            limit: 0,
        }
    }

    fn to_report(self) -> [u8; REPORT] {
        let [a, b, c, d] = (self.errno as i32).to_ne_bytes();
        [self.step as u8, self.limit, a, b, c, d]
    }

    pub(super) fn from_report([step, limit, a, b, c, d]: [u8; REPORT]) -> Option<LaunchFailure> {
        let errno = Errno::from_raw(i32::from_ne_bytes([a, b, c, d]));
        let step = LaunchStep::ALL
            .into_iter()
            .find(|known| *known as u8 == step)?;
        Some(LaunchFailure { step, errno, limit })
    }

    /// Returns the name of the resource that [`LaunchStep::Limit`] is about.
    pub(super) fn limit_name(&self) -> &'static str {
        LIMITS
            .get(usize::from(self.limit))
            .map_or("a limit", |limit| limit.name)
    }
}

fn failure_at(step: LaunchStep) -> impl Fn(Errno) -> LaunchFailure {
    move |errno| LaunchFailure::new(step, errno)
}

/// The new limits of a resource, and the least hard limit with which the helper is started where
/// root cannot raise it (containers without CAP_SYS_RESOURCE).
struct ResourceLimit {
    name: &'static str,
    resource: libc::c_int,
    soft: u64,
    hard: u64,
    least: u64,
}

const fn limit(
    name: &'static str,
    resource: u32,
    soft: u64,
    hard: u64,
    least: u64,
) -> ResourceLimit {
    ResourceLimit {
        name,
        resource: resource as libc::c_int,
        soft,
        hard,
        least,
    }
}

const NO_LIMIT: u64 = libc::RLIM64_INFINITY;
const MIB: u64 = 1 << 20;

const LIMITS: [ResourceLimit; 14] = [
    limit("RLIMIT_AS", libc::RLIMIT_AS, NO_LIMIT, NO_LIMIT, 1024 * MIB),
    limit("RLIMIT_CPU", libc::RLIMIT_CPU, NO_LIMIT, NO_LIMIT, 60),
    limit(
        "RLIMIT_FSIZE",
        libc::RLIMIT_FSIZE,
        NO_LIMIT,
        NO_LIMIT,
        1024 * 1024 * MIB,
    ),
    limit("RLIMIT_NPROC", libc::RLIMIT_NPROC, NO_LIMIT, NO_LIMIT, 64),
    limit(
        "RLIMIT_DATA",
        libc::RLIMIT_DATA,
        NO_LIMIT,
        NO_LIMIT,
        1024 * MIB,
    ),
    limit(
        "RLIMIT_STACK",
        libc::RLIMIT_STACK,
        8 * MIB,
        NO_LIMIT,
        8 * MIB,
    ),
    limit("RLIMIT_NOFILE", libc::RLIMIT_NOFILE, 1024, 1024, 256),
    limit("RLIMIT_CORE", libc::RLIMIT_CORE, 0, 0, 0),
    // the helper does not need these, but no limit that a user chose is kept
    limit("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK, 8 * MIB, 8 * MIB, 0),
    limit("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING, 1024, 1024, 0),
    limit("RLIMIT_LOCKS", libc::RLIMIT_LOCKS, NO_LIMIT, NO_LIMIT, 0),
    limit("RLIMIT_RSS", libc::RLIMIT_RSS, NO_LIMIT, NO_LIMIT, 0),
    limit("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO, 0, 0, 0),
    limit("RLIMIT_NICE", libc::RLIMIT_NICE, 0, 0, 0),
];

/// Runs the first copy.
pub(super) fn detach(launch: &Launch<'_>) -> ! {
    if let Err(failure) = detach_and_copy(launch) {
        let _ = sys::send_with(launch.report, &failure.to_report(), None);
    }
    sys::exit()
}

fn detach_and_copy(launch: &Launch<'_>) -> Result<(), LaunchFailure> {
    sys::become_root().map_err(failure_at(LaunchStep::Root))?;
    sys::new_session().map_err(failure_at(LaunchStep::Session))?;
    // before any file is opened: the user may have set RLIMIT_NOFILE too low
    reset_limits()?;
    super::cgroup::leave_cgroups_of_users()?;
    sys::run_in_copy(run_helper, launch)
        .map_err(failure_at(LaunchStep::Process))
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
    reset_out_of_memory_score().map_err(failure_at(LaunchStep::OutOfMemoryScore))?;
    sys::reset_scheduling().map_err(failure_at(LaunchStep::Scheduling))?;
    sys::reset_directory_and_umask().map_err(failure_at(LaunchStep::Directory))?;
    sys::reset_signals().map_err(failure_at(LaunchStep::Signals))
}

fn reset_limits() -> Result<(), LaunchFailure> {
    for (number, limit) in (0..).zip(&LIMITS) {
        reset_limit(limit).map_err(|errno| LaunchFailure {
            step: LaunchStep::Limit,
            errno,
            limit: number,
        })?;
    }
    Ok(())
}

fn reset_limit(limit: &ResourceLimit) -> Result<(), Errno> {
    match sys::set_limits(limit.resource, limit.soft, limit.hard) {
        Err(Errno::EPERM) => {
            let (_, hard) = sys::limits(limit.resource)?;
            if hard < limit.least {
                return Err(Errno::EPERM);
            }
            sys::set_limits(limit.resource, limit.soft.min(hard), hard)
        }
        result => result,
    }
}

/// Sets the descriptors: 0 and 1 are the socket, 2 is /dev/null, 3 is the socket for reports until
/// the program runs. All others are closed.
fn reset_descriptors(launch: &Launch<'_>, report: &mut RawFd) -> Result<(), LaunchFailure> {
    sys::duplicate(launch.socket, 0, 0).map_err(failure_at(LaunchStep::Descriptors))?;
    sys::duplicate(launch.socket, 1, 0).map_err(failure_at(LaunchStep::Descriptors))?;
    let null = sys::open(c"/dev/null", libc::O_RDWR).map_err(failure_at(LaunchStep::Null))?;
    if null != 2 {
        sys::duplicate(null, 2, 0).map_err(failure_at(LaunchStep::Descriptors))?;
    } else {
        // 2 was free, so the descriptor is still close-on-exec
        sys::keep_open(null).map_err(failure_at(LaunchStep::Descriptors))?;
    }
    if *report != 3 {
        sys::duplicate(*report, 3, libc::O_CLOEXEC).map_err(failure_at(LaunchStep::Descriptors))?;
        *report = 3;
    }
    sys::close_from(4).map_err(failure_at(LaunchStep::Descriptors))
}

/// Resets the score, which the user may have set to 1000 so that the helper is the first process
/// that the kernel kills.
fn reset_out_of_memory_score() -> Result<(), Errno> {
    let path = c"/proc/self/oom_score_adj";
    let mut score = [0; 8];
    let length = sys::read_file(path, &mut score)?;
    // a container may not lower the score, and 0 need not be lowered
    if score.get(..length) == Some(b"0\n") {
        Ok(())
    } else {
        sys::write_file(path, b"0")
    }
}
