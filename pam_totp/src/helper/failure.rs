//! Why the helper was not started: the reports of the copies, and the messages with their
//! remedies.
//!
//! MUST NOT allocate, lock or panic where a copy makes a report: see `ffi::system_calls`.

use super::limits::limit_name;
use nix::errno::Errno;
use std::{fmt, io};

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
    /// The entry of the table of limits that [`LaunchStep::Limit`] is about.
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

    pub(super) fn of_limit(limit: u8, errno: Errno) -> LaunchFailure {
        LaunchFailure {
            step: LaunchStep::Limit,
            errno,
            limit,
        }
    }

    pub(super) fn to_report(self) -> [u8; REPORT] {
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
}

/// Why the helper was not started.
#[derive(Debug)]
pub(crate) enum HelperError {
    /// The effective user of the host is not root.
    NotRoot,
    /// More arguments than [`ARGUMENTS`].
    TooManyArguments,
    /// The limit of descriptors is reached.
    Descriptors(Errno),
    /// The limit of processes is reached.
    Process(Errno),
    /// A step before the program failed.
    Step(LaunchFailure),
    /// The helper ended before it ran its program.
    Ended,
    /// The helper sent nothing until the deadline.
    Silent,
}

impl fmt::Display for HelperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HelperError::NotRoot => {
                f.write_str("posternd --stdio is started by root only; start posternd.socket")
            }
            HelperError::TooManyArguments => f.write_str("posternd --stdio has too many arguments"),
            HelperError::Descriptors(Errno::EMFILE) => f.write_str(
                "no descriptor is left for posternd --stdio; raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=) of the PAM host",
            ),
            HelperError::Descriptors(Errno::ENFILE) => {
                f.write_str("no descriptor is left for posternd --stdio; raise fs.file-max")
            }
            HelperError::Descriptors(errno) => {
                write!(f, "no socket for posternd --stdio: {}", reason(*errno))
            },
            HelperError::Process(errno) => no_process(f, *errno),
            HelperError::Step(failure) => failure.fmt(f),
            HelperError::Ended => {
                f.write_str("posternd --stdio was ended before it began; see the kernel's log (out of memory?)")
            }
            HelperError::Silent => f.write_str(
                "posternd --stdio did not begin in time; is a process of the PAM host stopped, or its cgroup frozen?",
            ),
        }
    }
}

impl std::error::Error for HelperError {}

/// Returns the message of libc's: a table of messages would take memory in every host.
fn reason(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno as i32)
}

fn no_process(f: &mut fmt::Formatter<'_>, errno: Errno) -> fmt::Result {
    match errno {
        Errno::EAGAIN => f.write_str(
            "no process is left for posternd --stdio; raise RLIMIT_NPROC (ulimit -u), pids.max of the cgroup (TasksMax=), or \
             kernel.pid_max",
        ),
        Errno::ENOMEM => f.write_str("no memory is left for posternd --stdio"),
        errno => write!(f, "no process for posternd --stdio: {}", reason(errno)),
    }
}

impl LaunchStep {
    /// Returns what cannot be done, with "@" for the reason, and the remedy; `None` for steps whose
    /// message has another form.
    fn message(self) -> Option<&'static str> {
        Some(match self {
            LaunchStep::Root => "become root (@); give the PAM host CAP_SETUID and CAP_SETGID",
            LaunchStep::CgroupOfUser => {
                "leave the cgroup of a user, who could freeze it (@); mount /sys/fs/cgroup writable where the PAM host runs, or start posternd.socket"
            }
            LaunchStep::OutOfMemoryScore => {
                "set its oom_score_adj to 0 (@); set OOMScoreAdjust=0, or give CAP_SYS_RESOURCE"
            }
            LaunchStep::Scheduling => {
                "reset its scheduling (@); run the PAM host with nice 0, or give CAP_SYS_NICE"
            }
            LaunchStep::Null => "open /dev/null (@); bind-mount it where the PAM host runs",
            LaunchStep::Program => {
                "be run (@); install it, or bind-mount /usr/libexec/postern where the PAM host runs"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for LaunchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = reason(self.errno);
        let message = self.step.message().and_then(|text| text.split_once('@'));
        match (self.step, message) {
            (_, Some((act, remedy))) => write!(f, "posternd --stdio cannot {act}{errno}{remedy}"),
            (LaunchStep::CgroupUnknown, _) => write!(
                f,
                "/proc/self/cgroup cannot be read ({errno}), so that a user might freeze posternd --stdio; mount /proc where \
                 the PAM host runs"
            ),
            (LaunchStep::Process, _) => no_process(f, self.errno),
            (LaunchStep::Limit, _) => {
                let name = limit_name(self.limit);
                write!(
                    f,
                    "posternd --stdio cannot raise {name} ({errno}); raise its hard limit, or give CAP_SYS_RESOURCE"
                )
            }
            (step, None) => write!(
                f,
                "posternd --stdio cannot be prepared ({step:?}: {errno}); please report it"
            ),
        }
    }
}
