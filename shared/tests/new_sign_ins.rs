//! Mail about sign-ins from new browsers and addresses, and the link in it that ends everything.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::EventKind;
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AfterCode, AfterPassword, OpenedSession, TrustRequest, VerificationRequest,
};
use postern_shared::store::Notification;
use postern_shared::system::clock::Timestamp;
use postern_shared::token::EndSessionsToken;
use postern_shared::verify::method::AuthenticationMethod;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use test_store::{
    NOW, PASSWORD, TestStore, accepted, browser_with, code_at, name, password, remote,
};

const CONFIG: &str = "[email]\nsmtp_url = \"smtp://localhost\"\nfrom = \"postern@example.com\"\n\
                      [gate]\nurl = \"https://auth.example.com/\"\ncookie_domain = \"example.com\"\n\
                      [[gate.rule]]\npaths = [\"/cheap\"]\nthen = \"password\"\n";
const HERE: &str = "198.51.100.7";
const DAY: u64 = 86_400;

/// A store in which alice has an app, a password and a confirmed address. No notification waits.
fn alice(extra: &str) -> (TestStore, PendingEnrollment) {
    let mut test = TestStore::new(&format!("{CONFIG}{extra}"));
    let (who, before) = (name("alice"), NOW.minus(60));
    let to = "alice@example.com".parse().unwrap();
    test.accounts()
        .set_email(&who, &to, "root", before)
        .unwrap();
    let sent = test.takes_mail(before).remove(0);
    test.mail().record_mail_delivery(&sent, &Ok(())).unwrap();
    let code = Input::parse(sent.code.as_bytes());
    test.accounts()
        .confirm_email(&who, &code, "root", before)
        .unwrap();
    let app = PendingEnrollment::new(test.config(), &who).unwrap();
    test.activates(&app);
    test.sets_password("alice");
    told(&mut test, NOW);
    (test, app)
}

/// Takes all notifications that are due, and returns those of new sign-ins.
fn told(test: &mut TestStore, now: Timestamp) -> Vec<Notification> {
    let mut taken = test.mail().take_due_notifications(100, now).unwrap();
    taken
        .iter()
        .for_each(|sent| test.mail().remove_sent_notification(sent).unwrap());
    taken.retain(|sent| sent.event.kind == EventKind::NewSignIn);
    taken
}

/// Signs in with password and code.
#[track_caller]
fn enters(
    test: &mut TestStore,
    app: &PendingEnrollment,
    (from, cookie): (&str, Option<&str>),
    now: Timestamp,
) -> OpenedSession {
    let (origin, typed) = (remote(from), password(PASSWORD));
    let browser = browser_with(&origin, cookie);
    let who = name("alice");
    let after = test
        .login()
        .enter_password(&browser, &who, Some(&typed), &Input::Malformed, now)
        .unwrap();
    let token = match after {
        AfterPassword::Code(token) => token,
        AfterPassword::Opened(opened) => return *opened,
        _ => panic!("refused"),
    };
    let code = Input::parse(code_at(app, 0, now).as_bytes());
    let after = test
        .login()
        .enter_code(&browser, &token, &code, TrustRequest::Asked, now);
    match after {
        Ok(AfterCode::Opened(opened)) => *opened,
        _ => panic!("not opened"),
    }
}

fn token(test: &mut TestStore, now: Timestamp) -> EndSessionsToken {
    let link = test.mail().end_sessions_link(&name("alice"), now).unwrap();
    let link = link.unwrap();
    let text = link
        .strip_prefix("https://auth.example.com/end-sessions?token=")
        .unwrap();
    let keys = test.token_keys();
    EndSessionsToken::open_link(text, &keys, now).unwrap()
}

