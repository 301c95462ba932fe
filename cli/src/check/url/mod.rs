//! `postern check --url`: attacks an application behind its real proxy from outside, as a stranger
//! does and, with `--user`, as somebody who is signed in, and reports what got through.
//!
//! - `origin`, `http`, `client`: URLs, requests and answers, connections with limits.
//! - `application`: the application for the length of the check (`--listen`).
//! - `advice`: the line to change, in the words of each proxy.
//! - `transport`: certificate, HTTP/2, plain HTTP. `access`: requests without a session.
//! - `answers`: what the gate and the proxy answer to them. `claims`: what the gate trusts of a
//!   client's headers. `exposure`: what strangers must not reach. `connections`: keep-alive.
//! - `sign_in`: a session. `identity`: what the application receives in it.
//!
//! MUST NOT follow a redirect to another host than those of application and gate, send a password
//! to a host with an invalid certificate, or print a secret.

mod access;
mod advice;
mod answers;
mod application;
mod claims;
mod client;
mod connections;
mod exposure;
mod http;
mod identity;
mod origin;
mod sign_in;
mod transport;

use super::finding::{Finding, FindingSeverity};
use super::gate::proxies;
use super::report;
use crate::context::Invocation;
use crate::terminal::output::{CommandFailure, CommandResult};
use advice::{ProxyMistake, line_to_change};
use application::RecordingApplication;
use client::ProbeClient;
use http::{ProbeAnswer, ProbeRequest};
pub(crate) use origin::CheckedUrl;
use postern_shared::account::name::UserName;
use postern_shared::config::Config;
use postern_shared::config::file;
use postern_shared::config::gate::ProxyKind;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What the command line asks for.
pub(crate) struct UrlCheckOptions<'a> {
    pub(crate) url: &'a CheckedUrl,
    pub(crate) proxy: Option<ProxyKind>,
    pub(crate) user: Option<&'a UserName>,
    pub(crate) listen: Option<SocketAddr>,
    /// Port of plain HTTP.
    pub(crate) http_port: u16,
    pub(crate) authorities: Option<&'a PathBuf>,
    /// Whether the gate is stopped for the length of the check.
    pub(crate) without_gate: bool,
}

/// A check in progress.
struct UrlCheck<'a> {
    client: ProbeClient,
    url: &'a CheckedUrl,
    proxy: Option<ProxyKind>,
    application: Option<RecordingApplication>,
    /// postern.toml of this machine, if its gate is the one before the application.
    config: Option<Config>,
    /// Base URL of the gate's pages, once it is known.
    pages: Option<CheckedUrl>,
    findings: Vec<Finding>,
}

/// Attacks the application, prints the findings, and fails if one of them is a fault.
pub(crate) fn check_url(run: Invocation<'_>, options: &UrlCheckOptions<'_>) -> CommandResult {
    let client = ProbeClient::new(options.authorities.map(PathBuf::as_path))?;
    let application = options
        .listen
        .map(|address| RecordingApplication::start(address, client.token()));
    let mut check = UrlCheck {
        client,
        url: options.url,
        proxy: options.proxy,
        application: application.transpose()?,
        config: None,
        pages: None,
        findings: Vec::new(),
    };
    check.run(run, options)?;
    report::print_findings(run.output, &check.findings)
}

