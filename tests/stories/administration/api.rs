//! Administration by programs, as a part of the API: the endpoints in the OpenAPI document, and the
//! refusals.

use crate::administration::web::{Office, SECRET, configure, program};
use crate::api::calls::Program;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testhost::{Host, Postern, assert_lacks};

/// The endpoints for programs.
const ENDPOINTS: [(&str, &str); 10] = [
    ("GET", "administration/accounts"),
    ("GET", "administration/accounts/{name}"),
    ("POST", "administration/accounts/{name}/disable"),
    ("POST", "administration/accounts/{name}/unlock"),
    ("POST", "administration/accounts/{name}/revoke"),
    ("POST", "administration/accounts/{name}/one-time-code"),
    ("DELETE", "administration/accounts/{name}/one-time-code"),
    ("GET", "administration/accounts/{name}/passkeys"),
    ("POST", "administration/accounts/{name}/passkeys/remove"),
    ("GET", "administration/events"),
];

/// N2, P1: each refusal has its own status and error code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_document_lists_what_programs_do_and_each_refusal_has_its_status_and_code() {
    let host = Host::fresh();
    let mut office = Office::open(&host);
    let right = Program::of(&office.web, program(SECRET));
    let document = Program::new(&office.web).asks("GET", "openapi.json", Value::Null);
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, endpoint) in methods.as_object().expect("methods") {
            let takes_secret = endpoint["security"] == json!([{ "administration": [] }]);
            let path = path.trim_start_matches('/');
            assert_eq!(
                takes_secret,
                path.starts_with("administration/"),
                "{method} {path}"
            );
            if takes_secret {
                described.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    let expected = ENDPOINTS.map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(described, BTreeSet::from(expected));

    let refused = [
        ("GET", "accounts/nobody", Value::Null, 404, "no_account"),
        ("GET", "accounts/alice/", Value::Null, 404, "not_found"),
        (
            "POST",
            "accounts/alice/password",
            Value::Null,
            404,
            "not_found",
        ),
        (
            "DELETE",
            "accounts/alice/disable",
            Value::Null,
            405,
            "method_not_allowed",
        ),
        (
            "POST",
            "accounts/alice/disable",
            json!({}),
            400,
            "malformed",
        ),
        (
            "POST",
            "accounts/alice/revoke",
            Value::Null,
            415,
            "unsupported_media_type",
        ),
        (
            "POST",
            "accounts/alice/revoke",
            json!({}),
            422,
            "invalid_value",
        ),
        (
            "POST",
            "accounts/alice/unlock",
            json!({ "clok": true }),
            422,
            "invalid_value",
        ),
        (
            "GET",
            "accounts?after=..%2f",
            Value::Null,
            422,
            "invalid_value",
        ),
        (
            "GET",
            "events?before=yesterday",
            Value::Null,
            422,
            "invalid_value",
        ),
    ];
    for (method, path, body, status, code) in refused {
        right.is_refused(
            method,
            &format!("administration/{path}"),
            body,
            status,
            code,
        );
    }
    // A foreign Origin is accepted with the secret: a browser never sends the secret by itself, so
    // no page of another site can use it.
    let elsewhere = Program::of(
        &office.web,
        program(SECRET).with("Origin: https://app.example.test:8443"),
    );
    elsewhere.asks(
        "POST",
        "administration/accounts/alice/unlock",
        json!({ "clock": false }),
    );
    // A client without the secret learns nothing more, and its body is not read.
    let wrong = Program::of(
        &office.web,
        program("another-secret-of-32-characters-and-more").from("127.0.0.9"),
    );
    for (method, path) in [
        ("GET", "accounts"),
        ("PUT", "accounts"),
        ("POST", "nothing"),
    ] {
        let path = format!("administration/{path}");
        Program::new(&office.web).is_refused(method, &path, json!("x"), 401, "no_secret");
        wrong.is_refused(method, &path, json!("x"), 403, "wrong_secret");
    }
    let path = "administration/accounts";
    Program::of(&office.web, program("")).is_refused("GET", path, Value::Null, 401, "no_secret");

    configure(&mut office.web, "pages = true\n");
    for (_, path) in ENDPOINTS {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            right.is_refused(
                method,
                &path.replace("{name}", "alice"),
                Value::Null,
                404,
                "not_found",
            );
        }
    }
    assert_eq!(Postern::json("status alice --json")["state"], "on");
    assert_lacks(office.web.gate.log(), "panicked");
}
