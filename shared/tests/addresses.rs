//! Mail addresses of accounts, on a real store in a temporary folder. The test sends the mail in
//! place of posternd.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;
#[path = "home/postbox.rs"]
mod postbox;

use home::{Home, NOW, accepted, code_of, name, refused, request};
use postbox::{MAIL, address, asks, by_both, by_mail_alone, has_mail, sends, takes, types};
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::RecoveryCodeUse;
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{AdministrationError, MailRefusal, NotMailed};
use postern_shared::policy::requirement::EnrollmentGrace;
use postern_shared::protocol::status::SecondFactorState;
use postern_shared::store::MailAddresses;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;

/// The authenticator and the mailed code can each be switched off while the other stays.
#[test]
fn each_method_is_switched_off_alone() {
    let (mut home, app, now) = by_both();
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    assert_eq!(
        home.accounts()
            .remove_email(&name("alice"), "root", now)
            .unwrap()
            .0,
        Enrolled::Yes
    );
    refused(&types(&mut home, &letter, now), Refusal::Wrong);
    assert_eq!(
        asks(&mut home, "alice", now).err(),
        Some(MailRefusal::NoAddress)
    );
    accepted(&home.attempt("alice", &code_of(&app, 0), now));

    let (mut home, app, now) = by_both();
    home.enrollment()
        .remove_authenticator(&name("alice"), app.label(), "root", now)
        .unwrap();
    refused(
        &home.attempt("alice", &code_of(&app, 0), now),
        Refusal::Wrong,
    );
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    accepted(&types(&mut home, &letter, now));
    accepted(&home.attempt("alice", app.recovery_codes()[0].plain(), now));
    assert_eq!(
        home.accounts()
            .account_status(&name("alice"))
            .unwrap()
            .state,
        SecondFactorState::On
    );

    assert!(home.holds(b"alice@example.com"));
    assert_eq!(
        home.accounts()
            .remove_email(&name("alice"), "root", now)
            .unwrap()
            .0,
        Enrolled::No
    );
    // The removed address gets one last notification. After that the store's bytes no longer hold
    // it.
    for notice in home.mail().take_due_notifications(8, now).unwrap() {
        home.mail().remove_sent_notification(&notice).unwrap();
    }
    assert!(
        home.accounts()
            .disable_second_factor(&name("alice"), "root", now)
            .is_err()
    );
    assert!(!home.holds(b"alice@example.com"));
    assert_eq!(home.enrolled("alice"), Enrolled::No);
    refused(
        &home.attempt("alice", app.recovery_codes()[1].plain(), now),
        Refusal::NotEnrolled,
    );
}

