//! Values between two pages and in browsers: tokens, sessions, cookies.

use crate::acts::{asks, gives_password, one_more};
use crate::test_store::{
    NOW, PASSWORD, TestStore, accepted, alice_at_the_web, browser, code_of, name, password, remote,
};
use postern_shared::config::Config;
use postern_shared::credential::input::Input;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::engine::{
    AdministrationError, AfterCode, AfterPassword, Engine, EnrollmentToken, TrustRequest,
};
use postern_shared::protocol::command_request::{
    self, ChangeOperation, FinishOperation, Operation, ShownAuthenticator,
};
use postern_shared::token::LoginToken;
use postern_shared::token::session::Session;
use postern_shared::verify::decision::Refusal;

/// The enrollment token is sealed, so that its holder cannot read it.
#[test]
fn trap_07_tokens_of_different_purpose_interchangeable_or_setup_token_readable() {
    let (mut test, app) = alice_at_the_web("");
    let from = remote("192.0.2.7");
    let AfterPassword::Code(pass) = gives_password(&mut test, &from, None, PASSWORD) else {
        panic!("no code is asked")
    };
    let keys = test.token_keys();
    let login = pass.seal(&keys).unwrap().to_string();
    let browser = browser(&from);
    let answer = Input::parse(code_of(&app, -1).as_bytes());
    let entered = test
        .login()
        .enter_code(&browser, &pass, &answer, TrustRequest::Asked, NOW)
        .unwrap();
    let AfterCode::Opened(opened) = entered else {
        panic!("not opened")
    };
    let trusted = opened.browser_cookie.as_ref().unwrap().to_string();
    let session = opened.session.to_cookie(&opened.keys);
    test.sets_password("bob");
    let required = Config {
        policy: toml::from_str("required = \"all\"").unwrap(),
        ..test.config.clone()
    };
    let mut required = Engine::open(required).unwrap();
    let entered = required.login().enter_password(
        &browser,
        &name("bob"),
        Some(&password(PASSWORD)),
        &Input::Malformed,
        NOW,
    );
    let AfterPassword::Enroll(first) = entered.unwrap() else {
        panic!("it opens")
    };
    let first = first.seal(&keys).unwrap().to_string();

    let code = Some(code_of(&app, 0).into());
    let begun = asks(
        &mut test,
        Operation::Change {
            code,
            change: one_more(),
        },
    )
    .unwrap();
    let command_request::ReplyBody::NewAuthenticator(ShownAuthenticator {
        secret,
        token: setup,
        ..
    }) = begun
    else {
        panic!("{begun:?}")
    };
    let code = Some(code_of(&app, 1).into());
    let begun = asks(
        &mut test,
        Operation::Change {
            code,
            change: ChangeOperation::BeginRecoveryCodes,
        },
    )
    .unwrap();
    let command_request::ReplyBody::RecoveryCodes {
        codes,
        token: renewal,
    } = begun
    else {
        panic!("{begun:?}")
    };
    let (setup, renewal) = ((*setup).to_owned(), (*renewal).to_owned());

    assert!(
        Session::from_cookie(&session, &keys).is_some()
            && LoginToken::open_login(&login, &keys, NOW).is_some()
    );
    for other in [&login, &trusted, &setup, &renewal, &first] {
        assert!(Session::from_cookie(other, &keys).is_none());
    }
    for other in [&session, &trusted, &setup, &renewal, &first] {
        assert!(LoginToken::open_login(other, &keys, NOW).is_none());
    }
    for other in [&session, &login, &setup, &renewal, &first] {
        let asked = gives_password(&mut test, &from, Some(other), PASSWORD);
        assert!(
            matches!(asked, AfterPassword::Code(_)),
            "it trusts a browser"
        );
    }
    for other in [&session, &login, &trusted, &renewal, &first] {
        let token = || other.to_string().into();
        let confirmed = FinishOperation::Confirm {
            token: token(),
            code: code_of(&app, 0).into(),
        };
        for finish in [
            confirmed,
            FinishOperation::Activate { token: token() },
            FinishOperation::ActivateUnconfirmed { token: token() },
        ] {
            assert!(asks(&mut test, Operation::Finish(finish)).is_err());
        }
    }
    for other in [&session, &login, &trusted, &setup, &first] {
        let kept = asks(
            &mut test,
            Operation::Finish(FinishOperation::ReplaceRecoveryCodes {
                token: other.to_string().into(),
            }),
        );
        assert!(matches!(kept, Err(AdministrationError::Stale)), "{kept:?}");
    }

    assert!(EnrollmentToken::open_enrollment(&first, &keys, NOW).is_some());
    for other in [&session, &login, &trusted, &setup, &renewal] {
        assert!(EnrollmentToken::open_enrollment(other, &keys, NOW).is_none());
    }

    let raw = otpauth_uri::parse_declared_secret(&secret).unwrap().0;
    let plain = data_encoding::BASE64URL_NOPAD
        .decode(setup.as_bytes())
        .unwrap();
    let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(
        !holds(&plain, raw.expose())
            && !holds(&plain, secret.as_bytes())
            && !holds(&plain, b"another")
    );
    let plain = data_encoding::BASE64URL_NOPAD
        .decode(renewal.as_bytes())
        .unwrap();
    assert!(
        codes
            .iter()
            .all(|code| !holds(&plain, code.replace('-', "").as_bytes()))
    );
}

/// No trusted browser and no login token remains valid either.
#[test]
fn trap_14_administrators_disable_leaves_sessions_alive() {
    let (mut test, app) = alice_at_the_web("");
    let from = remote("192.0.2.7");
    let AfterPassword::Code(pass) = gives_password(&mut test, &from, None, PASSWORD) else {
        panic!("no code is asked")
    };
    let browser = browser(&from);
    let enter = |test: &mut TestStore, offset| {
        let answer = Input::parse(code_of(&app, offset).as_bytes());
        test.login()
            .enter_code(&browser, &pass, &answer, TrustRequest::Asked, NOW)
            .unwrap()
    };
    let AfterCode::Opened(opened) = enter(&mut test, -1) else {
        panic!("not opened")
    };
    let cookie = opened.browser_cookie.unwrap().to_string();

    test.disables("alice", "root", NOW);
    let mut snapshot = None;
    test.sessions()
        .update_revocations(&[7; 16], None, NOW, |seen| snapshot = Some(seen.revoked))
        .unwrap();
    test.sessions().remove_gate(&[7; 16]).unwrap();
    assert!(
        snapshot.unwrap().covers(&opened.session),
        "its session is alive"
    );
    assert!(test.sessions_of("alice", NOW).is_empty());
    assert!(
        matches!(enter(&mut test, 0), AfterCode::Refused(Refusal::Expired)),
        "a sign-in in flight is alive"
    );
    let renewed = test.enrols("alice");
    let asked = gives_password(&mut test, &from, Some(&cookie), PASSWORD);
    assert!(
        matches!(asked, AfterPassword::Code(_)),
        "its browser is trusted"
    );
    accepted(&test.attempt("alice", &code_of(&renewed, 0), NOW));
}
