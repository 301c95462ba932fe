//! The outbox while posternd is stopped, overloaded or killed, on a real store. The test sends the
//! mail in place of posternd.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "test_store/mail_delivery.rs"]
mod mail_delivery;
mod test_store;

use mail_delivery::{MAIL, address, asks, by_mail_alone, has_mail, sends, takes, types};
use postern_shared::engine::{AdministrationError, MailQueued, MailRequest, NotMailed};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use std::time::{Duration, Instant};
use test_store::{NOW, TestStore, accepted, name, refused, request};

/// Longer than any process waits for the result of a delivery.
const LONG: Duration = Duration::from_secs(60);

fn rows(test: &TestStore) -> i64 {
    test.number("SELECT count(*) FROM outbox")
}

/// Requests a code by mail while posternd is stopped.
fn posts(test: &mut TestStore, who: &str, now: Timestamp) -> MailQueued {
    let (name, origin) = (name(who), Origin::Unknown);
    let login = request(&name, &origin);
    match test.mail().mail_code(&login, None, now).unwrap() {
        MailRequest::Queued(posted) => posted,
        MailRequest::Refused(refusal) => panic!("{refusal}"),
    }
}

#[test]
fn a_mail_that_is_not_taken_waits_and_its_code_opens_once_it_is_sent() {
    let (mut test, now) = by_mail_alone();
    let posted = posts(&mut test, "alice", now);
    let began = Instant::now();
    assert!(matches!(
        test.mail().await_mail_delivery(&posted),
        Err(NotMailed::Queued)
    ));
    assert!(began.elapsed() < Duration::from_secs(4));
    let sent = sends(&mut test, &posted, now.plus(899));
    accepted(&types(&mut test, &sent, now.plus(899)));
}

#[test]
fn a_letter_whose_code_has_expired_is_never_sent_and_is_removed() {
    let (mut test, now) = by_mail_alone();
    let posted = posts(&mut test, "alice", now);
    assert!(
        test.mail()
            .remove_expired_mail(now.plus(899))
            .unwrap()
            .is_empty()
    );
    assert!(test.takes_mail(now.plus(900)).is_empty());
    assert_eq!(
        test.mail().remove_expired_mail(now.plus(900)).unwrap(),
        [name("alice")]
    );
    assert!(
        test.takes_mail(now).is_empty(),
        "not even by a clock that was set back"
    );
    assert!(matches!(
        test.mail().check_mail_delivery(&posted, LONG),
        Some(Err(NotMailed::Replaced))
    ));
    // A sent mail whose result no process reads is removed.
    let now = now.plus(960);
    posts(&mut test, "alice", now);
    let sent = takes(&mut test, now);
    test.mail().record_mail_delivery(&sent, &Ok(())).unwrap();
    assert!(
        test.mail()
            .remove_expired_mail(now.plus(900))
            .unwrap()
            .is_empty()
    );
    assert_eq!(rows(&test), 0);
}

/// posternd is killed after it took a mail and before it reported the delivery. The store does not
/// show whether the code was sent.
#[test]
fn a_mail_that_was_taken_is_not_sent_a_second_time_and_is_reported_as_not_sent() {
    let (mut test, now) = by_mail_alone();
    let posted = posts(&mut test, "alice", now);
    let sent = takes(&mut test, now);
    assert!(test.takes_mail(now).is_empty());
    assert!(
        test.mail()
            .check_mail_delivery(&posted, Duration::from_secs(11))
            .is_none(),
        "it may still be on its way"
    );
    assert!(matches!(
        test.mail().check_mail_delivery(&posted, LONG),
        Some(Err(NotMailed::TimedOut))
    ));
    refused(&types(&mut test, &sent, now), Refusal::Wrong);
    assert!(
        asks(&mut test, "alice", now).is_ok(),
        "another is mailed at once"
    );

    // The same applies if no process waits for the mail any more.
    let now = now.plus(60);
    posts(&mut test, "alice", now);
    takes(&mut test, now);
    assert_eq!(
        test.mail().remove_expired_mail(now.plus(900)).unwrap(),
        [name("alice")]
    );
}

#[test]
fn mail_that_waits_is_noticed_by_its_age() {
    let (mut test, now) = by_mail_alone();
    let waits =
        |test: &mut TestStore, after: u64| test.mail().mail_is_overdue(now.plus(after)).unwrap();
    for notice in test.mail().take_due_notifications(8, now).unwrap() {
        test.mail().remove_sent_notification(&notice).unwrap();
    }
    assert!(!waits(&mut test, 3600));
    let posted = posts(&mut test, "alice", now);
    assert_eq!(
        (
            waits(&mut test, 10),
            waits(&mut test, 11),
            waits(&mut test, 899)
        ),
        (false, true, true)
    );
    assert!(
        !waits(&mut test, 900),
        "an expired letter waits for nothing"
    );
    sends(&mut test, &posted, now.plus(11));
    assert!(!waits(&mut test, 11));

    test.unlocks("alice", "root", now.plus(20));
    assert_eq!((waits(&mut test, 30), waits(&mut test, 31)), (false, true));
    test.mail().take_due_notifications(8, now.plus(31)).unwrap();
    assert!(!waits(&mut test, 31), "it was tried");
    assert!(waits(&mut test, 31 + 311), "it is due again");
}

/// An attacker with several accounts could fill the mailbox of another person, or the outbox, by
/// setting the same address for all of them.
#[test]
fn letters_to_an_unconfirmed_address_are_few_and_keep_no_code_from_its_owner() {
    let mut test = TestStore::new(MAIL);
    has_mail(&mut test, "alice", "alice@example.com", NOW);
    let now = NOW.plus(60);
    let hers = address("alice@example.com");
    for mallory in ["mallory1", "mallory2", "mallory3", "mallory4"] {
        test.accounts()
            .set_email(&name(mallory), &hers, "root", now)
            .unwrap();
    }
    let more = test
        .accounts()
        .set_email(&name("mallory5"), &hers, "root", now);
    assert!(matches!(more, Err(AdministrationError::MailCooldown(60))));
    posts(&mut test, "alice", now);
    let taken = test.takes_mail(now);
    assert_eq!(taken.len(), 5);
    for sent in &taken {
        test.mail().record_mail_delivery(sent, &Ok(())).unwrap();
    }
    test.accounts()
        .set_email(&name("mallory5"), &hers, "root", now)
        .unwrap();
}

#[test]
fn a_mail_that_waits_goes_with_the_address_and_the_code() {
    let (mut test, now) = by_mail_alone();
    posts(&mut test, "alice", now);
    test.accounts()
        .remove_email(&name("alice"), "root", now)
        .unwrap();
    assert!(test.takes_mail(now).is_empty());
    assert_eq!(rows(&test), 0);
}
