//! The JSON API: everything that the pages do, done by a program.

use crate::api::tokens::switch_on;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use testhost::{APP, Host, PagesAt, Person, Phone, Proxy, Reply, Web, WebClient, assert_lacks};

/// A program that uses the API with the cookies or the tokens that it received.
pub(crate) struct Program {
    pub(crate) client: WebClient,
    api: String,
    /// The newest token of each kind, for a program that keeps no cookies.
    tokens: Option<RefCell<BTreeMap<String, String>>>,
}

/// The request header of each token.
const HEADERS: [(&str, &str); 5] = [
    ("access_token", "Authorization: Bearer"),
    ("login_token", "Postern-Login:"),
    ("enrollment_token", "Postern-Enrollment:"),
    ("step_up_token", "Postern-Step-Up:"),
    ("browser_token", "Postern-Browser:"),
];

impl Program {
    pub(crate) fn new(web: &Web) -> Program {
        Program::of(web, WebClient::new())
    }

    pub(crate) fn of(web: &Web, client: WebClient) -> Program {
        Program {
            client,
            api: web.page("api/v1/"),
            tokens: None,
        }
    }

    /// Creates a program that keeps no cookies.
    pub(crate) fn of_tokens(web: &Web) -> Program {
        Program {
            tokens: Some(RefCell::default()),
            ..Program::new(web)
        }
    }

    /// Returns the newest token of a kind.
    #[track_caller]
    pub(crate) fn token(&self, kind: &str) -> String {
        let tokens = self.tokens.as_ref().expect("a program of tokens").borrow();
        tokens
            .get(kind)
            .unwrap_or_else(|| panic!("no {kind} in {tokens:?}"))
            .clone()
    }

    /// Returns the client of the next request: the same one, or a client without cookies and with
    /// every token.
    fn asking(&self) -> WebClient {
        let Some(tokens) = &self.tokens else {
            return self.client.clone();
        };
        let tokens = tokens.borrow();
        let shown = HEADERS
            .iter()
            .filter_map(|(kind, header)| Some(format!("{header} {}", tokens.get(*kind)?)));
        shown.fold(WebClient::new(), |client, header| client.with(&header))
    }

    /// Removes the tokens from a reply and keeps them.
    fn keep_tokens(&self, reply: &mut Reply) {
        let Some(tokens) = &self.tokens else { return };
        let Ok(Value::Object(mut response)) = serde_json::from_str(&reply.body) else {
            return;
        };
        let Some(Value::Object(brought)) = response.remove("tokens") else {
            return;
        };
        for (kind, token) in brought {
            tokens.borrow_mut().insert(
                kind,
                token
                    .as_str()
                    .map_or_else(|| token.to_string(), str::to_owned),
            );
        }
        let is_all = response.is_empty() && reply.status == 200;
        (reply.body, reply.status) = match is_all {
            true => (String::new(), 204),
            false => (Value::Object(response).to_string(), reply.status),
        };
    }

    /// Sends a request; a null body sends none. Returns the reply, whatever its status is.
    #[track_caller]
    pub(crate) fn sends(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut reply = self
            .asking()
            .calls(method, &format!("{}{path}", self.api), &body);
        self.keep_tokens(&mut reply);
        assert_eq!(reply.header("cache-control"), "no-store", "{reply:?}");
        reply
    }

