//! Mail addresses of accounts, on a real store in a temporary folder. The test sends the mail in
//! place of posternd.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "test_store/mail_delivery.rs"]
mod mail_delivery;
mod test_store;

use mail_delivery::{MAIL, address, asks, by_both, by_mail_alone, has_mail, sends, takes, types};
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::RecoveryCodeUse;
use postern_shared::config::email::MailedCodes;
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{AdministrationError, Engine, MailRefusal, NotMailed, Principal};
use postern_shared::policy::requirement::EnrollmentGrace;
use postern_shared::protocol::status::SecondFactorState;
use postern_shared::store::MailAddresses;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use test_store::{NOW, TestStore, accepted, code_of, name, refused, request};

/// The authenticator and the mailed code can each be switched off while the other stays.
#[test]
fn each_method_is_switched_off_alone() {
    let (mut test, app, now) = by_both();
    let sent = asks(&mut test, "alice", now).ok().unwrap();
    assert_eq!(
        test.accounts()
            .remove_email(&name("alice"), "root", now)
            .unwrap()
            .0,
        Enrolled::Yes
    );
    refused(&types(&mut test, &sent, now), Refusal::Wrong);
    assert_eq!(
        asks(&mut test, "alice", now).err(),
        Some(MailRefusal::NoAddress)
    );
    accepted(&test.attempt("alice", &code_of(&app, 0), now));

    let (mut test, app, now) = by_both();
    test.enrollment()
        .remove_authenticator(&name("alice"), app.label(), "root", now)
        .unwrap();
    refused(
        &test.attempt("alice", &code_of(&app, 0), now),
        Refusal::Wrong,
    );
    let sent = asks(&mut test, "alice", now).ok().unwrap();
    accepted(&types(&mut test, &sent, now));
    accepted(&test.attempt("alice", app.recovery_codes()[0].plain(), now));
    assert_eq!(
        test.accounts()
            .account_status(&name("alice"))
            .unwrap()
            .state,
        SecondFactorState::On
    );

    assert!(test.holds(b"alice@example.com"));
    assert_eq!(
        test.accounts()
            .remove_email(&name("alice"), "root", now)
            .unwrap()
            .0,
        Enrolled::No
    );
    // The removed address gets one last notification. After that the store's bytes no longer hold
    // it.
    for notice in test.mail().take_due_notifications(8, now).unwrap() {
        test.mail().remove_sent_notification(&notice).unwrap();
    }
    assert!(
        test.accounts()
            .disable_second_factor(&name("alice"), "root", now)
            .is_err()
    );
    assert!(!test.holds(b"alice@example.com"));
    assert_eq!(test.enrolled("alice"), Enrolled::No);
    refused(
        &test.attempt("alice", app.recovery_codes()[1].plain(), now),
        Refusal::NotEnrolled,
    );
}

