//! Files and file systems, as the copies of the PAM host read them.
//!
//! MUST NOT allocate, lock or panic: see `ffi::system_calls`.

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::libc::{gid_t, mode_t, uid_t};
use nix::sys::stat::{Mode, stat};
use nix::sys::statfs::{FsType, statfs};
use nix::unistd;
use std::ffi::CStr;
use std::os::fd::OwnedFd;

/// Opens a file that exists, close-on-exec.
pub(super) fn open(path: &CStr, flags: OFlag) -> Result<OwnedFd, Errno> {
    loop {
        match fcntl::open(path, flags | OFlag::O_CLOEXEC, Mode::empty()) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Reads until the end of the file or until the buffer is full. Returns the number of bytes.
pub(super) fn read_file(path: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    let file = open(path, OFlag::O_RDONLY)?;
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match unistd::read(&file, rest) {
            Ok(0) => break,
            Ok(got) => length += got,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Writes to a file that exists.
pub(super) fn write_file(path: &CStr, bytes: &[u8]) -> Result<(), Errno> {
    unistd::write(open(path, OFlag::O_WRONLY)?, bytes).map(drop)
}

/// Returns owner, group and mode of a file.
pub(super) fn owner_and_mode(path: &CStr) -> Result<(uid_t, gid_t, mode_t), Errno> {
    stat(path).map(|stat| (stat.st_uid, stat.st_gid, stat.st_mode))
}

/// Returns the type of the file system at a path.
pub(super) fn file_system(path: &CStr) -> Result<FsType, Errno> {
    statfs(path).map(|stat| stat.filesystem_type())
}
