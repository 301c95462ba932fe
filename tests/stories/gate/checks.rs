//! What a check passes to the application, what it withholds, and which peers are trusted proxies.

use nix::sys::signal::Signal;
use testhost::{
    APP, Host, PagesAt, Person, Phone, Postern, Proxy, ReceivedRequest, SOCKET, Web, WebClient,
    Wire, reconfigure,
};

const FRONTS: [Proxy; 7] = Proxy::ALL;

/// Starts a gate with a user who is signed in.
#[track_caller]
fn signed_in(host: &Host, proxy: Proxy, pages_at: PagesAt) -> (Web, WebClient, Person, Phone) {
    let web = Web::start(host, proxy, pages_at, "");
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in_and_trusts(&web, &alice, &phone.code());
    (web, client, alice, phone)
}

#[track_caller]
fn assert_clean(got: &ReceivedRequest) {
    let text = format!("{got:?}");
    for ours in ["Secure-postern", "Host-postern", testhost::PROOF] {
        assert!(
            !text.contains(ours),
            "{ours} reached the application: {text}"
        );
    }
}

/// An attacker sends identity headers, spelled in other ways, doubled, or named in Connection. None
/// reaches the application.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_forged_identity_never_arrives() {
    for proxy in FRONTS {
        let host = Host::fresh();
        let (web, client, ..) = signed_in(&host, proxy, PagesAt::OwnHost);
        let page = format!("{APP}/");
        for forged in [
            "Remote-User: root",
            "remote-user: root",
            "REMOTE-USER: root",
            "Remote_User: root",
            "Remote.User: root",
            "Remote!User: root",
            "remote_user: root",
        ] {
            for http in ["--http1.1", "--http2"] {
                let reply = client.with(forged).with(forged).option(http).loads(&page);
                // nginx refuses the exact name in any case and drops the other spellings; Apache
                // removes the usual spellings and refuses others; Traefik removes all.
                let refused = match proxy {
                    Proxy::Nginx => forged.to_lowercase().starts_with("remote-user"),
                    Proxy::Apache => forged.contains('!'),
                    _ => false,
                };
                assert_eq!(
                    reply.status,
                    if refused { 400 } else { 200 },
                    "{proxy:?} {forged} {reply:?}"
                );
                for got in web.application.arrived() {
                    assert!(!refused, "{proxy:?} {forged} {got:?}");
                    assert_eq!(
                        got.value("Remote-User"),
                        "alice",
                        "{proxy:?} {forged} {got:?}"
                    );
                }
            }
        }
        for (name, value) in [
            ("Remote-Groups", "wheel"),
            ("Remote-Email", "root@x"),
            ("Remote-Name", "Root"),
        ] {
            client.with(&format!("{name}: {value}")).loads(&page);
            for got in web.application.arrived() {
                assert_ne!(proxy, Proxy::Nginx, "{got:?}");
                assert_eq!(got.value(name), "", "{got:?}");
            }
        }
        for dropped in [
            "Remote-User",
            "remote-user, close",
            "Cookie",
            "Authorization",
            "X-Postern-Proxy",
            "close, REMOTE-USER",
        ] {
            let reply = client
                .with(&format!("Connection: {dropped}"))
                .option("--http1.1")
                .loads(&page);
            match proxy {
                Proxy::Nginx
                | Proxy::NginxProxyManager
                | Proxy::Caddy
                | Proxy::NewerCaddy
                | Proxy::Haproxy
                | Proxy::Apache => {
                    assert_eq!(reply.status, 400, "Connection: {dropped}: {reply:?}")
                }
                // Traefik drops the headers that the client names in Connection before the check,
                // not after it.
                Proxy::Traefik | Proxy::TraefikLabels | Proxy::Envoy => {
                    assert!([200, 302].contains(&reply.status), "{dropped}: {reply:?}")
                }
            }
            for got in web.application.arrived() {
                assert_eq!(
                    got.value("Remote-User"),
                    "alice",
                    "{proxy:?} Connection: {dropped}: {got:?}"
                );
                assert_clean(&got);
            }
        }
        for ours in [
            "X-Postern-Proxy: guess",
            "X-Original-URL: https://x/",
            "X-Forwarded-For: 192.0.2.1",
            "X-Forwarded-Host: evil.test",
            "X-Forwarded-Uri: /other",
            "X-Forwarded-Method: DELETE",
            "X-Real-IP: 192.0.2.1",
        ] {
            let reply = client.with(ours).loads(&page);
            assert_eq!(reply.status, 200, "{proxy:?} {ours} {reply:?}");
            assert_clean(&web.application.got());
            let attacker = WebClient::new().with(ours).loads(&format!("{APP}/asked"));
            assert_eq!(attacker.status, 302, "{proxy:?} {ours} {attacker:?}");
            assert!(
                attacker
                    .header("location")
                    .ends_with("?rd=https%3A%2F%2Fapp.example.test%3A8443%2Fasked"),
                "{attacker:?}"
            );
        }
        web.application.got_nothing();
    }
}

