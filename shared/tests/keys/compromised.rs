//! Keys that were compromised: what depended on them ends, also after an interrupted renewal.

use super::*;

#[test]
fn keys_that_were_compromised_take_with_them_what_hung_on_them_and_nothing_else() {
    let (mut test, alice) = alice("");
    test.enrols("bob");
    test.sets_password("alice");
    let opened = signs_in(&mut test, "alice", None, Some(&code_of(&alice, -1))).unwrap();
    let cookie = opened.session.to_cookie(&opened.keys);
    let mut before = test.another();
    let expected = test.keys().list_key_bound(NOW).unwrap();

    let ended = test.rotates(Renewal::All).ended;
    assert_eq!(ended, expected);
    let of_alice = [
        (KeyBound::Password, 1),
        (KeyBound::RecoveryCodes, 6),
        (KeyBound::Browsers, 1),
        (KeyBound::Sessions, 1),
    ];
    assert_eq!(ended[&name("alice")], of_alice);
    assert_eq!(ended[&name("bob")], [(KeyBound::RecoveryCodes, 6)]);
    assert!(test.keys().list_key_bound(NOW).unwrap().is_empty());

    let mut after = test.another();
    for engine in [&mut before, &mut after] {
        refuses(
            engine,
            "alice",
            &alice.recovery_codes()[0].grouped(),
            Refusal::Malformed,
        );
        assert!(
            signs_in(engine, "alice", None, None).is_none(),
            "the password is over"
        );
    }
    assert_eq!(Session::from_cookie(&cookie, &after.token_keys()), None);
    refuses(
        &mut after,
        "alice",
        &code_of(&alice, -1),
        Refusal::Used { wait: 0 },
    );
    accepts(&mut after, "alice", &code_of(&alice, 0));

    after
        .accounts()
        .set_password(&name("alice"), &password(PASSWORD), "root", NOW)
        .unwrap();
    let trusted = opened.browser_cookie.as_deref().map(String::as_str);
    assert!(
        signs_in(&mut after, "alice", trusted, None).is_none(),
        "the browser is trusted no longer"
    );
    assert!(signs_in(&mut after, "alice", None, Some(&code_of(&alice, 1))).is_some());
}

/// Accounts that are older than alice's, and the number of accounts that are cleared in one
/// transaction.
const OTHERS: i64 = 120;
const AT_ONCE: i64 = 50;
const HERE: &str = "192.0.2.7";

/// Returns a store after an interrupted renewal of all keys. Alice has one of each credential that
/// depends on keys, and comes after many accounts. The renewal failed at an account before her,
/// whose row is too large to read.
fn cut_off() -> (TestStore, PendingEnrollment, OpenedSession) {
    let mut test = TestStore::new("");
    let others = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {OTHERS}) \
         INSERT INTO account (name, name_key, created) SELECT 'other' || i, 'other' || i, 0 FROM n; \
         INSERT INTO recovery_code (account, hash, length) SELECT id, randomblob(32), 16 FROM account"
    );
    test.changes(&others);
    let alice = test.enrols("alice");
    test.sets_password("alice");
    let label = "mail".parse().unwrap();
    let scope = "pam:dovecot".parse().unwrap();
    test.app_passwords()
        .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
        .unwrap();
    let opened = signs_in(&mut test, "alice", None, Some(&code_of(&alice, -1))).unwrap();
    let here = attempt_at(
        &mut test,
        "alice",
        &remote(HERE),
        Phase::After,
        &code_of(&alice, 0),
        NOW,
    );
    assert!(here.result.is_ok() && spares(&mut test));
    test.changes("UPDATE account SET member_of = hex(zeroblob(25000000)) WHERE name = 'other110'");
    let error = test
        .keys()
        .rotate_keys(Renewal::All, "root", NOW)
        .unwrap_err();
    assert!(matches!(error, RotationError::Engine(_)), "{error}");
    test.changes("UPDATE account SET member_of = '' WHERE name = 'other110'");
    (test, alice, opened)
}

fn spares(engine: &mut Engine) -> bool {
    let (alice, origin) = (name("alice"), remote(HERE));
    let login = request(&alice, &origin);
    engine
        .verification()
        .check_grace_period(&login, GracePeriod::new(3600), NOW)
        .unwrap()
        == WithinGrace::Yes
}

impl TestStore {
    fn count(&self, what: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {what}"))
    }
}

