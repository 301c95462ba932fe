//! Invalid input at the web: it is refused, without 5xx on a check, a panic, or access.

use std::process::Command;
use testhost::{
    APP, Host, PROOF, PagesAt, Person, Phone, Proxy, SOCKET, Web, WebClient, Wire, assert_contains,
    assert_lacks, finished, patiently,
};

#[track_caller]
fn signed_in(host: &Host, proxy: Proxy) -> (Web, WebClient, Person, Phone) {
    let web = Web::start(host, proxy, PagesAt::OwnHost, "");
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    (web, client, alice, phone)
}

/// Checks that a check with these lines is denied, whatever cookie is sent.
#[track_caller]
fn is_denied(cookie: &str, lines: &[String]) {
    let cookie = format!("Cookie: {cookie}");
    let mut all: Vec<&str> = lines.iter().map(String::as_str).collect();
    all.push(&cookie);
    let reply = Wire::open().asks("GET /check/nginx", &all, "");
    if let Some(reply) = reply {
        assert!((400..500).contains(&reply.status), "{lines:?}: {reply:?}");
        assert!(reply.all("remote-user").is_empty(), "{reply:?}");
    }
}

const GOOD: [&str; 4] = [
    "Host: postern",
    "X-Original-URL: https://app.example.test:8443/",
    "X-Original-Method: GET",
    "X-Real-IP: 192.0.2.7",
];

#[test]
#[ignore = "needs the test host: tests/run"]
fn odd_contract_headers_are_denied() {
    let host = Host::fresh();
    let (web, client, ..) = signed_in(&host, Proxy::Nginx);
    let cookie = format!("__Secure-postern={}", client.cookie("__Secure-postern"));
    let proof = format!("X-Postern-Proxy: {PROOF}");
    let with = |changed: usize, line: Option<&str>, more: &[&str]| -> Vec<String> {
        let mut lines = vec![proof.clone()];
        for (number, good) in GOOD.iter().enumerate() {
            match line {
                _ if number != changed => lines.push((*good).to_owned()),
                Some(line) => lines.push(line.to_owned()),
                None => {}
            }
        }
        lines.extend(more.iter().map(|line| (*line).to_owned()));
        lines
    };
    let allowed = with(9, None, &[&format!("Cookie: {cookie}")]);
    let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
    assert_eq!(
        Wire::open()
            .asks("GET /check/nginx", &allowed, "")
            .expect("an answer")
            .status,
        200
    );

    let traefik = [
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: app.example.test:8443",
        "X-Forwarded-Uri: /",
        "X-Forwarded-For: 192.0.2.7",
    ];
    for (number, good) in GOOD.into_iter().enumerate().skip(1) {
        let name = good.split(':').next().expect("a name");
        is_denied(&cookie, &with(number, None, &[]));
        is_denied(&cookie, &with(number, None, &traefik));
        is_denied(&cookie, &with(number, Some(&format!("{name}:")), &[]));
        is_denied(
            &cookie,
            &with(
                number,
                Some(&format!("{name}: {}", "x".repeat(20_000))),
                &[],
            ),
        );
        is_denied(&cookie, &with(9, None, &[good]));
        is_denied(&cookie, &with(9, None, &[&format!("{name}: a, b")]));
        for odd in ["\0", "\u{1}", "\u{7f}", "ü", "%zz", "a b"] {
            is_denied(&cookie, &with(number, Some(&format!("{name}: {odd}")), &[]));
        }
    }
    for url in [
        "http://app.example.test:8443/",
        "//app.example.test/",
        "/",
        "https://",
        "https://app.example.test:8443",
        "https://app.example.test:8443@evil.test/",
        "https://evil.test/",
        "https://app.example.test\\@evil.test/",
        "https://app.example.test:8443/\0",
        "https://app.example.test, https://app.example.test:8443/",
    ] {
        is_denied(
            &cookie,
            &with(1, Some(&format!("X-Original-URL: {url}")), &[]),
        );
    }
    for odd in [
        &format!("a={cookie}"),
        &format!("x{cookie}"),
        &format!("{cookie}x"),
        &cookie.replacen('=', " =", 1),
        &cookie.to_uppercase(),
        &format!("{cookie}; b={}", "b".repeat(64 * 1024)),
        &format!("{cookie}; b={}", "b".repeat(200 * 1024)),
    ] {
        is_denied(odd, &with(9, None, &[]));
    }
    // The same cookie twice is no conflict. A comma, or a line break between two cookies, hides
    // neither.
    for clear in [
        format!("{cookie}; {cookie}"),
        format!("a=1, {cookie}"),
        format!("{cookie}\r\nCookie: a=1"),
    ] {
        let reply = Wire::open().checks(&[&format!("Cookie: {clear}")]);
        assert_eq!(
            (reply.status, reply.header("remote-user")),
            (200, "alice"),
            "{clear}: {reply:?}"
        );
    }
    let many: Vec<String> = (0..200).map(|n| format!("X-{n}: 1")).collect();
    is_denied(
        &cookie,
        &with(
            1,
            None,
            &many.iter().map(String::as_str).collect::<Vec<_>>(),
        ),
    );
    assert_lacks(web.gate.log(), "panicked");

    // 200 cookies are within the limit.
    let many: String = (0..200).map(|n| format!("c{n}={n}; ")).collect();
    assert_eq!(
        Wire::open()
            .checks(&[&format!("Cookie: {many}{cookie}")])
            .status,
        200
    );
}

