//! Recovery codes at ssh: each is accepted once, also during a delay or a lock of codes.

use testhost::{Host, Postern, Store, assert_lacks};

/// R1: 6 codes of 10 characters without look-alikes by default; count and length are configurable.
#[test]
#[ignore = "needs the test host: tests/run"]
fn recovery_codes_are_as_many_and_as_long_as_configured() {
    let host = Host::fresh();
    let alice = host.person("alice");
    for (lines, count, length) in [
        ("# defaults\n", 6, 10),
        ("[recovery]\ncount = 3\nlength = 16\n", 3, 16),
    ] {
        host.configure(lines);
        let (_, codes) = alice.enrols_with_recovery_codes();
        assert_eq!(codes.len(), count, "{codes:?}");
        for code in &codes {
            let plain = code.replace('-', "");
            assert_eq!(plain.len(), length, "{code}");
            assert!(
                !plain.contains(['0', 'O', '1', 'I']) && plain.contains(char::is_alphabetic),
                "{code}"
            );
        }
        Postern::call("disable alice").does();
    }
}

/// R2: the second use of a recovery code is refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_recovery_code_opens_once() {
    let host = Host::fresh();
    let (alice, phone, recovery) = host.enrolled_user_with_recovery_codes("alice");
    assert_eq!(recovery.len(), 6);

    alice.with_key().enters_with(&recovery[0]);
    host.journal.says("accepted cause=recovery-code");
    alice
        .with_password()
        .is_refused(&recovery[0], "That code was used already");
    alice
        .with_key()
        .enters_with(&recovery[1].to_lowercase().replace('-', " "));
    assert_eq!(Postern::json("status alice --json")["recovery_codes"], 4);
    alice.with_key().enters_with(&phone.code());
}

/// R3: the throttle of codes does not apply to recovery codes.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_recovery_code_opens_during_a_delay_and_lifts_it() {
    let host = Host::fresh();
    let (alice, phone, recovery) = host.enrolled_user_with_recovery_codes("alice");

    for code in phone.wrong_codes(5) {
        alice.with_key().is_refused(&code, "That code is wrong");
    }
    alice.with_key().is_refused(
        &phone.code(),
        "Too many wrong codes: wait 30 s, or enter a recovery code",
    );
    alice.with_key().enters_with(&recovery[0]);
    alice.with_key().enters_with(&phone.code());
}

/// R3: a lock of codes does not apply to recovery codes.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_recovery_code_opens_a_lock() {
    let host = Host::fresh();
    let (alice, phone, recovery) = host.enrolled_user_with_recovery_codes("alice");
    host.configure("[throttle]\nlock_after = 10\n");

    for code in phone.wrong_codes(10) {
        host.clock.forward(24 * 3600);
        alice.with_key().is_refused(&code, "That code is wrong");
    }
    host.clock.forward(24 * 3600);
    alice.with_key().is_refused(
        &phone.code(),
        "Locked after too many wrong codes: enter a recovery code",
    );
    host.journal.says("refused cause=locked");
    assert_eq!(Postern::json("status alice --json")["locked"], true);
    alice.with_key().enters_with(&recovery[0]);
    assert_eq!(Postern::json("status alice --json")["locked"], false);
    alice.with_key().enters_with(&phone.code());
}

/// R3: an address that guesses recovery codes is throttled.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_address_that_guesses_recovery_codes_is_throttled() {
    let host = Host::fresh();
    let (alice, phone, recovery) = host.enrolled_user_with_recovery_codes("alice");

    let guess = |last: char| format!("ABCDE-FGHJ{last}");
    for last in "ABCDEFGHJK".chars() {
        alice
            .with_password()
            .from("127.0.0.8")
            .is_refused(&guess(last), "That code is wrong");
    }
    let too_many = "Too many attempts from your address: wait";
    alice
        .with_password()
        .from("127.0.0.8")
        .is_refused(&guess('L'), too_many);
    // A valid recovery code is accepted during the throttle: it is not a guess.
    alice
        .with_password()
        .from("127.0.0.8")
        .enters_with(&recovery[0]);
    alice
        .with_key()
        .from("127.0.0.9")
        .enters_with(&phone.code());
}

/// R5: with `on_use = "disable"` there is one recovery code, and its use disables the second
/// factor.
#[test]
#[ignore = "needs the test host: tests/run"]
fn with_disable_the_one_code_lets_in_and_turns_the_second_factor_off() {
    let host = Host::fresh();
    let alice = host.person("alice");
    host.configure("[recovery]\non_use = \"disable\"\n");
    let (phone, recovery) = alice.enrols_with_recovery_codes();
    assert_eq!(recovery.len(), 1);

    alice.with_key().enters_with(&phone.code());
    alice.with_key().enters_with(&recovery[0]);
    assert_eq!(Postern::json("status alice --json")["state"], "off");
    alice.with_key().enters();
}

/// R3, promise 5: a dump of the store contains neither the secret nor a recovery code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn neither_secret_nor_recovery_codes_are_in_the_store() {
    let host = Host::fresh();
    let (_, phone, recovery) = host.enrolled_user_with_recovery_codes("alice");

    let dump = Store::open().dump().to_uppercase();
    for code in recovery {
        let plain = code.replace('-', "");
        assert_lacks(&dump, &plain);
        assert_lacks(&dump, hex(plain.as_bytes()));
    }
    assert_lacks(&dump, phone.secret());
    assert_lacks(&dump, phone.secret_in_hex());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
