//! The mistakes that administrators make in the samples, by proxy: the line as it is printed, what
//! it became, what the check must find, and the line that it must advise.

use super::Mistake;

const HEADERS: &str = "/etc/nginx/postern-headers.conf";
const LUA: &str = "/etc/haproxy/postern.lua";

const OPEN: &str = "opens without a session";
const SESSION_COOKIE: &str = "the application receives the session cookie";
const SECRET: &str = "the application receives the secret";
const CLAIMS: &str = "the application receives what a client claims in";
const NO_HTTP2: &str = "does not offer HTTP/2";
const PUBLIC_CHECK: &str = "clients can send checks";
const SCRIPT: &str = "a request of a script";

/// A text of the printed sample is another one.
fn mistake(
    from: &'static str,
    to: &'static str,
    what: &'static str,
    line: &'static str,
) -> Mistake {
    Mistake {
        file: None,
        changes: vec![(from, to)],
        what,
        line,
    }
}

/// A text is missing.
fn missing(text: &'static str, what: &'static str, line: &'static str) -> Mistake {
    mistake(text, "", what, line)
}

/// Mistakes in who is asked, and in what a session shows.
pub(super) fn nginx() -> Vec<Mistake> {
    const CHECK: &str = "    auth_request /postern-check;\n";
    const FORGED: &str = "    if ($postern_forged) {\n        return 400;\n    }\n";
    const GATE_PAGES: &str = "        proxy_set_header X-Postern-Proxy $postern_proof;\n        proxy_set_header X-Real-IP $remote_addr;\n        client_max_body_size 16k;";
    const APP_SERVER: &str = "ssl_certificate /etc/ssl/private/app.example.test.crt;";
    vec![
        missing(CHECK, OPEN, "auth_request /postern-check;"),
        mistake(
            CHECK,
            "    auth_request /postern-check;\n    satisfy any;\n    allow all;\n",
            OPEN,
            "auth_request /postern-check;",
        ),
        mistake(
            "    location = /postern-check {",
            "    location ~ \\.css$ {\n        auth_request off;\n        include /etc/nginx/postern-headers.conf;\n        proxy_pass http://127.0.0.1:8080;\n    }\n    location = /postern-check {",
            "these pass without a session: /style.css",
            "auth_request /postern-check;",
        ),
        mistake(
            "underscores_in_headers off;",
            "underscores_in_headers on;",
            "X_Forwarded_For of a client passes",
            "underscores_in_headers off;",
        ),
        mistake(
            "underscores_in_headers off;",
            "underscores_in_headers on;",
            "Remote_User of a client passes",
            "underscores_in_headers off;",
        )
        .and(FORGED, ""),
        mistake(
            "ignore_invalid_headers on;",
            "ignore_invalid_headers off;",
            "Remote.User of a client passes",
            "ignore_invalid_headers on;",
        ),
        mistake(
            "proxy_set_header Cookie $postern_cookie;",
            "proxy_set_header Cookie $http_cookie;",
            SESSION_COOKIE,
            "proxy_set_header Cookie $postern_cookie;",
        )
        .in_file(HEADERS),
        missing(
            "proxy_set_header Remote-User $postern_user;\n",
            "the application receives no Remote-User",
            "proxy_set_header Remote-User $postern_user;",
        )
        .in_file(HEADERS),
        missing(
            "proxy_set_header X-Forwarded-User \"\";\n",
            CLAIMS,
            "proxy_set_header X-Forwarded-User \"\";",
        )
        .in_file(HEADERS),
        mistake(
            "X-Original-URL https://$host$postern_port",
            "X-Original-URL https://$original_host$postern_port",
            "the gate trusts a client that sends X-Forwarded-Host",
            "proxy_set_header X-Original-URL https://$host$postern_port$request_uri;",
        )
        .and(
            "# For websockets.",
            "map $http_x_forwarded_host $original_host {\n    default $http_x_forwarded_host;\n    \"\" $host;\n}\n",
        ),
        mistake(
            "underscores_in_headers off;",
            "underscores_in_headers off;\nset_real_ip_from 0.0.0.0/0;\nreal_ip_header X-Forwarded-For;",
            "the gate trusts the address that a client claims",
            "proxy_set_header X-Real-IP $remote_addr;",
        ),
        missing(
            "        proxy_buffer_size 64k;\n        proxy_buffers 4 64k;\n        proxy_busy_buffers_size 64k;\n",
            "cookies of 21 kB lead to 500",
            "proxy_buffer_size 64k;",
        ),
        missing(
            "    keepalive 16;\n",
            "opens a connection to the gate for each request",
            "keepalive 16;",
        ),
        missing(
            "    error_page 401 = @postern_sign_in;\n",
            "does not lead to the sign-in page",
            "error_page 401 = @postern_sign_in;",
        ),
        mistake(
            "        proxy_pass http://postern_gate/check/nginx;",
            "        proxy_cache postern;\n        proxy_cache_key $host$request_uri;\n        proxy_cache_valid 200 5m;\n        proxy_ignore_headers Cache-Control;\n        proxy_pass http://postern_gate/check/nginx;",
            "the proxy keeps replies of the gate",
            "proxy_pass http://postern_gate/check/nginx;",
        )
        .and(
            "# For websockets.",
            "proxy_cache_path /var/lib/nginx/check keys_zone=postern:1m;\n",
        ),
        mistake(
            "return 301 https://$host$request_uri;",
            "return 200 welcome;",
            "answers 200 over plain HTTP",
            "return 301 https://$host$request_uri;",
        ),
        mistake("443 ssl http2;", "443 ssl;", NO_HTTP2, "listen 443 ssl http2;"),
        mistake(
            APP_SERVER,
            "ssl_certificate /etc/ssl/private/other.example.test.crt;",
            "browsers do not accept that of app.example.test: it is for another host",
            APP_SERVER,
        )
        .and("private/app.example.test.key", "private/other.example.test.key"),
        mistake(
            APP_SERVER,
            "ssl_certificate /etc/ssl/private/ending.crt;",
            "that of app.example.test expires within 7 days",
            APP_SERVER,
        )
        .and("private/app.example.test.key", "private/ending.key"),
        mistake(
            APP_SERVER,
            "ssl_certificate /etc/ssl/private/expired.crt;",
            "browsers do not accept that of app.example.test: it has expired",
            APP_SERVER,
        )
        .and("private/app.example.test.key", "private/expired.key"),
        mistake(
            GATE_PAGES,
            "        proxy_cookie_flags ~ nosecure;\n        proxy_set_header X-Postern-Proxy $postern_proof;\n        proxy_set_header X-Real-IP $remote_addr;\n        client_max_body_size 16k;",
            "arrives without secure",
            "must not change Set-Cookie",
        ),
        mistake(
            GATE_PAGES,
            "        proxy_hide_header Content-Security-Policy;\n        proxy_set_header X-Postern-Proxy $postern_proof;\n        proxy_set_header X-Real-IP $remote_addr;\n        client_max_body_size 16k;",
            "may be framed by other sites",
            "pass on the headers of the gate",
        ),
        missing(
            "    location /check/ {\n        return 404;\n    }\n",
            PUBLIC_CHECK,
            "location /check/ {",
        ),
        mistake(
            "    location /check/ {",
            "    location = /metrics {\n        proxy_pass http://127.0.0.1:9118;\n    }\n    location /check/ {",
            "everyone can read the gate's metrics",
            "gate.operations",
        ),
    ]
}

