//! The audit log on a real store in a temporary folder: what it contains, what it never contains,
//! and what it costs.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod limits;
#[path = "../test_store/mod.rs"]
mod test_store;

use postern_shared::account::event::{
    AuditEvent, DAILY_LIMIT_CAUSE, DAY, EventFilter, EventKind, MAX_EVENTS, RETENTION,
};
use postern_shared::credential::input::Input;
use postern_shared::engine::{
    AfterCode, AfterPassword, COMMAND, OpenedSession, TrustRequest, VerificationRequest,
    VerifiedAttempt,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, browser_with, code_at, name, password, recovery,
    remote, request,
};

impl TestStore {
    fn attempt_by(
        &mut self,
        service: &str,
        origin: &Origin,
        phase: Phase,
        typed: &str,
        now: Timestamp,
    ) -> VerifiedAttempt {
        let name = name("alice");
        let asked = VerificationRequest {
            phase,
            service,
            ..request(&name, origin)
        };
        self.engine
            .verification()
            .verify_input(&asked, &Input::parse(typed.as_bytes()), now)
            .unwrap()
    }

    fn at_ssh(&mut self, typed: &str, now: Timestamp) -> VerifiedAttempt {
        self.attempt_by("sshd", &remote("192.0.2.7"), Phase::After, typed, now)
    }

    fn at_web(
        &mut self,
        cookie: Option<&str>,
        who: &str,
        typed: &str,
        recovery: &str,
        from: &str,
    ) -> AfterPassword {
        let origin = remote(from);
        let browser = browser_with(&origin, cookie);
        let recovery = Input::parse(recovery.as_bytes());
        self.engine
            .login()
            .enter_password(&browser, &name(who), Some(&password(typed)), &recovery, NOW)
            .unwrap()
    }

    /// Signs alice in at the web with her password and a code.
    fn signs_in(&mut self, cookie: Option<&str>, typed: &str, from: &str) -> AfterCode {
        let AfterPassword::Code(pass) = self.at_web(cookie, "alice", PASSWORD, "", from) else {
            panic!("no code is asked")
        };
        let origin = remote(from);
        let browser = browser_with(&origin, cookie);
        let answer = Input::parse(typed.as_bytes());
        self.engine
            .login()
            .enter_code(&browser, &pass, &answer, TrustRequest::Asked, NOW)
            .unwrap()
    }

    fn events(&mut self, filter: &EventFilter) -> Vec<AuditEvent> {
        let events = self
            .engine
            .audit_log()
            .list_events(filter, 0, 10_000)
            .unwrap();
        events.into_iter().map(|(_, event)| event).collect()
    }

    fn count(&self, condition: &str) -> u32 {
        let sql = format!("SELECT count(*) FROM event WHERE {condition}");
        self.number(&sql)
    }

    /// Inserts events that are `seconds` old.
    fn fill(&self, count: u32, seconds: u64) {
        let sql = format!(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count}) \
             INSERT INTO event (at, account, kind, service, origin, principal, cause) \
             SELECT {} - 10 * ({count} - n), 'user' || (n % 1000), 'accepted', 'sshd', '192.0.2.7', \
                    'user' || (n % 1000), 'code' FROM number",
            NOW.minus(seconds).0
        );
        let store = self.sqlite();
        store.execute_batch(&sql).unwrap();
        store
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
    }

    /// Returns how many bytes one attempt writes.
    fn written_by(&mut self, typed: &str, now: Timestamp) -> u64 {
        self.sqlite()
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        self.at_ssh(typed, now);
        fs::metadata(self.folder.path().join("store/db-wal"))
            .unwrap()
            .len()
    }
}

