//! Configurations that were written for Authelia, in which only its address is changed: those of
//! its manual for nginx, Traefik, Caddy and Envoy, and SWAG's for nginx.
//!
//! Nothing but its address proves such a proxy, so the gate listens on an address that is not the
//! loopback.

use std::process::Command;
use testhost::{
    Host, Person, Phone, Proxy, Web, WebClient, assert_contains, assert_lacks, finished,
    reconfigure,
};

/// Address of the gate, in place of `authelia` in the configurations, and of the proxies.
const GATE: &str = "198.51.100.10";
/// Address of the browsers, which is no proxy's: Envoy does not tell an address of its own host from
/// its own.
const BROWSER: &str = "198.51.100.20";
const APP: &str = "https://app.example.test";
const SIGN_IN: &str = "https://auth.example.test/sign-in?rd=https%3A%2F%2F";

/// Starts gate, application and a proxy with a configuration for Authelia.
#[track_caller]
fn start(host: &Host, proxy: Proxy, contract: &str, text: &str) -> Web {
    for address in [GATE, BROWSER].map(|address| format!("{address}/32")) {
        finished(Command::new("ip").args(["address", "replace", &address, "dev", "lo"]));
    }
    let settings = format!(
        "[gate]\nurl = \"https://auth.example.test/\"\ncookie_domain = \"example.test\"\nlisten = [\"tcp:{GATE}:9091\"]\n\
         [[gate.trusted_proxies]]\nproxy = \"{contract}\"\nfrom = [\"{GATE}\"]\n\
         [[gate.rule]]\npaths = [\"/denied/\"]\nthen = \"deny\"\n\
         [[gate.rule]]\nhosts = [\"public.example.test\"]\nthen = \"open\"\n"
    );
    let text = text.replace("GATE", GATE);
    let pages = "https://auth.example.test/".to_owned();
    Web::start_with(host, proxy, &settings, pages, || text)
}

/// A browser that reaches every host at the port of the test host's proxy.
fn browser() -> WebClient {
    reaches_the_proxy(&WebClient::new())
}

fn reaches_the_proxy(client: &WebClient) -> WebClient {
    let to = format!("::{GATE}:8443");
    let client = client.option("--connect-to").option(&to);
    client.from(BROWSER)
}

#[track_caller]
fn signs_in(host: &Host, web: &Web) -> (WebClient, Person, Phone) {
    let (alice, phone) = host.web_user("alice");
    let client = browser();
    client.signs_in(web, &alice, &phone.code());
    (client, alice, phone)
}

/// Denies strangers, lets alice in, and names her to the application whatever she sends.
#[track_caller]
fn assert_protects(host: &Host, web: &mut Web, app: &str, data: u16) {
    let stranger = browser();
    let host_name = app.trim_start_matches("https://");
    for forged in [
        "X-A: a",
        "Remote-User: root",
        "X-Original-URL: https://public.example.test/",
        "X-Forwarded-Host: public.example.test",
        "X-Forwarded-Uri: /other",
        "X-Forwarded-Method: OPTIONS",
        "X-Forwarded-For: 192.0.2.9, junk",
        "X-Postern-Proxy: guess",
    ] {
        let reply = stranger.with(forged).loads(&format!("{app}/notes?a=1&b=2"));
        let asked = format!("{SIGN_IN}{host_name}%2Fnotes%3Fa%3D1%26b%3D2");
        assert_eq!(
            (reply.status, reply.header("location")),
            (302, asked.as_str()),
            "{forged} {reply:?}"
        );
        let reply = stranger.with(forged).fetches(&format!("{app}/data"));
        assert_eq!(reply.status, data, "{forged} {reply:?}");
        assert!(reply.all("location").is_empty(), "{reply:?}");
    }
    web.application.got_nothing();

    let (client, alice, _) = signs_in(host, web);
    for forged in [
        "X-A: a",
        "Remote-User: root",
        "Remote-Groups: wheel",
        "Remote-Email: root@example.test",
        "Remote-Name: Root",
        "X-Forwarded-Uri: /denied/",
    ] {
        let reply = client.with(forged).loads(&format!("{app}/notes"));
        assert_eq!(reply.status, 200, "{forged} {reply:?}");
        let got = web.application.got();
        assert_eq!(got.value("Remote-User"), alice.name, "{forged} {got:?}");
        for name in ["Remote-Groups", "Remote-Email", "Remote-Name"] {
            assert_eq!(got.value(name), "", "{forged} {got:?}");
        }
        // What postern-gate(8) says of these configurations.
        assert_contains(got.value("Cookie"), "__Secure-postern=");
    }
    assert_eq!(client.loads(&format!("{app}/denied/")).status, 403);
    let upload = client.option("-X").option("PUT").option("-d").option("x");
    assert_eq!(upload.fetches(&format!("{app}/notes")).status, 200);
    assert_eq!(web.application.got().request, "PUT /notes");

    let gone = reaches_the_proxy(&client.copy_of_cookies());
    client.sends("https://auth.example.test/sign-out", &[]);
    assert_eq!(gone.loads(&format!("{app}/notes")).status, 302);
    web.gate.stop();
    assert!(gone.loads(&format!("{app}/notes")).status >= 403);
    web.application.got_nothing();
    web.gate.restart();
}

