//! Paths, hosts and peers that can be taken for others; replies to clients that show no pages.

use super::cookies::{FRONTS, SESSION, asks, navigating, session};
use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;
use testhost::{
    APP, AUTH, CONFIG, Host, PROOF, PagesAt, Postern, Web, WebClient, Wire, assert_lacks,
    on_the_clock, reconfigure, tcp_reply,
};

/// An encoded question mark or number sign ends the path in any parser that decodes first.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_path_that_can_be_read_in_two_ways_evades_no_rule() {
    for proxy in FRONTS {
        let host = Host::fresh();
        let rules = "[[gate.rule]]\npaths = [\"/admin\"]\nmethods = [\"GET\", \"POST\"]\nthen = \"deny\"\n[[gate.rule]]\nthen = \"open\"\n";
        let web = Web::start(&host, proxy, PagesAt::OwnHost, rules);
        let client = WebClient::new();
        assert_eq!(
            client.loads(&format!("{APP}/public")).status,
            200,
            "{proxy:?}"
        );
        // Also discards the requests that tested whether Traefik was ready.
        web.application.arrived();
        for evading in [
            "/admin%3fx",
            "/admin%3Fx",
            "/admin%23x",
            "/%61dmin%3f",
            "/admin%2fx",
            "/admin%5cx",
            "/admin%252fx",
            "/admin./",
            "/admin%20/x",
            "/admin%09",
            "/admin%0a",
        ] {
            let reply = client.loads(&format!("{APP}{evading}"));
            assert_eq!(reply.status, 403, "{proxy:?} {evading} {reply:?}");
        }
        let lower = client.option("-Xpost").loads(&format!("{APP}/admin"));
        assert!([400, 403].contains(&lower.status), "{proxy:?} {lower:?}");
        web.application.got_nothing();
    }
}

/// Browsers and DNS accept host names with an underscore. A malformed request is the client's
/// fault, and must not be reported as an untrusted proxy.
#[test]
#[ignore = "needs the test host: tests/run"]
fn hosts_may_hold_an_underscore_and_a_malformed_request_is_no_fault_of_the_proxy() {
    let (host, web) = Host::with_web();
    let cookie = format!("Cookie: {SESSION}={}", session(&host, &web, "alice"));
    let reply = asks(
        "GET /check/nginx",
        &navigating("https://my_app.example.test/x", &cookie),
    );
    assert_eq!(
        (reply.status, reply.header("remote-user")),
        (200, "alice"),
        "{reply:?}"
    );
    let reply = asks(
        "GET /check/nginx",
        &navigating("https://my_app.example.test/x", "A: b"),
    );
    assert!(
        reply
            .header("location")
            .ends_with("?rd=https%3A%2F%2Fmy_app.example.test%2Fx"),
        "{reply:?}"
    );
    for url in [
        "https://app!x/",
        "https://app.example.test/a b",
        "https://app.example.test/\u{fc}",
    ] {
        let reply = asks("GET /check/nginx", &navigating(url, &cookie));
        assert_eq!(reply.status, 401, "{url} {reply:?}");
    }
    web.gate
        .says("refused cause=malformed-request address=192.0.2.7 service=web");
    assert_lacks(web.gate.log(), "print-config");
}

/// A peer without a proxy proof was served as a browser at the peer's own address, which an exempt
/// network may contain.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_peer_that_proves_no_proxy_is_refused_and_the_log_names_it_and_the_key() {
    let (_host, mut web) = Host::with_web();
    reconfigure("from = [\"unix\"]", "from = [\"unix\", \"127.0.0.1\"]");
    reconfigure(
        "[gate]\n",
        "[gate]\nlisten = [\"unix:/run/postern/gate.sock\", \"tcp:127.0.0.1:9091\"]\ninsecure_loopback = true\n",
    );
    web.gate.restart();
    let page = "GET /sign-in HTTP/1.1\r\nHost: auth.example.test:8443\r\nConnection: close\r\n\r\n";
    let reply = tcp_reply(9091, page).expect("an answer");
    assert_eq!(reply.status, 403, "it is no browser: {reply:?}");
    web.gate.says(
        "refused cause=untrusted-proxy: the peer 127.0.0.1 is listed in gate.trusted_proxies as nginx",
    );
    let local = Wire::open().asks("GET /sign-in", &["Host: auth.example.test:8443"], "");
    assert_eq!(local.map(|reply| reply.status), Some(403));
    web.gate.says("the peer on the unix socket is listed in gate.trusted_proxies as nginx, and does not send the secret of its secret_file");
}