/// Through the proxies: whatever a client sends, a check never fails with 5xx.
#[test]
#[ignore = "needs the test host: tests/run"]
fn odd_requests_through_the_proxies_are_refused_or_served() {
    for proxy in Proxy::ALL {
        let host = Host::fresh();
        let (web, client, ..) = signed_in(&host, proxy);
        let cookie = client
            .cookies()
            .iter()
            .find(|(name, _)| name == "__Secure-postern")
            .expect("a session")
            .1
            .clone();
        let cookie = format!("__Secure-postern={cookie}");
        let bare = WebClient::new();
        for path in [
            "/%zz",
            "/%00",
            "/a//b",
            "/a/../b",
            "/a%2fb",
            "/;x",
            "/ü",
            "/?q=%zz",
            "/%ff",
            "/\\",
            "/?<>\"{}|^`",
            &format!("/{}", "a".repeat(3000)),
            &format!("/{}", "a".repeat(7000)),
        ] {
            let url = format!("{APP}{path}");
            for reply in [bare.loads(&url), client.loads(&url)] {
                assert!(reply.status < 500, "{proxy:?} {path}: {reply:?}");
            }
        }
        web.application.arrived();
        let target = |target: &str| format!("--request-target {target}");
        let absolute = [
            "https://evil.test/",
            "https://app.example.test:8443/x",
            "http://auth.example.test/",
            "*",
            "x",
        ];
        for request in absolute {
            let words = target(request);
            let (option, value) = words.split_once(' ').expect("two words");
            for http in ["--http1.1", "--http2"] {
                let sends = bare.option(option).option(value).option(http);
                let reply = sends.loads(&format!("{APP}/"));
                assert!(reply.status < 500, "{proxy:?} {request} {http}: {reply:?}");
            }
        }
        web.application.got_nothing();
        for odd in [
            format!("a={cookie}"),
            format!("a={cookie}, b=1"),
            "b=".to_owned() + &"b".repeat(64 * 1024),
        ] {
            for http in ["--http1.1", "--http2"] {
                let reply = bare
                    .with(&format!("Cookie: {odd}"))
                    .option(http)
                    .loads(&format!("{APP}/"));
                assert!(
                    [0, 302, 400, 401, 431].contains(&reply.status),
                    "{proxy:?} {http} {} {reply:?}",
                    odd.len()
                );
            }
        }
        let mut crowded = client.clone();
        for number in 0..150 {
            crowded = crowded.with(&format!("X-Header-{number}: 1"));
        }
        let reply = crowded.loads(&format!("{APP}/"));
        assert!(reply.status < 500, "{proxy:?} 150 headers: {reply:?}");
        for got in web.application.arrived() {
            assert_eq!(got.value("Remote-User"), "alice", "{got:?}");
        }
        assert_lacks(web.gate.log(), "panicked");
    }
}

