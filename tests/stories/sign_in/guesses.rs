//! The attack: codes are guessed. The throttle makes that hopeless, and does not lock the owner
//! out.

use testhost::{Host, Person, Phone, Postern, Store};

/// A stack that asks for the code whatever the password was, before the first factor is known to
/// have passed.
const UNKNOWN: &str = "\
auth     [success=1 default=ignore] pam_totp.so proven
auth     required pam_unix.so nodelay
auth     required pam_totp.so first_factor=unknown
auth     required pam_permit.so
account  required pam_totp.so
account  required pam_unix.so
session  required pam_unix.so
";

#[track_caller]
fn five_wrong_codes(person: &Person, phone: &Phone) {
    for code in phone.wrong_codes(5) {
        person.with_key().is_refused(&code, "That code is wrong");
    }
}

/// After five wrong codes every further one meets a delay.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn the_sixth_wrong_code_meets_a_delay() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    five_wrong_codes(&alice, &phone);
    alice.with_key().is_refused(
        &phone.wrong(),
        "Too many wrong codes: wait 30 s, or enter a recovery code",
    );
    host.journal.says("refused cause=delayed-30s");
    host.clock.forward(29);
    alice
        .with_key()
        .is_refused(&phone.code(), "Too many wrong codes: wait 1 s");
    host.clock.forward(1);
    alice
        .with_key()
        .is_refused(&phone.wrong(), "That code is wrong");
    alice
        .with_key()
        .is_refused(&phone.code(), "Too many wrong codes: wait 60 s");
    assert_eq!(Store::open().number("SELECT sum(cost) FROM failure"), 6);
    host.clock.forward(60);
    alice.with_key().enters_with(&phone.code());
}

/// The attack: a restart is meant to clear the delay. It is in the store.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_delay_outlives_a_restart() {
    let mut host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    five_wrong_codes(&alice, &phone);
    host.restart_sshd();
    alice
        .with_key()
        .is_refused(&phone.code(), "Too many wrong codes: wait 30 s");
}

/// The wrong codes of a local user are counted separately, also those of the command.
#[test]
#[ignore = "needs the test host: tests/run"]
fn guesses_at_verify_are_delayed_and_leave_ssh_alone() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    for code in phone.wrong_codes(5) {
        let output = Postern::call("verify alice --json")
            .input(&code)
            .refuses()
            .json();
        assert_eq!(output["verdict"], "wrong");
    }
    let output = Postern::call("verify alice --json")
        .input(&phone.code())
        .refuses()
        .json();
    assert_eq!(
        (output["verdict"].as_str(), output["retry_after"].as_u64()),
        (Some("limited"), Some(30))
    );
    alice.with_key().enters_with(&phone.code());
    Postern::call("unlock alice").does();
    Postern::call("verify alice")
        .input(&phone.code_in(1))
        .does();
}

/// Junk, used codes, and prompts that are left without input are not counted.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_is_no_guess_costs_nothing() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    alice.with_key().enters_with(&phone.code());

    for _ in 0..3 {
        alice.with_key().is_refused(&phone.code(), "used already");
        alice.with_key().is_refused("", "That is not a code");
        alice
            .with_key()
            .is_refused(&alice.password, "That is not a code");
        alice.with_key().is_refused("12345", "That is not a code");
    }
    assert_eq!(Store::open().number("SELECT count(*) FROM failure"), 0);
    alice.with_key().enters_with(&phone.code_in(1));
}

/// The attackers have neither password nor key, but many addresses.
#[test]
#[ignore = "needs the test host: tests/run"]
fn attackers_guessing_from_many_addresses_do_not_keep_the_owner_out() {
    let host = Host::fresh();
    let (alice, phone, recovery) = host.enrolled_user_with_recovery_codes("alice");
    host.pam("sshd", UNKNOWN);
    alice
        .with_password()
        .from("127.0.9.1")
        .enters_with(&phone.code());
    host.clock.forward(30);

    for (last, code) in (10..).zip(phone.wrong_codes(12)) {
        let attacker = alice
            .with_password()
            .password("a guess")
            .from(&format!("127.0.0.{last}"));
        let mut terminal = attacker.up_to_the_code();
        terminal.types(&code);
        assert!(!terminal.ends().entered());
    }
    host.journal.says("refused cause=delayed-30s");
    assert_eq!(
        Store::open().number("SELECT sum(cost) FROM failure WHERE phase = 0"),
        5
    );

    // From an unfamiliar address the right code with the right password meets the delay.
    let mut terminal = alice.with_password().from("127.0.7.1").up_to_the_code();
    terminal.types(&phone.code());
    assert!(!terminal.ends().entered());
    // A familiar address, a sign-in with a key, and a recovery code do not meet the delay.
    alice
        .with_password()
        .from("127.0.9.1")
        .enters_with(&phone.code());
    alice
        .with_key()
        .from("127.0.7.2")
        .enters_with(&phone.code_in(1));
    alice
        .with_password()
        .from("127.0.7.3")
        .enters_with(&recovery[0]);
}

/// The limit is ten wrong inputs in five minutes from one address, over all accounts.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_address_that_guesses_at_many_accounts_is_throttled_alone() {
    let host = Host::fresh();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| host.person(name));
    let [of_alice, of_bob, phone] = [&alice, &bob, &carol].map(Person::enrols);
    host.pam("sshd", UNKNOWN);

    let guess = |person: &Person, code: &str| {
        let attacker = person
            .with_password()
            .password("a guess")
            .from("127.0.0.10");
        let mut terminal = attacker.up_to_the_code();
        terminal.types(code);
        assert!(!terminal.ends().entered());
    };
    of_alice
        .wrong_codes(5)
        .iter()
        .for_each(|code| guess(&alice, code));
    of_bob
        .wrong_codes(5)
        .iter()
        .for_each(|code| guess(&bob, code));
    guess(&carol, &phone.wrong());
    host.journal
        .says("refused cause=address-delayed-300s address=127.0.0.10");
    carol
        .with_password()
        .from("127.0.0.11")
        .enters_with(&phone.code());
    host.clock.forward(300);
    carol
        .with_password()
        .from("127.0.0.10")
        .enters_with(&phone.code());
}

/// The attackers have the password.
#[test]
#[ignore = "needs the test host: tests/run"]
fn thieves_of_the_password_lock_themselves_out_not_the_owner() {
    let host = Host::fresh();
    let (alice, phone, recovery) = host.enrolled_user_with_recovery_codes("alice");
    host.configure("[throttle]\nlock_after = 10\n");
    alice
        .with_password()
        .from("127.0.9.1")
        .enters_with(&phone.code());

    for (last, code) in (10..).zip(phone.wrong_codes(10)) {
        host.clock.forward(7200);
        alice
            .with_password()
            .from(&format!("127.0.0.{last}"))
            .is_refused(&code, "That code is wrong");
    }
    host.clock.forward(7200);
    alice
        .with_password()
        .from("127.0.0.30")
        .is_refused(&phone.code(), "Locked after too many wrong codes");
    alice
        .with_key()
        .from("127.0.9.1")
        .enters_with(&phone.code());
    alice
        .with_password()
        .from("127.0.0.31")
        .enters_with(&recovery[0]);
    alice
        .with_password()
        .from("127.0.0.32")
        .enters_with(&phone.code_in(1));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn unlock_lifts_delays_and_locks() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    five_wrong_codes(&alice, &phone);
    alice
        .with_key()
        .is_refused(&phone.code(), "Too many wrong codes");
    Postern::call("unlock alice").does();
    alice.with_key().enters_with(&phone.code());
    Postern::call("unlock nobody").refuses();
}
