//! Web sign-ins on a real store in a temporary folder: passwords, codes, sessions, trusted
//! browsers.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AfterCode, AfterPassword, AppPasswordsAfter, EnrollmentPermission, KnownRevisions,
    OpenedSession, Principal, TrustRequest,
};
use postern_shared::token::LoginToken;
use postern_shared::token::session::{RevokedSessions, SecondFactorMethod};
use postern_shared::verify::decision::Refusal;
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, browser_with, code_of, name, password, recovery,
    remote,
};

const GATE: [u8; 16] = [7; 16];

impl TestStore {
    fn enter_password(
        &mut self,
        cookie: Option<&str>,
        who: &str,
        typed: &str,
        recovery: &str,
    ) -> AfterPassword {
        self.enter_password_from("192.0.2.7", cookie, who, typed, recovery)
    }

    fn enter_password_from(
        &mut self,
        address: &str,
        cookie: Option<&str>,
        who: &str,
        typed: &str,
        recovery: &str,
    ) -> AfterPassword {
        let origin = remote(address);
        let browser = browser_with(&origin, cookie);
        let recovery = Input::parse(recovery.as_bytes());
        self.engine
            .login()
            .enter_password(&browser, &name(who), Some(&password(typed)), &recovery, NOW)
            .unwrap()
    }

    fn enter_code(&mut self, cookie: Option<&str>, typed: &str, trust: TrustRequest) -> AfterCode {
        let AfterPassword::Code(pass) = self.enter_password(cookie, "alice", PASSWORD, "") else {
            panic!("no code is asked")
        };
        self.enter_code_of(&pass, cookie, typed, trust)
    }

    fn enter_code_of(
        &mut self,
        pass: &LoginToken,
        cookie: Option<&str>,
        typed: &str,
        trust: TrustRequest,
    ) -> AfterCode {
        let origin = remote("192.0.2.7");
        let browser = browser_with(&origin, cookie);
        let answer = Input::parse(typed.as_bytes());
        self.engine
            .login()
            .enter_code(&browser, pass, &answer, trust, NOW)
            .unwrap()
    }

    /// Signs in with a code and makes the browser trusted. Returns its cookie.
    fn trusted(&mut self, app: &PendingEnrollment, offset: i64) -> String {
        let code = code_of(app, offset);
        let opened = opened_by_code(self.enter_code(None, &code, TrustRequest::Asked));
        opened.browser_cookie.unwrap().to_string()
    }

    /// Signs in with the password alone and returns the new cookie.
    fn rotated(&mut self, cookie: &str) -> String {
        let AfterPassword::Opened(opened) =
            self.enter_password(Some(cookie), "alice", PASSWORD, "")
        else {
            panic!("a code is asked")
        };
        opened.browser_cookie.unwrap().to_string()
    }

    fn asks_for_the_code(&mut self, cookie: &str) -> bool {
        matches!(
            self.enter_password(Some(cookie), "alice", PASSWORD, ""),
            AfterPassword::Code(_)
        )
    }

    fn snapshot(&mut self) -> RevokedSessions {
        let mut snapshot = None;
        self.engine
            .sessions()
            .update_revocations(&GATE, None, NOW, |seen| snapshot = Some(seen.revoked))
            .unwrap();
        // so that administration waits for no gate in this test
        self.engine.sessions().remove_gate(&GATE).unwrap();
        snapshot.unwrap()
    }
}