    /// Sends a request that succeeds, and returns the JSON body.
    #[track_caller]
    pub(crate) fn asks(&self, method: &str, path: &str, body: Value) -> Value {
        let reply = self.sends(method, path, body);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, "application/json"),
            "{reply:?}"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        serde_json::from_str(&reply.body).expect("JSON")
    }

    /// Sends a request that succeeds without a body.
    #[track_caller]
    pub(crate) fn does(&self, method: &str, path: &str, body: Value) {
        let reply = self.sends(method, path, body);
        assert_eq!((reply.status, reply.body.as_str()), (204, ""), "{reply:?}");
    }

    /// Sends a request and checks that it is refused with this status and error code.
    #[track_caller]
    pub(crate) fn is_refused(
        &self,
        method: &str,
        path: &str,
        body: Value,
        status: u16,
        code: &str,
    ) -> Reply {
        let reply = self.sends(method, path, body);
        assert_eq!(
            reply.header("content-type"),
            "application/problem+json",
            "{reply:?}"
        );
        let output: Value = serde_json::from_str(&reply.body).expect("JSON");
        assert_eq!(
            (reply.status, &output["status"], &output["code"]),
            (status, &json!(status), &json!(code)),
            "{reply:?}"
        );
        assert!(
            output["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{output}"
        );
        reply
    }

    /// Signs in with password and code.
    #[track_caller]
    pub(crate) fn signs_in(&self, person: &Person, code: &str) {
        let asked = self.asks(
            "POST",
            "sign-in",
            json!({ "user": person.name, "password": person.password }),
        );
        assert_eq!(asked["state"], "code_required", "{asked}");
        let entered = self.asks("POST", "sign-in/code", json!({ "code": code }));
        assert_eq!(entered["state"], "signed_in", "{entered}");
    }
}

/// Returns the text of a field of a reply.
#[track_caller]
pub(crate) fn text(reply: &Value, at: &str) -> String {
    reply[at]
        .as_str()
        .unwrap_or_else(|| panic!("no {at} in {reply}"))
        .to_owned()
}

/// P1, E2, E3, E5, L1, L2, S1: the API suffices from the first enrollment to the end of the
/// account.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_account_is_kept_from_its_first_setup_to_its_end_by_the_api_alone() {
    let (host, web) = Host::with_web();
    is_kept_from_its_first_setup_to_its_end(&host, &web, Program::new);
}

/// P2: the same steps by a program that keeps no cookies.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_account_is_kept_by_header_tokens_as_by_cookies() {
    let (host, mut web) = Host::with_web();
    switch_on(&mut web);
    is_kept_from_its_first_setup_to_its_end(&host, &web, Program::of_tokens);
}

