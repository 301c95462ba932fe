//! Identity of a PAM host's process. The kernel identifies it by number and start time, since
//! numbers are reused. The PAM module of a host that root runs also names its transaction, which
//! works across PID namespaces and with a /proc that hides processes.
//!
//! MUST NOT treat two processes that cannot be distinguished as one.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::Read;

/// Number of ancestors of a host process that are compared.
const ANCESTORS: usize = 8;
/// Maximum of bytes that are read of a file in /proc. The fields needed are at its beginning.
const LONGEST: usize = 4096;

/// One process of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    number: i32,
    /// Start time in clock ticks after boot.
    started: u64,
}

/// Reason why the kernel does not identify a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnidentifiedProcess {
    /// The process has no number in this PID namespace.
    OtherNamespace,
    /// /proc hides the process (hidepid), or the process has ended.
    Hidden,
}

/// Process of a PAM host, and the transaction that its module names. A host may fork between two
/// hooks of a transaction, and the child continues what its parent began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProcess {
    view: Result<ProcessView, UnidentifiedProcess>,
    transaction: Option<TransactionId>,
}

/// Process as the kernel sees it, with its ancestors, nearest first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProcessView {
    itself: ProcessId,
    ancestors: Ancestors,
}

/// Ancestors of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ancestors {
    /// Starts at this parent. /proc is read only when ancestors are compared, which few
    /// transactions need.
    From(i32),
    Known(Vec<ProcessId>),
}

/// Process and transaction that a mark is bound to, each as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessBinding {
    process: Option<ProcessId>,
    transaction: Option<TransactionId>,
}

impl fmt::Display for UnidentifiedProcess {
    /// Writes the reason and the remedy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnidentifiedProcess::OtherNamespace => {
                "the process of the PAM host runs outside posternd's PID namespace and cannot be distinguished from others; install \
                 this version's pam_totp.so there and restart the service, or start it in posternd's PID namespace"
            }
            UnidentifiedProcess::Hidden => {
                "/proc hides the process of the PAM host from posternd, so that it cannot be distinguished from others; mount /proc \
                 with gid=postern or without hidepid=, or install this version's pam_totp.so and restart the service"
            }
        })
    }
}

impl ProcessId {
    /// Returns the process with this number and start time.
    pub const fn new(number: i32, started: u64) -> ProcessId {
        ProcessId { number, started }
    }
}

impl HostProcess {
    /// Finds a process by its number in /proc. The number 0 is what the kernel reports for a
    /// process in another PID namespace.
    pub fn find(number: i32) -> HostProcess {
        let view = match start_and_parent(number) {
            _ if number <= 0 => Err(UnidentifiedProcess::OtherNamespace),
            None => Err(UnidentifiedProcess::Hidden),
            Some((started, parent)) => Ok(ProcessView {
                itself: ProcessId { number, started },
                ancestors: Ancestors::From(parent),
            }),
        };
        HostProcess::from_view(view)
    }

    pub const fn new(itself: ProcessId, ancestors: Vec<ProcessId>) -> HostProcess {
        let ancestors = Ancestors::Known(ancestors);
        HostProcess::from_view(Ok(ProcessView { itself, ancestors }))
    }

    /// Returns a process that the kernel does not identify.
    pub const fn unidentified(why: UnidentifiedProcess) -> HostProcess {
        HostProcess::from_view(Err(why))
    }

    const fn from_view(view: Result<ProcessView, UnidentifiedProcess>) -> HostProcess {
        HostProcess {
            view,
            transaction: None,
        }
    }

    /// Returns the same process in the transaction that the module names. MUST only be called for a
    /// host that root runs: another user could name any transaction.
    #[must_use]
    pub fn in_transaction(self, transaction: Option<TransactionId>) -> HostProcess {
        HostProcess {
            transaction,
            ..self
        }
    }

