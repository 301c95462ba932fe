//! The system calls that start the helper, each as a safe function. nix has the others.
//!
//! MUST NOT allocate, lock or touch what libc keeps for its threads: most of this runs in a copy of
//! a PAM host that may have had threads, where a lock that another thread held stays locked for
//! ever.
//! MUST NOT change the host process: the signal mask of the calling thread is restored before a
//! function returns.

use libc::{c_char, c_int, c_long, c_uint, c_void};
use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::close;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::{mem, ptr};

/// The size of the kernel's signal set, in bytes.
const SIGNAL_SET: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    16
} else {
    8
};

type SignalSet = [u64; 2];

fn check(result: c_long) -> Result<c_long, Errno> {
    if result == -1 {
        Err(Errno::last())
    } else {
        Ok(result)
    }
}

fn done(result: c_int) -> Result<(), Errno> {
    check(c_long::from(result)).map(drop)
}

/// A buffer for one descriptor beside a message, aligned for its header.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Bytes of a header with one descriptor; the kernel closes a second one, for which there is no
/// room.
// SAFETY: computes a size.
const SPACE: c_uint = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as c_uint) };
// SAFETY: computes a size.
const HEADER: c_uint = unsafe { libc::CMSG_LEN(size_of::<RawFd>() as c_uint) };

/// Returns a message of one part, with room for one descriptor.
fn message(part: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: a msghdr of zeros is an empty message.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = ptr::from_mut(control).cast();
    message.msg_controllen = SPACE as _;
    message
}

/// Sends bytes, with a descriptor if there is one.
pub(crate) fn send_with(fd: RawFd, bytes: &[u8], passed: Option<RawFd>) -> Result<(), Errno> {
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let mut control = Control([0; 64]);
    let mut message = message(&mut part, &mut control);
    match passed {
        // SAFETY: the macros compute places inside `control`, which is longer than one header with
        // one descriptor (24 bytes).
        Some(passed) => unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = HEADER as _;
            ptr::write_unaligned(libc::CMSG_DATA(header).cast::<RawFd>(), passed);
        },
        None => message.msg_controllen = 0,
    }
    // SAFETY: every pointer in the message is to something on this frame.
    check(unsafe { libc::sendmsg(fd, &raw const message, libc::MSG_NOSIGNAL) } as c_long).map(drop)
}

/// Receives bytes, and a descriptor if one was sent with them, close-on-exec.
pub(crate) fn receive_with(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> Result<(usize, Option<OwnedFd>), Errno> {
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut control = Control([0; 64]);
    let mut message = message(&mut part, &mut control);
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: every pointer in the message is to something that outlives the call.
    let got = check(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) } as c_long)?;
    // SAFETY: the kernel wrote the header and its length; a header for SCM_RIGHTS that is long
    // enough holds a descriptor, which no other code uses.
    let passed = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        let is_descriptor = !header.is_null()
            && (*header).cmsg_level == libc::SOL_SOCKET
            && (*header).cmsg_type == libc::SCM_RIGHTS
            && (*header).cmsg_len as usize >= HEADER as usize;
        is_descriptor.then(|| {
            OwnedFd::from_raw_fd(ptr::read_unaligned(libc::CMSG_DATA(header).cast::<RawFd>()))
        })
    };
    Ok((got as usize, passed))
}

/// Blocks every signal in the calling thread until this is dropped.
pub(crate) struct SignalsBlocked(SignalSet);

impl SignalsBlocked {
    pub(crate) fn new() -> Result<SignalsBlocked, Errno> {
        let mut before = [0; 2];
        set_signal_mask(&[u64::MAX; 2], &mut before)?;
        Ok(SignalsBlocked(before))
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // cannot fail: the same call with a valid set has just succeeded
        let _ = set_signal_mask(&self.0, &mut [0; 2]);
    }
}

/// Calls the kernel directly: libc's function leaves out the signals that libc uses, whose handlers
/// must not run in the copy.
fn set_signal_mask(mask: &SignalSet, before: &mut SignalSet) -> Result<(), Errno> {
    let (mask, before) = (mask.as_ptr(), before.as_mut_ptr());
    // SAFETY: both sets are at least SIGNAL_SET bytes long.
    check(unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            mask,
            before,
            SIGNAL_SET,
        )
    })
    .map(drop)
}

/// Gives every signal its default action, also the two that libc reserves, then unblocks all of
/// them.
pub(crate) fn reset_signals() -> Result<(), Errno> {
    // longer than the kernel's struct on any architecture; zeros are SIG_DFL, no flags, an empty
    // mask
    let default = [0u64; 8];
    for signal in
        (1..=SIGNAL_SET * 8).filter(|n| ![libc::SIGKILL, libc::SIGSTOP].contains(&(*n as c_int)))
    {
        let nothing = ptr::null_mut::<c_void>();
        // SAFETY: `default` is read and outlives the call; nothing is written.
        check(unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal as c_long,
                default.as_ptr(),
                nothing,
                SIGNAL_SET,
            )
        })?;
    }
    set_signal_mask(&[0; 2], &mut [0; 2])
}