/// A peer whose address is not listed, and every contract that is not configured, is refused.
#[track_caller]
fn assert_off_unless_configured(web: &mut Web, contract: &str, app: &str) {
    reconfigure(&format!("from = [\"{GATE}\"]"), "from = [\"192.0.2.66\"]");
    web.gate.restart();
    assert!(browser().loads(&format!("{app}/")).status >= 400);
    web.gate
        .says("is not listed in from of gate.trusted_proxies");
    reconfigure("from = [\"192.0.2.66\"]", &format!("from = [\"{GATE}\"]"));
    reconfigure(&format!("proxy = \"{contract}\""), "proxy = \"haproxy\"");
    web.gate.restart();
    assert!(browser().loads(&format!("{app}/")).status >= 400);
    web.gate.says("uses the check endpoint of another proxy");
    web.application.got_nothing();
    assert_lacks(web.gate.log(), "panicked");
}

const NGINX_HTTP: &str = "
map $http_upgrade $connection_upgrade {
    default upgrade;
    '' close;
}
";

/// The files of SWAG: proxy.conf, authelia-server.conf, authelia-location.conf. Left out are
/// resolver.conf, as the address is a number, and set_escape_uri, of a module that Debian's nginx
/// lacks, whose variable they do not use.
const SWAG_PROXY: &str = "
    proxy_next_upstream error timeout invalid_header http_500 http_502 http_503;
    proxy_buffers 32 4k;
    proxy_connect_timeout 240;
    proxy_headers_hash_bucket_size 128;
    proxy_headers_hash_max_size 1024;
    proxy_http_version 1.1;
    proxy_read_timeout 240;
    proxy_redirect http:// $scheme://;
    proxy_send_timeout 240;
    proxy_cache_bypass $cookie_session;
    proxy_no_cache $cookie_session;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Early-Data $ssl_early_data;
    proxy_set_header Host $host;
    proxy_set_header Proxy '';
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Host $host:$server_port;
    proxy_set_header X-Forwarded-Method $request_method;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Server $host;
    proxy_set_header X-Forwarded-Ssl on;
    proxy_set_header X-Forwarded-Uri $request_uri;
    proxy_set_header X-Original-Method $request_method;
    proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
    proxy_set_header X-Real-IP $remote_addr;
";
const SWAG_SERVER: &str = "
    location = /authelia/api/authz/auth-request {
        internal;
        PROXY
        set $upstream_authelia GATE;
        proxy_pass http://$upstream_authelia:9091/api/authz/auth-request;
        auth_request_set $set_cookie $upstream_http_set_cookie;
        add_header Set-Cookie $set_cookie;
        proxy_pass_request_body off;
        proxy_set_header Content-Length '';
    }
    location @authelia_proxy_signin {
        internal;
        auth_request_set $set_cookie $upstream_http_set_cookie;
        add_header Set-Cookie $set_cookie;
        auth_request_set $signin_url $upstream_http_location;
        return 302 $signin_url;
    }
";
const SWAG_LOCATION: &str = "
        auth_request /authelia/api/authz/auth-request;
        error_page 401 = @authelia_proxy_signin;
        auth_request_set $email $upstream_http_remote_email;
        auth_request_set $groups $upstream_http_remote_groups;
        auth_request_set $name $upstream_http_remote_name;
        auth_request_set $user $upstream_http_remote_user;
        proxy_set_header Remote-Email $email;
        proxy_set_header Remote-Groups $groups;
        proxy_set_header Remote-Name $name;
        proxy_set_header Remote-User $user;
        auth_request_set $set_cookie $upstream_http_set_cookie;
        auth_request_set $signin_url $upstream_http_location;
";

/// The files of Authelia's manual: proxy.conf, authelia-location.conf, authelia-authrequest.conf.
const MANUAL_PROXY: &str = "
    proxy_set_header Host $host;
    proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-URI $request_uri;
    proxy_set_header X-Forwarded-Ssl on;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Real-IP $remote_addr;
    client_body_buffer_size 128k;
    proxy_http_version 1.1;
    proxy_buffers 64 256k;
    real_ip_header X-Forwarded-For;
    real_ip_recursive on;