#[test]
fn an_address_counts_once_mail_to_it_has_arrived_and_the_old_one_until_then() {
    let mut home = Home::new(MAIL);
    let alice = name("alice");
    let posted = home
        .accounts()
        .set_email(&alice, &address("a@example.com"), "root", NOW)
        .unwrap();
    assert_eq!(
        home.load_policy_facts(&alice).unwrap().enrolled,
        Enrolled::No
    );
    let letter = sends(&mut home, &posted, NOW);
    refused(
        &home.attempt("alice", &letter.code, NOW),
        Refusal::NotEnrolled,
    );
    let wrong = if *letter.code == "000000" {
        "000001"
    } else {
        "000000"
    };
    let confirms = |home: &mut Home, typed: &str, now| {
        home.accounts()
            .confirm_email(&alice, &Input::parse(typed.as_bytes()), "root", now)
    };
    let refusal = confirms(&mut home, wrong, NOW);
    assert!(matches!(
        refusal,
        Err(AdministrationError::NotConfirmed(Refusal::Wrong))
    ));
    let late = confirms(&mut home, &letter.code, NOW.plus(901));
    assert!(matches!(
        late,
        Err(AdministrationError::NotConfirmed(Refusal::CodeExpired))
    ));
    confirms(&mut home, &letter.code, NOW.plus(899)).unwrap();
    assert!(matches!(
        confirms(&mut home, &letter.code, NOW.plus(899)),
        Err(AdministrationError::NothingToConfirm(_))
    ));

    // A code that confirms an address grants no access, and a mailed code for a login confirms no
    // address.
    let now = NOW.plus(960);
    let posted = home
        .accounts()
        .set_email(&alice, &address("b@example.com"), "root", now)
        .unwrap();
    let letter = sends(&mut home, &posted, now);
    refused(&home.attempt("alice", &letter.code, now), Refusal::Wrong);
    let now = now.plus(60);
    let sign_in = asks(&mut home, "alice", now).ok().unwrap();
    assert_eq!(sign_in.to, address("a@example.com"));
    assert!(confirms(&mut home, &sign_in.code, now).is_err());
    accepted(&types(&mut home, &sign_in, now));
    let kept = home
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
    let (mut home, alice) = (Home::new(MAIL), name("alice"));
    let posted = home
        .accounts()
        .set_email(&alice, &address("a@example.com"), "root", NOW)
        .unwrap();
    let letter = sends(&mut home, &posted, NOW);
    let confirms = |home: &mut Home, typed: &str| {
        home.accounts()
            .confirm_email(&alice, &Input::parse(typed.as_bytes()), "root", NOW)
    };
    let wrong = if *letter.code == "000000" {
        "000001"
    } else {
        "000000"
    };
    for _ in 0..5 {
        let refusal = confirms(&mut home, wrong);
        assert!(matches!(
            refusal,
            Err(AdministrationError::NotConfirmed(Refusal::Wrong))
        ));
    }
    let late = confirms(&mut home, &letter.code);
    assert!(matches!(late, Err(AdministrationError::NoCodeToConfirm(_))));
    assert_eq!(
        home.load_policy_facts(&alice).unwrap().enrolled,
        Enrolled::No
    );
    // A confirmation that wrong codes ended does not end the cooldown.
    let again = home
        .accounts()
        .set_email(&alice, &address("a@example.com"), "root", NOW.plus(59));
    assert!(matches!(again, Err(AdministrationError::MailCooldown(1))));
    has_mail(&mut home, "alice", "a@example.com", NOW.plus(60));
}

/// Disabling the second factor also removes the mail address, which must be confirmed again.
#[test]
fn disable_turns_mail_off_too_and_the_address_is_to_be_confirmed_anew() {
    let (mut home, now) = by_mail_alone();
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    home.disables("alice", "root", now);
    refused(&types(&mut home, &letter, now), Refusal::NotEnrolled);
    assert_eq!(
        home.accounts()
            .account_status(&name("alice"))
            .unwrap()
            .state,
        SecondFactorState::Off
    );
    assert_eq!(
        asks(&mut home, "alice", now).err(),
        Some(MailRefusal::NoAddress)
    );
    assert_eq!(
        home.accounts().unconfirmed_email(&name("alice")).unwrap(),
        address("alice@example.com")
    );
    assert!(matches!(
        home.accounts()
            .disable_second_factor(&name("alice"), "root", now),
        Err(AdministrationError::NotEnrolled(_))
    ));
}

/// A mail that cannot be sent is an error within its time limit, and its code is invalid.
#[test]
fn a_letter_that_is_not_sent_is_an_error_and_its_code_opens_nothing() {
    let (mut home, now) = by_mail_alone();
    let alice = name("alice");
    let posted = home
        .accounts()
        .set_email(&alice, &address("b@example.com"), "root", now)
        .unwrap();
    let letter = takes(&mut home, now);
    assert!(home.takes_mail(now).is_empty(), "it is taken once");
    home.mail()
        .record_mail_delivery(&letter, &Err("no such mailbox".to_owned()))
        .unwrap();
    let failed = home.mail().await_mail_delivery(&posted);
    assert!(matches!(failed, Err(NotMailed::Failed(why)) if why == "no such mailbox"));
    let typed = Input::parse(letter.code.as_bytes());
    let confirmed = home.accounts().confirm_email(&alice, &typed, "root", now);
    assert!(matches!(
        confirmed,
        Err(AdministrationError::NoCodeToConfirm(_))
    ));

    // a mail that was not sent begins no cooldown
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    home.mail()
        .record_mail_delivery(&letter, &Err("it hangs".to_owned()))
        .unwrap();
    refused(&types(&mut home, &letter, now), Refusal::Wrong);
    assert!(asks(&mut home, "alice", now).is_ok());
}

