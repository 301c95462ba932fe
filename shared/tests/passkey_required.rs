//! Accounts that must have a passkey at the web, and configurations of passkeys that contradict
//! themselves.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "test_store/authenticator.rs"]
mod authenticator;
mod test_store;

use authenticator::SoftAuthenticator;
use postern_shared::account::name::UserName;
use postern_shared::config::{Config, file};
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AdministrationError, AfterCode, AfterPassword, AfterStepUp, BrowserContext, Principal,
    RequestedPage, Requester, SERVICE, TrustRequest,
};
use postern_shared::policy::groups::PersonGroups;
use postern_shared::policy::requirement::PolicySubject;
use postern_shared::protocol::command_request::{
    ChangeOperation, CommandRequest, Operation, TypedText,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::network::address::Address;
use postern_shared::token::session::{SecondFactorMethod, Session};
use postern_shared::token::{LoginToken, PasskeyPurpose, PasskeyToken};
use std::path::Path;
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, assert_contains, browser, code_at, name, password,
    remote, signs_in,
};

const OWN_HOST: &str = "[gate]\nurl = \"https://auth.example.com/\"\n";
const FROM: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.7";

fn read(text: &str) -> Result<Config, String> {
    let read = file::validate_with_accounts(Path::new("/nowhere/p.toml"), text.to_owned());
    read.map(|valid| valid.config)
        .map_err(|error| error.to_string())
}

#[track_caller]
fn is_refused(text: &str, words: &str) {
    let error = read(text).unwrap_err();
    assert!(error.contains(words), "{text}: {error}");
}

#[test]
fn passkeys_that_no_user_could_have_are_refused_when_the_file_is_read() {
    for (text, words) in [
        (
            "passkey_required = \"enrolled\"",
            "passkey_required: must be \"all\", or a list",
        ),
        (
            "passkey_required = [\"!bob\"]",
            "at least one entry that is not an exception",
        ),
        (
            "passkey_required = \"all\"",
            "needs a gate with a host name of its own",
        ),
    ] {
        is_refused(&format!("[policy]\n{text}\n"), words);
    }
    let path = "[gate]\nurl = \"https://app.example.com/_postern/\"\n";
    is_refused(
        &format!("[policy]\npasskey_required = \"all\"\n{path}"),
        "host name of its own",
    );
    let declared = "[[account]]\nname = \"carol\"\nsecret_file = \"/etc/postern/carol\"\ngroups = [\"staff\"]\n";
    for list in ["\"all\"", "[\"carol\"]", "[\"%staff\"]"] {
        let text = format!("[policy]\npasskey_required = {list}\n{OWN_HOST}{declared}");
        is_refused(&text, "includes carol, which is declared");
    }
    let shared = "[gate]\nurl = \"https://auth.example.com/\"\n\
                  application_urls = [\"https://app.example.com/_postern/\"]\n";
    is_refused(
        &format!("[policy]\npasskey_required = \"all\"\n{shared}"),
        "at app.example.com the pages are on a path",
    );
    let rule = |hosts: &str| format!("{shared}[[gate.rule]]\n{hosts}then = \"passkey\"\n");
    is_refused(&rule(""), "covers app.example.com of gate.application_urls");
    is_refused(
        &rule("hosts = [\"*.example.com\"]\n"),
        "covers app.example.com",
    );
    read(&rule("hosts = [\"vault.example.com\"]\n")).unwrap();
    let excepted =
        format!("[policy]\npasskey_required = [\"all\", \"!carol\"]\n{OWN_HOST}{declared}");
    read(&excepted).unwrap();

    let on = "[gate.passkeys]\nsign_in = true\n";
    read(&format!("{OWN_HOST}{on}")).unwrap();
    is_refused(on, "sign_in: needs a gate with a host name of its own");
    is_refused(
        &format!("{path}{on}"),
        "sign_in: needs a gate with a host name of its own",
    );
    is_refused(
        &format!("[gate]\nurl = \"https://192.0.2.1/\"\n{on}"),
        "sign_in: needs",
    );
    let by_host = format!("{OWN_HOST}first_factor = \"pam\"\n{on}");
    is_refused(&by_host, "sign_in: needs gate.first_factor = \"password\"");
    let by_proxy = format!(
        "{OWN_HOST}first_factor = \"header\"\n{on}\
         [[gate.trusted_proxies]]\nfrom = [\"192.0.2.1\"]\nproxy = \"nginx\"\n\
         secret_file = \"/etc/postern/proxy.secret\"\nidentity_header = \"X-User\"\n"
    );
    is_refused(&by_proxy, "sign_in: needs gate.first_factor = \"password\"");
}

