//! The outbox while posternd is stopped, overloaded or killed, on a real store. The test sends the
//! mail in place of posternd.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;
#[path = "home/postbox.rs"]
mod postbox;

use home::{Home, NOW, accepted, name, refused, request};
use postbox::{MAIL, address, asks, by_mail_alone, has_mail, sends, takes, types};
use postern_shared::engine::{AdministrationError, MailQueued, MailRequest, NotMailed};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use std::time::{Duration, Instant};

/// Longer than any process waits for the result of a delivery.
const LONG: Duration = Duration::from_secs(60);

fn rows(home: &Home) -> i64 {
    home.sqlite()
        .query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))
        .unwrap()
}

/// Requests a code by mail while posternd is stopped.
fn posts(home: &mut Home, who: &str, now: Timestamp) -> MailQueued {
    let (name, origin) = (name(who), Origin::Unknown);
    let visitor = request(&name, &origin);
    match home.mail().mail_code(&visitor, None, now).unwrap() {
        MailRequest::Queued(posted) => posted,
        MailRequest::Refused(refusal) => panic!("{refusal}"),
    }
}

#[test]
fn a_letter_that_nobody_takes_waits_and_its_code_opens_once_it_is_sent() {
    let (mut home, now) = by_mail_alone();
    let posted = posts(&mut home, "alice", now);
    let began = Instant::now();
    assert!(matches!(
        home.mail().await_mail_delivery(&posted),
        Err(NotMailed::Queued)
    ));
    assert!(began.elapsed() < Duration::from_secs(4));
    let letter = sends(&mut home, &posted, now.plus(899));
    accepted(&types(&mut home, &letter, now.plus(899)));
}

#[test]
fn a_letter_whose_code_has_expired_is_never_sent_and_is_removed() {
    let (mut home, now) = by_mail_alone();
    let posted = posts(&mut home, "alice", now);
    assert!(
        home.mail()
            .remove_expired_mail(now.plus(899))
            .unwrap()
            .is_empty()
    );
    assert!(home.takes_mail(now.plus(900)).is_empty());
    assert_eq!(
        home.mail().remove_expired_mail(now.plus(900)).unwrap(),
        [name("alice")]
    );
    assert!(
        home.takes_mail(now).is_empty(),
        "not even by a clock that was set back"
    );
    assert!(matches!(
        home.mail().check_mail_delivery(&posted, LONG),
        Some(Err(NotMailed::Replaced))
    ));
    // A sent mail whose result no process reads is removed.
    let now = now.plus(960);
    posts(&mut home, "alice", now);
    let letter = takes(&mut home, now);
    home.mail().record_mail_delivery(&letter, &Ok(())).unwrap();
    assert!(
        home.mail()
            .remove_expired_mail(now.plus(900))
            .unwrap()
            .is_empty()
    );
    assert_eq!(rows(&home), 0);
}

/// posternd is killed after it took a mail and before it reported the delivery. The store does not
/// show whether the code was sent.
#[test]
fn a_letter_that_was_taken_is_not_sent_a_second_time_and_is_told_as_not_sent() {
    let (mut home, now) = by_mail_alone();
    let posted = posts(&mut home, "alice", now);
    let letter = takes(&mut home, now);
    assert!(home.takes_mail(now).is_empty());
    assert!(
        home.mail()
            .check_mail_delivery(&posted, Duration::from_secs(11))
            .is_none(),
        "it may still be on its way"
    );
    assert!(matches!(
        home.mail().check_mail_delivery(&posted, LONG),
        Some(Err(NotMailed::TimedOut))
    ));
    refused(&types(&mut home, &letter, now), Refusal::Wrong);
    assert!(
        asks(&mut home, "alice", now).is_ok(),
        "another is mailed at once"
    );

    // The same applies if no process waits for the mail any more.
    let now = now.plus(60);
    posts(&mut home, "alice", now);
    takes(&mut home, now);
    assert_eq!(
        home.mail().remove_expired_mail(now.plus(900)).unwrap(),
        [name("alice")]
    );
}

#[test]
fn mail_that_waits_is_noticed_by_its_age() {
    let (mut home, now) = by_mail_alone();
    let waits = |home: &mut Home, after: u64| home.mail().mail_is_overdue(now.plus(after)).unwrap();
    for notice in home.mail().take_due_notifications(8, now).unwrap() {
        home.mail().remove_sent_notification(&notice).unwrap();
    }
    assert!(!waits(&mut home, 3600));
    let posted = posts(&mut home, "alice", now);
    assert_eq!(
        (
            waits(&mut home, 10),
            waits(&mut home, 11),
            waits(&mut home, 899)
        ),
        (false, true, true)
    );
    assert!(
        !waits(&mut home, 900),
        "an expired letter waits for nothing"
    );
    sends(&mut home, &posted, now.plus(11));
    assert!(!waits(&mut home, 11));

    home.unlocks("alice", "root", now.plus(20));
    assert_eq!((waits(&mut home, 30), waits(&mut home, 31)), (false, true));
    home.mail().take_due_notifications(8, now.plus(31)).unwrap();
    assert!(!waits(&mut home, 31), "it was tried");
    assert!(waits(&mut home, 31 + 311), "it is due again");
}

/// An attacker with several accounts could fill the mailbox of another person, or the outbox, by
/// setting the same address for all of them.
#[test]
fn letters_to_an_unconfirmed_address_are_few_and_keep_no_code_from_its_owner() {
    let mut home = Home::new(MAIL);
    has_mail(&mut home, "alice", "alice@example.com", NOW);
    let now = NOW.plus(60);
    let hers = address("alice@example.com");
    for mallory in ["mallory1", "mallory2", "mallory3", "mallory4"] {
        home.accounts()
            .set_email(&name(mallory), &hers, "root", now)
            .unwrap();
    }
    let more = home
        .accounts()
        .set_email(&name("mallory5"), &hers, "root", now);
    assert!(matches!(more, Err(AdministrationError::MailCooldown(60))));
    posts(&mut home, "alice", now);
    let taken = home.takes_mail(now);
    assert_eq!(taken.len(), 5);
    for letter in &taken {
        home.mail().record_mail_delivery(letter, &Ok(())).unwrap();
    }
    home.accounts()
        .set_email(&name("mallory5"), &hers, "root", now)
        .unwrap();
}

#[test]
fn a_letter_that_waits_goes_with_the_address_and_the_code() {
    let (mut home, now) = by_mail_alone();
    posts(&mut home, "alice", now);
    home.accounts()
        .remove_email(&name("alice"), "root", now)
        .unwrap();
    assert!(home.takes_mail(now).is_empty());
    assert_eq!(rows(&home), 0);
}