/// These values were accepted: a secret that is easy to guess or readable by others, and a cookie
/// domain that is a public suffix.
#[test]
#[ignore = "needs the test host: tests/run"]
fn proxy_secrets_and_cookie_domains_are_refused_by_check_edit_and_the_gate_alike() {
    let (host, mut web) = Host::with_web();
    let good = fs::read_to_string(CONFIG).expect("it is there");
    let secret = "/etc/postern/other.secret";
    let line = |words: &str| {
        good.lines()
            .position(|line| line.contains(words))
            .map_or(0, |at| at + 1)
    };
    let (of_domain, of_secret) = (line("cookie_domain"), line("secret_file"));
    let domain = |to: &str| {
        good.replace(
            "cookie_domain = \"example.test\"",
            &format!("cookie_domain = \"{to}\""),
        )
    };
    let other = || good.replace("/etc/postern/proxy.secret", secret);
    let short = || fs::write(secret, "short\n").expect("/etc can be written");
    let empty = || fs::write(secret, "\n").expect("/etc can be written");
    let open = || {
        fs::write(secret, PROOF).expect("/etc can be written");
        let done = Command::new("sh")
            .args([
                "-c",
                &format!("chgrp postern {secret}; chmod 0644 {secret}"),
            ])
            .status();
        assert!(done.expect("sh runs").success());
    };
    let closed = || {
        let _ = fs::remove_file(secret);
        fs::write(secret, PROOF).expect("/etc can be written");
        let done = Command::new("sh")
            .args([
                "-c",
                &format!("chgrp postern {secret}; chmod 0640 {secret}"),
            ])
            .status();
        assert!(done.expect("sh runs").success());
    };
    closed();
    let nothing = || {};
    let cases: [(String, &dyn Fn(), String); 8] = [
        (
            domain("com"),
            &nothing,
            format!("postern.toml:{of_domain}: gate.cookie_domain: com is a public suffix"),
        ),
        (
            domain("co.uk"),
            &nothing,
            format!("postern.toml:{of_domain}: gate.cookie_domain: "),
        ),
        (
            domain("localhost"),
            &nothing,
            format!("postern.toml:{of_domain}: gate.cookie_domain: "),
        ),
        (
            domain("192.0.2.1"),
            &nothing,
            format!("postern.toml:{of_domain}: gate.cookie_domain: "),
        ),
        (
            domain("auth.example.test"),
            &nothing,
            format!("postern.toml:{of_domain}: gate.cookie_domain: "),
        ),
        (
            other(),
            &short,
            format!("postern.toml:{of_secret}: gate.trusted_proxies.secret_file: {secret}: "),
        ),
        (
            other(),
            &empty,
            format!("postern.toml:{of_secret}: gate.trusted_proxies.secret_file: {secret}: "),
        ),
        (
            other(),
            &open,
            format!("postern.toml:{of_secret}: gate.trusted_proxies.secret_file: {secret}: "),
        ),
    ];
    for (text, prepare, words) in cases {
        prepare();
        let editor = "/tmp/editor";
        fs::write("/tmp/edited", &text).expect("/tmp can be written");
        fs::write(editor, "#!/bin/sh\ncat /tmp/edited > \"$1\"\n").expect("/tmp can be written");
        let edited = Postern::call("edit")
            .variable("EDITOR", &format!("sh {editor}"))
            .refuses();
        assert!(edited.err.contains(&words), "edit: {words}: {edited:?}");
        assert_eq!(
            fs::read_to_string(CONFIG).ok().as_ref(),
            Some(&good),
            "{words}"
        );
        host.write_configuration(&text);
        let checked = Postern::call("check").refuses();
        assert!(checked.err.contains(&words), "check: {words}: {checked:?}");
        web.gate.signal(Signal::SIGHUP);
        web.gate.says(&format!(
            "not reloaded, the previous configuration stays in force: /etc/postern/{words}"
        ));
        host.write_configuration(&good);
    }
    web.gate.restart();
}

