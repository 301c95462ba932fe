//! What strangers must not reach: the check itself through the proxy, the gate's metrics, and the
//! gate's own port.

use super::UrlCheck;
use super::access::describe;
use super::advice::ProxyMistake;
use super::http::ProbeRequest;
use super::origin::Origin;
use crate::check::finding::Finding;
use postern_shared::config::gate::{ListenAddress, ProxyKind};
use std::collections::BTreeSet;

/// Port of the gate in the samples.
const USUAL_PORT: u16 = 9091;
/// A metric of every gate.
const METRIC: &str = "postern_checks";

impl UrlCheck<'_> {
    pub(super) fn check_exposure(&mut self) {
        let begin = self.findings.len();
        self.check_public_checks();
        self.check_metrics();
        self.check_gate_port();
        if self.findings.len() == begin {
            self.ok(
                "exposure",
                "strangers reach neither checks nor metrics of the gate",
            );
        }
    }

    /// Requests a check at the pages of the gate.
    fn check_public_checks(&mut self) {
        let Some(pages) = self.pages.clone() else {
            return;
        };
        let kinds = self
            .proxy
            .map_or(ProxyKind::ALL.to_vec(), |kind| vec![kind]);
        for kind in kinds {
            let path = format!("{}check/{}", pages.target, kind.name());
            let request = ProbeRequest::page(&path);
            let Ok(answer) = self.client.send(&pages.origin, &request) else {
                continue;
            };
            // a check at the proxy leads to the sign-in page; one from a client lacks its headers
            let is_denied =
                matches!(answer.status, 400 | 403 | 404 | 405 | 421) || self.leads_to_gate(&answer);
            if !is_denied {
                return self.warning(
                    "exposure",
                    format_args!(
                        "clients can send checks: {}{path} is answered {}",
                        pages.origin,
                        describe(&answer)
                    ),
                    ProxyMistake::CheckIsPublic,
                );
            }
        }
    }

    fn check_metrics(&mut self) {
        let mut origins = vec![self.url.origin.clone()];
        origins.extend(self.pages.as_ref().map(|pages| pages.origin.clone()));
        origins.dedup();
        for origin in origins {
            let request = ProbeRequest::program("GET", "/metrics");
            let shown = self.client.send(&origin, &request);
            if shown.is_ok_and(|answer| answer.is_success() && answer.body.contains(METRIC)) {
                self.findings.push(
                    Finding::fault(
                        "exposure",
                        format_args!("everyone can read the gate's metrics at {origin}/metrics"),
                    )
                    .remedy("lead no client to the address of gate.operations"),
                );
            }
        }
    }

    /// Connects to the gate without the proxy.
    fn check_gate_port(&mut self) {
        for port in self.outside_ports() {
            let origin = Origin {
                is_tls: false,
                host: self.url.origin.host.clone(),
                port,
            };
            let kind = self.proxy.unwrap_or(ProxyKind::Nginx).name();
            let request = ProbeRequest::program("GET", &format!("/check/{kind}"));
            let Ok(answer) = self.client.send(&origin, &request) else {
                continue;
            };
            // what a gate answers to a peer that is no proxy, and to a check that is not complete
            if !matches!(answer.status, 401 | 403) {
                continue;
            }
            let what =
                format!("the gate answers at {origin}, where the proxy alone should connect");
            let finding = match answer.status {
                401 => Finding::fault("exposure", what + ", and trusts every client that connects"),
                _ => Finding::warning("exposure", what),
            };
            self.findings.push(finding.remedy(format_args!(
                "postern.toml, in [gate]: listen = [\"tcp:127.0.0.1:{port}\"]"
            )));
        }
    }

    /// Returns the ports at which the gate may be reached from outside. From this machine itself
    /// every port is reached, so only what postern.toml says counts here.
    fn outside_ports(&self) -> BTreeSet<u16> {
        let addresses = self.client.addresses(&self.url.origin).unwrap_or_default();
        let is_here = addresses.iter().any(|address| address.ip().is_loopback());
        let listens = self.config.as_ref().map(|config| &config.gate.listen.0);
        match listens {
            Some(listens) => listens
                .iter()
                .filter_map(|listen| match listen {
                    ListenAddress::Tcp(address) if !address.ip().is_loopback() => {
                        Some(address.port())
                    }
                    _ => None,
                })
                .collect(),
            None if is_here => BTreeSet::new(),
            None => [USUAL_PORT].into(),
        }
    }
}
