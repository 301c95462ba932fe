//! Numbered traps of other systems that appear only with the real servers; shared/tests/traps and
//! pam_totp hold the others. The mail story `mail_goes_by_tls_by_a_webhook_and_by_a_program` covers
//! the part of trap 8 about a code in a subject.

use std::fs;
use testhost::{APP, Host, Postern, Store, WebClient, Wire, assert_contains};

const URLS: &str = "/var/log/nginx/access.log";
const SESSION: &str = "__Secure-postern";

/// The token must appear neither in a URL or form of a page nor in a log of the proxy or the gate.
#[test]
#[ignore = "needs the test host: tests/run"]
fn trap_08_pending_token_in_a_url() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let (client, code) = (WebClient::new(), phone.code());

    let sent = client.loads(&format!("{APP}/"));
    let page = client.follows(&sent);
    let asked = client.password(&web, &alice);
    let ticket = client.cookie("__Host-postern-login");
    let code_page = client.loads(&web.page("code"));
    let entered = client.code_and_trust(&web, &code);
    let inside = client.follows(&entered);
    assert_eq!(
        (asked.status, entered.status, inside.status),
        (303, 303, 200),
        "{entered:?}"
    );

    let cookies = [
        ticket,
        client.cookie(SESSION),
        client.cookie("__Host-postern-browser"),
    ];
    let hidden = [cookies.as_slice(), &[code, alice.password.clone()]].concat();
    for reply in [sent, page, asked, code_page, entered, inside] {
        let others = reply
            .headers
            .iter()
            .filter(|(name, _)| name != "set-cookie");
        for text in others.map(|(_, value)| value).chain([&reply.body]) {
            assert!(!hidden.iter().any(|part| text.contains(part)), "{text}");
        }
    }
    let urls = fs::read_to_string(URLS).expect("nginx logs every URL");
    assert_contains(&urls, "POST /code");
    for log in [urls, web.gate.log()] {
        assert!(!hidden.iter().any(|part| log.contains(part)), "{log}");
    }
}

/// A check may write only the time when a session was last seen, in one batch a minute.
#[test]
#[ignore = "needs the test host: tests/run"]
fn trap_20_a_session_written_to_the_store_at_every_check() {
    let (host, web) = Host::with_web();
    let alice = host.person("alice");
    alice.has_a_password();
    let client = WebClient::new();
    client.signs_in(&web, &alice, &alice.enrols().code());
    let cookie = client.cookie_header(SESSION);
    let (store, mut wire) = (Store::open(), Wire::open());
    let version = || store.number("PRAGMA data_version");
    let mut seen = version();
    let mut writes = 0;
    for _ in 0..500 {
        let allowed = wire.checks(&[&cookie]);
        assert_eq!(
            (allowed.status, allowed.header("remote-user")),
            (200, "alice")
        );
        let now = version();
        writes += u32::from(std::mem::replace(&mut seen, now) != now);
    }
    assert!(writes <= 1, "{writes} writes in 500 checks");
    Postern::call("unlock alice").does();
    assert_ne!(version(), seen, "a write shows");
}
