//! Which process a PAM host is: as the kernel tells it from every other, by its number and the time it started, since a
//! number alone comes again; and as the module of a host of root's says itself, which counts also where the kernel says
//! nothing: beyond a PID namespace, and behind a /proc that hides the processes of others.
//!
//! MUST NOT take two processes that cannot be told apart for one.

use serde::{Deserialize, Serialize};
use std::fmt;
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
    /// Clock ticks after the host booted.
    started: u64,
}

/// Why the kernel does not tell a process from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnidentifiedProcess {
    /// It has no number in this PID namespace.
    OtherNamespace,
    /// /proc hides it (hidepid), or it has ended.
    Hidden,
}

/// The process of a PAM host, and the transaction that it says it is in. A host may fork between two hooks of a
/// transaction, and the child goes on with what its parent began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProcess {
    view: Result<ProcessView, UnidentifiedProcess>,
    transaction: Option<TransactionId>,
}

/// What the kernel says: a process and those that it descends from, nearest first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProcessView {
    itself: ProcessId,
    ancestors: Ancestors,
}

/// The processes that one descends from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ancestors {
    /// From this parent on, as /proc has them when they are asked for, which few transactions do.
    From(i32),
    /// These.
    Known(Vec<ProcessId>),
}

/// What a mark is bound to: the process and the transaction that it was left in, each as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessBinding {
    process: Option<ProcessId>,
    transaction: Option<TransactionId>,
}

impl fmt::Display for UnidentifiedProcess {
    /// Says what to do.
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
    /// One with this number and start time.
    pub const fn new(number: i32, started: u64) -> ProcessId {
        ProcessId { number, started }
    }
}

impl HostProcess {
    /// The process with this number, as /proc has it now; 0 is what the kernel says of one beyond a PID namespace.
    pub fn find(number: i32) -> HostProcess {
        let view = match start_and_parent(number) {
            _ if number <= 0 => Err(UnidentifiedProcess::OtherNamespace),
            None => Err(UnidentifiedProcess::Hidden),
            Some((started, parent)) => Ok(ProcessView {
                itself: ProcessId { number, started },
                ancestors: Ancestors::From(parent),
            }),
        };
        HostProcess {
            view,
            transaction: None,
        }
    }

    /// A process with these ancestors.
    pub const fn new(itself: ProcessId, ancestors: Vec<ProcessId>) -> HostProcess {
        let seen = ProcessView {
            itself,
            ancestors: Ancestors::Known(ancestors),
        };
        HostProcess {
            view: Ok(seen),
            transaction: None,
        }
    }

    /// A process of which the kernel says nothing.
    pub const fn unidentified(why: UnidentifiedProcess) -> HostProcess {
        HostProcess {
            view: Err(why),
            transaction: None,
        }
    }

    /// The same, in the transaction that the module names. MUST be a host of root's: nobody else is believed in that.
    #[must_use]
    pub fn in_transaction(self, transaction: Option<TransactionId>) -> HostProcess {
        HostProcess {
            transaction,
            ..self
        }
    }

    /// What a mark that is left now is bound to.
    ///
    /// # Errors
    /// Where nothing tells this process from others: such a mark would fit all of them.
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

    /// Whether a mark with this binding was left in this transaction. What the module names decides where it did so both
    /// times: the daemon and `--stdio` may see the process by different numbers, or not at all.
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
    /// Whether it is that process, or descends from it.
    fn descends_from(&self, other: ProcessId) -> bool {
        self.itself == other
            || match &self.ancestors {
                Ancestors::From(parent) => ancestors(*parent).any(|ancestor| ancestor == other),
                Ancestors::Known(ancestors) => ancestors.contains(&other),
            }
    }
}

/// Whether /proc shows processes of other users to this one: the first process of all is root's.
pub fn sees_other_users() -> bool {
    start_and_parent(1).is_some()
}

/// A parent and its ancestors, as /proc has them now.
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

/// The real user of a process, whatever its effective user; none if it cannot be seen.
pub fn real_uid(number: i32) -> Option<u32> {
    parse_real_uid(&read_proc_file(&format!("/proc/{number}/status"))?)
}

/// Reads proc_pid_status(5). In the name, on the first line, the kernel escapes line breaks.
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

/// The start time of a process, and its parent.
fn start_and_parent(number: i32) -> Option<(u64, i32)> {
    parse_stat(&read_proc_file(&format!("/proc/{number}/stat"))?)
}

/// The beginning of a file in /proc. The kernel gives such a file whole where the buffer is large enough.
fn read_proc_file(path: &str) -> Option<Vec<u8>> {
    let mut beginning = vec![0; LONGEST];
    let length = File::open(path)
        .and_then(|mut file| file.read(&mut beginning))
        .ok()?;
    beginning.truncate(length);
    Some(beginning)
}

/// Reads proc_pid_stat(5). The second field is the process's name, in which anything may stand; it ends at the last
/// parenthesis.
fn parse_stat(stat: &[u8]) -> Option<(u64, i32)> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields: Vec<&str> = std::str::from_utf8(&stat[end + 1..])
        .ok()?
        .split_ascii_whitespace()
        .collect();
    // the fourth field of all is the parent, the twenty-second the start
    Some((fields.get(19)?.parse().ok()?, fields.get(1)?.parse().ok()?))
}

/// What the module names a transaction by: random bytes, which it keeps with the transaction from `auth` on. A child that
/// the host forks has them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionId(pub [u8; TransactionId::LENGTH]);

impl TransactionId {
    /// In bytes.
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

    /// What the kernel says of every process beyond a PID namespace is 0: a mark of one fitted all of them.
    #[test]
    fn a_process_that_cannot_be_seen_is_bound_to_nothing() {
        assert_eq!(
            HostProcess::find(0).binding(),
            Err(UnidentifiedProcess::OtherNamespace)
        );
        assert_eq!(
            HostProcess::find(i32::MAX).binding(),
            Err(UnidentifiedProcess::Hidden)
        );
        for why in [
            UnidentifiedProcess::OtherNamespace,
            UnidentifiedProcess::Hidden,
        ] {
            let unseen = HostProcess::unidentified(why);
            assert_eq!(unseen.binding(), Err(why));
            assert!(!unseen.continues(&own().binding().unwrap()));
            assert!(!unseen.continues(&ProcessBinding {
                process: None,
                transaction: None
            }));
            assert!(!own().continues(&ProcessBinding {
                process: None,
                transaction: None
            }));
        }
    }

    /// The daemon and `--stdio` may run in PID namespaces that know the host by other numbers, or by none.
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
        let (named, unnamed) = (
            own().in_transaction(this).binding().unwrap(),
            own().binding().unwrap(),
        );
        assert!(own().continues(&named) && own().in_transaction(this).continues(&unnamed));
        assert!(
            !elsewhere().continues(&named) && !elsewhere().in_transaction(this).continues(&unnamed)
        );
    }
}
