//! The gate's endpoints for monitoring: liveness, readiness and metrics.

use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;
use testhost::{
    APP, CONFIG, Host, Postern, Reply, STORE_FOLDER, Web, WebClient, Wire, assert_contains,
    assert_lacks, checkout, finished, handbook_shell, reconfigure, tcp_reply, wait_until,
};

const PORT: u16 = 9118;

fn with_metrics(host: &Host) -> Web {
    let mut web = Web::nginx(host, "");
    reconfigure(
        "[gate]\n",
        &format!("[gate]\noperations = \"tcp:127.0.0.1:{PORT}\"\n"),
    );
    // This command refreshes the copy of the last valid configuration.
    Postern::call("status").does();
    web.gate.restart();
    web
}

#[track_caller]
fn asks(path: &str) -> Reply {
    tcp_reply(PORT, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).expect("an answer")
}

/// Returns the value of a counter, 0 if it does not exist yet.
#[track_caller]
fn counted(sample: &str) -> f64 {
    let metrics = asks("/metrics");
    assert_eq!(
        (metrics.status, metrics.body.ends_with("# EOF\n")),
        (200, true),
        "{metrics:?}"
    );
    let value = metrics
        .body
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().expect("a number"))
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn metrics_count_what_happened_and_name_no_user() {
    let host = Host::fresh();
    let web = with_metrics(&host);
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    assert_eq!(
        client
            .sends_password(&web.pages, "alice", "not the password")
            .status,
        401
    );
    client.signs_in(&web, &alice, &phone.code());
    let cookie = client.cookie_header("__Secure-postern");

    let check =
        |result: &str| format!("postern_checks_total{{contract=\"nginx\",result=\"{result}\"}}");
    let names = ["allowed", "sign-in", "malformed"].map(check);
    let before = names.clone().map(|name| counted(&name));
    let all = "postern_check_duration_seconds_count";
    let (took, attackers) = (counted(all), counted("postern_untrusted_requests_total"));
    let mut wire = Wire::open();
    for _ in 0..7 {
        assert_eq!(wire.checks(&[&cookie]).status, 200);
    }
    for _ in 0..3 {
        assert_eq!(wire.checks(&[]).status, 401);
    }
    assert_eq!(wire.checks(&["X-Real-IP: 192.0.2.8"]).status, 401);
    assert_eq!(
        wire.asks("GET /check/nginx", &["Host: x"], "")
            .expect("an answer")
            .status,
        403
    );
    let after = names.map(|name| counted(&name));
    assert_eq!([0, 1, 2].map(|n| after[n] - before[n]), [7.0, 3.0, 1.0]);
    assert_eq!(counted(all) - took, 11.0);
    assert_eq!(counted("postern_untrusted_requests_total") - attackers, 1.0);
    assert_eq!(
        counted("postern_sign_ins_total{result=\"accepted\",cause=\"code\"}"),
        1.0
    );
    assert_eq!(
        counted("postern_sign_ins_total{result=\"refused\",cause=\"password-wrong\"}"),
        1.0
    );
    assert!(counted("postern_verification_duration_seconds_count") >= 3.0);
    assert!(counted("postern_connections") >= 1.0);
    assert_eq!(counted("postern_store_up"), 1.0);
    let text = asks("/metrics").body;
    for secret in [
        "alice",
        "example.test",
        "127.0.0.1",
        "192.0.2",
        &client.cookie("__Secure-postern"),
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }

    // A reload does not reset the counters.
    web.gate.signal(Signal::SIGHUP);
    web.gate.says("reloaded");
    assert_eq!(counted(&check("allowed")), after[0]);
    // These paths do not exist on the public listener.
    for path in ["/metrics", "/readyz"] {
        assert_eq!(
            WebClient::new()
                .loads(&format!("{}{}", web.pages, &path[1..]))
                .status,
            404
        );
        assert_eq!(
            client.loads(&format!("{APP}{path}")).status,
            200,
            "the application's own"
        );
    }
    for (path, status) in [
        ("/healthz", 200),
        ("/check/nginx", 404),
        ("/", 404),
        ("/sign-in", 404),
    ] {
        assert_eq!(asks(path).status, status, "{path}");
    }
    let posted = tcp_reply(
        PORT,
        "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(posted.expect("an answer").status, 405);
}

/// Promise 4: without the store, access is denied and readiness fails. Once the store is back,
/// access is granted again.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_gate_whose_store_is_gone_denies_and_comes_back_by_itself() {
    let host = Host::fresh();
    let web = with_metrics(&host);
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let page = format!("{APP}/");
    assert_eq!(client.loads(&page).status, 200);
    assert_eq!(
        (asks("/readyz").status, asks("/readyz").body.as_str()),
        (200, "ready\n")
    );

    let aside = format!("{STORE_FOLDER}.aside");
    fs::rename(STORE_FOLDER, &aside).expect("root may do it");
    // A sign-in by password fails at once; an open session is denied after the lease.
    assert_eq!(WebClient::new().password(&web, &alice).status, 503);
    wait_until("the session is refused", || {
        Ok(client.loads(&page).status == 302)
    });
    let ready = asks("/readyz");
    assert_eq!(
        (
            ready.status,
            ready.body.contains("the store cannot be read")
        ),
        (503, true),
        "{ready:?}"
    );
    assert_eq!(
        (asks("/healthz").status, counted("postern_store_up")),
        (200, 0.0)
    );
    let last_success = counted("postern_store_last_success_timestamp_seconds");
    assert!(host.clock.now() as f64 - last_success >= 5.0);
    web.gate.says("access is denied");

    fs::rename(&aside, STORE_FOLDER).expect("root may do it");
    wait_until("the session is good again", || {
        Ok(client.loads(&page).status == 200)
    });
    assert_eq!(asks("/readyz").status, 200);
    host.clock.forward(30);
    WebClient::new().signs_in(&web, &alice, &phone.code());
    assert_lacks(web.gate.log(), "panicked");
}

