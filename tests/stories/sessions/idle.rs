//! `gate.idle_timeout`: a session ends without requests, and no restart extends it.

use nix::sys::signal::Signal;
use testhost::{
    APP, Host, Person, Phone, Web, WebClient, assert_contains, assert_lacks, reconfigure,
};

const TIMEOUT: &str = "[gate]\nidle_timeout = \"10m\"\n";

/// Starts a gate with an idle timeout of ten minutes, and a user who has signed in.
#[track_caller]
fn signed_in(host: &Host) -> (Web, WebClient, Person, Phone) {
    let mut web = Web::nginx(host, "");
    reconfigure("[gate]\n", TIMEOUT);
    web.gate.restart();
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    (web, client, alice, phone)
}

/// Returns whether the session is valid, for an application and for the gate's own pages.
#[track_caller]
fn is_signed_in(web: &Web, client: &WebClient) -> bool {
    let status = client.loads(&format!("{APP}/")).status;
    assert!(status == 200 || status == 302, "{status}");
    let own = client.loads(&web.page("sign-ins")).status;
    assert_eq!(own == 200, status == 200, "the gate's pages agree: {own}");
    status == 200
}

/// W4: used every few minutes a session stays, idle it ends, before and after a restart.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_session_lasts_while_it_is_used_and_ends_when_it_is_not() {
    let host = Host::fresh();
    let (mut web, client, alice, phone) = signed_in(&host);
    for _ in 0..4 {
        host.clock.forward(540);
        assert!(is_signed_in(&web, &client), "used nine minutes ago");
    }
    web.gate.stop();
    web.gate.restart();
    host.clock.forward(540);
    assert!(is_signed_in(&web, &client), "the store knows the last use");

    host.clock.forward(661);
    assert!(!is_signed_in(&web, &client), "idle");
    assert!(!is_signed_in(&web, &client), "asking again is no use");
    web.gate.stop();
    web.gate.restart();
    assert!(!is_signed_in(&web, &client), "nor is a restart");
    host.clock.back(300);
    assert!(is_signed_in(&web, &client), "the same minute as before");

    // What a crash loses ends the session early, and never late.
    host.clock.forward(500);
    assert!(is_signed_in(&web, &client));
    web.gate.crash();
    web.gate.restart();
    host.clock.forward(300);
    assert!(!is_signed_in(&web, &client), "the last use was not stored");

    // A session at level password ends alike.
    let half = WebClient::new();
    reconfigure(
        "idle_timeout",
        "rule = [{ paths = [\"/cheap\"], then = \"password\" }]\nidle_timeout",
    );
    web.gate.signal(Signal::SIGHUP);
    web.gate.says("reloaded");
    let rd = format!("{APP}/cheap");
    let fields = [
        ("rd", rd.as_str()),
        ("user", "alice"),
        ("password", &alice.password),
        ("recovery", ""),
    ];
    half.sends(&web.page("sign-in"), &fields)
        .redirects_to(303, &rd);
    host.clock.forward(540);
    assert_eq!(half.loads(&rd).status, 200);
    host.clock.forward(661);
    assert_contains(half.loads(&rd).header("location"), "/sign-in");

    // A reload keeps what it knows.
    let other = WebClient::new();
    other.signs_in(&web, &alice, &phone.code());
    host.clock.forward(500);
    assert!(is_signed_in(&web, &other));
    web.gate.signal(Signal::SIGHUP);
    host.clock.forward(500);
    assert!(is_signed_in(&web, &other));
    assert_lacks(web.gate.log(), "cannot be stored");
}
