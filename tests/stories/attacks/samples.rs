//! Clients and applications behind the samples for nginx, Traefik and sshd.

use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;
use testhost::{
    APP, Host, PROOF, PagesAt, Postern, Proxy, Web, WebClient, assert_contains, assert_lacks,
    finished,
};

const FRONTS: [Proxy; 7] = Proxy::ALL;

/// Starts a gate with a user who is signed in.
#[track_caller]
fn signed_in(host: &Host, proxy: Proxy, pages_at: PagesAt, extra: &str) -> (Web, WebClient) {
    let web = Web::start(host, proxy, pages_at, extra);
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    (web, client)
}

/// Returns a raw request with alice's cookies.
fn request(target: &str, lines: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: app.example.test:8443\r\nCookie: {{cookies}}\r\n{lines}\r\n"
    )
}

/// Locations as administrators copy them from the manuals of applications.
const LOCATIONS: &str = "
    location /bare/ { proxy_pass http://127.0.0.1:8080; }
    location /copied/ {
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_pass http://127.0.0.1:8080;
    }
    location /included/ {
        include /etc/nginx/postern-headers.conf;
        proxy_set_header X-Further further;
        proxy_pass http://127.0.0.1:8080;
    }
    location /tried/ {
        include /etc/nginx/postern-headers.conf;
        try_files /nowhere @copied;
    }
    location @copied {
        proxy_set_header Host $host;
        proxy_pass http://127.0.0.1:8080;
    }
    location /static/ { root /usr/share; }
    location /without-the-gate/ {
        auth_request off;
        proxy_set_header Host $host;
        proxy_pass http://127.0.0.1:8080;
    }
    location = /postern-check {";

/// Only `location /` had the check: a second location was open, with any forged identity. A
/// location with a `proxy_set_header` of its own inherits none of those that remove the client's
/// headers.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_second_location_is_protected_and_hears_of_no_forged_identity() {
    for pages_at in [PagesAt::OwnHost, PagesAt::Path] {
        let host = Host::fresh();
        let (mut web, client) = signed_in(&host, Proxy::Nginx, pages_at, "");
        web.change_nginx(|text| text.replacen("\n    location = /postern-check {", LOCATIONS, 1));
        let attacker = WebClient::new();
        for path in [
            "/",
            "/bare/",
            "/copied/",
            "/included/",
            "/tried/",
            "/static/dict/words",
        ] {
            for client in [&attacker, &attacker.with("Remote-User: root")] {
                let reply = client.loads(&format!("{APP}{path}"));
                assert!([302, 400, 500].contains(&reply.status), "{path} {reply:?}");
            }
            web.application.got_nothing();
        }
        for path in ["/", "/included/"] {
            assert_eq!(client.loads(&format!("{APP}{path}")).status, 200, "{path}");
            let got = web.application.got();
            assert_eq!(
                (got.value("Remote-User"), got.value("Cookie")),
                ("alice", ""),
                "{got:?}"
            );
        }
        for path in ["/bare/", "/copied/", "/tried/", "/static/"] {
            let reply = client.loads(&format!("{APP}{path}"));
            assert_eq!(reply.status, 500, "{path} {reply:?}");
            assert_contains(&reply.body, "include /etc/nginx/postern-headers.conf;");
            web.application.got_nothing();
        }
        // Doubled headers; nginx 1.22 reads an empty first one.
        for path in ["/", "/included/", "/copied/", "/without-the-gate/"] {
            for forged in [
                "Remote-User: root\r\n",
                "remote-groups: wheel\r\n",
                "Remote-Name: Root\r\nRemote-Name: root\r\n",
                "Remote_User: root\r\nRemote.User: root\r\n",
                "Remote-User:\r\nRemote-User: root\r\n",
            ] {
                if path == "/without-the-gate/" && forged.starts_with("Remote-User:\r\n") {
                    // This location is outside of the gate; postern-headers.conf would remove the
                    // header.
                    continue;
                }
                client.sends_raw(
                    "127.0.0.1",
                    &request(path, &format!("{forged}Connection: close\r\n")),
                    "</h1>",
                );
                for got in web.application.arrived() {
                    let user = if path == "/without-the-gate/" {
                        ""
                    } else {
                        "alice"
                    };
                    assert_eq!(got.value("Remote-User"), user, "{path} {forged} {got:?}");
                    assert_eq!(got.value("Remote-Groups"), "", "{path} {forged} {got:?}");
                    assert_eq!(got.value("Remote-Name"), "", "{path} {forged} {got:?}");
                }
            }
        }
        assert_lacks(
            &attacker.loads(&format!("{APP}/postern-check")).body,
            "alice",
        );
    }
}

/// The client's own headers about its address and the original request reached the application.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_a_client_says_of_itself_does_not_go_on() {
    const FORGED: &str = "192.0.2.66";
    for proxy in FRONTS {
        for http in ["--http1.1", "--http2"] {
            let host = Host::fresh();
            let (web, client) = signed_in(&host, proxy, PagesAt::OwnHost, "");
            let mut client = client.option(http);
            for name in [
                "X-Real-IP",
                "X-Forwarded-For",
                "X-Forwarded-Host",
                "X-Forwarded-Port",
                "X-Forwarded-Proto",
                "X-Forwarded-Server",
                "X-Forwarded-Uri",
                "X-Forwarded-Method",
                "X-Forwarded-Prefix",
                "X-Forwarded-User",
                "X-Forwarded-Email",
                "X-Forwarded-Groups",
                "X-Forwarded-Preferred-Username",
                "Forwarded",
                "X-Original-URL",
                "X-Original-URI",
                "X-Original-Method",
                "X-Rewrite-URL",
                "X-Postern-Proxy",
                "X_Real_IP",
                "X.Real.IP",
                "X_Forwarded_For",
            ] {
                client = client.with(&format!("{name}: {FORGED}"));
            }
            let reply = client.loads(&format!("{APP}/"));
            assert_eq!(reply.status, 200, "{proxy:?} {reply:?}");
            let got = web.application.got();
            assert!(
                !format!("{got:?}").contains(FORGED),
                "{proxy:?} {http} {got:#?}"
            );
            assert_eq!(got.value("X-Forwarded-For"), "127.0.0.1", "{got:?}");
            assert_eq!(got.value("X-Forwarded-Proto"), "https", "{got:?}");
            assert_eq!(
                got.value("X-Forwarded-Host"),
                "app.example.test:8443",
                "{got:?}"
            );
            assert_eq!(got.value("Host"), "app.example.test:8443", "{got:?}");
        }
    }
}