/// Promise 3: the gate uses a store that was restored from a backup, not the replaced one that it
/// had open.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_store_that_is_put_back_in_place_of_another_is_the_one_that_counts() {
    let host = Host::fresh();
    let web = with_metrics(&host);
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let page = format!("{APP}/");
    assert_eq!(client.loads(&page).status, 200);

    let (aside, copy) = (
        format!("{STORE_FOLDER}.aside"),
        format!("{STORE_FOLDER}.copy"),
    );
    testhost::finished(std::process::Command::new("cp").args(["--archive", STORE_FOLDER, &copy]));
    fs::rename(STORE_FOLDER, &aside).expect("root may do it");
    fs::rename(&copy, STORE_FOLDER).expect("root may do it");
    Postern::call("session revoke alice --all").does();
    wait_until("the gate knows of it", || {
        Ok(client.loads(&page).status == 302)
    });
    fs::remove_dir_all(aside).expect("root may do it");
    assert_lacks(web.gate.log(), "panicked");
}

/// An invalid configuration leaves the gate in service. Readiness and metrics report it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_file_that_is_wrong_leaves_the_gate_ready_and_monitoring_knows() {
    let host = Host::fresh();
    let mut web = with_metrics(&host);
    let text = fs::read_to_string(CONFIG).expect("postern.toml");
    assert_eq!(counted("postern_configuration_current"), 1.0);
    fs::write(CONFIG, format!("{text}\nnonsense")).expect("postern.toml can be written");
    web.gate.signal(Signal::SIGHUP);
    web.gate.says("not reloaded");
    for _ in 0..2 {
        let ready = asks("/readyz");
        assert_eq!(
            (ready.status, ready.body.contains("older configuration")),
            (200, true),
            "{ready:?}"
        );
        assert_lacks(&ready.body, "nonsense");
        assert_lacks(&ready.body, "/etc");
        assert_eq!(counted("postern_configuration_current"), 0.0);
        // A start with the copy of the last valid configuration reports the same.
        web.gate.restart();
    }
    fs::write(CONFIG, text).expect("postern.toml can be written");
    web.gate.signal(Signal::SIGHUP);
    web.gate.says("reloaded");
    assert_eq!(
        (
            asks("/readyz").body.as_str(),
            counted("postern_configuration_current")
        ),
        ("ready\n", 1.0)
    );

    reconfigure(&PORT.to_string(), "9119");
    web.gate.signal(Signal::SIGHUP);
    web.gate
        .says("gate.operations has changed; restart the gate");
}