    /// Returns an identifier of this process, for marks of a machine that cannot see it. A child has
    /// another.
    pub fn identifier(&self) -> Option<TransactionId> {
        let ProcessId { number, started } = self.view.as_ref().ok()?.itself;
        let mut bytes = [0; TransactionId::LENGTH];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        bytes[4..12].copy_from_slice(&started.to_le_bytes());
        Some(TransactionId(bytes))
    }

    /// Returns the binding for a mark that is created now.
    ///
    /// # Errors
    /// Nothing distinguishes this process from others: the mark would fit all of them.
    pub fn binding(&self) -> Result<ProcessBinding, UnidentifiedProcess> {
        let process = self.view.as_ref().map(|seen| seen.itself);
        match (process, self.transaction) {
            (Err(why), None) => Err(*why),
            (process, transaction) => Ok(ProcessBinding {
                process: process.ok(),
                transaction,
            }),
        }
    }

    /// Returns whether a mark with this binding belongs to this transaction. If the module named a
    /// transaction both times, that decides: the daemon and `--stdio` may see different process
    /// numbers, or none.
    pub fn continues(&self, binding: &ProcessBinding) -> bool {
        match (self.transaction, binding.transaction) {
            (Some(this), Some(marked)) => this == marked,
            (_, _) => match (&self.view, binding.process) {
                (Ok(seen), Some(marked)) => seen.descends_from(marked),
                (_, _) => false,
            },
        }
    }
}

impl ProcessView {
    /// Returns whether this is the other process or its descendant.
    fn descends_from(&self, other: ProcessId) -> bool {
        self.itself == other
            || match &self.ancestors {
                Ancestors::From(parent) => ancestors(*parent).any(|ancestor| ancestor == other),
                Ancestors::Known(ancestors) => ancestors.contains(&other),
            }
    }
}

/// Returns whether /proc shows other users' processes to this one. Process 1 belongs to root.
pub fn sees_other_users() -> bool {
    start_and_parent(1).is_some()
}

fn ancestors(parent: i32) -> impl Iterator<Item = ProcessId> {
    let mut parent = Some(parent);
    let next = move || {
        let number = parent.filter(|parent| *parent > 1)?;
        let (started, next) = start_and_parent(number)?;
        parent = Some(next);
        Some(ProcessId { number, started })
    };
    std::iter::from_fn(next).take(ANCESTORS)
}

/// Returns the real user of a process, or `None` if the process cannot be seen.
pub fn real_uid(number: i32) -> Option<u32> {
    parse_real_uid(&read_proc_file(&format!("/proc/{number}/status"))?)
}

/// Parses proc_pid_status(5). The kernel escapes line breaks in the process name, which is on the
/// first line.
fn parse_real_uid(status: &[u8]) -> Option<u32> {
    let line = status
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line)
        .ok()?
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Returns start time and parent of a process.
fn start_and_parent(number: i32) -> Option<(u64, i32)> {
    parse_stat(&read_proc_file(&format!("/proc/{number}/stat"))?)
}

/// Reads the beginning of a file in /proc. The kernel returns such a file in one read if the buffer
/// is large enough.
fn read_proc_file(path: &str) -> Option<Vec<u8>> {
    let mut beginning = vec![0; LONGEST];
    let length = File::open(path)
        .and_then(|mut file| file.read(&mut beginning))
        .ok()?;
    beginning.truncate(length);
    Some(beginning)
}

/// Parses proc_pid_stat(5). The second field is the process name, which may contain any byte; it
/// ends at the last parenthesis.
fn parse_stat(stat: &[u8]) -> Option<(u64, i32)> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields: Vec<&str> = std::str::from_utf8(&stat[end + 1..])
        .ok()?
        .split_ascii_whitespace()
        .collect();
    // field 4 of the file is the parent, field 22 the start time
    Some((fields.get(19)?.parse().ok()?, fields.get(1)?.parse().ok()?))
}

