//! The lines of Caddy's samples.

use super::{Line, ProxyMistake, at};

pub(super) fn line_to_change(mistake: ProxyMistake) -> Line {
    const ROUTE: &str = "in route, before reverse_proxy";
    const CLEAN: &str = "in (postern_clean)";
    match mistake {
        ProxyMistake::NoCheck | ProxyMistake::CachedCheck | ProxyMistake::OpenWithoutGate => {
            at(ROUTE, "import postern_check")
        }
        ProxyMistake::NoRedirect
        | ProxyMistake::HeadersNotSent
        | ProxyMistake::NoChallenge
        | ProxyMistake::CookieNotSent => at("in (postern_check)", "uri /check/caddy?"),
        ProxyMistake::OriginalFromClient | ProxyMistake::AddressFromClient => at(
            "without trusted_proxies for clients, and in (postern_clean)",
            "request_header -X-Forwarded-*",
        ),
        ProxyMistake::IdentityNotCopied(_) | ProxyMistake::CookieNotCopied => at(
            "in (postern_check)",
            "copy_headers Remote-User Remote-Groups Remote-Email Remote-Name Cookie Authorization",
        ),
        ProxyMistake::AliasWithUnderscore | ProxyMistake::AliasWithDot => {
            at(CLEAN, "request_header -Remote*")
        }
        ProxyMistake::ClientAliasWithUnderscore => at(CLEAN, "request_header -X_Forwarded*"),
        ProxyMistake::ClientAliasWithDot => at(CLEAN, "request_header -X.Forwarded*"),
        ProxyMistake::ProofNotRemoved => at(
            "in forward_auth alone, never beside reverse_proxy of the application",
            "import @FOLDER@/postern-proof.caddy",
        ),
        ProxyMistake::ClientHeaderPasses(name) => at(
            CLEAN,
            match name {
                "Forwarded" => "request_header -Forwarded",
                "X-Real-IP" => "request_header -X-Real-*",
                name if name.starts_with("X-Original") => "request_header -X-Original-*",
                name if name.starts_with("X-Rewrite") => "request_header -X-Rewrite-*",
                _ => "request_header -X-Forwarded-*",
            },
        ),
        ProxyMistake::ConnectionRemoves => at(CLEAN, "respond @postern_drops 400"),
        ProxyMistake::Certificate => at(
            "in the site of the application",
            "tls /etc/ssl/private/@APP_HOST@.crt /etc/ssl/private/@APP_HOST@.key",
        ),
        ProxyMistake::CheckIsPublic => at("in the site of the gate", "respond /check/* 404"),
        ProxyMistake::PlainHttp => at(
            "without auto_https off and disable_redirects, the site of the application",
            "@APP_HOST@ {",
        ),
        ProxyMistake::SmallBuffers | ProxyMistake::NoHttp2 | ProxyMistake::NoKeepAlive => None,
    }
}
