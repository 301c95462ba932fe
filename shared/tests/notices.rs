//! Notifications by mail of what was done to an account, on a real store. The test sends the mail
//! in place of posternd.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;

use home::{
    Home, NOW, PASSWORD, accepted, browser_with, code_of, name, password, refused, remote, signs_in,
};
use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::credential::input::Input;
use postern_shared::crypto::password::Password;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{AfterCode, AfterPassword, AfterRefresh, Principal, TrustRequest};
use postern_shared::network::address::Address;
use postern_shared::store::{MAX_NOTIFICATIONS, Notification};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::RefreshToken;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use zeroize::Zeroizing;

const MAIL: &str = "[email]\nsmtp_url = \"smtp://localhost\"\nfrom = \"postern@example.com\"\n";
const DAY: u64 = 24 * 3600;

/// Returns all notifications that are due, and records them as sent.
fn sent(home: &mut Home, now: Timestamp) -> Vec<Notification> {
    let taken = home.mail().take_due_notifications(100, now).unwrap();
    taken
        .iter()
        .for_each(|notice| home.mail().remove_sent_notification(notice).unwrap());
    taken
}

#[track_caller]
fn told(home: &mut Home, to: &str, expected: &[EventKind]) {
    let sent = sent(home, NOW);
    let what: Vec<_> = sent.iter().map(|notice| notice.event.kind).collect();
    assert_eq!(what, expected);
    assert!(
        sent.iter().all(|notice| notice.to.as_str() == to),
        "{sent:?}"
    );
}

fn confirms(home: &mut Home, who: &str, to: &str, now: Timestamp) {
    home.accounts()
        .set_email(&name(who), &to.parse().unwrap(), "root", now)
        .unwrap();
    let letter = home.takes_mail(now).remove(0);
    home.mail().record_mail_delivery(&letter, &Ok(())).unwrap();
    home.accounts()
        .confirm_email(
            &name(who),
            &Input::parse(letter.code.as_bytes()),
            "root",
            now,
        )
        .unwrap();
}

/// Returns a store in which alice has an app and a confirmed address. Her notifications of that are
/// already removed.
fn alice(config: &str) -> (Home, PendingEnrollment) {
    let mut home = Home::new(&format!("{MAIL}{config}"));
    confirms(&mut home, "alice", "alice@example.com", NOW.minus(60));
    let app = PendingEnrollment::new(home.config(), &name("alice")).unwrap();
    home.activates(&app);
    told(
        &mut home,
        "alice@example.com",
        &[EventKind::EmailConfirmed, EventKind::Enrolled],
    );
    (home, app)
}

/// Each administrative act on an account causes a notification that names the actor.
#[test]
fn every_administrative_act_is_mailed_with_its_actor() {
    let (mut home, app) = alice("");
    let (who, to, password) = (
        name("alice"),
        "alice@example.com",
        Zeroizing::new("correct horse".to_owned()),
    );
    let (code, _) = home
        .accounts()
        .issue_one_time_code(&who, "carol", NOW)
        .unwrap();
    assert!(home.holds(b"one-time-code-issued") && !home.holds(code.plain().as_bytes()));
    let sent = sent(&mut home, NOW);
    assert_eq!(
        (sent.len(), sent[0].event.kind),
        (1, EventKind::OneTimeCodeIssued)
    );
    assert_eq!(
        (sent[0].event.principal.as_str(), sent[0].event.at),
        ("carol", NOW)
    );

    home.accounts()
        .cancel_one_time_code(&who, "carol", NOW)
        .unwrap();
    home.accounts().unlock_account(&who, "carol", NOW).unwrap();
    home.accounts()
        .set_password(&who, &Password::from_input(password).unwrap(), "carol", NOW)
        .unwrap();
    home.enrollment()
        .replace_recovery_codes(&who, app.recovery_codes(), "carol", NOW)
        .unwrap();
    home.accounts()
        .change_groups(&who, &["ops".parse().unwrap()], &[], "carol", NOW)
        .unwrap();
    let acts = [
        EventKind::OneTimeCodeCancelled,
        EventKind::Unlocked,
        EventKind::PasswordSet,
        EventKind::RecoveryCodesReplaced,
        EventKind::GroupsChanged,
    ];
    told(&mut home, to, &acts);
    home.accounts()
        .disable_second_factor(&who, "carol", NOW)
        .unwrap();
    home.activates(&app);
    home.accounts()
        .rename_account(
            &who,
            &name("alison"),
            postern_shared::account::name::Distinct::No,
            "carol",
            NOW,
        )
        .unwrap();
    home.accounts()
        .remove_account(&name("alison"), "carol", NOW)
        .unwrap();
    let acts = [
        EventKind::Disabled,
        EventKind::Enrolled,
        EventKind::AccountRenamed,
        EventKind::AccountRemoved,
    ];
    told(&mut home, to, &acts);
}

