//! Trusted browsers and sessions, and how they end.

use nix::sys::signal::Signal;
use testhost::{APP, Host, Person, Phone, Postern, Web, WebClient, Wire, assert_contains};

const BROWSER: &str = "__Host-postern-browser";

/// Starts a gate with a user who trusts this browser.
#[track_caller]
fn trusted(host: &Host) -> (Web, WebClient, Person, Phone) {
    let web = Web::nginx(host, "");
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in_and_trusts(&web, &alice, &phone.code());
    (web, client, alice, phone)
}

/// Returns whether the password alone suffices.
#[track_caller]
fn is_trusted(web: &Web, client: &WebClient, person: &Person) -> bool {
    let reply = client.password(web, person);
    assert_eq!(reply.status, 303, "{reply:?}");
    let page = reply.header("location").split('?').next();
    !page.is_some_and(|page| page.ends_with("/code"))
}

#[track_caller]
fn browsers(person: &Person) -> usize {
    let listed = Postern::call(&format!("browser list {} --json", person.name)).does();
    listed.json().as_array().map_or(0, Vec::len)
}

/// T1, T2: the cookie is valid for one account and 30 days.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_trusted_browser_is_asked_for_the_password_only() {
    let host = Host::fresh();
    let (web, client, alice, phone) = trusted(&host);
    let bob = host.person("bob");
    bob.has_a_password();
    bob.enrols();

    assert!(is_trusted(&web, &client, &alice));
    assert!(
        !is_trusted(&web, &WebClient::new(), &alice),
        "another browser is asked"
    );
    assert!(
        !is_trusted(&web, &client, &bob),
        "so is another account in this one"
    );
    let wrong = client.sends_password(&web.pages, "alice", "not the password");
    assert_eq!(wrong.status, 401, "{wrong:?}");
    assert!(is_trusted(&web, &client, &alice));

    host.clock.forward(31 * 86_400);
    assert!(!is_trusted(&web, &client, &alice), "its period is over");
    client.code_and_trust(&web, &phone.code());
    assert!(is_trusted(&web, &client, &alice));
    client.deletes_cookies(BROWSER);
    assert!(!is_trusted(&web, &client, &alice), "its cookie is gone");
}

/// T3: two tabs, or a lost reply.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_answer_lost_on_the_way_stays_trusted_after_a_code() {
    let host = Host::fresh();
    let (web, client, alice, phone) = trusted(&host);
    let before = client.copy_of_cookies();
    assert!(is_trusted(&web, &client, &alice));
    // The reply with the new cookie was lost: the old cookie requires a code.
    assert!(!is_trusted(&web, &before, &alice));
    host.clock.forward(30);
    let entered = before.code(&web, &phone.code());
    assert_eq!(entered.status, 303, "{entered:?}");
    assert_eq!(browsers(&alice), 1);
    assert!(is_trusted(&web, &before, &alice));
    assert_eq!(browsers(&alice), 1);
}

/// T3: an attacker copies the cookie of a trusted browser.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_stolen_old_cookie_revokes_the_browser() {
    let host = Host::fresh();
    let (web, client, alice, _) = trusted(&host);
    let thief = client.copy_of_cookies();
    // The owner has used the new cookie, so the old one can only be a copy.
    assert!(is_trusted(&web, &client, &alice));
    assert!(is_trusted(&web, &client, &alice));
    assert!(!is_trusted(&web, &thief, &alice));
    assert_eq!(browsers(&alice), 0);
    assert!(!is_trusted(&web, &client, &alice));
    let log = Postern::call("log").does();
    assert_contains(&log.out, "an old cookie was used after a newer one");
}

