//! posternd drains: mails that are being sent are sent and recorded, and no other is taken. A test
//! program of its own, since it drains for good.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "mail/home.rs"]
mod home;

use home::{Home, address, name, until};
use postern_shared::engine::NotMailed;
use postern_shared::system::clock;
use posternd::daemon::drain::CONNECTIONS;
use std::thread;
use std::time::Duration;

#[test]
fn a_mail_that_is_being_sent_is_recorded_and_no_other_is_taken() {
    let script = "cat > $1/code.$$; while [ ! -e $1/go ]; do sleep 0.05; done";
    let mut home = Home::new(script, "30s");
    let now = clock::now().unwrap();
    let first = home
        .door
        .accounts()
        .set_email(&name("alice"), &address("alice@example.com"), "root", now)
        .unwrap();
    let mail = home.sends();
    until("it is on its way", || home.sent("code").len() == 1);
    CONNECTIONS.begin_drain();
    let second = home
        .door
        .accounts()
        .set_email(&name("bob"), &address("bob@example.com"), "root", now)
        .unwrap();
    let go = home.folder.path().join("sent/go");
    let goes = thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        std::fs::write(go, "").unwrap();
    });
    mail.end();
    goes.join().unwrap();
    home.door
        .mail()
        .check_mail_delivery(&first, Duration::ZERO)
        .unwrap()
        .unwrap();
    assert!(matches!(
        home.door.mail().await_mail_delivery(&second),
        Err(NotMailed::Queued)
    ));
    assert_eq!(home.sent("code").len(), 1);
}
