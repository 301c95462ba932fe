//! Old codes, and wrong clocks.

use super::bench::{Bench, Outcome, Seen, TWICE, count, word};

pub(crate) fn a_used_code(bench: &Bench<'_>) -> Seen {
    let code = bench.alice.code();
    let outcomes = [bench.login(&code), bench.login(&code)];
    Seen::new(format!(
        "first {}, then {}",
        word(outcomes[0]),
        word(outcomes[1])
    ))
    .but((count(&outcomes, Outcome::In) > 1).then_some(TWICE))
}

/// All three codes are in the window of every module.
pub(crate) fn older_codes_after_a_newer_one(bench: &Bench<'_>) -> Seen {
    let outcomes = [1, 0, -1].map(|step| bench.login(&bench.alice.code_in(step)));
    Seen::new(format!("{} of 3 in", count(&outcomes, Outcome::In)))
}

/// The attack: codes were observed an hour ago and never used. They are replayed in order, one each
/// time step.
pub(crate) fn old_codes_in_sequence(bench: &Bench<'_>) -> Seen {
    let codes: Vec<String> = (-120..-114).map(|step| bench.alice.code_in(step)).collect();
    let outcomes: Vec<Outcome> = codes
        .iter()
        .map(|code| {
            let wait_for_output = bench.login(code);
            bench.host.clock.forward(30);
            wait_for_output
        })
        .collect();
    let entered = count(&outcomes, Outcome::In);
    Seen::new(format!("{entered} of {} in", codes.len()))
        .but((entered > 0).then_some("codes of an hour ago open"))
}

/// Signs in at two times an hour apart; then the clock is set back to the first time, and ahead
/// again.
pub(crate) fn a_clock_set_back(bench: &Bench<'_>) -> Seen {
    let clock = bench.host.clock;
    let code = bench.alice.code();
    let first = bench.login(&code);
    clock.forward(3600);
    let second = bench.login(&bench.alice.code());
    clock.back(3600);
    let replayed = bench.login(&code);
    clock.forward(3600);
    assert_eq!(
        (first, second),
        (Outcome::In, Outcome::In),
        "{:?}",
        bench.module
    );
    Seen::new(format!("the used code of then: {}", word(replayed)))
        .but((replayed == Outcome::In).then_some(TWICE))
}