pub(super) fn traefik() -> Vec<Mistake> {
    const RECEIVED: &str = "authResponseHeaders: [Remote-User, Remote-Groups, Remote-Email, Remote-Name, Cookie, Authorization, X-Postern-Proxy]";
    vec![
        mistake(
            "middlewares: [postern-clean, postern-proof, postern-check]",
            "middlewares: [postern-clean, postern-proof]",
            OPEN,
            "middlewares: [postern-clean, postern-proof, postern-check]",
        ),
        mistake(
            "\n  middlewares:\n",
            "\n    further:\n      rule: \"Host(`app.example.test`) && PathPrefix(`/api`)\"\n      entryPoints: [websecure]\n      service: application\n  middlewares:\n",
            "these pass without a session: /api/x",
            "middlewares: [postern-clean, postern-proof, postern-check]",
        ),
        missing(
            "#           aliasHeadersStrategy: delete\n",
            "Remote_User of a client passes",
            "aliasHeadersStrategy: delete",
        ),
        mistake("Remote-Name, Cookie, Auth", "Remote-Name, Auth", SESSION_COOKIE, RECEIVED),
        mistake("Authorization, X-Postern-Proxy]\n\n", "Authorization]\n\n", SECRET, RECEIVED),
        mistake(
            "Cookie, Sec-Fetch-Mode, X-Requested-With",
            "Cookie, X-Requested-With",
            SCRIPT,
            "authRequestHeaders: [Accept, Authorization, Cookie, Sec-Fetch-Mode,",
        ),
        missing(
            "          X-Forwarded-User: \"\"\n",
            CLAIMS,
            "X-Forwarded-User: \"\"",
        ),
        mistake(
            "trustForwardHeader: false",
            "trustForwardHeader: true",
            "the gate trusts a client that sends X-Forwarded-Host",
            "trustForwardHeader: false",
        )
        .and(
            "#         address: \":443\"\n",
            "#         address: \":443\"\n#         forwardedHeaders:\n#           insecure: true\n",
        ),
        missing(
            "#         http:\n#           redirections:\n#             entryPoint:\n#               to: websecure\n",
            "does not redirect to HTTPS",
            "to: websecure",
        ),
    ]
}