#[test]
fn without_email_in_the_configuration_nothing_is_mailed_and_a_code_is_still_asked_for() {
    let mut home = Home::new("");
    let set = home
        .accounts()
        .set_email(&name("alice"), &address("a@example.com"), "root", NOW);
    assert!(matches!(set, Err(AdministrationError::NoMail)));
    assert!(
        home.accounts().account_status(&name("alice")).is_err(),
        "no account was made"
    );

    let connection = rusqlite::Connection::open(home.folder.path().join("store/db")).unwrap();
    home.adds_account("alice");
    let sql = "INSERT INTO email (account, confirmed) SELECT id, 'a@example.com' FROM account";
    connection.execute(sql, []).unwrap();
    assert_eq!(home.enrolled("alice"), Enrolled::Yes);
    assert_eq!(
        asks(&mut home, "alice", NOW).err(),
        Some(MailRefusal::NotConfigured)
    );
    refused(&home.attempt("alice", "000000", NOW), Refusal::Wrong);
}

#[test]
fn a_recovery_code_that_turns_the_second_factor_off_turns_mail_off() {
    let mut home = Home::new(&format!("{MAIL}[recovery]\non_use = \"disable\"\n"));
    assert_eq!(home.config().recovery.on_use, RecoveryCodeUse::Disable);
    let app = PendingEnrollment::new(home.config(), &name("alice")).unwrap();
    home.activates(&app);
    has_mail(&mut home, "alice", "alice@example.com", NOW);
    accepted(&home.attempt("alice", app.recovery_codes()[0].plain(), NOW));
    assert_eq!(home.enrolled("alice"), Enrolled::No);
}

#[test]
fn codes_of_a_declared_account_go_where_its_declaration_says() {
    let mut home = Home::new("");
    let secret = home.folder.path().join("secret");
    std::fs::write(&secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut config = home.config().clone();
    let extra = format!(
        "{MAIL}[[account]]\nname = \"alice\"\nsecret_file = \"{}\"\nemail = \"declared@example.com\"\n",
        secret.display()
    );
    let declared: postern_shared::config::Config = toml::from_str(&extra).unwrap();
    (config.account, config.email) = (declared.account, declared.email);
    home.door = postern_shared::engine::Engine::open(config).unwrap();
    let letter = asks(&mut home, "alice", NOW).ok().unwrap();
    assert_eq!(letter.to, address("declared@example.com"));
    accepted(&types(&mut home, &letter, NOW));
    let set = home
        .accounts()
        .set_email(&name("alice"), &address("a@example.com"), "root", NOW);
    assert!(matches!(set, Err(AdministrationError::Declared(_))));
}

#[test]
fn an_administrator_with_mail_alone_has_a_second_factor() {
    let policy = "[policy]\nrequired = \"all\"\nadministrators = [\"alice\", \"bob\"]\n";
    let mut home = Home::new(&format!("{MAIL}{policy}"));
    let waived = |home: &mut Home| {
        let (bob, origin) = (name("bob"), Origin::Unknown);
        let visitor = request(&bob, &origin);
        home.policy().grant_enrollment_grace(&visitor, NOW).unwrap()
    };
    assert_eq!(waived(&mut home), Some(EnrollmentGrace::LastAdministrator));
    has_mail(&mut home, "alice", "alice@example.com", NOW);
    assert_eq!(waived(&mut home), None);
}

/// A person who lost the phone has not lost the mailbox.
#[test]
fn an_authenticator_put_in_place_of_a_lost_one_leaves_the_address_alone() {
    let (mut home, old, now) = by_both();
    let new = PendingEnrollment::replacement(home.config(), &name("alice")).unwrap();
    home.activates(&new);
    refused(
        &home.attempt("alice", &code_of(&old, 0), now),
        Refusal::Wrong,
    );
    accepted(&home.attempt("alice", &code_of(&new, 0), now));
    let letter = asks(&mut home, "alice", now).ok().unwrap();
    accepted(&types(&mut home, &letter, now));
}