/// Two tabs on the code page trust one browser, not two.
#[test]
#[ignore = "needs the test host: tests/run"]
fn two_tabs_trust_one_browser() {
    let host = Host::fresh();
    let (web, client, alice, phone) = trusted(&host);
    Postern::call("browser revoke alice --all").does();
    assert!(!is_trusted(&web, &client, &alice));
    let second = client.copy_of_cookies();
    assert!(!is_trusted(&web, &second, &alice));
    host.clock.forward(30);
    assert_eq!(client.code_and_trust(&web, &phone.code()).status, 303);
    // The browser sends the cookie that the first tab received.
    let ticket = second.cookie("__Host-postern-login");
    host.clock.forward(30);
    let line = format!(
        "Cookie: {BROWSER}={}; __Host-postern-login={ticket}",
        client.cookie(BROWSER)
    );
    let entered = WebClient::new()
        .with(&line)
        .code_and_trust(&web, &phone.code());
    assert_eq!(entered.status, 303, "{entered:?}");
    assert_eq!(browsers(&alice), 1);
}

/// T4: after the revocation, a code is required.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_revoked_browser_is_asked_again() {
    let host = Host::fresh();
    let (web, client, alice, _) = trusted(&host);
    assert_eq!(browsers(&alice), 1);
    Postern::call("browser revoke alice --all").does();
    assert!(!is_trusted(&web, &client, &alice));
    assert_eq!(browsers(&alice), 0);
}

/// Promise 3: a gate that was stopped before a revocation was reported as done, and continues
/// afterwards, denies access.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_gate_that_slept_through_a_revocation_allows_nothing() {
    let host = Host::fresh();
    let (web, client, alice, _) = trusted(&host);
    let cookie = client.cookie_header("__Secure-postern");
    let mut wire = Wire::open();
    assert_eq!(wire.checks(&[&cookie]).status, 200);

    web.gate.signal(Signal::SIGSTOP);
    Postern::call("session revoke alice --all").does();
    Postern::call("browser revoke alice --all").does();
    web.gate.signal(Signal::SIGCONT);
    for number in 0..10_000 {
        let reply = wire.checks(&[&cookie]);
        assert_eq!(reply.status, 401, "check {number}");
    }
    assert!(!is_trusted(&web, &client, &alice));
}

/// Promise 3, while the gate runs.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_is_revoked_is_refused_from_the_next_check_on() {
    let host = Host::fresh();
    let (web, client, alice, phone) = trusted(&host);
    let page = format!("{APP}/");
    let commands = ["session revoke alice --all", "disable alice"];
    for command in commands {
        assert_eq!(client.loads(&page).status, 200);
        Postern::call(command).does();
        assert_eq!(client.loads(&page).status, 302, "{command}");
        assert!(is_trusted(&web, &client, &alice), "{command}");
    }
    assert_eq!(client.loads(&page).status, 200);
    alice.has_a_password();
    assert_eq!(client.loads(&page).status, 302, "the password was changed");
    drop(phone);
}

/// If the second factor is disabled between the two pages of a sign-in, the sign-in ends without a
/// session.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_sign_in_in_flight_ends_with_what_it_began_with() {
    let host = Host::fresh();
    let (web, _, alice, phone) = trusted(&host);
    let client = WebClient::new();
    client.password(&web, &alice);
    Postern::call("disable alice").does();
    host.clock.forward(30);
    let reply = client.code_and_trust(&web, &phone.code());
    assert_eq!(reply.status, 401, "{reply:?}");
    assert_contains(&reply.body, "start again");
}

/// The login token between the pages expires after ten minutes, and is not a session.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_login_ticket_is_good_for_ten_minutes_and_for_nothing_else() {
    let host = Host::fresh();
    let (web, _, alice, phone) = trusted(&host);
    host.clock.forward(30);
    let client = WebClient::new();
    client.password(&web, &alice);
    let ticket = client.cookie("__Host-postern-login");
    let posing = WebClient::new().with(&format!("Cookie: __Secure-postern={ticket}"));
    assert_eq!(posing.loads(&format!("{APP}/")).status, 302);
    host.clock.forward(601);
    assert_eq!(client.code(&web, &phone.code()).status, 401);
}

/// A session expires at its end, whatever activity there was.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_session_ends_after_twelve_hours() {
    let host = Host::fresh();
    let (web, client, ..) = trusted(&host);
    host.clock.forward(12 * 3600 - 1);
    let page = format!("{APP}/");
    assert_eq!(client.loads(&page).status, 200);
    host.clock.forward(1);
    assert_eq!(client.loads(&page).status, 302);
    drop(web);
}