pub(super) fn caddy() -> Vec<Mistake> {
    vec![
        mistake(
            "\t\timport postern_check\n\t\treverse_proxy 127.0.0.1:8080\n",
            "\t\treverse_proxy 127.0.0.1:8080\n\t\timport postern_check\n",
            OPEN,
            "import postern_check",
        ),
        missing(
            "\trespond @postern_drops 400\n",
            "a client removes the identity",
            "respond @postern_drops 400",
        ),
        missing(
            "\trequest_header -Remote*\n",
            "Remote_User of a client passes",
            "request_header -Remote*",
        ),
        mistake(
            "Remote-Name Cookie Authorization",
            "Remote-Name Authorization",
            SESSION_COOKIE,
            "copy_headers Remote-User Remote-Groups Remote-Email Remote-Name Cookie Authorization",
        ),
        missing(
            "\trequest_header -X-Forwarded-*\n",
            CLAIMS,
            "request_header -X-Forwarded-*",
        ),
        missing(
            "\t\trespond /check/* 404\n",
            PUBLIC_CHECK,
            "respond /check/* 404",
        ),
        mistake(
            "\tadmin unix",
            "\tservers {\n\t\tprotocols h1\n\t}\n\tadmin unix",
            NO_HTTP2,
            "postern print-config caddy",
        ),
        mistake(
            "# Removes what a client",
            "http://app.example.test {\n\trespond welcome\n}\n# Removes what a client",
            "answers 200 over plain HTTP",
            "app.example.test {",
        ),
    ]
}

