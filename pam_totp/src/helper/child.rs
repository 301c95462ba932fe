//! What happens between the copy of the PAM host and the helper program, in two processes:
//!
//! 1. the copy becomes root, takes a session of its own, leaves the cgroups of users, copies itself and ends;
//! 2. the second copy, which is nobody's child by then, resets what it inherited, reports that it is ready, and runs the
//!    program. (Running a program gives a child back the exit signal SIGCHLD: hence the second copy.)
//!
//! MUST NOT allocate, lock or panic: see `sys`. Everything that is needed was prepared before.

use super::sys;
use libc::c_char;
use nix::errno::Errno;
use std::ffi::CStr;
use std::os::fd::RawFd;

/// Room for the arguments, the program's name and the null at the end.
pub(super) const ARGUMENTS: usize = 10;

/// What the copies need.
pub(super) struct Launch<'a> {
    pub(super) program: &'a CStr,
    pub(super) arguments: [*const c_char; ARGUMENTS],
    /// Becomes the descriptors 0 and 1.
    pub(super) socket: RawFd,
    /// Where to report; above 2.
    pub(super) report: RawFd,
}

/// How far the copies had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum LaunchStep {
    /// Not a failure: all is done but running the program.
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

/// The step that failed, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaunchFailure {
    pub(super) step: LaunchStep,
    pub(super) errno: Errno,
    /// The entry of [`LIMITS`] that [`Step::Limit`] is about.
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

    /// The name of the resource that [`Step::Limit`] is about.
    pub(super) fn limit_name(&self) -> &'static str {
        LIMITS
            .get(usize::from(self.limit))
            .map_or("a limit", |limit| limit.name)
    }
}

fn at(step: LaunchStep) -> impl Fn(Errno) -> LaunchFailure {
    move |errno| LaunchFailure::new(step, errno)
}

/// One resource: its new limit, and the least hard limit with which the helper is run where root may not raise it
/// (containers without CAP_SYS_RESOURCE).
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
    // not needed, but nothing that a user chose is kept
    limit("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK, 8 * MIB, 8 * MIB, 0),
    limit("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING, 1024, 1024, 0),
    limit("RLIMIT_LOCKS", libc::RLIMIT_LOCKS, NO_LIMIT, NO_LIMIT, 0),
    limit("RLIMIT_RSS", libc::RLIMIT_RSS, NO_LIMIT, NO_LIMIT, 0),
    limit("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO, 0, 0, 0),
    limit("RLIMIT_NICE", libc::RLIMIT_NICE, 0, 0, 0),
];

/// The first copy.
pub(super) fn detach(launch: &Launch<'_>) -> ! {
    if let Err(failure) = detach_and_copy(launch) {
        let _ = sys::send_with(launch.report, &failure.to_report(), None);
    }
    sys::exit()
}

fn detach_and_copy(launch: &Launch<'_>) -> Result<(), LaunchFailure> {
    sys::become_root().map_err(at(LaunchStep::Root))?;
    sys::new_session().map_err(at(LaunchStep::Session))?;
    // before anything is opened: the user may have left RLIMIT_NOFILE no room
    reset_limits()?;
    super::cgroup::leave_cgroups_of_users()?;
    sys::run_in_copy(run_helper, launch)
        .map_err(at(LaunchStep::Process))
        .map(drop)
}

/// The second copy.
fn run_helper(launch: &Launch<'_>) -> ! {
    let mut report = launch.report;
    let failure = match prepare(launch, &mut report) {
        Err(failure) => failure,
        Ok(()) => {
            let ready = LaunchFailure::new(LaunchStep::Ready, Errno::UnknownErrno).to_report();
            // a host that has given up closes its end: nothing is run for it
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

/// 0, 1: the socket; 2: /dev/null; 3: where to report, until the program runs. No other.
fn reset_descriptors(launch: &Launch<'_>, report: &mut RawFd) -> Result<(), LaunchFailure> {
    sys::duplicate(launch.socket, 0, 0).map_err(at(LaunchStep::Descriptors))?;
    sys::duplicate(launch.socket, 1, 0).map_err(at(LaunchStep::Descriptors))?;
    let null = sys::open(c"/dev/null", libc::O_RDWR).map_err(at(LaunchStep::Null))?;
    if null != 2 {
        sys::duplicate(null, 2, 0).map_err(at(LaunchStep::Descriptors))?;
    } else {
        // it was free, so that the descriptor is close-on-exec still
        sys::keep_open(null).map_err(at(LaunchStep::Descriptors))?;
    }
    if *report != 3 {
        sys::duplicate(*report, 3, libc::O_CLOEXEC).map_err(at(LaunchStep::Descriptors))?;
        *report = 3;
    }
    sys::close_from(4).map_err(at(LaunchStep::Descriptors))
}

/// The score is the user's choice, and one of 1000 makes the helper the first that is killed.
fn reset_out_of_memory_score() -> Result<(), Errno> {
    let path = c"/proc/self/oom_score_adj";
    let mut score = [0; 8];
    let length = sys::read_file(path, &mut score)?;
    // containers forbid to lower it, and there is nothing to lower
    if score.get(..length) == Some(b"0\n") {
        Ok(())
    } else {
        sys::write_file(path, b"0")
    }
}