/// Random bytes by which the PAM module names a transaction. The module keeps them from `auth` on,
/// and a forked child has them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionId(pub [u8; TransactionId::LENGTH]);

impl TransactionId {
    pub const LENGTH: usize = 16;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_numbers_hides_no_field() {
        let stat =
            b"812 (a) 1 2 (x\xff) S 77 812 812 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 2\n";
        assert_eq!(parse_stat(stat), Some((123_456, 77)));
        for cut in [
            &b"812 (a) S 77"[..],
            b"",
            b"812 (a",
            b"812 (a) S x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 y",
        ] {
            assert_eq!(parse_stat(cut), None);
        }
    }

    #[test]
    fn the_real_user_is_the_first_of_four() {
        let status = b"Name:\tUid:\\n0\nUmask:\t0022\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n";
        assert_eq!(parse_real_uid(status), Some(1000));
        assert_eq!(parse_real_uid(b"Name:\tsudo\nUid:\t"), None);
        assert_eq!(
            real_uid(std::process::id().try_into().unwrap()),
            Some(nix::unistd::getuid().as_raw())
        );
        assert_eq!(real_uid(-7), None);
    }

    fn own() -> HostProcess {
        HostProcess::find(i32::try_from(std::process::id()).unwrap())
    }

    #[test]
    fn a_process_is_itself_and_its_parents_child() {
        let seen = own().view.unwrap();
        assert!(seen.descends_from(seen.itself));
        let number = i32::try_from(std::os::unix::process::parent_id()).unwrap();
        if number > 1 {
            let parent = HostProcess::find(number).view.unwrap();
            assert!(seen.descends_from(parent.itself) && !parent.descends_from(seen.itself));
        }
        let before = ProcessId {
            started: seen.itself.started - 1,
            ..seen.itself
        };
        assert!(
            !seen.descends_from(before),
            "an earlier process of the same number"
        );
    }

    /// The kernel reports 0 for every process of another PID namespace: the mark of one fitted all
    /// of them.
    #[test]
    fn a_process_that_cannot_be_seen_is_bound_to_nothing() {
        let to_nothing = ProcessBinding {
            process: None,
            transaction: None,
        };
        assert!(!own().continues(&to_nothing));
        for (number, why) in [
            (0, UnidentifiedProcess::OtherNamespace),
            (i32::MAX, UnidentifiedProcess::Hidden),
        ] {
            assert_eq!(HostProcess::find(number).binding(), Err(why));
            let unseen = HostProcess::unidentified(why);
            assert_eq!(unseen.binding(), Err(why));
            assert!(!unseen.continues(&own().binding().unwrap()));
            assert!(!unseen.continues(&to_nothing));
        }
    }

    /// The daemon and `--stdio` may run in PID namespaces with other numbers for the host, or with
    /// none.
    #[test]
    fn the_transaction_that_the_module_names_decides_whatever_the_kernel_says() {
        let (this, other) = (Some(TransactionId([1; 16])), Some(TransactionId([2; 16])));
        let unseen = || HostProcess::unidentified(UnidentifiedProcess::OtherNamespace);
        let elsewhere = || HostProcess::new(ProcessId::new(7, 1), Vec::new());
        let binding = unseen().in_transaction(this).binding().unwrap();
        for process in [unseen(), elsewhere(), own()] {
            assert!(process.clone().in_transaction(this).continues(&binding));
            assert!(!process.clone().in_transaction(other).continues(&binding));
            assert!(!process.continues(&binding), "of a module that names none");
        }
        // the protocol's version changed between the two hooks: the kernel decides
        let named = own().in_transaction(this).binding().unwrap();
        let unnamed = own().binding().unwrap();
        for (process, continues) in [(own(), true), (elsewhere(), false)] {
            assert_eq!(process.continues(&named), continues);
            let process = process.in_transaction(this);
            assert_eq!(process.continues(&unnamed), continues);
        }
    }
}