pub(super) fn haproxy() -> Vec<Mistake> {
    vec![
        missing(
            "    http-request lua.postern_check\n",
            OPEN,
            "http-request lua.postern_check",
        ),
        missing(
            "    http-request del-header ^remote -m reg\n",
            "Remote_User of a client passes",
            "http-request del-header ^remote -m reg",
        ),
        missing(
            "    http-request del-header ^x[-_.](forwarded|original|real|rewrite|postern) -m reg\n",
            CLAIMS,
            "http-request del-header ^x[-_.](forwarded|original|real|rewrite|postern) -m reg",
        ),
        mistake(
            "\"remote-name\", \"cookie\", \"auth",
            "\"remote-name\", \"auth",
            SESSION_COOKIE,
            "local RECEIVED = { \"remote-user\",",
        )
        .in_file(LUA),
        mistake(
            "\"sec-fetch-mode\", \"x-requested-with\"",
            "\"x-requested-with\"",
            SCRIPT,
            "local SENT = { \"accept\",",
        )
        .in_file(LUA),
        mistake(
            "alpn h2,http/1.1",
            "alpn http/1.1",
            NO_HTTP2,
            "alpn h2,http/1.1",
        ),
        missing(
            "    tune.bufsize 65536\n",
            "cookies of 21 kB lead to",
            "tune.bufsize 65536",
        ),
        missing(
            "    http-request deny deny_status 404 if { path_beg /check/ }\n",
            PUBLIC_CHECK,
            "http-request deny deny_status 404 if { path_beg /check/ }",
        ),
        missing(
            "    http-request redirect scheme https code 301\n",
            "does not redirect to HTTPS",
            "http-request redirect scheme https code 301",
        ),
    ]
}

pub(super) fn envoy() -> Vec<Mistake> {
    const REMOTE: &str =
        "- remove_on_match: { key_matcher: { prefix: remote, ignore_case: true } }";
    vec![
        mistake(
            "route: { cluster: application, timeout: 0s }",
            "route: { cluster: application, timeout: 0s }\n                          typed_per_filter_config:\n                            envoy.filters.http.ext_authz:\n                              \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n                              disabled: true",
            OPEN,
            "- name: envoy.filters.http.ext_authz",
        ),
        mistake(
            REMOTE,
            "- remove: remote-user",
            "Remote.User of a client passes",
            REMOTE,
        ),
        missing(
            "                              - exact: remote-name\n                              - exact: cookie\n",
            SESSION_COOKIE,
            "- exact: cookie",
        ),
        missing(
            "                          - remove: x-postern-proxy\n",
            SECRET,
            "- remove: x-postern-proxy",
        ),
        missing(
            "                          - exact: sec-fetch-mode\n",
            SCRIPT,
            "- exact: sec-fetch-mode",
        ),
        mistake(
            "alpn_protocols: [h2, http/1.1]",
            "alpn_protocols: [http/1.1]",
            NO_HTTP2,
            "alpn_protocols: [h2, http/1.1]",
        ),
        mistake(
            "- exact: cookie\n                          - exact: sec-fetch-mode",
            "- exact: sec-fetch-mode",
            "the page does not open after the sign-in",
            "- exact: cookie",
        ),
        missing(
            "                        - match: { prefix: /check/ }\n                          direct_response: { status: 404 }\n",
            PUBLIC_CHECK,
            "- match: { prefix: /check/ }",
        ),
        mistake(
            "redirect: { https_redirect: true }",
            "direct_response: { status: 404 }",
            "does not redirect to HTTPS",
            "redirect: { https_redirect: true }",
        ),
    ]
}

pub(super) fn apache() -> Vec<Mistake> {
    const CHECK_FILE: &str = "/etc/apache2/postern-check.conf";
    const HEADER_FILE: &str = "/etc/apache2/postern-headers.conf";
    vec![
        missing(
            "        Include /etc/apache2/postern-check.conf\n",
            OPEN,
            "Include /etc/apache2/postern-check.conf",
        ),
        missing(
            "RequestHeader unset X-Postern-Proxy\n",
            SECRET,
            "RequestHeader unset X-Postern-Proxy",
        )
        .in_file(CHECK_FILE),
        missing(
            "RequestHeader unset X-Forwarded-User early\n",
            CLAIMS,
            "RequestHeader unset X-Forwarded-User early",
        )
        .in_file(HEADER_FILE),
        mistake(
            "Protocols h2 http/1.1",
            "Protocols http/1.1",
            NO_HTTP2,
            "Protocols h2 http/1.1",
        ),
        mistake(
            "Redirect permanent \"/\" \"https://app.example.test",
            "Redirect permanent \"/other\" \"https://app.example.test",
            "does not redirect to HTTPS",
            "Redirect permanent \"/\"",
        ),
    ]
}
