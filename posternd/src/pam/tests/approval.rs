//! `approval`: an empty input asks for an approval by a passkey at the web.

#[path = "../../../../shared/tests/test_store/authenticator.rs"]
mod authenticator;

use super::*;
use crate::pam::hooks::EngineAccess;
use crate::workers::engines::Engines;
use crate::workers::origin::ClientOrigin;
use authenticator::SoftAuthenticator;
use postern_shared::credential::approval_code::{ApprovalCode, ApprovalNumber};
use postern_shared::credential::input::Input;
use postern_shared::crypto::password::Password;
use postern_shared::engine::{
    AfterCode, AfterPassword, ApprovalAnswer, BrowserContext, Principal, TrustRequest, messages,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::token::PasskeyPurpose;
use postern_shared::token::session::Session;
use postern_shared::verify::origin::Origin;
use std::cell::RefCell;
use std::rc::Rc;

const GATE: &str = "[gate]\nurl = \"https://auth.example.com/\"\n";
const ON: &str = "[gate]\nurl = \"https://auth.example.com/\"\n[pam]\napproval = true\n";
const SECRET: &str = "correct horse battery";

/// Alice's phone: her session, and her passkey.
struct Phone {
    session: Session,
    key: RefCell<SoftAuthenticator>,
}

fn browser(origin: &Origin) -> BrowserContext<'_> {
    BrowserContext {
        origin,
        name: "Test",
        cookie: None,
        scope: "example.com",
        page: None,
        session: None,
    }
}

impl Phone {
    /// Signs alice in, and registers a passkey.
    fn of_alice(home: &Home) -> Rc<Phone> {
        let (mut engine, now) = (home.engine(), clock::now().unwrap());
        let (who, password) = ("alice".parse().unwrap(), SECRET.to_owned().into());
        let password = Password::from_input(password).unwrap();
        let mut accounts = engine.accounts();
        accounts.set_password(&who, &password, "root", now).unwrap();
        let origin = Origin::Local("alice".to_owned());
        let (client, none) = (browser(&origin), Input::parse(b""));
        let mut login = engine.login();
        let asked = login.enter_password(&client, &who, Some(&password), &none, now);
        let AfterPassword::Code(token) = asked.unwrap() else {
            panic!("no code is asked for")
        };
        let code = Input::parse(home.code(0).as_bytes());
        let trust = TrustRequest::NotAsked;
        let entered = login.enter_code(&client, &token, &code, trust, now);
        let AfterCode::Opened(opened) = entered.unwrap() else {
            panic!("not opened")
        };
        let session = opened.session;
        let mut key = SoftAuthenticator::new(b"one");
        let mut passkeys = engine.passkeys();
        let purpose = PasskeyPurpose::Registration;
        let begun = passkeys.request_in_session(&session, purpose, now).unwrap();
        let token = begun.unwrap().0;
        let response = key.registers(&token.passkey_challenge().to_text());
        let actor = Principal::Session(&session.name, &origin, session.id);
        let name = "phone".parse().unwrap();
        passkeys
            .add_passkey(&token, &response, &name, actor, now)
            .unwrap();
        Rc::new(Phone {
            session,
            key: RefCell::new(key),
        })
    }

    /// Answers the request that a prompt shows, with the number plus `more`.
    fn answers(&self, home: &Home, prompt: &str, more: u8) -> ApprovalAnswer {
        let (mut engine, now) = (home.engine(), clock::now().unwrap());
        let (code, number) = shown(prompt);
        let number = (number - 10 + more) % 90 + 10;
        let number = ApprovalNumber::parse(&number.to_string());
        let mut approvals = engine.approvals();
        let found = approvals.show_request(&self.session, &code, now).unwrap();
        let Some((_, token, _)) = found else {
            return ApprovalAnswer::Unknown;
        };
        let challenge = token.passkey_challenge().to_text();
        let response = self.key.borrow_mut().asserts(&challenge);
        let (origin, passkey) = (Origin::Unknown, (&token, &response));
        let client = browser(&origin);
        let answer = approvals.approve_request(&client, &self.session, &code, number, passkey, now);
        answer.unwrap()
    }
}