#[test]
fn an_address_counts_once_mail_to_it_has_arrived_and_the_old_one_until_then() {
    let mut test = TestStore::new(MAIL);
    let alice = name("alice");
    let posted = test
        .accounts()
        .set_email(&alice, &address("a@example.com"), "root", NOW)
        .unwrap();
    assert_eq!(
        test.load_policy_facts(&alice).unwrap().enrolled,
        Enrolled::No
    );
    let mail = sends(&mut test, &posted, NOW);
    refused(
        &test.attempt("alice", &mail.code, NOW),
        Refusal::NotEnrolled,
    );
    let wrong = if *mail.code == "000000" {
        "000001"
    } else {
        "000000"
    };
    let confirms = |test: &mut TestStore, typed: &str, now| {
        test.accounts()
            .confirm_email(&alice, &Input::parse(typed.as_bytes()), "root", now)
    };
    let refusal = confirms(&mut test, wrong, NOW);
    assert!(matches!(
        refusal,
        Err(AdministrationError::NotConfirmed(Refusal::Wrong))
    ));
    let late = confirms(&mut test, &mail.code, NOW.plus(901));
    assert!(matches!(
        late,
        Err(AdministrationError::NotConfirmed(Refusal::CodeExpired))
    ));
    confirms(&mut test, &mail.code, NOW.plus(899)).unwrap();
    assert!(matches!(
        confirms(&mut test, &mail.code, NOW.plus(899)),
        Err(AdministrationError::NothingToConfirm(_))
    ));

    // A code that confirms an address grants no access, and a mailed code for a login confirms no
    // address.
    let now = NOW.plus(960);
    let posted = test
        .accounts()
        .set_email(&alice, &address("b@example.com"), "root", now)
        .unwrap();
    let mail = sends(&mut test, &posted, now);
    refused(&test.attempt("alice", &mail.code, now), Refusal::Wrong);
    let now = now.plus(60);
    let sign_in = asks(&mut test, "alice", now).ok().unwrap();
    assert_eq!(sign_in.to, address("a@example.com"));
    assert!(confirms(&mut test, &sign_in.code, now).is_err());
    accepted(&types(&mut test, &sign_in, now));
    let kept = test
        .accounts()
        .account_status(&alice)
        .unwrap()
        .tally
        .addresses;
    let expected = MailAddresses {
        confirmed: Some(address("a@example.com")),
        pending: Some(address("b@example.com")),
    };
    assert_eq!(kept, expected);
}

#[test]
fn an_address_is_confirmed_within_five_tries_or_never() {
    let (mut test, alice) = (TestStore::new(MAIL), name("alice"));
    let posted = test
        .accounts()
        .set_email(&alice, &address("a@example.com"), "root", NOW)
        .unwrap();
    let mail = sends(&mut test, &posted, NOW);
    let confirms = |test: &mut TestStore, typed: &str| {
        test.accounts()
            .confirm_email(&alice, &Input::parse(typed.as_bytes()), "root", NOW)
    };
    let wrong = if *mail.code == "000000" {
        "000001"
    } else {
        "000000"
    };
    for _ in 0..5 {
        let refusal = confirms(&mut test, wrong);
        assert!(matches!(
            refusal,
            Err(AdministrationError::NotConfirmed(Refusal::Wrong))
        ));
    }
    let late = confirms(&mut test, &mail.code);
    assert!(matches!(late, Err(AdministrationError::NoCodeToConfirm(_))));
    assert_eq!(
        test.load_policy_facts(&alice).unwrap().enrolled,
        Enrolled::No
    );
    // A confirmation that wrong codes ended does not end the cooldown.
    let again = test
        .accounts()
        .set_email(&alice, &address("a@example.com"), "root", NOW.plus(59));
    assert!(matches!(again, Err(AdministrationError::MailCooldown(1))));
    has_mail(&mut test, "alice", "a@example.com", NOW.plus(60));
}

/// Disabling the second factor also removes the mail address, which must be confirmed again.
#[test]
fn disable_turns_mail_off_too_and_the_address_is_to_be_confirmed_again() {
    let (mut test, now) = by_mail_alone();
    let mail = asks(&mut test, "alice", now).ok().unwrap();
    test.disables("alice", "root", now);
    refused(&types(&mut test, &mail, now), Refusal::NotEnrolled);
    assert_eq!(
        test.accounts()
            .account_status(&name("alice"))
            .unwrap()
            .state,
        SecondFactorState::Off
    );
    assert_eq!(
        asks(&mut test, "alice", now).err(),
        Some(MailRefusal::NoAddress)
    );
    assert_eq!(
        test.accounts().unconfirmed_email(&name("alice")).unwrap(),
        address("alice@example.com")
    );
    assert!(matches!(
        test.accounts()
            .disable_second_factor(&name("alice"), "root", now),
        Err(AdministrationError::NotEnrolled(_))
    ));
}

