//! Which headers of a client the gate trusts: for the requested URL and method, and for the address.
//! If the proxy passes them on, the same page load without a session is answered differently.

use super::UrlCheck;
use super::access::describe;
use super::advice::ProxyMistake;
use super::http::{ProbeAnswer, ProbeRequest};

/// A text that shows up in the redirect if the gate trusts it.
const FORGED: &str = "forged.postern-check.example";
/// An address for documentation (RFC 5737).
pub(super) const FORGED_ADDRESS: &str = "192.0.2.66";

impl UrlCheck<'_> {
    pub(super) fn check_claims(&mut self, first: &ProbeAnswer) {
        let begin = self.findings.len();
        self.check_original_claims(first);
        self.check_address_claims(first);
        if self.findings.len() == begin {
            self.ok(
                "claims",
                "the gate does not trust a client's X-Forwarded, X-Original and X-Real headers",
            );
        }
    }

    fn check_original_claims(&mut self, first: &ProbeAnswer) {
        let url = format!("https://{FORGED}/");
        let all = [
            vec![format!("X-Forwarded-Host: {FORGED}")],
            vec![format!("X-Forwarded-Uri: /{FORGED}")],
            vec![
                "X-Forwarded-Method: OPTIONS".to_owned(),
                "X-Original-Method: OPTIONS".to_owned(),
            ],
            vec!["X-Forwarded-Proto: http".to_owned()],
            vec![
                format!("X-Original-URL: {url}"),
                format!("X-Original-URI: /{FORGED}"),
                format!("X-Rewrite-URL: /{FORGED}"),
            ],
        ];
        let mut trusted = Vec::new();
        for lines in all {
            let request = ProbeRequest {
                lines: [ProbeRequest::page("").lines, lines.clone()].concat(),
                ..ProbeRequest::page(&self.url.target)
            };
            if self.changes_answer(first, &request) {
                trusted.push(lines.join(", "));
            }
        }
        if !trusted.is_empty() {
            self.fault(
                "claims",
                format_args!(
                    "the gate trusts a client that sends {}, so that rules and redirects can be forged",
                    trusted.join(", ")
                ),
                ProxyMistake::OriginalFromClient,
            );
        }
    }

    /// Sends an address, and one that is none: a gate that trusts it refuses the check.
    fn check_address_claims(&mut self, first: &ProbeAnswer) {
        let mut trusted = Vec::new();
        for name in ["X-Forwarded-For", "X-Real-IP"] {
            let changes = [FORGED_ADDRESS, "no-address"].into_iter().any(|address| {
                let request = ProbeRequest::page(&self.url.target);
                self.changes_answer(first, &request.line(format!("{name}: {address}")))
            });
            if changes {
                trusted.push(name);
            }
        }
        if !trusted.is_empty() {
            self.fault(
                "claims",
                format_args!(
                    "the gate trusts the {} of a client, so that anyone can choose an address",
                    trusted.join(" and ")
                ),
                ProxyMistake::AddressFromClient,
            );
        }
    }

    /// Whether a request is answered differently than the first one. A proxy may refuse it.
    fn changes_answer(&self, first: &ProbeAnswer, request: &ProbeRequest) -> bool {
        let Ok(answer) = self.send(request) else {
            return false;
        };
        answer.status != 400 && describe_fully(&answer) != describe_fully(first)
    }
}

/// Returns what a page load without a session is answered.
fn describe_fully(answer: &ProbeAnswer) -> (String, Option<String>) {
    (
        describe(answer),
        answer.header("location").map(str::to_owned),
    )
}
