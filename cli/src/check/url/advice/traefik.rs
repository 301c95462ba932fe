//! The lines of Traefik's samples.

use super::{Line, ProxyMistake, at};

pub(super) fn line_to_change(mistake: ProxyMistake) -> Line {
    const CHECK: &str = "in the middleware postern-check";
    const CLEAN: &str = "in the middleware postern-clean";
    const SENT: &str = "authRequestHeaders: [Accept, Authorization, Cookie, Sec-Fetch-Mode, X-Requested-With, X-Postern-Proxy]";
    const RECEIVED: &str = "authResponseHeaders: [Remote-User, Remote-Groups, Remote-Email, Remote-Name, Cookie, Authorization, X-Postern-Proxy]";
    match mistake {
        ProxyMistake::NoCheck | ProxyMistake::OpenWithoutGate => at(
            "in the router of the application",
            "middlewares: [postern-clean, postern-proof, postern-check]",
        ),
        ProxyMistake::NoRedirect | ProxyMistake::HeadersNotSent | ProxyMistake::CookieNotSent => {
            at(CHECK, SENT)
        }
        ProxyMistake::IdentityNotCopied(_)
        | ProxyMistake::CookieNotCopied
        | ProxyMistake::ProofNotRemoved => at(CHECK, RECEIVED),
        ProxyMistake::OriginalFromClient | ProxyMistake::AddressFromClient => at(
            "in the middleware postern-check, and without forwardedHeaders for clients at the entry point",
            "trustForwardHeader: false",
        ),
        ProxyMistake::AliasWithUnderscore
        | ProxyMistake::AliasWithDot
        | ProxyMistake::ClientAliasWithUnderscore
        | ProxyMistake::ClientAliasWithDot => at(
            "in the entry point websecure",
            "aliasHeadersStrategy: delete",
        ),
        ProxyMistake::ClientHeaderPasses(name) => match CLEANED.contains(&name) {
            true => at(CLEAN, "{header}: \"\""),
            false => at(
                "in the entry point websecure, without forwardedHeaders, beside",
                "aliasHeadersStrategy: delete",
            ),
        },
        ProxyMistake::SmallBuffers => at(CHECK, "maxResponseBodySize: 65536"),
        ProxyMistake::PlainHttp => at("in the entry point web", "to: websecure"),
        ProxyMistake::Certificate => at(
            "in tls.certificates",
            "- certFile: /etc/ssl/private/@APP_HOST@.crt",
        ),
        ProxyMistake::CheckIsPublic => at(
            "in the router postern-gate",
            "rule: \"Host(`@GATE_HOST@`) && !PathPrefix(`/check`)\"",
        ),
        ProxyMistake::CachedCheck
        | ProxyMistake::NoChallenge
        | ProxyMistake::ConnectionRemoves
        | ProxyMistake::NoHttp2
        | ProxyMistake::NoKeepAlive => None,
    }
}

/// Headers that Traefik's sample removes by name.
const CLEANED: [&str; 9] = [
    "Forwarded",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-User",
    "X-Original-Method",
    "X-Original-URI",
    "X-Original-URL",
    "X-Rewrite-URL",
];
