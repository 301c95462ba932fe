//! The JSON API and its description: schemathesis makes requests of the one, right and wrong, and holds every answer to it.

use crate::web_administration::{self, SECRET, takes_programs};
use crate::web_api::Program;
use serde_json::Value;
use std::process::Command;
use testhost::{Front, Host, Place, Web, reconfigure};

/// Where the gate listens beside its socket: no proxy answers in its place there.
const GATE: &str = "http://127.0.0.1:9091/api/v1";

/// What programs of administrators do: where there is none of it, all of it is 404.
const ADMINISTRATION: &str = "^/administration/";
/// What a name, an address or a scope may be is more than a schema says; and an authenticator may be called "confirm".
const UNASKED: &str = "positive_data_acceptance,allow_header_conformance";

/// What schemathesis finds with these headers and choices.
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
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// P1
#[test]
#[ignore = "needs the test host: tests/run"]
fn every_answer_is_as_the_document_says() {
    let host = Host::fresh();
    let mut web = Web::start(&host, Front::Nginx, Place::OwnHost, "");
    let alice = host.person("alice");
    alice.has_a_password();
    let phone = alice.enrols();
    reconfigure(
        "[gate]\n",
        "[gate]\nlisten = [\"unix:/run/postern/gate.sock\", \"tcp:127.0.0.1:9091\"]\ninsecure_loopback = true\n",
    );
    web.gate.restart();
    let program = Program::new(&web);
    program.signs_in(&alice, &phone.code());
    let cookie = format!(
        "Cookie: __Secure-postern={}",
        program.visitor.cookie("__Secure-postern")
    );
    // what would sign her out comes in the other round; ids that were answered are tried
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
    // it would show wrong secrets, until nobody there is listened to any more
    let unasked = format!("{UNASKED},ignored_auth");
    let programs = [
        "--exclude-checks",
        &unasked,
        "--include-path-regex",
        ADMINISTRATION,
    ];
    is_kept(&[&["-H", &shown, "--max-examples", "20"], &programs[..]].concat());
    let administrator = Program::of(&web, web_administration::program(SECRET));
    let found = administrator.asks("GET", "administration/accounts", Value::Null);
    assert_eq!(
        found["accounts"][0]["account"], "alice",
        "it was let in: {found}"
    );
    assert!(!web.gate.log().contains("panicked"), "{}", web.gate.log());
}
