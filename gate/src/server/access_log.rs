//! The access log: one line for each check and each page, with its result.
//!
//! MUST NOT write a query, a header or a form: codes, cookies and tokens are there.

use crate::check::forward_auth::CheckResult;
use crate::observe::log;
use crate::proxy::original_request::OriginalRequest;
use hyper::StatusCode;
use hyper::http::request::Parts;
use postern_shared::account::name::UserName;
use postern_shared::config::gate::GateUrl;
use postern_shared::system::network::address::Address;
use std::time::Duration;

/// Longest text that a client chose, in characters.
const MAX_TEXT: usize = 512;

pub(crate) fn log_check(original: &OriginalRequest<'_>, result: &CheckResult, duration: Duration) {
    let user = if let CheckResult::Allow(allowed) = result {
        allowed.identity.user()
    } else {
        "-"
    };
    access_line("check", original.address, user, duration)
        .with("result", result.label().name())
        .quoted("method", shorten(original.method))
        .quoted("host", shorten(&original.host()))
        .quoted("path", shorten(without_query(original.target)))
        .write();
}

pub(crate) fn log_page(
    parts: &Parts,
    url: &GateUrl,
    address: Address,
    user: Option<&UserName>,
    status: StatusCode,
    duration: Duration,
) {
    access_line(
        "page",
        address,
        user.map_or("-", UserName::as_str),
        duration,
    )
    .number("status", status.as_u16().into())
    .quoted("method", shorten(parts.method.as_str()))
    .quoted("host", shorten(url.host()))
    .quoted("path", shorten(without_code(parts.uri.path())))
    .write();
}

fn access_line(
    kind: &'static str,
    address: Address,
    user: &str,
    duration: Duration,
) -> log::LogLine {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    log::event("access")
        .with("kind", kind)
        .with("address", address)
        .quoted("user", user)
        .number("duration_us", micros)
}

/// Returns the path of a page without the code of a request for an approval.
fn without_code(path: &str) -> &str {
    const APPROVE: &str = "/approve/";
    match path.find(APPROVE) {
        Some(at) => &path[..at + APPROVE.len()],
        None => path,
    }
}

fn without_query(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_query_and_no_fragment_is_logged() {
        for target in [
            "/a?token=1",
            "/a#token=1",
            "/a?b?token",
            "/a#b?token",
            "/a?#token",
        ] {
            assert_eq!(without_query(target), "/a");
        }
        assert_eq!(without_query("?token"), "");
    }

    #[test]
    fn a_long_path_is_cut() {
        assert_eq!(shorten(&"\u{e4}".repeat(5000)).chars().count(), MAX_TEXT);
    }

    #[test]
    fn the_code_of_an_approval_is_not_in_the_log() {
        assert_eq!(without_code("/approve/MD97H836JZ"), "/approve/");
        assert_eq!(without_code("/auth/approve/MD97H836JZ"), "/auth/approve/");
        assert_eq!(without_code("/passkeys"), "/passkeys");
    }
}