/// nginx compares the body with the limit of the check's location too: a POST above 1 MiB was a
/// 500.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_upload_of_200_mb_arrives() {
    const LENGTH: u64 = 200_000_000;
    let upload = "/run/postern-tests/upload";
    fs::File::create(upload)
        .and_then(|file| file.set_len(LENGTH))
        .expect("the tests' folder can be written");
    for (proxy, pages_at) in [
        (Proxy::Nginx, PagesAt::OwnHost),
        (Proxy::Nginx, PagesAt::Path),
        (Proxy::Traefik, PagesAt::Path),
        (Proxy::Caddy, PagesAt::OwnHost),
        (Proxy::NewerCaddy, PagesAt::OwnHost),
        (Proxy::Haproxy, PagesAt::OwnHost),
        (Proxy::Envoy, PagesAt::OwnHost),
        (Proxy::Apache, PagesAt::OwnHost),
    ] {
        let host = Host::fresh();
        let (web, client) = signed_in(&host, proxy, pages_at, "");
        for method in ["PUT", "POST"] {
            let sends = client
                .option("-X")
                .option(method)
                .option("-T")
                .option(upload);
            let reply = sends.fetches(&format!("{APP}/files"));
            assert_eq!(reply.status, 200, "{proxy:?} {method} {reply:?}");
            assert_eq!(web.application.got().length, LENGTH, "{proxy:?} {method}");
        }
        let attacker = WebClient::new().option("-T").option(upload);
        let reply = attacker.fetches(&format!("{APP}/files"));
        assert!(
            [0, 401].contains(&reply.status),
            "refused, or cut off while it sends: {reply:?}"
        );
        web.application.got_nothing();
    }
    fs::remove_file(upload).expect("the tests' folder can be written");
}

