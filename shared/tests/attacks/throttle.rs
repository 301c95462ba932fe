//! Guesses by attackers that would keep the owner out, and writes that would lock the store for
//! long.

use crate::test_store::{
    NOW, PASSWORD, TestStore, accepted, alice, alice_at_the_web, browser, code_of, name, password,
    recovery, refused, remote, request,
};
use postern_shared::account::name::Label;
use postern_shared::credential::app_password::AppPassword;
use postern_shared::credential::completed_methods::{SshKey, SshKeyFingerprint};
use postern_shared::credential::input::Input;
use postern_shared::credential::otp::totp::{OtpKind, Step};
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{AfterCode, AfterPassword, TrustRequest, VerificationRequest};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::network::address::Address;
use postern_shared::verify::decision::{AcceptedAppPassword, AppPasswordRefusal, Refusal};
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;

/// A code that is wrong for every account in these tests.
pub(crate) const WRONG: &str = "000000";

/// Enters ten wrong codes for names that do not exist, after which the address is delayed.
pub(crate) fn fills_the_count_of(test: &mut TestStore, from: &Origin, now: Timestamp) {
    for number in 0..10 {
        let attempt = test.attempt_from(
            &format!("nobody{number}-{from}"),
            from,
            Phase::Before,
            WRONG,
            now,
        );
        refused(&attempt, Refusal::Wrong);
    }
    let attempt = test.attempt_from("nobody", from, Phase::Before, WRONG, now);
    assert!(matches!(
        attempt.result,
        Err(Refusal::AddressDelayed { .. })
    ));
}

pub(crate) fn admits(
    test: &mut TestStore,
    from: &Origin,
    typed: &AppPassword,
    now: Timestamp,
) -> Result<AcceptedAppPassword, AppPasswordRefusal> {
    let alice = name("alice");
    let login = VerificationRequest {
        phase: Phase::Before,
        service: "dovecot",
        ..request(&alice, from)
    };
    test.app_passwords()
        .verify_app_password(&login, typed, now)
        .unwrap()
}

pub(crate) fn app_password(test: &mut TestStore) -> AppPassword {
    let (label, scope) = (
        Label::try_from("mail".to_owned()).unwrap(),
        "pam:dovecot".parse().unwrap(),
    );
    test.app_passwords()
        .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
        .unwrap()
}

/// While the buckets of unknown names are delayed, an input that is compared would show by the time
/// of its commit that the account exists.
#[test]
fn before_the_first_factor_a_delayed_bucket_takes_the_same_writes() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, _) = alice_at_the_web("");
    // A reader prevents a restart of the WAL, so that its length is the number of bytes written.
    let reader = test.sqlite();
    reader
        .execute_batch("BEGIN; SELECT * FROM account;")
        .unwrap();
    let wal = |test: &TestStore| {
        test.folder
            .path()
            .join("store/db-wal")
            .metadata()
            .unwrap()
            .len()
    };
    let guess = |test: &mut TestStore, number: u32| {
        let from = remote(&format!("198.51.100.{number}"));
        let before = wal(test);
        let attempt = test.attempt_from("alice", &from, Phase::Before, WRONG, NOW);
        (wal(test) - before, attempt)
    };
    let password_guess = |test: &mut TestStore, number: u32| {
        let from = remote(&format!("198.51.100.{number}"));
        let (who, wrong) = (name("alice"), password("wrong horse"));
        let none = Input::parse(b"");
        let before = wal(test);
        let after = test
            .login()
            .enter_password(&browser(&from), &who, Some(&wrong), &none, NOW)
            .unwrap();
        (wal(test) - before, after)
    };
    let open: Vec<u64> = (0..5).map(|number| guess(&mut test, number).0).collect();
    for number in 5..9 {
        let (frames, attempt) = guess(&mut test, number);
        refused(&attempt, Refusal::Delayed { wait: 30 });
        assert!(open.contains(&frames) && frames > 0, "{frames} of {open:?}");
        let (frames, after) = password_guess(&mut test, number);
        assert!(matches!(
            after,
            AfterPassword::Refused(Refusal::Delayed { .. })
        ));
        assert!(open.contains(&frames) && frames > 0, "{frames} of {open:?}");
    }
}

