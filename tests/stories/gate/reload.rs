//! SIGHUP: the gate loads the current files and keeps all connections.

use nix::sys::signal::Signal;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;
use testhost::{
    APP, Gate, Host, Web, WebClient, Wire, assert_contains, assert_lacks, finished, reconfigure,
    set_mode,
};

/// Reloads the gate and waits for this log line.
#[track_caller]
fn reload(gate: &Gate, says: &str) {
    gate.signal(Signal::SIGHUP);
    gate.says(says);
}

/// The connection and the session are the same before and after the reload.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_reload_drops_neither_connection_nor_session() {
    let host = Host::fresh();
    let settings = "[[policy.exempt]]\nservices = [\"elsewhere\"]\n";
    let web = Web::nginx(&host, settings);
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let cookie = client.cookie_header("__Secure-postern");
    let mut wire = Wire::open();
    assert_eq!(wire.checks(&[&cookie]).status, 200);
    let process = web.gate.process();

    // A new client needs a code until the exemption applies, and none afterwards, on the existing
    // connection.
    let new = WebClient::new();
    assert!(
        new.password(&web, &alice)
            .header("location")
            .contains("/code")
    );
    reconfigure("elsewhere", "web");
    reload(&web.gate, "reloaded /etc/postern/postern.toml");
    assert_eq!(wire.checks(&[&cookie]).status, 200);
    let exempt = WebClient::new();
    assert!(
        !exempt
            .password(&web, &alice)
            .header("location")
            .contains("/code")
    );
    assert_eq!(exempt.loads(APP).status, 200);
    let exempted = exempt.cookie_header("__Secure-postern");
    assert_eq!(wire.checks(&[&exempted]).status, 200);

    // Many reloads in a row use up no resource.
    reconfigure("\"web\"", "\"elsewhere\"");
    for _ in 0..20 {
        web.gate.signal(Signal::SIGHUP);
        assert_eq!(wire.checks(&[&cookie]).status, 200);
    }
    testhost::wait_until("the exemption is gone", || {
        Ok(wire.checks(&[&exempted]).status == 401)
    });
    assert_eq!(
        (wire.checks(&[&cookie]).status, web.gate.process()),
        (200, process)
    );
    // A revocation applies at once, also after reloads.
    testhost::Postern::call("session revoke alice --all").does();
    assert_eq!(wire.checks(&[&cookie]).status, 401);
    assert_lacks(web.gate.log(), "panicked");
}

/// sd_notify(3): the gate reports readiness, reload, watchdog and stop.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_service_manager_is_notified() {
    let (_host, mut web) = Host::with_web();
    let path = "/run/postern-tests/notify";
    // The socket may exist from a story that failed.
    let _ = std::fs::remove_file(path);
    let manager = UnixDatagram::bind(path).expect("the tests' folder can be written");
    set_mode(path, 0o777);
    manager
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a limit");
    let hears = |state: &str| {
        let mut message = [0; 256];
        loop {
            let length = manager
                .recv(&mut message)
                .unwrap_or_else(|error| panic!("no {state}: {error}"));
            if String::from_utf8_lossy(&message[..length])
                .lines()
                .any(|line| line == state)
            {
                return;
            }
        }
    };
    web.gate.restart_through(&[
        "env",
        &format!("NOTIFY_SOCKET={path}"),
        "WATCHDOG_USEC=200000",
    ]);
    hears("READY=1");
    hears("WATCHDOG=1");
    hears("WATCHDOG=1");
    web.gate.signal(Signal::SIGHUP);
    hears("RELOADING=1");
    hears("READY=1");
    web.gate.signal(Signal::SIGTERM);
    hears("STOPPING=1");
}

/// A reload with an invalid configuration is refused and logged. The configuration in force stays
/// in force.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_cannot_be_reloaded_leaves_the_gate_as_it_runs() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let before = std::fs::read_to_string("/etc/postern/postern.toml").expect("it is in place");

    for (from, to, says) in [
        (
            "[gate]\n",
            "[gate]\nsession_lifetime = \"1s\"\n",
            "gate.session_lifetime: must be a duration",
        ),
        (
            "[gate]\n",
            "[gate]\nlisten = [\"tcp:127.0.0.1:9999\"]\n",
            "gate.listen has changed; restart the gate",
        ),
        (
            "[gate]\n",
            "[store]\nurl = \"sqlite:/tmp/x.db\"\n[gate]\n",
            "[store] has changed; restart the gate",
        ),
        (
            "[gate]\n",
            "[gate.administration]\nsecret_file = \"/none\"\n[gate]\n",
            "/none",
        ),
    ] {
        reconfigure(from, to);
        reload(&web.gate, says);
        assert_contains(
            web.gate.log(),
            "not reloaded, the previous configuration stays in force: ",
        );
        assert_eq!(client.loads(APP).status, 200, "{to}");
        std::fs::write("/etc/postern/postern.toml", &before).expect("/etc can be written");
    }
    reload(&web.gate, "reloaded /etc/postern/postern.toml");
    assert_eq!(client.loads(APP).status, 200);
}

/// A reload applies a new certificate to the next handshake. An unreadable certificate is refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_new_certificate_is_shown_after_a_reload() {
    let host = Host::fresh();
    let certify = |name: &str| {
        let script = format!(
            "cd /etc/postern && umask 027 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
             -days 3650 -keyout gate.key -out gate.crt -subj /CN={name} && chgrp postern gate.key gate.crt && chmod 0640 gate.key gate.crt"
        );
        finished(Command::new("bash").args(["-euc", &script]));
    };
    let shown = || {
        let script = "openssl s_client -connect 127.0.0.1:9443 </dev/null 2>/dev/null | openssl x509 -noout -subject";
        finished(Command::new("bash").args(["-c", script]))
    };
    certify("old");
    let settings =
        "[gate.tls]\ncert_file = \"/etc/postern/gate.crt\"\nkey_file = \"/etc/postern/gate.key\"\n";
    let mut web = Web::nginx(&host, settings);
    reconfigure(
        "[gate]\n",
        "[gate]\nlisten = [\"unix:/run/postern/gate.sock\", \"tls:127.0.0.1:9443\"]\n",
    );
    web.gate.restart();
    assert_contains(shown(), "old");
    certify("new");
    assert!(shown().contains("old"), "not before it is told");
    reload(&web.gate, "reloaded");
    assert_contains(shown(), "new");
    std::fs::write("/etc/postern/gate.crt", "no certificate").expect("/etc can be written");
    reload(
        &web.gate,
        "not reloaded, the previous configuration stays in force: gate.tls: /etc/postern/gate.crt",
    );
    assert_contains(shown(), "new");
}
