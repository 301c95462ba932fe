//! Header tokens, and attacks on them.

use crate::api::calls::{Program, text};
use serde_json::{Value, json};
use testhost::{
    APP, Host, PROOF, Person, Phone, Web, WebClient, Wire, assert_contains, assert_lacks,
    reconfigure,
};

const SESSION: &str = "__Secure-postern";

/// Starts a gate with header tokens, and enrolls alice.
fn prepared(host: &Host) -> (Web, Person, Phone) {
    let mut web = Web::nginx(host, "");
    switch_on(&mut web);
    let (alice, phone) = host.web_user("alice");
    (web, alice, phone)
}

pub(crate) fn switch_on(web: &mut Web) {
    reconfigure("[gate]\n", "[gate]\napi_tokens = true\n");
    web.gate.restart();
}

fn bearing(web: &Web, headers: &[&str]) -> Program {
    Program::of(
        web,
        headers
            .iter()
            .fold(WebClient::new(), |client, header| client.with(header)),
    )
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// P2: with header tokens disabled, no reply contains a token and every token header is ignored.
#[test]
#[ignore = "needs the test host: tests/run"]
fn where_header_tokens_are_off_none_is_given_and_none_is_read() {
    let (host, mut web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let credentials = json!({ "user": "alice", "password": alice.password });

    switch_on(&mut web);
    let given = Program::of_tokens(&web);
    given.signs_in(&alice, &phone.code());
    let (access, refresh) = (given.token("access_token"), given.token("refresh_token"));
    reconfigure("api_tokens = true\n", "");
    web.gate.restart();

    given.is_refused("GET", "account", Value::Null, 401, "signed_out");
    let shown = json!({ "refresh_token": refresh });
    let refused = given.is_refused("POST", "sign-in/refresh", shown, 404, "not_found");
    assert!(refused.all("www-authenticate").is_empty());
    host.clock.forward(30);
    let program = Program::new(&web);
    for (path, body) in [
        ("sign-in", credentials),
        ("sign-in/code", json!({ "code": phone.code() })),
    ] {
        let reply = program.asks("POST", path, body);
        assert!(reply.get("tokens").is_none(), "{reply}");
    }
    // The cookie is accepted, since the token headers beside it are ignored.
    let both = Program::of(
        &web,
        program
            .client
            .with(&bearer(&access))
            .with("Postern-Enrollment: nonsense"),
    );
    assert_eq!(both.asks("GET", "account", Value::Null)["user"], "alice");
}

/// P2: an access token is valid for 15 minutes. A refresh token is valid once, until the session
/// expires.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_session_continues_by_refresh_tokens_until_its_end_and_not_beyond() {
    let host = Host::fresh();
    let (web, alice, phone) = prepared(&host);
    let program = Program::of_tokens(&web);
    program.signs_in(&alice, &phone.code());
    assert_eq!(program.token("expires_in"), "900");
    let refreshes = |program: &Program| {
        let shown = json!({ "refresh_token": program.token("refresh_token") });
        program.does("POST", "sign-in/refresh", shown);
    };
    host.clock.forward(899);
    assert_eq!(program.asks("GET", "account", Value::Null)["user"], "alice");
    host.clock.forward(1);
    let refused = program.is_refused("GET", "account", Value::Null, 401, "signed_out");
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer realm=\"sign-in\""
    );
    refreshes(&program);
    assert_eq!(program.asks("GET", "account", Value::Null)["user"], "alice");

    host.clock.forward(12 * 3600 - 900 - 60);
    refreshes(&program);
    let left: u64 = program.token("expires_in").parse().expect("seconds");
    assert!(
        (30..=60).contains(&left),
        "{left} s are left of twelve hours"
    );
    assert_eq!(program.asks("GET", "account", Value::Null)["user"], "alice");
    host.clock.forward(60);
    program.is_refused("GET", "account", Value::Null, 401, "signed_out");
    let shown = json!({ "refresh_token": program.token("refresh_token") });
    program.is_refused("POST", "sign-in/refresh", shown, 401, "signed_out");
}

/// P2: an attacker uses a stolen refresh token. Whichever of owner and attacker uses it second, the
/// theft is detected and the session ends for both.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_refresh_token_that_is_used_again_ends_the_session() {
    let host = Host::fresh();
    let (web, alice, phone) = prepared(&host);
    let program = Program::of_tokens(&web);
    program.signs_in(&alice, &phone.code());
    host.clock.forward(30);
    let other = Program::of_tokens(&web);
    other.signs_in(&alice, &phone.code());

    let stolen = json!({ "refresh_token": program.token("refresh_token") });
    let thief = Program::of_tokens(&web);
    thief.does("POST", "sign-in/refresh", stolen.clone());
    assert_eq!(thief.asks("GET", "account", Value::Null)["user"], "alice");
    let refused = program.is_refused("POST", "sign-in/refresh", stolen, 401, "token_used");
    assert_contains(&refused.body, "sign in again");
    for copy_of_cookies in [&thief, &program] {
        copy_of_cookies.is_refused("GET", "account", Value::Null, 401, "signed_out");
        let shown = json!({ "refresh_token": copy_of_cookies.token("refresh_token") });
        copy_of_cookies.is_refused("POST", "sign-in/refresh", shown, 401, "signed_out");
    }
    assert_eq!(
        other.asks("GET", "account", Value::Null)["sessions"],
        1,
        "her other session goes on"
    );

    let log = web.gate.log();
    assert_contains(&log, "refused cause=refresh-token-used address=");
    for token in ["access_token", "refresh_token", "login_token"] {
        assert!(
            !log.contains(&program.token(token)),
            "{token} is in the log"
        );
    }
    let events = testhost::Postern::call("log alice --event session-revoked")
        .does()
        .out;
    assert_contains(&events, "an old refresh token was used after a newer one");
}

