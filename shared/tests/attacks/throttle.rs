//! Guesses by attackers that would keep the owner out, and writes that would lock the store for
//! long.

use crate::home::{
    Home, NOW, PASSWORD, accepted, alice, alice_at_the_web, assert_contains, browser, code_at,
    code_of, name, password, recovery, refused, remote, request,
};
use postern_shared::account::name::Label;
use postern_shared::credential::app_password::AppPassword;
use postern_shared::credential::completed_methods::{SshKey, SshKeyFingerprint};
use postern_shared::credential::input::Input;
use postern_shared::credential::totp::{OtpKind, Step};
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AfterCode, AfterPassword, ImportMode, ImportReport, TrustRequest, VerificationRequest,
};
use postern_shared::network::address::Address;
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::{AcceptedAppPassword, AppPasswordRefusal, Refusal};
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A code that is wrong for every account in these tests.
const WRONG: &str = "000000";

/// Enters ten wrong codes for names that do not exist, after which the address is delayed.
fn fills_the_count_of(home: &mut Home, from: &Origin, now: Timestamp) {
    for number in 0..10 {
        let outcome = home.attempt_from(
            &format!("nobody{number}-{from}"),
            from,
            Phase::Before,
            WRONG,
            now,
        );
        refused(&outcome, Refusal::Wrong);
    }
    let outcome = home.attempt_from("nobody", from, Phase::Before, WRONG, now);
    assert!(matches!(
        outcome.result,
        Err(Refusal::AddressDelayed { .. })
    ));
}

fn admits(
    home: &mut Home,
    from: &Origin,
    typed: &AppPassword,
    now: Timestamp,
) -> Result<AcceptedAppPassword, AppPasswordRefusal> {
    let alice = name("alice");
    let visitor = VerificationRequest {
        phase: Phase::Before,
        service: "dovecot",
        ..request(&alice, from)
    };
    home.app_passwords()
        .verify_app_password(&visitor, typed, now)
        .unwrap()
}

fn app_password(home: &mut Home) -> AppPassword {
    let (label, scope) = (
        Label::try_from("mail".to_owned()).unwrap(),
        "pam:dovecot".parse().unwrap(),
    );
    home.app_passwords()
        .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
        .unwrap()
}