/// A mail that cannot be sent is an error within its time limit, and its code is invalid.
#[test]
fn a_mail_that_is_not_sent_is_an_error_and_its_code_opens_nothing() {
    let (mut test, now) = by_mail_alone();
    let alice = name("alice");
    let posted = test
        .accounts()
        .set_email(&alice, &address("b@example.com"), "root", now)
        .unwrap();
    let sent = takes(&mut test, now);
    assert!(test.takes_mail(now).is_empty(), "it is taken once");
    test.mail()
        .record_mail_delivery(&sent, &Err("no such mailbox".to_owned()))
        .unwrap();
    let failed = test.mail().await_mail_delivery(&posted);
    assert!(matches!(failed, Err(NotMailed::Failed(why)) if why == "no such mailbox"));
    let typed = Input::parse(sent.code.as_bytes());
    let confirmed = test.accounts().confirm_email(&alice, &typed, "root", now);
    assert!(matches!(
        confirmed,
        Err(AdministrationError::NoCodeToConfirm(_))
    ));

    // a mail that was not sent begins no cooldown
    let sent = asks(&mut test, "alice", now).ok().unwrap();
    test.mail()
        .record_mail_delivery(&sent, &Err("it hangs".to_owned()))
        .unwrap();
    refused(&types(&mut test, &sent, now), Refusal::Wrong);
    assert!(asks(&mut test, "alice", now).is_ok());
}

#[test]
fn without_email_in_the_configuration_nothing_is_mailed_and_a_code_is_still_asked_for() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let mut test = TestStore::new("");
    let set = test
        .accounts()
        .set_email(&name("alice"), &address("a@example.com"), "root", NOW);
    assert!(matches!(set, Err(AdministrationError::NoMail)));
    assert!(
        test.accounts().account_status(&name("alice")).is_err(),
        "no account was made"
    );

    let connection = rusqlite::Connection::open(test.folder.path().join("store/db")).unwrap();
    test.adds_account("alice");
    let sql = "INSERT INTO email (account, confirmed) SELECT id, 'a@example.com' FROM account";
    connection.execute(sql, []).unwrap();
    assert_eq!(test.enrolled("alice"), Enrolled::Yes);
    assert_eq!(
        asks(&mut test, "alice", NOW).err(),
        Some(MailRefusal::NotConfigured)
    );
    refused(&test.attempt("alice", "000000", NOW), Refusal::Wrong);
}

/// Mail without codes: what was mailed before is refused, and an account that had mail alone is asked
/// for a code all the same.
#[test]
fn with_email_codes_off_no_code_is_mailed_and_none_is_accepted() {
    let (mut test, app, now) = by_both();
    let sent = asks(&mut test, "alice", now).ok().unwrap();
    let mut off = test.config().clone();
    off.email.codes = MailedCodes::Off;
    test.engine = Engine::open(off).unwrap();
    refused(&types(&mut test, &sent, now), Refusal::Wrong);
    let later = now.plus(3600);
    assert_eq!(
        asks(&mut test, "alice", later).err(),
        Some(MailRefusal::NotConfigured)
    );
    accepted(&test.attempt("alice", &code_of(&app, 0), now));
    // the app is the only second factor then
    let removed =
        test.enrollment()
            .remove_authenticator(&name("alice"), app.label(), "root", later);
    assert!(matches!(
        removed,
        Err(AdministrationError::LastAuthenticator(_))
    ));

    let (mut test, now) = by_mail_alone();
    let mut off = test.config().clone();
    off.email.codes = MailedCodes::Off;
    test.engine = Engine::open(off).unwrap();
    assert_eq!(test.enrolled("alice"), Enrolled::Yes);
    refused(&test.attempt("alice", "000000", now), Refusal::Wrong);
}

#[test]
fn a_recovery_code_that_turns_the_second_factor_off_turns_mail_off() {
    let mut test = TestStore::new(&format!("{MAIL}[recovery]\non_use = \"disable\"\n"));
    assert_eq!(test.config().recovery.on_use, RecoveryCodeUse::Disable);
    let app = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&app);
    has_mail(&mut test, "alice", "alice@example.com", NOW);
    accepted(&test.attempt("alice", app.recovery_codes()[0].plain(), NOW));
    assert_eq!(test.enrolled("alice"), Enrolled::No);
}

