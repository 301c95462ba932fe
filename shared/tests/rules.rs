//! Sign-ins on the way to a page for which the gate has a rule, and upgrades of the resulting
//! sessions.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use nix::unistd::{Group, User, getuid};
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::gate::rule::RuleAccess;
use postern_shared::credential::input::Input;
use postern_shared::engine::{
    AfterCode, AfterPassword, BrowserContext, CodeSkipped, OpenedSession, RequestedPage,
    TrustRequest,
};
use postern_shared::policy::requirement::Requirement;
use postern_shared::policy::rule::{RuleReason, RuleRequest};
use postern_shared::policy::session_groups::RequestedGroups;
use postern_shared::system::network::address::Address;
use postern_shared::token::LoginToken;
use postern_shared::token::session::{SecondFactorMethod, Session};
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, code_at, code_of, name, password, recovery, remote,
};

const RULES: &str = "[[gate.rule]]\npaths = [\"/cheap\"]\nthen = \"password\"\n\
                     [[gate.rule]]\npaths = [\"/bob\"]\nusers = [\"bob\"]\nthen = \"password\"\n\
                     [[gate.rule]]\npaths = [\"/crew\"]\ngroups = [\"crew\"]\nthen = \"password\"\n\
                     [[gate.rule]]\npaths = [\"/near\"]\nnetworks = [\"192.0.2.0/24\"]\nthen = \"password\"\n\
                     [[gate.rule]]\npaths = [\"/form\"]\nmethods = [\"POST\"]\nthen = \"password\"\n\
                     [[gate.rule]]\npaths = [\"/open\"]\nthen = \"open\"\n";

/// The address of a browser, the requested page, its cookie and its session.
#[derive(Clone, Copy, Default)]
struct At<'a> {
    address: Option<&'a str>,
    page: Option<&'a str>,
    cookie: Option<&'a str>,
    session: Option<&'a Session>,
}

fn at(page: &str) -> At<'_> {
    At {
        page: Some(page),
        ..At::default()
    }
}

impl TestStore {
    fn password(&mut self, who: &str, at: At<'_>, recovery: &str) -> AfterPassword {
        let origin = remote(at.address.unwrap_or("198.51.100.7"));
        let recovery = Input::parse(recovery.as_bytes());
        self.engine
            .login()
            .enter_password(
                &at.browser(&origin),
                &name(who),
                Some(&password(PASSWORD)),
                &recovery,
                NOW,
            )
            .unwrap()
    }

    fn code(
        &mut self,
        pass: LoginToken,
        at: At<'_>,
        typed: &str,
        trust: TrustRequest,
    ) -> OpenedSession {
        let (origin, answer) = (remote("198.51.100.7"), Input::parse(typed.as_bytes()));
        match self
            .engine
            .login()
            .enter_code(&at.browser(&origin), &pass, &answer, trust, NOW)
        {
            Ok(AfterCode::Opened(opened)) => *opened,
            _ => panic!("not opened"),
        }
    }

    fn upgrades(&mut self, session: &Session) -> Option<AfterPassword> {
        self.upgrades_at(session, At::default())
    }

    fn upgrades_at(&mut self, session: &Session, at: At<'_>) -> Option<AfterPassword> {
        let origin = remote("198.51.100.7");
        self.engine
            .login()
            .upgrade_session(&at.browser(&origin), session, NOW)
            .unwrap()
    }

    fn ended(&mut self, session: &Session) -> bool {
        let mut ended = false;
        self.another()
            .sessions()
            .update_revocations(&[9; 16], None, NOW, |seen| {
                ended = seen.revoked.covers(session)
            })
            .unwrap();
        ended
    }
}