/// While the buckets of unknown names are delayed, an input that is compared would show by the time
/// of its commit that the account exists.
#[test]
fn before_the_first_factor_a_delayed_bucket_takes_the_same_writes() {
    let (mut home, _) = alice_at_the_web("");
    // A reader prevents a restart of the WAL, so that its length is the number of bytes written.
    let reader = home.sqlite();
    reader
        .execute_batch("BEGIN; SELECT * FROM account;")
        .unwrap();
    let wal = |home: &Home| {
        home.folder
            .path()
            .join("store/db-wal")
            .metadata()
            .unwrap()
            .len()
    };
    let guess = |home: &mut Home, number: u32| {
        let from = remote(&format!("198.51.100.{number}"));
        let before = wal(home);
        let outcome = home.attempt_from("alice", &from, Phase::Before, WRONG, NOW);
        (wal(home) - before, outcome)
    };
    let password_guess = |home: &mut Home, number: u32| {
        let from = remote(&format!("198.51.100.{number}"));
        let (who, wrong) = (name("alice"), password("wrong horse"));
        let none = Input::parse(b"");
        let before = wal(home);
        let after = home
            .login()
            .enter_password(&browser(&from), &who, Some(&wrong), &none, NOW)
            .unwrap();
        (wal(home) - before, after)
    };
    let open: Vec<u64> = (0..5).map(|number| guess(&mut home, number).0).collect();
    for number in 5..9 {
        let (frames, outcome) = guess(&mut home, number);
        refused(&outcome, Refusal::Delayed { wait: 30 });
        assert!(open.contains(&frames) && frames > 0, "{frames} of {open:?}");
        let (frames, after) = password_guess(&mut home, number);
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
    let (mut home, app) = alice("");
    let from = remote("198.51.100.7");
    let mail = app_password(&mut home);
    fills_the_count_of(&mut home, &from, NOW);
    assert!(admits(&mut home, &from, &mail, NOW).is_ok());
    let wrong = AppPassword::random().unwrap();
    assert!(matches!(
        admits(&mut home, &from, &wrong, NOW),
        Err(AppPasswordRefusal::AddressDelayed { .. })
    ));

    for (stage, number) in [(Phase::Before, 0), (Phase::After, 1)] {
        let strange = remote(&format!("198.51.100.{}", 8 + number));
        fills_the_count_of(&mut home, &strange, NOW);
        accepted(&home.attempt_from("alice", &strange, stage, &recovery(&app, number), NOW));
        let again = home.attempt_from("alice", &strange, stage, &recovery(&app, number), NOW);
        refused(&again, Refusal::Used { wait: 0 });
    }

    for (stage, host) in [(Phase::Before, 20), (Phase::After, 21)] {
        let strange = remote(&format!("198.51.100.{host}"));
        fills_the_count_of(&mut home, &strange, NOW);
        let (code, _) = home.issues_one_time_code("alice", NOW);
        accepted(&home.attempt_from("alice", &strange, stage, &code.grouped(), NOW));
    }

    // a wrong input is delayed as before, and is not counted
    let strange = remote("198.51.100.30");
    fills_the_count_of(&mut home, &strange, NOW);
    for typed in ["ABCDE-FGHJK", "P-2345-6789-ABCD"] {
        let outcome = home.attempt_from("alice", &strange, Phase::After, typed, NOW.plus(1));
        refused(&outcome, Refusal::AddressDelayed { wait: 299 });
    }
}

#[test]
fn at_the_web_password_and_recovery_code_pass_from_a_delayed_address() {
    let (mut home, app) = alice_at_the_web("");
    let from = remote("198.51.100.7");
    fills_the_count_of(&mut home, &from, NOW);
    let code = Input::parse(recovery(&app, 0).as_bytes());
    let (who, right) = (name("alice"), password(PASSWORD));
    let wrong = Input::parse(b"ABCDE-FGHJK");
    let after = home
        .login()
        .enter_password(&browser(&from), &who, Some(&right), &wrong, NOW)
        .unwrap();
    assert!(matches!(
        after,
        AfterPassword::Refused(Refusal::AddressDelayed { .. })
    ));
    let after = home
        .login()
        .enter_password(&browser(&from), &who, Some(&right), &code, NOW)
        .unwrap();
    assert!(matches!(after, AfterPassword::Opened(_)));
}

/// A familiar address is as good as a trusted browser: guesses at other names from the same address
/// do not count against the account.
#[test]
fn guesses_through_an_address_delay_nobody_who_is_known_there() {
    let (mut home, app) = alice_at_the_web("");
    let from = remote("198.51.100.7");
    accepted(&home.attempt_from("alice", &from, Phase::After, &code_of(&app, -1), NOW));
    fills_the_count_of(&mut home, &from, NOW);
    accepted(&home.attempt_from("alice", &from, Phase::Before, &code_of(&app, 0), NOW));
    let (door, who, right) = (&mut home, name("alice"), password(PASSWORD));
    let after = door
        .login()
        .enter_password(&browser(&from), &who, Some(&right), &Input::parse(b""), NOW)
        .unwrap();
    let AfterPassword::Code(pass) = after else {
        panic!("the password is refused")
    };
    let typed = Input::parse(code_of(&app, 1).as_bytes());
    let after = door
        .login()
        .enter_code(&browser(&from), &pass, &typed, TrustRequest::NotAsked, NOW)
        .unwrap();
    assert!(matches!(after, AfterCode::Opened(_)));
}

/// The fault: a user with a range of numbers without names (subuid) had one bucket for each number.
#[test]
fn users_without_a_name_share_one_bucket() {
    let (mut home, _) = alice("");
    let local = |name: &str| Origin::Local(name.to_owned());
    for uid in 100_000..100_005 {
        let outcome = home.attempt_from(
            "alice",
            &local(&format!("#{uid}")),
            Phase::After,
            WRONG,
            NOW,
        );
        refused(&outcome, Refusal::Wrong);
    }
    let outcome = home.attempt_from("alice", &local("#100005"), Phase::After, WRONG, NOW);
    refused(&outcome, Refusal::Delayed { wait: 30 });
    refused(
        &home.attempt_from("alice", &local("bob"), Phase::After, WRONG, NOW),
        Refusal::Wrong,
    );
}

/// The fault: a user who may add keys to an account had one bucket for each key, and so as many
/// attempts as keys.
#[test]
fn many_keys_of_one_account_buy_no_more_tries() {
    let (mut home, app) = alice("");
    let address = Address::parse("198.51.100.7");
    let with_key = |number: u8, address: Option<Address>| {
        let print = data_encoding::BASE64_NOPAD.encode(&[number; 32]);
        let key = SshKey::Known(SshKeyFingerprint::try_from(format!("SHA256:{print}")).unwrap());
        Origin::Key { address, key }
    };
    accepted(&home.attempt_from(
        "alice",
        &with_key(0, address),
        Phase::After,
        &code_of(&app, -1),
        NOW,
    ));
    let mut looked_at = 0;
    for number in 1..40 {
        for _ in 0..6 {
            let outcome =
                home.attempt_from("alice", &with_key(number, None), Phase::After, WRONG, NOW);
            looked_at += u32::from(outcome.result == Err(Refusal::Wrong));
        }
    }
    assert_eq!(looked_at, 5 * 9);
    // The first keys keep their buckets. A new key uses the bucket of a familiar address.
    refused(
        &home.attempt_from(
            "alice",
            &with_key(1, None),
            Phase::After,
            WRONG,
            NOW.plus(30),
        ),
        Refusal::Wrong,
    );
    accepted(&home.attempt_from(
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
    let (mut home, app) = alice("");
    let address = Address::parse("198.51.100.7").unwrap();
    let (there, claimed) = (Origin::Remote(address), Origin::Claimed(address));
    accepted(&home.attempt_from("alice", &there, Phase::After, &code_of(&app, -1), NOW));
    for _ in 0..5 {
        refused(
            &home.attempt_from("alice", &claimed, Phase::After, WRONG, NOW),
            Refusal::Wrong,
        );
    }
    let outcome = home.attempt_from("alice", &claimed, Phase::After, WRONG, NOW);
    refused(&outcome, Refusal::Delayed { wait: 30 });
    fills_the_count_of(&mut home, &claimed, NOW);
    refused(
        &home.attempt_from("somebody", &there, Phase::Before, WRONG, NOW),
        Refusal::Wrong,
    );
    accepted(&home.attempt_from("alice", &there, Phase::After, &code_of(&app, 0), NOW));
}

/// The fault: digits in the field for a recovery code were compared with the authenticators and not
/// counted. While the address was delayed, the reply showed which digits were right.
#[test]
fn digits_in_the_field_for_a_recovery_code_are_compared_with_nothing() {
    let (mut home, app) = alice_at_the_web("");
    let (who, wrong, from) = (name("alice"), password("a guess"), remote("198.51.100.7"));
    fills_the_count_of(&mut home, &from, NOW);
    for typed in [WRONG.to_owned(), code_of(&app, 0)] {
        let typed = Input::parse(typed.as_bytes());
        let after = home
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
    let (mut home, app) = alice_at_the_web("");
    let (who, right, wrong) = (
        name("alice"),
        password(PASSWORD),
        password("a guess at the password"),
    );
    let (stranger, thief) = (remote("198.51.100.7"), remote("198.51.100.8"));
    let mut enter = |from: &Origin, password: &_, recovery: &str, now| {
        let recovery = Input::parse(recovery.as_bytes());
        home.login()
            .enter_password(&browser(from), &who, Some(password), &recovery, now)
            .unwrap()
    };
    let is =
        |after: AfterPassword, refusal| matches!(after, AfterPassword::Refused(r) if r == refusal);
    for _ in 0..5 {
        assert!(is(enter(&stranger, &wrong, "", NOW), Refusal::Wrong));
    }
    assert!(is(
        enter(&stranger, &right, "", NOW),
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
fn a_success_without_an_address_forgives_no_stranger() {
    for origin in [Origin::Unknown, Origin::Local("alice".to_owned())] {
        let (mut home, app) = alice("");
        for _ in 0..4 {
            refused(
                &home.attempt_from("alice", &origin, Phase::After, WRONG, NOW),
                Refusal::Wrong,
            );
        }
        accepted(&home.attempt_from("alice", &origin, Phase::After, &code_of(&app, 0), NOW));
        refused(
            &home.attempt_from("alice", &origin, Phase::After, WRONG, NOW),
            Refusal::Wrong,
        );
        let outcome = home.attempt_from("alice", &origin, Phase::After, WRONG, NOW);
        refused(&outcome, Refusal::Delayed { wait: 30 });
    }
}

/// The fault: the look-ahead of a counter covers eleven codes, so that each typing error cost as
/// much as four.
#[test]
fn two_typing_errors_delay_nobody_who_has_a_counter() {
    let mut home = Home::new("");
    let pending = PendingEnrollment::new(&home.config, &name("alice")).unwrap();
    let parameters = postern_shared::credential::totp::OtpParameters {
        moving: OtpKind::Counter,
        ..pending.parameters()
    };
    let pending = pending.with_parameters(parameters, Step(0));
    home.activates(&pending);
    for _ in 0..4 {
        refused(&home.attempt("alice", WRONG, NOW), Refusal::Wrong);
    }
    accepted(&home.attempt("alice", &code_of(&pending, 0), NOW));
}

/// No credential of the account has this format. At this prompt it is a typing error and not a
/// guess.
#[test]
fn a_password_that_looks_like_a_recovery_code_of_another_length_costs_nothing() {
    let (mut home, app) = alice("[throttle]\naddress_limit = 3\n");
    let from = remote("198.51.100.7");
    for stage in [Phase::After, Phase::Before] {
        for typed in ["kubernetes7", "correcthorsebattery"] {
            for _ in 0..4 {
                refused(
                    &home.attempt_from("alice", &from, stage, typed, NOW),
                    Refusal::Malformed,
                );
            }
        }
    }
    // Codes of the account's own length are still counted, also after the configuration changed the
    // length of new codes.
    let mut config = home.config.clone();
    config.recovery = toml::from_str("length = 12").unwrap();
    home.door = postern_shared::engine::Engine::open(config).unwrap();
    refused(
        &home.attempt_from("alice", &from, Phase::After, "ABCDE-FGHJK", NOW),
        Refusal::Wrong,
    );
    accepted(&home.attempt_from("alice", &from, Phase::After, &recovery(&app, 0), NOW));
}

#[test]
fn a_one_time_code_made_by_a_clock_that_ran_ahead_does_not_live_longer() {
    let (mut home, _) = alice("");
    let ahead = NOW.plus(30 * 86_400);
    let (code, _) = home.issues_one_time_code("alice", ahead);
    refused(
        &home.attempt("alice", &code.grouped(), NOW),
        Refusal::CodeExpired,
    );
    assert_eq!(
        home.accounts()
            .one_time_code_expiry(&name("alice"), NOW)
            .unwrap(),
        None
    );
    let (code, _) = home.issues_one_time_code("alice", NOW);
    accepted(&home.attempt("alice", &code.grouped(), NOW.plus(48 * 3600 - 1)));
}

/// The fault: a code of a future day was accepted while the clock was ahead. The floor is lowered
/// later, and the code was accepted again on that day.
#[test]
fn a_code_that_opened_under_a_clock_that_ran_ahead_never_opens_again() {
    let (mut home, app) = alice("");
    let ahead = NOW.plus(86_400);
    let code = code_at(&app, 0, ahead);
    accepted(&home.attempt("alice", &code, ahead));
    assert_eq!(home.lowers_floors("alice", "root", NOW), 1);
    accepted(&home.attempt("alice", &code_of(&app, 1), NOW));
    // disables the second factor, and enrolls the same secret again
    home.disables("alice", "root", NOW);
    let anew = PendingEnrollment::new(&home.config, &name("alice"))
        .unwrap()
        .with_secret(app.secret().clone());
    home.activates(&anew);
    refused(
        &home.attempt("alice", &code, ahead),
        Refusal::Used { wait: 15 },
    );
    accepted(&home.attempt("alice", &code_at(&app, 1, ahead), ahead));
    refused(
        &home.attempt("alice", &code, ahead),
        Refusal::Used { wait: 45 },
    );
}

/// The fault: each wrong app password added a row, and each later attempt read all of them.
#[test]
fn an_address_has_no_more_rows_than_fill_its_count() {
    let (mut home, _) = alice("");
    let address = postern_shared::network::address::Address::parse("198.51.100.7").unwrap();
    for minute in 0..3 {
        let wrong = vec![(address, NOW.plus(60 * minute)); 500];
        home.app_passwords()
            .record_app_password_use(&[], &wrong)
            .unwrap();
    }
    let rows: i64 = home
        .sqlite()
        .query_row("SELECT count(*) FROM address_failure", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 10);
    let from = remote("198.51.100.7");
    let outcome = home.attempt_from("alice", &from, Phase::Before, WRONG, NOW);
    assert!(matches!(
        outcome.result,
        Err(Refusal::AddressDelayed { .. })
    ));
}

/// Rows that no present bucket reads are removed too: those of buckets that are no longer used, and
/// those of addresses of unused accounts.
#[test]
fn what_is_older_than_thirty_days_is_cleared_a_little_with_every_write() {
    let (mut home, app) = alice("");
    let from = |number: u32| remote(&format!("198.51.100.{number}"));
    for number in 0..40 {
        home.attempt_from(
            &format!("nobody{number}"),
            &from(number),
            Phase::Before,
            WRONG,
            NOW,
        );
    }
    let count = |home: &Home, table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        home.sqlite().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(
        (count(&home, "failure"), count(&home, "address_failure")),
        (40, 40)
    );
    accepted(&home.attempt_from("alice", &from(99), Phase::After, &code_of(&app, 0), NOW));
    let later = NOW.plus(31 * 86_400);
    let before = count(&home, "failure");
    home.attempt_from("somebody", &from(98), Phase::Before, WRONG, later);
    assert_eq!(count(&home, "failure"), before - 4 + 1, "a few at once");
    assert_eq!(count(&home, "familiar_address"), 1);
    home.app_passwords().remove_expired_rows(later).unwrap();
    assert_eq!(
        (count(&home, "failure"), count(&home, "address_failure")),
        (1, 1)
    );
    assert_eq!(count(&home, "familiar_address"), 0);
}

/// The fault: no login was answered during an import of thousands of accounts.
#[test]
fn an_import_takes_over_a_few_accounts_at_a_time() {
    let mut home = Home::new("");
    // Base32 has no 0, 1, 8 and 9, so the digits are written as letters.
    let unique = |number: usize| -> String {
        format!("{number:08}")
            .bytes()
            .map(|digit| char::from(digit - b'0' + b'A'))
            .collect()
    };
    let line = |number: usize| {
        let secret = format!("GEZDGNBVGY3TQOJQGEZDGNBV{}", unique(number));
        format!(
            "otpauth://totp/x:user{}?secret={secret}&issuer=x",
            number % 120
        )
    };
    let text = (0..180).map(line).collect::<Vec<_>>().join("\n");
    let found = postern_shared::credential::import::parse_import_file(
        postern_shared::credential::import::ImportFormat::Otpauth,
        text.as_bytes(),
    )
    .unwrap()
    .found;
    let revision = |home: &Home| -> i64 {
        home.sqlite()
            .query_row("SELECT number FROM revision", [], |row| row.get(0))
            .unwrap()
    };
    let before = revision(&home);
    let distinct = postern_shared::account::name::Distinct::No;
    let tried = home
        .accounts()
        .import_authenticators(&found, ImportMode::DryRun, distinct, "root", NOW)
        .unwrap();
    assert_eq!(revision(&home), before, "a trial keeps nothing");
    let done = home
        .accounts()
        .import_authenticators(&found, ImportMode::Commit, distinct, "root", NOW)
        .unwrap();
    assert_eq!(tried, done);
    let taken = done
        .iter()
        .filter(|one| matches!(one, ImportReport::Imported(_)))
        .count();
    let transactions = revision(&home) - before;
    assert!(
        taken > 50 && transactions >= taken as i64 / 50,
        "{taken} in {transactions} transactions"
    );
    let again = home
        .accounts()
        .import_authenticators(&found, ImportMode::Commit, distinct, "root", NOW)
        .unwrap();
    assert!(
        again
            .iter()
            .all(|one| *one == ImportReport::AlreadyEnrolled)
    );
}

/// The fault: a read transaction had no fixed snapshot before its first read.
#[test]
fn a_reading_transaction_sees_the_store_as_it_was_when_it_began() {
    let (mut home, _) = alice("");
    let mut store = postern_shared::store::open(&home.config.store.url).unwrap();
    let mut reading = store.begin(postern_shared::store::Intent::Read).unwrap();
    home.adds_account("bob");
    assert!(reading.find_account(&name("bob")).unwrap().is_none());
    assert!(reading.find_account(&name("alice")).unwrap().is_some());
}

/// The body of the process that a test below stops. It does nothing in a normal run.
#[test]
#[ignore = "run by the test below"]
fn holds_the_store() {
    let Some(store) = std::env::var_os("HELD_STORE") else {
        return;
    };
    let engine = rusqlite::Connection::open(store).unwrap();
    engine.execute_batch("BEGIN IMMEDIATE").unwrap();
    println!("held");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// A process that its user stopped inside a transaction blocks every other process. The error names
/// that process.
#[test]
fn whoever_finds_the_store_held_learns_by_whom() {
    let (mut home, _) = alice("");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "throttle::holds_the_store",
            "--ignored",
            "--nocapture",
        ])
        .env("HELD_STORE", home.folder.path().join("store/db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(holder.stdout.take().unwrap());
    assert!(
        out.lines()
            .map_while(Result::ok)
            .any(|line| line.contains("held")),
        "it did not begin"
    );
    let pid = holder.id();
    assert!(
        Command::new("kill")
            .args(["-STOP", &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
    let failed = home
        .accounts()
        .add_account(
            &name("bob"),
            postern_shared::account::name::Distinct::No,
            "root",
            NOW,
        )
        .unwrap_err()
        .to_string();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_contains(&failed, &format!("held by process {pid} ("));
    assert_contains(&failed, "user ");
    assert_contains(&failed, "stopped");
    home.adds_account("bob");
}

/// The fault: of four commands at the same time, one waited for five seconds and failed.
#[test]
fn commands_that_are_run_at_once_all_get_their_turn() {
    let mut home = Home::new("");
    for number in 0..8 {
        home.enrols(&format!("user{number}"));
    }
    std::thread::scope(|scope| {
        for number in 0..8 {
            let mut door = home.another();
            scope.spawn(move || {
                door.accounts()
                    .disable_second_factor(&name(&format!("user{number}")), "root", NOW)
                    .unwrap()
            });
        }
    });
}

/// The fault: a gate read all app passwords under the write lock after each new one.
#[test]
fn a_gate_that_reads_many_app_passwords_holds_nobody_up() {
    let (mut home, _) = alice("");
    app_password(&mut home);
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) \
               INSERT INTO app_password (hash, account, name, scope, created, revision) \
               SELECT randomblob(32), account, 'n' || i, scope, created, revision FROM n, app_password";
    home.sqlite().execute_batch(sql).unwrap();
    let (ended, store) = (AtomicBool::new(false), home.folder.path().join("store/db"));
    let (looked, longest) = std::thread::scope(|scope| {
        // measures the longest wait of a process that requests the write lock all the time
        let polls = scope.spawn(|| {
            let engine = rusqlite::Connection::open(&store).unwrap();
            engine.busy_timeout(Duration::ZERO).unwrap();
            let (mut free, mut longest) = (Instant::now(), Duration::ZERO);
            while !ended.load(Ordering::SeqCst) {
                if engine.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
                    longest = longest.max(free.elapsed());
                    free = Instant::now();
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            longest.max(free.elapsed())
        });
        let began = Instant::now();
        let mut told = 0;
        home.sessions()
            .update_revocations(&[7; 16], None, NOW, |seen| {
                told = seen.app_passwords[0].all.len()
            })
            .unwrap();
        let looked = began.elapsed();
        ended.store(true, Ordering::SeqCst);
        assert_eq!(told, 60_001);
        (looked, polls.join().unwrap())
    });
    assert!(longest < looked / 2, "held for {longest:?} of {looked:?}");
}

/// The fault: in the second in which the oldest attempts of an address reached the age of the
/// window, they no longer counted but still displaced new ones. Attempts in that second were not
/// counted.
#[test]
fn tries_that_leave_the_window_of_an_address_do_not_keep_new_ones_from_counting() {
    let (mut home, _) = alice("");
    let from = remote("192.0.2.7");
    let window = home.config.throttle.address_window.seconds();
    let limit = home.config.throttle.address_limit.value();
    let mut tries = |now| {
        home.attempt_from("alice", &from, Phase::After, "ABCDE-FGHJK", now)
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

/// The fault: of several codes accepted while the clock was ahead, only the last one stayed refused
/// when their time came.
#[test]
fn no_code_that_opened_under_a_clock_that_ran_ahead_opens_again() {
    let (mut home, app) = alice("");
    let ahead = [86_400, 86_460, 2 * 86_400].map(|later| NOW.plus(later));
    for then in ahead {
        accepted(&home.attempt("alice", &code_at(&app, 0, then), then));
    }
    assert_eq!(home.lowers_floors("alice", "root", NOW), 1);
    accepted(&home.attempt("alice", &code_of(&app, 1), NOW));
    for then in ahead {
        refused(
            &home.attempt("alice", &code_at(&app, 0, then), then),
            Refusal::Used { wait: 15 },
        );
        accepted(&home.attempt("alice", &code_at(&app, 1, then), then));
    }
}

/// The number of codes is larger than the number of accepted time steps that are stored.
#[test]
fn of_many_codes_that_opened_under_a_clock_that_ran_ahead_none_opens_again() {
    let (mut home, app) = alice("");
    let ahead: Vec<_> = (0..30)
        .map(|number| NOW.plus(86_400 + 120 * number))
        .collect();
    for then in &ahead {
        accepted(&home.attempt("alice", &code_at(&app, 0, *then), *then));
    }
    home.lowers_floors("alice", "root", NOW);
    for then in &ahead {
        let again = home
            .attempt("alice", &code_at(&app, 0, *then), *then)
            .result;
        assert!(again.is_err(), "{again:?}");
    }
    let last = ahead[29].plus(60);
    accepted(&home.attempt("alice", &code_at(&app, 0, last), last));
}
