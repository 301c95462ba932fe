//! Codes that are used twice, wrong, expired, or explained.

use crate::acts::{at_once, opened};
use crate::test_store::{
    NOW, TestStore, accepted, alice, attempt_at, code_at, code_of, name, recovery, refused, remote,
};
use postern_shared::credential::input::Input;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::credential::otp::totp::{OtpKind, OtpParameters, Step};
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{Engine, VerifiedAttempt, messages};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;

#[test]
fn trap_03_a_code_usable_again_within_its_window_or_by_parallel_requests() {
    let (mut test, app) = alice("");
    let code = code_of(&app, 0);
    assert_eq!(
        opened(&at_once(&test, &vec![("alice", code.clone()); 16])),
        1
    );
    let end_of_window = NOW.0 / 30 * 30 + 59;
    for at in NOW.0..=end_of_window {
        let again = test.attempt("alice", &code, Timestamp(at)).result;
        assert!(
            matches!(again, Err(Refusal::Used { .. })),
            "{at}: {again:?}"
        );
    }
    let recovery = recovery(&app, 0);
    assert_eq!(opened(&at_once(&test, &vec![("alice", recovery); 16])), 1);
}

#[test]
fn trap_04_code_as_an_integer_leading_zeros_lost_and_000000_never_valid() {
    // The first time step after now for which the secret of RFC 6238 has the code 000000.
    const ZEROS: Timestamp = Timestamp(60_360_134 * 30);
    let mut test = TestStore::new("");
    let app = PendingEnrollment::new(&test.config, &name("alice")).unwrap();
    let app = app.with_secret(
        otpauth_uri::parse_declared_secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
            .unwrap()
            .0,
    );
    test.activates(&app);
    assert_eq!(code_at(&app, 0, ZEROS), "000000");
    for typed in ["0", "00000", "0000000"] {
        refused(&test.attempt("alice", typed, ZEROS), Refusal::Malformed);
    }
    accepted(&test.attempt("alice", "000000", ZEROS));

    let steps = (1..)
        .find(|offset| code_at(&app, *offset, ZEROS).starts_with("00"))
        .unwrap();
    let (later, code) = (
        ZEROS.plus(30 * steps.unsigned_abs()),
        code_at(&app, steps, ZEROS),
    );
    refused(
        &test.attempt("alice", code.trim_start_matches('0'), later),
        Refusal::Malformed,
    );
    accepted(&test.attempt("alice", &code, later));
}

#[test]
fn trap_05_expiry_test_inverted_or_cooldown_written_under_one_key_and_read_under_another() {
    let (mut test, _) = alice("");
    let (code, expires) = test.issues_one_time_code("alice", NOW);
    for at in [expires, expires.plus(1), expires.plus(1_000_000)] {
        refused(
            &test.attempt("alice", &code.grouped(), at),
            Refusal::CodeExpired,
        );
    }
    accepted(&test.attempt("alice", &code.grouped(), expires.minus(1)));

    // Addresses are counted by their /64 and buckets by account and scope. One process writes them,
    // and others read them.
    let (one, other) = (remote("2001:db8::1"), remote("2001:db8::2"));
    for number in 0..10 {
        let nobody = format!("nobody{number}");
        test.attempt_from(&nobody, &one, Phase::Before, "000000", NOW);
    }
    let mut engine = test.another();
    let throttled =
        |engine: &mut Engine, at| attempt_at(engine, "Alice", &other, Phase::Before, "000000", at);
    refused(
        &throttled(&mut engine, NOW),
        Refusal::AddressDelayed { wait: 300 },
    );
    refused(
        &throttled(&mut engine, NOW.plus(299)),
        Refusal::AddressDelayed { wait: 1 },
    );
    refused(&throttled(&mut engine, NOW.plus(300)), Refusal::Wrong);
    for _ in 0..5 {
        refused(&test.attempt("alice", "000000", NOW), Refusal::Wrong);
    }
    refused(
        &attempt_at(
            &mut engine,
            "alice",
            &Origin::Unknown,
            Phase::After,
            "000000",
            NOW.plus(29),
        ),
        Refusal::Delayed { wait: 1 },
    );
    refused(
        &attempt_at(
            &mut engine,
            "alice",
            &Origin::Unknown,
            Phase::After,
            "000000",
            NOW.plus(30),
        ),
        Refusal::Wrong,
    );
}

