//! The resource limits of the helper.
//!
//! MUST NOT allocate, lock or panic: see `ffi::system_calls`.

use crate::ffi::system_calls;
use nix::errno::Errno;

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

/// Resets every limit. A failure names the entry of [`LIMITS`].
pub(super) fn reset_limits() -> Result<(), (u8, Errno)> {
    (0..)
        .zip(&LIMITS)
        .try_for_each(|(number, limit)| reset_limit(limit).map_err(|errno| (number, errno)))
}

fn reset_limit(limit: &ResourceLimit) -> Result<(), Errno> {
    match system_calls::set_limits(limit.resource, limit.soft, limit.hard) {
        Err(Errno::EPERM) => {
            let (_, hard) = system_calls::limits(limit.resource)?;
            if hard < limit.least {
                return Err(Errno::EPERM);
            }
            system_calls::set_limits(limit.resource, limit.soft.min(hard), hard)
        }
        result => result,
    }
}

/// Returns the name of a resource, by its entry of [`LIMITS`].
pub(super) fn limit_name(number: u8) -> &'static str {
    LIMITS
        .get(usize::from(number))
        .map_or("a limit", |limit| limit.name)
}
