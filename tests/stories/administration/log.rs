//! The audit log and the system log: what they contain about each account, and what they never
//! contain.

use std::process::{Command, Stdio};
use testhost::{Host, Postern, Store, Terminal, WebClient, assert_contains, on_the_clock};

fn events(call: &str) -> Vec<String> {
    let output = Postern::call(&format!("log {call} --json")).does().out;
    let event = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON")["event"].clone()
    };
    output
        .lines()
        .map(|line| event(line).as_str().expect("a name").to_owned())
        .collect()
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_log_shows_what_happened_and_follows() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let mut following = Terminal::run(Postern::call("log --follow").command());
    following.expect("enrolled");

    alice
        .with_key()
        .is_refused(&phone.wrong(), "That code is wrong");
    following
        .expect("refused")
        .expect(" | alice ")
        .expect(" | sshd ")
        .expect(" | 127.0.0.1 ")
        .expect(" | wrong");
    alice.with_key().enters_with(&phone.code());
    following
        .expect("accepted")
        .expect(" | sshd ")
        .expect(" | code");
    following.is_interrupted();

    let table = "\
time                 | event         | account | principal | service | origin          | cause
---------------------+---------------+---------+-----------+---------+-----------------+------
2027-01-15T08:00:15Z | account-added | alice   | root      | postern | local user root |
2027-01-15T08:00:15Z | enrolled      | alice   | root      | postern | local user root |
2027-01-15T08:00:15Z | refused       | alice   | alice     | sshd    | 127.0.0.1       | wrong
2027-01-15T08:00:15Z | accepted      | alice   | alice     | sshd    | 127.0.0.1       | code
";
    assert_eq!(Postern::call("log").does().out, table);
    let last = Postern::json("log alice --lines 1 --json");
    let expected = serde_json::json!({
        "time": "2027-01-15T08:00:15Z", "event": "accepted", "account": "alice", "principal": "alice",
        "service": "sshd", "origin": "127.0.0.1", "cause": "code",
    });
    assert_eq!(last, expected);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn filters_narrow_the_log() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    bob.enrols();
    host.clock.forward(3600);
    alice.with_key().enters_with(&phone.code());
    host.clock.forward(3600);
    Postern::call("unlock bob").does();

    assert_eq!(events("bob"), ["account-added", "enrolled", "unlocked"]);
    assert_eq!(events("--service sshd"), ["accepted"]);
    assert_eq!(events("--event enrolled").len(), 2);
    assert_eq!(events("--since 2h --event enrolled").len(), 2);
    assert_eq!(events("--since 7199s"), ["accepted", "unlocked"]);
    assert_eq!(
        events("--since 2027-01-15T09:00:15Z --until 2027-01-15T10:00:14Z"),
        ["accepted"]
    );
    assert_eq!(events("--until 2027-01-15"), [""; 0]);
    assert_eq!(events("nobody"), [""; 0]);
    assert_eq!(events("--lines 2"), ["accepted", "unlocked"]);
    for call in [
        "log --event x",
        "log --since soon",
        "log --lines 0",
        "log --follow --until 2h",
    ] {
        assert_eq!(Postern::call(call).run().exit, Some(2), "{call}");
    }
}

/// The log names the administrator who acted, also with sudo.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_administrator_is_named() {
    let host = Host::fresh();
    let (alice, carol) = (host.person("alice"), host.person("carol"));
    alice.enrols();
    let user = nix::unistd::User::from_name(&carol.name)
        .ok()
        .flatten()
        .expect("carol has an account");
    Postern::call("disable alice")
        .variable("SUDO_UID", &user.uid.to_string())
        .does();
    let output = Postern::json("log alice --event disabled --json");
    assert_eq!(output["principal"], "carol");
    assert_eq!(output["account"], "alice");
}

