//! First factors that other systems verify: a password of the host, and an identity from a trusted
//! proxy. The gate decides which peers are trusted and asks the host; these tests cover the
//! engine's part.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::EventFilter;
use postern_shared::account::name::Group;
use postern_shared::account::second_factor::{CodeMethods, Enrolled};
use postern_shared::credential::input::Input;
use postern_shared::engine::{
    AfterCode, AfterPassword, EnrollmentPermission, OpenedSession, TrustRequest,
};
use postern_shared::protocol::host_password::HostPasswordReply;
use postern_shared::token::session::SecondFactorMethod;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::method::AuthenticationMethod;
use test_store::{
    NOW, PASSWORD, TestStore, alice, browser_with, code_of, name, password, recovery, remote,
};

const PAM: &str = "[gate]\nfirst_factor = \"pam\"\n";
const HEADER: &str = "[gate]\nfirst_factor = \"header\"\n[[gate.trusted_proxies]]\nproxy = \"nginx\"\n\
                      from = [\"unix\"]\nidentity_header = \"Remote-User\"\n";

impl TestStore {
    /// Signs in with a password for which the host gives the reply.
    fn host_says(
        &mut self,
        output: HostPasswordReply,
        who: &str,
        from: &str,
        along: &str,
    ) -> AfterPassword {
        let (origin, who, along) = (remote(from), name(who), Input::parse(along.as_bytes()));
        let browser = browser_with(&origin, None);
        match self
            .engine
            .login()
            .charge_first_factor(&browser, &who, &along, NOW)
            .unwrap()
        {
            Ok(tried) => self
                .engine
                .login()
                .settle_first_factor(&browser, &who, tried, output, &along, NOW)
                .unwrap(),
            Err(refusal) => AfterPassword::Refused(refusal),
        }
    }

    /// Signs in with an identity from a trusted proxy.
    fn is_brought(&mut self, who: &str, cookie: Option<&str>) -> AfterPassword {
        let origin = remote("192.0.2.7");
        self.engine
            .login()
            .enter_identity(&browser_with(&origin, cookie), &name(who), NOW)
            .unwrap()
    }

    fn causes(&mut self, who: &str) -> Vec<String> {
        let log = self
            .engine
            .audit_log()
            .list_events(&EventFilter::default(), 0, 100)
            .unwrap();
        let of = log
            .into_iter()
            .filter(|(_, event)| event.account == name(who));
        of.map(|(_, event)| format!("{} {}", event.kind.name(), event.cause))
            .collect()
    }
}

#[track_caller]
fn refused(after: &AfterPassword, expected: Refusal) {
    match after {
        AfterPassword::Refused(refusal) => assert_eq!(*refusal, expected),
        _ => panic!("not refused"),
    }
}

#[track_caller]
fn opened(after: AfterPassword) -> OpenedSession {
    match after {
        AfterPassword::Opened(opened) => *opened,
        AfterPassword::Code(_) => panic!("a code is asked"),
        AfterPassword::Enroll(_) => panic!("a setup is asked"),
        AfterPassword::Refused(refusal) => panic!("{refusal:?}"),
        AfterPassword::OtherSpelling(other) => panic!("{other}"),
    }
}

#[test]
fn a_first_sign_in_by_the_hosts_password_makes_the_account() {
    let mut test = TestStore::new(PAM);
    refused(
        &test.host_says(HostPasswordReply::Wrong, "bob", "192.0.2.7", ""),
        Refusal::Wrong,
    );
    assert!(
        test.accounts().account_status(&name("bob")).is_err(),
        "a wrong password makes none"
    );
    let session = opened(test.host_says(HostPasswordReply::Right, "bob", "192.0.2.7", "")).session;
    assert_eq!(
        (session.name.as_str(), session.passed.second),
        ("bob", SecondFactorMethod::None(Enrolled::No))
    );
    assert_eq!(
        test.causes("bob"),
        ["account-added first-sign-in", "accepted password"]
    );
    let again = opened(test.host_says(HostPasswordReply::Right, "bob", "192.0.2.7", "")).session;
    assert_eq!(again.account, session.account);
}

