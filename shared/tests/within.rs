//! Re-authentication where a rule sets `within`: which proof it takes, and what it leaves as it was.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::credential::input::Input;
use postern_shared::engine::{
    AfterCode, AfterPassword, BrowserContext, OpenedSession, RequestedPage, TrustRequest,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::LoginToken;
use postern_shared::token::session::{FactorTimes, SecondFactorMethod, Session};
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, browser_with, code_at, name, password, remote,
};

const RULES: &str = "[[gate.rule]]\npaths = [\"/cheap\"]\nthen = \"password\"\nwithin = \"5m\"\n\
                     [[gate.rule]]\npaths = [\"/admin\"]\nthen = \"code\"\nwithin = \"5m\"\n";

/// A browser: its cookie, its session, and the page that it requests.
#[derive(Clone, Copy, Default)]
struct Here<'a> {
    cookie: Option<&'a str>,
    session: Option<&'a Session>,
    page: Option<&'a str>,
}

impl Here<'_> {
    fn with<T>(self, act: impl FnOnce(&BrowserContext<'_>) -> T) -> T {
        let origin = remote("198.51.100.7");
        let page = self.page.map(|target| RequestedPage {
            host: "app.example.com",
            target,
        });
        act(&BrowserContext {
            session: self.session,
            page,
            ..browser_with(&origin, self.cookie)
        })
    }
}

impl TestStore {
    fn enters_password(&mut self, here: Here<'_>, now: Timestamp) -> AfterPassword {
        let typed = password(PASSWORD);
        here.with(|browser| {
            self.login()
                .enter_password(
                    browser,
                    &name("alice"),
                    Some(&typed),
                    &Input::Malformed,
                    now,
                )
                .unwrap()
        })
    }

    fn enters_code(
        &mut self,
        here: Here<'_>,
        token: &LoginToken,
        typed: &str,
        trust: TrustRequest,
        now: Timestamp,
    ) -> OpenedSession {
        let input = Input::parse(typed.as_bytes());
        here.with(
            |browser| match self.login().enter_code(browser, token, &input, trust, now) {
                Ok(AfterCode::Opened(opened)) => *opened,
                _ => panic!("not opened"),
            },
        )
    }

    fn reauthenticates(&mut self, here: Here<'_>, now: Timestamp) -> Option<AfterPassword> {
        let session = here.session.unwrap();
        here.with(|browser| self.login().upgrade_session(browser, session, now).unwrap())
    }
}

#[track_caller]
fn asked(after: Option<AfterPassword>) -> LoginToken {
    match after {
        Some(AfterPassword::Code(token)) => *token,
        _ => panic!("no code is asked for"),
    }
}

#[track_caller]
fn opened(after: AfterPassword) -> Session {
    match after {
        AfterPassword::Opened(opened) => opened.session,
        _ => panic!("not opened"),
    }
}

/// The session keeps its end, and a trusted browser is asked for the code too.
#[test]
fn a_code_renews_its_own_time_and_nothing_else() {
    let (mut test, app) = alice_at_the_web(RULES);
    let token = asked(Some(test.enters_password(Here::default(), NOW)));
    let first = test.enters_code(
        Here::default(),
        &token,
        &code_at(&app, 0, NOW),
        TrustRequest::Asked,
        NOW.plus(20),
    );
    let before = first.session;
    let times = FactorTimes {
        first: NOW,
        second: NOW.plus(20),
    };
    assert_eq!(before.passed_at, times);

    let cookie = first.browser_cookie.unwrap();
    let here = Here {
        cookie: Some(&cookie),
        session: Some(&before),
        page: None,
    };
    let later = NOW.plus(600);
    let token = asked(test.reauthenticates(here, later));
    let code = code_at(&app, 0, later);
    let after = test
        .enters_code(here, &token, &code, TrustRequest::NotAsked, later)
        .session;
    assert_ne!(after.id, before.id);
    assert_eq!(
        after.passed_at,
        FactorTimes {
            first: NOW,
            second: later
        }
    );
    assert_eq!(
        (after.issued, after.expires),
        (before.issued, before.expires)
    );
    assert_eq!(after.passed.second, SecondFactorMethod::Code);
    assert!(
        test.reauthenticates(here, later).is_none(),
        "it was replaced"
    );
}

