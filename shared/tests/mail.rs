//! Addresses of accounts and codes by mail, on a real store in a folder of its own; the gate is played by the test.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;

use home::{Home, NOW, accepted, code_of, name, refused};
use shared::account::Enrolled;
use shared::answer::Answer;
use shared::clock::Timestamp;
use shared::config::OnUse;
use shared::decision::{Refusal, Verdict};
use shared::door::{
    AdministrationError, Asked, Door, Letter, MailRefusal, Means, NotMailed, Outcome, Posted, State, Visitor,
};
use shared::email::EmailAddress;
use shared::enrolment::Pending;
use shared::event::Filter;
use shared::guess::Stage;
use shared::place::Origin;
use shared::store::{Addresses, KeyBound};
use shared::vault::Renewal;

const MAIL: &str = "[email]\nsmtp_url = \"smtp://localhost\"\nfrom = \"postern@example.com\"\n";

fn address(text: &str) -> EmailAddress {
    text.parse().unwrap()
}

/// What a gate does, without a mail server.
fn gate_takes(home: &mut Home, now: Timestamp) -> Letter {
    let mut letters = home.door.take_letters(8, now).unwrap();
    assert_eq!(letters.len(), 1);
    letters.remove(0)
}

fn gate_sends(home: &mut Home, posted: &Posted, now: Timestamp) -> Letter {
    let letter = gate_takes(home, now);
    home.door.note_letter(&letter, &Ok(())).unwrap();
    home.door.await_letter(posted).unwrap();
    letter
}

/// Sets and confirms an address.
fn has_mail(home: &mut Home, who: &str, to: &str, now: Timestamp) {
    let posted = home.door.set_email(&name(who), &address(to), "root", now).unwrap();
    let letter = gate_sends(home, &posted, now);
    assert_eq!(letter.to, address(to));
    home.door.confirm_email(&name(who), &Answer::read(letter.code.as_bytes()), "root", now).unwrap();
}

fn asks(home: &mut Home, who: &str, now: Timestamp) -> Result<Letter, MailRefusal> {
    let (name, origin) = (name(who), Origin::Unknown);
    let visitor =
        Visitor { name: &name, stage: Stage::After, origin: &origin, browser: None, service: "test" };
    match home.door.mail_code(&visitor, None, now).unwrap() {
        Asked::For(letter) => Ok(letter),
        Asked::Refused(refusal) => Err(refusal),
    }
}

fn types(home: &mut Home, letter: &Letter, now: Timestamp) -> Outcome {
    home.attempt("alice", &letter.code, now)
}

/// Alice with mail as her only second factor; a minute after it was confirmed.
fn by_mail_alone() -> (Home, Timestamp) {
    let mut home = Home::new(MAIL);
    has_mail(&mut home, "alice", "alice@example.com", NOW);
    (home, NOW.plus(60))
}

/// Alice with an app and mail.
fn by_both() -> (Home, Pending, Timestamp) {
    let mut home = Home::new(MAIL);
    let app = Pending::new(home.door.config(), &name("alice")).unwrap();
    home.activates(&app);
    has_mail(&mut home, "alice", "alice@example.com", NOW.minus(60));
    (home, app, NOW)
}

/// M2
#[test]
fn a_mailed_code_passes_at_899_seconds_and_is_expired_at_901() {
    for (after, passes) in [(0, true), (899, true), (900, false), (901, false)] {
        let (mut home, now) = by_mail_alone();
        let letter = asks(&mut home, "alice", now).ok().unwrap();
        let outcome = types(&mut home, &letter, now.plus(after));
        match passes {
            true => accepted(&outcome),
            false => refused(&outcome, Refusal::CodeExpired),
        }
    }
}

#[test]
fn a_clock_that_is_set_back_lengthens_neither_a_codes_life_nor_the_wait() {
    let (mut home, now) = by_mail_alone();
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    refused(&types(&mut home, &letter, now.minus(1)), Refusal::CodeExpired);
    assert!(asks(&mut home, "alice", now.minus(1)).is_ok());
}

