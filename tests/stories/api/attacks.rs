//! Attacks on the JSON API: cross-site requests, malformed bodies, and tokens of another purpose or
//! session.

use crate::api::calls::{Program, text};
use serde_json::{Value, json};
use testhost::{Host, PROOF, Phone, WebClient, Wire, assert_lacks};

const SESSION: &str = "__Secure-postern";
const LOGIN: &str = "__Host-postern-login";
const STEP_UP: &str = "__Host-postern-step-up";
const SETUP: &str = "__Host-postern-enrollment";

/// P1: a request that changes something comes from the gate's own origin or from a program without
/// an Origin header. The body must be JSON, short, and of the documented form.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_another_site_sends_and_what_is_no_json_changes_nothing() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let program = Program::new(&web);
    program.signs_in(&alice, &phone.code());
    let sessions = web.page("api/v1/sessions");
    for header in [
        "Origin: https://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        let led = Program::of(&web, program.client.with(header));
        led.is_refused("DELETE", "sessions", Value::Null, 403, "foreign_origin");
        led.is_refused("POST", "sign-out", Value::Null, 403, "foreign_origin");
        let credentials = json!({ "user": "alice", "password": alice.password });
        led.is_refused("POST", "sign-in", credentials, 403, "foreign_origin");
    }
    // No page of another site can read a reply.
    let asked = program
        .client
        .with("Origin: https://evil.example")
        .with("Access-Control-Request-Method: DELETE");
    let preflight = asked.calls("OPTIONS", &sessions, "");
    assert_eq!(
        (preflight.status, preflight.header("allow")),
        (405, "GET, HEAD, DELETE")
    );
    assert!(
        !preflight
            .headers
            .iter()
            .any(|(name, _)| name.starts_with("access-control")),
        "{preflight:?}"
    );

    let form = program
        .client
        .sends(&web.page("api/v1/sign-out"), &[("everywhere", "true")]);
    assert_eq!(form.status, 415, "{form:?}");
    let plain = Program::of(&web, program.client.with("Content-Type: text/plain"));
    plain.is_refused(
        "POST",
        "sign-out",
        json!({ "everywhere": true }),
        415,
        "unsupported_media_type",
    );

    let sign_in = |body: &str| WebClient::new().calls("POST", &web.page("api/v1/sign-in"), body);
    let deep = format!("{{\"user\":{}", "[".repeat(10_000));
    let large = json!({ "user": "alice", "password": "x".repeat(17_000) }).to_string();
    for (body, status) in [
        ("{", 400),
        ("[\"alice\",\"guess\"]", 400),
        ("null", 400),
        ("\u{feff}{}", 400),
        ("{\"user\":\"alice\"}", 422),
        (
            "{\"user\":\"alice\",\"user\":\"bob\",\"password\":\"x\"}",
            422,
        ),
        (
            "{\"user\":\"alice\",\"password\":\"hunter2hunter2\",\"admin\":true}",
            422,
        ),
        (
            "{\"user\":\"alice\",\"password\":[\"hunter2hunter2\"]}",
            422,
        ),
        (&deep, 422),
    ] {
        let reply = sign_in(body);
        assert_eq!(reply.status, status, "{reply:?}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_lacks(&reply.body, "hunter2");
    }
    // nginx refuses the body before the gate does.
    assert_eq!(sign_in(&large).status, 413);
    let straight = Wire::open().asks(
        "POST /api/v1/sign-in",
        &[
            "Host: auth.example.test:8443",
            &format!("X-Postern-Proxy: {PROOF}"),
            "X-Real-IP: 192.0.2.7",
        ],
        &large,
    );
    let straight = straight.expect("an answer");
    assert_eq!(
        (straight.status, straight.header("content-type")),
        (413, "application/problem+json")
    );
    for (method, path, status, code) in [
        ("GET", "", 404, "not_found"),
        ("GET", "account/", 404, "not_found"),
        ("GET", "nothing", 404, "not_found"),
        ("POST", "account", 405, "method_not_allowed"),
        ("PUT", "account", 405, "method_not_allowed"),
    ] {
        program.is_refused(method, path, Value::Null, status, code);
    }
    assert_eq!(
        program.asks("GET", "account", Value::Null)["sessions"],
        1,
        "she is signed in as before"
    );
    assert_lacks(web.gate.log(), "panicked");
}

