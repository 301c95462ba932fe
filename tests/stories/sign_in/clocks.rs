//! The host's own clock, set back or ahead.

use testhost::{Host, Postern, assert_contains};

/// The fault: the clock was ahead at the last success. Until then new codes are older than the last
/// accepted time step; `unlock --clock` repairs that.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_clock_set_back_after_a_success_has_a_cause_of_its_own_and_can_be_corrected() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    alice.with_key().enters_with(&phone.code());

    host.clock.back(3600);
    alice.with_key().is_refused(
        &phone.code(),
        "This host's clock is behind the time of your last sign-in",
    );
    host.journal.says("refused cause=clock-set-back-");
    let output = Postern::call("unlock alice --clock").does();
    assert_contains(&output.out, "are accepted again from the next one on");
    alice.with_key().is_refused(&phone.code(), "used already");
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    assert_contains(
        &Postern::call("unlock alice --clock").does().out,
        "nothing to reset",
    );
}

/// After the clock was set ahead and back, no delay ends later than `max_delay` from now.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_delay_of_a_clock_that_ran_ahead_ends_within_max_delay() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    host.clock.forward(10 * 365 * 24 * 3600);
    for code in phone.wrong_codes(5) {
        alice.with_key().is_refused(&code, "That code is wrong");
    }
    host.clock.back(10 * 365 * 24 * 3600);
    alice
        .with_key()
        .is_refused(&phone.code(), "Too many wrong codes: wait 30 s");
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
}

/// The attack: an attacker who can set the clock back tries a used code again.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_code_is_not_accepted_twice_when_the_clock_jumps_back_and_forth() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let (code, now) = (phone.code(), host.clock.now());
    alice.with_key().enters_with(&code);
    for jump in [1, 29, 31, 40] {
        host.clock.set(now - jump);
        alice.with_key().guesses(&code);
        host.clock.set(now + jump);
        alice.with_key().is_refused(&code, "used already");
    }
}