/// nginx used HTTP/1.0 to the application and dropped Upgrade.
#[test]
#[ignore = "needs the test host: tests/run"]
fn websockets_and_events_reach_the_application() {
    for (proxy, pages_at) in [
        (Proxy::Nginx, PagesAt::OwnHost),
        (Proxy::Nginx, PagesAt::Path),
        (Proxy::Traefik, PagesAt::OwnHost),
        (Proxy::Caddy, PagesAt::Path),
        (Proxy::NewerCaddy, PagesAt::Path),
        (Proxy::Haproxy, PagesAt::Path),
        (Proxy::Envoy, PagesAt::Path),
        (Proxy::NginxProxyManager, PagesAt::OwnHost),
        (Proxy::TraefikLabels, PagesAt::OwnHost),
        (Proxy::Apache, PagesAt::OwnHost),
        (Proxy::Apache, PagesAt::Path),
    ] {
        let host = Host::fresh();
        let (web, client) = signed_in(&host, proxy, pages_at, "");
        let socket = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let bytes = request("/socket", socket) + "{answer}\u{81}\u{5}hello";
        let output = client.sends_raw("127.0.0.1", &bytes, "hello");
        assert!(
            output.starts_with("HTTP/1.1 101 ") && output.ends_with("hello"),
            "{proxy:?} {output:?}"
        );
        assert_eq!(web.application.got().value("Remote-User"), "alice");
        let output = WebClient::new().sends_raw("127.0.0.1", &bytes, "\r\n\r\n");
        assert!(
            output.starts_with("HTTP/1.1 401 ") || output.starts_with("HTTP/1.1 302 "),
            "{proxy:?} {output:?}"
        );
        web.application.got_nothing();

        // The application sends only one event.
        let output = client.sends_raw(
            "127.0.0.1",
            &request("/events", "Accept: text/event-stream\r\n"),
            "data: one",
        );
        assert!(
            output.contains("text/event-stream") && output.contains("data: one"),
            "{proxy:?} {output:?}"
        );
        web.application.arrived();
    }
}

/// The samples listened on IPv4 alone, and not for plain HTTP.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_samples_serve_ipv6_and_lead_plain_http_to_https() {
    for (proxy, pages_at) in [
        (Proxy::Nginx, PagesAt::OwnHost),
        (Proxy::Nginx, PagesAt::Path),
        (Proxy::Traefik, PagesAt::OwnHost),
        (Proxy::Caddy, PagesAt::Path),
        (Proxy::NewerCaddy, PagesAt::Path),
        (Proxy::Haproxy, PagesAt::Path),
        (Proxy::Envoy, PagesAt::Path),
        (Proxy::Apache, PagesAt::OwnHost),
        (Proxy::Apache, PagesAt::Path),
    ] {
        let host = Host::fresh();
        let (web, client) = signed_in(&host, proxy, pages_at, "");
        let plain = WebClient::new()
            .option("--connect-to")
            .option("::127.0.0.1:8480");
        for page in [
            "http://app.example.test/page?q=1",
            "http://auth.example.test/page?q=1",
        ] {
            if pages_at == PagesAt::Path && page.contains("auth") {
                continue;
            }
            let sent = plain.loads(page);
            assert!([301, 308].contains(&sent.status), "{proxy:?} {sent:?}");
            let location = sent.header("location").replace(":8443", "");
            assert_eq!(location, page.replace("http:", "https:"), "{proxy:?}");
        }
        if fs::read_to_string("/proc/net/if_inet6")
            .is_ok_and(|interfaces| interfaces.contains(" lo"))
        {
            let output = client.sends_raw("::1", &request("/", "Connection: close\r\n"), "</h1>");
            assert!(output.starts_with("HTTP/1.1 200 "), "{proxy:?} {output:?}");
            let got = web.application.got();
            assert_eq!(got.value("X-Forwarded-For"), "::1", "{proxy:?} {got:?}");
        }
    }
}

/// 403, 500 and 502 were nginx's default pages.
#[test]
#[ignore = "needs the test host: tests/run"]
fn nginx_says_what_went_wrong() {
    for pages_at in [PagesAt::OwnHost, PagesAt::Path] {
        let host = Host::fresh();
        let denied = "[[gate.rule]]\npaths = [\"/denied/\"]\nthen = \"deny\"\n";
        let (mut web, client) = signed_in(&host, Proxy::Nginx, pages_at, denied);
        let says = |url: &str, status: u16, words: &str| {
            let reply = client.loads(url);
            assert_eq!(reply.status, status, "{reply:?}");
            assert!(
                reply.header("content-type").starts_with("text/html"),
                "{reply:?}"
            );
            assert_contains(&reply.body, words);
        };
        let denied = format!("{APP}/denied/");
        let sent = client.loads(&denied);
        assert_eq!(sent.status, 403, "{sent:?}");
        says(&sent.leads_to(), 403, "You are signed in as alice");
        assert_eq!(client.fetches(&denied).status, 403);
        web.gate.signal(Signal::SIGSTOP);
        says(
            &format!("{APP}/"),
            500,
            "Your sign-in could not be checked, so access is denied.",
        );
        web.gate.signal(Signal::SIGCONT);
        web.gate.stop();
        says(&format!("{APP}/"), 500, "postern-gate does not answer");
        let pages = web.pages.clone();
        let words = match pages_at {
            PagesAt::OwnHost => "Signing in is not possible at the moment",
            PagesAt::Path => "postern-gate does not answer",
        };
        says(&format!("{pages}sign-in"), 502, words);
        web.gate.restart();
        web.stop_application();
        says(&format!("{APP}/"), 502, "The application does not answer");
    }
}

