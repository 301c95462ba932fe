//! How secrets and recovery codes are stored, and what is shown of them once.

use crate::acts::{asks, attempts, one_more};
use crate::test_store::{
    NOW, PASSWORD, TestStore, accepted, alice, alice_at_the_web, assert_contains, browser, code_of,
    name, password, remote,
};
use postern_shared::config::file;
use postern_shared::credential::input::Input;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::credential::otp::secret::Secret;
use postern_shared::credential::otp::totp::{Step, generate_code};
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::engine::{
    AdministrationError, AfterEnrollment, AfterEnrollmentCode, AfterPassword, AfterStepUp, Engine,
    EngineError, ShownEnrollment,
};
use postern_shared::protocol::command_request::Operation;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::collections::HashSet;
use std::fs;

/// The secret is removed also while another process has the store open.
#[test]
fn trap_01_secret_removed_in_the_manual_kept_in_the_store() {
    let (mut test, _) = alice("");
    let other = test.another();
    let token = PendingEnrollment::further(&test.config, &name("alice"))
        .unwrap()
        .with_label("token".parse().unwrap());
    test.activates(&token);
    let [of_app, of_token] = test.sealed().try_into().unwrap();
    assert!(test.holds(&of_app) && test.holds(&of_token) && !test.holds(token.secret().expose()));
    test.enrollment()
        .remove_authenticator(&name("alice"), token.label(), "root", NOW)
        .unwrap();
    assert!(!test.holds(&of_token) && test.holds(&of_app));
    test.disables("alice", "root", NOW);
    assert!(!test.holds(&of_app));
    drop(other);
}

#[test]
fn trap_02_active_secret_replaced_with_the_password_alone() {
    let (mut test, app) = alice_at_the_web("");
    let first = PendingEnrollment::new(&test.config, &name("alice")).unwrap();
    let replaced = test.enrollment().activate(
        &first,
        &EnrollmentConfirmation::by_administrator(),
        "alice",
        NOW,
    );
    assert!(matches!(
        replaced,
        Err(AdministrationError::AlreadyEnrolled(_))
    ));
    for proof in [None, Some(PASSWORD), Some("000000")] {
        let code = proof.map(|typed| typed.to_owned().into());
        let begun = asks(
            &mut test,
            Operation::Change {
                code,
                change: one_more(),
            },
        );
        assert!(
            matches!(begun, Err(AdministrationError::Code(_))),
            "{proof:?}"
        );
    }
    at_the_web_too(&mut test);
    accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
    assert_eq!(
        test.enrollment()
            .list_authenticators(&name("alice"))
            .unwrap()
            .len(),
        1
    );
}

/// The same at the web, with a first enrollment that began while there was no second factor.
fn at_the_web_too(test: &mut TestStore) {
    let (from, bob) = (remote("192.0.2.7"), name("bob"));
    test.accounts()
        .set_password(&bob, &password(PASSWORD), "root", NOW)
        .unwrap();
    let given = password(PASSWORD);
    let entered =
        test.login()
            .enter_password(&browser(&from), &bob, Some(&given), &Input::Malformed, NOW);
    let AfterPassword::Opened(opened) = entered.unwrap() else {
        panic!("not opened")
    };
    let session = opened.session;
    let proof = test.login().step_up(
        &browser(&from),
        &session,
        Some(&given),
        &Input::Malformed,
        NOW,
    );
    let AfterStepUp::Verified(proof) = proof.unwrap() else {
        panic!("not proven")
    };
    let ticket = test
        .enrollment()
        .issue_first_enrollment_token(&session, &proof, &from, NOW)
        .unwrap()
        .unwrap();
    test.enrols("bob");
    assert!(
        test.enrollment()
            .issue_first_enrollment_token(&session, &proof, &from, NOW)
            .unwrap()
            .is_none()
    );
    let Some(ShownEnrollment { secret, draft, .. }) = test
        .enrollment()
        .begin_web_enrollment(&ticket, NOW)
        .unwrap()
    else {
        return;
    };
    let (secret, parameters) = otpauth_uri::parse_declared_secret(&secret).unwrap();
    let shows = generate_code(&secret, parameters, Step(NOW.0 / 30)).to_string();
    let confirmed = test
        .enrollment()
        .confirm_web_enrollment(&ticket, draft, &Input::parse(shows.as_bytes()), NOW)
        .unwrap();
    let AfterEnrollmentCode::Confirmed { confirmed, .. } = confirmed else {
        return;
    };
    let after = test
        .enrollment()
        .finish_web_enrollment(&browser(&from), &ticket, &confirmed, NOW)
        .unwrap();
    assert!(
        matches!(after, AfterEnrollment::Over),
        "it replaced the active one"
    );
}