/// L2, S1: a token is valid for one purpose, one session and one account.
#[test]
#[ignore = "needs the test host: tests/run"]
fn no_token_opens_what_another_is_for() {
    let (host, web) = Host::with_web();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.has_a_password();
    bob.has_a_password();
    let (hers, his) = (alice.enrols(), bob.enrols());
    let bearing = |cookies: &[(&str, &str)]| {
        let line: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Program::of(
            &web,
            WebClient::new().with(&format!("Cookie: {}", line.join("; "))),
        )
    };

    let program = Program::new(&web);
    program.asks(
        "POST",
        "sign-in",
        json!({ "user": "alice", "password": alice.password }),
    );
    let login = program.client.cookie(LOGIN);
    program.asks("POST", "sign-in/code", json!({ "code": hers.code() }));
    let session = program.client.cookie(SESSION);
    host.clock.forward(30);
    program.does(
        "POST",
        "step-up",
        json!({ "password": alice.password, "code": hers.code() }),
    );
    let step_up = program.client.cookie(STEP_UP);
    program.asks("POST", "second-factor/replacement", Value::Null);
    let setup = program.client.cookie(SETUP);
    let shown = program.asks("POST", "authenticators", json!({ "name": "tablet" }));
    let ticket = text(&shown, "pending");

    for token in [&login, &step_up, &setup, &ticket] {
        bearing(&[(SESSION, token)]).is_refused("GET", "account", Value::Null, 401, "signed_out");
    }
    for token in [&session, &step_up, &setup, &ticket] {
        let code = json!({ "code": hers.code_in(1) });
        bearing(&[(LOGIN, token)]).is_refused("POST", "sign-in/code", code, 401, "sign_in_expired");
    }
    for token in [&session, &login, &step_up, &ticket] {
        bearing(&[(SETUP, token)]).is_refused(
            "POST",
            "enroll",
            Value::Null,
            401,
            "enrollment_expired",
        );
    }
    for token in [&session, &login, &setup, &ticket] {
        let both = bearing(&[(SESSION, &session), (STEP_UP, token)]);
        both.is_refused(
            "POST",
            "recovery-codes",
            Value::Null,
            403,
            "step_up_required",
        );
    }
    // Header tokens are disabled.
    for token in [&session, &login, &step_up] {
        let bearer = Program::of(
            &web,
            WebClient::new().with(&format!("Authorization: Bearer {token}")),
        );
        bearer.is_refused("GET", "account", Value::Null, 401, "signed_out");
    }

    // The attacker uses a token of another session and of another account.
    let robber = Program::new(&web);
    robber.signs_in(&bob, &his.code());
    let robbers = robber.client.cookie(SESSION);
    let both = bearing(&[(SESSION, &robbers), (STEP_UP, &step_up)]);
    both.is_refused(
        "DELETE",
        "second-factor",
        Value::Null,
        403,
        "step_up_required",
    );
    let right =
        json!({ "pending": ticket, "code": Phone::scans(&text(&shown, "otpauth_url")).code() });
    robber.is_refused("POST", "authenticators/confirm", right, 409, "stale");
    robber.is_refused(
        "POST",
        "recovery-codes/confirm",
        json!({ "pending": ticket }),
        409,
        "stale",
    );

    // Her app password cannot be addressed from his account.
    program.asks(
        "POST",
        "app-passwords",
        json!({ "name": "files", "scope": ["web:app.example.test"] }),
    );
    host.clock.forward(30);
    robber.does(
        "POST",
        "step-up",
        json!({ "password": bob.password, "code": his.code() }),
    );
    let listed = program.asks("GET", "sessions", Value::Null);
    let id = text(&listed["sessions"][0], "id");
    for path in [
        "authenticators/tablet".to_owned(),
        "app-passwords/files".to_owned(),
        format!("sessions/{id}"),
        "browsers/1".to_owned(),
    ] {
        let refused = robber.sends("DELETE", &path, Value::Null);
        assert!([404, 409].contains(&refused.status), "{path}: {refused:?}");
    }
    let all = program.asks("GET", "account", Value::Null);
    assert_eq!(
        (
            &all["app_passwords"],
            &all["sessions"],
            &all["authenticators"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_lacks(web.gate.log(), "panicked");
}
