//! `postern check --url`: it finds nothing in the samples, and each of the mistakes that
//! administrators make in the configuration of a proxy, with the line to change.

mod mistakes;

use serde_json::Value;
use std::fs;
use std::process::Command;
use testhost::{
    APP, Host, PagesAt, Person, Phone, Postern, Proxy, Web, assert_contains, finished,
    on_the_clock, reconfigure,
};

/// The certificates of application and gate, which the check trusts here.
const AUTHORITIES: &str = "/etc/ssl/check-url.crt";

/// One mistake in a configuration.
struct Mistake {
    /// The file, if it is not the printed one.
    file: Option<&'static str>,
    changes: Vec<(&'static str, &'static str)>,
    /// Part of the finding, and the line that it advises.
    what: &'static str,
    line: &'static str,
}

impl Mistake {
    fn and(mut self, from: &'static str, to: &'static str) -> Mistake {
        self.changes.push((from, to));
        self
    }

    fn in_file(mut self, file: &'static str) -> Mistake {
        self.file = Some(file);
        self
    }

    #[track_caller]
    fn apply(&self, text: String) -> String {
        self.changes.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "the sample has no {from:?}");
            text.replace(from, to)
        })
    }
}

/// An application behind a proxy, and a person who signs in for each check.
struct Checked {
    host: Host,
    web: Web,
    person: Person,
    phone: Phone,
}

impl Checked {
    fn start(proxy: Proxy, pages_at: PagesAt) -> Checked {
        let host = Host::fresh();
        let mut web = Web::start(&host, proxy, pages_at, "");
        // where nothing leads to it, the address of the metrics is no finding
        reconfigure("[gate]\n", "[gate]\noperations = \"tcp:127.0.0.1:9118\"\n");
        web.gate.restart();
        let names = [
            "app.example.test",
            "auth.example.test",
            "other.example.test",
            "ending",
        ];
        let certificate = |name| fs::read_to_string(format!("/etc/ssl/private/{name}.crt"));
        // the last one is there for one proxy only
        let all: Vec<_> = names.into_iter().flat_map(certificate).collect();
        fs::write(AUTHORITIES, all.concat()).expect("/etc can be written");
        // the command listens in its place
        web.stop_application();
        let (person, phone) = host.web_user("alice");
        Checked {
            host,
            web,
            person,
            phone,
        }
    }

    /// Returns the findings of one check of a person with a session, and whether it exits with 0.
    fn check(&self) -> (Vec<Value>, bool) {
        self.host.clock.forward(30);
        let user = ["--listen", "127.0.0.1:8080", "--user", &self.person.name];
        let call = Postern::under(check_command(&["postern"], &user));
        let call = call.types(&self.person.password).types(&self.phone.code());
        findings(call)
    }

    /// Returns the findings while the gate is stopped.
    fn check_without_gate(&mut self) -> (Vec<Value>, bool) {
        self.web.gate.stop();
        let arguments = ["--listen", "127.0.0.1:8080", "--gate-stopped"];
        let found = findings(Postern::under(check_command(&["postern"], &arguments)));
        self.web.gate.restart();
        found
    }

    /// Panics if the sample as printed has a finding.
    #[track_caller]
    fn finds_nothing(&self) {
        let (findings, is_done) = self.check();
        let bad: Vec<_> = findings
            .iter()
            .filter(|finding| finding["severity"] != "ok")
            .collect();
        assert!(bad.is_empty() && is_done, "{findings:#?}");
        assert!(findings.len() > 8, "{findings:#?}");
    }

    /// Makes a mistake, and returns what the check says if it does not find it and name its line.
    fn misses(&mut self, mistake: &Mistake) -> Option<String> {
        let good = mistake
            .file
            .map(|file| (file, fs::read_to_string(file).expect("a file of the proxy")));
        match &good {
            None => self.web.restart_proxy(|text| mistake.apply(text)),
            Some((file, text)) => {
                fs::write(file, mistake.apply(text.clone())).expect("/etc can be written");
                self.web.restart_proxy(|text| text);
            }
        }
        let (findings, is_done) = self.check();
        if let Some((file, text)) = good {
            fs::write(file, text).expect("/etc can be written");
        }
        let is_bad = |finding: &&Value| ["fault", "warning"].contains(&&*text(finding, "severity"));
        let bad: Vec<_> = findings.iter().filter(is_bad).collect();
        let has_fault = bad.iter().any(|finding| finding["severity"] == "fault");
        let is_found = bad.iter().any(|finding| {
            text(finding, "what").contains(mistake.what)
                && text(finding, "remedy").contains(mistake.line)
        });
        let is_missed = !is_found || is_done == has_fault;
        is_missed.then(|| format!("{}, {}: {findings:#?}", mistake.what, mistake.line))
    }
}

/// Returns a text of a finding, empty if there is none.
fn text(finding: &Value, key: &str) -> String {
    finding[key].as_str().unwrap_or_default().to_owned()
}

/// Returns the command with more arguments. The certificates are valid by the machine's own clock.
fn check_command(program: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]);
    command.args(["check", "--json", "--url", &format!("{APP}/page?q=1")]);
    command.args(["--http-port", "8480", "--ca-file", AUTHORITIES]);
    command.args(arguments);
    command
}

/// Runs a check, and returns its findings and whether it exits with 0.
#[track_caller]
fn findings(call: Postern) -> (Vec<Value>, bool) {
    let output = call.run();
    match output.json() {
        Value::Array(findings) => (findings, output.exit == Some(0)),
        other => panic!("no findings: {other}"),
    }
}