impl<'a> At<'a> {
    fn browser(self, origin: &'a postern_shared::verify::origin::Origin) -> BrowserContext<'a> {
        let page = self.page.map(|target| RequestedPage {
            host: "app.example.com",
            target,
        });
        let (cookie, session) = (self.cookie, self.session);
        BrowserContext {
            origin,
            name: "Test",
            cookie,
            scope: "example.com",
            page,
            session,
        }
    }
}

/// Returns the session that the password alone opened, and checks the rule that allowed it.
#[track_caller]
fn by_rule(after: AfterPassword, rule: usize) -> Session {
    match after {
        AfterPassword::Opened(opened) => {
            assert_eq!(opened.code_skipped, Some(CodeSkipped::Rule(rule)));
            assert_eq!(opened.cause(), format!("gate.rule-{rule}"));
            assert!(matches!(
                opened.session.passed.second,
                SecondFactorMethod::None(_)
            ));
            opened.session
        }
        _ => panic!("the password does not suffice"),
    }
}

#[track_caller]
fn asked(after: Option<AfterPassword>) -> LoginToken {
    match after {
        Some(AfterPassword::Code(token)) if token.payload().digits == 6 => *token,
        _ => panic!("no code is asked"),
    }
}

#[test]
fn on_the_way_to_where_the_password_suffices_no_code_is_asked() {
    let (mut test, _) = alice_at_the_web(RULES);
    for page in ["/cheap", "/cheap/x?y", "/che%61p/"] {
        by_rule(test.password("alice", at(page), ""), 1);
    }
    by_rule(
        test.password(
            "alice",
            At {
                address: Some("192.0.2.9"),
                ..at("/near")
            },
            "",
        ),
        4,
    );
    let causes: i64 = test.number("SELECT count(*) FROM event WHERE cause = 'gate.rule-1'");
    assert_eq!(causes, 3);
    // a sign-in to an open page needs the same as every other sign-in
    for page in [
        "/",
        "/cheapx",
        "/cheap/../x",
        "/cheap//x",
        "/bob",
        "/crew",
        "/near",
        "/form",
        "/open",
    ] {
        asked(Some(test.password("alice", at(page), "")));
    }
    asked(Some(test.password("alice", At::default(), "")));
}

#[test]
fn the_groups_that_postern_keeps_count_and_those_of_the_host_are_kept_in_the_session() {
    let me = User::from_uid(getuid()).unwrap().unwrap();
    let group = Group::from_gid(me.gid).unwrap().unwrap().name;
    let rules =
        format!("{RULES}[[gate.rule]]\ngroups = [\"{group}\", \"nobodys\"]\nthen = \"password\"\n");
    let (mut test, _) = alice_at_the_web(&rules);
    let crew = ["crew".parse().unwrap()];
    test.accounts()
        .change_groups(&name("alice"), &crew, &[], "root", NOW)
        .unwrap();
    by_rule(test.password("alice", at("/crew"), ""), 3);
    asked(Some(test.password("alice", at("/x"), "")));

    let engine = &mut test;
    engine
        .accounts()
        .set_password(&name(&me.name), &password(PASSWORD), "root", NOW)
        .unwrap();
    test.enrols(&me.name);
    let session = by_rule(test.password(&me.name, at("/x"), ""), 7);
    let asks = RequestedGroups::from_config(&test.config);
    let answered = session.host_groups.read_for(&asks).unwrap();
    assert_eq!(answered.confirmed().collect::<Vec<_>>(), [group]);
}

#[test]
fn a_code_raises_the_session_under_another_name_and_ends_the_one_before() {
    let (mut test, app) = alice_at_the_web(RULES);
    let before = by_rule(test.password("alice", at("/cheap"), ""), 1);
    let pass = asked(test.upgrades(&before));
    let here = At {
        session: Some(&before),
        ..At::default()
    };
    let opened = test.code(pass, here, &code_of(&app, 0), TrustRequest::NotAsked);
    assert_eq!(opened.session.passed.second, SecondFactorMethod::Code);
    assert_ne!(opened.session.id, before.id);
    assert!(test.ended(&before) && !test.ended(&opened.session));
}

/// A new sign-in ends the session that this browser had. Other browsers keep theirs.
#[test]
fn a_new_session_ends_the_one_that_the_browser_had_and_no_other() {
    let (mut test, _) = alice_at_the_web(RULES);
    let elsewhere = by_rule(test.password("alice", at("/cheap"), ""), 1);
    let before = by_rule(test.password("alice", at("/cheap"), ""), 1);
    let here = At {
        session: Some(&before),
        ..at("/cheap")
    };
    let after = by_rule(test.password("alice", here, ""), 1);
    assert!(test.ended(&before) && !test.ended(&elsewhere) && !test.ended(&after));
}

#[test]
fn what_ended_all_sessions_leaves_nothing_to_upgrade() {
    let (mut test, _) = alice_at_the_web(RULES);
    let session = by_rule(test.password("alice", at("/cheap"), ""), 1);
    test.sets_password("alice");
    assert!(test.upgrades(&session).is_none());
}

#[test]
fn a_session_that_was_ended_by_itself_cannot_be_upgraded() {
    let (mut test, _) = alice_at_the_web(RULES);
    let session = by_rule(test.password("alice", at("/cheap"), ""), 1);
    test.sessions().sign_out(session.id).unwrap();
    assert!(test.upgrades(&session).is_none());
}

/// The browser became trusted in another session or was trusted before, so no code is asked for.
#[test]
fn in_a_trusted_browser_a_session_is_upgraded_by_itself() {
    let (mut test, app) = alice_at_the_web(RULES);
    let before = by_rule(test.password("alice", at("/cheap"), ""), 1);
    let pass = asked(Some(test.password("alice", At::default(), "")));
    let trusted = test.code(pass, At::default(), &code_of(&app, 0), TrustRequest::Asked);
    let cookie = trusted.browser_cookie.unwrap();
    let here = At {
        cookie: Some(&cookie),
        session: Some(&before),
        ..At::default()
    };
    let Some(AfterPassword::Opened(opened)) = test.upgrades_at(&before, here) else {
        panic!("not opened")
    };
    assert_eq!(
        opened.session.passed.second,
        SecondFactorMethod::TrustedBrowser
    );
    assert!(test.ended(&before) && !test.ended(&opened.session) && !test.ended(&trusted.session));
}

/// A recovery code or a trusted browser proves more than the password, so the code is not asked for
/// again.
#[test]
fn a_trusted_browser_and_a_recovery_code_open_all_at_once() {
    let (mut test, app) = alice_at_the_web(RULES);
    let pass = asked(Some(test.password("alice", At::default(), "")));
    let trusted = test.code(pass, At::default(), &code_of(&app, 0), TrustRequest::Asked);
    let cookie = trusted.browser_cookie.unwrap();
    let here = At {
        cookie: Some(&cookie),
        ..at("/cheap")
    };
    let by_trust = test.password("alice", here, "");
    let by_recovery = test.password("alice", at("/cheap"), &recovery(&app, 0));
    for (after, second) in [
        (by_trust, SecondFactorMethod::TrustedBrowser),
        (by_recovery, SecondFactorMethod::RecoveryCode),
    ] {
        let AfterPassword::Opened(opened) = after else {
            panic!("not opened")
        };
        assert_eq!(
            (opened.session.passed.second, opened.code_skipped),
            (second, None)
        );
    }
}

#[test]
fn a_user_who_must_enrol_enters_where_the_password_suffices_and_nowhere_else() {
    let (mut test, _) = alice_at_the_web(&format!("[policy]\nrequired = \"all\"\n{RULES}"));
    test.sets_password("bob");
    let session = by_rule(test.password("bob", at("/bob"), ""), 2);
    assert!(
        test.upgrades(&session).is_none(),
        "there is no code to ask for"
    );
    assert!(matches!(
        test.password("bob", at("/"), ""),
        AfterPassword::Enroll(_)
    ));
}

#[test]
fn a_rehearsal_says_what_a_request_would_meet_and_writes_nothing() {
    let (mut test, _) = alice_at_the_web(RULES);
    let before = test.bytes();
    let mut rehearse = |who: &str, target: &str| {
        let address = Address::parse("192.0.2.9");
        let request = RuleRequest {
            host: "app.example.com",
            target,
            method: "GET",
            address,
        };
        let output = test.policy().test_rules(&name(who), &request).unwrap();
        (
            output.decision.access,
            output.decision.rule,
            output.decision.reason,
            output.requirement,
        )
    };
    assert_eq!(
        rehearse("bob", "/bob"),
        (RuleAccess::Password, Some(2), RuleReason::FirstMatch, None)
    );
    assert_eq!(
        rehearse("alice", "/bob"),
        (
            RuleAccess::Code,
            None,
            RuleReason::FirstMatch,
            Some(Requirement::Code)
        )
    );
    assert_eq!(
        rehearse("nobody", "/"),
        (
            RuleAccess::Code,
            None,
            RuleReason::FirstMatch,
            Some(Requirement::Nothing)
        )
    );
    assert_eq!(rehearse("alice", "/near/../x").0, RuleAccess::Code);
    assert!(test.bytes() == before);
}

/// The lifetime of a session is absolute. The session that replaces it after an upgrade, by a code,
/// a trusted browser or an exemption, expires no later.
#[test]
fn an_upgraded_session_lasts_no_longer_than_the_original() {
    let exempt = "[[policy.exempt]]\nnetworks = [\"203.0.113.0/24\"]\n";
    let (mut test, app) = alice_at_the_web(&format!("{RULES}{exempt}"));
    let late = NOW.plus(11 * 3600);
    let pass = asked(Some(test.password("alice", At::default(), "")));
    let trusted = test
        .code(pass, At::default(), &code_of(&app, 0), TrustRequest::Asked)
        .browser_cookie
        .unwrap();
    let begun = |test: &mut TestStore| by_rule(test.password("alice", at("/cheap"), ""), 1);
    let upgrade = |test: &mut TestStore, session: &Session, cookie: Option<&str>, from: &str| {
        let origin = remote(from);
        let at = At {
            cookie,
            session: Some(session),
            ..At::default()
        };
        test.login()
            .upgrade_session(&at.browser(&origin), session, late)
            .unwrap()
    };

    let first = begun(&mut test);
    let Some(AfterPassword::Opened(opened)) =
        upgrade(&mut test, &first, Some(&trusted), "198.51.100.7")
    else {
        panic!("the browser is trusted");
    };
    assert_eq!(opened.session.issued, first.issued);
    let second = begun(&mut test);
    let Some(AfterPassword::Opened(opened)) = upgrade(&mut test, &second, None, "203.0.113.9")
    else {
        panic!("no code is asked there");
    };
    let none = SecondFactorMethod::None(Enrolled::Yes);
    assert_eq!(
        (opened.session.issued, opened.session.passed.second),
        (second.issued, none)
    );
    let third = begun(&mut test);
    let pass = asked(upgrade(&mut test, &third, None, "198.51.100.7"));
    let answer = Input::parse(code_at(&app, 0, late).as_bytes());
    let (origin, at) = (
        remote("198.51.100.7"),
        At {
            session: Some(&third),
            ..At::default()
        },
    );
    match test.login().enter_code(
        &at.browser(&origin),
        &pass,
        &answer,
        TrustRequest::NotAsked,
        late,
    ) {
        Ok(AfterCode::Opened(opened)) => assert_eq!(opened.session.issued, third.issued),
        _ => panic!("not opened"),
    }
    let kept = test.sessions_of("alice", late);
    assert!(
        kept.iter().all(|kept| kept.expires <= NOW.plus(12 * 3600)),
        "{kept:?}"
    );
}
