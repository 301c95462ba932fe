//! Mailed codes, on a real store in a temporary folder. The test sends the mail in place of
//! posternd.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "test_store/mail_delivery.rs"]
mod mail_delivery;
mod test_store;

use mail_delivery::{address, asks, by_both, by_mail_alone, has_mail, sends, types};
use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::input::Input;
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::{AdministrationError, Engine, MailRefusal, NotMailed};
use postern_shared::store::KeyBound;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::method::AuthenticationMethod;
use postern_shared::verify::origin::Origin;
use test_store::{NOW, TestStore, accepted, assert_lacks, code_of, name, refused, request};

/// A mailed code is accepted for 900 seconds.
#[test]
fn a_mailed_code_passes_at_899_seconds_and_is_expired_at_901() {
    for (after, passes) in [(0, true), (899, true), (900, false), (901, false)] {
        let (mut test, now) = by_mail_alone();
        let mail = asks(&mut test, "alice", now).ok().unwrap();
        let attempt = types(&mut test, &mail, now.plus(after));
        match passes {
            true => accepted(&attempt),
            false => refused(&attempt, Refusal::CodeExpired),
        }
    }
}

#[test]
fn a_clock_that_is_set_back_lengthens_neither_a_codes_life_nor_the_wait() {
    let (mut test, now) = by_mail_alone();
    let mail = asks(&mut test, "alice", now).ok().unwrap();
    refused(&types(&mut test, &mail, now.minus(1)), Refusal::CodeExpired);
    assert!(asks(&mut test, "alice", now.minus(1)).is_ok());
}

/// A mailed code is accepted once, and for no other account.
#[test]
fn a_mailed_code_opens_once_and_only_its_own_account() {
    let (mut test, now) = by_mail_alone();
    has_mail(&mut test, "bob", "bob@example.com", NOW);
    let mail = asks(&mut test, "alice", now).ok().unwrap();
    assert_eq!(mail.code.len(), 6);
    refused(&test.attempt("bob", &mail.code, now), Refusal::Wrong);
    let spaced = format!("{} {}", &mail.code[..3], &mail.code[3..]);
    accepted(&test.attempt("alice", &spaced, now));
    refused(&types(&mut test, &mail, now), Refusal::Used { wait: 0 });
    let log = test.all_events();
    assert!(
        log.iter()
            .any(|(_, event)| event.cause == AuthenticationMethod::MailedCode.name()),
        "{log:?}"
    );
    assert_lacks(format!("{log:?}"), mail.code.as_str());
}

/// The fault, in other systems: the cooldown was written under one key and read under another.
#[test]
fn a_second_mail_kills_the_first_code_and_is_refused_inside_the_cooldown() {
    let (mut test, now) = by_mail_alone();
    let first = asks(&mut test, "alice", now).ok().unwrap();
    for (after, wait) in [(0, 60), (1, 59), (59, 1)] {
        let refusal = asks(&mut test, "alice", now.plus(after)).err();
        assert_eq!(refusal, Some(MailRefusal::Cooldown { wait }));
    }
    accepted(&types(&mut test, &first, now.plus(59)));
    assert!(matches!(
        asks(&mut test, "alice", now.plus(59)),
        Err(MailRefusal::Cooldown { wait: 1 })
    ));
    let second = asks(&mut test, "alice", now.plus(60)).ok().unwrap();
    let third = asks(&mut test, "alice", now.plus(120)).ok().unwrap();
    refused(&types(&mut test, &first, now.plus(120)), Refusal::Wrong);
    refused(&types(&mut test, &second, now.plus(120)), Refusal::Wrong);
    accepted(&types(&mut test, &third, now.plus(120)));
    has_mail(&mut test, "bob", "bob@example.com", now.plus(120));
    let set = test.accounts().set_email(
        &name("bob"),
        &address("b@example.com"),
        "root",
        now.plus(150),
    );
    assert!(matches!(set, Err(AdministrationError::MailCooldown(30))));
    assert_eq!(
        test.accounts()
            .account_status(&name("bob"))
            .unwrap()
            .tally
            .addresses
            .pending,
        None,
        "nothing changed"
    );
}