/// M1
#[test]
fn a_mailed_code_opens_once_and_only_its_own_account() {
    let (mut home, now) = by_mail_alone();
    has_mail(&mut home, "bob", "bob@example.com", NOW);
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    assert_eq!(letter.code.len(), 6);
    refused(&home.attempt("bob", &letter.code, now), Refusal::Wrong);
    let spaced = format!("{} {}", &letter.code[..3], &letter.code[3..]);
    accepted(&home.attempt("alice", &spaced, now));
    refused(&types(&mut home, &letter, now), Refusal::Used { wait: 0 });
    let log = home.door.events(&Filter::default(), 0, 100).unwrap();
    assert!(log.iter().any(|(_, event)| event.cause == Means::MailedCode.name()), "{log:?}");
    assert!(!format!("{log:?}").contains(letter.code.as_str()));
}

/// M3, trap 5: asked and counted under one key.
#[test]
fn a_second_mail_kills_the_first_code_and_is_refused_inside_the_cooldown() {
    let (mut home, now) = by_mail_alone();
    let first = asks(&mut home, "alice", now).ok().unwrap();
    for (after, wait) in [(0, 60), (1, 59), (59, 1)] {
        let refusal = asks(&mut home, "alice", now.plus(after)).err();
        assert_eq!(refusal, Some(MailRefusal::Cooldown { wait }));
    }
    accepted(&types(&mut home, &first, now.plus(59)));
    assert!(matches!(asks(&mut home, "alice", now.plus(59)), Err(MailRefusal::Cooldown { wait: 1 })));
    let second = asks(&mut home, "alice", now.plus(60)).ok().unwrap();
    let third = asks(&mut home, "alice", now.plus(120)).ok().unwrap();
    refused(&types(&mut home, &first, now.plus(120)), Refusal::Wrong);
    refused(&types(&mut home, &second, now.plus(120)), Refusal::Wrong);
    accepted(&types(&mut home, &third, now.plus(120)));
    has_mail(&mut home, "bob", "bob@example.com", now.plus(120));
    let set = home.door.set_email(&name("bob"), &address("b@example.com"), "root", now.plus(150));
    assert!(matches!(set, Err(AdministrationError::MailCooldown(30))));
    assert_eq!(home.door.status(&name("bob")).unwrap().tally.addresses.pending, None, "nothing changed");
}

/// M4, trap 13
#[test]
fn with_both_on_either_code_is_accepted() {
    let (mut home, app, now) = by_both();
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    accepted(&home.attempt("alice", &code_of(&app, 0), now));
    accepted(&types(&mut home, &letter, now));
}

/// M4
#[test]
fn each_method_is_switched_off_alone() {
    let (mut home, app, now) = by_both();
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    assert_eq!(home.door.remove_email(&name("alice"), "root", now).unwrap(), Enrolled::Yes);
    refused(&types(&mut home, &letter, now), Refusal::Wrong);
    assert_eq!(asks(&mut home, "alice", now).err(), Some(MailRefusal::NoAddress));
    accepted(&home.attempt("alice", &code_of(&app, 0), now));

    let (mut home, app, now) = by_both();
    home.door.remove_authenticator(&name("alice"), app.label(), "root", now).unwrap();
    refused(&home.attempt("alice", &code_of(&app, 0), now), Refusal::Wrong);
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    accepted(&types(&mut home, &letter, now));
    accepted(&home.attempt("alice", app.recovery_codes()[0].plain(), now));
    assert_eq!(home.door.status(&name("alice")).unwrap().state, State::On);

    assert!(home.holds(b"alice@example.com"));
    assert_eq!(home.door.remove_email(&name("alice"), "root", now).unwrap(), Enrolled::No);
    // it is told so itself, and then gone from the store's bytes
    for notice in home.door.take_notices(8, now).unwrap() {
        home.door.notice_sent(&notice).unwrap();
    }
    assert!(home.door.disable(&name("alice"), "root", now).is_err());
    assert!(!home.holds(b"alice@example.com"));
    assert_eq!(home.door.membership(&name("alice")).unwrap().enrolled, Enrolled::No);
    refused(&home.attempt("alice", app.recovery_codes()[1].plain(), now), Refusal::NotEnrolled);
}