";
const MANUAL_SERVER: &str = "
    set $upstream_authelia http://GATE:9091/api/authz/auth-request;
    location /internal/authelia/authz {
        internal;
        proxy_pass $upstream_authelia;
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header Content-Length '';
        proxy_set_header Connection '';
        proxy_pass_request_body off;
        proxy_next_upstream error timeout invalid_header http_500 http_502 http_503;
        proxy_redirect http:// $scheme://;
        proxy_http_version 1.1;
        proxy_buffers 4 32k;
        client_body_buffer_size 128k;
        send_timeout 5m;
        proxy_read_timeout 240;
        proxy_send_timeout 240;
        proxy_connect_timeout 240;
    }
";
const MANUAL_LOCATION: &str = "
        auth_request /internal/authelia/authz;
        auth_request_set $user $upstream_http_remote_user;
        auth_request_set $groups $upstream_http_remote_groups;
        auth_request_set $name $upstream_http_remote_name;
        auth_request_set $email $upstream_http_remote_email;
        proxy_set_header Remote-User $user;
        proxy_set_header Remote-Groups $groups;
        proxy_set_header Remote-Email $email;
        proxy_set_header Remote-Name $name;
        auth_request_set $redirection_url $upstream_http_location;
        error_page 401 =302 $redirection_url;
";

fn nginx_server(name: &str, lines: &str) -> String {
    format!(
        "server {{\n    listen 443 ssl http2;\n    server_name {name}.*;\n    ssl_certificate /etc/ssl/private/{name}.example.test.crt;\n    \
         ssl_certificate_key /etc/ssl/private/{name}.example.test.key;\n{lines}\n}}\n"
    )
}

/// Returns servers for the portal, and for an application at `app` and at `other`.
fn nginx(proxy: &str, server: &str, location: &str) -> String {
    let application = format!(
        "{server}\n    location / {{\n{proxy}{location}\n        proxy_pass http://127.0.0.1:8080;\n    }}\n"
    );
    let portal =
        format!("    location / {{\n{proxy}        proxy_pass http://GATE:9091;\n    }}\n");
    NGINX_HTTP.to_owned()
        + &nginx_server("auth", &portal)
        + &nginx_server("app", &application.replace("PROXY", proxy))
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn nginx_with_the_files_of_swag_and_of_the_manual() {
    const CONTRACT: &str = "authelia-auth-request";
    for text in [
        nginx(SWAG_PROXY, SWAG_SERVER, SWAG_LOCATION),
        nginx(MANUAL_PROXY, MANUAL_SERVER, MANUAL_LOCATION),
    ] {
        let host = Host::fresh();
        let mut web = start(&host, Proxy::Nginx, CONTRACT, &text);
        assert_protects(&host, &mut web, APP, 403);
        // Names that an application takes for Remote-User.
        let bob = host.web_user("bob");
        let client = browser();
        client.signs_in(&web, &bob.0, &bob.1.code());
        client.with("Remote_User: root").loads(&format!("{APP}/"));
        assert_eq!(web.application.got().values("Remote-User"), ["bob"]);

        // What postern-gate(8) says of $http_host: a client chooses the rule.
        let forged = "GET https://app.example.test/ HTTP/1.1\r\nHost: public.example.test\r\nConnection: close\r\n\r\n";
        let output = browser().sends_raw("127.0.0.1", forged, "</h1>");
        assert!(output.starts_with("HTTP/1.1 200 "), "{output}");
        web.application.got();
        web.change_nginx(|text| {
            let original = "X-Original-URL $scheme://$http_host$request_uri";
            text.replace(original, &original.replace("$http_host", "$host"))
        });
        let output = browser().sends_raw("127.0.0.1", forged, "</h1>");
        assert!(!output.starts_with("HTTP/1.1 200 "), "{output}");
        web.application.got_nothing();
        assert_off_unless_configured(&mut web, CONTRACT, APP);
    }
}

/// The lines that Authelia's manual has for Traefik, without its labels.
const TRAEFIK: &str = "
# Traefik's static configuration needs:
#     entryPoints:
#       websecure:
#         address: \":443\"
#         http:
#           tls: {}
#     providers:
#       file:
#         directory: /etc/traefik/dynamic
http:
  routers:
    authelia:
      rule: Host(`auth.example.test`)
      entryPoints: [websecure]
      service: authelia
    application:
      rule: Host(`app.example.test`)
      entryPoints: [websecure]
      middlewares: [authelia]
      service: application
  middlewares:
    authelia:
      forwardAuth:
        address: http://GATE:9091/api/authz/forward-auth
        trustForwardHeader: true
        authResponseHeaders: [Remote-User, Remote-Groups, Remote-Email, Remote-Name]
  services:
    authelia:
      loadBalancer:
        servers: [{url: 'http://GATE:9091'}]
    application:
      loadBalancer:
        servers: [{url: 'http://127.0.0.1:8080'}]
";

const CADDY: &str = "{
\tadmin off
}

