//! Limits of the audit log: how many events are kept, and who can write them.

use super::*;

#[test]
fn a_million_events_are_kept() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, _) = alice_at_the_web("");
    test.sqlite()
        .execute(
            "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'event'",
            [i64::from(MAX_EVENTS) + 1],
        )
        .unwrap();
    test.at_ssh("000000", NOW);
    // two of the three earlier events were removed
    assert_eq!(
        notified(&test.events(&EventFilter::default()))
            .iter()
            .map(|e| e[0])
            .collect::<Vec<_>>(),
        ["password-set", "refused"]
    );
}

#[test]
fn what_is_older_than_400_days_goes_a_little_at_a_time() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, app) = alice_at_the_web("");
    test.fill(5, RETENTION + 1);
    let (mut old, all) = (Vec::new(), EventFilter::default());
    for number in 0..4 {
        test.at_ssh(&code_at(&app, -2, NOW.plus(number)), NOW.plus(number));
        let events = test.events(&all);
        old.push(
            events
                .iter()
                .filter(|event| event.account != name("alice"))
                .count(),
        );
    }
    assert_eq!(old, [3, 1, 0, 0]);
    test.fill(1, RETENTION - 60);
    test.at_ssh("000000", NOW);
    assert_eq!(test.count("account <> 'alice'"), 1);
}

#[test]
fn an_attempt_writes_as_little_with_a_million_events_as_with_a_thousand() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, _) = alice_at_the_web("");
    test.fill(1000, 0);
    let few = test.written_by("000000", NOW);
    // The log is full, so each new event removes one. Some events are too old as well.
    test.fill(MAX_EVENTS - test.count("1"), RETENTION - 5_000_000);
    let many = test.written_by("000001", NOW);
    // The B-trees are deeper, and the removed events lie on pages of their own.
    assert!(
        many <= few + 12 * 4120,
        "{few} bytes with a thousand events, {many} with a million"
    );
    assert!(test.count("1") < MAX_EVENTS);
}

/// Recovery codes have no bucket, and without an address nothing delays them.
#[test]
fn a_user_who_holds_a_first_factor_cannot_fill_the_log() {
    let (mut test, app) = alice_at_the_web("");
    let guess = "abcde-fghjk";
    for _ in 0..130 {
        test.attempt_by(
            "sudo",
            &Origin::Local("alice".to_owned()),
            Phase::After,
            guess,
            NOW,
        );
    }
    let refused = test.events(&EventFilter {
        kind: Some(EventKind::Refused),
        ..EventFilter::default()
    });
    assert_eq!(refused.len(), 100);
    assert_eq!(
        (refused[98].cause.as_str(), refused[99].cause.as_str()),
        ("wrong", DAILY_LIMIT_CAUSE)
    );

    // A granted access is logged all the same, and the next day every event is logged again.
    test.at_ssh(&code_at(&app, 0, NOW), NOW);
    assert_eq!(
        test.events(&EventFilter::default()).last().unwrap().kind,
        EventKind::Accepted
    );
    test.at_ssh(guess, NOW.plus(DAY));
    assert_eq!(
        test.events(&EventFilter::default()).last().unwrap().cause,
        "wrong"
    );
}

#[test]
fn a_user_who_holds_no_first_factor_writes_nothing() {
    let (mut test, app) = alice_at_the_web("");
    let before = test.events(&EventFilter::default());
    for number in 0..8 {
        let from = format!("198.51.100.{number}");
        for who in ["alice", "nobody"] {
            test.at_web(None, who, "wrong horse", "", &from);
            test.at_web(None, who, "wrong horse", &recovery(&app, 0), &from);
        }
        test.attempt_by("ftp", &remote(&from), Phase::Before, "000000", NOW);
        test.attempt_by("ftp", &remote(&from), Phase::Before, "abcde-fghjk", NOW);
    }
    assert_eq!(test.events(&EventFilter::default()), before);
}

#[test]
fn wrong_passwords_are_no_wrong_codes() {
    let (mut test, app) = alice_at_the_web("");
    for number in 1..=3 {
        test.at_web(
            None,
            "alice",
            "wrong horse",
            "",
            &format!("198.51.100.{number}"),
        );
    }
    let code = code_at(&app, -1, NOW);
    assert_eq!(
        opened(test.signs_in(None, &code, "192.0.2.7"))
            .after_login
            .missed,
        None
    );

    let later = NOW.plus(1);
    test.attempt_by(
        "ftp",
        &remote("198.51.100.9"),
        Phase::Before,
        "000000",
        later,
    );
    test.attempt_by(
        "sshd",
        &remote("198.51.100.8"),
        Phase::After,
        "000000",
        later,
    );
    let entered = test.at_ssh(&code_at(&app, 0, NOW), NOW.plus(2));
    let missed = entered.after_login.missed.unwrap();
    assert_eq!(
        (missed.count, missed.last_from.as_str()),
        (2, "198.51.100.8")
    );
}