/// Checks both samples of a proxy as printed, and then each mistake in that of a host of its own.
#[track_caller]
fn samples_and_mistakes(proxy: Proxy, mistakes: &[Mistake]) -> Checked {
    let checked = Checked::start(proxy, PagesAt::Path);
    checked.finds_nothing();
    a_stranger_finds_nothing();
    drop(checked);
    let mut checked = Checked::start(proxy, PagesAt::OwnHost);
    checked.finds_nothing();
    a_stranger_finds_nothing();
    let missed: Vec<_> = mistakes
        .iter()
        .filter_map(|mistake| checked.misses(mistake))
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    checked.web.restart_proxy(|text| text);
    let (findings, is_done) = checked.check_without_gate();
    let what = text(&findings[0], "what");
    assert!(
        is_done && what == "without the gate, everything is denied",
        "{findings:#?}"
    );
    checked
}

/// Makes a certificate of the application that is valid for some days from a time.
fn make_certificate(mut openssl: Command, name: &str, days: &str) {
    openssl.args([
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", days,
    ]);
    openssl.args(["-subj", "/CN=app.example.test"]);
    openssl.args(["-addext", "subjectAltName=DNS:app.example.test"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-keyout", &format!("/etc/ssl/private/{name}.key")]);
    openssl.args(["-out", &format!("/etc/ssl/private/{name}.crt")]);
    finished(&mut openssl);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn it_finds_the_mistakes_in_nginx() {
    let mut long_ago = on_the_clock(Command::new("openssl"));
    long_ago.env("FAKETIME", "1500000000");
    make_certificate(long_ago, "expired", "30");
    make_certificate(Command::new("openssl"), "ending", "3");
    let mut checked = samples_and_mistakes(Proxy::Nginx, &mistakes::nginx());
    a_stranger_finds_a_mistake(&mut checked);
}

/// Returns the findings of a user without root, postern.toml, account and the application's port.
#[track_caller]
fn stranger_findings(arguments: &[&str]) -> (Vec<Value>, bool) {
    let nobody = [
        "setpriv",
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
        "postern",
    ];
    let none = ["--config", "/nowhere/postern.toml"];
    let arguments = [&none, arguments].concat();
    findings(Postern::under(check_command(&nobody, &arguments)))
}

#[track_caller]
fn a_stranger_finds_nothing() {
    let (found, is_done) = stranger_findings(&[]);
    let is_bad = |finding: &Value| !["ok", "skipped"].contains(&&*text(finding, "severity"));
    assert!(is_done && !found.iter().any(is_bad), "{found:#?}");
}

/// A stranger sees what is wrong, and the line once the proxy is named.
fn a_stranger_finds_a_mistake(checked: &mut Checked) {
    checked
        .web
        .restart_proxy(|text| text.replace("error_page 401 = @postern_sign_in;", ""));
    let remedy = |arguments: &[&str]| {
        let (found, is_done) = stranger_findings(arguments);
        assert!(!is_done, "{found:#?}");
        let fault = found.iter().find(|finding| finding["severity"] == "fault");
        text(fault.expect("a fault"), "remedy")
    };
    assert!(remedy(&[]).contains("postern print-config PROXY"));
    let line = "error_page 401 = @postern_sign_in;";
    assert!(remedy(&["--proxy", "nginx"]).ends_with(line));
    // root's postern.toml says which proxy it is
    let url = format!("{APP}/");
    let mut command = Command::new("postern");
    command.args(["check", "--url", &url, "--ca-file", AUTHORITIES]);
    let printed = Postern::under(command).refuses().out;
    assert_contains(
        &printed,
        "fault    answers: a page load is answered 401 and does not lead to the sign-in page, so no one can sign in; \
         nginx, in the server of the application: error_page 401 = @postern_sign_in;\n",
    );
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn it_finds_the_mistakes_in_traefik() {
    samples_and_mistakes(Proxy::Traefik, &mistakes::traefik());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn it_finds_the_mistakes_in_caddy() {
    samples_and_mistakes(Proxy::Caddy, &mistakes::caddy());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn it_finds_the_mistakes_in_haproxy() {
    let mut checked = samples_and_mistakes(Proxy::Haproxy, &mistakes::haproxy());
    let (inside, outside) = ("tcp:127.0.0.1:9091", "tcp:0.0.0.0:9091");
    reconfigure(inside, outside);
    checked.web.gate.restart();
    let (found, _) = checked.check();
    let bad = found
        .iter()
        .find(|finding| finding["severity"] == "warning");
    let bad = bad.unwrap_or_else(|| panic!("{found:#?}"));
    assert!(text(bad, "what").starts_with("the gate answers at http://app.example.test:9091"));
    assert!(text(bad, "remedy").contains(inside), "{bad}");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn it_finds_the_mistakes_in_envoy() {
    let mut checked = samples_and_mistakes(Proxy::Envoy, &mistakes::envoy());
    let line = "failure_mode_allow: false";
    checked
        .web
        .restart_proxy(|text| text.replace(line, "failure_mode_allow: true"));
    let (findings, is_done) = checked.check_without_gate();
    let found = &findings[0];
    assert!(
        text(found, "what").contains("GET (200)") && !is_done,
        "{found}"
    );
    assert!(text(found, "remedy").ends_with(line), "{found}");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn it_finds_the_mistakes_in_apache() {
    samples_and_mistakes(Proxy::Apache, &mistakes::apache());
}