fn is_kept_from_its_first_setup_to_its_end(
    host: &Host,
    web: &Web,
    starts: impl Fn(&Web) -> Program,
) {
    let alice = host.person("alice");
    alice.has_a_password();
    let program = starts(web);
    let credentials = json!({ "user": "alice", "password": alice.password });

    // No user is signed in.
    assert_eq!(
        program.asks("GET", "sign-in", Value::Null)["state"],
        "signed_out"
    );
    let refused = program.is_refused("GET", "account", Value::Null, 401, "signed_out");
    assert!(refused.all("set-cookie").is_empty());
    program.is_refused(
        "POST",
        "sign-in",
        json!({ "user": "alice", "password": "not hers" }),
        401,
        "refused",
    );
    program.is_refused(
        "POST",
        "sign-in/code",
        json!({ "code": "123456" }),
        401,
        "sign_in_expired",
    );
    program.is_refused("POST", "enroll", Value::Null, 401, "enrollment_expired");

    // Without a second factor the password suffices for a sign-in; then enrollment begins.
    assert_eq!(
        program.asks("POST", "sign-in", credentials.clone())["state"],
        "signed_in"
    );
    assert_eq!(
        program.asks("GET", "account", Value::Null)["second_factor"],
        "off"
    );
    program.is_refused(
        "POST",
        "second-factor",
        Value::Null,
        403,
        "step_up_required",
    );
    let begun = program.asks(
        "POST",
        "second-factor",
        json!({ "password": alice.password }),
    );
    assert_eq!(
        begun,
        json!({ "state": "enrollment_required", "one_time_code": false })
    );
    let (first, shown) = (
        program.asks("POST", "enroll", Value::Null),
        program.asks("POST", "enroll", Value::Null),
    );
    for at in ["secret", "otpauth_url", "qr", "pending"] {
        assert_ne!(first[at], shown[at], "{at}");
    }
    assert!(text(&shown, "qr").contains("<svg") && text(&shown, "secret").len() >= 32);
    let (phone, ticket) = (
        Phone::scans(&text(&shown, "otpauth_url")),
        text(&shown, "pending"),
    );
    let wrong = json!({ "pending": ticket, "code": phone.wrong() });
    program.is_refused("POST", "enroll/confirm", wrong, 401, "wrong_code");
    let confirmed = program.asks(
        "POST",
        "enroll/confirm",
        json!({ "pending": ticket, "code": phone.code() }),
    );
    let recovery = confirmed["recovery_codes"]
        .as_array()
        .expect("a list")
        .clone();
    assert_eq!(recovery.len(), 6);
    assert_eq!(
        program.asks("GET", "account", Value::Null)["second_factor"],
        "off",
        "not saved yet"
    );
    let on = program.asks(
        "POST",
        "enroll/finish",
        json!({ "pending": text(&confirmed, "pending") }),
    );
    assert_eq!(on["state"], "signed_in");
    assert_eq!(
        program.asks("GET", "account", Value::Null)["second_factor"],
        "on"
    );
    program.does("POST", "sign-out", Value::Null);
    program.is_refused("GET", "account", Value::Null, 401, "signed_out");

    // Sign-in with password and code.
    host.clock.forward(30);
    let asked = program.sends("POST", "sign-in", credentials.clone());
    let login = match &program.tokens {
        Some(_) => program.token("login_token"),
        None => program.client.cookie("__Host-postern-login"),
    };
    assert!(
        !asked.body.contains(&login),
        "header tokens are off, or were taken out"
    );
    let asked: Value = serde_json::from_str(&asked.body).expect("JSON");
    let expected = json!({ "state": "code_required", "methods": ["app"], "preferred": "app", "digits": 6, "mail_to": null, "needs_passkey": false });
    assert_eq!(asked, expected);
    program.is_refused("GET", "account", Value::Null, 401, "signed_out");
    program.is_refused(
        "POST",
        "sign-in/code",
        json!({ "code": phone.wrong() }),
        401,
        "wrong_code",
    );
    program.is_refused("POST", "sign-in/mail", Value::Null, 409, "no_mail");
    let code = phone.code();
    let entered = program.asks(
        "POST",
        "sign-in/code",
        json!({ "code": code, "trust": true }),
    );
    assert_eq!(entered["user"], "alice");
    program.is_refused(
        "POST",
        "sign-in/code",
        json!({ "code": code }),
        401,
        "sign_in_expired",
    );
    if program.tokens.is_none() {
        assert_eq!(
            program.client.fetches(APP).status,
            200,
            "the same session as the pages'"
        );
    }

    let browsers = program.asks("GET", "browsers", Value::Null);
    let number = browsers["browsers"][0]["number"]
        .as_i64()
        .expect("a trusted browser");
    program.does("DELETE", &format!("browsers/{number}"), Value::Null);
    program.is_refused("DELETE", "browsers", Value::Null, 404, "no_such_item");

    // Critical acts require a step-up.
    let new = json!({ "name": "files", "scope": ["web:app.example.test"] });
    program.is_refused(
        "POST",
        "app-passwords",
        new.clone(),
        403,
        "step_up_required",
    );
    program.is_refused(
        "DELETE",
        "second-factor",
        Value::Null,
        403,
        "step_up_required",
    );
    program.is_refused(
        "POST",
        "recovery-codes",
        Value::Null,
        403,
        "step_up_required",
    );
    program.is_refused(
        "POST",
        "step-up",
        json!({ "password": "not hers", "code": "123456" }),
        403,
        "wrong_password",
    );
    host.clock.forward(30);
    program.does(
        "POST",
        "step-up",
        json!({ "password": alice.password, "code": phone.code() }),
    );
    assert_eq!(
        program.asks("GET", "sign-in", Value::Null)["stepped_up"],
        true
    );

    let made = program.asks("POST", "app-passwords", new.clone());
    let app_password = text(&made, "app_password");
    program.is_refused("POST", "app-passwords", new, 409, "name_taken");
    program.does(
        "PATCH",
        "app-passwords/files",
        json!({ "name": "my files" }),
    );
    let listed = program.asks("GET", "app-passwords", Value::Null);
    assert_eq!(listed["app_passwords"][0]["name"], "my files");
    assert_lacks(listed.to_string(), &app_password);
    program.does("DELETE", "app-passwords/my%20files", Value::Null);
    program.is_refused(
        "DELETE",
        "app-passwords/my%20files",
        Value::Null,
        404,
        "no_such_item",
    );

    let new = program.asks("POST", "recovery-codes", Value::Null);
    program.does(
        "POST",
        "recovery-codes/confirm",
        json!({ "pending": text(&new, "pending") }),
    );
    alice
        .with_key()
        .is_refused(recovery[0].as_str().expect("a code"), "That code is wrong");

    // A second authenticator is added, which ends every other session.
    let elsewhere = starts(web);
    host.clock.forward(30);
    elsewhere.signs_in(&alice, &phone.code());
    let shown = program.asks("POST", "authenticators", json!({ "name": "my tablet" }));
    let tablet = Phone::scans(&text(&shown, "otpauth_url"));
    let wrong = json!({ "pending": shown["pending"], "code": tablet.wrong() });
    program.is_refused("POST", "authenticators/confirm", wrong, 403, "wrong_code");
    let right = json!({ "pending": shown["pending"], "code": tablet.code() });
    assert_eq!(
        program.asks("POST", "authenticators/confirm", right)["signed_in"],
        true
    );
    elsewhere.is_refused("GET", "account", Value::Null, 401, "signed_out");
    let listed = program.asks("GET", "authenticators", Value::Null);
    assert_eq!(listed["authenticators"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        program.asks("DELETE", "authenticators/my%20tablet", Value::Null)["signed_in"],
        true
    );
    let last = text(
        &program.asks("GET", "authenticators", Value::Null)["authenticators"][0],
        "name",
    );
    program.is_refused(
        "DELETE",
        &format!("authenticators/{last}"),
        Value::Null,
        409,
        "last_authenticator",
    );

    host.clock.forward(30);
    elsewhere.signs_in(&alice, &phone.code());
    let sessions = program.asks("GET", "sessions", Value::Null);
    let other = sessions["sessions"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["own"] == false));
    let other = text(other.expect("two sessions"), "id");
    program.does("DELETE", &format!("sessions/{other}"), Value::Null);
    elsewhere.is_refused("GET", "account", Value::Null, 401, "signed_out");

    // The password is changed, and the program signs out.
    let new = "correct horse battery staple";
    program.is_refused(
        "PUT",
        "password",
        json!({ "new": "short" }),
        422,
        "invalid_value",
    );
    for guessable in ["password", "Alice-2026", "auth.example.test"] {
        program.is_refused(
            "PUT",
            "password",
            json!({ "new": guessable }),
            422,
            "password_common",
        );
    }
    assert_eq!(
        program.asks("PUT", "password", json!({ "new": new }))["signed_in"],
        true
    );
    elsewhere.is_refused("POST", "sign-in", credentials, 401, "refused");
    assert_eq!(
        program.asks("DELETE", "second-factor", Value::Null)["signed_in"],
        true
    );
    assert_eq!(
        program.asks("GET", "account", Value::Null)["second_factor"],
        "off"
    );
    program.does("POST", "sign-out", json!({ "everywhere": true }));
    program.is_refused("GET", "account", Value::Null, 401, "signed_out");

    let log = web.gate.log();
    for secret in [&phone.secret(), &app_password, &ticket, &login] {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
    assert_lacks(&log, "panicked");
}

/// S1: on a path of the protected host no step-up is kept. Each critical act requires a proof of
/// its own.
#[test]
#[ignore = "needs the test host: tests/run"]
fn on_a_path_of_the_protected_host_each_critical_act_takes_its_own_proof() {
    let host = Host::fresh();
    let web = Web::start(&host, Proxy::Nginx, PagesAt::Path, "");
    let (alice, phone) = host.web_user("alice");
    let program = Program::new(&web);
    program.signs_in(&alice, &phone.code());
    host.clock.forward(30);
    let code = phone.code();
    let proof = json!({ "password": alice.password, "code": code });
    program.is_refused("POST", "step-up", proof, 409, "step_up_not_kept");
    let new = |name: &str| json!({ "name": name, "scope": ["web:app.example.test"], "password": alice.password, "code": code });
    program.asks("POST", "app-passwords", new("one"));
    program.is_refused("POST", "app-passwords", new("two"), 403, "code_used");
    host.clock.forward(30);
    let proof = json!({ "password": alice.password, "code": phone.code() });
    assert_eq!(
        program.asks("DELETE", "second-factor", proof)["signed_in"],
        true
    );
}
