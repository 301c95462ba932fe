//! The access log: who asked for what, and what they were told.
//!
//! MUST NOT write a query, a header or a form: that is where codes, cookies and tokens stand.

use crate::check::forward_auth::CheckResult;
use crate::observe::log;
use crate::proxy::contract::OriginalRequest;
use hyper::StatusCode;
use hyper::http::request::Parts;
use shared::account::name::UserName;
use shared::config::gate::GateUrl;
use shared::network::address::Address;
use std::time::Duration;

/// The most of a text that strangers chose, in characters.
const LONGEST: usize = 512;

/// A check.
pub(crate) fn check(asked: &OriginalRequest<'_>, ruling: &CheckResult, took: Duration) {
    let user = if let CheckResult::Allow(allowed) = ruling {
        allowed.user.as_str()
    } else {
        "-"
    };
    line("check", asked.address, user, took)
        .with("result", ruling.label().name())
        .quoted("method", short(asked.method))
        .quoted("host", short(&asked.host()))
        .quoted("path", short(without_query(asked.target)))
        .write();
}

/// One of the gate's own pages.
pub(crate) fn page(
    parts: &Parts,
    url: &GateUrl,
    address: Address,
    user: Option<&UserName>,
    status: StatusCode,
    took: Duration,
) {
    line("page", address, user.map_or("-", UserName::as_str), took)
        .number("status", status.as_u16().into())
        .quoted("method", short(parts.method.as_str()))
        .quoted("host", short(url.host()))
        .quoted("path", short(parts.uri.path()))
        .write();
}

fn line(kind: &'static str, address: Address, user: &str, took: Duration) -> log::LogLine {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    log::event("access")
        .with("kind", kind)
        .with("address", address)
        .quoted("user", user)
        .number("duration_us", micros)
}

fn without_query(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_query_or_fragment_is_left() {
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
        assert_eq!(short(&"\u{e4}".repeat(5000)).chars().count(), LONGEST);
    }
}
