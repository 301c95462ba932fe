//! How secrets and recovery codes are stored, and what is shown of them once.

use crate::acts::{asks, attempts, one_more};
use crate::home::{
    Home, NOW, PASSWORD, accepted, alice, alice_at_the_web, assert_contains, browser, code_of,
    name, password, remote,
};
use postern_shared::config::file;
use postern_shared::credential::input::Input;
use postern_shared::credential::otpauth_uri;
use postern_shared::credential::secret::Secret;
use postern_shared::credential::totp::{Step, generate_code};
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
    let (mut home, _) = alice("");
    let other = home.another();
    let token = PendingEnrollment::further(&home.config, &name("alice"))
        .unwrap()
        .with_label("token".parse().unwrap());
    home.activates(&token);
    let [of_app, of_token] = home.sealed().try_into().unwrap();
    assert!(home.holds(&of_app) && home.holds(&of_token) && !home.holds(token.secret().expose()));
    home.enrollment()
        .remove_authenticator(&name("alice"), token.label(), "root", NOW)
        .unwrap();
    assert!(!home.holds(&of_token) && home.holds(&of_app));
    home.disables("alice", "root", NOW);
    assert!(!home.holds(&of_app));
    drop(other);
}

#[test]
fn trap_02_active_secret_replaced_with_the_password_alone() {
    let (mut home, app) = alice_at_the_web("");
    let first = PendingEnrollment::new(&home.config, &name("alice")).unwrap();
    let replaced = home.enrollment().activate(
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
            &mut home,
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
    at_the_web_too(&mut home);
    accepted(&home.attempt("alice", &code_of(&app, 0), NOW));
    assert_eq!(
        home.enrollment()
            .list_authenticators(&name("alice"))
            .unwrap()
            .len(),
        1
    );
}

/// The same at the web, with a first enrollment that began while there was no second factor.
fn at_the_web_too(home: &mut Home) {
    let (from, bob) = (remote("192.0.2.7"), name("bob"));
    home.accounts()
        .set_password(&bob, &password(PASSWORD), "root", NOW)
        .unwrap();
    let given = password(PASSWORD);
    let entered =
        home.login()
            .enter_password(&browser(&from), &bob, Some(&given), &Input::Malformed, NOW);
    let AfterPassword::Opened(opened) = entered.unwrap() else {
        panic!("not opened")
    };
    let session = opened.session;
    let proof = home.login().step_up(
        &browser(&from),
        &session,
        Some(&given),
        &Input::Malformed,
        NOW,
    );
    let AfterStepUp::Verified(proof) = proof.unwrap() else {
        panic!("not proven")
    };
    let ticket = home
        .enrollment()
        .issue_first_enrollment_token(&session, &proof, &from, NOW)
        .unwrap()
        .unwrap();
    home.enrols("bob");
    assert!(
        home.enrollment()
            .issue_first_enrollment_token(&session, &proof, &from, NOW)
            .unwrap()
            .is_none()
    );
    let Some(ShownEnrollment { secret, draft, .. }) = home
        .enrollment()
        .begin_web_enrollment(&ticket, NOW)
        .unwrap()
    else {
        return;
    };
    let (secret, parameters) = otpauth_uri::parse_declared_secret(&secret).unwrap();
    let shows = generate_code(&secret, parameters, Step(NOW.0 / 30)).to_string();
    let confirmed = home
        .enrollment()
        .confirm_web_enrollment(&ticket, draft, &Input::parse(shows.as_bytes()), NOW)
        .unwrap();
    let AfterEnrollmentCode::Confirmed { confirmed, .. } = confirmed else {
        return;
    };
    let after = home
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
        let home = Home::new(extra);
        PendingEnrollment::new(&home.config, &name(who))
            .unwrap()
            .url()
            .to_string()
    };
    let encoded = url("[totp]\nissuer = \"A & B: c\"", "ü@x.org");
    assert!(
        encoded.starts_with("otpauth://totp/A%20%26%20B%3A%20c:%C3%BC%40x.org?secret="),
        "{encoded}"
    );
    assert_contains(&encoded, "&issuer=A%20%26%20B%3A%20c&");
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
    let home = Home::new("");
    for empty in ["", " "] {
        let path = home.folder.path().join("empty.toml");
        fs::write(&path, format!("[totp]\nissuer = \"{empty}\"\n")).unwrap();
        assert!(
            file::read_config(&path)
                .err()
                .unwrap()
                .to_string()
                .contains("totp.issuer"),
            "{empty:?}"
        );
    }
}

/// A hash without a key is as bad as plain text for codes of 50 bits, and equal hashes show equal
/// codes.
#[test]
fn trap_09_recovery_code_in_plain() {
    let (mut home, app) = alice("");
    home.enrols("bob");
    let codes = home.config.recovery.generate_codes().unwrap();
    for who in ["alice", "bob"] {
        home.enrollment()
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
            assert!(!home.holds(written.as_bytes()) && hashes.iter().all(|hash| !home.holds(hash)));
        }
    }
    let kept = home.blobs("SELECT hash FROM recovery_code");
    assert_eq!(kept.iter().collect::<HashSet<_>>().len(), 12);
    for who in ["alice", "bob"] {
        accepted(&home.attempt(who, codes[0].plain(), NOW));
    }
}

#[test]
fn trap_11_ecb_no_mac_or_a_lost_master_key_that_locks_all_out_without_saying_so() {
    let mut home = Home::new("");
    // a secret of equal blocks, the same for both accounts
    for who in ["alice", "bob"] {
        let app = PendingEnrollment::new(&home.config, &name(who)).unwrap();
        home.activates(&app.with_secret(Secret::from_seed(&"5a".repeat(48)).unwrap()));
    }
    let sealed = home.sealed();
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
        home.sqlite().execute(sql, [altered]).unwrap();
        let judged = attempts(&mut home, "000000");
        assert!(
            matches!(judged, Err(EngineError::Vault(_))),
            "byte {byte} may be altered"
        );
    }
    fs::remove_file(home.key_file()).unwrap();
    let said = Engine::open(home.config.clone()).err().unwrap().to_string();
    assert_contains(&said, "etc/key");
    assert_contains(&said, "backup");
}
