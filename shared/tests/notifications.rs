//! Notifications by mail of what was done to an account, on a real store. The test sends the mail
//! in place of posternd.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::credential::input::Input;
use postern_shared::crypto::password::Password;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{AfterCode, AfterPassword, AfterRefresh, Principal, TrustRequest};
use postern_shared::store::{MAX_NOTIFICATIONS, Notification};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::network::address::Address;
use postern_shared::token::RefreshToken;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use test_store::{
    NOW, PASSWORD, TestStore, accepted, browser_with, code_of, name, password, refused, remote,
    signs_in,
};
use zeroize::Zeroizing;

const MAIL: &str = "[email]\nsmtp_url = \"smtp://localhost\"\nfrom = \"postern@example.com\"\n\
                    sign_in_notifications = \"off\"\n";
const DAY: u64 = 24 * 3600;

/// Returns all notifications that are due, and records them as sent.
fn sent(test: &mut TestStore, now: Timestamp) -> Vec<Notification> {
    let taken = test.mail().take_due_notifications(100, now).unwrap();
    taken
        .iter()
        .for_each(|notice| test.mail().remove_sent_notification(notice).unwrap());
    taken
}

#[track_caller]
fn notified(test: &mut TestStore, to: &str, expected: &[EventKind]) {
    let sent = sent(test, NOW);
    let what: Vec<_> = sent.iter().map(|notice| notice.event.kind).collect();
    assert_eq!(what, expected);
    assert!(
        sent.iter().all(|notice| notice.to.as_str() == to),
        "{sent:?}"
    );
}

fn confirms(test: &mut TestStore, who: &str, to: &str, now: Timestamp) {
    test.accounts()
        .set_email(&name(who), &to.parse().unwrap(), "root", now)
        .unwrap();
    let sent = test.takes_mail(now).remove(0);
    test.mail().record_mail_delivery(&sent, &Ok(())).unwrap();
    test.accounts()
        .confirm_email(&name(who), &Input::parse(sent.code.as_bytes()), "root", now)
        .unwrap();
}

/// Returns a store in which alice has an app and a confirmed address. Her notifications of that are
/// already removed.
fn alice(config: &str) -> (TestStore, PendingEnrollment) {
    let mut test = TestStore::new(&format!("{MAIL}{config}"));
    confirms(&mut test, "alice", "alice@example.com", NOW.minus(60));
    let app = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&app);
    notified(
        &mut test,
        "alice@example.com",
        &[EventKind::EmailConfirmed, EventKind::Enrolled],
    );
    (test, app)
}

/// Each administrative act on an account causes a notification that names the actor.
#[test]
fn every_administrative_act_is_mailed_with_its_actor() {
    let (mut test, app) = alice("");
    let (who, to, password) = (
        name("alice"),
        "alice@example.com",
        Zeroizing::new("correct horse".to_owned()),
    );
    let (code, _) = test
        .accounts()
        .issue_one_time_code(&who, "carol", NOW)
        .unwrap();
    assert!(test.holds(b"one-time-code-issued") && !test.holds(code.plain().as_bytes()));
    let sent = sent(&mut test, NOW);
    assert_eq!(
        (sent.len(), sent[0].event.kind),
        (1, EventKind::OneTimeCodeIssued)
    );
    assert_eq!(
        (sent[0].event.principal.as_str(), sent[0].event.at),
        ("carol", NOW)
    );

    test.accounts()
        .cancel_one_time_code(&who, "carol", NOW)
        .unwrap();
    test.accounts().unlock_account(&who, "carol", NOW).unwrap();
    test.accounts()
        .set_password(&who, &Password::from_input(password).unwrap(), "carol", NOW)
        .unwrap();
    test.enrollment()
        .replace_recovery_codes(&who, app.recovery_codes(), "carol", NOW)
        .unwrap();
    test.accounts()
        .change_groups(&who, &["ops".parse().unwrap()], &[], "carol", NOW)
        .unwrap();
    let acts = [
        EventKind::OneTimeCodeCancelled,
        EventKind::Unlocked,
        EventKind::PasswordSet,
        EventKind::RecoveryCodesReplaced,
        EventKind::GroupsChanged,
    ];
    notified(&mut test, to, &acts);
    test.accounts()
        .disable_second_factor(&who, "carol", NOW)
        .unwrap();
    test.activates(&app);
    test.accounts()
        .rename_account(
            &who,
            &name("alison"),
            postern_shared::account::name::Distinct::No,
            "carol",
            NOW,
        )
        .unwrap();
    test.accounts()
        .remove_account(&name("alison"), "carol", NOW)
        .unwrap();
    let acts = [
        EventKind::Disabled,
        EventKind::Enrolled,
        EventKind::AccountRenamed,
        EventKind::AccountRemoved,
    ];
    notified(&mut test, to, &acts);
}

