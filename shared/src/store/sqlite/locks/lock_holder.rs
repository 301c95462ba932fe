//! The process that holds the store, after a wait for it failed: its user, and whether it is
//! stopped. The result is for logs and for root only.
//!
//! MUST NOT open a file of the store: closing it would release every lock that this process has on
//! it.

use crate::store::sqlite::files::location;
use crate::store::{LockHolder, StoreError};
use crate::system::name_service;
use nix::unistd::{Uid, User};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes of the WAL index (`-shm`) that SQLite locks: writer, checkpointer, recovery, readers.
const WRITER: u64 = 120;
const LAST_READER: u64 = 127;
/// Lock that every connection shares, and that the process which creates the index holds
/// exclusively.
const INDEX_CREATOR: u64 = 128;
/// Maximum of lines that are read of /proc/locks.
const MOST_LINES: usize = 10_000;

/// Returns the error of a failed wait, with the other process that holds the store at `path`, if
/// there is one.
pub(crate) fn busy_error(path: &Path) -> StoreError {
    find_holder(path).map_or(StoreError::Busy, StoreError::Held)
}

/// Returns another process that holds a lock of the store; a writer is preferred.
fn find_holder(path: &Path) -> Option<LockHolder> {
    let inode = fs::metadata(location::with_suffix(path, "-shm"))
        .ok()?
        .ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let held = locks
        .lines()
        .take(MOST_LINES)
        .filter_map(|line| parse_lock_line(line, inode));
    let others = held.filter(|(pid, _)| *pid != std::process::id());
    let (pid, _) = others.min_by_key(|(_, first)| *first)?;
    Some(describe_process(pid))
}

/// Returns process and first byte of a lock on that file, from a line such as `1: POSIX ADVISORY
/// WRITE 123 08:01:77 120 120`.
fn parse_lock_line(line: &str, inode: u64) -> Option<(u32, u64)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, "POSIX", _, kind, pid, file, first, last] = words[..] else {
        return None;
    };
    let of_file = file.rsplit(':').next()?.parse() == Ok(inode);
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let last_byte = if kind == "WRITE" {
        INDEX_CREATOR
    } else {
        LAST_READER
    };
    let is_ours = of_file && last >= WRITER && first <= last_byte;
    is_ours.then_some((pid.parse().ok()?, first))
}

/// Describes a process by /proc. The process may be hidden, or have ended.
fn describe_process(pid: u32) -> LockHolder {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let name = stat
        .split_once('(')
        .and_then(|(_, rest)| rest.rsplit_once(')'));
    let uid = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_ascii_whitespace().next());
    let uid: Option<u32> = uid.and_then(|uid| uid.parse().ok());
    let user =
        uid.map(
            |uid| match name_service::look_up(move || User::from_uid(Uid::from_raw(uid))) {
                Ok(Some(user)) => user.name,
                _ => uid.to_string(),
            },
        );
    let is_stopped = name.is_some_and(|(_, rest)| rest.trim_start().starts_with(['T', 't']));
    // the user who runs a process chooses its name, so that it may hold anything
    let plain = |name: &str| -> String {
        name.chars()
            .map(|c| if c.is_ascii_graphic() { c } else { '?' })
            .take(16)
            .collect()
    };
    LockHolder {
        pid,
        name: name.map(|(name, _)| plain(name)),
        user,
        is_stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_of_the_store_is_distinguished_from_others() {
        for (line, expected) in [
            ("1: POSIX  ADVISORY  WRITE 123 08:01:77 120 120", Some(120)),
            ("1: POSIX  ADVISORY  WRITE 123 08:01:77 123 123", Some(123)),
            ("1: POSIX  ADVISORY  WRITE 123 08:01:77 128 128", Some(128)),
            ("1: POSIX  ADVISORY  WRITE 123 08:01:78 120 120", None),
            ("1: POSIX  ADVISORY  WRITE 123 08:01:77 129 129", None),
            ("1: POSIX  ADVISORY  WRITE 123 08:01:77 0 0", None),
            ("1: POSIX  ADVISORY  WRITE x 08:01:77 120 120", None),
            ("1: POSIX  ADVISORY  WRITE ", None),
            ("1: POSIX  ADVISORY  READ 123 08:01:77 128 128", None),
            ("1: -> POSIX  ADVISORY  WRITE 123 08:01:77 120 120", None),
            ("1: FLOCK  ADVISORY  WRITE 123 08:01:77 0 EOF", None),
        ] {
            let expected = expected.map(|first| (123, first));
            assert_eq!(parse_lock_line(line, 77), expected, "{line}");
        }
    }
}