#[track_caller]
fn opened_by_code(after: AfterCode) -> OpenedSession {
    match after {
        AfterCode::Opened(opened) => *opened,
        AfterCode::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

#[track_caller]
fn refused(after: &AfterPassword, expected: Refusal) {
    match after {
        AfterPassword::Refused(refusal) => assert_eq!(*refusal, expected),
        _ => panic!("not refused"),
    }
}

#[test]
fn password_then_code_opens_a_session_that_the_list_shows() {
    let (mut test, app) = alice_at_the_web("");
    let code = code_of(&app, 0);
    let opened = opened_by_code(test.enter_code(None, &code, TrustRequest::NotAsked));
    assert!(opened.browser_cookie.is_none());
    let sessions = test.sessions_of("alice", NOW);
    assert_eq!(
        sessions.iter().map(|s| s.id).collect::<Vec<_>>(),
        [opened.session.id]
    );
    let used = test.enter_code(None, &code, TrustRequest::NotAsked);
    assert!(matches!(used, AfterCode::Refused(Refusal::Used { .. })));
}

#[test]
fn wrong_passwords_unknown_names_and_names_without_a_password_are_refused_alike() {
    let (mut test, _) = alice_at_the_web("");
    test.adds_account("carol");
    refused(
        &test.enter_password(None, "alice", "wrong horse", ""),
        Refusal::Wrong,
    );
    refused(
        &test.enter_password_from("198.51.100.1", None, "carol", "wrong horse", ""),
        Refusal::Wrong,
    );
    refused(
        &test.enter_password_from("198.51.100.2", None, "nobody", PASSWORD, ""),
        Refusal::Wrong,
    );
}

#[test]
fn the_sixth_wrong_password_is_not_looked_at_but_a_recovery_code_opens_the_way() {
    let (mut test, app) = alice_at_the_web("");
    for host in 1..=5 {
        let from = format!("198.51.100.{host}");
        refused(
            &test.enter_password_from(&from, None, "alice", "wrong horse", ""),
            Refusal::Wrong,
        );
    }
    refused(
        &test.enter_password(None, "alice", PASSWORD, ""),
        Refusal::Delayed { wait: 30 },
    );
    let with_wrong_password = test.enter_password(None, "alice", "wrong horse", &recovery(&app, 0));
    refused(&with_wrong_password, Refusal::Wrong);
    let code = recovery(&app, 0);
    assert!(matches!(
        test.enter_password(None, "alice", PASSWORD, &code),
        AfterPassword::Opened(_)
    ));
    assert!(matches!(
        test.enter_password(None, "alice", PASSWORD, &code),
        AfterPassword::Refused(_)
    ));
}

#[test]
fn ten_wrong_passwords_from_one_address_close_it_for_all_names() {
    let (mut test, _) = alice_at_the_web("");
    for number in 0..10 {
        refused(
            &test.enter_password(None, &format!("nobody{number}"), PASSWORD, ""),
            Refusal::Wrong,
        );
    }
    refused(
        &test.enter_password(None, "alice", PASSWORD, ""),
        Refusal::AddressDelayed { wait: 300 },
    );
    let elsewhere = test.enter_password_from("192.0.2.8", None, "alice", PASSWORD, "");
    assert!(matches!(elsewhere, AfterPassword::Code(_)));
}

#[test]
fn a_trusted_browser_skips_the_code_and_gets_a_new_cookie_each_time() {
    let (mut test, app) = alice_at_the_web("");
    let first = test.trusted(&app, 0);
    let second = test.rotated(&first);
    let third = test.rotated(&second);
    assert!(first != second && second != third);
    assert_eq!(test.trusted_browsers_of("alice", NOW).len(), 1);
}

#[test]
fn an_answer_lost_on_the_way_stays_trusted_after_a_code() {
    let (mut test, app) = alice_at_the_web("");
    let first = test.trusted(&app, -1);
    test.rotated(&first);
    // The browser never received the new cookie. The old one needs the code, and a success replaces
    // both.
    assert!(test.asks_for_the_code(&first));
    let code = code_of(&app, 0);
    let opened = opened_by_code(test.enter_code(Some(&first), &code, TrustRequest::NotAsked));
    let third = opened.browser_cookie.unwrap();
    test.rotated(&third);
    assert_eq!(test.trusted_browsers_of("alice", NOW).len(), 1);
}

#[test]
fn an_old_cookie_after_the_new_one_was_seen_revokes_the_browser() {
    let (mut test, app) = alice_at_the_web("");
    let first = test.trusted(&app, 0);
    let second = test.rotated(&first);
    let third = test.rotated(&second);
    assert!(test.asks_for_the_code(&first));
    assert!(test.trusted_browsers_of("alice", NOW).is_empty());
    assert!(test.asks_for_the_code(&third));
    let log = test.all_events();
    assert!(
        log.iter()
            .any(|(_, event)| event.kind.name() == "browser-revoked")
    );
}

#[test]
fn a_trusted_browser_is_good_for_its_own_account_only() {
    let (mut test, app) = alice_at_the_web("");
    let cookie = test.trusted(&app, 0);
    let pending = PendingEnrollment::new(test.config(), &name("bob")).unwrap();
    test.activates(&pending);
    test.sets_password("bob");
    let bob = test.enter_password(Some(&cookie), "bob", PASSWORD, "");
    assert!(matches!(bob, AfterPassword::Code(_)));
    test.rotated(&cookie);
}

#[test]
fn whatever_ends_all_sessions_ends_a_sign_in_in_flight_too() {
    let (mut test, app) = alice_at_the_web("");
    let cookie = test.trusted(&app, -1);
    let AfterPassword::Code(pass) = test.enter_password(None, "alice", PASSWORD, "") else {
        panic!("no code is asked")
    };
    test.accounts()
        .set_password(&name("alice"), &password("another horse"), "root", NOW)
        .unwrap();
    let code = code_of(&app, 0);
    let after = test.enter_code_of(&pass, None, &code, TrustRequest::Asked);
    assert!(matches!(after, AfterCode::Refused(Refusal::Expired)));
    assert!(test.sessions_of("alice", NOW).is_empty());
    assert!(test.trusted_browsers_of("alice", NOW).is_empty());
    refused(
        &test.enter_password(Some(&cookie), "alice", PASSWORD, ""),
        Refusal::Wrong,
    );
}

/// A password changed through PAM ends the same as one changed by Postern.
#[test]
fn a_password_changed_through_pam_ends_what_one_of_ones_own_would() {
    let (mut test, app) = alice_at_the_web("");
    let alice = name("alice");
    let cookie = test.trusted(&app, -1);
    let session =
        opened_by_code(test.enter_code(Some("x"), &code_of(&app, 0), TrustRequest::NotAsked))
            .session;
    let AfterPassword::Code(pass) = test.enter_password(None, "alice", PASSWORD, "") else {
        panic!("no code is asked")
    };
    let (label, scope) = (
        "dav".parse().unwrap(),
        "web:app.example.com".parse().unwrap(),
    );
    test.app_passwords()
        .add_app_password(&alice, &label, &scope, None, "root", NOW)
        .unwrap();
    let origin = remote("192.0.2.9");
    let actor = Principal::Service("carol", &origin, "passwd");
    let after = test
        .accounts()
        .record_host_password_change(&alice, actor, NOW)
        .unwrap();
    assert_eq!(after, Some(AppPasswordsAfter::Revoked(1)));

    assert!(test.snapshot().covers(&session));
    assert!(
        test.sessions()
            .list_trusted_browsers(&alice, NOW)
            .unwrap()
            .is_empty()
    );
    assert!(test.asks_for_the_code(&cookie));
    let in_flight = test.enter_code_of(&pass, None, &code_of(&app, 1), TrustRequest::Asked);
    assert!(matches!(in_flight, AfterCode::Refused(Refusal::Expired)));
    let log = test.all_events();
    let of = |name: &str| {
        log.iter()
            .filter(|(_, e)| e.kind.name() == name)
            .map(|(_, e)| e)
            .next_back()
            .unwrap()
    };
    for name in ["host-password-changed", "app-password-revoked"] {
        let event = of(name);
        assert_eq!(
            (event.principal.as_str(), event.service.as_str()),
            ("carol", "passwd")
        );
        assert_eq!(
            (event.origin.as_str(), &event.account),
            ("192.0.2.9", &alice)
        );
    }

    // a name without an account has no sessions, and gets no account
    let nobody = name("nobody");
    assert_eq!(
        test.accounts()
            .record_host_password_change(&nobody, actor, NOW)
            .unwrap(),
        None
    );
    assert!(test.accounts().account_status(&nobody).is_err());
}

#[test]
fn a_snapshot_covers_what_was_revoked_and_nothing_else() {
    let (mut test, app) = alice_at_the_web("");
    let (one, two) = (code_of(&app, -1), code_of(&app, 0));
    let first = opened_by_code(test.enter_code(None, &one, TrustRequest::NotAsked)).session;
    let second = opened_by_code(test.enter_code(None, &two, TrustRequest::NotAsked)).session;
    assert!(!test.snapshot().covers(&first));
    test.sessions()
        .revoke_sessions(&name("alice"), Some(first.id), "root", NOW)
        .unwrap();
    let snapshot = test.snapshot();
    assert!(snapshot.covers(&first) && !snapshot.covers(&second));
    test.disables("alice", "root", NOW);
    assert!(test.snapshot().covers(&second));
}

#[test]
fn a_revocation_waits_for_a_gate_that_does_not_confirm_until_its_lease_is_over() {
    let (mut test, app) = alice_at_the_web("");
    let code = code_of(&app, 0);
    let session = opened_by_code(test.enter_code(None, &code, TrustRequest::NotAsked)).session;
    test.sessions()
        .update_revocations(&GATE, None, NOW, |_| {})
        .unwrap();
    let began = std::time::Instant::now();
    test.sessions()
        .revoke_sessions(&name("alice"), Some(session.id), "root", NOW)
        .unwrap();
    assert!(began.elapsed() >= postern_shared::engine::LEASE);
}

/// After a recovery code at a prompt the person knows that the thief's session has ended.
#[test]
fn a_recovery_code_opens_when_every_gate_knows_what_it_ended() {
    let (mut test, app) = alice_at_the_web("");
    let session =
        opened_by_code(test.enter_code(None, &code_of(&app, 0), TrustRequest::NotAsked)).session;
    let mut gate = test.another();
    let mut revision = 0;
    gate.sessions()
        .update_revocations(&GATE, None, NOW, |found| revision = found.revoked.revision)
        .unwrap();
    let entered = std::sync::atomic::AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            test_store::accepted(&test.attempt("alice", &recovery(&app, 0), NOW));
            entered.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        let mut seen = None;
        // the gate polls until the store has changed
        while seen.is_none() {
            let before = Some(KnownRevisions {
                revision,
                app_passwords: 0,
            });
            gate.sessions()
                .update_revocations(&GATE, before, NOW, |found| {
                    assert!(
                        !entered.load(std::sync::atomic::Ordering::SeqCst),
                        "it did not wait"
                    );
                    seen = Some(found.revoked);
                })
                .unwrap();
        }
        seen
    });
    assert!(seen.is_some_and(|revoked| revoked.covers(&session)));
}

