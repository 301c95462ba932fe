//! The fault: a process is killed during its login, or stopped there.

use super::bench::{Bench, Outcome, Seen, TWICE, count, word};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;
use testhost::{Barrier, PamHost, TracedProcess, WRITES, wait_until, was_stopped};

/// More writes than any of the modules makes, from the reply to the end.
const MANY: u32 = 90;

/// Kills a login at its first write after the reply, then one at its second write, until one ends
/// by itself. Each login begins with the state that the killed one left.
pub(crate) fn killed_at_every_write(bench: &Bench<'_>) -> Seen {
    let (mut killed, mut twice, mut shut) = (0, 0, 0);
    for when in 1..MANY {
        bench.host.clock.forward(90);
        let code = bench.alice.code();
        let barrier = Barrier::lowered();
        let pam = bench.held("alice", &code);
        // A message to posternd counts as a write.
        let traced =
            TracedProcess::at_any_file(pam.process(), &format!("{WRITES},sendto"), "KILL", when);
        barrier.lifts();
        let ended = pam.ends();
        drop(traced);
        if ended.signal.is_none() {
            break;
        }
        killed += 1;
        let entered = [
            ended.entered(),
            bench.login(&code) == Outcome::In,
            bench.login(&code) == Outcome::In,
        ];
        twice += u32::from(entered.iter().filter(|entered| **entered).count() > 1);
        bench.host.clock.forward(90);
        shut += u32::from(bench.login(&bench.alice.code()) != Outcome::In);
    }
    assert!(
        (2..MANY - 1).contains(&killed),
        "{:?} was killed {killed} times",
        bench.module
    );
    let text = match shut {
        0 => "at every write: no code twice, in again each time".to_owned(),
        shut => format!("not in again after {shut} of {killed}"),
    };
    Seen::new(text).but((twice > 0).then_some(TWICE))
}

/// Returns a login of alice that is stopped between its writes, with any lock that it holds then.
fn standing_still(bench: &Bench<'_>, code: &str) -> PamHost {
    let barrier = Barrier::lowered();
    let pam = bench.held("alice", code);
    let traced =
        TracedProcess::at_any_file(pam.process(), bench.module.call_in_the_middle(), "STOP", 1);
    barrier.lifts();
    wait_until("it is stopped", || Ok(was_stopped()));
    drop(traced);
    let status = format!("/proc/{}/status", pam.process());
    wait_until("it stops by itself", || {
        Ok(fs::read_to_string(&status)?.contains("State:\tT"))
    });
    pam
}

/// The stopped login continues after the other one has ended.
pub(crate) fn one_code_while_it_stands_still(bench: &Bench<'_>) -> Seen {
    let code = bench.alice.code();
    let first = standing_still(bench, &code);
    let second = bench.login(&code);
    let process = i32::try_from(first.process()).expect("a process");
    kill(Pid::from_raw(process), Signal::SIGCONT).expect("it is there");
    let entered = count(&[bench.end(first), second], Outcome::In);
    Seen::new(format!("{entered} of 2 in")).but((entered > 1).then_some(TWICE))
}

/// The stopped login is killed at the end.
pub(crate) fn others_while_it_stands_still(bench: &Bench<'_>) -> Seen {
    let first = standing_still(bench, &bench.alice.code());
    let others = [("alice", bench.alice.code_in(1)), ("bob", bench.bob.code())];
    let others = others.map(|(user, code)| {
        let mut other = bench.host_for(user.as_bytes(), &[]);
        other.types(&code);
        other
    });
    let [alice, bob] = others.map(|other| bench.end(other));
    drop(first.ends_within(Duration::ZERO));
    Seen::new(format!("alice {}, bob {}", word(alice), word(bob)))
}