/// On the way to a page that asks for a recent code, a trusted browser does not replace it.
#[test]
fn a_trusted_browser_signs_in_with_a_code_where_a_recent_one_is_asked_for() {
    let (mut test, app) = alice_at_the_web(RULES);
    let token = asked(Some(test.enters_password(Here::default(), NOW)));
    let code = code_at(&app, 0, NOW);
    let trusted = test.enters_code(Here::default(), &token, &code, TrustRequest::Asked, NOW);
    let cookie = trusted.browser_cookie.unwrap();
    let at = |page| Here {
        cookie: Some(&cookie),
        page: Some(page),
        ..Here::default()
    };
    asked(Some(test.enters_password(at("/admin/x"), NOW)));
    asked(Some(test.enters_password(at("/x/..//admin"), NOW)));
    let by_trust = opened(test.enters_password(at("/x"), NOW));
    assert_eq!(by_trust.passed.second, SecondFactorMethod::TrustedBrowser);
}

/// The password renews the first factor of a full session. The code stays as old as it was, and
/// the session ends when it would have ended.
#[test]
fn a_password_renews_its_own_time_and_keeps_the_code() {
    let (mut test, app) = alice_at_the_web(RULES);
    let token = asked(Some(test.enters_password(Here::default(), NOW)));
    let code = code_at(&app, 0, NOW);
    let before = test
        .enters_code(Here::default(), &token, &code, TrustRequest::NotAsked, NOW)
        .session;
    let later = NOW.plus(600);
    let here = Here {
        session: Some(&before),
        page: Some("/cheap"),
        ..Here::default()
    };
    let after = opened(test.enters_password(here, later));
    assert_eq!(after.passed.second, SecondFactorMethod::Code);
    assert_eq!(
        after.passed_at,
        FactorTimes {
            first: later,
            second: NOW
        }
    );
    assert_eq!(
        (after.issued, after.expires),
        (before.issued, before.expires)
    );

    // Without that session, or once it has ended, the password is all that has passed.
    for session in [None, Some(&before)] {
        let here = Here { session, ..here };
        let alone = opened(test.enters_password(here, later));
        assert!(!alone.passed.second.is_full(), "{session:?}");
    }
}

/// An exemption from the code is no recent code either: without one, the page would send the
/// browser to sign in without end.
#[test]
fn an_exemption_does_not_replace_a_recent_code() {
    let exempt = format!("{RULES}[[policy.exempt]]\nnetworks = [\"198.51.100.0/24\"]\n");
    let (mut test, app) = alice_at_the_web(&exempt);
    let at = |page| Here {
        page: Some(page),
        ..Here::default()
    };
    let by_exemption = opened(test.enters_password(at("/x"), NOW));
    assert!(!by_exemption.passed.second.is_full());
    asked(Some(test.enters_password(at("/admin"), NOW)));
    let here = Here {
        session: Some(&by_exemption),
        ..at("/admin")
    };
    let token = asked(test.reauthenticates(here, NOW));
    let code = code_at(&app, 0, NOW);
    let full = test
        .enters_code(here, &token, &code, TrustRequest::NotAsked, NOW)
        .session;
    let later = NOW.plus(600);
    let here = Here {
        session: Some(&full),
        ..at("/admin")
    };
    let token = asked(test.reauthenticates(here, later));
    let code = code_at(&app, 0, later);
    let renewed = test.enters_code(here, &token, &code, TrustRequest::NotAsked, later);
    assert_eq!(renewed.session.passed_at.second, later);
}