/// The fault: all logins waited while the rows of every account were read and removed.
#[test]
fn what_hung_on_renewed_keys_is_over_at_once_and_removed_a_few_accounts_at_a_time() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone, whose limit of a value cuts the rotation off
    }
    let (mut test, alice, opened) = cut_off();
    let of_alice = "recovery_code JOIN account ON account.id = account WHERE name = 'alice'";
    let (all, hers) = (test.count("recovery_code"), test.count(of_alice));
    let left = OTHERS % AT_ONCE;
    assert_eq!(
        (all - hers, hers),
        (left, 6),
        "what was removed before the end stays removed, hers is there"
    );

    let status = test.accounts().account_status(&name("alice")).unwrap();
    assert_eq!(status.tally.recovery_codes, 0, "and not told of");
    assert!(test.sessions_of("alice", NOW).is_empty());
    assert!(test.trusted_browsers_of("alice", NOW).is_empty());
    assert!(
        test.app_passwords()
            .list_app_passwords(None)
            .unwrap()
            .is_empty()
    );
    assert!(!spares(&mut test), "grace");
    let cookie = opened.session.to_cookie(&opened.keys);
    assert_eq!(Session::from_cookie(&cookie, &test.token_keys()), None);
    assert!(
        signs_in(&mut test, "alice", None, None).is_none(),
        "the password"
    );
    refuses(
        &mut test,
        "alice",
        &alice.recovery_codes()[0].grouped(),
        Refusal::Malformed,
    );
    refuses(
        &mut test.another(),
        "alice",
        &code_of(&alice, 0),
        Refusal::Used { wait: 15 },
    );
}

#[test]
fn a_renewal_that_was_cut_off_is_finished_by_the_next_rotation_and_leaves_what_is_newer() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone, whose limit of a value cuts the rotation off
    }
    let (mut test, alice, opened) = cut_off();
    test.sets_password("alice");
    test.issues_one_time_code("alice", NOW);
    assert_eq!(test.master_keys(), 2);
    test.rotates(Renewal::Seal);
    assert_eq!(test.master_keys(), 1);
    for (table, left) in [
        ("recovery_code", 0),
        ("app_password", 0),
        ("session", 0),
        ("one_time_code", 1),
    ] {
        assert_eq!(test.count(table), left, "{table}");
    }
    assert_eq!(
        test.count("account WHERE at_renewal < (SELECT number FROM renewal)"),
        0
    );
    let trusted = opened.browser_cookie.as_deref().map(String::as_str);
    assert!(
        signs_in(&mut test, "alice", trusted, None).is_none(),
        "the browser is trusted no longer"
    );
    assert!(signs_in(&mut test, "alice", None, Some(&code_of(&alice, 1))).is_some());
}

#[test]
fn a_renewal_that_was_cut_off_reports_at_the_next_what_had_ended_and_was_still_there() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone, whose limit of a value cuts the rotation off
    }
    let (mut test, ..) = cut_off();
    let ended = test.rotates(Renewal::All).ended;
    assert_eq!(ended.len() as i64, OTHERS % AT_ONCE + 1);
    assert_eq!(
        ended[&name("alice")].len(),
        5,
        "{:?}",
        ended[&name("alice")]
    );
}

/// The remaining rows are removed without another rotation.
#[test]
fn a_gate_that_clears_the_store_removes_what_ended_with_its_keys() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone, whose limit of a value cuts the rotation off
    }
    let (mut test, ..) = cut_off();
    test.app_passwords().remove_expired_rows(NOW).unwrap();
    assert_eq!(
        test.count("recovery_code") + test.count("app_password") + test.count("session"),
        0
    );
    assert_eq!(test.count("account WHERE password IS NOT NULL"), 0);
}

/// The used steps of a removed secret cannot get a new fingerprint, because the secret is not in
/// the store. Their old fingerprint stays valid, so that no code is accepted twice.
#[test]
fn a_used_code_of_a_removed_authenticator_stays_used_after_all_keys_were_renewed_twice() {
    let (mut test, alice) = alice("");
    accepts(&mut test, "alice", &code_of(&alice, 0));
    test.disables("alice", "root", NOW);
    test.rotates(Renewal::All);
    test.rotates(Renewal::Seal);
    test.rotates(Renewal::All);
    test.activates(&alice);
    refuses(
        &mut test,
        "alice",
        &code_of(&alice, 0),
        Refusal::Used { wait: 15 },
    );
    accepts(&mut test, "alice", &code_of(&alice, 1));
    refuses(
        &mut test.another(),
        "alice",
        &code_of(&alice, 1),
        Refusal::Used { wait: 45 },
    );
}

/// A sign-in between password and code ends when the keys are replaced.
#[test]
fn a_sign_in_in_flight_does_not_outlive_the_keys_it_began_with() {
    let (mut test, alice) = alice_at_the_web("");
    let origin = remote("192.0.2.7");
    let browser = browser(&origin);
    let mut before = test.another();
    let asked = before.login().enter_password(
        &browser,
        &name("alice"),
        Some(&password(PASSWORD)),
        &Input::parse(b""),
        NOW,
    );
    let AfterPassword::Code(pass) = asked.unwrap() else {
        panic!("no code is asked")
    };
    test.rotates(Renewal::All);
    let answer = Input::parse(code_of(&alice, 0).as_bytes());
    let after = before
        .login()
        .enter_code(&browser, &pass, &answer, TrustRequest::NotAsked, NOW);
    assert!(matches!(
        after.unwrap(),
        AfterCode::Refused(Refusal::Expired)
    ));
}