/// Where an authenticator and mail are both on, a code of either is accepted.
#[test]
fn with_both_on_either_code_is_accepted() {
    let (mut test, app, now) = by_both();
    let mail = asks(&mut test, "alice", now).ok().unwrap();
    accepted(&test.attempt("alice", &code_of(&app, 0), now));
    accepted(&types(&mut test, &mail, now));
}

#[test]
fn an_account_with_mail_alone_is_enrolled_and_nothing_but_its_code_opens() {
    let (mut test, now) = by_mail_alone();
    assert_eq!(test.enrolled("alice"), Enrolled::Yes);
    refused(&test.attempt("alice", "000000", now), Refusal::Wrong);
    refused(&test.attempt("alice", "00000000", now), Refusal::Malformed);
    let mail = asks(&mut test, "alice", now).ok().unwrap();
    accepted(&types(&mut test, &mail, now));
}

/// Of many simultaneous uses of one mailed code exactly one is granted access.
#[test]
fn of_many_who_use_a_mailed_code_at_once_one_enters() {
    for crowd in [2, 10, 40] {
        let (mut test, now) = by_mail_alone();
        let mail = asks(&mut test, "alice", now).ok().unwrap();
        let (config, together) = (test.config().clone(), std::sync::Barrier::new(crowd));
        let enters = || {
            let mut engine = Engine::open(config.clone()).unwrap();
            let (name, origin) = (name("alice"), Origin::Unknown);
            let login = request(&name, &origin);
            let answer = Input::parse(mail.code.as_bytes());
            together.wait();
            match engine
                .verification()
                .verify_input(&login, &answer, now)
                .unwrap()
                .result
            {
                Ok(_) => 1,
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::Used { wait: 0 });
                    0
                }
            }
        };
        let entered: u32 = std::thread::scope(|scope| {
            let running: Vec<_> = (0..crowd).map(|_| scope.spawn(enters)).collect();
            running
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(entered, 1, "of {crowd}");
    }
}

/// A rotation of the data keys affects neither mailed codes nor queued mail.
#[test]
fn mailed_codes_and_unsent_letters_go_on_working_across_a_rotation() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, now) = by_mail_alone();
    has_mail(&mut test, "bob", "bob@example.com", NOW);
    let mail = asks(&mut test, "alice", now).ok().unwrap();
    let posted = test
        .accounts()
        .set_email(&name("bob"), &address("b@example.com"), "root", now)
        .unwrap();
    let sealed = |test: &TestStore| -> Vec<u8> {
        let connection = rusqlite::Connection::open(test.folder.path().join("store/db")).unwrap();
        connection
            .query_row("SELECT sealed FROM outbox", [], |row| row.get(0))
            .unwrap()
    };
    let before = sealed(&test);
    let rotated = test.keys().rotate_keys(Renewal::Seal, "root", now).unwrap();
    assert!(rotated.ended.is_empty() && rotated.damaged.is_empty());
    assert!(sealed(&test) != before && !test.holds(&before));
    accepted(&types(&mut test, &mail, now));
    let unsent = sends(&mut test, &posted, now);
    assert_eq!(unsent.to, address("b@example.com"));
    test.accounts()
        .confirm_email(
            &name("bob"),
            &Input::parse(unsent.code.as_bytes()),
            "root",
            now,
        )
        .unwrap();
}