/// A command of README printed the proxy's secret, and wrote it to a file that everyone could read.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_proxys_secret_is_printed_nowhere_and_readable_by_no_user() {
    let host = Host::fresh();
    host.configure("[gate]\nurl = \"https://auth.example.com/\"\n");
    let secret_of = |text: &str| text.split('"').nth(1).expect("a secret").to_owned();
    finished(Command::new("groupadd").args(["--system", "--force", "traefik"]));
    let traefik = nix::unistd::Group::from_name("traefik")
        .ok()
        .flatten()
        .expect("a group")
        .gid
        .as_raw();
    for (proxy, path, group) in [
        ("nginx", "/etc/nginx/postern-proof.conf", 0),
        ("traefik", "/etc/traefik/dynamic/postern-proof.yml", traefik),
        ("apache", "/etc/apache2/postern-proof.conf", 0),
    ] {
        let folder = path.rsplit_once('/').expect("a path").0;
        fs::create_dir_all(folder).expect("/etc can be written");
        let _ = fs::remove_file(path);
        let output = Postern::call(&format!("print-config {proxy}")).does();
        let secret = fs::read_to_string("/etc/postern/proxy.secret").expect("it was made");
        let written = fs::read_to_string(path).expect("it was written");
        assert_eq!(secret_of(&written), secret.trim());
        assert_lacks(output.all(), secret.trim());
        assert_contains(&output.err, "wrote ");
        assert_contains(&output.err, path);
        for mark in [
            "@GATE_HOST@",
            "@APP_HOST@",
            "@FOLDER@",
            "@PROOF@",
            "@COOKIE_DOMAIN@",
        ] {
            assert!(
                !output.out.contains(mark) && !written.contains(mark),
                "{mark}"
            );
        }
        let metadata = fs::metadata(path).expect("it was written");
        assert_eq!(
            (metadata.mode() & 0o7777, metadata.uid(), metadata.gid()),
            (0o640, 0, group),
            "{proxy}"
        );
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let metadata = entry.metadata().expect("a file");
            let open = metadata.is_file() && metadata.mode() & 0o004 != 0;
            let text =
                fs::read(entry.path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(
                !(open && text.is_ok_and(|text| text.contains(secret.trim()))),
                "{:?}",
                entry.path()
            );
        }

        // The command runs again after a chmod by an administrator and a change of the secret.
        finished(Command::new("chmod").args(["0644", path]));
        fs::write("/etc/postern/proxy.secret", PROOF).expect("/etc can be written");
        Postern::call(&format!("print-config {proxy}")).does();
        assert_eq!(secret_of(&fs::read_to_string(path).expect("a file")), PROOF);
        assert_eq!(fs::metadata(path).expect("a file").mode() & 0o7777, 0o640);

        // The command follows no link, and writes to no folder where others can replace the file.
        fs::remove_file(path).expect("/etc can be written");
        symlink("/etc/postern-elsewhere", path).expect("/etc can be written");
        let output = Postern::call(&format!("print-config {proxy}")).refuses();
        assert!(
            output.err.contains("is a symbolic link") && output.out.is_empty(),
            "{output:?}"
        );
        assert!(!fs::exists("/etc/postern-elsewhere").expect("/etc can be read"));
        fs::remove_file(path).expect("/etc can be written");
        let output = Postern::call(&format!("print-config {proxy} --folder /tmp")).refuses();
        assert!(
            output.err.contains("too open") && output.out.is_empty(),
            "{output:?}"
        );
        let output =
            Postern::call(&format!("print-config {proxy} --folder /etc/nowhere")).refuses();
        assert!(
            output.err.contains("--folder") && output.out.is_empty(),
            "{output:?}"
        );
        fs::remove_file("/etc/postern/proxy.secret").expect("/etc can be written");
    }
}