#[track_caller]
fn opened(after: AfterCode) -> OpenedSession {
    match after {
        AfterCode::Opened(opened) => *opened,
        AfterCode::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

/// Returns event kind, actor, service, origin and cause of each event.
fn notified(events: &[AuditEvent]) -> Vec<[&str; 5]> {
    let notified = |e| {
        let AuditEvent {
            kind: what,
            principal: actor,
            service: engine,
            origin,
            cause,
            ..
        }: &AuditEvent = e;
        [
            what.name(),
            actor.as_str(),
            engine.as_str(),
            origin.as_str(),
            cause.as_str(),
        ]
    };
    events.iter().map(notified).collect()
}

#[test]
fn an_event_says_who_did_what_at_which_service_from_where_and_why() {
    let (mut test, app) = alice_at_the_web("");
    test.at_ssh(&code_at(&app, -2, NOW), NOW);
    test.at_ssh(&code_at(&app, 3, NOW), NOW);
    test.at_ssh(&code_at(&app, 0, NOW), NOW);
    let carol = Origin::Local("carol".to_owned());
    test.attempt_by(COMMAND, &carol, Phase::After, &code_at(&app, 1, NOW), NOW);
    opened(test.signs_in(None, &recovery(&app, 0), "198.51.100.1"));
    test.unlocks("alice", "carol", NOW);

    let events = test.events(&EventFilter::default());
    assert!(events.iter().all(|event| event.account == name("alice")));
    let by_hand = "local user carol";
    assert_eq!(
        notified(&events),
        [
            ["account-added", "root", "postern", "local user root", ""],
            ["enrolled", "root", "postern", "local user root", ""],
            ["password-set", "root", "postern", "local user root", ""],
            ["refused", "alice", "sshd", "192.0.2.7", "behind-2-steps"],
            ["refused", "alice", "sshd", "192.0.2.7", "ahead-3-steps"],
            ["accepted", "alice", "sshd", "192.0.2.7", "code"],
            ["accepted", "carol", "postern", by_hand, "code"],
            ["accepted", "alice", "web", "198.51.100.1", "recovery-code"],
            ["unlocked", "carol", "postern", by_hand, ""],
        ]
    );
}

#[test]
fn filters_narrow_and_the_newest_are_meant() {
    let (mut test, _) = alice_at_the_web("");
    test.accounts()
        .add_account(
            &name("bob"),
            postern_shared::account::name::Distinct::No,
            "carol",
            NOW.plus(60),
        )
        .unwrap();
    test.at_ssh("000000", NOW.plus(120));
    let mut of = |filter: EventFilter| {
        notified(&test.events(&filter))
            .into_iter()
            .map(|event| event[0].to_owned())
            .collect::<Vec<_>>()
    };

    assert_eq!(
        of(EventFilter {
            account: Some(name("bob")),
            ..EventFilter::default()
        }),
        ["account-added"]
    );
    assert_eq!(
        of(EventFilter {
            kind: Some(EventKind::AccountAdded),
            ..EventFilter::default()
        })
        .len(),
        2
    );
    assert_eq!(
        of(EventFilter {
            service: Some("sshd".to_owned()),
            ..EventFilter::default()
        }),
        ["refused"]
    );
    let since = EventFilter {
        since: Some(NOW.plus(60)),
        ..EventFilter::default()
    };
    assert_eq!(of(since.clone()), ["account-added", "refused"]);
    let until = EventFilter {
        until: Some(NOW.plus(119)),
        ..since
    };
    assert_eq!(of(until), ["account-added"]);

    let all = EventFilter::default();
    let last = test.audit_log().before_newest(&all, 2).unwrap();
    assert_eq!(
        notified(
            &test
                .audit_log()
                .list_events(&all, last, 10)
                .unwrap()
                .into_iter()
                .map(|(_, e)| e)
                .collect::<Vec<_>>()
        )[0][0],
        "account-added"
    );
    assert_eq!(test.audit_log().before_newest(&all, 100).unwrap(), 0);
    let newest = test.audit_log().before_newest(&all, 0).unwrap();
    assert!(
        test.audit_log()
            .list_events(&all, newest, 10)
            .unwrap()
            .is_empty()
    );
}

/// Makes attempts of every kind, with secrets that the test knows.
#[test]
fn no_event_holds_a_secret_or_what_was_typed() {
    let (mut test, app) = alice_at_the_web("");
    let mut secrets = vec![
        PASSWORD.to_owned(),
        "wrong horse".to_owned(),
        "000000".to_owned(),
        "abcde-fghjk".to_owned(),
        "abcdefghjk".to_owned(),
        "typed by mistake".to_owned(),
        app.secret().to_base32().to_string(),
    ];
    for number in 0..6 {
        let grouped = recovery(&app, number);
        secrets.extend([grouped.replace('-', ""), grouped]);
    }
    secrets.extend((-20..=20).map(|offset| code_at(&app, offset, NOW)));

    let sudo = Origin::Local("alice".to_owned());
    let typed = [
        code_at(&app, -2, NOW),
        code_at(&app, 3, NOW),
        code_at(&app, 0, NOW),
        code_at(&app, 0, NOW),
        "000000".to_owned(),
        "typed by mistake".to_owned(),
        "abcde-fghjk".to_owned(),
        recovery(&app, 0),
        recovery(&app, 0),
    ];
    for (service, origin) in [
        ("sshd", &remote("192.0.2.7")),
        ("sudo", &sudo),
        ("-", &Origin::Unknown),
    ] {
        for typed in &typed {
            test.attempt_by(service, origin, Phase::Before, typed, NOW);
            test.attempt_by(service, origin, Phase::After, typed, NOW);
        }
    }
    test.unlocks("alice", "carol", NOW);
    test.at_web(
        None,
        "alice",
        "wrong horse",
        &recovery(&app, 1),
        "198.51.100.1",
    );
    assert!(matches!(
        test.signs_in(None, "000000", "198.51.100.2"),
        AfterCode::Refused(_)
    ));
    let session = opened(test.signs_in(None, &code_at(&app, 1, NOW), "198.51.100.3"));
    let cookie = session.browser_cookie.unwrap().to_string();
    let AfterPassword::Opened(trusted) =
        test.at_web(Some(&cookie), "alice", PASSWORD, "", "198.51.100.3")
    else {
        panic!("a code is asked")
    };
    let newer = trusted.browser_cookie.unwrap().to_string();
    let AfterPassword::Opened(again) =
        test.at_web(Some(&newer), "alice", PASSWORD, "", "198.51.100.3")
    else {
        panic!("a code is asked")
    };
    let newest = again.browser_cookie.unwrap().to_string();
    // the cookie is used a second time, as a thief does
    test.at_web(
        Some(&cookie),
        "alice",
        PASSWORD,
        &recovery(&app, 1),
        "198.51.100.4",
    );
    test.lowers_floors("alice", "carol", NOW);
    test.sessions()
        .revoke_sessions(&name("alice"), None, "carol", NOW)
        .unwrap();
    test.disables("alice", "carol", NOW);
    secrets.extend([cookie, newer, newest, session.session.id.to_string()]);

    let events = test.events(&EventFilter::default());
    let kinds: std::collections::HashSet<_> =
        events.iter().map(|event| event.kind.name()).collect();
    assert!(kinds.len() >= 8 && events.len() > 20, "{kinds:?}");
    let causes: std::collections::HashSet<_> =
        events.iter().map(|event| event.cause.as_str()).collect();
    for cause in [
        "wrong",
        "code",
        "recovery-code",
        "trusted-browser",
        "behind-2-steps",
        "ahead-3-steps",
    ] {
        assert!(causes.contains(cause), "{cause}: {causes:?}");
    }
    for AuditEvent {
        service: engine,
        origin,
        principal: actor,
        cause,
        ..
    } in &events
    {
        for text in [engine, origin, actor, cause] {
            let text = text.to_lowercase();
            let notified = secrets
                .iter()
                .find(|secret| text.contains(&secret.to_lowercase()));
            assert_eq!(notified, None, "{text}");
        }
    }
}

#[test]
fn a_delayed_locked_or_used_result_writes_nothing() {
    let (mut test, app) = alice_at_the_web("");
    let code = code_at(&app, 0, NOW);
    test.at_ssh(&code, NOW);
    for _ in 0..5 {
        test.at_ssh("000000", NOW);
    }
    let before = test.events(&EventFilter::default()).len();
    for typed in [code.as_str(), "000000", "no code"] {
        assert!(test.at_ssh(typed, NOW).result.is_err());
    }
    assert_eq!(test.events(&EventFilter::default()).len(), before);
}

/// PostgreSQL numbers events before their commits: `postern log --follow` misses none that is
/// committed after one with a larger number.
#[test]
fn an_event_that_is_committed_late_is_followed() {
    let mut test = TestStore::new("");
    let Some(database) = test.folder.database.as_deref().cloned() else {
        return;
    };
    let began = AtomicBool::new(false);
    let committed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            database.in_transaction(
                "INSERT INTO event (at, account, kind, service, origin, principal, cause) \
                 VALUES (1, 'late', 'accepted', 'sshd', '-', 'late', '')",
                || {
                    began.store(true, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_secs(1));
                    committed.store(true, Ordering::SeqCst);
                },
            );
        });
        while !began.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        test.adds_account("early");
        let newest = test
            .audit_log()
            .before_newest(&EventFilter::default(), 0)
            .unwrap();
        let seen = test.all_events();
        assert_eq!(seen.len(), 1, "the late one is not seen: {seen:?}");
        assert!(!committed.load(Ordering::SeqCst));
        let settled = test.audit_log().settled_number().unwrap().unwrap();
        assert!(committed.load(Ordering::SeqCst), "it did not wait");
        assert!(settled >= newest);
        let seen = test
            .audit_log()
            .list_events_until(&EventFilter::default(), (0, settled), 100)
            .unwrap();
        let names: Vec<String> = seen
            .iter()
            .map(|(_, one)| one.account.to_string())
            .collect();
        assert_eq!(names, ["late", "early"]);
    });
}

#[test]
fn a_page_ends_at_the_settled_number() {
    let mut test = TestStore::new("");
    assert_eq!(test.audit_log().settled_number().unwrap(), Some(0));
    test.adds_account("alice");
    let settled = test.audit_log().settled_number().unwrap().unwrap();
    test.adds_account("bob");
    let mut log = test.audit_log();
    let every = EventFilter::default();
    let first = log.list_events_until(&every, (0, settled), 100).unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].0, settled);
    let rest = log
        .list_events_until(&every, (settled, i64::MAX), 100)
        .unwrap();
    assert_eq!(rest.len(), 1);
}
