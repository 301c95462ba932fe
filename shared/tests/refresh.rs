//! Token delivery in headers: the refresh token, which gets a session's next access token.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::engine::AfterRefresh;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::system::clock::Timestamp;
use postern_shared::token::RefreshToken;
use postern_shared::token::session::Session;
use test_store::{
    NOW, TestStore, alice_at_the_web, assert_contains, code_of, name, password, remote, signs_in,
};

/// Signs in with the code of the given time.
fn enters(test: &mut TestStore, pending: &PendingEnrollment, now: Timestamp) -> Session {
    let code = code_of(pending, i64::try_from((now.0 - NOW.0) / 30).unwrap());
    signs_in(test, &remote("192.0.2.7"), &code, now)
}

/// Returns the first refresh token of a session.
fn first_of(test: &TestStore, session: &Session) -> RefreshToken {
    RefreshToken::issue_first(session, &test.token_keys(), session.issued).unwrap()
}

/// The newest refresh token is accepted once. An older one ends its session, and the other sessions
/// go on.
#[test]
fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let (mut test, pending) = alice_at_the_web("");
    let (session, other) = (
        enters(&mut test, &pending, NOW),
        enters(&mut test, &pending, NOW.plus(30)),
    );
    let from = remote("192.0.2.7");
    let now = NOW.plus(60);
    let first = first_of(&test, &session);
    let mut newest = first.clone();
    for number in 1..=3 {
        let after = test.login().refresh_session(newest, &from, now).unwrap();
        let AfterRefresh::Next(next) = after else {
            panic!("{after:?}")
        };
        assert_eq!(
            (next.number(), next.session(&test.token_keys()).as_ref()),
            (number, Some(&session))
        );
        newest = *next;
    }
    assert_eq!(
        test.login().refresh_session(first, &from, now).unwrap(),
        AfterRefresh::Reused
    );
    assert_eq!(
        test.login().refresh_session(newest, &from, now).unwrap(),
        AfterRefresh::SessionEnded,
        "the thief's, too"
    );
    let filter = EventFilter {
        kind: Some(EventKind::SessionRevoked),
        ..EventFilter::default()
    };
    let events = test.audit_log().list_events(&filter, 0, 10).unwrap();
    assert_eq!(events.len(), 1);
    assert_contains(&events[0].1.cause, "old refresh token");
    let left: Vec<_> = test
        .sessions_of("alice", now)
        .into_iter()
        .map(|s| s.id)
        .collect();
    assert_eq!(left, [other.id]);
    let again = first_of(&test, &other);
    assert!(matches!(
        test.login().refresh_session(again, &from, now).unwrap(),
        AfterRefresh::Next(_)
    ));
}

/// Of two simultaneous requests with one refresh token at most one is granted, and afterwards the
/// session has ended.
#[test]
fn of_two_racers_with_one_refresh_token_at_most_one_is_given_the_next() {
    let (mut test, pending) = alice_at_the_web("");
    let session = enters(&mut test, &pending, NOW);
    let racers: Vec<_> = (0..4)
        .map(|_| {
            let (mut engine, shown) = (test.another(), first_of(&test, &session));
            std::thread::spawn(move || {
                engine
                    .login()
                    .refresh_session(shown, &remote("192.0.2.7"), NOW)
                    .unwrap()
            })
        })
        .collect();
    let after: Vec<_> = racers
        .into_iter()
        .map(|racer| racer.join().unwrap())
        .collect();
    let next = after
        .iter()
        .filter(|after| matches!(after, AfterRefresh::Next(_)))
        .count();
    let used = after
        .iter()
        .filter(|after| **after == AfterRefresh::Reused)
        .count();
    assert_eq!((next, used), (1, 1), "{after:?}");
    assert!(test.sessions_of("alice", NOW).is_empty());
}

/// A session that was revoked, that expired, or that ended with all sessions of the account is not
/// refreshed.
#[test]
fn a_session_that_is_over_is_not_refreshed() {
    let from = remote("192.0.2.7");
    for by in ["its end", "sign-out", "a new password"] {
        let (mut test, pending) = alice_at_the_web("");
        let session = enters(&mut test, &pending, NOW);
        let shown = first_of(&test, &session);
        let mut now = NOW.plus(60);
        match by {
            "its end" => now = NOW.plus(12 * 3600),
            "sign-out" => test.another().sessions().sign_out(session.id).unwrap(),
            _ => {
                test.another()
                    .accounts()
                    .set_password(&name("alice"), &password("another one"), "root", now)
                    .unwrap();
            }
        }
        assert_eq!(
            test.login().refresh_session(shown, &from, now).unwrap(),
            AfterRefresh::SessionEnded,
            "{by}"
        );
    }
}