/// These credentials cannot be guessed, so a delay of the address would keep out only the owner
/// behind it.
#[test]
fn a_delayed_address_keeps_out_no_right_recovery_code_one_time_code_or_app_password() {
    let (mut test, app) = alice("");
    let from = remote("198.51.100.7");
    let mail = app_password(&mut test);
    fills_the_count_of(&mut test, &from, NOW);
    assert!(admits(&mut test, &from, &mail, NOW).is_ok());
    let wrong = AppPassword::random().unwrap();
    assert!(matches!(
        admits(&mut test, &from, &wrong, NOW),
        Err(AppPasswordRefusal::AddressDelayed { .. })
    ));

    for (phase, number) in [(Phase::Before, 0), (Phase::After, 1)] {
        let strange = remote(&format!("198.51.100.{}", 8 + number));
        fills_the_count_of(&mut test, &strange, NOW);
        accepted(&test.attempt_from("alice", &strange, phase, &recovery(&app, number), NOW));
        let again = test.attempt_from("alice", &strange, phase, &recovery(&app, number), NOW);
        refused(&again, Refusal::Used { wait: 0 });
    }

    for (phase, host) in [(Phase::Before, 20), (Phase::After, 21)] {
        let strange = remote(&format!("198.51.100.{host}"));
        fills_the_count_of(&mut test, &strange, NOW);
        let (code, _) = test.issues_one_time_code("alice", NOW);
        accepted(&test.attempt_from("alice", &strange, phase, &code.grouped(), NOW));
    }

    // a wrong input is delayed as before, and is not counted
    let strange = remote("198.51.100.30");
    fills_the_count_of(&mut test, &strange, NOW);
    for typed in ["ABCDE-FGHJK", "P-2345-6789-ABCD"] {
        let attempt = test.attempt_from("alice", &strange, Phase::After, typed, NOW.plus(1));
        refused(&attempt, Refusal::AddressDelayed { wait: 299 });
    }
}

#[test]
fn at_the_web_password_and_recovery_code_pass_from_a_delayed_address() {
    let (mut test, app) = alice_at_the_web("");
    let from = remote("198.51.100.7");
    fills_the_count_of(&mut test, &from, NOW);
    let code = Input::parse(recovery(&app, 0).as_bytes());
    let (who, right) = (name("alice"), password(PASSWORD));
    let wrong = Input::parse(b"ABCDE-FGHJK");
    let after = test
        .login()
        .enter_password(&browser(&from), &who, Some(&right), &wrong, NOW)
        .unwrap();
    assert!(matches!(
        after,
        AfterPassword::Refused(Refusal::AddressDelayed { .. })
    ));
    let after = test
        .login()
        .enter_password(&browser(&from), &who, Some(&right), &code, NOW)
        .unwrap();
    assert!(matches!(after, AfterPassword::Opened(_)));
}

/// A familiar address is as good as a trusted browser: guesses at other names from the same address
/// do not count against the account.
#[test]
fn guesses_through_an_address_delay_no_user_who_is_known_there() {
    let (mut test, app) = alice_at_the_web("");
    let from = remote("198.51.100.7");
    accepted(&test.attempt_from("alice", &from, Phase::After, &code_of(&app, -1), NOW));
    fills_the_count_of(&mut test, &from, NOW);
    accepted(&test.attempt_from("alice", &from, Phase::Before, &code_of(&app, 0), NOW));
    let (engine, who, right) = (&mut test, name("alice"), password(PASSWORD));
    let after = engine
        .login()
        .enter_password(&browser(&from), &who, Some(&right), &Input::parse(b""), NOW)
        .unwrap();
    let AfterPassword::Code(pass) = after else {
        panic!("the password is refused")
    };
    let typed = Input::parse(code_of(&app, 1).as_bytes());
    let after = engine
        .login()
        .enter_code(&browser(&from), &pass, &typed, TrustRequest::NotAsked, NOW)
        .unwrap();
    assert!(matches!(after, AfterCode::Opened(_)));
}

/// The fault: a user with a range of numbers without names (subuid) had one bucket for each number.
#[test]
fn users_without_a_name_share_one_bucket() {
    let (mut test, _) = alice("");
    let local = |name: &str| Origin::Local(name.to_owned());
    for uid in 100_000..100_005 {
        let attempt = test.attempt_from(
            "alice",
            &local(&format!("#{uid}")),
            Phase::After,
            WRONG,
            NOW,
        );
        refused(&attempt, Refusal::Wrong);
    }
    let attempt = test.attempt_from("alice", &local("#100005"), Phase::After, WRONG, NOW);
    refused(&attempt, Refusal::Delayed { wait: 30 });
    refused(
        &test.attempt_from("alice", &local("bob"), Phase::After, WRONG, NOW),
        Refusal::Wrong,
    );
}