/// One mail for an address; none for a trusted browser elsewhere, nor for a wrong code.
#[test]
fn a_sign_in_from_a_new_browser_and_address_is_told_once() {
    let (mut test, app) = alice("");
    let trusted = enters(&mut test, &app, (HERE, None), NOW);
    let sent = told(&mut test, NOW);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].event.origin, HERE);
    assert_eq!(sent[0].event.cause, "an unknown browser");
    assert_eq!(sent[0].to.as_str(), "alice@example.com");

    enters(&mut test, &app, (HERE, None), NOW.plus(30));
    assert!(
        told(&mut test, NOW.plus(30)).is_empty(),
        "a familiar address"
    );
    let cookie = trusted.browser_cookie.unwrap();
    enters(
        &mut test,
        &app,
        ("203.0.113.9", Some(&cookie)),
        NOW.plus(60),
    );
    assert!(
        told(&mut test, NOW.plus(60)).is_empty(),
        "a trusted browser"
    );
    enters(&mut test, &app, ("192.0.2.9", None), NOW.plus(90));
    assert_eq!(told(&mut test, NOW.plus(90)).len(), 1);
    enters(&mut test, &app, (HERE, None), NOW.plus(31 * DAY));
    assert_eq!(
        told(&mut test, NOW.plus(31 * DAY)).len(),
        1,
        "no longer familiar"
    );
}

/// A login at a PAM service whose code is accepted after the first factor, or before it and
/// recorded later. The second from there is not mailed, nor is one at the web.
#[test]
fn a_login_at_a_pam_service_from_a_new_address_is_told_once() {
    let (mut test, app) = alice("");
    let (who, elsewhere) = (name("alice"), "203.0.113.9");
    let wrong = test.attempt_from("alice", &remote(HERE), Phase::After, "000000", NOW);
    assert!(wrong.result.is_err());
    assert!(told(&mut test, NOW).is_empty(), "a wrong code");
    accepted(&test.attempt_from(
        "alice",
        &remote(HERE),
        Phase::After,
        &code_at(&app, 0, NOW),
        NOW,
    ));
    let sent = told(&mut test, NOW);
    assert_eq!(sent.len(), 1, "{sent:?}");
    let event = &sent[0].event;
    let seen = (
        event.service.as_str(),
        event.origin.as_str(),
        event.cause.as_str(),
    );
    assert_eq!(seen, ("test", HERE, "code"));

    let now = NOW.plus(30);
    accepted(&test.attempt_from(
        "alice",
        &remote(HERE),
        Phase::After,
        &code_at(&app, 0, now),
        now,
    ));
    enters(&mut test, &app, (HERE, None), NOW.plus(60));
    assert!(
        told(&mut test, NOW.plus(60)).is_empty(),
        "a familiar address"
    );

    let now = NOW.plus(90);
    let origin = remote(elsewhere);
    accepted(&test.attempt_from("alice", &origin, Phase::Before, &code_at(&app, 0, now), now));
    assert!(told(&mut test, now).is_empty(), "not yet a login");
    let login = VerificationRequest::new(&who, Phase::After, &origin, "sshd");
    let method = AuthenticationMethod::Code;
    for _ in 0..2 {
        let recorded = test.verification().complete_login(&login, method, now);
        assert!(recorded.unwrap().is_some());
    }
    assert_eq!(told(&mut test, now).len(), 1);
    let local = Origin::Local("bob".to_owned());
    let now = NOW.plus(120);
    accepted(&test.attempt_from("alice", &local, Phase::After, &code_at(&app, 0, now), now));
    assert!(told(&mut test, now).is_empty(), "no address");
}

/// However many sign in, a day brings eight mails at most.
#[test]
fn many_sign_ins_do_not_fill_the_mailbox() {
    let (mut test, app) = alice("");
    let mut sent = 0;
    for number in 0..12 {
        let now = NOW.plus(30 * number);
        enters(&mut test, &app, (&format!("192.0.2.{number}"), None), now);
        sent += told(&mut test, now).len();
    }
    assert_eq!(sent, 8);
}

#[test]
fn no_mail_is_sent_if_it_is_switched_off() {
    let (mut test, app) = alice("");
    let off = test.config().clone();
    let mut off = off;
    off.email.sign_in_notifications = postern_shared::config::email::SignInNotifications::Off;
    test.engine = postern_shared::engine::Engine::open(off).unwrap();
    enters(&mut test, &app, (HERE, None), NOW);
    assert!(told(&mut test, NOW).is_empty());
}

