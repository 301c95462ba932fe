//! A process killed in the middle of its login, and one that stands still there.

use super::bench::{Bench, Outcome, Seen, TWICE, word};
use std::fs;
use std::time::Duration;
use testhost::{Ambush, Answer, Barrier, WRITES, patiently};

/// More writes than any of them does, from the reply to the end.
const MANY: u32 = 90;

/// At its first write after the reply, at its second, and so on until one gets through. What each leaves is what
/// the next one finds.
pub(crate) fn killed_at_every_write(bench: &Bench<'_>) -> Seen {
    let (mut killed, mut twice, mut shut) = (0, 0, 0);
    for when in 1..MANY {
        bench.host.clock.forward(90);
        let code = bench.alice.code();
        let barrier = Barrier::lowered();
        let pam = bench.held("alice", &code);
        let ambush = Ambush::at_any_file(pam.process(), WRITES, "KILL", when);
        barrier.lifts();
        let ended = pam.ends();
        drop(ambush);
        if ended.signal.is_none() {
            break;
        }
        killed += 1;
        let entered = [ended.entered(), bench.login(&code) == Outcome::In, bench.login(&code) == Outcome::In];
        twice += u32::from(entered.iter().filter(|entered| **entered).count() > 1);
        bench.host.clock.forward(90);
        shut += u32::from(bench.login(&bench.alice.code()) != Outcome::In);
    }
    assert!((2..MANY - 1).contains(&killed), "{:?} was killed {killed} times", bench.module);
    let text = match shut {
        0 => "at every write: no code twice, in again each time".to_owned(),
        shut => format!("not in again after {shut} of {killed}"),
    };
    Seen::new(text).but((twice > 0).then_some(TWICE))
}

/// Stopped with whatever lock it holds then.
pub(crate) fn stopped_in_the_middle(bench: &Bench<'_>) -> Seen {
    let barrier = Barrier::lowered();
    let pam = bench.held("alice", &bench.alice.code());
    let ambush = Ambush::at_any_file(pam.process(), bench.module.call_in_the_middle(), "STOP", 1);
    barrier.lifts();
    let status = format!("/proc/{}/status", pam.process());
    patiently("it stands still", || Ok(fs::read_to_string(&status)?.contains("State:\tt").then_some(())));
    let others = [("alice", bench.alice.code_in(1)), ("bob", bench.bob.code())];
    let others = others.map(|(user, code)| {
        let mut other = bench.host_for(user.as_bytes(), &[]);
        other.answers(&Answer::from(&*code));
        other
    });
    let [alice, bob] = others.map(|other| bench.end(other));
    drop(ambush);
    // killed, where it stands
    drop(pam.ends_within(Duration::ZERO));
    Seen::new(format!("alice {}, bob {}", word(alice), word(bob)))
}
