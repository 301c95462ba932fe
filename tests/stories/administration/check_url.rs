//! `postern check --url`: it finds nothing in the samples, and each of the mistakes that
//! administrators make in the configuration of a proxy, with the line to change.

use serde_json::Value;
use std::fs;
use std::process::Command;
use testhost::{APP, Host, PagesAt, Person, Phone, Postern, Proxy, Web};

/// The certificates of application and gate, which the check trusts here.
const AUTHORITIES: &str = "/etc/ssl/private/check-url.crt";
/// The file that every location of nginx includes.
const HEADERS: &str = "/etc/nginx/postern-headers.conf";
const LUA: &str = "/etc/haproxy/postern.lua";

/// One mistake in a configuration.
struct Mistake {
    /// The file, if it is not the printed one.
    file: Option<&'static str>,
    changes: Vec<(&'static str, &'static str)>,
    /// Part of the finding, and the line that it advises.
    what: &'static str,
    line: &'static str,
}

/// A line of the printed sample is another one.
fn mistake(
    from: &'static str,
    to: &'static str,
    what: &'static str,
    line: &'static str,
) -> Mistake {
    Mistake {
        file: None,
        changes: vec![(from, to)],
        what,
        line,
    }
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
    fn start(proxy: Proxy, pages_at: PagesAt, extra: &str) -> Checked {
        let host = Host::fresh();
        let mut web = Web::start(&host, proxy, pages_at, extra);
        let both = ["app", "auth"].map(|name| {
            fs::read_to_string(format!("/etc/ssl/private/{name}.example.test.crt"))
                .expect("a certificate")
        });
        fs::write(AUTHORITIES, both.concat()).expect("/etc can be written");
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

    /// Returns the findings of one check, and whether it exits with 0.
    fn check(&self) -> (Vec<Value>, bool) {
        self.host.clock.forward(30);
        let mut command = Command::new("/usr/bin/postern");
        command.args(["check", "--json", "--url", &format!("{APP}/page?q=1")]);
        command.args(["--http-port", "8480", "--ca-file", AUTHORITIES]);
        command.args(["--listen", "127.0.0.1:8080", "--user", &self.person.name]);
        let output = Postern::under(command)
            .types(&self.person.password)
            .types(&self.phone.code())
            .run();
        let findings = match output.json() {
            Value::Array(findings) => findings,
            other => panic!("no findings: {other}"),
        };
        (findings, output.exit == Some(0))
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

    /// Panics unless the check finds a mistake, and names its line.
    #[track_caller]
    fn finds(&mut self, mistake: &Mistake) {
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
        let found = findings.iter().find(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            text("what").contains(mistake.what) && text("remedy").contains(mistake.line)
        });
        let Some(found) = found else {
            panic!("{}: not among {findings:#?}", mistake.what);
        };
        assert!(["fault", "warning"].contains(&found["severity"].as_str().unwrap_or_default()));
        let has_fault = findings
            .iter()
            .any(|finding| finding["severity"] == "fault");
        assert_eq!(is_done, !has_fault, "{findings:#?}");
    }
}

/// Checks both samples of a proxy as printed, and then each mistake in that of a host of its own.
#[track_caller]
fn samples_and_mistakes(proxy: Proxy, extra: &str, mistakes: &[Mistake]) {
    Checked::start(proxy, PagesAt::Path, "").finds_nothing();
    let mut checked = Checked::start(proxy, PagesAt::OwnHost, extra);
    checked.finds_nothing();
    for mistake in mistakes {
        checked.finds(mistake);
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn it_finds_the_mistakes_in_nginx() {
    samples_and_mistakes(
        Proxy::Nginx,
        "",
        &[
            mistake(
                "    auth_request /postern-check;\n",
                "",
                "opens without a session",
                "auth_request /postern-check;",
            ),
            mistake(
                "underscores_in_headers off;",
                "underscores_in_headers on;",
                "Remote_User passes",
                "underscores_in_headers off;",
            ),
            mistake(
                "proxy_set_header Cookie $postern_cookie;\n",
                "proxy_set_header Cookie $http_cookie;\n",
                "receives the session cookie",
                "proxy_set_header Cookie $postern_cookie;",
            )
            .in_file(HEADERS),
        ],
    );
}