#[test]
fn trap_10_the_confirming_code_accepted_again_at_sign_in_or_refused_there_without_a_word() {
    let mut test = TestStore::new("");
    let app = PendingEnrollment::new(&test.config, &name("alice")).unwrap();
    let code = code_of(&app, 0);
    let confirmation = app
        .confirm(&Input::parse(code.as_bytes()), &test.config, NOW)
        .ok()
        .unwrap();
    test.enrollment()
        .activate(&app, &confirmation, "alice", NOW)
        .unwrap();
    let again = test.attempt("alice", &code, NOW);
    let Err(refusal) = again.result else {
        panic!("accepted again")
    };
    assert_eq!(
        messages::refusal(refusal),
        "That code was used already; wait 15 s for the next one"
    );
    accepted(&test.attempt("alice", &code_of(&app, 1), NOW.plus(15)));
}

#[test]
fn trap_13_two_methods_on_only_one_accepted() {
    let (mut test, app) = alice("");
    let parameters = OtpParameters {
        moving: OtpKind::Counter,
        digits: 8,
        ..app.parameters()
    };
    let token = PendingEnrollment::further(&test.config, &name("alice")).unwrap();
    let token = token
        .with_label("token".parse().unwrap())
        .with_parameters(parameters, Step(0));
    test.activates(&token);
    let (one_time, _) = test.issues_one_time_code("alice", NOW);
    let methods = [
        code_of(&app, 0),
        code_of(&token, 0),
        recovery(&app, 0),
        one_time.grouped().to_string(),
    ];
    for typed in methods
        .into_iter()
        .chain([code_of(&token, 1), code_of(&app, 1)])
    {
        accepted(&test.attempt("alice", &typed, NOW));
    }
}

/// After the first factor the reasons differ. Before it, every failure has the same message.
#[test]
fn trap_15_one_text_for_every_failure() {
    let (mut test, app) = alice("[throttle]\nlock_after = 10");
    let (one_time, expires) = test.issues_one_time_code("alice", NOW);
    let mut output = Vec::new();
    let mut says = |tried: VerifiedAttempt| match tried.result {
        Ok(_) => {}
        Err(refusal) => output.push(messages::refusal(refusal)),
    };
    says(test.attempt("alice", &code_of(&app, 0), NOW));
    says(test.attempt("alice", &code_of(&app, 0), NOW));
    says(test.attempt("alice", "a password", NOW));
    says(test.attempt("alice", "000000", NOW));
    says(test.attempt("alice", &one_time.grouped(), expires));
    let later = NOW.plus(3600);
    says(test.attempt("alice", &code_at(&app, -5, later), later));
    says(test.attempt("alice", &code_of(&app, -5), NOW.minus(600)));
    for _ in 0..3 {
        test.attempt("alice", "000000", later);
    }
    says(test.attempt("alice", "000000", later));
    for number in 1..=5 {
        test.attempt("alice", "000000", later.plus(3600 * number));
    }
    says(test.attempt("alice", "000000", later.plus(3600 * 6)));
    for _ in 0..10 {
        test.attempt_from(
            "alice",
            &remote("198.51.100.1"),
            Phase::After,
            "ABCDE-FGHJK",
            NOW,
        );
    }
    says(test.attempt_from(
        "alice",
        &remote("198.51.100.1"),
        Phase::After,
        "ABCDE-FGHJK",
        NOW,
    ));
    let begins: Vec<_> = output
        .iter()
        .map(|text| text.split([';', ':']).next().unwrap())
        .collect();
    let expected = [
        "That code was used already",
        "That is not a code",
        "That code is wrong",
        "That code has expired",
        "That code is too old",
        "This host's clock is behind the time of your last sign-in",
        "Too many wrong codes",
        "Locked after too many wrong codes",
        "Too many attempts from your address",
    ];
    assert_eq!(begins, expected);
}

/// A device that is 150 s behind is refused each time. An attacker who observed its codes gains no
/// time step, and the owner is granted access at once when the clock is right.
#[test]
fn trap_17_skew_learned_from_codes() {
    let (mut test, app) = alice("");
    for number in 0..4 {
        let now = NOW.plus(30 * number);
        let late = test.attempt("alice", &code_at(&app, -5, now), now);
        refused(
            &late,
            Refusal::Behind {
                steps: 5,
                seconds: 150,
            },
        );
    }
    let now = NOW.plus(120);
    accepted(&test.attempt("alice", &code_at(&app, 0, now), now));
    for offset in [-5, -1, 0] {
        let old = test
            .attempt("alice", &code_at(&app, offset, now), now)
            .result;
        assert!(
            matches!(old, Err(Refusal::Used { .. })),
            "{offset}: {old:?}"
        );
    }
    refused(
        &test.attempt("alice", &code_at(&app, 2, now), now),
        Refusal::Ahead {
            steps: 2,
            seconds: 60,
        },
    );
}