#[test]
fn names_groups_and_exceptions_say_who_must_have_one() {
    let requires = |policy: &str, groups: &[&str], address: &str| {
        let config = read(&format!("[policy]\n{policy}\n{OWN_HOST}")).unwrap();
        let subject = PolicySubject {
            name: &name("alice"),
            groups: &PersonGroups::from_names(groups.iter().copied()),
            service: SERVICE,
            address: Address::parse(address),
            completed_methods: &CompletedMethods::PASSWORD,
            host: None,
        };
        config.policy.requires_passkey(&subject)
    };
    assert!(!requires("", &[], FROM));
    assert!(!requires("required = \"all\"", &[], FROM));
    for (list, groups, expected) in [
        ("\"all\"", &[][..], true),
        ("[\"alice\"]", &[], true),
        ("[\"bob\"]", &[], false),
        ("[\"%admins\"]", &["admins"], true),
        ("[\"%admins\"]", &[], false),
        ("[\"all\", \"!alice\"]", &[], false),
        ("[\"%admins\", \"!%robots\"]", &["admins", "robots"], false),
        ("[]", &[], false),
    ] {
        let policy = format!("passkey_required = {list}");
        assert_eq!(
            requires(&policy, groups, FROM),
            expected,
            "{list} {groups:?}"
        );
    }
    let exempt = "passkey_required = \"all\"\n[[policy.exempt]]\nnetworks = [\"192.0.2.0/24\"]";
    assert!(!requires(exempt, &[], FROM));
    assert!(requires(exempt, &[], "198.51.100.7"));
}

/// Enters a password for a page, and returns whether the page needs a passkey.
fn needs_passkey(test: &mut TestStore, who: &UserName, page: Option<RequestedPage<'_>>) -> bool {
    let (from, none) = (remote(FROM), Input::parse(b""));
    let browser = BrowserContext {
        page,
        ..browser(&from)
    };
    let typed = password(PASSWORD);
    let mut login = test.engine.login();
    match login.enter_password(&browser, who, Some(&typed), &none, NOW) {
        Ok(AfterPassword::Code(token)) => token.payload().needs_passkey,
        _ => panic!("no code is asked for"),
    }
}

/// A code signs in always, so that the account can add a passkey; for a page of an application the
/// code page says that one is needed.
#[test]
fn the_page_of_an_application_needs_one_and_the_pages_of_the_account_do_not() {
    let rules = "[policy]\npasskey_required = [\"alice\"]\n\
                 [gate]\nurl = \"https://auth.example.com/\"\n\
                 [[gate.rule]]\nhosts = [\"open.example.com\"]\nthen = \"password\"\n";
    let (mut test, _) = alice_at_the_web(rules);
    test.enrols("bob");
    test.sets_password("bob");
    let page = |host| Some(RequestedPage { host, target: "/" });
    let (alice, bob) = (name("alice"), name("bob"));
    assert!(needs_passkey(&mut test, &alice, page("app.example.com")));
    assert!(!needs_passkey(&mut test, &bob, page("app.example.com")));
    assert!(!needs_passkey(&mut test, &alice, None));
}

type Changed = Result<(), AdministrationError>;

fn begins(test: &mut TestStore, session: &Session) -> Result<PasskeyToken, AdministrationError> {
    let mut passkeys = test.engine.passkeys();
    let begun = passkeys.request_in_session(session, PasskeyPurpose::Registration, NOW)?;
    Ok(begun.expect("the gate can have passkeys").0)
}

fn completes(
    test: &mut TestStore,
    session: &Session,
    token: &PasskeyToken,
    key: &mut SoftAuthenticator,
    label: &str,
) -> Changed {
    let response = key.registers(&token.passkey_challenge().to_text());
    let (from, label) = (remote(FROM), label.parse().unwrap());
    let actor = Principal::SignedIn(session, &from);
    let mut passkeys = test.engine.passkeys();
    passkeys.add_passkey(token, &response, &label, actor, NOW)
}

fn adds(test: &mut TestStore, session: &Session, key: &mut SoftAuthenticator, to: &str) -> Changed {
    let token = begins(test, session)?;
    completes(test, session, &token, key, to)
}