#[test]
fn a_session_that_an_exemption_let_in_without_a_code_is_marked() {
    let (mut test, _) = alice_at_the_web("[[policy.exempt]]\nnetworks = [\"192.0.2.0/24\"]");
    let AfterPassword::Opened(opened) = test.enter_password(None, "alice", PASSWORD, "") else {
        panic!("a code is asked")
    };
    assert_eq!(
        opened.session.passed.second,
        SecondFactorMethod::None(Enrolled::Yes)
    );
    let elsewhere = test.enter_password_from("198.51.100.1", None, "alice", PASSWORD, "");
    assert!(matches!(elsewhere, AfterPassword::Code(_)));
}

#[test]
fn a_user_who_is_required_and_not_enrolled_stays_outside() {
    let (mut test, _) = alice_at_the_web("[policy]\nrequired = \"all\"");
    test.sets_password("bob");
    let AfterPassword::Enroll(token) = test.enter_password(None, "bob", PASSWORD, "") else {
        panic!("it opens")
    };
    assert_eq!(token.payload().may, EnrollmentPermission::WithOneTimeCode);
}

#[test]
fn the_one_recovery_code_that_turns_off_opens_a_session_that_lasts() {
    let (mut test, app) = alice_at_the_web("[recovery]\non_use = \"disable\"");
    let code = recovery(&app, 0);
    let AfterPassword::Opened(opened) = test.enter_password(None, "alice", PASSWORD, &code) else {
        panic!("not opened")
    };
    assert!(!test.snapshot().covers(&opened.session));
}
