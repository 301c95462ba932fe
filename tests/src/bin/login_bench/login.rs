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

/// The result of many logins without a daemon.
pub(crate) struct Many {
    pub(crate) took: Duration,
    /// The greatest length of the write-ahead log, in bytes.
    pub(crate) longest_wal: u64,
}

/// Runs one login, from the start of the host to its end, and returns its output. Panics if access
/// was denied.
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
    // A host without a prompt may have ended already.
    let _ = child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(order.as_bytes());
    let mut output = String::new();
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut output)
        .expect("it says text");
    let status = child.wait().expect("a child can be waited for");
    let took = begin.elapsed();
    let entered = output.contains("{\"authenticate\":0}") && output.contains("{\"account\":0}");
    assert!(
        status.success() && entered,
        "{} denies {}: {output}",
        kind.title(),
        person.name
    );
    (took, output)
}

/// Mixes the logins of all contestants, so that other load on the machine meets all of them alike.
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

/// Returns the order of one round, different in each round. The disk may do work for one login at
/// the cost of the next, so no contestant may always follow the same one.
fn order(count: usize, round: usize) -> Vec<usize> {
    // With this step many of the permutations occur before one repeats.
    let mut left = round.wrapping_mul(7919);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, left % (last + 1));
        left /= last + 1;
    }
    order
}

/// Returns the processor time of all child processes that have ended.
fn of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("it is known of one's own children");
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(microseconds.unsigned_abs())
}

/// Runs a login of the contestant's next person, with posternd or without it.
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

/// Measures logins in a second with `hosts` in parallel, of pam_permit, google-authenticator and
/// the module with posternd.
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
    // Short turns, so that other load meets all of them alike.
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

/// Runs so many logins while posternd does not run, and records the size of the write-ahead log.
pub(crate) fn without_a_daemon(pam_host: &Path, people: &[Person], logins: usize) -> Many {
    let (begin, longest) = (Instant::now(), AtomicU64::new(0));
    let wal = format!("{STORE}-wal");
    std::thread::scope(|scope| {
        // The groups share no person, since the codes of a person are used in their order.
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