/// Runs `child` in a copy of this process, as fork does, but without the handlers that libc would
/// run, and with no signal to the parent when the copy ends (exit signal 0). Returns its number.
///
/// `child` runs with one thread. It MUST follow the rules at the head of this file.
pub(crate) fn run_in_copy<T>(child: fn(&T) -> !, argument: &T) -> Result<libc::pid_t, Errno> {
    let zero: c_long = 0;
    // SAFETY: no CLONE_VM and no stack: both processes go on from here, each with memory of its
    // own. All arguments are 0, so their order, which differs by architecture, does not matter.
    match check(unsafe { libc::syscall(libc::SYS_clone, zero, zero, zero, zero, zero) })? {
        0 => child(argument),
        process => Ok(process as libc::pid_t),
    }
}

/// Kills a process that [`run_in_copy`] made and reaps it.
pub(crate) fn end_copy(process: libc::pid_t) {
    let mut flags = libc::__WCLONE | libc::WNOHANG;
    loop {
        // SAFETY: no status is asked for.
        match check(c_long::from(unsafe {
            libc::waitpid(process, ptr::null_mut(), flags)
        })) {
            Ok(0) => {
                // SAFETY: the number is still that of this process's child, which was not reaped.
                unsafe { libc::kill(process, libc::SIGKILL) };
                // SIGKILL ends also a stopped or frozen process, so this wait ends
                flags = libc::__WCLONE;
            }
            Err(Errno::EINTR) => {}
            // ECHILD: another thread of the host has reaped it
            Ok(_) | Err(_) => return,
        }
    }
}

/// Ends this process without libc's exit handlers.
pub(crate) fn exit() -> ! {
    // SAFETY: touches no memory.
    unsafe { libc::_exit(127) }
}

/// Sets every id to root, without groups. Calls the kernel directly: libc would signal threads that
/// the copy does not have.
pub(crate) fn become_root() -> Result<(), Errno> {
    let (zero, none): (c_long, *const libc::gid_t) = (0, ptr::null());
    // SAFETY: numbers and a null list of no groups. The user ids come first: from then on the user
    // can send no signal.
    unsafe {
        check(libc::syscall(libc::SYS_setresuid, zero, zero, zero))?;
        check(libc::syscall(libc::SYS_setgroups, zero, none))?;
        check(libc::syscall(libc::SYS_setresgid, zero, zero, zero))?;
    }
    Ok(())
}

pub(crate) fn new_session() -> Result<(), Errno> {
    // SAFETY: touches no memory.
    done(unsafe { libc::setsid() })
}

/// Returns a pidfd of this process, which stays valid when the number is reused; `None` before
/// Linux 5.3.
pub(crate) fn own_pidfd() -> Option<RawFd> {
    // SAFETY: numbers only. The kernel's own getpid, for the copy was not made by libc.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::syscall(libc::SYS_getpid), 0) };
    RawFd::try_from(fd).ok().filter(|fd| *fd >= 0)
}

/// Kills the process of a pidfd.
pub(crate) fn kill_process(process: BorrowedFd<'_>) {
    let none = ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo makes the kernel fill in one as for kill.
    unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            libc::SIGKILL,
            none,
            0,
        )
    };
}

/// Reaps the process, if it has become a child of this one.
pub(crate) fn reap_process(process: BorrowedFd<'_>) {
    // SAFETY: siginfo_t is plain data, and the kernel writes it.
    unsafe {
        let mut status: libc::siginfo_t = mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        libc::waitid(
            libc::P_PIDFD,
            process.as_raw_fd() as libc::id_t,
            &raw mut status,
            flags,
        );
    }
}