fn removes(test: &mut TestStore, session: &Session, label: &str) -> Changed {
    let (from, label) = (remote(FROM), label.parse().unwrap());
    let actor = Principal::SignedIn(session, &from);
    let mut passkeys = test.engine.passkeys();
    passkeys.remove_passkey(&session.name, &label, actor, NOW)
}

fn disables(test: &mut TestStore, session: &Session) -> Changed {
    let from = remote(FROM);
    let actor = Principal::SignedIn(session, &from);
    let mut accounts = test.engine.accounts();
    let disabled = accounts.disable_second_factor(&session.name, actor, NOW);
    disabled.map(|_| ())
}

/// Begins what would give new recovery codes: their renewal, and an enrollment that replaces the
/// second factor.
fn begins_recovery_codes(
    test: &mut TestStore,
    session: &Session,
    app: &PendingEnrollment,
    now: Timestamp,
) -> [Changed; 2] {
    let (from, typed) = (remote(ELSEWHERE), password(PASSWORD));
    let input = Input::parse(code_at(app, 0, now).as_bytes());
    let mut login = test.engine.login();
    let stepped = login.step_up(&browser(&from), session, Some(&typed), &input, now);
    let Ok(AfterStepUp::Verified(proof)) = stepped else {
        panic!("no step-up");
    };
    let mut enrollment = test.engine.enrollment();
    let renewed = enrollment.begin_recovery_code_renewal(session, &from, &proof, now);
    let replaced = enrollment.issue_replacement_enrollment_token(session, &proof, now);
    [renewed.map(|_| ()), replaced.map(|_| ())]
}

fn enters_password(test: &mut TestStore) -> LoginToken {
    let (from, none) = (remote(ELSEWHERE), Input::parse(b""));
    let (who, typed) = (name("alice"), password(PASSWORD));
    let mut login = test.engine.login();
    match login.enter_password(&browser(&from), &who, Some(&typed), &none, NOW) {
        Ok(AfterPassword::Code(token)) => *token,
        _ => panic!("no code is asked for"),
    }
}

#[track_caller]
fn opened(entered: AfterCode) -> Session {
    match entered {
        AfterCode::Opened(opened) => opened.session,
        AfterCode::Refused(refusal) => panic!("refused: {refusal}"),
    }
}

fn by_passkey(test: &mut TestStore, key: &mut SoftAuthenticator) -> Session {
    let token = enters_password(test);
    let response = key.asserts(&token.passkey_challenge().to_text());
    let (from, trust) = (remote(ELSEWHERE), TrustRequest::NotAsked);
    let mut login = test.engine.login();
    opened(
        login
            .enter_passkey(&browser(&from), &token, &response, trust, NOW)
            .unwrap(),
    )
}

fn by_recovery_code(test: &mut TestStore, app: &PendingEnrollment) -> Session {
    let token = enters_password(test);
    let input = Input::parse(app.recovery_codes()[0].plain().as_bytes());
    let (from, trust) = (remote(ELSEWHERE), TrustRequest::NotAsked);
    let mut login = test.engine.login();
    let session = opened(
        login
            .enter_code(&browser(&from), &token, &input, trust, NOW)
            .unwrap(),
    );
    assert_eq!(session.passed.second, SecondFactorMethod::RecoveryCode);
    session
}

/// Returns alice with one passkey, and the session by a code in which she added it.
fn with_passkey(rules: &str) -> (TestStore, PendingEnrollment, Session, SoftAuthenticator) {
    let (mut test, app) = alice_at_the_web(rules);
    let session = signs_in(&mut test, &remote(ELSEWHERE), &code_at(&app, 0, NOW), NOW);
    let mut key = SoftAuthenticator::new(b"one");
    adds(&mut test, &session, &mut key, "laptop").expect("the first is added after a code");
    (test, app, session, key)
}

#[track_caller]
fn needs_a_passkey(changed: Changed) {
    let refused = changed.expect_err("a session by a code changes passkeys");
    assert_contains(refused.to_string(), "a passkey, a recovery code or");
}