#[test]
fn codes_of_a_declared_account_go_where_its_declaration_says() {
    let mut test = TestStore::new("");
    let secret = test.folder.path().join("secret");
    std::fs::write(&secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut config = test.config().clone();
    let extra = format!(
        "{MAIL}[[account]]\nname = \"alice\"\nsecret_file = \"{}\"\nemail = \"declared@example.com\"\n",
        secret.display()
    );
    let declared: postern_shared::config::Config = toml::from_str(&extra).unwrap();
    (config.account, config.email) = (declared.account, declared.email);
    test.engine = postern_shared::engine::Engine::open(config).unwrap();
    let mail = asks(&mut test, "alice", NOW).ok().unwrap();
    assert_eq!(mail.to, address("declared@example.com"));
    accepted(&types(&mut test, &mail, NOW));
    let set = test
        .accounts()
        .set_email(&name("alice"), &address("a@example.com"), "root", NOW);
    assert!(matches!(set, Err(AdministrationError::Declared(_))));
}

#[test]
fn an_administrator_with_mail_alone_has_a_second_factor() {
    let policy = "[policy]\nrequired = \"all\"\nadministrators = [\"alice\", \"bob\"]\n";
    let mut test = TestStore::new(&format!("{MAIL}{policy}"));
    let waived = |test: &mut TestStore| {
        let (bob, origin) = (name("bob"), Origin::Unknown);
        let login = request(&bob, &origin);
        test.policy().grant_enrollment_grace(&login, NOW).unwrap()
    };
    assert_eq!(waived(&mut test), Some(EnrollmentGrace::LastAdministrator));
    has_mail(&mut test, "alice", "alice@example.com", NOW);
    assert_eq!(waived(&mut test), None);
}

/// A person who lost the phone has not lost the mailbox.
#[test]
fn an_authenticator_put_in_place_of_a_lost_one_leaves_the_address_alone() {
    let (mut test, old, now) = by_both();
    let new = PendingEnrollment::replacement(test.config(), &name("alice")).unwrap();
    test.activates(&new);
    refused(
        &test.attempt("alice", &code_of(&old, 0), now),
        Refusal::Wrong,
    );
    accepted(&test.attempt("alice", &code_of(&new, 0), now));
    let mail = asks(&mut test, "alice", now).ok().unwrap();
    accepted(&types(&mut test, &mail, now));
}

/// The attack: with the password alone, at an address without codes, someone makes the own mailbox
/// the second factor of an account that must have one and has none.
#[test]
fn a_first_address_is_no_way_around_the_one_time_code() {
    let mut test = TestStore::new(&format!("{MAIL}[policy]\nrequired = \"all\"\n"));
    let (alice, origin) = (name("alice"), test_store::remote("198.51.100.7"));
    let to = address("thief@example.com");
    let person = Principal::Browser(&alice, &origin);
    let set = test.accounts().set_email(&alice, &to, person, NOW);
    assert!(matches!(
        set,
        Err(AdministrationError::OneTimeCodeNeeded(_))
    ));
    test.accounts().set_email(&alice, &to, "root", NOW).unwrap();
    let sent = takes(&mut test, NOW);
    let typed = Input::parse(sent.code.as_bytes());
    let confirmed = test.accounts().confirm_email(&alice, &typed, person, NOW);
    assert!(matches!(
        confirmed,
        Err(AdministrationError::OneTimeCodeNeeded(_))
    ));
    assert_eq!(test.enrolled("alice"), Enrolled::No);

    let mut free = TestStore::new(MAIL);
    let set = free.accounts().set_email(&alice, &to, person, NOW);
    assert!(set.is_ok(), "nothing is required of anyone");
}