#[test]
fn the_hosts_groups_go_along_in_the_session() {
    let mut test = TestStore::new(PAM);
    let session = opened(test.host_says(HostPasswordReply::Right, "root", "192.0.2.7", "")).session;
    let groups: Vec<_> = session.groups.iter().map(Group::as_str).collect();
    assert!(groups.contains(&"root"), "{groups:?}");
    let keys = test.token_keys();
    assert_eq!(
        postern_shared::token::session::Session::from_cookie(&session.to_cookie(&keys), &keys),
        Some(session)
    );
}

/// Trap 13 for first factors: only the configured first factor is accepted, and every second factor
/// works with it.
#[test]
fn trap_13_every_method_that_is_on_is_accepted_and_none_that_is_off() {
    for extra in [PAM, HEADER] {
        let (mut test, app) = alice(extra);
        test.sets_password("alice");
        let origin = remote("192.0.2.7");
        let by_password = test.login().enter_password(
            &browser_with(&origin, None),
            &name("alice"),
            Some(&password(PASSWORD)),
            &Input::Malformed,
            NOW,
        );
        refused(&by_password.unwrap(), Refusal::Malformed);
        if extra == PAM {
            refused(&test.is_brought("alice", None), Refusal::Malformed);
        }
        for typed in [code_of(&app, 0), recovery(&app, 0)] {
            let next = match extra {
                PAM => test.host_says(HostPasswordReply::Right, "alice", "192.0.2.7", ""),
                _ => test.is_brought("alice", None),
            };
            let AfterPassword::Code(pass) = next else {
                panic!("no code is asked")
            };
            assert_eq!(pass.payload().methods, CodeMethods::App);
            let answer = Input::parse(typed.as_bytes());
            let browser = browser_with(&origin, None);
            let entered =
                test.login()
                    .enter_code(&browser, &pass, &answer, TrustRequest::NotAsked, NOW);
            assert!(matches!(entered.unwrap(), AfterCode::Opened(_)));
        }
    }
}

#[test]
fn a_password_of_the_host_is_charged_until_the_host_has_confirmed_that_it_is_right() {
    let (mut test, app) = alice(PAM);
    let (origin, who) = (remote("192.0.2.7"), name("alice"));
    for _ in 0..5 {
        // the host did not reply, so the charge remains
        let tried = test.login().charge_first_factor(
            &browser_with(&origin, None),
            &who,
            &Input::Malformed,
            NOW,
        );
        drop(tried.unwrap().unwrap());
    }
    refused(
        &test.host_says(HostPasswordReply::Right, "alice", "192.0.2.8", ""),
        Refusal::Delayed { wait: 30 },
    );
    // The password is verified if a recovery code is given with it. Either one alone grants no
    // access.
    let code = recovery(&app, 0);
    refused(
        &test.host_says(HostPasswordReply::Wrong, "alice", "192.0.2.8", &code),
        Refusal::Wrong,
    );
    let opened = opened(test.host_says(HostPasswordReply::Right, "alice", "192.0.2.8", &code));
    assert_eq!(opened.method, AuthenticationMethod::RecoveryCode);
}

#[test]
fn a_host_that_was_not_asked_costs_nothing() {
    let (mut test, _) = alice(PAM);
    for _ in 0..20 {
        refused(
            &test.host_says(HostPasswordReply::NotVerified, "alice", "192.0.2.7", ""),
            Refusal::Malformed,
        );
    }
    let next = test.host_says(HostPasswordReply::Right, "alice", "192.0.2.7", "");
    assert!(matches!(next, AfterPassword::Code(_)));
}

#[test]
fn whatever_ends_all_sessions_while_the_host_is_asked_ends_this_sign_in_too() {
    let (mut test, _) = alice(PAM);
    let (origin, who) = (remote("192.0.2.7"), name("alice"));
    let browser = browser_with(&origin, None);
    let tried = test
        .login()
        .charge_first_factor(&browser, &who, &Input::Malformed, NOW)
        .unwrap()
        .unwrap();
    test.accounts()
        .disable_second_factor(&who, "root", NOW)
        .unwrap();
    let after = test.login().settle_first_factor(
        &browser,
        &who,
        tried,
        HostPasswordReply::Right,
        &Input::Malformed,
        NOW,
    );
    refused(&after.unwrap(), Refusal::Expired);
}

