//! Many logins in parallel: all are held at the prompt, and continue at the same time.

use super::bench::{Bench, Outcome, Seen, TWICE, count, word};
use testhost::PromptReply;

fn with_one_code(bench: &Bench<'_>, many: usize, rounds: usize) -> Seen {
    let entered = (0..rounds).map(|_| {
        bench.host.clock.forward(90);
        count(
            &bench.at_once(&vec![("alice", bench.alice.code()); many]),
            Outcome::In,
        )
    });
    let entered: Vec<usize> = entered.collect();
    let least = entered.iter().copied().min().unwrap_or(0);
    let most = entered.iter().copied().max().unwrap_or(0);
    let text = match least == most {
        true => format!("{most} of {many} in"),
        false => format!("{least} to {most} of {many} in"),
    };
    Seen::new(text)
        .but((most > 1).then_some(TWICE))
        .but((least < 1).then_some("no user got in"))
}

pub(crate) fn two_with_one_code(bench: &Bench<'_>) -> Seen {
    with_one_code(bench, 2, 30)
}

pub(crate) fn eight_with_one_code(bench: &Bench<'_>) -> Seen {
    with_one_code(bench, 8, 10)
}

pub(crate) fn thirty_two_with_one_code(bench: &Bench<'_>) -> Seen {
    with_one_code(bench, 32, 4)
}

pub(crate) fn a_hundred_with_one_code(bench: &Bench<'_>) -> Seen {
    with_one_code(bench, 100, 2)
}

/// A login with the right code waits at the prompt meanwhile, and continues after the wrong ones.
pub(crate) fn a_hundred_wrong_codes(bench: &Bench<'_>) -> Seen {
    let mut right = bench.host_for(b"alice", &[]);
    right.expect("prompt");
    let guesses: Vec<_> = bench
        .alice
        .wrong_codes(100)
        .into_iter()
        .map(|code| ("alice", code))
        .collect();
    let outcomes = bench.at_once(&guesses);
    let log = bench.host.journal.rest();
    let compared = match bench.module.wrong_in_the_log() {
        Some(words) => log.lines().filter(|line| line.contains(words)).count(),
        None => count(&outcomes, Outcome::Refused),
    };
    right.types(&bench.alice.code());
    let right = bench.end(right);
    Seen::new(format!(
        "{compared} compared; the right one after them: {}",
        word(right)
    ))
    .but((count(&outcomes, Outcome::In) > 0).then_some("a wrong code opened"))
    .but((right == Outcome::In).then_some("guesses have no limit"))
}

pub(crate) fn two_people(bench: &Bench<'_>) -> Seen {
    const ROUNDS: usize = 10;
    let (mut refused, mut again) = (0, 0);
    for _ in 0..ROUNDS {
        bench.host.clock.forward(60);
        let logins = [("alice", bench.alice.code()), ("bob", bench.bob.code())];
        for ((user, code), wait_for_output) in logins.iter().zip(bench.at_once(&logins)) {
            let second = bench.login_as(user.as_bytes(), &PromptReply::from(code.as_str()));
            match (wait_for_output, second) {
                (Outcome::In, Outcome::In) => again += 1,
                (Outcome::In, _) => {}
                _ => refused += 1,
            }
        }
    }
    Seen::new(format!("{} of {} in", 2 * ROUNDS - refused, 2 * ROUNDS))
        .but((refused > 0).then_some("one keeps the other out"))
        .but((again > 0).then_some(TWICE))
}