/// The alert rules of docs/monitoring fire for a broken gate, and not for a healthy one.
#[test]
#[ignore = "needs the test host: tests/run"]
fn promtool_accepts_the_alerts_and_their_tests_pass() {
    let _host = Host::without_posternd();
    let folder = "/run/postern-tests/monitoring";
    let _ = fs::remove_dir_all(folder);
    finished(
        Command::new("cp")
            .arg("-r")
            .arg(checkout("docs/monitoring"))
            .arg(folder),
    );
    let promtool = |words: &[&str]| {
        let mut promtool = Command::new("promtool");
        promtool
            .args(words)
            .current_dir(folder)
            .output()
            .expect("prometheus is installed")
    };
    for words in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts.test.yml"],
        ["check", "rules", "host-alerts.yml"],
        ["test", "rules", "host-alerts.test.yml"],
    ] {
        let output = promtool(&words);
        assert!(output.status.success(), "{output:?}");
    }
    // What the page says, to the letter.
    fs::create_dir_all("/etc/prometheus").expect("/etc can be written");
    for file in ["alerts.yml", "host-alerts.yml"] {
        let first = format!("sudo cp docs/monitoring/{file}");
        let page = "docs/guides/monitoring.md";
        finished(&mut handbook_shell(page, &first, &checkout("")));
    }
    // The attack: a rule that never fires.
    for (rules, test, expression) in [
        ("alerts.yml", "alerts.test.yml", "postern_store_up == 0"),
        (
            "host-alerts.yml",
            "host-alerts.test.yml",
            "postern_posternd_up == 0",
        ),
    ] {
        let path = format!("{folder}/{rules}");
        let text = fs::read_to_string(&path).expect("it was copied");
        let changed = text.replace(expression, &expression.replace("== 0", "== 2"));
        assert!(changed != text);
        fs::write(&path, changed).expect("/run can be written");
        assert!(!promtool(&["test", "rules", test]).status.success());
    }
    let dashboard = fs::read_to_string(format!("{folder}/dashboard.json")).expect("it was copied");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    assert_eq!(dashboard["title"], "Postern");
}

/// Runs the line of cron that docs/guides/monitoring.md has, and has Prometheus' tool read what it
/// writes.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_metrics_of_a_host_are_read_by_prometheus() {
    const FOLDER: &str = "/var/lib/prometheus/node-exporter";
    let host = Host::fresh();
    let (_alice, _phone) = host.enrolled_user("alice");
    let page = fs::read_to_string(checkout("docs/guides/monitoring.md")).expect("the page");
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("*/5 * * * * root "))
        .filter(|line| line.contains("--metrics"))
        .expect("the page has the line");
    fs::create_dir_all(FOLDER).expect("/var can be written");
    finished(Command::new("sh").args(["-ec", line]));
    let path = format!("{FOLDER}/postern.prom");
    let text = fs::read_to_string(&path).expect("the line writes it");
    for sample in [
        "postern_accounts{second_factor=\"on\"} 1",
        "postern_accounts_locked 0",
        "postern_posternd_up 1",
        "postern_mail_overdue 0",
    ] {
        assert!(text.lines().any(|one| one == sample), "{sample}:\n{text}");
    }
    assert_lacks(&text, "alice");
    // at the time of the story, as cron is not
    let text = Postern::call("status --metrics").does().out;
    assert_contains(
        &text,
        "postern_audit_events_last_hour{event=\"enrolled\",service=",
    );
    assert_lacks(&text, "alice");
    let promtool = "promtool check metrics";
    finished(Command::new("sh").args(["-ec", &format!("{promtool} <{path}")]));
    // the attack: text that is no metric
    let refused = Command::new("sh")
        .args(["-c", &format!("echo 'postern up' | {promtool}")])
        .output()
        .expect("prometheus is installed");
    assert!(!refused.status.success());
    fs::remove_file(path).expect("/var can be written");
    let refused = Postern::call("status --metrics --json").run();
    assert_eq!(refused.exit, Some(2), "{}", refused.all());
}