/// The link ends sessions, trusted browsers and app passwords, once, and grants nothing.
#[test]
fn the_link_ends_everything_once() {
    let (mut test, app) = alice("");
    let opened = enters(&mut test, &app, (HERE, None), NOW);
    let thief = remote("203.0.113.9");
    let link = token(&mut test, NOW);
    let another = token(&mut test, NOW);
    let ended = test.sessions().end_all_by_link(&link, &thief, NOW).unwrap();
    assert!(ended.is_some());
    let who = name("alice");
    assert!(test.sessions().list_sessions(&who, NOW).unwrap().is_empty());
    let browsers = test.sessions().list_trusted_browsers(&who, NOW);
    assert!(browsers.unwrap().is_empty());
    let mut is_revoked = false;
    test.sessions()
        .update_revocations(&[9; 16], None, NOW, |seen| {
            is_revoked = seen.revoked.covers(&opened.session)
        })
        .unwrap();
    assert!(is_revoked);
    // It is used, and so is every other link of before.
    enters(&mut test, &app, (HERE, None), NOW.plus(30));
    for used in [link, another] {
        let again = test.sessions().end_all_by_link(&used, &thief, NOW.plus(30));
        assert!(again.unwrap().is_none());
    }
    assert_eq!(test.sessions().list_sessions(&who, NOW).unwrap().len(), 1);
}

/// The attack: a thief who is signed in ends all sessions, so that the owner's link might be stale, and
/// stays in a trusted browser.
#[test]
fn the_link_is_valid_after_sessions_ended_otherwise() {
    let (mut test, app) = alice("");
    let who = name("alice");
    let intruder = enters(&mut test, &app, (HERE, None), NOW);
    let link = token(&mut test, NOW);
    let all = test
        .sessions()
        .revoke_sessions(&who, None, "alice", NOW.plus(1));
    assert_eq!(all.unwrap(), 1);
    let cookie = intruder.browser_cookie.unwrap();
    enters(&mut test, &app, (HERE, Some(&cookie)), NOW.plus(30));
    let (owner, later) = (remote("203.0.113.9"), NOW.plus(60));
    let ended = test.sessions().end_all_by_link(&link, &owner, later);
    assert!(ended.unwrap().is_some());
    let sessions = test.sessions().list_sessions(&who, later).unwrap();
    assert!(sessions.is_empty());
    let again = test.sessions().end_all_by_link(&link, &owner, later);
    assert!(again.unwrap().is_none(), "once");
    // A link of after is another one.
    let newer = token(&mut test, NOW.plus(61));
    let ended = test
        .sessions()
        .end_all_by_link(&newer, &owner, NOW.plus(61));
    assert!(ended.unwrap().is_some());
}

/// The attack: the intruder, whose address the sign-in made familiar, comes back from there.
#[test]
fn a_return_after_the_link_is_told_again() {
    let (mut test, app) = alice("");
    enters(&mut test, &app, (HERE, None), NOW);
    assert_eq!(told(&mut test, NOW).len(), 1);
    let link = token(&mut test, NOW);
    let owner = remote("203.0.113.9");
    let ended = test.sessions().end_all_by_link(&link, &owner, NOW.plus(1));
    assert!(ended.unwrap().is_some());
    enters(&mut test, &app, (HERE, None), NOW.plus(30));
    assert_eq!(told(&mut test, NOW.plus(30)).len(), 1);
    enters(&mut test, &app, (HERE, None), NOW.plus(60));
    assert!(told(&mut test, NOW.plus(60)).is_empty(), "and once");
}

/// Neither another kind of token nor an old link opens.
#[test]
fn a_link_expires_and_is_no_other_token() {
    let (mut test, _) = alice("");
    let keys = test.token_keys();
    let link = test.mail().end_sessions_link(&name("alice"), NOW).unwrap();
    let link = link.unwrap();
    let text = link.split_once("token=").unwrap().1;
    let open = |at| EndSessionsToken::open_link(text, &keys, at).is_some();
    assert!(open(NOW) && open(NOW.plus(7 * DAY - 1)));
    assert!(!open(NOW.plus(7 * DAY)) && !open(NOW.minus(1)));
    assert!(postern_shared::token::LoginToken::open_login(text, &keys, NOW).is_none());
    let nobody = test.mail().end_sessions_link(&name("nobody"), NOW);
    assert!(nobody.unwrap().is_none());
}