/// The fault: a user who may add keys to an account had one bucket for each key, and so as many
/// attempts as keys.
#[test]
fn many_keys_of_one_account_buy_no_more_tries() {
    let (mut test, app) = alice("");
    let address = Address::parse("198.51.100.7");
    let with_key = |number: u8, address: Option<Address>| {
        let print = data_encoding::BASE64_NOPAD.encode(&[number; 32]);
        let key = SshKey::Known(SshKeyFingerprint::try_from(format!("SHA256:{print}")).unwrap());
        Origin::Key { address, key }
    };
    accepted(&test.attempt_from(
        "alice",
        &with_key(0, address),
        Phase::After,
        &code_of(&app, -1),
        NOW,
    ));
    let mut looked_at = 0;
    for number in 1..40 {
        for _ in 0..6 {
            let attempt =
                test.attempt_from("alice", &with_key(number, None), Phase::After, WRONG, NOW);
            looked_at += u32::from(attempt.result == Err(Refusal::Wrong));
        }
    }
    assert_eq!(looked_at, 5 * 9);
    // The first keys keep their buckets. A new key uses the bucket of a familiar address.
    refused(
        &test.attempt_from(
            "alice",
            &with_key(1, None),
            Phase::After,
            WRONG,
            NOW.plus(30),
        ),
        Refusal::Wrong,
    );
    accepted(&test.attempt_from(
        "alice",
        &with_key(0, address),
        Phase::After,
        &code_of(&app, 0),
        NOW,
    ));
}

/// The fault: the address that a PAM host reports may be a name chosen by the client. Such a name
/// used up the attempts of the person at the real address, and the count of that address.
#[test]
fn a_claimed_address_takes_nothing_from_who_is_there() {
    let (mut test, app) = alice("");
    let address = Address::parse("198.51.100.7").unwrap();
    let (there, claimed) = (Origin::Remote(address), Origin::Claimed(address));
    accepted(&test.attempt_from("alice", &there, Phase::After, &code_of(&app, -1), NOW));
    for _ in 0..5 {
        refused(
            &test.attempt_from("alice", &claimed, Phase::After, WRONG, NOW),
            Refusal::Wrong,
        );
    }
    let attempt = test.attempt_from("alice", &claimed, Phase::After, WRONG, NOW);
    refused(&attempt, Refusal::Delayed { wait: 30 });
    fills_the_count_of(&mut test, &claimed, NOW);
    refused(
        &test.attempt_from("somebody", &there, Phase::Before, WRONG, NOW),
        Refusal::Wrong,
    );
    accepted(&test.attempt_from("alice", &there, Phase::After, &code_of(&app, 0), NOW));
}

/// The fault: digits in the field for a recovery code were compared with the authenticators and not
/// counted. While the address was delayed, the reply showed which digits were right.
#[test]
fn digits_in_the_field_for_a_recovery_code_are_compared_with_nothing() {
    let (mut test, app) = alice_at_the_web("");
    let (who, wrong, from) = (name("alice"), password("a guess"), remote("198.51.100.7"));
    fills_the_count_of(&mut test, &from, NOW);
    for typed in [WRONG.to_owned(), code_of(&app, 0)] {
        let typed = Input::parse(typed.as_bytes());
        let after = test
            .login()
            .enter_password(&browser(&from), &who, Some(&wrong), &typed, NOW)
            .unwrap();
        let AfterPassword::Refused(refusal) = after else {
            panic!("the password is wrong")
        };
        assert_eq!(refusal, Refusal::AddressDelayed { wait: 300 });
    }
}

/// The fault: a thief with a recovery code could guess the password without a delay, because only a
/// right password consumed the code.
#[test]
fn a_right_recovery_code_buys_no_endless_guesses_at_the_password() {
    let (mut test, app) = alice_at_the_web("");
    let (who, right, wrong) = (
        name("alice"),
        password(PASSWORD),
        password("a guess at the password"),
    );
    let (attacker, thief) = (remote("198.51.100.7"), remote("198.51.100.8"));
    let mut enter = |from: &Origin, password: &_, recovery: &str, now| {
        let recovery = Input::parse(recovery.as_bytes());
        test.login()
            .enter_password(&browser(from), &who, Some(password), &recovery, now)
            .unwrap()
    };
    let is =
        |after: AfterPassword, refusal| matches!(after, AfterPassword::Refused(r) if r == refusal);
    for _ in 0..5 {
        assert!(is(enter(&attacker, &wrong, "", NOW), Refusal::Wrong));
    }
    assert!(is(
        enter(&attacker, &right, "", NOW),
        Refusal::Delayed { wait: 30 }
    ));
    for _ in 0..5 {
        assert!(is(
            enter(&thief, &wrong, &recovery(&app, 0), NOW),
            Refusal::Wrong
        ));
    }
    for password in [&wrong, &right] {
        assert!(is(
            enter(&thief, password, &recovery(&app, 0), NOW),
            Refusal::Delayed { wait: 30 }
        ));
    }
    let after = enter(&thief, &right, &recovery(&app, 1), NOW.plus(30));
    assert!(matches!(after, AfterPassword::Opened(_)));
}

