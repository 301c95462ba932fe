//! The line to change, in the words of each proxy: what is wrong, and the line of the sample in
//! config/ that prevents it. A test checks that each line stands in its sample.

use postern_shared::config::gate::ProxyKind::{
    self, Apache, AutheliaAuthRequest, AutheliaExtAuthz, AutheliaForwardAuth, Caddy, Envoy,
    Haproxy, Nginx, Traefik,
};

/// What is wrong with the configuration of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyMistake {
    /// Requests reach the application without a check.
    NoCheck,
    /// The reply of the gate to a check is kept for later requests.
    CachedCheck,
    /// Page loads are not redirected to the sign-in page.
    NoRedirect,
    /// The gate does not see what tells a page load from a script.
    HeadersNotSent,
    /// A 401 has no challenge.
    NoChallenge,
    /// The gate does not receive the session cookie.
    CookieNotSent,
    /// The gate believes the client's words about the requested URL and method.
    OriginalFromClient,
    /// The gate believes the client's words about its address.
    AddressFromClient,
    /// The application receives an identity that the gate did not send; by header.
    IdentityNotCopied(&'static str),
    /// Names with `_` pass.
    AliasWithUnderscore,
    /// Names with `.` pass.
    AliasWithDot,
    /// Names with `_` pass that CGI applications take for X-Forwarded-For and X-Real-IP.
    ClientAliasWithUnderscore,
    /// Such names with `.` pass.
    ClientAliasWithDot,
    /// The application receives the cookies of the gate.
    CookieNotCopied,
    /// The application receives the proxy's secret.
    ProofNotRemoved,
    /// The application receives what a client says of itself; by header.
    ClientHeaderPasses(&'static str),
    /// A Connection header removes what the gate sends.
    ConnectionRemoves,
    /// Many cookies lead to an error.
    SmallBuffers,
    /// Plain HTTP is not redirected.
    PlainHttp,
    NoHttp2,
    Certificate,
    /// Clients can send checks.
    CheckIsPublic,
    /// Each check has a connection of its own.
    NoKeepAlive,
    /// Access is granted while the gate does not answer.
    OpenWithoutGate,
}

/// Returns the line of the sample that is missing or was changed, and where it belongs.
pub(super) fn line_to_change(
    mistake: ProxyMistake,
    proxy: ProxyKind,
) -> Option<(&'static str, String)> {
    let (place, line) = match proxy {
        Nginx => nginx(mistake)?,
        Traefik => traefik(mistake)?,
        Caddy => caddy(mistake)?,
        Haproxy => haproxy(mistake)?,
        Envoy => envoy(mistake)?,
        Apache | AutheliaAuthRequest | AutheliaForwardAuth | AutheliaExtAuthz => return None,
    };
    Some((place, line.replace("{header}", header_of(mistake))))
}

/// Returns the header that a mistake is about.
fn header_of(mistake: ProxyMistake) -> &'static str {
    match mistake {
        ProxyMistake::IdentityNotCopied(name) | ProxyMistake::ClientHeaderPasses(name) => name,
        _ => "",
    }
}

