//! The JSON API against its OpenAPI document: schemathesis generates valid and invalid requests and
//! checks every reply.

use crate::administration::web::{self as administration, SECRET, takes_programs};
use crate::api::calls::Program;
use serde_json::Value;
use std::process::Command;
use testhost::{Host, assert_lacks, reconfigure};

/// The gate's TCP listener; here no proxy replies in place of the gate.
const GATE: &str = "http://127.0.0.1:9091/api/v1";

/// The endpoints for administrators' programs. If they are disabled, each of them returns 404.
const ADMINISTRATION: &str = "^/administration/";
/// Disabled checks: the schema does not express all rules of names, addresses and scopes, and an
/// authenticator may be named "confirm".
const UNASKED: &str = "positive_data_acceptance,allow_header_conformance";

/// Runs schemathesis with these options, and checks that it finds nothing.
#[track_caller]
fn is_kept(choices: &[&str]) {
    let mut schemathesis = Command::new("timeout");
    schemathesis.args([
        "120",
        "/usr/local/bin/schemathesis",
        "run",
        &format!("{GATE}/openapi.json"),
    ]);
    schemathesis.args([
        "--url",
        GATE,
        "--seed",
        "1",
        "--phases",
        "coverage,fuzzing",
        "--continue-on-failure",
    ]);
    schemathesis.args([
        "--generation-database",
        "none",
        "--workers",
        "1",
        "--warnings",
        "off",
    ]);
    schemathesis.args(["--generation-with-security-parameters", "false"]);
    schemathesis
        .args(["-H", "Host: auth.example.test:8443"])
        .args(choices);
    let output = schemathesis
        .current_dir("/tmp")
        .output()
        .expect("schemathesis runs; tests/run installs it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// P1: every reply has the documented form.
#[test]
#[ignore = "needs the test host: tests/run"]
fn every_answer_is_as_the_document_says() {
    let (host, mut web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    reconfigure(
        "[gate]\n",
        "[gate]\nlisten = [\"unix:/run/postern/gate.sock\", \"tcp:127.0.0.1:9091\"]\ninsecure_loopback = true\n",
    );
    web.gate.restart();
    let program = Program::new(&web);
    program.signs_in(&alice, &phone.code());
    let cookie = format!(
        "Cookie: __Secure-postern={}",
        program.client.cookie("__Secure-postern")
    );
    // Requests that would sign alice out belong to the other run. Ids from earlier replies are
    // used.
    let people = [
        "--exclude-checks",
        UNASKED,
        "--exclude-path-regex",
        ADMINISTRATION,
    ];
    let stays = [
        "--exclude-path",
        "/sign-out",
        "--exclude-operation-id",
        "delete_sessions",
        "--exclude-operation-id",
        "delete_sessions_id",
    ];
    is_kept(
        &[
            &["-H", &cookie, "--max-examples", "20"],
            &stays[..],
            &people,
        ]
        .concat(),
    );
    let account = program.asks("GET", "account", Value::Null);
    assert_eq!(
        account["second_factor"], "on",
        "she is signed in as before, and nothing was turned off"
    );
    is_kept(&[&["--max-examples", "10"], &people[..]].concat());

    takes_programs(&mut web, "");
    let shown = format!("Authorization: Bearer {SECRET}");
    // This check would send wrong secrets until the address is throttled.
    let unasked = format!("{UNASKED},ignored_auth");
    let programs = [
        "--exclude-checks",
        &unasked,
        "--include-path-regex",
        ADMINISTRATION,
    ];
    is_kept(&[&["-H", &shown, "--max-examples", "20"], &programs[..]].concat());
    let administrator = Program::of(&web, administration::program(SECRET));
    let found = administrator.asks("GET", "administration/accounts", Value::Null);
    assert_eq!(
        found["accounts"][0]["account"], "alice",
        "it was let in: {found}"
    );
    assert_lacks(web.gate.log(), "panicked");
}
