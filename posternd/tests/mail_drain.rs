//! posternd drains: mails that are being sent are sent and recorded, and no other is taken. A test
//! program of its own, since it drains for good.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "mail/test_store.rs"]
mod test_store;

use postern_shared::engine::NotMailed;
use postern_shared::system::clock;
use posternd::daemon::drain::CONNECTIONS;
use std::thread;
use std::time::Duration;
use test_store::{TestStore, address, name, until};

#[test]
fn a_mail_that_is_being_sent_is_recorded_and_no_other_is_taken() {
    let script = "cat > $1/code.$$; while [ ! -e $1/go ]; do sleep 0.05; done";
    let mut test = TestStore::new(script, "30s");
    let now = clock::now().unwrap();
    let first = test
        .engine
        .accounts()
        .set_email(&name("alice"), &address("alice@example.com"), "root", now)
        .unwrap();
    let mail = test.sends();
    until("it is on its way", || test.sent("code").len() == 1);
    CONNECTIONS.begin_drain();
    let second = test
        .engine
        .accounts()
        .set_email(&name("bob"), &address("bob@example.com"), "root", now)
        .unwrap();
    let go = test.folder.path().join("sent/go");
    let goes = thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        std::fs::write(go, "").unwrap();
    });
    mail.end();
    goes.join().unwrap();
    test.engine
        .mail()
        .check_mail_delivery(&first, Duration::ZERO)
        .unwrap()
        .unwrap();
    assert!(matches!(
        test.engine.mail().await_mail_delivery(&second),
        Err(NotMailed::Queued)
    ));
    assert_eq!(test.sent("code").len(), 1);
}