/// T6: the gate's cookies never reach the application.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_application_gets_its_own_cookies_and_none_of_the_gates() {
    for (proxy, pages_at) in [
        (Proxy::Nginx, PagesAt::OwnHost),
        (Proxy::Nginx, PagesAt::Path),
        (Proxy::Traefik, PagesAt::Path),
        (Proxy::Apache, PagesAt::OwnHost),
        (Proxy::Apache, PagesAt::Path),
    ] {
        let host = Host::fresh();
        let (web, client, ..) = signed_in(&host, proxy, pages_at);
        let page = format!("{APP}/");
        let cookies: Vec<_> = client
            .cookies()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let ours = cookies.join("; ");
        // The client would add its cookie line to this one.
        let bare = WebClient::new();

        let foreign: String = (0..7)
            .map(|n| format!("c{n}={}; ", "v".repeat(1020)))
            .collect();
        for http in ["--http1.1", "--http2"] {
            for foreign in [
                foreign.as_str(),
                "",
                "theme=dark; q=\"a=b\"; ",
                "name=Jürgen; ",
            ] {
                let reply = bare
                    .with(&format!("Cookie: {foreign}{ours}"))
                    .option(http)
                    .loads(&page);
                assert_eq!(reply.status, 200, "{proxy:?} {http} {foreign} {reply:?}");
                let got = web.application.got();
                assert_clean(&got);
                assert_eq!(
                    got.value("Cookie"),
                    foreign.trim_end_matches("; "),
                    "{proxy:?}"
                );
            }
        }
        // An Authorization header that is not Postern's is passed to the application.
        client
            .with("Authorization: Bearer of-the-application")
            .loads(&page);
        assert_eq!(
            web.application.got().value("Authorization"),
            "Bearer of-the-application"
        );

        // The cookie of a trusted browser, or of a login in progress, grants no access alone.
        for name in ["browser", "login"] {
            let others: Vec<_> = cookies
                .iter()
                .filter(|cookie| cookie.contains(name))
                .cloned()
                .collect();
            let reply = bare
                .with(&format!("Cookie: {}", others.join("; ")))
                .loads(&page);
            assert_eq!(reply.status, 302, "{proxy:?} {reply:?}");
        }
        web.application.got_nothing();
    }
}

/// A client that is no trusted proxy gets no check result, with or without a session.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_local_user_without_the_proof_is_refused() {
    let host = Host::fresh();
    let (web, client, alice, _) = signed_in(&host, Proxy::Nginx, PagesAt::OwnHost);
    let cookie = client.cookie_header("__Secure-postern");
    let allowed = Wire::open().checks(&[&cookie]);
    assert_eq!(
        (allowed.status, allowed.header("remote-user")),
        (200, "alice")
    );
    assert_eq!(
        (allowed.header("content-length"), allowed.header("cookie")),
        ("0", "")
    );
    assert_eq!(allowed.header("authorization"), "");
    assert!(allowed.all("set-cookie").is_empty());

    let asked = [
        "Host: postern",
        "X-Original-URL: https://app.example.test:8443/",
        "X-Original-Method: GET",
        "X-Real-IP: 192.0.2.7",
        &cookie,
    ];
    for proof in [
        "X-Forwarded-For: 127.0.0.1",
        "X-Postern-Proxy: wrong",
        "X-Postern-Proxy:",
    ] {
        for path in [
            "GET /check/nginx",
            "GET /check/traefik",
            "GET /sign-in",
            "POST /sign-in",
        ] {
            let mut lines = asked.to_vec();
            lines.push(proof);
            let reply = Wire::open().asks(path, &lines, "").expect("an answer");
            assert_eq!(reply.status, 403, "{path} {proof}: {reply:?}");
            assert!(reply.all("remote-user").is_empty(), "{reply:?}");
        }
    }
    web.gate.says("cause=untrusted-proxy");
    // The socket's mode admits only the proxies' group.
    let mut tried = alice.on_this_host(&format!(
        "curl -s -m 5 --unix-socket {SOCKET} http://x/healthz"
    ));
    let text = tried.output().expect("curl runs");
    assert!(!text.status.success(), "{text:?}");
    // nginx adds the proxy proof to requests for pages, but a browser cannot request a check
    // through it.
    let through = client.with("X-Original-URL: https://app.example.test:8443/");
    assert_eq!(through.loads(&web.page("check/nginx")).status, 404);
}