#[test]
fn an_address_that_is_replaced_or_removed_is_told_itself() {
    let (mut home, _) = alice("");
    confirms(&mut home, "alice", "thief@example.com", NOW);
    told(&mut home, "alice@example.com", &[EventKind::EmailConfirmed]);
    home.accounts()
        .remove_email(&name("alice"), "root", NOW)
        .unwrap();
    told(&mut home, "thief@example.com", &[EventKind::EmailRemoved]);
    home.unlocks("alice", "root", NOW);
    told(&mut home, "", &[]);
}

#[test]
fn what_opened_without_the_persons_device_is_told_and_a_usual_sign_in_is_not() {
    let (mut home, app) =
        alice("[totp]\npast_steps = 10\nfuture_steps = 2\n[throttle]\nlock_after = 10\nfree = 9\n");
    accepted(&home.attempt("alice", &code_of(&app, 0), NOW));
    refused(&home.attempt("alice", "00000000", NOW), Refusal::Malformed);
    told(&mut home, "", &[]);
    accepted(&home.attempt("alice", &app.recovery_codes()[0].grouped(), NOW));
    let (code, _) = home.issues_one_time_code("alice", NOW);
    accepted(&home.attempt("alice", &code.grouped(), NOW));
    told(
        &mut home,
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
        refused(&home.attempt("alice", &code, NOW), Refusal::Wrong);
    }
    refused(
        &home.attempt("alice", &code_of(&app, 1), NOW),
        Refusal::Locked,
    );
    told(&mut home, "alice@example.com", &[EventKind::Locked]);
}

/// Any process of the user can report a changed password, as often as it likes.
#[test]
fn a_changed_password_of_this_host_is_told_and_fills_neither_mailbox_nor_log() {
    let (mut home, _) = alice("");
    let (who, origin) = (name("alice"), Origin::Local("alice".to_owned()));
    let actor = Principal::Service("alice", &origin, "passwd");
    let mut told = 0;
    for number in 0..100 {
        home.accounts()
            .record_host_password_change(&who, actor, NOW.plus(number))
            .unwrap();
        let sent = sent(&mut home, NOW.plus(number));
        assert!(
            sent.iter()
                .all(|notice| notice.event.kind == EventKind::HostPasswordChanged)
        );
        told += sent.len();
    }
    let only = EventFilter {
        kind: Some(EventKind::HostPasswordChanged),
        ..EventFilter::default()
    };
    let logged = home.audit_log().list_events(&only, 0, 1000).unwrap();
    assert_eq!((told, logged.len()), (40, 40));
    assert_eq!(logged.last().unwrap().1.cause, "daily-limit");
    home.accounts()
        .record_host_password_change(&who, actor, NOW.plus(DAY + 100))
        .unwrap();
    assert_eq!(sent(&mut home, NOW.plus(DAY + 100)).len(), 1);
}