#[test]
fn an_account_with_mail_alone_is_enrolled_and_nothing_but_its_code_opens() {
    let (mut home, now) = by_mail_alone();
    assert_eq!(home.door.membership(&name("alice")).unwrap().enrolled, Enrolled::Yes);
    refused(&home.attempt("alice", "000000", now), Refusal::Wrong);
    refused(&home.attempt("alice", "00000000", now), Refusal::Unfit);
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    accepted(&types(&mut home, &letter, now));
}

#[test]
fn an_address_counts_once_mail_to_it_has_arrived_and_the_old_one_until_then() {
    let mut home = Home::new(MAIL);
    let alice = name("alice");
    let posted = home.door.set_email(&alice, &address("a@example.com"), "root", NOW).unwrap();
    assert_eq!(home.door.membership(&alice).unwrap().enrolled, Enrolled::No);
    let letter = gate_sends(&mut home, &posted, NOW);
    refused(&home.attempt("alice", &letter.code, NOW), Refusal::NotEnrolled);
    let wrong = if *letter.code == "000000" { "000001" } else { "000000" };
    let confirms = |home: &mut Home, typed: &str, now| {
        home.door.confirm_email(&alice, &Answer::read(typed.as_bytes()), "root", now)
    };
    let refusal = confirms(&mut home, wrong, NOW);
    assert!(matches!(refusal, Err(AdministrationError::NotConfirmed(Refusal::Wrong))));
    let late = confirms(&mut home, &letter.code, NOW.plus(901));
    assert!(matches!(late, Err(AdministrationError::NotConfirmed(Refusal::CodeExpired))));
    confirms(&mut home, &letter.code, NOW.plus(899)).unwrap();
    assert!(matches!(
        confirms(&mut home, &letter.code, NOW.plus(899)),
        Err(AdministrationError::NothingToConfirm(_))
    ));

    // the code that confirms opens no door, and a code for a door confirms nothing
    let now = NOW.plus(960);
    let posted = home.door.set_email(&alice, &address("b@example.com"), "root", now).unwrap();
    let letter = gate_sends(&mut home, &posted, now);
    refused(&home.attempt("alice", &letter.code, now), Refusal::Wrong);
    let now = now.plus(60);
    let sign_in = asks(&mut home, "alice", now).ok().unwrap();
    assert_eq!(sign_in.to, address("a@example.com"));
    assert!(confirms(&mut home, &sign_in.code, now).is_err());
    accepted(&types(&mut home, &sign_in, now));
    let kept = home.door.status(&alice).unwrap().tally.addresses;
    let expected =
        Addresses { confirmed: Some(address("a@example.com")), pending: Some(address("b@example.com")) };
    assert_eq!(kept, expected);
}

#[test]
fn an_address_is_confirmed_within_five_tries_or_never() {
    let (mut home, alice) = (Home::new(MAIL), name("alice"));
    let posted = home.door.set_email(&alice, &address("a@example.com"), "root", NOW).unwrap();
    let letter = gate_sends(&mut home, &posted, NOW);
    let confirms = |home: &mut Home, typed: &str| {
        home.door.confirm_email(&alice, &Answer::read(typed.as_bytes()), "root", NOW)
    };
    let wrong = if *letter.code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let refusal = confirms(&mut home, wrong);
        assert!(matches!(refusal, Err(AdministrationError::NotConfirmed(Refusal::Wrong))));
    }
    let late = confirms(&mut home, &letter.code);
    assert!(matches!(late, Err(AdministrationError::NoCodeToConfirm(_))));
    assert_eq!(home.door.membership(&alice).unwrap().enrolled, Enrolled::No);
    // nor does giving up let anyone mail at once
    let again = home.door.set_email(&alice, &address("a@example.com"), "root", NOW.plus(59));
    assert!(matches!(again, Err(AdministrationError::MailCooldown(1))));
    has_mail(&mut home, "alice", "a@example.com", NOW.plus(60));
}

