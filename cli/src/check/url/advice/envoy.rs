//! The lines of Envoy's samples.

use super::{Line, ProxyMistake, at};

pub(super) fn line_to_change(mistake: ProxyMistake) -> Line {
    const EARLY: &str = "in early_header_mutation_extensions";
    const SENT: &str = "in allowed_headers of ext_authz";
    const RECEIVED: &str = "in allowed_upstream_headers of ext_authz";
    match mistake {
        ProxyMistake::NoCheck | ProxyMistake::CachedCheck => {
            at("in http_filters", "- name: envoy.filters.http.ext_authz")
        }
        ProxyMistake::NoRedirect | ProxyMistake::NoChallenge => at(
            "in authorization_response of ext_authz",
            "allowed_client_headers:",
        ),
        ProxyMistake::OpenWithoutGate => at("in ext_authz", "failure_mode_allow: false"),
        ProxyMistake::HeadersNotSent => at(SENT, "- exact: sec-fetch-mode"),
        ProxyMistake::CookieNotSent => at(SENT, "- exact: cookie"),
        ProxyMistake::CookieNotCopied => at(RECEIVED, "- exact: cookie"),
        ProxyMistake::IdentityNotCopied(name) => {
            at(RECEIVED, format!("- exact: {}", name.to_ascii_lowercase()))
        }
        ProxyMistake::OriginalFromClient => at(
            EARLY,
            "- remove_on_match: { key_matcher: { prefix: x-forwarded, ignore_case: true } }",
        ),
        ProxyMistake::AddressFromClient => at(
            "in the filter postern_begin",
            "header: { key: x-forwarded-for, value: \"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\" }",
        ),
        ProxyMistake::AliasWithUnderscore | ProxyMistake::AliasWithDot => at(
            EARLY,
            "- remove_on_match: { key_matcher: { prefix: remote, ignore_case: true } }",
        ),
        ProxyMistake::ClientAliasWithUnderscore => at(
            "in common_http_protocol_options",
            "headers_with_underscores_action: DROP_HEADER",
        ),
        ProxyMistake::ClientAliasWithDot => at(
            EARLY,
            "- remove_on_match: { key_matcher: { prefix: x., ignore_case: true } }",
        ),
        ProxyMistake::ProofNotRemoved => {
            at("in the filter postern_end", "- remove: x-postern-proxy")
        }
        ProxyMistake::ClientHeaderPasses("Forwarded") => at(EARLY, "- remove: forwarded"),
        ProxyMistake::ClientHeaderPasses(name) => at(
            EARLY,
            match name {
                "X-Real-IP" => {
                    "- remove_on_match: { key_matcher: { prefix: x-real, ignore_case: true } }"
                }
                name if name.starts_with("X-Original") => {
                    "- remove_on_match: { key_matcher: { prefix: x-original, ignore_case: true } }"
                }
                name if name.starts_with("X-Rewrite") => {
                    "- remove_on_match: { key_matcher: { prefix: x-rewrite, ignore_case: true } }"
                }
                _ => {
                    "- remove_on_match: { key_matcher: { prefix: x-forwarded, ignore_case: true } }"
                }
            },
        ),
        ProxyMistake::PlainHttp => at("in the listener http", "redirect: { https_redirect: true }"),
        ProxyMistake::NoHttp2 => at("in common_tls_context", "alpn_protocols: [h2, http/1.1]"),
        ProxyMistake::Certificate => at(
            "in tls_certificates",
            "- certificate_chain: { filename: /etc/ssl/private/@APP_HOST@.crt }",
        ),
        ProxyMistake::CheckIsPublic => at(
            "in the virtual host of the gate",
            "- match: { prefix: /check/ }",
        ),
        ProxyMistake::ConnectionRemoves
        | ProxyMistake::SmallBuffers
        | ProxyMistake::NoKeepAlive => None,
    }
}