/// P2: headers take precedence over cookies, and a token is valid for one purpose.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_request_is_by_its_headers_or_by_its_cookies_and_a_token_serves_its_purpose_alone() {
    let host = Host::fresh();
    let (web, alice, phone) = prepared(&host);
    let program = Program::of_tokens(&web);
    program.signs_in(&alice, &phone.code());
    let browser = Program::new(&web);
    host.clock.forward(30);
    browser.signs_in(&alice, &phone.code());
    let cookie = browser.client.cookie(SESSION);
    let [access, refresh, sign_in] =
        ["access_token", "refresh_token", "login_token"].map(|t| program.token(t));

    // With one invalid header, the cookie beside it is ignored.
    for header in [
        bearer("nonsense"),
        bearer(&cookie),
        bearer(&refresh),
        bearer(&sign_in),
        "Authorization: Bearer  ".to_owned(),
        "Postern-Login: x".to_owned(),
        "Postern-Browser: ".to_owned() + &cookie,
        format!("Postern-Enrollment: x; {SESSION}={cookie}"),
        format!("Postern-Browser: x, {SESSION}={cookie}"),
    ] {
        let both = Program::of(&web, browser.client.with(&header));
        let refused = both.is_refused("GET", "account", Value::Null, 401, "signed_out");
        assert_eq!(
            refused.header("www-authenticate"),
            "Bearer realm=\"sign-in\""
        );
    }
    // Another Authorization scheme is ignored.
    let both = Program::of(
        &web,
        browser.client.with("Authorization: Basic YWxpY2U6eA=="),
    );
    assert_eq!(both.asks("GET", "account", Value::Null)["user"], "alice");
    // Two Authorization headers are refused, if a proxy forwards both.
    let (once, proof) = (bearer(&access), format!("X-Postern-Proxy: {PROOF}"));
    let common = [
        "Host: auth.example.test:8443",
        &proof,
        "X-Real-IP: 192.0.2.7",
        &once,
    ];
    let straight = |headers: &[&str]| {
        Wire::open()
            .asks("GET /api/v1/account", headers, "")
            .expect("an answer")
    };
    assert_eq!(straight(&common).status, 200);
    assert_eq!(straight(&[&common[..], &[&once]].concat()).status, 401);
    // A token is invalid as a cookie.
    for token in [&access, &refresh] {
        let line = format!("Cookie: {SESSION}={token}");
        bearing(&web, &[&line]).is_refused("GET", "account", Value::Null, 401, "signed_out");
    }
    for token in [&access, &cookie, &sign_in] {
        let shown = json!({ "refresh_token": token });
        program.is_refused("POST", "sign-in/refresh", shown, 401, "signed_out");
    }
    // A token grants access neither to an application nor to a page.
    assert_eq!(
        WebClient::new().with(&bearer(&access)).fetches(APP).status,
        401
    );
    let page = WebClient::new().with(&bearer(&access)).loads(&web.pages);
    assert_lacks(&page.body, "alice");

    // A request from another site is refused, also with a token.
    let led = bearing(&web, &[&bearer(&access), "Origin: https://evil.example"]);
    led.is_refused("DELETE", "sessions", Value::Null, 403, "foreign_origin");

    // A step-up is valid for its own session only.
    host.clock.forward(30);
    let proof = json!({ "password": alice.password, "code": phone.code() });
    let proved = browser.asks("POST", "step-up", proof);
    assert!(
        !text(&proved["tokens"], "step_up_token").is_empty(),
        "{proved}"
    );
    let step_up = format!(
        "Postern-Step-Up: {}",
        browser.client.cookie("__Host-postern-step-up")
    );
    let both = bearing(&web, &[&bearer(&access), &step_up]);
    both.is_refused(
        "DELETE",
        "second-factor",
        Value::Null,
        403,
        "step_up_required",
    );

    // A revoked session ends at once.
    let listed = browser.asks("GET", "sessions", Value::Null);
    let others = listed["sessions"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["own"] == false);
    browser.does(
        "DELETE",
        &format!("sessions/{}", text(others.expect("the program's"), "id")),
        Value::Null,
    );
    program.is_refused("GET", "account", Value::Null, 401, "signed_out");
    let shown = json!({ "refresh_token": refresh });
    program.is_refused("POST", "sign-in/refresh", shown, 401, "signed_out");
    assert_lacks(web.gate.log(), "panicked");
}