/// The owner is notified of a stolen cookie, but not of a revocation by the owner.
#[test]
fn a_stolen_cookie_is_told_and_ones_own_revocation_is_not() {
    let (mut home, app) = alice("");
    let (who, password) = (name("alice"), Zeroizing::new("correct horse".to_owned()));
    let password = Password::from_input(password).unwrap();
    home.accounts()
        .set_password(&who, &password, "alice", NOW)
        .unwrap();
    told(&mut home, "alice@example.com", &[EventKind::PasswordSet]);
    let mut enters = |cookie: Option<&str>| -> Option<String> {
        let origin = Origin::Remote(Address::parse("192.0.2.7").unwrap());
        let browser = browser_with(&origin, cookie);
        let nothing = Input::parse(b"");
        let opened = match home
            .login()
            .enter_password(&browser, &who, Some(&password), &nothing, NOW)
            .unwrap()
        {
            AfterPassword::Opened(opened) => opened,
            AfterPassword::Code(pass) if cookie.is_none() => {
                let answer = Input::parse(code_of(&app, 0).as_bytes());
                match home
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
    let sent = sent(&mut home, NOW);
    assert_eq!(sent.len(), 1);
    let event = &sent[0].event;
    assert_eq!(
        (event.kind, event.origin.as_str()),
        (EventKind::BrowserRevoked, "192.0.2.7")
    );

    assert!(
        home.sessions().list_sessions(&who, NOW).unwrap().is_empty(),
        "they were begun in that browser"
    );
    signs_in(&mut home, &remote("192.0.2.7"), &code_of(&app, 1), NOW);
    assert_eq!(
        home.sessions()
            .revoke_sessions(&who, None, "alice", NOW)
            .unwrap(),
        1
    );
    told(&mut home, "", &[]);
}

/// The owner is notified of the second use of a refresh token.
#[test]
fn a_refresh_token_that_is_used_again_is_told() {
    let (mut home, app) = alice("");
    home.accounts()
        .set_password(&name("alice"), &password(PASSWORD), "alice", NOW)
        .unwrap();
    told(&mut home, "alice@example.com", &[EventKind::PasswordSet]);
    let from = remote("192.0.2.7");
    let session = signs_in(&mut home, &from, &code_of(&app, 0), NOW);
    let shown = RefreshToken::issue_first(&session, &home.token_keys(), NOW).unwrap();
    home.login()
        .refresh_session(shown.clone(), &from, NOW)
        .unwrap();
    told(&mut home, "", &[]);
    assert_eq!(
        home.login().refresh_session(shown, &from, NOW).unwrap(),
        AfterRefresh::Reused
    );
    told(&mut home, "alice@example.com", &[EventKind::SessionRevoked]);
}

#[test]
fn a_notice_that_is_not_sent_comes_again_for_three_days() {
    let (mut home, _) = alice("");
    home.unlocks("alice", "root", NOW);
    let takes = |home: &mut Home, now| home.mail().take_due_notifications(8, now).unwrap().len();
    assert_eq!(
        (takes(&mut home, NOW), takes(&mut home, NOW)),
        (1, 0),
        "it is taken once"
    );
    assert_eq!(
        (
            takes(&mut home, NOW.plus(299)),
            takes(&mut home, NOW.plus(300))
        ),
        (0, 1)
    );
    // A clock that was ahead does not delay notifications for long.
    assert_eq!(takes(&mut home, NOW.plus(2 * DAY)), 1);
    assert_eq!(takes(&mut home, NOW.plus(DAY)), 1);
    assert_eq!(takes(&mut home, NOW.plus(3 * DAY)), 1);
    assert_eq!(takes(&mut home, NOW.plus(3 * DAY + 301)), 0);
}

#[test]
fn an_account_keeps_a_few_notices_the_oldest_and_another_its_own() {
    let (mut home, _) = alice("");
    confirms(&mut home, "bob", "bob@example.com", NOW);
    told(&mut home, "bob@example.com", &[EventKind::EmailConfirmed]);
    for number in 0..u64::from(MAX_NOTIFICATIONS) + 5 {
        home.unlocks("alice", "root", NOW.plus(number));
    }
    home.unlocks("bob", "root", NOW);
    let sent = sent(&mut home, NOW.plus(60));
    assert_eq!(sent.len(), MAX_NOTIFICATIONS as usize + 1);
    assert_eq!((sent[0].event.at, sent[19].event.at), (NOW, NOW.plus(19)));
    assert_eq!(sent[20].to.as_str(), "bob@example.com");
    // An old notification that was never sent does not count against the limit.
    for day in [0, 4] {
        for _ in 0..MAX_NOTIFICATIONS {
            home.unlocks("alice", "root", NOW.plus(day * DAY));
        }
    }
    let sent = home
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
    let mut home = Home::new("");
    let app = PendingEnrollment::new(home.config(), &name("alice")).unwrap();
    home.activates(&app);
    let connection = rusqlite::Connection::open(home.folder.path().join("store/db")).unwrap();
    let sql = "INSERT INTO email (account, confirmed) SELECT id, 'a@example.com' FROM account";
    connection.execute(sql, []).unwrap();
    home.unlocks("alice", "root", NOW);
    assert!(
        home.mail()
            .take_due_notifications(8, NOW)
            .unwrap()
            .is_empty()
    );
    let mut home = Home::new(MAIL);
    home.activates(&app);
    assert!(
        home.mail()
            .take_due_notifications(8, NOW)
            .unwrap()
            .is_empty()
    );
}
