//! What a client can show: whether a reply may redirect it to a page, and which challenge suits it.
//!
//! Reads only headers that browsers set by themselves, so that a check works without configuration
//! per application.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, HeaderValue};
use memchr::memmem;

/// Whether the client loads a page, so that a redirect makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WantedReply {
    Page,
    Data,
}

/// Challenge of a 401 reply (RFC 9110, section 11.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Basic: clients that show no pages wait for it before they send an app password.
    Basic,
    /// Bearer: browsers open no dialog for it.
    Bearer,
    /// A scheme of Postern's own, for the gate's pages: browsers open no dialog for it.
    Postern,
}

/// Returns the challenge that suits the client. Browsers send Fetch metadata; older ones accept
/// HTML.
pub(crate) fn select_challenge(method: &str, headers: &HeaderMap) -> Challenge {
    let is_there = |name: &str| headers.get_all(name).iter().any(|value| !value.is_empty());
    let is_browser = is_there("sec-fetch-mode") || is_there("x-requested-with");
    match is_browser || wanted_reply(method, headers) == WantedReply::Page {
        true => Challenge::Bearer,
        false => Challenge::Basic,
    }
}

/// Whether a browser loads a page. Clients that show no pages do not send this header.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-mode")
        .is_some_and(|mode| mode.as_bytes() == b"navigate")
}

/// Prefers Fetch metadata; older browsers accept HTML for pages only.
pub(crate) fn wanted_reply(method: &str, headers: &HeaderMap) -> WantedReply {
    let is_empty = |name: &str| headers.get_all(name).iter().all(HeaderValue::is_empty);
    let accepts_html = |value: &HeaderValue| memmem::find(value.as_bytes(), b"text/html").is_some();
    let page = match is_empty("sec-fetch-mode") {
        true => headers.get_all(ACCEPT).iter().any(accepts_html) && is_empty("x-requested-with"),
        false => is_navigation(headers),
    };
    if page && method != "OPTIONS" {
        WantedReply::Page
    } else {
        WantedReply::Data
    }
}

#[cfg(test)]
mod tests {
    use super::Challenge::{Basic, Bearer};
    use super::WantedReply::{Data, Page};
    use super::*;
    use crate::proxy::original_request::headers;

    const PAGE: (&str, &str) = ("accept", "text/html,*/*;q=0.8");

    /// Browsers are redirected and see no dialog; git, wget and WebDAV clients wait for Basic.
    #[test]
    fn only_clients_that_show_no_pages_get_a_basic_challenge() {
        for (pairs, challenge, reply) in [
            (vec![], Basic, Data),
            (vec![("accept", "*/*")], Basic, Data),
            (vec![("sec-fetch-mode", "")], Basic, Data),
            (vec![("sec-fetch-mode", "cors")], Bearer, Data),
            (
                vec![("x-requested-with", "XMLHttpRequest"), PAGE],
                Bearer,
                Data,
            ),
            (vec![PAGE], Bearer, Page),
            (vec![("accept", "application/xml"), PAGE], Bearer, Page),
            (vec![("sec-fetch-mode", "navigate")], Bearer, Page),
        ] {
            let headers = headers(&pairs);
            let selected = select_challenge("GET", &headers);
            assert_eq!(
                (selected, wanted_reply("GET", &headers)),
                (challenge, reply),
                "{pairs:?}"
            );
        }
        let mut latin = headers(&[PAGE]);
        latin.append("accept", HeaderValue::from_bytes(b"\xeb").unwrap());
        let why = "bytes that are no text hide nothing";
        assert_eq!(wanted_reply("GET", &latin), Page, "{why}");
    }
}
