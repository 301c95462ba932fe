//! The host's own clock, set back or ahead.

use testhost::{Host, Postern, assert_contains, assert_lacks};

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

/// The fault: a host whose clock was five minutes fast told each person that the device is behind, and
/// told the administrator nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn codes_of_several_people_that_are_off_alike_name_the_hosts_clock() {
    let host = Host::fresh();
    let people = ["alice", "bob", "carol"].map(|name| {
        let person = host.person(name);
        let phone = person.enrols();
        (person, phone)
    });
    let check = || Postern::call("check").run().out;

    // 30 s pass, so that the phones show new codes, and the host's clock goes 300 s too far
    host.clock.forward(30 + 300);
    for (person, phone) in &people[..2] {
        person
            .with_key()
            .is_refused(&phone.code_in(-10), "behind by about 5 min");
    }
    assert_lacks(host.journal.rest(), "cause=host-clock");
    assert_lacks(check(), "clock is probably");

    let (carol, phone) = &people[2];
    carol
        .with_key()
        .is_refused(&phone.code_in(-10), "behind by about 5 min");
    let words = "this host's clock is probably fast by about 5 min: within the last hour the codes of alice, bob, carol were all off";
    assert_contains(host.journal.says("warning cause=host-clock"), words);
    assert_contains(check(), format!("fault    clock: {words}"));
    let output = Postern::call("verify alice")
        .input(&people[0].1.code_in(-10))
        .refuses();
    assert_contains(
        &output.out,
        "older than this host's time by about 5 min: the device's clock is behind, or this host's clock is ahead",
    );
    assert_contains(&output.err, words);

    // with the right time the same codes are accepted, and the suspicion ends
    host.clock.back(300);
    for (person, phone) in &people {
        person.with_key().enters_with(&phone.code());
    }
    assert_lacks(check(), "clock is probably");
    let output = Postern::call("verify alice")
        .input(&people[0].1.code_in(10))
        .refuses();
    assert_contains(
        &output.out,
        "later than this host's time by about 5 min: the device's clock is ahead, or this host's clock is behind",
    );
}
