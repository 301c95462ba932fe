//! Cookies, headers, paths and hosts that can be parsed in two ways; peers that are no trusted
//! proxy; replies to clients that show no pages.

use nix::sys::signal::Signal;
use serde_json::json;
use std::fs;
use std::process::Command;
use testhost::{
    APP, AUTH, CONFIG, Chromium, Front, Host, KEY, PROOF, Place, Postern, Reply, Visitor, Web,
    Wire, assert_contains, assert_lacks, on_the_clock, reconfigure, tcp_reply,
};

const FRONTS: [Front; 2] = [Front::Nginx, Front::Traefik];
const SESSION: &str = "__Secure-postern";

/// Signs in a new user. Returns the session cookie.
#[track_caller]
fn session(host: &Host, web: &Web, name: &str) -> String {
    let person = host.person(name);
    person.has_a_password();
    let phone = person.enrols();
    let visitor = Visitor::new();
    visitor.signs_in(web, &person, &phone.code());
    visitor.cookie(SESSION)
}

/// Returns a client whose Cookie lines contain exactly these bytes.
fn with_cookies(name: &str, lines: &[&[u8]]) -> Visitor {
    let path = format!("/tmp/cookies-{name}");
    let line = |line: &&[u8]| [b"Cookie: ", *line, b"\n"].concat();
    fs::write(&path, lines.iter().map(line).collect::<Vec<_>>().concat())
        .expect("/tmp can be written");
    Visitor::new().with(&format!("@{path}"))
}

fn foreign() -> [&'static [u8]; 5] {
    [
        b"n=Zo\xeb",
        b"last=__Secure-postern=x",
        b"q=\"__Secure-postern=old, __Host-postern-browser",
        b"a=1, __Secure-postern=abcdefghijklmnopqrstuvwxyz",
        b"x__Secure-postern=1",
    ]
}

/// Cookies of applications have any encoding, and may contain Postern's cookie name in a value.
/// Neither makes the session ambiguous.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_foreign_cookie_in_any_encoding_locks_nobody_out_and_arrives_as_it_was() {
    for front in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, front, Place::OwnHost, "");
        let alice = session(&host, &web, "alice");
        let page = format!("{APP}/");
        for foreign in foreign() {
            let shown = String::from_utf8_lossy(foreign).into_owned();
            let ours = format!("; {SESSION}={alice}; b=2");
            let answer =
                with_cookies("foreign", &[&[foreign, ours.as_bytes()].concat()]).loads(&page);
            assert_eq!(answer.status, 200, "{front:?} {shown}: {answer:?}");
            let got = web.application.got();
            assert_eq!(got.value("Cookie"), format!("{shown}; b=2"), "{front:?}");
            assert_eq!(got.value("Remote-User"), "alice", "{front:?}");
            let stranger = with_cookies("stranger", &[foreign]).loads(&page);
            assert_eq!(stranger.status, 302, "{front:?} {shown}: {stranger:?}");
        }
        web.application.got_nothing();
    }
}

/// Over HTTP/1, two Cookie lines are joined, as the split fields of HTTP/2 are.
#[test]
#[ignore = "needs the test host: tests/run"]
fn two_cookie_lines_over_http_1_are_one() {
    for front in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, front, Place::OwnHost, "");
        let ours = format!("{SESSION}={}", session(&host, &web, "alice"));
        for lines in [[&b"a=1"[..], ours.as_bytes()], [ours.as_bytes(), b"a=1"]] {
            let answer = with_cookies("two", &lines)
                .option("--http1.1")
                .loads(&format!("{APP}/"));
            assert_eq!(answer.status, 200, "{front:?} {answer:?}");
            assert_eq!(web.application.got().value("Cookie"), "a=1", "{front:?}");
        }
    }
}