#[test]
fn mailed_codes_end_with_compromised_keys_and_their_letters_with_them() {
    let (mut test, now) = by_mail_alone();
    has_mail(&mut test, "bob", "bob@example.com", NOW);
    let sent = asks(&mut test, "alice", now).ok().unwrap();
    let posted = test
        .accounts()
        .set_email(&name("bob"), &address("b@example.com"), "root", now)
        .unwrap();
    let ends = test.keys().list_key_bound(now).unwrap();
    for who in ["alice", "bob"] {
        assert_eq!(ends[&name(who)], [(KeyBound::MailedCodes, 1)], "{who}");
    }
    let rotated = test.keys().rotate_keys(Renewal::All, "root", now).unwrap();
    assert!(rotated.ended == ends && rotated.damaged.is_empty());
    refused(&types(&mut test, &sent, now), Refusal::Wrong);
    assert!(test.takes_mail(now).is_empty());
    assert!(matches!(
        test.mail().await_mail_delivery(&posted),
        Err(NotMailed::Replaced)
    ));
    // The address is not encrypted with the keys, and another code can be mailed at once.
    let sent = asks(&mut test, "alice", now).ok().unwrap();
    accepted(&types(&mut test, &sent, now));
}

#[test]
fn a_mail_that_failed_does_not_take_a_newer_code_along() {
    let (mut test, now) = by_mail_alone();
    let first = asks(&mut test, "alice", now).ok().unwrap();
    let second = asks(&mut test, "alice", now.plus(60)).ok().unwrap();
    test.mail()
        .record_mail_delivery(&first, &Err("late".to_owned()))
        .unwrap();
    accepted(&types(&mut test, &second, now.plus(60)));
}

/// The code is stored as a keyed hash, and the address is sealed.
#[test]
fn neither_the_code_nor_another_address_is_in_the_store() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, now) = by_mail_alone();
    let posted = test
        .accounts()
        .set_email(&name("alice"), &address("b@example.com"), "root", now)
        .unwrap();
    let store = test.folder.path().join("store/db");
    let connection = rusqlite::Connection::open(&store).unwrap();
    connection
        .execute("UPDATE outbox SET address = 'thief@example.com'", [])
        .unwrap();
    drop(connection);
    assert!(
        test.takes_mail(now).is_empty(),
        "sealed for another address"
    );
    assert!(matches!(
        test.mail().await_mail_delivery(&posted),
        Err(NotMailed::Replaced)
    ));

    let posted = test
        .accounts()
        .set_email(&name("alice"), &address("b@example.com"), "root", now)
        .unwrap();
    let sent = sends(&mut test, &posted, now);
    // The whole file may hold the six digits by chance, so only the columns are searched.
    let connection = rusqlite::Connection::open(&store).unwrap();
    let hash: Vec<u8> = connection
        .query_row("SELECT hash FROM mailed_code", [], |row| row.get(0))
        .unwrap();
    assert_eq!(hash.len(), 32);
    assert!(!hash.windows(6).any(|window| window == sent.code.as_bytes()));
    let left: i64 = connection
        .query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn guesses_are_counted_as_before_and_asking_for_mail_resets_nothing() {
    let (mut test, app, now) = by_both();
    let mail = asks(&mut test, "alice", now).ok().unwrap();
    let wrong = (0..).map(|number| format!("{number:06}")).filter(|code| {
        *code != *mail.code && (-20..=20).all(|offset| *code != code_of(&app, offset))
    });
    // A code is compared with three codes of the app and with the mailed one, so each attempt costs
    // two units.
    for code in wrong.take(3) {
        refused(&test.attempt("alice", &code, now), Refusal::Wrong);
    }
    let delayed = Refusal::Delayed { wait: 60 };
    refused(&types(&mut test, &mail, now), delayed);
    assert_eq!(
        asks(&mut test, "alice", now).err(),
        Some(MailRefusal::Code(delayed))
    );
    let mail = asks(&mut test, "alice", now.plus(60)).ok().unwrap();
    refused(
        &test.attempt("alice", "99999999", now.plus(60)),
        Refusal::Malformed,
    );
    accepted(&types(&mut test, &mail, now.plus(60)));
}
