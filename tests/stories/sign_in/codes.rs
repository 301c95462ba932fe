//! Which codes are accepted: each once, within the window, however it is typed, and wherever it was
//! used before.

use std::process::Command;
use testhost::{Host, Phone, Postern, finished};

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_wrong_code_is_refused_and_the_next_try_may_be_right() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let mut terminal = alice.with_key().up_to_the_code();
    terminal
        .types(&phone.wrong())
        .expect("That code is wrong")
        .expect("Verification code: ");
    host.journal
        .says("refused cause=wrong address=127.0.0.1 service=sshd user=\"alice\"");
    terminal.types(&phone.code());
    assert!(terminal.ends().entered());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn three_wrong_codes_end_the_conversation() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let mut terminal = alice.with_key().up_to_the_code();
    let codes = phone.wrong_codes(3);
    terminal
        .types(&codes[0])
        .expect("Verification code: ")
        .types(&codes[1])
        .expect("Verification code: ");
    terminal.types(&codes[2]);
    let ended = terminal.ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    assert_eq!(
        ended.transcript.matches("Verification code: ").count(),
        3,
        "{}",
        ended.transcript
    );
    assert_eq!(
        ended.transcript.matches("That code is wrong").count(),
        3,
        "{}",
        ended.transcript
    );
}

/// The attack: a code seen over the shoulder, or an older one that was never used.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_used_code_and_every_older_one_are_refused() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    alice.with_key().enters_with(&phone.code());
    alice.with_key().is_refused(
        &phone.code(),
        "That code was used already; wait 15 s for the next one",
    );
    host.journal.says("refused cause=used");
    alice
        .with_password()
        .is_refused(&phone.code(), "used already");
    alice
        .with_key()
        .is_refused(&phone.code_in(-1), "used already");
    alice.with_key().enters_with(&phone.code_in(1));
    host.clock.forward(30);
    alice.with_key().is_refused(&phone.code(), "used already");
}

#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_code_used_at_verify_is_refused_at_ssh_and_the_other_way_round() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let output = Postern::call("verify alice --json")
        .input(&phone.code())
        .does()
        .json();
    assert_eq!(
        (output["verdict"].as_str(), output["retry_after"].as_u64()),
        (Some("accepted"), Some(0))
    );
    alice.with_key().is_refused(&phone.code(), "used already");

    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    let output = Postern::call("verify alice --json")
        .input(&phone.code())
        .refuses()
        .json();
    assert_eq!(
        (output["verdict"].as_str(), output["retry_after"].as_u64()),
        (Some("used"), Some(15))
    );
}

/// The boundaries of the window are exact to the second.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_window_opens_and_closes_at_the_second() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let begin = host.clock.now() / 30 * 30;

    let code = phone.code_in(10);
    host.clock.set(begin + 10 * 30 - 31);
    alice.with_key().is_refused(&code, "That code is wrong");
    host.journal.says("refused cause=ahead-2-steps");
    host.clock.set(begin + 10 * 30 - 30);
    alice.with_key().enters_with(&code);

    let code = phone.code_in(10);
    let shown = host.clock.now() + 10 * 30;
    host.clock.set(shown + 60);
    alice
        .with_key()
        .is_refused(&code, "your device's clock is behind by about 60 s");
    host.journal.says("refused cause=behind-2-steps");
    host.clock.set(shown + 59);
    alice.with_key().enters_with(&code);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_window_is_as_wide_as_configured() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    host.configure("[totp]\npast_steps = 3\nfuture_steps = 0\n");

    alice
        .with_key()
        .is_refused(&phone.code_in(-4), "behind by about 2 min");
    alice
        .with_key()
        .is_refused(&phone.code_in(1), "That code is wrong");
    alice.with_key().enters_with(&phone.code_in(-3));
    alice.with_key().enters_with(&phone.code());
}

/// The person learns that the phone's clock is behind. That it is ahead is only logged.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_clock_that_is_behind_is_named_and_one_that_is_ahead_only_in_the_log() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    alice
        .with_key()
        .is_refused(&phone.code_in(-18), "behind by about 9 min");
    host.journal.says("refused cause=behind-18-steps");
    alice
        .with_key()
        .is_refused(&phone.code_in(18), "That code is wrong");
    host.journal.says("refused cause=ahead-18-steps");
    alice
        .with_key()
        .is_refused(&phone.code_in(-30), "That code is wrong");
    host.journal.says("refused cause=wrong");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn blanks_and_dashes_in_a_code_do_not_count() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let ways: [fn(&str) -> String; 3] = [
        |code| format!("{} {}", &code[..3], &code[3..]),
        |code| format!("{}-{}", &code[..3], &code[3..]),
        |code| format!("  {code} "),
    ];
    for typed in ways {
        alice.with_key().enters_with(&typed(&phone.code()));
        host.clock.forward(30);
    }
}

/// A code is a text, not a number: `000042` keeps its zeros.
#[test]
#[ignore = "needs the test host: tests/run"]
fn leading_zeros_are_part_of_a_code() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let steps = (1..)
        .find(|steps| phone.code_in(*steps).starts_with("00"))
        .expect("one in a hundred does");
    host.clock
        .forward(30 * u64::try_from(steps).expect("a later step"));
    let code = phone.code();
    alice
        .with_key()
        .is_refused(code.trim_start_matches('0'), "That is not a code");
    alice
        .with_key()
        .enters_with(&format!("{}-{}", &code[..3], &code[3..]));
}

/// Codes of another implementation are accepted, with every algorithm, length and period.
#[test]
#[ignore = "needs the test host: tests/run"]
fn codes_of_oathtool_open() {
    let host = Host::fresh();
    let kinds = [
        ("alice", "sha1", 6, 30),
        ("bob", "sha256", 8, 60),
        ("carol", "sha512", 6, 15),
    ];
    for (name, algorithm, digits, period) in kinds {
        host.configure(&format!(
            "[totp]\nalgorithm = \"{algorithm}\"\ndigits = {digits}\nperiod = \"{period}s\"\n"
        ));
        let person = host.person(name);
        let phone: Phone = person.enrols();
        let code = finished(
            Command::new("oathtool")
                .args([
                    "--base32",
                    &format!("--totp={algorithm}"),
                    &format!("--digits={digits}"),
                ])
                .args([
                    &format!("--time-step-size={period}s"),
                    &format!("--now=@{}", host.clock.now()),
                ])
                .arg(phone.secret()),
        );
        assert_eq!(code.trim(), phone.code());
        person.with_key().enters_with(code.trim());
    }
}
