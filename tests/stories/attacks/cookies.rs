//! Cookies, headers, paths and hosts that can be parsed in two ways; peers that are no trusted
//! proxy; replies to clients that show no pages.

use serde_json::json;
use std::fs;
use testhost::{
    APP, AUTH, Chromium, Host, KEY, PROOF, PagesAt, Proxy, Reply, Web, WebClient, Wire,
    assert_contains, reconfigure,
};

pub(crate) const FRONTS: [Proxy; 7] = Proxy::ALL;
pub(crate) const SESSION: &str = "__Secure-postern";

/// Signs in a new user. Returns the session cookie.
#[track_caller]
pub(crate) fn session(host: &Host, web: &Web, name: &str) -> String {
    let person = host.person(name);
    person.has_a_password();
    let phone = person.enrols();
    let client = WebClient::new();
    client.signs_in(web, &person, &phone.code());
    client.cookie(SESSION)
}

/// Returns a client whose Cookie lines contain exactly these bytes.
fn with_cookies(name: &str, lines: &[&[u8]]) -> WebClient {
    let path = format!("/tmp/cookies-{name}");
    let line = |line: &&[u8]| [b"Cookie: ", *line, b"\n"].concat();
    fs::write(&path, lines.iter().map(line).collect::<Vec<_>>().concat())
        .expect("/tmp can be written");
    WebClient::new().with(&format!("@{path}"))
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
fn a_foreign_cookie_in_any_encoding_locks_no_user_out_and_arrives_as_it_was() {
    for proxy in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, PagesAt::OwnHost, "");
        let alice = session(&host, &web, "alice");
        let page = format!("{APP}/");
        for foreign in foreign() {
            let shown = String::from_utf8_lossy(foreign).into_owned();
            let ours = format!("; {SESSION}={alice}; b=2");
            let reply =
                with_cookies("foreign", &[&[foreign, ours.as_bytes()].concat()]).loads(&page);
            assert_eq!(reply.status, 200, "{proxy:?} {shown}: {reply:?}");
            let got = web.application.got();
            // Envoy replaces what is not UTF-8 before it asks the gate.
            let arrives = match proxy {
                Proxy::Envoy => shown.replace('\u{fffd}', "!"),
                _ => shown.clone(),
            };
            assert_eq!(got.value("Cookie"), format!("{arrives}; b=2"), "{proxy:?}");
            assert_eq!(got.value("Remote-User"), "alice", "{proxy:?}");
            let attacker = with_cookies("stranger", &[foreign]).loads(&page);
            assert_eq!(attacker.status, 302, "{proxy:?} {shown}: {attacker:?}");
        }
        web.application.got_nothing();
    }
}

/// A sibling host sets cookies under Postern's name, or a change of cookie_domain leaves an old
/// cookie behind. The user's own session is still accepted.
#[test]
#[ignore = "needs the test host: tests/run"]
fn planted_cookies_under_our_name_lock_no_user_out() {
    let (host, mut web) = Host::with_web();
    let alice = session(&host, &web, "alice");
    let planted: String = (0..200)
        .map(|n| format!("{SESSION}=planted-{n:03}; "))
        .collect();
    let stale = format!("{SESSION}={}A; ", &alice[..alice.len() - 1]);
    for before in [planted.as_str(), &stale, &format!("{SESSION}={alice}; ")] {
        let reply = Wire::open().checks(&[&format!("Cookie: {before}{SESSION}={alice}")]);
        assert_eq!(
            (reply.status, reply.header("remote-user")),
            (200, "alice"),
            "{before} {reply:?}"
        );
        assert_eq!(reply.header("cookie"), "");
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
    let reply = page(&format!("Cookie: {SESSION}={alice}")).expect("an answer");
    assert_eq!(reply.status, 401, "{reply:?}");
    assert!(
        reply
            .header("location")
            .starts_with("https://gate.auth.example.test:8443/sign-in?rd=")
    );
}

/// Header lines of a check of a page load.
pub(crate) fn navigating(url: &str, more: &str) -> Vec<String> {
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
pub(crate) fn asks(request: &str, lines: &[String]) -> Reply {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Wire::open()
        .asks(request, &lines, "")
        .expect("the gate answers")
}

/// A sibling host sets its own account's session cookie beside a user's, or in place of it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn two_valid_sessions_that_disagree_lead_to_a_page_that_clears_them() {
    for proxy in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, PagesAt::OwnHost, "");
        let (alice, bob) = (session(&host, &web, "alice"), session(&host, &web, "bob"));
        let both = format!("{SESSION}={alice}; a=1; {SESSION}={bob}");
        let client = with_cookies("both", &[both.as_bytes()]);
        let reply = client.loads(&format!("{APP}/"));
        assert_eq!(reply.status, 302, "{proxy:?} {reply:?}");
        assert_eq!(
            reply.header("location"),
            format!("{AUTH}/cookies"),
            "{proxy:?}"
        );
        let reply = client.fetches(&format!("{APP}/"));
        assert_eq!(
            (reply.status, reply.all("location").len()),
            (401, 0),
            "{proxy:?} {reply:?}"
        );
        web.gate
            .says("refused cause=cookies-conflict address=127.0.0.1 service=web");
        let page = client.loads(&format!("{AUTH}/cookies"));
        assert_eq!(
            page.header("clear-site-data"),
            "\"cookies\"",
            "{proxy:?} {page:?}"
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
        assert_eq!(page.status, 403, "{proxy:?} {page:?}");
        let page = with_cookies("one", &[b"a=1"]).sends(&format!("{AUTH}/cookies"), &[]);
        assert_eq!(
            page.header("clear-site-data"),
            "\"cookies\"",
            "{proxy:?} {page:?}"
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
    for reply in [left, called] {
        assert_eq!(reply.status, 503, "{reply:?}");
        assert_contains(reply.all("set-cookie").join("\n"), "__Secure-postern=;");
        assert_contains(&reply.body, "could not be ended");
    }
}

/// An application of the domain planted additional cookies. The user sees a page that reports them
/// and clears them once, and then the sign-in page. Before, every page was a bare 401 for twelve
/// hours.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_browser_with_planted_cookies_gets_rid_of_them_by_itself() {
    for proxy in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, PagesAt::OwnHost, "");
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