/// Where no address is known, all clients share one bucket, so a success does not show who made the
/// wrong attempts before.
#[test]
fn a_success_without_an_address_forgives_no_attacker() {
    for origin in [Origin::Unknown, Origin::Local("alice".to_owned())] {
        let (mut test, app) = alice("");
        for _ in 0..4 {
            refused(
                &test.attempt_from("alice", &origin, Phase::After, WRONG, NOW),
                Refusal::Wrong,
            );
        }
        accepted(&test.attempt_from("alice", &origin, Phase::After, &code_of(&app, 0), NOW));
        refused(
            &test.attempt_from("alice", &origin, Phase::After, WRONG, NOW),
            Refusal::Wrong,
        );
        let attempt = test.attempt_from("alice", &origin, Phase::After, WRONG, NOW);
        refused(&attempt, Refusal::Delayed { wait: 30 });
    }
}

/// The fault: the look-ahead of a counter covers eleven codes, so that each typing error cost as
/// much as four.
#[test]
fn two_typing_errors_delay_no_user_who_has_a_counter() {
    let mut test = TestStore::new("");
    let pending = PendingEnrollment::new(&test.config, &name("alice")).unwrap();
    let parameters = postern_shared::credential::otp::totp::OtpParameters {
        moving: OtpKind::Counter,
        ..pending.parameters()
    };
    let pending = pending.with_parameters(parameters, Step(0));
    test.activates(&pending);
    for _ in 0..4 {
        refused(&test.attempt("alice", WRONG, NOW), Refusal::Wrong);
    }
    accepted(&test.attempt("alice", &code_of(&pending, 0), NOW));
}

/// No credential of the account has this format. At this prompt it is a typing error and not a
/// guess.
#[test]
fn a_password_that_looks_like_a_recovery_code_of_another_length_costs_nothing() {
    let (mut test, app) = alice("[throttle]\naddress_limit = 3\n");
    let from = remote("198.51.100.7");
    for phase in [Phase::After, Phase::Before] {
        for typed in ["kubernetes7", "correcthorsebattery"] {
            for _ in 0..4 {
                refused(
                    &test.attempt_from("alice", &from, phase, typed, NOW),
                    Refusal::Malformed,
                );
            }
        }
    }
    // Codes of the account's own length are still counted, also after the configuration changed the
    // length of new codes.
    let mut config = test.config.clone();
    config.recovery = toml::from_str("length = 12").unwrap();
    test.engine = postern_shared::engine::Engine::open(config).unwrap();
    refused(
        &test.attempt_from("alice", &from, Phase::After, "ABCDE-FGHJK", NOW),
        Refusal::Wrong,
    );
    accepted(&test.attempt_from("alice", &from, Phase::After, &recovery(&app, 0), NOW));
}

/// The fault: in the second in which the oldest attempts of an address reached the age of the
/// window, they no longer counted but still displaced new ones. Attempts in that second were not
/// counted.
#[test]
fn tries_that_leave_the_window_of_an_address_do_not_keep_new_ones_from_counting() {
    let (mut test, _) = alice("");
    let from = remote("192.0.2.7");
    let window = test.config.throttle.address_window.seconds();
    let limit = test.config.throttle.address_limit.value();
    let mut tries = |now| {
        test.attempt_from("alice", &from, Phase::After, "ABCDE-FGHJK", now)
            .result
    };
    for round in 0..3 {
        let now = NOW.plus(round * window);
        for number in 0..limit {
            assert_eq!(tries(now), Err(Refusal::Wrong), "{round} {number}");
        }
        assert!(
            matches!(tries(now), Err(Refusal::AddressDelayed { .. })),
            "{round}"
        );
    }
}
