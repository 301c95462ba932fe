//! One login in a process of its own, and many of them.

use crate::contestants::{Contestant, Kind};
use crate::daemons::Posternd;
use crate::people::Person;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use testhost::{SEAL, STORE};

/// Hosts at a time where only the number of logins matters.
const SIDE_BY_SIDE: usize = 4;

/// The timings of one contestant.
pub(crate) struct Timings {
    pub(crate) kind: Kind,
    pub(crate) took: Vec<Duration>,
    /// Processor time of all its hosts, and of posternd meanwhile.
    pub(crate) processor: [Duration; 2],
}

/// How many logins without a daemon went.
pub(crate) struct Many {
    pub(crate) took: Duration,
    /// The longest that the write-ahead log was, in bytes.
    pub(crate) longest_wal: u64,
}

/// One login, from the start of the host to its end; what it said. Panics where access was denied.
pub(crate) fn login(
    pam_host: &Path,
    kind: Kind,
    person: &Person,
    words: &[&str],
) -> (Duration, String) {
    let order: Vec<u8> = person.code().bytes().map(|byte| byte ^ SEAL).collect();
    let order = format!("say {}\n", data_encoding::HEXLOWER.encode(&order));
    let mut command = Command::new(pam_host);
    command
        .args([kind.service(), &person.name])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let begin = Instant::now();
    let mut child = command.spawn().expect("pam_host was built");
    // one that asks nothing may have ended
    let _ = child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(order.as_bytes());
    let mut said = String::new();
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut said)
        .expect("it says text");
    let status = child.wait().expect("a child can be waited for");
    let took = begin.elapsed();
    let entered = said.contains("{\"authenticate\":0}") && said.contains("{\"account\":0}");
    assert!(
        status.success() && entered,
        "{} denies {}: {said}",
        kind.title(),
        person.name
    );
    (took, said)
}

/// Logins of all contestants, so mixed that whatever else the machine does meets all of them alike.
pub(crate) fn interleaved(
    pam_host: &Path,
    all: &[&Contestant],
    posternd: &Posternd,
    rounds: usize,
) -> Vec<Timings> {
    let mut timings: Vec<Timings> = all
        .iter()
        .map(|one| Timings {
            kind: one.kind,
            took: Vec::new(),
            processor: [Duration::ZERO; 2],
        })
        .collect();
    for round in 0..rounds {
        for at in order(all.len(), round) {
            let now = || [of_children(), posternd.processor_time()];
            let before = now();
            timings[at]
                .took
                .push(one_login(pam_host, all[at], posternd, &[]).0);
            for (sum, (now, before)) in timings[at]
                .processor
                .iter_mut()
                .zip(now().iter().zip(before))
            {
                *sum += *now - before;
            }
        }
    }
    timings
}

/// The order of one round, another one for each: what the disk does for one login it may do at the cost of the next, and no
/// contestant always comes after the same one.
fn order(count: usize, round: usize) -> Vec<usize> {
    // steps that visit many of the permutations before one comes again
    let mut left = round.wrapping_mul(7919);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, left % (last + 1));
        left /= last + 1;
    }
    order
}

/// The processor time of all processes that were started and have ended.
fn of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("it is known of one's own children");
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(microseconds.unsigned_abs())
}

/// A login of the contestant's next person, with posternd or without it.
pub(crate) fn one_login(
    pam_host: &Path,
    one: &Contestant,
    posternd: &Posternd,
    words: &[&str],
) -> (Duration, String) {
    let person = &one.next(1)[0];
    match one.kind {
        Kind::Alone => posternd.hidden(|| login(pam_host, one.kind, person, words)),
        kind => login(pam_host, kind, person, words),
    }
}

/// Logins in a second where `hosts` run at once, of pam_permit, google-authenticator and the module with posternd.
pub(crate) fn at_once(
    pam_host: &Path,
    all: &[Contestant],
    hosts: usize,
    each: usize,
) -> Vec<(Kind, f64)> {
    let mut rates: Vec<(Kind, usize, Duration)> = [Kind::Permit, Kind::Google, Kind::Daemon]
        .into_iter()
        .map(|kind| (kind, 0, Duration::ZERO))
        .collect();
    // in short turns, for the same reason as above
    const TURNS: usize = 4;
    for _ in 0..TURNS {
        for (kind, logins, took) in &mut rates {
            let one = &all[*kind as usize];
            let each = each / TURNS;
            let people = one.next(hosts * each);
            let begin = Instant::now();
            std::thread::scope(|scope| {
                for people in people.chunks(each) {
                    let run = || {
                        people
                            .iter()
                            .for_each(|person| drop(login(pam_host, *kind, person, &[])))
                    };
                    scope.spawn(run);
                }
            });
            *took += begin.elapsed();
            *logins += people.len();
        }
    }
    rates
        .into_iter()
        .map(|(kind, logins, took)| (kind, logins as f64 / took.as_secs_f64()))
        .collect()
}

/// So many logins while posternd does not run, with the write-ahead log watched.
pub(crate) fn without_a_daemon(pam_host: &Path, people: &[Person], logins: usize) -> Many {
    let (begin, longest) = (Instant::now(), AtomicU64::new(0));
    let wal = format!("{STORE}-wal");
    std::thread::scope(|scope| {
        // nobody is in two of these: the codes of a person are used in their order
        for people in people.chunks(people.len().div_ceil(SIDE_BY_SIDE)) {
            scope.spawn(|| {
                for person in people.iter().cycle().take(logins / SIDE_BY_SIDE) {
                    login(pam_host, Kind::Alone, person, &[]);
                    let length = std::fs::metadata(&wal).map_or(0, |metadata| metadata.len());
                    longest.fetch_max(length, Ordering::Relaxed);
                }
            });
        }
    });
    Many {
        took: begin.elapsed(),
        longest_wal: longest.into_inner(),
    }
}