#[test]
fn an_address_that_is_replaced_or_removed_is_notified_itself() {
    let (mut test, _) = alice("");
    confirms(&mut test, "alice", "thief@example.com", NOW);
    notified(&mut test, "alice@example.com", &[EventKind::EmailConfirmed]);
    test.accounts()
        .remove_email(&name("alice"), "root", NOW)
        .unwrap();
    notified(&mut test, "thief@example.com", &[EventKind::EmailRemoved]);
    test.unlocks("alice", "root", NOW);
    notified(&mut test, "", &[]);
}

#[test]
fn what_opened_without_the_persons_device_is_reported_and_a_usual_sign_in_is_not() {
    let (mut test, app) =
        alice("[totp]\npast_steps = 10\nfuture_steps = 2\n[throttle]\nlock_after = 10\nfree = 9\n");
    accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
    refused(&test.attempt("alice", "00000000", NOW), Refusal::Malformed);
    notified(&mut test, "", &[]);
    accepted(&test.attempt("alice", &app.recovery_codes()[0].grouped(), NOW));
    let (code, _) = test.issues_one_time_code("alice", NOW);
    accepted(&test.attempt("alice", &code.grouped(), NOW));
    notified(
        &mut test,
        "alice@example.com",
        &[
            EventKind::Accepted,
            EventKind::OneTimeCodeIssued,
            EventKind::Accepted,
        ],
    );
    let wrong = (0..1_000_000)
        .map(|number| format!("{number:06}"))
        .filter(|code| (-30..=30).all(|offset| *code != code_of(&app, offset)));
    // A code is compared with 13 codes, so each attempt costs five units.
    for code in wrong.take(2) {
        refused(&test.attempt("alice", &code, NOW), Refusal::Wrong);
    }
    refused(
        &test.attempt("alice", &code_of(&app, 1), NOW),
        Refusal::Locked,
    );
    notified(&mut test, "alice@example.com", &[EventKind::Locked]);
}

/// Any process of the user can report a changed password, as often as it likes.
#[test]
fn a_changed_password_of_this_host_is_reported_and_fills_neither_mailbox_nor_log() {
    let (mut test, _) = alice("");
    let (who, origin) = (name("alice"), Origin::Local("alice".to_owned()));
    let actor = Principal::Service("alice", &origin, "passwd");
    let mut notified = 0;
    for number in 0..100 {
        test.accounts()
            .record_host_password_change(&who, actor, NOW.plus(number))
            .unwrap();
        let sent = sent(&mut test, NOW.plus(number));
        assert!(
            sent.iter()
                .all(|notice| notice.event.kind == EventKind::HostPasswordChanged)
        );
        notified += sent.len();
    }
    let only = EventFilter {
        kind: Some(EventKind::HostPasswordChanged),
        ..EventFilter::default()
    };
    let logged = test.audit_log().list_events(&only, 0, 1000).unwrap();
    assert_eq!((notified, logged.len()), (40, 40));
    assert_eq!(logged.last().unwrap().1.cause, "daily-limit");
    test.accounts()
        .record_host_password_change(&who, actor, NOW.plus(DAY + 100))
        .unwrap();
    assert_eq!(sent(&mut test, NOW.plus(DAY + 100)).len(), 1);
}

/// The owner is notified of a stolen cookie, but not of a revocation by the owner.
#[test]
fn a_stolen_cookie_is_reported_and_ones_own_revocation_is_not() {
    let (mut test, app) = alice("");
    let (who, password) = (name("alice"), Zeroizing::new("correct horse".to_owned()));
    let password = Password::from_input(password).unwrap();
    test.accounts()
        .set_password(&who, &password, "alice", NOW)
        .unwrap();
    notified(&mut test, "alice@example.com", &[EventKind::PasswordSet]);
    let mut enters = |cookie: Option<&str>| -> Option<String> {
        let origin = Origin::Remote(Address::parse("192.0.2.7").unwrap());
        let browser = browser_with(&origin, cookie);
        let nothing = Input::parse(b"");
        let opened = match test
            .login()
            .enter_password(&browser, &who, Some(&password), &nothing, NOW)
            .unwrap()
        {
            AfterPassword::Opened(opened) => opened,
            AfterPassword::Code(pass) if cookie.is_none() => {
                let answer = Input::parse(code_of(&app, 0).as_bytes());
                match test
                    .login()
                    .enter_code(&browser, &pass, &answer, TrustRequest::Asked, NOW)
                    .unwrap()
                {
                    AfterCode::Opened(opened) => opened,
                    AfterCode::Refused(refusal) => panic!("{refusal:?}"),
                }
            }
            _ => return None,
        };
        opened.browser_cookie.map(|cookie| cookie.to_string())
    };
    let first = enters(None).unwrap();
    let second = enters(Some(&first)).unwrap();
    let third = enters(Some(&second)).unwrap();
    assert_eq!(enters(Some(&first)), None);
    assert_eq!(
        enters(Some(&third)),
        None,
        "the browser is trusted no longer"
    );
    let sent = sent(&mut test, NOW);
    assert_eq!(sent.len(), 1);
    let event = &sent[0].event;
    assert_eq!(
        (event.kind, event.origin.as_str()),
        (EventKind::BrowserRevoked, "192.0.2.7")
    );

    assert!(
        test.sessions().list_sessions(&who, NOW).unwrap().is_empty(),
        "they were begun in that browser"
    );
    signs_in(&mut test, &remote("192.0.2.7"), &code_of(&app, 1), NOW);
    assert_eq!(
        test.sessions()
            .revoke_sessions(&who, None, "alice", NOW)
            .unwrap(),
        1
    );
    notified(&mut test, "", &[]);
}

