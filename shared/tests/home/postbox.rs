//! Mail in tests: the test does what posternd does, without a mail server.
#![allow(dead_code, reason = "not every test uses all of it")]

use crate::home::{Home, NOW, name, request};
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
pub(crate) fn takes(home: &mut Home, now: Timestamp) -> MailMessage {
    let mut letters = home.takes_mail(now);
    assert_eq!(letters.len(), 1);
    letters.remove(0)
}

pub(crate) fn sends(home: &mut Home, posted: &MailQueued, now: Timestamp) -> MailMessage {
    let letter = takes(home, now);
    home.mail().record_mail_delivery(&letter, &Ok(())).unwrap();
    home.mail().await_mail_delivery(posted).unwrap();
    letter
}

/// Sets and confirms an address.
pub(crate) fn has_mail(home: &mut Home, who: &str, to: &str, now: Timestamp) {
    let posted = home
        .accounts()
        .set_email(&name(who), &address(to), "root", now)
        .unwrap();
    let letter = sends(home, &posted, now);
    assert_eq!(letter.to, address(to));
    home.accounts()
        .confirm_email(
            &name(who),
            &Input::parse(letter.code.as_bytes()),
            "root",
            now,
        )
        .unwrap();
}

/// Requests a code by mail, and returns the mail that posternd takes and sends.
pub(crate) fn asks(home: &mut Home, who: &str, now: Timestamp) -> Result<MailMessage, MailRefusal> {
    let (name, origin) = (name(who), Origin::Unknown);
    let visitor = request(&name, &origin);
    match home.mail().mail_code(&visitor, None, now).unwrap() {
        MailRequest::Queued(posted) => Ok(sends(home, &posted, now)),
        MailRequest::Refused(refusal) => Err(refusal),
    }
}

pub(crate) fn types(home: &mut Home, letter: &MailMessage, now: Timestamp) -> VerifiedAttempt {
    home.attempt("alice", &letter.code, now)
}

/// Returns a store in which alice has mail as her only second factor, and a time one minute after
/// the confirmation of the address.
pub(crate) fn by_mail_alone() -> (Home, Timestamp) {
    let mut home = Home::new(MAIL);
    has_mail(&mut home, "alice", "alice@example.com", NOW);
    (home, NOW.plus(60))
}

/// Returns a store in which alice has an authenticator app and mail.
pub(crate) fn by_both() -> (Home, PendingEnrollment, Timestamp) {
    let mut home = Home::new(MAIL);
    let app = PendingEnrollment::new(home.config(), &name("alice")).unwrap();
    home.activates(&app);
    has_mail(&mut home, "alice", "alice@example.com", NOW.minus(60));
    (home, app, NOW)
}
