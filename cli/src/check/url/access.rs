//! Requests without a session. Each of them must be denied: page loads, scripts, programs, every
//! method, paths and hosts that are spelled oddly, forged identities, websockets.
//!
//! A request that arrives at the application (`--listen`) has passed. Else the answer tells: a
//! success has passed, and so, perhaps, has an answer that no denial has.

use super::advice::ProxyMistake;
use super::http::{ProbeAnswer, ProbeRequest};
use super::origin::CheckedUrl;
use super::{UrlCheck, shortened};
use crate::check::finding::Finding;
use postern_shared::config::gate::rule::RuleAccess;
use postern_shared::policy::rule::{RuleRequest, evaluate_rules};
use std::io;

/// A path that no file and no application has.
const NUL_PATH: &str = "/%00";

/// Whether a request passed the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Denied,
    /// The answer is none of a denial; it may be the proxy's own.
    Unclear,
    Passed,
}

/// A request, and what it tries.
pub(super) struct AccessProbe {
    what: String,
    request: ProbeRequest,
    /// Whether the proxy may take it for a request to another host, or to the gate.
    is_elsewhere: bool,
}

/// Length of a long URL, in bytes: shorter than what proxies refuse.
const LONG: usize = 6000;

impl UrlCheck<'_> {
    /// Returns whether the page load without a session was denied.
    pub(super) fn check_page_load(&mut self, first: &ProbeAnswer) -> bool {
        let url = self.url;
        match self.passage(first) {
            Passage::Passed => self.fault(
                "access",
                format_args!("{url} opens without a session: {}", describe(first)),
                ProxyMistake::NoCheck,
            ),
            Passage::Unclear => self.fault(
                "access",
                format_args!(
                    "{url} is answered without a session by {}, which is no denial",
                    describe(first)
                ),
                ProxyMistake::NoCheck,
            ),
            Passage::Denied => return true,
        }
        false
    }

    /// Sends requests while the gate is stopped. Each of them must be denied.
    pub(super) fn check_without_gate(&mut self) {
        let mut probes = method_probes(self.url);
        probes.push(probe("GET", ProbeRequest::page(&self.url.target)));
        let passed: Vec<_> = probes
            .into_iter()
            .filter_map(|probe| {
                let answer = self.send(&probe.request).ok()?;
                let what = format!("{} ({})", probe.what, describe(&answer));
                let is_gate = answer.status == 401 || self.leads_to_gate(&answer);
                (is_gate || self.passage(&answer) != Passage::Denied).then_some((what, is_gate))
            })
            .collect();
        if passed.iter().any(|(_, is_gate)| *is_gate) {
            return self.findings.push(
                Finding::skipped("access", "the gate still answers")
                    .remedy("systemctl stop postern-gate.socket postern-gate"),
            );
        }
        if passed.is_empty() {
            return self.ok("access", "without the gate, everything is denied");
        }
        let passed: Vec<_> = passed.into_iter().map(|(what, _)| what).collect();
        self.fault(
            "access",
            format_args!(
                "these pass while the gate does not answer: {}",
                passed.join(", ")
            ),
            ProxyMistake::OpenWithoutGate,
        );
    }

    /// Sends every request that must be denied.
    pub(super) fn check_access(&mut self) {
        let probes = self.access_probes();
        let mut denied = 0;
        let (mut passed, mut unclear, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for probe in probes {
            // a proxy may close the connection instead of an answer
            let Ok(answer) = self.send_and_follow(&probe.request) else {
                continue;
            };
            // Apache answers so by itself, whatever the path leads to
            if probe.request.target == NUL_PATH
                && answer.status == 404
                && !self.has_arrived(&answer)
            {
                denied += 1;
                continue;
            }
            if self.is_open_by_rule(&probe.request)
                || probe.is_elsewhere && self.is_answered_elsewhere(&answer)
            {
                continue;
            }
            match self.passage(&answer) {
                Passage::Passed => passed.push(format!("{} ({})", probe.what, describe(&answer))),
                Passage::Unclear => unclear.push(format!("{} ({})", probe.what, describe(&answer))),
                Passage::Denied if is_server_error(&answer) => {
                    failed.push(format!("{} ({})", probe.what, answer.status));
                }
                Passage::Denied => denied += 1,
            }
        }
        if !passed.is_empty() {
            self.fault(
                "access",
                format_args!("these pass without a session: {}", passed.join(", ")),
                ProxyMistake::NoCheck,
            );
        }
        if !unclear.is_empty() {
            self.warning(
                "access",
                format_args!(
                    "answers that are no denial, perhaps the application's: {}",
                    unclear.join(", ")
                ),
                ProxyMistake::NoCheck,
            );
        }
        if !failed.is_empty() {
            let what = format!("denied with an error of the server: {}", failed.join(", "));
            self.findings
                .push(Finding::warning("access", what).remedy("the log of the proxy says why"));
        }
        if passed.is_empty() && unclear.is_empty() && failed.is_empty() {
            self.ok(
                "access",
                format_args!("{denied} requests without a session were denied: methods, paths, hosts, forged headers"),
            );
        }
    }

    /// Whether a rule of postern.toml opens a request to everyone.
    fn is_open_by_rule(&self, request: &ProbeRequest) -> bool {
        let Some(config) = &self.config else {
            return false;
        };
        let request = RuleRequest {
            host: &self.url.origin.host,
            target: &request.target,
            method: request.method,
            address: None,
        };
        evaluate_rules(&config.gate.rule, &request, None).access == RuleAccess::Open
    }

    /// Whether the proxy or the gate answers so for what it does not know: 404, or nothing (Caddy).
    fn is_answered_elsewhere(&self, answer: &ProbeAnswer) -> bool {
        !self.has_arrived(answer)
            && (answer.status == 404 || answer.is_success() && answer.body.is_empty())
    }

    /// Whether the request of an answer arrived at `--listen`.
    fn has_arrived(&self, answer: &ProbeAnswer) -> bool {
        let application = self.application.as_ref();
        application.is_some_and(|application| application.arrived(answer.number).is_some())
    }

    /// Judges the answer to a request without a session.
    pub(super) fn passage(&self, answer: &ProbeAnswer) -> Passage {
        if self.has_arrived(answer) {
            return Passage::Passed;
        }
        match answer.status {
            101 | 200..=299 | 304 => Passage::Passed,
            300..=399 if self.leads_to_gate(answer) => Passage::Denied,
            // the application redirects too: to its own sign-in page
            300..=399 => Passage::Passed,
            // the application answers so for a path that it does not have
            404 | 405 | 410 | 415 | 422 => Passage::Unclear,
            _ => Passage::Denied,
        }
    }

    /// Whether an answer redirects to a page of the gate.
    pub(super) fn leads_to_gate(&self, answer: &ProbeAnswer) -> bool {
        self.gate_page(answer).is_some()
    }

    /// Returns the name of the page of the gate to which an answer redirects.
    pub(super) fn gate_page(&self, answer: &ProbeAnswer) -> Option<String> {
        let to = answer.header("location").and_then(|to| self.url.join(to))?;
        let pages = self.pages.as_ref()?;
        let is_there = to.origin == pages.origin;
        let page = to.path().strip_prefix(&pages.target)?;
        is_there.then(|| page.to_owned())
    }

    /// Sends a request. Follows one redirect within the application's host: proxies redirect to
    /// the usual spelling of a path.
    fn send_and_follow(&self, request: &ProbeRequest) -> io::Result<ProbeAnswer> {
        let answer = self.send(request)?;
        let is_own = (300..400).contains(&answer.status)
            && !self.leads_to_gate(&answer)
            && !self.has_arrived(&answer);
        let to = answer.header("location").and_then(|to| self.url.join(to));
        match to.filter(|to| is_own && to.origin == self.url.origin) {
            Some(to) => self.send(&ProbeRequest {
                target: to.target,
                ..request.clone()
            }),
            None => Ok(answer),
        }
    }

    fn access_probes(&self) -> Vec<AccessProbe> {
        let mut probes = method_probes(self.url);
        probes.extend(self.path_probes());
        probes.extend(host_probes(self.url));
        probes.extend(forged_probes(self.url));
        probes
    }

    fn path_probes(&self) -> Vec<AccessProbe> {
        let mut paths: Vec<String> = [
            "//",
            "/%2e%2e/",
            "/x/../",
            "/.%2e/",
            NUL_PATH,
            "/%zz",
            "/;/",
            "/%2f",
            "/style.css",
            "/static/x.js",
            "/api/x",
            "/favicon.ico",
            "/metrics",
        ]
        .map(str::to_owned)
        .into();
        paths.push(format!("/?{}", "a".repeat(LONG)));
        if let Some(pages) = self.pages_path() {
            // the pages need no session: what begins with their path must not lead elsewhere
            for dots in ["../x", "%2e%2e/x", "..%2fx", "..;/x"] {
                paths.push(format!("{pages}{dots}"));
            }
        }
        let probe = |path: String| AccessProbe {
            request: ProbeRequest::page(&path),
            is_elsewhere: self
                .pages_path()
                .is_some_and(|pages| path.starts_with(pages)),
            what: match path.len() > LONG {
                true => "a long URL".to_owned(),
                false => path,
            },
        };
        paths.into_iter().map(probe).collect()
    }
}

