//! TLS and plain HTTP: the certificate as browsers see it, HTTP/2, and the redirect to HTTPS.

use super::UrlCheck;
use super::advice::ProxyMistake;
use super::client::CertificateProblem;
use super::http::{ProbeAnswer, ProbeRequest};
use super::origin::Origin;
use crate::check::finding::Finding;

impl UrlCheck<'_> {
    /// Returns whether a password may be sent: each host has a certificate that browsers accept.
    pub(super) fn check_transport(&mut self, first: &ProbeAnswer, http_port: u16) -> bool {
        if !self.url.origin.is_tls {
            let url = self.url;
            self.fault(
                "http",
                format_args!("{url} is plain HTTP: passwords and cookies can be read on the way"),
                ProxyMistake::PlainHttp,
            );
            return false;
        }
        let mut is_trusted = self.check_tls(&self.url.origin.clone());
        let gate = self.pages.as_ref().map(|pages| pages.origin.clone());
        if let Some(gate) = gate.filter(|gate| *gate != self.url.origin) {
            is_trusted &= gate.is_tls && self.check_tls(&gate);
        }
        self.check_plain_http(first, http_port);
        is_trusted
    }

    fn check_tls(&mut self, origin: &Origin) -> bool {
        let facts = match self.client.tls_facts(origin) {
            Ok(facts) => facts,
            Err(error) => {
                self.findings.push(Finding::fault(
                    "certificate",
                    format_args!("no TLS connection to {origin}: {error}"),
                ));
                return false;
            }
        };
        match &facts.problem {
            None => self.ok(
                "certificate",
                format_args!("browsers accept that of {}", origin.host),
            ),
            Some(CertificateProblem::EndsSoon) => self.warning(
                "certificate",
                format_args!("that of {} expires within 7 days", origin.host),
                ProxyMistake::Certificate,
            ),
            Some(CertificateProblem::Refused(why)) => self.fault(
                "certificate",
                format_args!("browsers do not accept that of {}: {why}", origin.host),
                ProxyMistake::Certificate,
            ),
        }
        match facts.has_http2 {
            true => self.ok("http", format_args!("{} offers HTTP/2", origin.host)),
            false => self.warning(
                "http",
                format_args!(
                    "{} does not offer HTTP/2, so that pages load slowly",
                    origin.host
                ),
                ProxyMistake::NoHttp2,
            ),
        }
        !matches!(facts.problem, Some(CertificateProblem::Refused(_)))
    }

    /// Loads the page over plain HTTP.
    fn check_plain_http(&mut self, first: &ProbeAnswer, port: u16) {
        let origin = self.url.origin.plain(port);
        let request = ProbeRequest::page(&self.url.target);
        let answer = match self.client.send(&origin, &request) {
            Ok(answer) => answer,
            Err(_) => {
                return self.ok(
                    "http",
                    format_args!("nothing answers plain HTTP at port {port}"),
                );
            }
        };
        let to = answer.header("location").unwrap_or_default();
        let leads_to_https = (300..400).contains(&answer.status)
            && self
                .url
                .join(to)
                .is_some_and(|to| to.origin.is_tls && to.origin.host == origin.host);
        match leads_to_https {
            true if first.header("strict-transport-security").is_some() => self.ok(
                "http",
                "plain HTTP is redirected to HTTPS, and Strict-Transport-Security is set",
            ),
            // whether every service of a domain has HTTPS is not for the samples to decide
            true => self.ok(
                "http",
                "plain HTTP is redirected to HTTPS; without Strict-Transport-Security, browsers may still begin with it",
            ),
            false if answer.is_success() => self.fault(
                "http",
                format_args!("{origin} answers {} over plain HTTP", answer.status),
                ProxyMistake::PlainHttp,
            ),
            false => self.warning(
                "http",
                format_args!(
                    "{origin} answers {}, and does not redirect to HTTPS",
                    answer.status
                ),
                ProxyMistake::PlainHttp,
            ),
        }
    }
}
