//! The gate's JSON log and its access log: every event has a line, and no line contains a
//! credential.

use nix::sys::signal::Signal;
use serde_json::Value;
use testhost::{APP, Host, Postern, WebClient, Wire, assert_contains, assert_lacks, reconfigure};

#[test]
#[ignore = "needs the test host: tests/run"]
fn checks_and_pages_are_logged_without_anything_that_grants_access() {
    let (host, mut web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    reconfigure("[gate]\n", "[gate]\naccess_log = true\nlog = \"json\"\n");
    // The unit runs this command as root before each start and reload.
    Postern::call("check --keep").does();
    web.gate.restart();
    let client = WebClient::new();
    assert_eq!(
        client
            .sends_password(&web.pages, "alice", "not the password")
            .status,
        401
    );
    let code = phone.code();
    client.signs_in_and_trusts(&web, &alice, &code);
    assert_eq!(
        client
            .loads(&format!("{APP}/some/page?token=of-the-query"))
            .status,
        200
    );
    let forged = "X-Original-Method: GE\"T kind=check user=\"root";
    let mut lines = vec!["Host: postern", "X-Real-IP: 192.0.2.7", forged];
    let proof = format!("X-Postern-Proxy: {}", testhost::PROOF);
    lines.extend([
        proof.as_str(),
        "X-Original-URL: https://app.example.test:8443/a%0ab?q=1",
    ]);
    Wire::open()
        .asks("GET /check/nginx", &lines, "")
        .expect("an answer");
    // The gate writes the line after the reply.
    web.gate.says("malformed-request");

    let log = web.gate.log();
    let objects: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let with = |pairs: &[(&str, &str)]| {
        let fits = |object: &&Value| pairs.iter().all(|(key, value)| object[*key] == *value);
        objects
            .iter()
            .find(fits)
            .unwrap_or_else(|| panic!("{pairs:?} in {log}"))
    };
    with(&[
        ("event", "refused"),
        ("cause", "password-wrong"),
        ("service", "web"),
        ("user", "alice"),
    ]);
    with(&[
        ("event", "accepted"),
        ("cause", "code"),
        ("address", "127.0.0.1"),
        ("user", "alice"),
    ]);
    let let_in = [
        ("kind", "check"),
        ("result", "allowed"),
        ("user", "alice"),
        ("path", "/some/page"),
    ];
    let check = with(&let_in);
    assert_eq!(check["host"], "app.example.test");
    assert_eq!(check["method"], "GET");
    assert!(
        check["duration_us"].is_u64()
            && check["time"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z'))
    );
    let page = with(&[
        ("kind", "page"),
        ("method", "POST"),
        ("path", "/code"),
        ("user", "-"),
    ]);
    assert_eq!(page["status"], 303);
    let proof = testhost::PROOF;
    let cookie = client.cookie("__Secure-postern");
    let secrets = [
        &alice.password,
        "not the password",
        &code,
        "of-the-query",
        &cookie,
        proof,
        "token",
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret:?} in {log}");
    }

    // A reload switches the log back to text.
    let before = log.len();
    reconfigure("log = \"json\"\n", "log = \"text\"\n");
    Postern::call("check --keep").does();
    web.gate.signal(Signal::SIGHUP);
    web.gate.says("reloaded");
    assert_eq!(
        client.loads(&format!("{APP}/?token=of-the-query")).status,
        200
    );
    web.gate
        .says("result=allowed method=\"GET\" host=\"app.example.test\" path=\"/\"");
    let log = web.gate.log();
    let text = &log[before..];
    assert!(
        text.lines().all(|line| line.starts_with("postern-gate: ")),
        "{text}"
    );
    assert_contains(
        text,
        "postern-gate: access kind=check address=127.0.0.1 user=\"alice\" duration_us=",
    );
    assert_lacks(text, "token");
}
