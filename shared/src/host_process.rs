//! Which process a PAM host is, as the kernel tells it from every other: by its number and the time it started. A number
//! alone comes again.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;

/// How many ancestors of a host process are looked at.
const ANCESTORS: usize = 8;
/// The most that is read of a file in /proc, in bytes: what is looked for stands at its beginning.
const LONGEST: usize = 4096;

/// One process of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    number: i32,
    /// Clock ticks after the host booted; none where /proc hides processes of others (hidepid).
    started: Option<u64>,
}

/// A process and those that it descends from, nearest first: a host may fork between two hooks of a transaction, and the
/// child goes on with what its parent began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProcess {
    itself: ProcessId,
    ancestors: Ancestors,
}

/// The processes that one descends from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ancestors {
    /// From this parent on, as /proc has them when they are asked for, which few transactions do; none where it hides the
    /// process.
    From(Option<i32>),
    /// These.
    Known(Vec<ProcessId>),
}

impl ProcessId {
    /// One with this number and start time.
    pub const fn new(number: i32, started: Option<u64>) -> ProcessId {
        ProcessId { number, started }
    }
}

impl HostProcess {
    /// The process with this number, as /proc has it now.
    pub fn find(number: i32) -> HostProcess {
        let (started, parent) = start_and_parent(number).unzip();
        HostProcess { itself: ProcessId { number, started }, ancestors: Ancestors::From(parent) }
    }

    /// A process with these ancestors.
    pub const fn new(itself: ProcessId, ancestors: Vec<ProcessId>) -> HostProcess {
        HostProcess { itself, ancestors: Ancestors::Known(ancestors) }
    }

    /// The process itself.
    pub fn itself(&self) -> ProcessId {
        self.itself
    }

    /// Whether it is that process, or descends from it.
    pub fn descends_from(&self, other: ProcessId) -> bool {
        self.itself == other
            || match &self.ancestors {
                Ancestors::From(parent) => ancestors(*parent).any(|ancestor| ancestor == other),
                Ancestors::Known(ancestors) => ancestors.contains(&other),
            }
    }
}

/// A parent and its ancestors, as /proc has them now.
fn ancestors(parent: Option<i32>) -> impl Iterator<Item = ProcessId> {
    let mut parent = parent;
    let next = move || {
        let number = parent.filter(|parent| *parent > 1)?;
        let (started, next) = start_and_parent(number)?;
        parent = Some(next);
        Some(ProcessId { number, started: Some(started) })
    };
    std::iter::from_fn(next).take(ANCESTORS)
}

/// The real user of a process, whatever its effective user; none if it cannot be seen.
pub fn real_uid(number: i32) -> Option<u32> {
    parse_real_uid(&read(&format!("/proc/{number}/status"))?)
}

/// Reads proc_pid_status(5). In the name, on the first line, the kernel escapes line breaks.
fn parse_real_uid(status: &[u8]) -> Option<u32> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

/// The start time of a process, and its parent.
fn start_and_parent(number: i32) -> Option<(u64, i32)> {
    parse(&read(&format!("/proc/{number}/stat"))?)
}

/// The beginning of a file in /proc. The kernel gives such a file whole where the buffer is large enough.
fn read(path: &str) -> Option<Vec<u8>> {
    let mut beginning = vec![0; LONGEST];
    let length = File::open(path).and_then(|mut file| file.read(&mut beginning)).ok()?;
    beginning.truncate(length);
    Some(beginning)
}

/// Reads proc_pid_stat(5). The second field is the process's name, in which anything may stand; it ends at the last
/// parenthesis.
fn parse(stat: &[u8]) -> Option<(u64, i32)> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields: Vec<&str> = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace().collect();
    // the fourth field of all is the parent, the twenty-second the start
    Some((fields.get(19)?.parse().ok()?, fields.get(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_numbers_hides_no_field() {
        let stat = b"812 (a) 1 2 (x\xff) S 77 812 812 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 2\n";
        assert_eq!(parse(stat), Some((123_456, 77)));
        for cut in
            [&b"812 (a) S 77"[..], b"", b"812 (a", b"812 (a) S x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 y"]
        {
            assert_eq!(parse(cut), None);
        }
    }

    #[test]
    fn the_real_user_is_the_first_of_four() {
        let status = b"Name:\tUid:\\n0\nUmask:\t0022\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n";
        assert_eq!(parse_real_uid(status), Some(1000));
        assert_eq!(parse_real_uid(b"Name:\tsudo\nUid:\t"), None);
        assert_eq!(real_uid(std::process::id().try_into().unwrap()), Some(nix::unistd::getuid().as_raw()));
        assert_eq!(real_uid(-7), None);
    }

    #[test]
    fn a_process_is_itself_and_its_parents_child() {
        let own = HostProcess::find(i32::try_from(std::process::id()).unwrap());
        assert!(own.itself.started.is_some() && own.descends_from(own.itself));
        let parent = HostProcess::find(i32::try_from(std::os::unix::process::parent_id()).unwrap());
        assert!(parent.itself.number <= 1 || own.descends_from(parent.itself));
        assert!(!parent.descends_from(own.itself));
        let before = ProcessId { started: own.itself.started.map(|ticks| ticks - 1), ..own.itself };
        assert!(!own.descends_from(before), "an earlier process of the same number");
    }

    #[test]
    fn a_process_that_cannot_be_seen_is_told_by_its_number() {
        let hidden = HostProcess::find(-7);
        assert_eq!(
            hidden,
            HostProcess { itself: ProcessId { number: -7, started: None }, ancestors: Ancestors::From(None) }
        );
    }
}