/// The owner is notified of the second use of a refresh token.
#[test]
fn a_refresh_token_that_is_used_again_is_reported() {
    let (mut test, app) = alice("");
    test.accounts()
        .set_password(&name("alice"), &password(PASSWORD), "alice", NOW)
        .unwrap();
    notified(&mut test, "alice@example.com", &[EventKind::PasswordSet]);
    let from = remote("192.0.2.7");
    let session = signs_in(&mut test, &from, &code_of(&app, 0), NOW);
    let shown = RefreshToken::issue_first(&session, &test.token_keys(), NOW).unwrap();
    test.login()
        .refresh_session(shown.clone(), &from, NOW)
        .unwrap();
    notified(&mut test, "", &[]);
    assert_eq!(
        test.login().refresh_session(shown, &from, NOW).unwrap(),
        AfterRefresh::Reused
    );
    notified(&mut test, "alice@example.com", &[EventKind::SessionRevoked]);
}

#[test]
fn a_notice_that_is_not_sent_comes_again_for_three_days() {
    let (mut test, _) = alice("");
    test.unlocks("alice", "root", NOW);
    let takes =
        |test: &mut TestStore, now| test.mail().take_due_notifications(8, now).unwrap().len();
    assert_eq!(
        (takes(&mut test, NOW), takes(&mut test, NOW)),
        (1, 0),
        "it is taken once"
    );
    assert_eq!(
        (
            takes(&mut test, NOW.plus(299)),
            takes(&mut test, NOW.plus(300))
        ),
        (0, 1)
    );
    // A clock that was ahead does not delay notifications for long.
    assert_eq!(takes(&mut test, NOW.plus(2 * DAY)), 1);
    assert_eq!(takes(&mut test, NOW.plus(DAY)), 1);
    assert_eq!(takes(&mut test, NOW.plus(3 * DAY)), 1);
    assert_eq!(takes(&mut test, NOW.plus(3 * DAY + 301)), 0);
}

#[test]
fn an_account_keeps_a_few_notices_the_oldest_and_another_its_own() {
    let (mut test, _) = alice("");
    confirms(&mut test, "bob", "bob@example.com", NOW);
    notified(&mut test, "bob@example.com", &[EventKind::EmailConfirmed]);
    for number in 0..u64::from(MAX_NOTIFICATIONS) + 5 {
        test.unlocks("alice", "root", NOW.plus(number));
    }
    test.unlocks("bob", "root", NOW);
    let sent = sent(&mut test, NOW.plus(60));
    assert_eq!(sent.len(), MAX_NOTIFICATIONS as usize + 1);
    assert_eq!((sent[0].event.at, sent[19].event.at), (NOW, NOW.plus(19)));
    assert_eq!(sent[20].to.as_str(), "bob@example.com");
    // An old notification that was never sent does not count against the limit.
    for day in [0, 4] {
        for _ in 0..MAX_NOTIFICATIONS {
            test.unlocks("alice", "root", NOW.plus(day * DAY));
        }
    }
    let sent = test
        .mail()
        .take_due_notifications(100, NOW.plus(4 * DAY))
        .unwrap();
    assert!(
        sent.len() == 20
            && sent
                .iter()
                .all(|notice| notice.event.at == NOW.plus(4 * DAY))
    );
}

#[test]
fn without_mail_or_without_an_address_nothing_waits() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let mut test = TestStore::new("");
    let app = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&app);
    let connection = rusqlite::Connection::open(test.folder.path().join("store/db")).unwrap();
    let sql = "INSERT INTO email (account, confirmed) SELECT id, 'a@example.com' FROM account";
    connection.execute(sql, []).unwrap();
    test.unlocks("alice", "root", NOW);
    assert!(
        test.mail()
            .take_due_notifications(8, NOW)
            .unwrap()
            .is_empty()
    );
    let mut test = TestStore::new(MAIL);
    test.activates(&app);
    assert!(
        test.mail()
            .take_due_notifications(8, NOW)
            .unwrap()
            .is_empty()
    );
}