/// The attack: a reader of the logs looks for secrets. Every kind of input is used over ssh and on
/// the web; neither log contains any.
#[test]
#[ignore = "needs the test host: tests/run"]
fn no_log_contains_what_was_typed() {
    let (host, web) = Host::with_web();
    let (alice, phone, recovery) = host.web_user_with_recovery_codes("alice");
    host.journal.forget();
    let mut typed = vec![
        phone.secret(),
        alice.password.clone(),
        "a guess at it".to_owned(),
    ];
    typed.extend(
        recovery
            .iter()
            .flat_map(|code| [code.clone(), code.replace('-', "")]),
    );
    typed.extend([-2, 0, 1, 2, 3].map(|step| phone.code_in(step)));
    typed.extend(phone.wrong_codes(4));

    let ssh = alice.with_key();
    ssh.is_refused(&phone.wrong(), "That code is wrong");
    ssh.is_refused(&phone.code_in(-2), "is behind");
    ssh.is_refused(&phone.code_in(3), "That code is wrong");
    ssh.is_refused("a guess at it", "That is not a code");
    ssh.is_refused(&alice.password, "That is not a code");
    ssh.enters_with(&phone.code());
    ssh.is_refused(&phone.code(), "used already");
    ssh.enters_with(&recovery[0]);
    ssh.is_refused(&recovery[0], "used already");
    let client = WebClient::new();
    assert_eq!(
        client
            .sends_password(&web.pages, "alice", "a guess at it")
            .status,
        401
    );
    assert_eq!(
        client
            .sends_password(&web.pages, "nobody", &alice.password)
            .status,
        401
    );
    assert_eq!(client.password(&web, &alice).status, 303);
    for reply in [
        &phone.wrong_codes(4)[1],
        &phone.code(),
        &recovery[0],
        &alice.password,
        &phone.wrong_codes(4)[2],
    ] {
        assert_eq!(client.code(&web, reply).status, 401, "{reply}");
    }
    assert_eq!(client.code_and_trust(&web, &phone.code_in(1)).status, 303);
    typed.extend(
        client
            .cookies()
            .into_iter()
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty()),
    );
    assert_eq!(client.password(&web, &alice).status, 303);
    Postern::call("verify alice")
        .input(&phone.code_in(1))
        .refuses();
    Postern::call("verify alice").input(&recovery[1]).does();

    let logs = [
        host.journal.rest(),
        web.gate.log(),
        Postern::call("log --json").does().out,
    ];
    for (log, told) in logs
        .iter()
        .zip(["cause=used", "cause=trusted-browser", "recovery-code"])
    {
        assert!(log.contains(told), "no {told}: {log}");
        for secret in &typed {
            assert!(!log.contains(secret.as_str()), "{secret}: {log}");
        }
    }
    // Both logs use the same text.
    for means in ["code", "recovery-code"] {
        assert_contains(
            &logs[0],
            format!("accepted cause={means} address=127.0.0.1 service=sshd user=\"alice\""),
        );
    }
    web.gate
        .says("accepted cause=code address=127.0.0.1 service=web user=\"alice\"");
}

/// sshd ends the process that waits. Other hosts return from the prompt without a reply.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_prompt_that_is_cancelled_has_a_cause_of_its_own() {
    let host = Host::fresh();
    host.person("alice").enrols();
    for first_factor in ["passed", "unknown"] {
        host.pam(
            "codes",
            &format!("auth required pam_totp.so first_factor={first_factor}\n"),
        );
        let before = Store::open().dump();
        let mut tester = on_the_clock(Command::new("pamtester"));
        tester
            .args(["codes", "alice", "authenticate"])
            .stdin(Stdio::null());
        assert!(
            !tester
                .output()
                .expect("pamtester runs; tests/run installs it")
                .status
                .success()
        );
        host.journal
            .says("refused cause=cancelled address=- service=codes user=\"alice\"");
        assert_eq!(Store::open().dump(), before);
    }
}

/// The store cannot record that it is busy. The system log and the gate's log have a cause of their
/// own for it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_busy_store_has_a_cause_of_its_own_at_the_gate_too() {
    let (host, web) = Host::with_web();
    let alice = host.person("alice");
    alice.has_a_password();
    let stalled = Store::open();
    stalled.changes("BEGIN IMMEDIATE; UPDATE account SET created = created");
    assert_eq!(WebClient::new().password(&web, &alice).status, 503);
    web.gate.says("refused cause=store-busy");
    drop(stalled);
}