/// Returns the address and the number that a prompt shows.
fn shown(prompt: &str) -> (ApprovalCode, u8) {
    let after = |text: &str| prompt.split(text).nth(1).unwrap_or_default();
    let address = after("https://auth.example.com/approve/");
    let code = ApprovalCode::parse(address.get(..10).unwrap_or_default());
    let number = after("Number: ")
        .get(..2)
        .and_then(|text| text.parse().ok());
    (code.expect("an address"), number.expect("a number"))
}

fn asks_for_approval(prompt: &str) -> bool {
    prompt.contains("https://")
}

/// Returns a host whose user types this, and whose phone answers each request.
fn with_phone(host: Fake, home: &Rc<Home>, phone: &Rc<Phone>, more: u8) -> Fake {
    let (home, phone) = (Rc::clone(home), Rc::clone(phone));
    let meanwhile = move |prompt: &str| {
        if asks_for_approval(prompt) {
            phone.answers(&home, prompt, more);
        }
    };
    Fake {
        meanwhile: Some(Box::new(meanwhile)),
        ..host
    }
}

fn home(config: &str) -> (Rc<Home>, Rc<Phone>) {
    let home = Home::new(config);
    let phone = Phone::of_alice(&home);
    (Rc::new(home), phone)
}

#[test]
fn an_approved_prompt_passes_and_keeps_a_mark_for_the_account_hook() {
    let (home, phone) = home(ON);
    let host = with_phone(sudo().who_types(&["", ""]), &home, &phone, 0);
    home.expect_auth(&host, AFTER_FIRST, Passed);
    host.assert_logged("accepted cause=approval address=- service=sudo user=\"alice\"");
    assert_eq!(home.account(&host, ""), Passed);
    let prompts = host.prompts.borrow();
    assert!(
        prompts[0].starts_with(messages::APPROVAL_OFFER),
        "{prompts:?}"
    );
    assert!(
        prompts[1].ends_with(messages::APPROVAL_PROMPT),
        "{prompts:?}"
    );
    assert!(prompts[1].lines().count() < 24, "it fits a terminal");
    assert_eq!(prompts.len(), 2);
}

/// By a worker of posternd, of which there is one for this user: the phone's answer, which needs it too,
/// comes while the hook waits.
#[test]
fn a_worker_is_free_while_a_request_waits() {
    let (home, phone) = home(ON);
    let origin = ClientOrigin::User(1000);
    let worker = Engines::of_users().worker(origin, AdmissionClass::Familiar);
    let (inner, config) = (Rc::clone(&home), home.engine().config().clone());
    let (other, asked) = (worker.clone(), RefCell::new(String::new()));
    let meanwhile = move |prompt: &str| match prompt {
        "" => {
            let act = |engine: &mut Engine| engine.load_policy_facts(&"alice".parse().unwrap());
            let ran = other.run_operation(&config, act);
            assert!(ran.is_ok_and(|ran| ran.is_ok()));
            let answer = phone.answers(&inner, &asked.borrow(), 0);
            assert!(matches!(answer, ApprovalAnswer::Approved(_)), "{answer:?}");
        }
        prompt if asks_for_approval(prompt) => drop(asked.replace(prompt.to_owned())),
        _ => {}
    };
    let host = Fake {
        access: Some(EngineAccess::Worker(worker)),
        meanwhile: Some(Box::new(meanwhile)),
        ..sudo().who_types(&["", ""])
    };
    home.expect_auth(&host, AFTER_FIRST, Passed);
}