type Line = Option<(&'static str, String)>;

fn at(place: &'static str, line: impl Into<String>) -> Line {
    Some((place, line.into()))
}

fn nginx(mistake: ProxyMistake) -> Line {
    const SERVER: &str = "in the server of the application";
    const CHECK: &str = "in location = /postern-check";
    const HEADERS: &str = "in postern-headers.conf, which every location includes";
    match mistake {
        ProxyMistake::NoCheck | ProxyMistake::OpenWithoutGate => {
            at(SERVER, "auth_request /postern-check;")
        }
        ProxyMistake::CachedCheck => at(
            "without proxy_cache, beside",
            "proxy_pass http://postern_gate/check/nginx;",
        ),
        ProxyMistake::NoRedirect => at(SERVER, "error_page 401 = @postern_sign_in;"),
        ProxyMistake::HeadersNotSent => at(
            CHECK,
            "proxy_set_header Sec-Fetch-Mode $http_sec_fetch_mode;",
        ),
        ProxyMistake::NoChallenge => at("in location @postern_sign_in", "return 401;"),
        ProxyMistake::CookieNotSent => at(CHECK, "proxy_set_header Cookie $http_cookie;"),
        ProxyMistake::OriginalFromClient => at(
            CHECK,
            "proxy_set_header X-Original-URL https://$host$postern_port$request_uri;",
        ),
        ProxyMistake::AddressFromClient => at(
            "in location = /postern-check, and without real_ip_header for addresses that are no proxy's",
            "proxy_set_header X-Real-IP $remote_addr;",
        ),
        ProxyMistake::IdentityNotCopied(name) => {
            let short = name.strip_prefix("Remote-").unwrap_or(name);
            let variable = short.to_ascii_lowercase();
            at(
                HEADERS,
                format!("proxy_set_header {{header}} $postern_{variable};"),
            )
        }
        ProxyMistake::AliasWithUnderscore | ProxyMistake::ClientAliasWithUnderscore => {
            at("before server", "underscores_in_headers off;")
        }
        ProxyMistake::AliasWithDot | ProxyMistake::ClientAliasWithDot => {
            at("before server", "ignore_invalid_headers on;")
        }
        ProxyMistake::CookieNotCopied => at(HEADERS, "proxy_set_header Cookie $postern_cookie;"),
        ProxyMistake::ProofNotRemoved => at(HEADERS, "proxy_set_header X-Postern-Proxy \"\";"),
        ProxyMistake::ClientHeaderPasses("X-Real-IP" | "X-Forwarded-For") => {
            at(HEADERS, "proxy_set_header {header} $remote_addr;")
        }
        ProxyMistake::ClientHeaderPasses("X-Forwarded-Host") => {
            at(HEADERS, "proxy_set_header {header} $host$postern_port;")
        }
        ProxyMistake::ClientHeaderPasses("X-Forwarded-Proto") => {
            at(HEADERS, "proxy_set_header {header} https;")
        }
        ProxyMistake::ClientHeaderPasses("X-Forwarded-Port") => {
            at(HEADERS, "proxy_set_header {header} $server_port;")
        }
        ProxyMistake::ClientHeaderPasses(_) => at(HEADERS, "proxy_set_header {header} \"\";"),
        ProxyMistake::ConnectionRemoves => at(SERVER, "if ($postern_drops) {"),
        ProxyMistake::SmallBuffers => at(CHECK, "proxy_buffer_size 64k;"),
        ProxyMistake::PlainHttp => at(
            "in the server for port 80",
            "return 301 https://$host$request_uri;",
        ),
        ProxyMistake::NoHttp2 => at(SERVER, "listen 443 ssl http2;"),
        ProxyMistake::Certificate => at(SERVER, "ssl_certificate /etc/ssl/private/@APP_HOST@.crt;"),
        ProxyMistake::CheckIsPublic => at("in the server of the gate", "location /check/ {"),
        ProxyMistake::NoKeepAlive => at("in upstream postern_gate", "keepalive 16;"),
    }
}

fn traefik(mistake: ProxyMistake) -> Line {
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

fn caddy(mistake: ProxyMistake) -> Line {
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

fn haproxy(mistake: ProxyMistake) -> Line {
    const BACKEND: &str = "in the backend of the application";
    const FRONTEND: &str = "in frontend https";
    const LUA: &str = "in postern.lua, as postern print-config haproxy writes it";
    const SENT: &str = "local SENT = { \"accept\", \"authorization\", \"cookie\", \"sec-fetch-mode\", \"x-requested-with\" }";
    const RECEIVED: &str = "local RECEIVED = { \"remote-user\", \"remote-groups\", \"remote-email\", \"remote-name\", \"cookie\", \"authorization\" }";
    match mistake {
        ProxyMistake::NoCheck | ProxyMistake::CachedCheck | ProxyMistake::ProofNotRemoved => {
            at(BACKEND, "http-request lua.postern_check")
        }
        ProxyMistake::NoRedirect | ProxyMistake::HeadersNotSent | ProxyMistake::CookieNotSent => {
            at(LUA, SENT)
        }
        ProxyMistake::OpenWithoutGate => at(LUA, "reply(txn, 503, FAILED, {})"),
        ProxyMistake::NoChallenge => at(
            LUA,
            "reply(txn, 401, \"\", { [\"www-authenticate\"] = values(response.headers, \"www-authenticate\") })",
        ),
        ProxyMistake::OriginalFromClient => at(LUA, "[\"x-forwarded-uri\"] = { txn.f:pathq() },"),
        ProxyMistake::AddressFromClient => at(LUA, "[\"x-forwarded-for\"] = { txn.f:src() },"),
        ProxyMistake::IdentityNotCopied(_) | ProxyMistake::CookieNotCopied => at(LUA, RECEIVED),
        ProxyMistake::AliasWithUnderscore | ProxyMistake::AliasWithDot => {
            at(FRONTEND, "http-request del-header ^remote -m reg")
        }
        ProxyMistake::ClientHeaderPasses("Forwarded") => {
            at(FRONTEND, "http-request del-header ^forwarded$ -m reg")
        }
        ProxyMistake::ClientHeaderPasses(_)
        | ProxyMistake::ClientAliasWithUnderscore
        | ProxyMistake::ClientAliasWithDot => at(
            FRONTEND,
            "http-request del-header ^x[-_.](forwarded|original|real|rewrite|postern) -m reg",
        ),
        ProxyMistake::ConnectionRemoves => at(
            FRONTEND,
            "http-request deny deny_status 400 if { req.hdr(connection) -m reg -i remote|cookie|authorization|postern|forwarded|x- }",
        ),
        ProxyMistake::SmallBuffers => at("in global", "tune.bufsize 65536"),
        ProxyMistake::PlainHttp => at(
            "in frontend http",
            "http-request redirect scheme https code 301",
        ),
        ProxyMistake::NoHttp2 => at("in each bind of frontend https", "alpn h2,http/1.1"),
        ProxyMistake::Certificate => at(
            "in each bind of frontend https",
            "crt /etc/ssl/private/@APP_HOST@.crt",
        ),
        ProxyMistake::CheckIsPublic => at(
            "in backend postern_gate",
            "http-request deny deny_status 404 if { path_beg /check/ }",
        ),
        ProxyMistake::NoKeepAlive => None,
    }
}

fn envoy(mistake: ProxyMistake) -> Line {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::url::identity::{CLIENT_HEADERS, IDENTITY};
    use std::path::Path;

    /// Returns the samples of a proxy, all files as one text.
    fn samples(proxy: ProxyKind) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
        let files = std::fs::read_dir(folder.join(proxy.name())).unwrap();
        let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Lines to change differed from the samples after a sample had changed.
    #[test]
    fn each_line_to_change_stands_in_the_sample() {
        let mut mistakes = vec![
            ProxyMistake::NoCheck,
            ProxyMistake::CachedCheck,
            ProxyMistake::NoRedirect,
            ProxyMistake::HeadersNotSent,
            ProxyMistake::NoChallenge,
            ProxyMistake::CookieNotSent,
            ProxyMistake::OriginalFromClient,
            ProxyMistake::AddressFromClient,
            ProxyMistake::AliasWithUnderscore,
            ProxyMistake::AliasWithDot,
            ProxyMistake::ClientAliasWithUnderscore,
            ProxyMistake::ClientAliasWithDot,
            ProxyMistake::CookieNotCopied,
            ProxyMistake::ProofNotRemoved,
            ProxyMistake::ConnectionRemoves,
            ProxyMistake::SmallBuffers,
            ProxyMistake::PlainHttp,
            ProxyMistake::NoHttp2,
            ProxyMistake::Certificate,
            ProxyMistake::CheckIsPublic,
            ProxyMistake::NoKeepAlive,
            ProxyMistake::OpenWithoutGate,
        ];
        mistakes.extend(IDENTITY.map(ProxyMistake::IdentityNotCopied));
        mistakes.extend(CLIENT_HEADERS.map(ProxyMistake::ClientHeaderPasses));
        for proxy in ProxyKind::ALL {
            if proxy.is_for_authelia() {
                continue;
            }
            let samples = samples(proxy);
            for mistake in &mistakes {
                let Some((_, line)) = line_to_change(*mistake, proxy) else {
                    continue;
                };
                assert!(
                    samples.contains(&line),
                    "{mistake:?}: the samples of {} have no {line}",
                    proxy.name()
                );
            }
        }
    }
}