/// A sibling host sets cookies under Postern's name, or a change of cookie_domain leaves an old
/// cookie behind. The user's own session is still accepted.
#[test]
#[ignore = "needs the test host: tests/run"]
fn planted_cookies_under_our_name_lock_nobody_out() {
    let (host, mut web) = Host::with_web();
    let alice = session(&host, &web, "alice");
    let planted: String = (0..200)
        .map(|n| format!("{SESSION}=planted-{n:03}; "))
        .collect();
    let stale = format!("{SESSION}={}A; ", &alice[..alice.len() - 1]);
    for before in [planted.as_str(), &stale, &format!("{SESSION}={alice}; ")] {
        let answer = Wire::open().checks(&[&format!("Cookie: {before}{SESSION}={alice}")]);
        assert_eq!(
            (answer.status, answer.header("remote-user")),
            (200, "alice"),
            "{before} {answer:?}"
        );
        assert_eq!(answer.header("cookie"), "");
    }
    // Browsers keep the session cookie of the wider domain beside that of the narrower one.
    reconfigure(
        "cookie_domain = \"example.test\"",
        "cookie_domain = \"auth.example.test\"",
    );
    reconfigure(
        "https://auth.example.test:8443/",
        "https://gate.auth.example.test:8443/",
    );
    web.gate.restart();
    let page = |cookie: &str| {
        let lines = navigating("https://gate.auth.example.test:8443/", cookie);
        Wire::open().asks(
            "GET /check/nginx",
            &lines.iter().map(String::as_str).collect::<Vec<_>>(),
            "",
        )
    };
    let answer = page(&format!("Cookie: {SESSION}={alice}")).expect("an answer");
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(
        answer
            .header("location")
            .starts_with("https://gate.auth.example.test:8443/sign-in?rd=")
    );
}

/// Header lines of a check of a page load.
fn navigating(url: &str, more: &str) -> Vec<String> {
    let lines = [
        "Host: postern",
        "X-Original-Method: GET",
        "X-Real-IP: 192.0.2.7",
        "Sec-Fetch-Mode: navigate",
    ];
    let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    lines.extend([
        format!("X-Postern-Proxy: {PROOF}"),
        format!("X-Original-URL: {url}"),
        more.to_owned(),
    ]);
    lines
}

#[track_caller]
fn asks(request: &str, lines: &[String]) -> Reply {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Wire::open()
        .asks(request, &lines, "")
        .expect("the gate answers")
}

/// A sibling host sets its own account's session cookie beside a user's, or in place of it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn two_valid_sessions_that_disagree_lead_to_a_page_that_clears_them() {
    for front in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, front, Place::OwnHost, "");
        let (alice, bob) = (session(&host, &web, "alice"), session(&host, &web, "bob"));
        let both = format!("{SESSION}={alice}; a=1; {SESSION}={bob}");
        let visitor = with_cookies("both", &[both.as_bytes()]);
        let answer = visitor.loads(&format!("{APP}/"));
        assert_eq!(answer.status, 302, "{front:?} {answer:?}");
        assert_eq!(
            answer.header("location"),
            format!("{AUTH}/cookies"),
            "{front:?}"
        );
        let answer = visitor.fetches(&format!("{APP}/"));
        assert_eq!(
            (answer.status, answer.all("location").len()),
            (401, 0),
            "{front:?} {answer:?}"
        );
        web.gate
            .says("refused cause=cookies-conflict address=127.0.0.1 service=web");
        let page = visitor.loads(&format!("{AUTH}/cookies"));
        assert_eq!(
            page.header("clear-site-data"),
            "\"cookies\"",
            "{front:?} {page:?}"
        );
        let expired = page.all("set-cookie").join("\n");
        for name in [
            "__Secure-postern=",
            "__Host-postern-browser=",
            "__Host-postern-login=",
            "Domain=example.test",
        ] {
            assert!(expired.contains(name), "{name}: {page:?}");
        }
        // CSRF: a link from another site to this page clears no cookie.
        let linked = with_cookies("one", &[format!("{SESSION}={alice}").as_bytes()])
            .with("Sec-Fetch-Site: cross-site");
        let page = linked.loads(&format!("{AUTH}/cookies"));
        assert!(
            page.all("clear-site-data").is_empty() && page.all("set-cookie").is_empty(),
            "{page:?}"
        );
        let page = linked.sends(&format!("{AUTH}/cookies"), &[]);
        assert_eq!(page.status, 403, "{front:?} {page:?}");
        let page = with_cookies("one", &[b"a=1"]).sends(&format!("{AUTH}/cookies"), &[]);
        assert_eq!(
            page.header("clear-site-data"),
            "\"cookies\"",
            "{front:?} {page:?}"
        );
        web.application.got_nothing();
    }
}

