//! The thread that sends mail, on a real store in a folder of its own; a program accepts the mails.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::credential::input::Input;
use postern_shared::engine::NotMailed;
use postern_shared::system::clock;
use std::fs;
use std::path::Path;
use std::time::Duration;
use test_store::{TestStore, address, name, until};

/// Returns the code in a mail that the program accepted.
fn code(mail: &Path) -> String {
    let text = fs::read_to_string(mail).unwrap();
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit());
    text.lines()
        .map(str::trim)
        .find(is_code)
        .unwrap()
        .to_owned()
}

/// Codes and notifications have limits of their own: twenty notifications that hang delay no code.
#[test]
fn notifications_that_hang_delay_no_code() {
    let script = "cat > $1/new.$$\n\
                  if grep -q 'The code that confirms' $1/new.$$; then\n\
                  mv $1/new.$$ $1/code.$$; else mv $1/new.$$ $1/notice.$$; exec sleep 60; fi";
    let mut test = TestStore::new(script, "30s");
    let now = clock::now().unwrap();
    let alice = name("alice");
    let posted = test
        .engine
        .accounts()
        .set_email(&alice, &address("alice@example.com"), "root", now)
        .unwrap();
    for _ in 0..20 {
        test.engine
            .accounts()
            .unlock_account(&alice, "root", now)
            .unwrap();
    }
    let _mail = test.sends();
    until("the code was sent", || {
        matches!(
            test.engine
                .mail()
                .check_mail_delivery(&posted, Duration::ZERO),
            Some(Ok(()))
        )
    });
    until("notices were taken", || test.sent("notice").len() == 4);
    let typed = code(&test.sent("code")[0]);
    test.engine
        .accounts()
        .confirm_email(&alice, &Input::parse(typed.as_bytes()), "root", now)
        .unwrap();

    let posted = test
        .engine
        .accounts()
        .set_email(&name("bob"), &address("bob@example.com"), "root", now)
        .unwrap();
    test.engine.mail().await_mail_delivery(&posted).unwrap();
    assert_eq!(
        test.sent("notice").len(),
        4,
        "no more than four at the same time"
    );
}

/// At most sixteen codes are sent at the same time; more codes wait, are reported as waiting, and
/// are sent later.
#[test]
fn codes_beyond_the_limit_wait_and_are_sent_later() {
    let script =
        "cat > $1/new.$$; mv $1/new.$$ $1/code.$$; while [ ! -e $1/go ]; do sleep 0.1; done";
    let mut test = TestStore::new(script, "30s");
    let now = clock::now().unwrap();
    let posted: Vec<_> = (0..20)
        .map(|number| {
            let (who, to) = (
                name(&format!("p{number}")),
                address(&format!("p{number}@example.com")),
            );
            test.engine
                .accounts()
                .set_email(&who, &to, "root", now)
                .unwrap()
        })
        .collect();
    let _mail = test.sends();
    until("sixteen were taken", || test.sent("code").len() == 16);
    assert!(matches!(
        test.engine.mail().await_mail_delivery(&posted[19]),
        Err(NotMailed::Queued)
    ));
    assert_eq!(test.sent("code").len(), 16);
    fs::write(test.folder.path().join("sent/go"), "").unwrap();
    until("all were sent", || test.sent("code").len() == 20);
    for posted in &posted {
        test.engine.mail().await_mail_delivery(posted).unwrap();
    }
}

/// A notification that cannot be read does not stop mail.
#[test]
fn a_damaged_notification_delays_no_code() {
    let mut test = TestStore::new("cat > $1/code.$$", "10s");
    let now = clock::now().unwrap();
    let alice = name("alice");
    let posted = test
        .engine
        .accounts()
        .set_email(&alice, &address("alice@example.com"), "root", now)
        .unwrap();
    test.engine
        .accounts()
        .unlock_account(&alice, "root", now)
        .unwrap();
    let store = rusqlite::Connection::open(test.folder.path().join("store/db")).unwrap();
    assert_eq!(
        store
            .execute("UPDATE notification SET kind = 'nothing known'", [])
            .unwrap(),
        1
    );
    let _mail = test.sends();
    until("the code was sent", || {
        matches!(
            test.engine
                .mail()
                .check_mail_delivery(&posted, Duration::ZERO),
            Some(Ok(()))
        )
    });
    assert_eq!(test.sent("code").len(), 1);
}

/// Without a unit the program is not run in posternd's process, which has the key, and no mail is
/// lost.
#[test]
fn where_no_unit_runs_the_program_mail_waits() {
    let mut test = TestStore::new("cat > $1/code.$$", "10s");
    let socket = test.folder.path().join("socket");
    let away = test.folder.path().join("away");
    fs::rename(&socket, &away).unwrap();
    let now = clock::now().unwrap();
    let posted = test
        .engine
        .accounts()
        .set_email(&name("alice"), &address("alice@example.com"), "root", now)
        .unwrap();
    let _mail = test.sends();
    assert!(matches!(
        test.engine.mail().await_mail_delivery(&posted),
        Err(NotMailed::Queued)
    ));
    assert!(test.sent("code").is_empty());
    fs::rename(&away, &socket).unwrap();
    test.engine.mail().await_mail_delivery(&posted).unwrap();
    assert_eq!(test.sent("code").len(), 1);
}