/// The redirect after sign-in leads only to hosts that the gate protects.
#[test]
#[ignore = "needs the test host: tests/run"]
fn no_user_is_sent_to_foreign_hosts() {
    let host = Host::fresh();
    let (web, _, alice, phone) = signed_in(&host, Proxy::Nginx);
    let sign_in = web.page("sign-in");
    let long = format!("{APP}/?{}", "a".repeat(3000));
    for (rd, back) in [
        ("https://evil.test/", "/"),
        ("https://example.test.evil.test/", "/"),
        ("https://evilexample.test/", "/"),
        ("//evil.test/", "/"),
        ("http://app.example.test/", "/"),
        ("javascript:alert(1)", "/"),
        ("https://app.example.test@evil.test/", "/"),
        ("https://app.example.test:8443@evil.test/", "/"),
        ("https://evil.test\\.app.example.test/", "/"),
        ("https://app.example.test/\r\nSet-Cookie: a=1", "/"),
        ("https:///evil.test/", "/"),
        ("https://[::1]/", "/"),
        (&long, &long),
        (
            "https://app.example.test:8443/a?b=c#d",
            "https://app.example.test:8443/a?b=c#d",
        ),
    ] {
        host.clock.forward(30);
        let client = WebClient::new();
        client.sends(
            &sign_in,
            &[("rd", rd), ("user", "alice"), ("password", &alice.password)],
        );
        // The form of the code has the requested page, too.
        let fields = [("rd", rd), ("code", &*phone.code())];
        let entered = client.sends(&web.page("code"), &fields);
        assert_eq!(
            (entered.status, entered.header("location")),
            (303, back),
            "{rd}: {entered:?}"
        );
        assert_eq!(entered.all("set-cookie").len(), 2, "{rd}: {entered:?}");
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn forms_over_the_limit_and_odd_ones_are_refused() {
    let host = Host::fresh();
    let (web, ..) = signed_in(&host, Proxy::Nginx);
    let proof = format!("X-Postern-Proxy: {PROOF}");
    let lines = [
        "Host: auth.example.test:8443",
        &proof,
        "X-Real-IP: 192.0.2.7",
    ];
    let form = "Content-Type: application/x-www-form-urlencoded";
    let with = |more: &[&'static str]| [&lines[..], more].concat();
    let status = |request: &str, headers: &[&str], body: &str| {
        Wire::open()
            .asks(request, headers, body)
            .map_or(0, |reply| reply.status)
    };
    let large = format!("user={}", "a".repeat(17 * 1024));
    assert_eq!(status("POST /sign-in", &with(&[form]), &large), 413);
    assert_eq!(
        status(
            "POST /sign-in",
            &with(&["Content-Type: application/json"]),
            "{}"
        ),
        415
    );
    assert_eq!(status("DELETE /sign-in", &with(&[]), ""), 405);
    assert_eq!(status("GET /nowhere", &with(&[]), ""), 404);
    assert_eq!(status("GET http://evil.test/sign-in", &with(&[]), ""), 421);
    let other = ["Host: evil.test", &proof, "X-Real-IP: 192.0.2.7"];
    assert_eq!(status("GET /sign-in", &other, ""), 421);
    for odd in [
        "user=%zz&password=%ff%00",
        "user=root%0a&password=x",
        "&&&===",
        "user=%00",
        "password=x",
        "user=%F0%9F%92%A9&password=",
    ] {
        let status = status("POST /sign-in", &with(&[form]), odd);
        assert_eq!(status, 401, "{odd}");
    }
    assert_lacks(web.gate.log(), "panicked");
}

/// A gate that cannot start reports the file, the line and the remedy.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_gate_that_cannot_start_says_why() {
    let host = Host::fresh();
    let (mut web, ..) = signed_in(&host, Proxy::Nginx);
    let text = std::fs::read_to_string(testhost::CONFIG).expect("postern.toml");
    let ends = |mut gate: Command, status: i32, words: &str| {
        let printed = gate
            .arg("/usr/bin/postern-gate")
            .output()
            .expect("the gate can be called");
        let text = String::from_utf8_lossy(&printed.stderr).into_owned();
        assert_eq!(printed.status.code(), Some(status), "{text}");
        assert_contains(&text, words);
        assert_lacks(&text, "panicked");
    };
    let within = |seconds: &str| {
        let mut gate = Command::new("timeout");
        gate.arg(seconds);
        gate
    };
    let fails = |words: &str| ends(within("10"), 1, words);
    // 78 is EX_CONFIG of sysexits.h, after which systemd does not restart the gate.
    let is_misconfigured = |words: &str| ends(within("10"), 78, words);
    fails("another gate listens there already");
    web.gate.crash();
    let attacker = || {
        let mut attacker = within("10");
        attacker.args([
            "setpriv",
            "--reuid=postern-gate",
            "--regid=postern",
            "--clear-groups",
        ]);
        attacker
    };
    ends(attacker(), 1, "enable --now postern-gate.socket");
    finished(Command::new("install").args(["-d", "-o", "postern-gate", "/run/postern-tests/gate"]));
    host.configure(&text.replace(
        "[gate]\n",
        "[gate]\nlisten = [\"unix:/run/postern-tests/gate/sock\"]\n",
    ));
    ends(attacker(), 1, "make the gate's user a member of it");
    host.configure(&text);
    finished(Command::new("groupmod").args(["--new-name", "renamed", "postern-proxy"]));
    fails("make it with groupadd --system postern-proxy");
    finished(Command::new("groupmod").args(["--new-name", "postern-proxy", "renamed"]));
    for (listen, words) in [
        (
            "tcp:127.0.0.1:8443",
            "127.0.0.1:8443: Address already in use",
        ),
        ("tls:127.0.0.1:9443", "gate.tls"),
        ("unix:/nowhere/gate.sock", "/nowhere/gate.sock"),
    ] {
        host.configure(&text.replace("[gate]\n", &format!("[gate]\nlisten = [\"{listen}\"]\n")));
        fails(words);
    }
    let tls =
        "[gate.tls]\ncert_file = \"/etc/postern/none.crt\"\nkey_file = \"/etc/postern/none.key\"\n";
    host.configure(
        &(text.replace("[gate]\n", "[gate]\nlisten = [\"tls:127.0.0.1:9443\"]\n") + tls),
    );
    is_misconfigured("/etc/postern/none.crt");
    host.configure(&text.replace("proxy.secret", "none.secret"));
    is_misconfigured("/etc/postern/none.secret");
    host.configure(&text.replace(
        "cookie_domain = \"example.test\"",
        "cookie_domain = \"example.org\"",
    ));
    is_misconfigured("gate.cookie_domain");
    host.configure(&text);
    web.gate.restart();
    finished(Command::new("curl").args(["-s", "-f", "--unix-socket", SOCKET, "http://x/healthz"]));
    patiently("the gate is sure", || Ok(Some(())));
}
