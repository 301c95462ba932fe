//! Sign-in at the web, through nginx and Traefik, on a host of its own and on a path.

use std::net::TcpStream;
use std::process::Command;
use testhost::{
    APP, Host, PROOF, PagesAt, Postern, Proxy, Web, WebClient, Wire, assert_contains, assert_lacks,
    finished, reconfigure,
};

const WAYS: [(Proxy, PagesAt); 4] = [
    (Proxy::Nginx, PagesAt::OwnHost),
    (Proxy::Nginx, PagesAt::Path),
    (Proxy::Traefik, PagesAt::OwnHost),
    (Proxy::Traefik, PagesAt::Path),
];

/// L1, L3, T1, T6, D-N1: sign-in and sign-out without scripts.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_page_asked_for_comes_after_password_and_code() {
    for (proxy, pages_at) in WAYS {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, pages_at, "");
        let (alice, phone) = host.web_user("alice");
        let client = WebClient::new();

        let asked = format!("{APP}/notes/7?a=1&b=%2Fx%20y&c='\\");
        let sent = client.loads(&asked);
        assert_eq!(sent.status, 302, "{proxy:?} {pages_at:?} {sent:?}");
        web.application.got_nothing();
        let page = client.follows(&sent);
        assert_eq!(page.status, 200, "{page:?}");
        let rd = page
            .body
            .split("name=\"rd\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let rd = rd
            .expect("the form holds the page asked for")
            .replace("&#38;", "&")
            .replace("&#39;", "'");
        assert_eq!(rd, asked);

        let sign_in = web.page("sign-in");
        let fields = [
            ("rd", rd.as_str()),
            ("user", "alice"),
            ("password", &alice.password),
        ];
        let after_password = client.sends(&sign_in, &fields);
        assert_eq!(after_password.status, 303, "{after_password:?}");
        assert!(
            !client
                .cookies()
                .iter()
                .any(|(name, _)| name.ends_with("postern")),
            "no session yet"
        );
        let code_page = client.loads(&web.page("code"));
        assert_contains(&code_page.body, "one-time-code");
        let entered = client.code_and_trust(&web, &phone.code());
        entered.redirects_to(303, &asked);

        let page = client.follows(&entered);
        assert_eq!(page.status, 200, "{page:?}");
        let got = web.application.got();
        assert_eq!(
            got.request,
            format!(
                "GET {}",
                asked.strip_prefix(APP).expect("a page of the application")
            )
        );
        assert_eq!(got.value("Remote-User"), "alice");
        assert_eq!(
            (got.value("Cookie"), got.value("X-Postern-Proxy")),
            ("", ""),
            "{got:?}"
        );

        let out = client.sends(&web.page("sign-out"), &[]);
        assert_eq!(out.status, 200, "{out:?}");
        assert_eq!(client.loads(&asked).status, 302);
        assert_eq!(client.fetches(&asked).status, 401);
        web.application.got_nothing();

        let again = client.password(&web, &alice);
        assert_eq!(
            (again.status, again.header("location")),
            (303, format!("{APP}/").as_str()),
            "no code asked"
        );
        assert_eq!(client.follows(&again).status, 200);
        assert_eq!(web.application.got().value("Remote-User"), "alice");
        assert_lacks(web.gate.log(), "panicked");

        Postern::call("disable alice").does();
        assert_eq!(client.loads(&asked).status, 302, "an open session is over");
        web.application.got_nothing();
        let alone = client.password(&web, &alice);
        assert_eq!(
            (alone.status, alone.header("location")),
            (303, format!("{APP}/").as_str()),
            "no code to ask"
        );
    }
}

/// "Start again" on the code page: the user signs in by another name and still reaches the requested
/// page.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_starts_again_keeps_the_requested_page() {
    let (host, web) = Host::with_web();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.has_a_password();
    alice.enrols();
    bob.has_a_password();
    let phone = bob.enrols();
    let client = WebClient::new();
    let asked = format!("{APP}/notes/7?a=1&b=%2Fx%20y");
    let sign_in = web.page("sign-in");
    let with = |name: &str, password: &str, rd: &str| {
        let sent = client.sends(
            &sign_in,
            &[("rd", rd), ("user", name), ("password", password)],
        );
        assert_eq!(sent.status, 303, "{sent:?}");
    };
    with("alice", &alice.password, &asked);
    for page in ["code", "code?other"] {
        let page = client.loads(&format!("{}{page}", web.pages));
        let link = page
            .body
            .split("\">Start again</a>")
            .next()
            .and_then(|text| text.rsplit("href=\"").next());
        let link = link.expect("a link").replace("&#38;", "&");
        let page = client.loads(&format!("{}{}", web.pages, link.trim_start_matches('/')));
        assert_eq!(page.status, 200, "{link}: {page:?}");
        let rd = page
            .body
            .split("name=\"rd\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        assert_eq!(
            rd.map(|rd| rd.replace("&#38;", "&")).as_deref(),
            Some(asked.as_str()),
            "{link}"
        );
    }
    with("bob", &bob.password, &asked);
    let entered = client.code(&web, &phone.code());
    entered.redirects_to(303, &asked);
    client.follows(&entered);
    assert_eq!(web.application.got().value("Remote-User"), "bob");
}

/// The default port may be written in gate.url and in a client's Host header.
#[test]
#[ignore = "needs the test host: tests/run"]
fn port_443_may_be_written_or_left_out() {
    let (host, mut web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    reconfigure(
        "https://auth.example.test:8443/",
        "https://auth.example.test:443/",
    );
    web.gate.restart();
    finished(Command::new("sed").args([
        "-i",
        "s/listen 8443/listen 443/",
        "/etc/nginx/conf.d/postern.conf",
    ]));
    finished(Command::new("nginx").args(["-s", "reload"]));
    let client = WebClient::new();
    let asked = "https://app.example.test/notes";
    testhost::patiently("nginx listens on the new port", || {
        TcpStream::connect("127.0.0.1:443").map(Some)
    });
    let sent = client.loads(asked);
    let page = "https://auth.example.test/sign-in?rd=https%3A%2F%2Fapp.example.test%2Fnotes";
    sent.redirects_to(302, page);
    assert_eq!(client.follows(&sent).status, 200);
    let fields = [
        ("rd", asked),
        ("user", "alice"),
        ("password", &alice.password),
    ];
    assert_eq!(
        client
            .sends("https://auth.example.test/sign-in", &fields)
            .status,
        303
    );
    let entered = client.sends_code("https://auth.example.test/", &phone.code(), "");
    entered.redirects_to(303, asked);
    assert_eq!(client.follows(&entered).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "alice");

    let proof = format!("X-Postern-Proxy: {PROOF}");
    for (named, status) in [
        ("auth.example.test", 200),
        ("auth.example.test:443", 200),
        ("AUTH.example.test:443", 200),
        ("auth.example.test:8443", 421),
        ("auth.example.test:443:443", 421),
        ("auth.example.test:", 421),
    ] {
        let reply = Wire::open().asks(
            "GET /sign-in",
            &[&format!("Host: {named}"), &proof, "X-Real-IP: 192.0.2.7"],
            "",
        );
        assert_eq!(reply.expect("an answer").status, status, "{named}");
    }
}