/// Returns the soft and the hard limit of a resource.
pub(crate) fn limits(resource: c_int) -> Result<(u64, u64), Errno> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one rlimit64.
    done(unsafe { libc::prlimit64(0, resource as _, ptr::null(), &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

pub(crate) fn set_limits(resource: c_int, soft: u64, hard: u64) -> Result<(), Errno> {
    let limit = libc::rlimit64 {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: the kernel reads one rlimit64.
    done(unsafe { libc::prlimit64(0, resource as _, &raw const limit, ptr::null_mut()) })
}

/// Sets SCHED_OTHER, nice 0, the I/O priority that follows from nice, every processor, and memory
/// of every node.
pub(crate) fn reset_scheduling() -> Result<(), Errno> {
    const IOPRIO_WHO_PROCESS: c_long = 1;
    const TIMER_SLACK_NANOSECONDS: c_long = 50_000;
    let zero: c_long = 0;
    // a mask of 8192 processors; the kernel ignores those that do not exist
    let every = [u64::MAX; 128];
    // SAFETY: a sched_param of zeros is that of SCHED_OTHER; the mask is as long as is said; the
    // rest are numbers and a null list of nodes.
    unsafe {
        let parameters: libc::sched_param = mem::zeroed();
        check(libc::syscall(
            libc::SYS_sched_setscheduler,
            zero,
            c_long::from(libc::SCHED_OTHER),
            &raw const parameters,
        ))?;
        done(libc::setpriority(libc::PRIO_PROCESS, 0, 0))?;
        check(libc::syscall(
            libc::SYS_ioprio_set,
            IOPRIO_WHO_PROCESS,
            zero,
            zero,
        ))?;
        check(libc::syscall(
            libc::SYS_sched_setaffinity,
            zero,
            size_of_val(&every),
            every.as_ptr(),
        ))?;
        // failures are ignored: they make the helper slower at most, and containers forbid the
        // first call
        libc::syscall(libc::SYS_set_mempolicy, zero, ptr::null::<c_void>(), zero);
        libc::syscall(
            libc::SYS_prctl,
            c_long::from(libc::PR_SET_TIMERSLACK),
            TIMER_SLACK_NANOSECONDS,
            zero,
            zero,
            zero,
        );
    }
    Ok(())
}

pub(crate) fn reset_directory_and_umask() -> Result<(), Errno> {
    // SAFETY: a constant string.
    unsafe {
        libc::umask(0o077);
        done(libc::chdir(c"/".as_ptr()))
    }
}

/// Duplicates `from` as `to`, which stays open when a program is run, unless `flags` say otherwise.
pub(crate) fn duplicate(from: RawFd, to: RawFd, flags: c_int) -> Result<(), Errno> {
    // SAFETY: only in a copy that is about to run another program, in which nothing else uses the
    // descriptor `to`.
    done(unsafe { libc::dup3(from, to, flags) })
}

/// Closes every descriptor that is not less than `first`.
pub(crate) fn close_from(first: RawFd) -> Result<(), Errno> {
    let last = c_long::from(c_uint::MAX);
    // SAFETY: only in a copy that is about to run another program, in which nothing uses these
    // descriptors.
    match check(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            c_long::from(first),
            last,
            0 as c_long,
        )
    }) {
        // Linux before 5.9, or a seccomp filter that does not know the call
        Err(Errno::ENOSYS | Errno::EPERM) => close_listed_from(first),
        result => result.map(drop),
    }
}

/// Closes the descriptors that /proc/self/fd lists.
pub(crate) fn close_listed_from(first: RawFd) -> Result<(), Errno> {
    // offsets of the length and of the name in a linux_dirent64
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let list = fcntl::open(c"/proc/self/fd", flags, Mode::empty())?;
    let mut entries = [0u64; 128];
    loop {
        // SAFETY: pointer and length are those of one array.
        let got = check(unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                list.as_raw_fd(),
                entries.as_mut_ptr(),
                size_of_val(&entries),
            )
        })?;
        // SAFETY: the bytes of an array of integers, which lives longer.
        let bytes: &[u8] =
            unsafe { std::slice::from_raw_parts(entries.as_ptr().cast(), size_of_val(&entries)) };
        let mut rest = match got {
            0 => return Ok(()),
            got => bytes.get(..got as usize).unwrap_or_default(),
        };
        // procfs lists by number, so closing listed descriptors skips none that follow
        while let (Some(&[a, b]), Some(name)) = (rest.get(LENGTH..LENGTH + 2), rest.get(NAME..)) {
            let mut digits = name.iter().take_while(|byte| **byte != 0);
            let number = digits.try_fold(0 as RawFd, |number, digit| {
                let digit = RawFd::from(digit.wrapping_sub(b'0'));
                number
                    .checked_mul(10)?
                    .checked_add(digit)
                    .filter(|_| digit < 10)
            });
            if let Some(fd) = number.filter(|fd| *fd >= first && *fd != list.as_raw_fd()) {
                let _ = close(fd);
            }
            rest = rest
                .get(usize::from(u16::from_ne_bytes([a, b])).max(1)..)
                .unwrap_or_default();
        }
    }
}

/// Replaces this program by another, and returns only on failure. Both lists end with null and hold
/// C strings.
pub(crate) fn run_program<const A: usize, const E: usize>(
    program: &CStr,
    arguments: &[*const c_char; A],
    environment: &[*const c_char; E],
) -> Errno {
    if arguments.last() != Some(&ptr::null()) || environment.last() != Some(&ptr::null()) {
        return Errno::EINVAL;
    }
    // SAFETY: the lists end with null, as was checked; their strings live in the caller of `start`,
    // whose memory this is a copy of.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    Errno::last()
}