impl UrlCheck<'_> {
    fn run(&mut self, run: Invocation<'_>, options: &UrlCheckOptions<'_>) -> CommandResult {
        // without root or on another machine there is none, and nothing depends on it
        let config = file::read_config(run.config_path).ok();
        let config = config.map(|valid| valid.config);
        let first = self.get_page().map_err(|error| {
            CommandFailure::new(format_args!("{} is not reached: {error}", self.url))
        })?;
        self.find_gate(&first, config);
        if options.without_gate {
            self.check_without_gate();
            return Ok(());
        }
        let is_trusted = self.check_transport(&first, options.http_port);
        if self.check_page_load(&first) {
            self.check_access();
            self.check_answers(&first);
            self.check_claims(&first);
        }
        self.check_exposure();
        self.check_connections();
        match (options.user, is_trusted) {
            (None, _) => self.findings.push(Finding::skipped(
                "identity",
                "what the application receives in a session; add --user and --listen",
            )),
            (Some(_), false) => self.findings.push(Finding::skipped(
                "identity",
                "no password is sent to a host whose certificate is invalid",
            )),
            (Some(user), true) => {
                self.client.require_valid_certificates();
                self.check_session(run.output, user, &first)?;
            }
        }
        self.report_requests();
        Ok(())
    }

    fn report_requests(&mut self) {
        let requests = format!(
            "{} requests in {} ms, to {}",
            self.client.sent(),
            self.client.spent().as_millis(),
            self.url
        );
        self.findings.push(match self.client.is_exhausted() {
            false => Finding::ok("url", requests),
            true => Finding::skipped(
                "url",
                format_args!("the limit was reached, and not everything was looked at: {requests}"),
            ),
        });
    }

    /// Learns where the gate's pages are, and which proxy is before the application.
    fn find_gate(&mut self, first: &ProbeAnswer, config: Option<Config>) {
        let configured = config.as_ref().and_then(|config| {
            let url = config.gate.url.as_ref()?;
            CheckedUrl::parse(&format!("{}{}", url.origin(), url.path)).ok()
        });
        let redirect = first.header("location").and_then(|to| self.url.join(to));
        let seen = redirect.and_then(|to| {
            let base = to.path().strip_suffix("sign-in")?.to_owned();
            let returns = to.query_value("rd").is_some();
            let pages = CheckedUrl { target: base, ..to };
            // applications have sign-in pages too
            (returns || configured.as_ref() == Some(&pages)).then_some(pages)
        });
        let is_same = seen.is_none() || seen == configured;
        self.pages = seen.or_else(|| configured.clone());
        // the gate of this machine may be another one
        self.config = config.filter(|_| configured.is_some() && is_same);
        if let (None, Some(config)) = (self.proxy, &self.config) {
            let mut kinds: Vec<_> = config.gate.trusted_proxies.iter().collect();
            kinds.dedup_by_key(|proxy| proxy.proxy);
            if let [one] = kinds.as_slice() {
                self.proxy = Some(one.proxy);
            }
        }
    }

    /// Loads the page without a session.
    fn get_page(&self) -> io::Result<ProbeAnswer> {
        self.send(&ProbeRequest::page(&self.url.target))
    }

    /// Sends a request to the application.
    fn send(&self, request: &ProbeRequest) -> io::Result<ProbeAnswer> {
        self.client.send(&self.url.origin, request)
    }

    /// Returns the path below which the gate's pages are on the application's host.
    fn pages_path(&self) -> Option<&str> {
        let pages = self.pages.as_ref()?;
        (pages.origin == self.url.origin).then_some(pages.target.as_str())
    }

    fn fault(&mut self, subject: &'static str, what: impl std::fmt::Display, why: ProxyMistake) {
        self.report(FindingSeverity::Fault, subject, what.to_string(), why);
    }

    fn warning(&mut self, subject: &'static str, what: impl std::fmt::Display, why: ProxyMistake) {
        self.report(FindingSeverity::Warning, subject, what.to_string(), why);
    }

    fn ok(&mut self, subject: &'static str, what: impl std::fmt::Display) {
        self.findings.push(Finding::ok(subject, what));
    }

    /// Adds a finding with the line to change.
    fn report(
        &mut self,
        severity: FindingSeverity,
        subject: &'static str,
        what: String,
        why: ProxyMistake,
    ) {
        let finding = match severity {
            FindingSeverity::Fault => Finding::fault(subject, what),
            _ => Finding::warning(subject, what),
        };
        let gate = self.pages.as_ref().map_or("", |pages| &pages.origin.host);
        let remedy = match self.proxy {
            None => "see the sample of postern print-config PROXY; with --proxy, this says which line of it".to_owned(),
            Some(proxy) => match line_to_change(why, proxy) {
                None => format!("compare the configuration with postern print-config {}", proxy.name()),
                Some((place, line)) => {
                    let line = line
                        .replace("@APP_HOST@", &self.url.origin.host)
                        .replace("@GATE_HOST@", gate)
                        .replace("@FOLDER@", &proxies::folder(proxy));
                    format!("{}, {place}: {line}", proxy.name())
                }
            },
        };
        self.findings.push(finding.remedy(remedy));
    }
}

/// Shortens a text that a server sent, for a finding.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