auth.example.test {
\ttls /etc/ssl/private/auth.example.test.crt /etc/ssl/private/auth.example.test.key
\treverse_proxy GATE:9091
}

app.example.test {
\ttls /etc/ssl/private/app.example.test.crt /etc/ssl/private/app.example.test.key
\tforward_auth GATE:9091 {
\t\turi /api/authz/forward-auth
\t\tcopy_headers Remote-User Remote-Groups Remote-Email Remote-Name
\t}
\treverse_proxy 127.0.0.1:8080
}
";

#[test]
#[ignore = "needs the test host: tests/run"]
fn traefik_and_caddy_with_the_lines_of_the_manual() {
    const CONTRACT: &str = "authelia-forward-auth";
    for (proxy, text) in [
        (Proxy::Traefik, TRAEFIK),
        (Proxy::Caddy, CADDY),
        (Proxy::NewerCaddy, CADDY),
    ] {
        let host = Host::fresh();
        let mut web = start(&host, proxy, CONTRACT, text);
        assert_protects(&host, &mut web, APP, 401);
        assert_off_unless_configured(&mut web, CONTRACT, APP);
    }
}

/// The file that Authelia's manual has for Envoy, with the lower-case names of Authelia's own tests:
/// Envoy compares them as they are, so that no cookie arrives with those of the manual.
const ENVOY: &str = r#"
static_resources:
  listeners:
    - name: listener_https
      address: { socket_address: { address: 0.0.0.0, port_value: 443 } }
      filter_chains:
        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                tls_certificates:
                  - certificate_chain: { filename: /etc/ssl/private/app.example.test.crt }
                    private_key: { filename: /etc/ssl/private/app.example.test.key }
          filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ingress_http
                use_remote_address: true
                skip_xff_append: false
                route_config:
                  name: local_route
                  virtual_hosts:
                    - name: application
                      domains: [app.example.test]
                      routes: [{ match: { prefix: / }, route: { cluster: application } }]
                    - name: authelia_service
                      domains: [auth.example.test]
                      typed_per_filter_config:
                        envoy.filters.http.ext_authz:
                          "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                          disabled: true
                      routes: [{ match: { prefix: / }, route: { cluster: authelia } }]
                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      transport_api_version: v3
                      allowed_headers:
                        patterns:
                          - exact: authorization
                          - exact: proxy-authorization
                          - exact: accept
                          - exact: cookie
                      http_service:
                        path_prefix: /api/authz/ext-authz/
                        server_uri: { uri: 'GATE:9091', cluster: authelia, timeout: 0.25s }
                        authorization_request:
                          headers_to_add:
                            - { key: X-Forwarded-Proto, value: '%REQ(:SCHEME)%' }
                        authorization_response:
                          allowed_upstream_headers: { patterns: [{ prefix: remote- }, { prefix: authelia- }] }
                          allowed_client_headers: { patterns: [{ exact: set-cookie }] }
                          allowed_client_headers_on_success: { patterns: [{ exact: set-cookie }] }
                      failure_mode_allow: false
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
    - name: application
      connect_timeout: 0.25s
      load_assignment:
        cluster_name: application
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 8080 } } } }] }]
    - name: authelia
      connect_timeout: 0.25s
      load_assignment:
        cluster_name: authelia
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: GATE, port_value: 9091 } } } }] }]
"#;

/// The one line that the gate needs in addition: Authelia takes the proxy's own address instead.
const CLIENT_ADDRESS: &str = "- exact: cookie\n                          - exact: x-forwarded-for";

#[test]
#[ignore = "needs the test host: tests/run"]
fn envoy_with_the_file_of_the_manual_and_one_more_line() {
    const CONTRACT: &str = "authelia-ext-authz";
    {
        let host = Host::fresh();
        let web = start(&host, Proxy::Envoy, CONTRACT, ENVOY);
        assert!(browser().loads(&format!("{APP}/")).status >= 400);
        web.gate.says("sent x-forwarded-for missing");
        web.application.got_nothing();
    }

    let host = Host::fresh();
    let text = ENVOY.replacen("- exact: cookie", CLIENT_ADDRESS, 1);
    let mut web = start(&host, Proxy::Envoy, CONTRACT, &text);
    assert_protects(&host, &mut web, APP, 401);
    assert_off_unless_configured(&mut web, CONTRACT, APP);
}