#[test]
fn names_without_an_account_are_counted_too() {
    let mut test = TestStore::new(PAM);
    for host in 1..=5 {
        let from = format!("198.51.100.{host}");
        refused(
            &test.host_says(HostPasswordReply::Wrong, "nobody", &from, ""),
            Refusal::Wrong,
        );
    }
    refused(
        &test.host_says(HostPasswordReply::Right, "nobody", "192.0.2.7", ""),
        Refusal::Delayed { wait: 30 },
    );
}

/// An enrolled account must enter the code, also if the proxy's identity opened a session before.
#[test]
fn trap_16_an_identity_opens_nothing_for_an_enrolled_account_without_a_code() {
    let (mut test, app) = alice(HEADER);
    for _ in 0..3 {
        let AfterPassword::Code(pass) = test.is_brought("alice", None) else {
            panic!("it opens")
        };
        let origin = remote("192.0.2.7");
        for typed in ["", "000000", PASSWORD] {
            let answer = Input::parse(typed.as_bytes());
            let browser = browser_with(&origin, None);
            let entered =
                test.login()
                    .enter_code(&browser, &pass, &answer, TrustRequest::Asked, NOW);
            assert!(matches!(entered.unwrap(), AfterCode::Refused(_)));
        }
    }
    assert!(test.sessions_of("alice", NOW).is_empty());
    // except in a trusted browser, in which a code was entered before
    let AfterPassword::Code(pass) = test.is_brought("alice", None) else {
        panic!("it opens")
    };
    let (origin, answer) = (
        remote("192.0.2.7"),
        Input::parse(code_of(&app, 0).as_bytes()),
    );
    let entered = test.login().enter_code(
        &browser_with(&origin, None),
        &pass,
        &answer,
        TrustRequest::Asked,
        NOW,
    );
    let AfterCode::Opened(entered) = entered.unwrap() else {
        panic!("not opened")
    };
    let cookie = entered.browser_cookie.unwrap().to_string();
    assert_eq!(
        opened(test.is_brought("alice", Some(&cookie))).method,
        AuthenticationMethod::TrustedBrowser
    );
    let bob = opened(test.is_brought("bob", Some(&cookie)));
    assert_eq!(
        (bob.method, bob.browser_cookie),
        (AuthenticationMethod::Identity, None),
        "it is hers alone"
    );
}

#[test]
fn an_identity_alone_opens_where_no_code_is_needed_and_makes_the_account() {
    let mut test = TestStore::new(HEADER);
    let opened = opened(test.is_brought("carol", None));
    assert_eq!(
        (opened.method, opened.session.groups),
        (AuthenticationMethod::Identity, Vec::new())
    );
    assert_eq!(
        test.causes("carol"),
        ["account-added first-sign-in", "accepted identity"]
    );
}

/// An account that must have a second factor and has none is offered only the enrollment.
#[test]
fn a_user_who_is_required_and_not_enrolled_gets_nothing_but_a_setup() {
    for extra in [PAM, HEADER] {
        for (within, needs) in [
            ("0s", EnrollmentPermission::WithOneTimeCode),
            ("1h", EnrollmentPermission::Yes),
        ] {
            let policy =
                format!("{extra}[policy]\nrequired = \"all\"\nenroll_within = \"{within}\"");
            let mut test = TestStore::new(&policy);
            let next = match extra {
                PAM => test.host_says(HostPasswordReply::Right, "bob", "192.0.2.7", ""),
                _ => test.is_brought("bob", None),
            };
            let AfterPassword::Enroll(token) = next else {
                panic!("it opens")
            };
            assert_eq!(token.payload().may, needs, "{extra} {within}");
            assert!(test.sessions_of("bob", NOW).is_empty());
        }
    }
}

/// The proxy does not report by which method it authenticated the person.
#[test]
fn an_identity_is_no_password_to_an_exemption() {
    let exempt = "[[policy.exempt]]\ncompleted_methods = [\"password\"]\n";
    let (mut test, _) = alice(&format!("{exempt}{HEADER}"));
    assert!(matches!(
        test.is_brought("alice", None),
        AfterPassword::Code(_)
    ));
    let (mut test, _) = alice(&format!("{exempt}{PAM}"));
    let session =
        opened(test.host_says(HostPasswordReply::Right, "alice", "192.0.2.7", "")).session;
    assert_eq!(
        session.passed.second,
        SecondFactorMethod::None(Enrolled::Yes)
    );
}