/// The page reported "You are signed out in this browser." while the session stayed valid for
/// twelve hours.
#[test]
#[ignore = "needs the test host: tests/run"]
fn sign_out_ends_every_valid_session_of_the_line_whatever_else_is_in_it() {
    let (host, web) = Host::with_web();
    let out = format!("{AUTH}/sign-out");
    for (name, before) in [
        ("amy", &b"__Secure-postern=stale; "[..]),
        ("bea", b"n=Zo\xeb; "),
        ("cat", b"q=__Secure-postern=x; "),
    ] {
        let cookie = format!("{SESSION}={}", session(&host, &web, name));
        let left = with_cookies("out", &[&[before, cookie.as_bytes()].concat()]).sends(&out, &[]);
        assert_eq!(left.status, 200, "{left:?}");
        assert_eq!(
            Wire::open().checks(&[&format!("Cookie: {cookie}")]).status,
            401,
            "{name}"
        );
    }
    let (dan, eva) = (session(&host, &web, "dan"), session(&host, &web, "eva"));
    with_cookies(
        "out",
        &[format!("{SESSION}={dan}; {SESSION}={eva}").as_bytes()],
    )
    .sends(&out, &[]);
    for value in [dan, eva] {
        assert_eq!(
            Wire::open()
                .checks(&[&format!("Cookie: {SESSION}={value}")])
                .status,
            401
        );
    }
    let unread = with_cookies("out", &[b"__Secure-postern=stale"]).sends(&out, &[]);
    assert_contains(&unread.body, "no valid session");
    assert_contains(unread.all("set-cookie").join("\n"), "__Secure-postern=;");
}

/// If the session cannot be revoked, the sign-out reports an error and deletes the cookies all the
/// same.
#[test]
#[ignore = "needs the test host: tests/run"]
fn sign_out_takes_the_cookies_away_also_where_the_session_cannot_be_ended() {
    let (host, mut web) = Host::with_web();
    let alice = format!("{SESSION}={}", session(&host, &web, "alice"));
    web.gate.restart();
    let hidden = format!("{KEY}.hidden");
    fs::rename(KEY, &hidden).expect("root may do it");
    let left = with_cookies("out", &[alice.as_bytes()]).sends(&format!("{AUTH}/sign-out"), &[]);
    let called = with_cookies("out", &[alice.as_bytes()]).calls(
        "POST",
        &format!("{AUTH}/api/v1/sign-out"),
        "",
    );
    fs::rename(&hidden, KEY).expect("root may do it");
    for answer in [left, called] {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_contains(answer.all("set-cookie").join("\n"), "__Secure-postern=;");
        assert_contains(&answer.body, "could not be ended");
    }
}

/// An encoded question mark or number sign ends the path in any parser that decodes first.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_path_that_can_be_read_in_two_ways_evades_no_rule() {
    for front in FRONTS {
        let host = Host::fresh();
        let rules = "[[gate.rule]]\npaths = [\"/admin\"]\nmethods = [\"GET\", \"POST\"]\nthen = \"deny\"\n[[gate.rule]]\nthen = \"open\"\n";
        let web = Web::start(&host, front, Place::OwnHost, rules);
        let visitor = Visitor::new();
        assert_eq!(
            visitor.loads(&format!("{APP}/public")).status,
            200,
            "{front:?}"
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
            let answer = visitor.loads(&format!("{APP}{evading}"));
            assert_eq!(answer.status, 403, "{front:?} {evading} {answer:?}");
        }
        let lower = visitor.option("-Xpost").loads(&format!("{APP}/admin"));
        assert!([400, 403].contains(&lower.status), "{front:?} {lower:?}");
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
    let answer = asks(
        "GET /check/nginx",
        &navigating("https://my_app.example.test/x", &cookie),
    );
    assert_eq!(
        (answer.status, answer.header("remote-user")),
        (200, "alice"),
        "{answer:?}"
    );
    let answer = asks(
        "GET /check/nginx",
        &navigating("https://my_app.example.test/x", "A: b"),
    );
    assert!(
        answer
            .header("location")
            .ends_with("?rd=https%3A%2F%2Fmy_app.example.test%2Fx"),
        "{answer:?}"
    );
    for url in [
        "https://app!x/",
        "https://app.example.test/a b",
        "https://app.example.test/\u{fc}",
    ] {
        let answer = asks("GET /check/nginx", &navigating(url, &cookie));
        assert_eq!(answer.status, 401, "{url} {answer:?}");
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
    let answer = tcp_reply(9091, page).expect("an answer");
    assert_eq!(answer.status, 403, "it is no browser: {answer:?}");
    web.gate.says(
        "refused cause=untrusted-proxy: the peer 127.0.0.1 is listed in gate.trusted_proxies as nginx",
    );
    let local = Wire::open().asks("GET /sign-in", &["Host: auth.example.test:8443"], "");
    assert_eq!(local.map(|answer| answer.status), Some(403));
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
    for front in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, front, Place::OwnHost, "");
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
            let said = client
                .args(words)
                .env("HOME", "/tmp")
                .output()
                .expect("the client is installed");
            // git sends more requests, since this application is no repository.
            let got = web.application.arrived();
            assert!(
                !got.is_empty(),
                "{front:?} {call}: {said:?}\n{}",
                web.gate.log()
            );
            assert!(
                got.iter().all(|got| got.value("Remote-User") == "alice"),
                "{front:?} {call}: {got:?}"
            );
        }
        let challenges = |visitor: &Visitor| {
            let answer = visitor
                .option("-HAccept: */*")
                .option(&format!("{APP}/file"))
                .calls("GET", &format!("{APP}/file"), "");
            (answer.status, answer.all("www-authenticate").join(", "))
        };
        let (status, basic) = challenges(&Visitor::new());
        assert!(
            status == 401 && basic.starts_with("Basic realm="),
            "{front:?} {status} {basic}"
        );
        for browser in ["Sec-Fetch-Mode: cors", "X-Requested-With: XMLHttpRequest"] {
            let (status, quiet) = challenges(&Visitor::new().with(browser));
            assert!(
                status == 401 && quiet.starts_with("Bearer realm="),
                "{front:?} {browser} {status} {quiet}"
            );
        }
        // A wrong password on the sign-in page must not open the browser's password dialog.
        let answer = Visitor::new().sends_password(&web.pages, "alice", "wrong");
        assert_eq!(answer.status, 401);
        assert!(
            !answer.header("www-authenticate").starts_with("Basic"),
            "{answer:?}"
        );
    }
}