/// Password and code would be worth as much as the passkey that is demanded, if they could replace
/// it.
#[test]
fn a_session_by_a_code_changes_no_passkey_where_one_is_demanded() {
    let rule = "[[gate.rule]]\nhosts = [\"vault.example.com\"]\nthen = \"passkey\"\n";
    let policy = |of: &str| format!("[policy]\npasskey_required = {of}\n{OWN_HOST}");
    let exempt = "\"all\"\n[[policy.exempt]]\nnetworks = [\"192.0.2.0/24\"]";
    for rules in [
        policy("[\"alice\"]"),
        policy("\"all\""),
        policy(exempt),
        format!("{OWN_HOST}{rule}"),
    ] {
        let (mut test, app, session, mut key) = with_passkey(&rules);
        let mut other = SoftAuthenticator::new(b"two");
        needs_a_passkey(adds(&mut test, &session, &mut other, "phone"));
        needs_a_passkey(removes(&mut test, &session, "laptop"));
        needs_a_passkey(disables(&mut test, &session));

        let strong = by_passkey(&mut test, &mut key);
        adds(&mut test, &strong, &mut other, "phone").unwrap();
        removes(&mut test, &strong, "phone").unwrap();
        let strong = by_recovery_code(&mut test, &app);
        adds(&mut test, &strong, &mut other, "phone").unwrap();
        removes(&mut test, &strong, "laptop").unwrap();
        // An administrator may always.
        let (alice, label) = (name("alice"), "phone".parse().unwrap());
        let mut passkeys = test.engine.passkeys();
        passkeys
            .remove_passkey(&alice, &label, "root", NOW)
            .unwrap();
    }
}

/// New recovery codes would permit what the code does not.
#[test]
fn a_session_by_a_code_makes_no_recovery_codes_where_a_passkey_is_demanded() {
    let rules = format!("[policy]\npasskey_required = \"all\"\n{OWN_HOST}");
    let (mut test, app, session, mut key) = with_passkey(&rules);
    for begun in begins_recovery_codes(&mut test, &session, &app, NOW.plus(30)) {
        needs_a_passkey(begun);
    }
    let strong = by_passkey(&mut test, &mut key);
    for begun in begins_recovery_codes(&mut test, &strong, &app, NOW.plus(60)) {
        begun.unwrap();
    }
    let (mut test, app, session, _) = with_passkey(OWN_HOST);
    for begun in begins_recovery_codes(&mut test, &session, &app, NOW.plus(30)) {
        begun.unwrap();
    }
}

/// The transaction decides, not the beginning of the registration.
#[test]
fn registrations_that_began_before_the_first_passkey_add_no_second_one() {
    let rules = format!("[policy]\npasskey_required = \"all\"\n{OWN_HOST}");
    let (mut test, app) = alice_at_the_web(&rules);
    let session = signs_in(&mut test, &remote(ELSEWHERE), &code_at(&app, 0, NOW), NOW);
    let tokens = [(); 2].map(|()| begins(&mut test, &session).unwrap());
    let mut key = SoftAuthenticator::new(b"one");
    completes(&mut test, &session, &tokens[0], &mut key, "laptop").unwrap();
    let mut other = SoftAuthenticator::new(b"two");
    let second = completes(&mut test, &session, &tokens[1], &mut other, "phone");
    needs_a_passkey(second);
}

#[test]
fn a_session_by_a_code_changes_passkeys_that_nothing_demands() {
    for policy in ["", "[policy]\npasskey_required = [\"all\", \"!alice\"]\n"] {
        let (mut test, _, session, _) = with_passkey(&format!("{policy}{OWN_HOST}"));
        let mut other = SoftAuthenticator::new(b"two");
        adds(&mut test, &session, &mut other, "phone").unwrap();
        removes(&mut test, &session, "laptop").unwrap();
    }
}

/// A user with a shell is asked for no less by the command than by the pages.
#[test]
fn the_command_with_a_code_changes_no_passkey_where_one_is_demanded() {
    let policy = "[policy]\npasskey_required = [\"alice\"]\n";
    let (mut test, app, ..) = with_passkey(&format!("{policy}{OWN_HOST}"));
    let who = name("alice");
    let mut asks = |change: ChangeOperation, code: &str| {
        let owner = Requester::Owner {
            name: &who,
            uid: 1000,
        };
        let request = CommandRequest {
            account: who.clone(),
            operation: Operation::Change {
                code: Some(TypedText::from(code.to_owned())),
                change,
            },
        };
        test.commands()
            .execute_request(owner, &request, NOW.plus(60))
    };
    let removal = || ChangeOperation::RemovePasskey("laptop".parse().unwrap());
    let code = code_at(&app, 0, NOW.plus(60));
    for change in [removal(), ChangeOperation::BeginRecoveryCodes] {
        let refused = asks(change, &code).err().unwrap().to_string();
        assert_contains(&refused, "a passkey is demanded of alice");
    }
    let recovery = app.recovery_codes()[0].plain();
    assert!(asks(removal(), recovery).is_ok());
}