/// Promise 4: without the gate, access is denied.
#[test]
#[ignore = "needs the test host: tests/run"]
fn while_the_gate_is_stopped_no_user_enters() {
    for proxy in FRONTS {
        let host = Host::fresh();
        let (mut web, client, ..) = signed_in(&host, proxy, PagesAt::OwnHost);
        let page = format!("{APP}/");
        assert_eq!(client.loads(&page).status, 200);
        web.application.got();

        web.gate.signal(Signal::SIGSTOP);
        let reply = client.loads(&page);
        assert!(reply.status >= 500, "{proxy:?} {reply:?}");
        web.gate.signal(Signal::SIGCONT);
        assert_eq!(client.loads(&page).status, 200, "{proxy:?}");
        web.application.arrived();

        assert!(
            web.gate.stop().as_secs() < 10,
            "idle connections must not hold up the end"
        );
        assert!(client.loads(&page).status >= 500);
        assert!(client.fetches(&page).status >= 500);
        web.application.got_nothing();
        web.gate.restart();
        assert_eq!(
            client.loads(&page).status,
            200,
            "the session outlives the gate"
        );
    }
}

/// A session of one application's own path is refused at other hosts, and by every other gate of
/// the same store.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_host_only_session_is_refused_at_another_host() {
    let host = Host::fresh();
    let (mut web, client, ..) = signed_in(&host, Proxy::Nginx, PagesAt::Path);
    let value = client.cookie("__Host-postern");
    let status = |url: &str, cookie: &str| {
        let (proof, url) = (
            format!("X-Postern-Proxy: {}", testhost::PROOF),
            format!("X-Original-URL: {url}"),
        );
        let cookie = format!("Cookie: {cookie}");
        let lines = [
            "Host: postern",
            &proof,
            &url,
            "X-Original-Method: GET",
            "X-Real-IP: 192.0.2.7",
            &cookie,
        ];
        Wire::open()
            .asks("GET /check/nginx", &lines, "")
            .expect("an answer")
            .status
    };
    let cookie = format!("__Host-postern={value}");
    for (url, expected) in [
        ("https://app.example.test:8443/", 200),
        ("https://APP.example.test./", 200),
        ("https://other.example.test:8443/", 401),
        ("https://example.test/", 401),
        ("https://app.example.test.evil.test/", 401),
        ("https://sub.app.example.test/", 401),
    ] {
        assert_eq!(status(url, &cookie), expected, "{url}");
    }

    let (app, other) = (
        "https://app.example.test:8443/",
        "https://other.example.test:8443/",
    );
    let path = format!("url = \"{app}_postern/\"");
    reconfigure(&path, &format!("url = \"{other}_postern/\""));
    web.gate.restart();
    assert_eq!(status(other, &cookie), 401, "the gate of another host");
    assert_eq!(status(app, &cookie), 401);
    let domain = "url = \"https://auth.example.test:8443/\"\ncookie_domain = \"example.test\"";
    reconfigure(&format!("url = \"{other}_postern/\""), domain);
    web.gate.restart();
    for name in ["__Host-postern", "__Secure-postern"] {
        assert_eq!(
            status(app, &format!("{name}={value}")),
            401,
            "the gate of the parent domain: {name}"
        );
    }
    reconfigure(domain, &path);
    web.gate.restart();
    assert_eq!(status(app, &cookie), 200, "it was good all the while");
}

/// A session of the parent domain is refused by the gate of a single host.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_session_of_the_parent_domain_is_refused_by_the_gate_of_one_host() {
    let host = Host::fresh();
    let (mut web, client, ..) = signed_in(&host, Proxy::Nginx, PagesAt::OwnHost);
    let value = client.cookie("__Secure-postern");
    assert_eq!(
        Wire::open()
            .checks(&[&format!("Cookie: __Secure-postern={value}")])
            .status,
        200
    );
    reconfigure(
        "url = \"https://auth.example.test:8443/\"",
        "url = \"https://app.example.test:8443/_postern/\"",
    );
    web.gate.restart();
    for name in ["__Host-postern", "__Secure-postern"] {
        let reply = Wire::open().checks(&[&format!("Cookie: {name}={value}")]);
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
    }
}

/// E13: a declared account can sign in, and its groups reach the application.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_declared_account_works_and_brings_its_groups() {
    let host = Host::fresh();
    let declared = "[[account]]\nname = \"dora\"\nsecret_file = \"/etc/postern/dora\"\ngroups = [\"operators\", \"staff\"]\nemail = \"dora@example.org\"\n";
    let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    std::fs::write("/etc/postern/dora", secret).expect("/etc can be written");
    let owned = std::process::Command::new("sh")
        .args([
            "-c",
            "chmod 0640 /etc/postern/dora && chgrp postern /etc/postern/dora",
        ])
        .status();
    assert!(owned.expect("sh runs").success());
    let web = Web::nginx(&host, declared);
    Postern::call("password dora")
        .input("the password of dora\n")
        .does();
    let client = WebClient::new();
    let phone = Phone::scans(secret);
    let asked = client.sends_password(&web.pages, "dora", "the password of dora");
    asked.expect_status(303);
    client.code(&web, &phone.code()).expect_status(303);
    client.loads(&format!("{APP}/"));
    let got = web.application.got();
    assert_eq!(got.value("Remote-Groups"), "operators,staff");
    assert_eq!(got.value("Remote-Email"), "dora@example.org");
}
