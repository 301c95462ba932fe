//! The lines of nginx's samples.

use super::{Line, ProxyMistake, at};

pub(super) fn line_to_change(mistake: ProxyMistake) -> Line {
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