#[test]
fn trap_06_empty_issuer_or_unencoded_label() {
    let url = |extra: &str, who: &str| {
        let test = TestStore::new(extra);
        PendingEnrollment::new(&test.config, &name(who))
            .unwrap()
            .url()
            .to_string()
    };
    let encoded = url("[totp]\nissuer = \"A & B/c\"", "ü@x.org");
    assert!(
        encoded.starts_with("otpauth://totp/A%20%26%20B%2Fc:%C3%BC%40x.org?secret="),
        "{encoded}"
    );
    assert_contains(&encoded, "&issuer=A%20%26%20B%2Fc&");
    let by_host = url("", "alice");
    let issuer = by_host
        .split("&issuer=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    assert!(
        !issuer.is_empty() && by_host.contains(&format!("/{issuer}:alice?")),
        "{by_host}"
    );
    let test = TestStore::new("");
    for refused in ["", " ", "A: b"] {
        let path = test.folder.path().join("refused.toml");
        fs::write(&path, format!("[totp]\nissuer = \"{refused}\"\n")).unwrap();
        assert!(
            file::read_config(&path)
                .err()
                .unwrap()
                .to_string()
                .contains("totp.issuer"),
            "{refused:?}"
        );
    }
}

/// A hash without a key is as bad as plain text for codes of 50 bits, and equal hashes show equal
/// codes.
#[test]
fn trap_09_recovery_code_in_plain() {
    let (mut test, app) = alice("");
    test.enrols("bob");
    let codes = test.config.recovery.generate_codes().unwrap();
    for who in ["alice", "bob"] {
        test.enrollment()
            .replace_recovery_codes(&name(who), &codes, "root", NOW)
            .unwrap();
    }
    for code in codes.iter().chain(app.recovery_codes()) {
        for written in [
            code.plain().to_owned(),
            code.plain().to_lowercase(),
            code.grouped().to_string(),
        ] {
            let hashes = [
                Sha256::digest(&written).to_vec(),
                Sha1::digest(&written).to_vec(),
            ];
            assert!(!test.holds(written.as_bytes()) && hashes.iter().all(|hash| !test.holds(hash)));
        }
    }
    let kept = test.blobs("SELECT hash FROM recovery_code");
    assert_eq!(kept.iter().collect::<HashSet<_>>().len(), 12);
    for who in ["alice", "bob"] {
        accepted(&test.attempt(who, codes[0].plain(), NOW));
    }
}

#[test]
fn trap_11_ecb_no_mac_or_a_lost_master_key_that_locks_all_out_without_saying_so() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let mut test = TestStore::new("");
    // a secret of equal blocks, the same for both accounts
    for who in ["alice", "bob"] {
        let app = PendingEnrollment::new(&test.config, &name(who)).unwrap();
        test.activates(&app.with_secret(Secret::from_seed(&"5a".repeat(48)).unwrap()));
    }
    let sealed = test.sealed();
    let blocks: Vec<_> = sealed.iter().flat_map(|sealed| sealed.windows(8)).collect();
    assert_eq!(
        blocks.iter().collect::<HashSet<_>>().len(),
        blocks.len(),
        "equal blocks show"
    );

    for byte in 0..sealed[0].len() {
        let mut altered = sealed[0].clone();
        altered[byte] ^= 1;
        let sql = "UPDATE secret SET sealed = ?1 WHERE authenticator = 1";
        test.sqlite().execute(sql, [altered]).unwrap();
        let verified = attempts(&mut test, "000000");
        assert!(
            matches!(verified, Err(EngineError::Vault(_))),
            "byte {byte} may be altered"
        );
    }
    fs::remove_file(test.key_file()).unwrap();
    let output = Engine::open(test.config.clone()).err().unwrap().to_string();
    assert_contains(&output, "etc/key");
    assert_contains(&output, "backup");
}
