//! Mail in tests: the test does what posternd does, without a mail server.
#![allow(dead_code, reason = "not every test uses all of it")]

use crate::test_store::{NOW, TestStore, name, request};
use postern_shared::account::email::EmailAddress;
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{MailMessage, MailQueued, MailRefusal, MailRequest, VerifiedAttempt};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::origin::Origin;

pub(crate) const MAIL: &str =
    "[email]\nsmtp_url = \"smtp://localhost\"\nfrom = \"postern@example.com\"\n";

pub(crate) fn address(text: &str) -> EmailAddress {
    text.parse().unwrap()
}

/// Takes the one queued mail, as posternd does.
pub(crate) fn takes(test: &mut TestStore, now: Timestamp) -> MailMessage {
    let mut mails = test.takes_mail(now);
    assert_eq!(mails.len(), 1);
    mails.remove(0)
}

pub(crate) fn sends(test: &mut TestStore, posted: &MailQueued, now: Timestamp) -> MailMessage {
    let sent = takes(test, now);
    test.mail().record_mail_delivery(&sent, &Ok(())).unwrap();
    test.mail().await_mail_delivery(posted).unwrap();
    sent
}

/// Sets and confirms an address.
pub(crate) fn has_mail(test: &mut TestStore, who: &str, to: &str, now: Timestamp) {
    let posted = test
        .accounts()
        .set_email(&name(who), &address(to), "root", now)
        .unwrap();
    let mail = sends(test, &posted, now);
    assert_eq!(mail.to, address(to));
    test.accounts()
        .confirm_email(&name(who), &Input::parse(mail.code.as_bytes()), "root", now)
        .unwrap();
}

/// Requests a code by mail, and returns the mail that posternd takes and sends.
pub(crate) fn asks(
    test: &mut TestStore,
    who: &str,
    now: Timestamp,
) -> Result<MailMessage, MailRefusal> {
    let (name, origin) = (name(who), Origin::Unknown);
    let login = request(&name, &origin);
    match test.mail().mail_code(&login, None, now).unwrap() {
        MailRequest::Queued(posted) => Ok(sends(test, &posted, now)),
        MailRequest::Refused(refusal) => Err(refusal),
    }
}

pub(crate) fn types(test: &mut TestStore, mail: &MailMessage, now: Timestamp) -> VerifiedAttempt {
    test.attempt("alice", &mail.code, now)
}

/// Returns a store in which alice has mail as her only second factor, and a time one minute after
/// the confirmation of the address.
pub(crate) fn by_mail_alone() -> (TestStore, Timestamp) {
    let mut test = TestStore::new(MAIL);
    has_mail(&mut test, "alice", "alice@example.com", NOW);
    (test, NOW.plus(60))
}

/// Returns a store in which alice has an authenticator app and mail.
pub(crate) fn by_both() -> (TestStore, PendingEnrollment, Timestamp) {
    let mut test = TestStore::new(MAIL);
    let app = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&app);
    has_mail(&mut test, "alice", "alice@example.com", NOW.minus(60));
    (test, app, NOW)
}