/// L11
#[test]
fn of_many_who_use_a_mailed_code_at_once_one_enters() {
    for crowd in [2, 10, 40] {
        let (mut home, now) = by_mail_alone();
        let letter = asks(&mut home, "alice", now).ok().unwrap();
        let (config, together) = (home.door.config().clone(), std::sync::Barrier::new(crowd));
        let enters = || {
            let mut door = Door::open(config.clone()).unwrap();
            let (name, origin) = (name("alice"), Origin::Unknown);
            let visitor =
                Visitor { name: &name, stage: Stage::After, origin: &origin, browser: None, service: "test" };
            let answer = Answer::read(letter.code.as_bytes());
            together.wait();
            match door.attempt(&visitor, &answer, now).unwrap().verdict {
                Verdict::Accepted(_) => 1,
                Verdict::Refused(refusal) => {
                    assert_eq!(refusal, Refusal::Used { wait: 0 });
                    0
                }
            }
        };
        let entered: u32 = std::thread::scope(|scope| {
            let running: Vec<_> = (0..crowd).map(|_| scope.spawn(enters)).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(entered, 1, "of {crowd}");
    }
}

/// C2
#[test]
fn mailed_codes_and_unsent_letters_go_on_working_across_a_rotation() {
    let (mut home, now) = by_mail_alone();
    has_mail(&mut home, "bob", "bob@example.com", NOW);
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    let posted = home.door.set_email(&name("bob"), &address("b@example.com"), "root", now).unwrap();
    let sealed = |home: &Home| -> Vec<u8> {
        let connection = rusqlite::Connection::open(home.folder.path().join("store/db")).unwrap();
        connection.query_row("SELECT sealed FROM outbox", [], |row| row.get(0)).unwrap()
    };
    let before = sealed(&home);
    let rotated = home.door.rotate_keys(Renewal::Seal, "root", now).unwrap();
    assert!(rotated.ended.is_empty() && rotated.damaged.is_empty());
    assert_ne!(sealed(&home), before);
    accepted(&types(&mut home, &letter, now));
    let unsent = gate_sends(&mut home, &posted, now);
    assert_eq!(unsent.to, address("b@example.com"));
    home.door.confirm_email(&name("bob"), &Answer::read(unsent.code.as_bytes()), "root", now).unwrap();
}

#[test]
fn mailed_codes_end_with_compromised_keys_and_their_letters_with_them() {
    let (mut home, now) = by_mail_alone();
    has_mail(&mut home, "bob", "bob@example.com", NOW);
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    let posted = home.door.set_email(&name("bob"), &address("b@example.com"), "root", now).unwrap();
    let ends = home.door.ends_with_its_keys(now).unwrap();
    for who in ["alice", "bob"] {
        assert_eq!(ends[&name(who)], [(KeyBound::MailedCodes, 1)], "{who}");
    }
    let rotated = home.door.rotate_keys(Renewal::All, "root", now).unwrap();
    assert!(rotated.ended == ends && rotated.damaged.is_empty());
    refused(&types(&mut home, &letter, now), Refusal::Wrong);
    assert!(home.door.take_letters(8, now).unwrap().is_empty());
    assert!(matches!(home.door.await_letter(&posted), Err(NotMailed::Replaced)));
    // the address is no secret of the keys, and another code is mailed at once
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    accepted(&types(&mut home, &letter, now));
}

/// D1
#[test]
fn disable_turns_mail_off_too_and_the_address_is_to_be_confirmed_anew() {
    let (mut home, now) = by_mail_alone();
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    home.door.disable(&name("alice"), "root", now).unwrap();
    refused(&types(&mut home, &letter, now), Refusal::NotEnrolled);
    assert_eq!(home.door.status(&name("alice")).unwrap().state, State::Off);
    assert_eq!(asks(&mut home, "alice", now).err(), Some(MailRefusal::NoAddress));
    assert_eq!(home.door.unconfirmed_email(&name("alice")).unwrap(), address("alice@example.com"));
    assert!(matches!(
        home.door.disable(&name("alice"), "root", now),
        Err(AdministrationError::NotEnrolled(_))
    ));
}

/// M5
#[test]
fn without_a_gate_or_with_one_that_fails_there_is_an_error_and_no_code() {
    let (mut home, now) = by_mail_alone();
    let began = std::time::Instant::now();
    let alice = name("alice");
    let posted = home.door.set_email(&alice, &address("b@example.com"), "root", now).unwrap();
    assert!(matches!(home.door.await_letter(&posted), Err(NotMailed::NoGate)));
    assert!(began.elapsed().as_secs() < 4);
    assert!(home.door.take_letters(8, now).unwrap().is_empty(), "no gate sends it later");

    // no cooldown after a mail that was not sent
    let posted = home.door.set_email(&alice, &address("b@example.com"), "root", now).unwrap();
    let letter = gate_takes(&mut home, now);
    assert!(home.door.take_letters(8, now).unwrap().is_empty(), "one gate alone sends it");
    home.door.note_letter(&letter, &Err("no such mailbox".to_owned())).unwrap();
    let failed = home.door.await_letter(&posted);
    assert!(matches!(failed, Err(NotMailed::Failed(why)) if why == "no such mailbox"));
    let typed = Answer::read(letter.code.as_bytes());
    let confirmed = home.door.confirm_email(&alice, &typed, "root", now);
    assert!(matches!(confirmed, Err(AdministrationError::NoCodeToConfirm(_))));

    let letter = asks(&mut home, "alice", now).ok().unwrap();
    home.door.note_letter(&letter, &Err("it hangs".to_owned())).unwrap();
    refused(&types(&mut home, &letter, now), Refusal::Wrong);
    assert!(asks(&mut home, "alice", now).is_ok());
}

#[test]
fn a_letter_that_failed_does_not_take_a_newer_code_along() {
    let (mut home, now) = by_mail_alone();
    let first = asks(&mut home, "alice", now).ok().unwrap();
    let second = asks(&mut home, "alice", now.plus(60)).ok().unwrap();
    home.door.note_letter(&first, &Err("late".to_owned())).unwrap();
    accepted(&types(&mut home, &second, now.plus(60)));
}

/// M1: hashed and sealed.
#[test]
fn neither_the_code_nor_another_address_stands_in_the_store() {
    let (mut home, now) = by_mail_alone();
    let posted = home.door.set_email(&name("alice"), &address("b@example.com"), "root", now).unwrap();
    let store = home.folder.path().join("store/db");
    let connection = rusqlite::Connection::open(&store).unwrap();
    connection.execute("UPDATE outbox SET address = 'thief@example.com'", []).unwrap();
    drop(connection);
    assert!(home.door.take_letters(8, now).unwrap().is_empty(), "sealed for another address");
    assert!(matches!(home.door.await_letter(&posted), Err(NotMailed::Replaced)));

    let posted = home.door.set_email(&name("alice"), &address("b@example.com"), "root", now).unwrap();
    let letter = gate_sends(&mut home, &posted, now);
    // what holds six digits by chance is not looked for: the columns are
    let connection = rusqlite::Connection::open(&store).unwrap();
    let hash: Vec<u8> = connection.query_row("SELECT hash FROM mailed_code", [], |row| row.get(0)).unwrap();
    assert_eq!(hash.len(), 32);
    assert!(!hash.windows(6).any(|window| window == letter.code.as_bytes()));
    let left: i64 = connection.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn an_old_letter_is_not_sent_late() {
    let (mut home, now) = by_mail_alone();
    home.door.set_email(&name("alice"), &address("b@example.com"), "root", now).unwrap();
    assert!(home.door.take_letters(8, now.plus(900)).unwrap().is_empty());
    assert!(home.door.take_letters(8, now).unwrap().is_empty());
}

#[test]
fn guesses_are_counted_as_before_and_asking_for_mail_resets_nothing() {
    let (mut home, app, now) = by_both();
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    let wrong = (0..)
        .map(|number| format!("{number:06}"))
        .filter(|code| *code != *letter.code && (-20..=20).all(|offset| *code != code_of(&app, offset)));
    // compared with three codes of the app and one by mail: each costs two
    for code in wrong.take(3) {
        refused(&home.attempt("alice", &code, now), Refusal::Wrong);
    }
    let delayed = Refusal::Delayed { wait: 60 };
    refused(&types(&mut home, &letter, now), delayed);
    assert_eq!(asks(&mut home, "alice", now).err(), Some(MailRefusal::Code(delayed)));
    let letter = asks(&mut home, "alice", now.plus(60)).ok().unwrap();
    refused(&home.attempt("alice", "99999999", now.plus(60)), Refusal::Unfit);
    accepted(&types(&mut home, &letter, now.plus(60)));
}

#[test]
fn without_email_in_the_configuration_nothing_is_mailed_and_a_code_is_still_asked_for() {
    let mut home = Home::new("");
    let set = home.door.set_email(&name("alice"), &address("a@example.com"), "root", NOW);
    assert!(matches!(set, Err(AdministrationError::NoMail)));
    assert!(home.door.status(&name("alice")).is_err(), "no account was made");

    let connection = rusqlite::Connection::open(home.folder.path().join("store/db")).unwrap();
    home.door.add_account(&name("alice"), "root", NOW).unwrap();
    let sql = "INSERT INTO email (account, confirmed) SELECT id, 'a@example.com' FROM account";
    connection.execute(sql, []).unwrap();
    assert_eq!(home.door.membership(&name("alice")).unwrap().enrolled, Enrolled::Yes);
    assert_eq!(asks(&mut home, "alice", NOW).err(), Some(MailRefusal::NotConfigured));
    refused(&home.attempt("alice", "000000", NOW), Refusal::Wrong);
}

#[test]
fn a_recovery_code_that_turns_the_second_factor_off_turns_mail_off() {
    let mut home = Home::new(&format!("{MAIL}[recovery]\non_use = \"disable\"\n"));
    assert_eq!(home.door.config().recovery.on_use, OnUse::Disable);
    let app = Pending::new(home.door.config(), &name("alice")).unwrap();
    home.activates(&app);
    has_mail(&mut home, "alice", "alice@example.com", NOW);
    accepted(&home.attempt("alice", app.recovery_codes()[0].plain(), NOW));
    assert_eq!(home.door.membership(&name("alice")).unwrap().enrolled, Enrolled::No);
}

#[test]
fn codes_of_a_declared_account_go_where_its_declaration_says() {
    let mut home = Home::new("");
    let secret = home.folder.path().join("secret");
    std::fs::write(&secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut config = home.door.config().clone();
    let extra = format!(
        "{MAIL}[[account]]\nname = \"alice\"\nsecret_file = \"{}\"\nemail = \"declared@example.com\"\n",
        secret.display()
    );
    let declared: shared::config::Config = toml::from_str(&extra).unwrap();
    (config.account, config.email) = (declared.account, declared.email);
    home.door = shared::door::Door::open(config).unwrap();
    let letter = asks(&mut home, "alice", NOW).ok().unwrap();
    assert_eq!(letter.to, address("declared@example.com"));
    accepted(&types(&mut home, &letter, NOW));
    let set = home.door.set_email(&name("alice"), &address("a@example.com"), "root", NOW);
    assert!(matches!(set, Err(AdministrationError::Declared(_))));
}
