//! An application that is not trusted, beside others: the gate's pages are at a path of its own
//! host, and its sessions are valid there alone.

use testhost::{APP, Host, Postern, WebClient, assert_lacks, on_test_ports, reconfigure};

const GUESTBOOK: &str = "https://other.example.test:8443";

/// T6, S1: the application cannot use the session at another host.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_session_of_one_application_is_refused_at_another() {
    let (host, mut web) = Host::with_web();
    reconfigure(
        "[gate]",
        &format!("[gate]\napplication_urls = [\"{GUESTBOOK}/_postern/\"]"),
    );
    web.gate.restart();
    let printed = Postern::call("print-config nginx --app other.example.test")
        .does()
        .out;
    let (_, server) = printed.split_once("\nserver {").expect("a server");
    let server = format!("server {{{}", on_test_ports(server));
    web.change_nginx(|text| format!("{text}\n{server}"));
    let (alice, phone) = host.web_user("alice");

    // The application's page redirects to the sign-in page on its own host, which sets host-only
    // cookies.
    let browser = WebClient::new();
    let sent = browser.loads(&format!("{GUESTBOOK}/page"));
    assert!(
        sent.header("location")
            .starts_with(&format!("{GUESTBOOK}/_postern/sign-in?rd=")),
        "{sent:?}"
    );
    let pages = format!("{GUESTBOOK}/_postern/");
    let rd = format!("{GUESTBOOK}/page");
    let fields = [
        ("rd", rd.as_str()),
        ("user", "alice"),
        ("password", &alice.password),
        ("recovery", ""),
    ];
    assert_eq!(
        browser.sends(&format!("{pages}sign-in"), &fields).status,
        303
    );
    let entered = browser.sends(
        &format!("{pages}code"),
        &[("code", &phone.code()), ("trust", "yes")],
    );
    assert_eq!(entered.header("location"), rd);
    for (name, value) in &entered.headers {
        assert!(
            name != "set-cookie" || !value.contains("Domain="),
            "{value}"
        );
    }
    assert_eq!(browser.loads(&rd).status, 200);
    assert_eq!(browser.fetches(&format!("{APP}/")).status, 401);
    // The attacker copies the cookie to another host, under either name.
    let value = browser.cookie("__Host-postern");
    for name in ["__Host-postern", "__Secure-postern"] {
        let thief = WebClient::new().with(&format!("Cookie: {name}={value}"));
        assert_eq!(thief.fetches(&format!("{APP}/")).status, 401, "{name}");
        assert!(
            !thief.loads(&web.pages).body.contains("Your account"),
            "{name}"
        );
    }
    // The application's scripts share the origin, so no step-up is kept and critical acts require a
    // proof.
    assert_eq!(browser.sends(&format!("{pages}turn-off"), &[]).status, 403);

    // The session of the parent domain is refused at this application.
    host.clock.forward(30);
    let member = WebClient::new();
    member.signs_in(&web, &alice, &phone.code());
    assert_eq!(member.fetches(&format!("{APP}/")).status, 200);
    assert_eq!(member.fetches(&format!("{GUESTBOOK}/page")).status, 401);
    let value = member.cookie("__Secure-postern");
    let thief = WebClient::new().with(&format!("Cookie: __Host-postern={value}"));
    assert_eq!(thief.fetches(&format!("{GUESTBOOK}/page")).status, 401);

    // The sign-out at this host does not end the session at the other.
    browser.sends(&format!("{pages}sign-out"), &[]);
    assert_eq!(browser.fetches(&rd).status, 401);
    assert_eq!(member.fetches(&format!("{APP}/")).status, 200);
    assert_lacks(web.gate.log(), "panicked");
}