/// The browser was redirected between the application and the sign-in page for ever, without any
/// message.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_application_that_no_session_reaches_is_said_to_be_one() {
    let (_host, web) = Host::with_web();
    let answer = asks(
        "GET /check/nginx",
        &navigating("https://app.example.org/x", "A: b"),
    );
    let location = answer.header("location").to_owned();
    assert_eq!(
        (answer.status, location.as_str()),
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
    let said = "gate.cookie_domain = \"example.test\" does not cover app.example.org";
    web.gate.says(said);
    assert_eq!(
        web.gate.log().matches(said).count(),
        1,
        "{}",
        web.gate.log()
    );
    let page = Visitor::new().loads(&location);
    assert!(
        page.status == 403 && page.body.contains("app.example.org"),
        "{page:?}"
    );
    let forged = Visitor::new().loads(&format!("{AUTH}/not-covered?host=%3Cb%3Eevil"));
    assert_lacks(&forged.body, "evil");
}

/// An application of the domain planted additional cookies. The user sees a page that reports them
/// and clears them once, and then the sign-in page. Before, every page was a bare 401 for twelve
/// hours.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_browser_with_planted_cookies_gets_rid_of_them_by_itself() {
    for front in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, front, Place::OwnHost, "");
        let mallory = session(&host, &web, "mallory");
        let (alice, phone) = host.web_user("alice");
        let browser = Chromium::start();
        let page = format!("{APP}/notes");
        browser
            .opens(&page)
            .enters_password("alice", &alice.password)
            .arrives_at("Verification code");
        browser
            .enters_code(&phone.code())
            .arrives_at("The application");
        // The planted cookie is limited to this host and path, beside the session of the domain.
        let planted = json!({ "name": SESSION, "value": mallory, "url": APP, "secure": true, "path": "/notes" });
        browser.devtools("Network.setCookie", &planted);
        browser.opens(&page).arrives_at("Conflicting cookies");
        assert!(
            browser.url().starts_with(&web.page("cookies")),
            "{}",
            browser.url()
        );
        web.gate
            .says("refused cause=cookies-conflict address=127.0.0.1 service=web user=\"-\"");
        browser.opens(&page).arrives_at("Sign in");
        host.clock.forward(30);
        browser
            .enters_password("alice", &alice.password)
            .arrives_at("Verification code");
        browser
            .enters_code(&phone.code())
            .arrives_at("The application");
        assert_eq!(
            web.application
                .arrived()
                .last()
                .map(|got| got.value("Remote-User").to_owned()),
            Some("alice".to_owned())
        );
    }
}