fn probe(what: &str, request: ProbeRequest) -> AccessProbe {
    AccessProbe {
        what: what.to_owned(),
        request,
        is_elsewhere: false,
    }
}

fn method_probes(url: &CheckedUrl) -> Vec<AccessProbe> {
    let target = &url.target;
    let mut probes: Vec<_> = [
        "HEAD", "POST", "PUT", "DELETE", "PROPFIND", "OPTIONS", "FOO",
    ]
    .into_iter()
    .map(|method| probe(method, ProbeRequest::program(method, target)))
    .collect();
    let websocket = ProbeRequest::program("GET", target)
        .line("Connection: Upgrade")
        .line("Upgrade: websocket")
        .line("Sec-WebSocket-Version: 13")
        .line("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    probes.push(probe("a websocket", websocket));
    probes
}

fn host_probes(url: &CheckedUrl) -> Vec<AccessProbe> {
    let (host, port) = (&url.origin.host, url.origin.port);
    let authority = url.origin.authority();
    let page = || ProbeRequest::page(&url.target);
    let absolute =
        |authority: &str| ProbeRequest::page(&format!("https://{authority}{}", url.target));
    let other = |what: &str, request: ProbeRequest| AccessProbe {
        is_elsewhere: true,
        ..probe(what, request)
    };
    vec![
        probe(
            "Host in capitals",
            page().host(authority.to_ascii_uppercase()),
        ),
        other("Host with a dot", page().host(format!("{host}.:{port}"))),
        other("Host with another port", page().host(format!("{host}:1"))),
        other("Host localhost", page().host("localhost")),
        other("Host with a path", page().host(format!("{host}/x?y"))),
        probe("two Hosts", page().line(format!("Host: {host}"))),
        probe("absolute form", absolute(&authority)),
        other("absolute form of another host", absolute("localhost")),
    ]
}

fn forged_probes(url: &CheckedUrl) -> Vec<AccessProbe> {
    let page = || ProbeRequest::page(&url.target);
    vec![
        probe(
            "a forged identity",
            page()
                .line("Remote-User: root")
                .line("remote-user: root")
                .line("X-Forwarded-User: root"),
        ),
        probe(
            "a forged secret of the proxy",
            page().line("X-Postern-Proxy: postern-check"),
        ),
        probe(
            "a forged cookie",
            page().line("Cookie: __Secure-postern=x; __Host-postern=x"),
        ),
        probe(
            "two Cookie lines",
            page().line("Cookie: a=1").line("Cookie: b=2"),
        ),
        probe(
            "cookies of 64 KiB",
            page().line(format!("Cookie: a={}", "x".repeat(64 * 1024))),
        ),
        probe(
            "a forged Authorization",
            page().line("Authorization: Bearer postern-check"),
        ),
        probe(
            "a Connection that removes headers",
            page().line("Connection: close, X-Postern-Proxy, Cookie, X-Real-IP, X-Forwarded-For"),
        ),
    ]
}

fn is_server_error(answer: &ProbeAnswer) -> bool {
    matches!(answer.status, 500 | 502 | 504)
}

/// Describes an answer in a few words.
pub(super) fn describe(answer: &ProbeAnswer) -> String {
    match answer.header("location") {
        Some(to) if (300..400).contains(&answer.status) => {
            format!("{} to {}", answer.status, shortened(to))
        }
        _ => answer.status.to_string(),
    }
}