/// A host that ends while the hook waits ends the wait and the request.
#[test]
fn a_host_that_ends_ends_the_wait_and_the_request() {
    let (home, phone) = home(ON);
    let host = Fake {
        ends: true,
        ..sudo().who_types(&["", ""])
    };
    let began = std::time::Instant::now();
    home.expect_auth(&host, AFTER_FIRST, Denied(Conversation));
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
    let prompt = host.prompts.borrow()[1].clone();
    let late = phone.answers(&home, &prompt, 0);
    assert!(matches!(late, ApprovalAnswer::Unknown), "{late:?}");
}

#[test]
fn a_code_is_accepted_in_the_place_of_the_approval_and_ends_the_request() {
    let (home, phone) = home(ON);
    let code = home.code(1);
    let host = sudo().who_types(&["", &code]);
    home.expect_auth(&host, AFTER_FIRST, Passed);
    host.assert_logged("accepted cause=code");
    let prompt = host.prompts.borrow()[1].clone();
    let late = phone.answers(&home, &prompt, 0);
    assert!(matches!(late, ApprovalAnswer::Unknown), "{late:?}");
}

#[test]
fn a_wrong_number_is_refused_and_the_prompt_asks_again() {
    let (home, phone) = home(ON);
    let typed = ["", "", "", "", "000000"];
    let host = with_phone(sudo().who_types(&typed), &home, &phone, 1);
    assert_eq!(home.auth(&host, ONE_TRY), Denied(TooManyTries));
    host.assert_logged("refused cause=approval-wrong-number");
    let prompts = host.prompts.borrow();
    assert!(
        prompts[2].contains(messages::APPROVAL_REFUSED),
        "{prompts:?}"
    );
    assert!(!host.log_text().contains("accepted"));
}

/// A conversation that is cancelled ends its request.
#[test]
fn a_request_of_a_conversation_that_has_ended_cannot_be_approved() {
    let (home, phone) = home(ON);
    let host = sudo().who_types(&[""]);
    home.expect_auth(&host, AFTER_FIRST, Denied(Conversation));
    let prompt = host.prompts.borrow()[1].clone();
    let late = phone.answers(&home, &prompt, 0);
    assert!(matches!(late, ApprovalAnswer::Unknown), "{late:?}");
}

/// Off, without a passkey, without a host of its own, before the first factor, with one field: the
/// prompt is as before, and an empty input is one that is refused.
#[test]
fn elsewhere_the_prompt_is_as_before() {
    let (off, _) = home(GATE);
    let (on, _) = home(ON);
    let without_passkey = Home::new(ON);
    let path = "[gate]\nurl = \"https://app.example.com/_postern/\"\n";
    let cases: [(&Home, &str); 6] = [
        (&off, AFTER_FIRST),
        (&without_passkey, AFTER_FIRST),
        (&Home::new(path), "first_factor=passed approval"),
        (&on, "tries=1"),
        (&on, "first_factor=passed forward_pass"),
        (&on, "app_password"),
    ];
    for (home, words) in cases {
        let host = sudo().who_types(&["", "", ""]);
        assert!(matches!(home.auth(&host, words), Denied(_)), "{words}");
        let prompts = host.prompts.borrow().join("\n");
        assert!(!prompts.contains("passkey"), "{words}: {prompts}");
        assert!(!asks_for_approval(&prompts), "{words}: {prompts}");
    }
    // by the option of the line alone
    let host = sudo();
    let ended = off.auth(&host, "first_factor=passed approval");
    assert_eq!(ended, Denied(Conversation));
    assert!(host.prompts.borrow()[0].contains(messages::APPROVAL_OFFER));
}

/// Requests of one conversation are few, and so are the prompts of each.
#[test]
fn a_conversation_makes_two_requests_at_most() {
    let (home, phone) = home(ON);
    let typed = ["", "", "", "", "", "", "", ""];
    let host = with_phone(sudo().who_types(&typed), &home, &phone, 1);
    assert_eq!(home.auth(&host, AFTER_FIRST), Denied(TooManyTries));
    let prompts = host.prompts.borrow();
    let requests = prompts.iter().filter(|prompt| asks_for_approval(prompt));
    assert_eq!(requests.count(), 2, "{prompts:?}");
}