/// git, wget and DAV clients send an app password only after a 401 with a challenge.
#[test]
#[ignore = "needs the test host: tests/run"]
fn clients_that_wait_for_a_challenge_get_in_by_app_password() {
    for proxy in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, PagesAt::OwnHost, "");
        Postern::call("account add alice").does();
        let mut added = on_the_clock(Command::new("/usr/bin/postern"));
        added.args([
            "app-password",
            "add",
            "alice",
            "all",
            "--scope",
            "web:app.example.test",
        ]);
        let password = Postern::under(added).does().out.trim().to_owned();
        let repository = APP.replace("https://", &format!("https://alice:{password}@")) + "/x.git";
        let calls = [
            format!("curl -sk --anyauth -u alice:{password} {APP}/file"),
            format!(
                "wget -qO- --no-check-certificate --user=alice --password={password} {APP}/file"
            ),
            format!("env GIT_SSL_NO_VERIFY=1 GIT_TERMINAL_PROMPT=0 git ls-remote {repository}"),
        ];
        for call in calls {
            let mut words = call.split(' ');
            let mut client = Command::new(words.next().expect("a word"));
            let text = client
                .args(words)
                .env("HOME", "/tmp")
                .output()
                .expect("the client is installed");
            // git sends more requests, since this application is no repository.
            let got = web.application.arrived();
            assert!(
                !got.is_empty(),
                "{proxy:?} {call}: {text:?}\n{}",
                web.gate.log()
            );
            assert!(
                got.iter().all(|got| got.value("Remote-User") == "alice"),
                "{proxy:?} {call}: {got:?}"
            );
        }
        let challenges = |web_client: &WebClient| {
            let reply = web_client
                .option("-HAccept: */*")
                .option(&format!("{APP}/file"))
                .calls("GET", &format!("{APP}/file"), "");
            (reply.status, reply.all("www-authenticate").join(", "))
        };
        let (status, basic) = challenges(&WebClient::new());
        assert!(
            status == 401 && basic.starts_with("Basic realm="),
            "{proxy:?} {status} {basic}"
        );
        for browser in ["Sec-Fetch-Mode: cors", "X-Requested-With: XMLHttpRequest"] {
            let (status, quiet) = challenges(&WebClient::new().with(browser));
            assert!(
                status == 401 && quiet.starts_with("Bearer realm="),
                "{proxy:?} {browser} {status} {quiet}"
            );
        }
        // A wrong password on the sign-in page must not open the browser's password dialog.
        let reply = WebClient::new().sends_password(&web.pages, "alice", "wrong");
        assert_eq!(reply.status, 401);
        assert!(
            !reply.header("www-authenticate").starts_with("Basic"),
            "{reply:?}"
        );
    }
}

/// The browser was redirected between the application and the sign-in page for ever, without any
/// message.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_application_that_no_session_reaches_is_reported() {
    let (_host, web) = Host::with_web();
    let reply = asks(
        "GET /check/nginx",
        &navigating("https://app.example.org/x", "A: b"),
    );
    let location = reply.header("location").to_owned();
    assert_eq!(
        (reply.status, location.as_str()),
        (
            401,
            "https://auth.example.test:8443/not-covered?host=app.example.org"
        )
    );
    let again = asks(
        "GET /check/nginx",
        &navigating("https://app.example.org/y", "A: b"),
    );
    assert_eq!(again.header("location"), location);
    let output = "gate.cookie_domain = \"example.test\" does not cover app.example.org";
    web.gate.says(output);
    assert_eq!(
        web.gate.log().matches(output).count(),
        1,
        "{}",
        web.gate.log()
    );
    let page = WebClient::new().loads(&location);
    assert!(
        page.status == 403 && page.body.contains("app.example.org"),
        "{page:?}"
    );
    let forged = WebClient::new().loads(&format!("{AUTH}/not-covered?host=%3Cb%3Eevil"));
    assert_lacks(&forged.body, "evil");
}
