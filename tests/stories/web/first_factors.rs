//! First factors that another program verifies: PAM through the root helper, and nginx with basic
//! auth.

use std::process::Command;
use std::time::{Duration, Instant};
use testhost::{
    APP, Host, PasswordHelper, Person, Postern, Web, WebClient, assert_contains, assert_lacks,
    finished, reconfigure,
};

const SERVICE: &str = "postern-gate";
pub(crate) const SESSION: &str = "__Secure-postern";
const UNIX: &str = "@include common-auth\n@include common-account\n";

/// Starts a gate that verifies passwords by the host's PAM.
#[track_caller]
fn pam(host: &Host) -> (Web, PasswordHelper) {
    host.pam(SERVICE, UNIX);
    let mut web = Web::nginx(host, "");
    reconfigure("[gate]\n", "[gate]\nfirst_factor = \"pam\"\n");
    web.gate.restart();
    (web, PasswordHelper::start())
}

/// Returns the page of a refused sign-in, with the name removed, and its duration.
#[track_caller]
fn refused(web: &Web, name: &str, password: &str) -> (String, Duration) {
    let began = Instant::now();
    let reply = WebClient::new()
        .from(&fresh_address())
        .sends_password(&web.pages, name, password);
    assert_eq!(reply.status, 401, "{name}: {reply:?}");
    assert!(reply.all("set-cookie").is_empty(), "{reply:?}");
    (reply.body.replace(name, "NAME"), began.elapsed())
}

/// Returns an unused address, so that no story is throttled by another one's guesses.
fn fresh_address() -> String {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(10);
    format!("127.0.7.{}", NEXT.fetch_add(1, Ordering::SeqCst))
}

pub(crate) fn in_group(person: &Person, group: &str) {
    // The group may exist from another story.
    let _ = Command::new("groupadd").args(["--force", group]).status();
    finished(Command::new("usermod").args(["--append", "--groups", group, &person.name]));
}

/// L1, L13: PAM verifies Unix accounts, and their groups reach the application.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_password_of_this_host_then_the_code_and_the_hosts_groups_arrive() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    in_group(&alice, "harbour-masters");
    let (web, helper) = pam(&host);
    let phone = alice.enrols();

    let client = WebClient::new();
    let asked = client.password(&web, &alice);
    assert!(
        asked.status == 303 && asked.header("location").starts_with("/code?rd="),
        "{asked:?}"
    );
    let entered = client.code_and_trust(&web, &phone.code());
    entered.redirects_to(303, &format!("{APP}/"));
    assert_eq!(client.follows(&entered).status, 200);
    let got = web.application.got();
    assert_eq!(got.value("Remote-User"), "alice");
    let groups: Vec<_> = got.value("Remote-Groups").split(',').collect();
    assert!(
        groups.contains(&"alice") && groups.contains(&"harbour-masters"),
        "{groups:?}"
    );

    // The browser is trusted, so the host's password suffices.
    client.sends(&web.page("sign-out"), &[]);
    assert_eq!(client.loads(&format!("{APP}/")).status, 302);
    let again = client.password(&web, &alice);
    assert_eq!(again.header("location"), format!("{APP}/"), "{again:?}");

    // A user who signs in for the first time gets an account. Without a second factor, no code is
    // asked.
    assert_contains(&Postern::call("status bob").refuses().err, "bob");
    let client = WebClient::new();
    let entered = client.password(&web, &bob);
    entered.redirects_to(303, &format!("{APP}/"));
    client.follows(&entered);
    assert_eq!(web.application.got().value("Remote-User"), "bob");
    let added = Postern::json("log bob --json --event account-added");
    assert_eq!(added["cause"], "first-sign-in");
    assert_eq!(added["service"], "web");
    for log in [web.gate.log(), helper.log()] {
        assert_lacks(&log, &alice.password);
        assert_lacks(&log, "panicked");
    }
}

/// L14: before the first factor, all refusals by PAM have the same text and the same delay.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_pam_does_not_let_in_is_refused_alike_in_text_and_time() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let (web, helper) = pam(&host);
    alice.enrols();
    let wrong = refused(&web, "alice", "not the password");
    let others = [
        refused(&web, "bob", "not the password"),
        refused(&web, "nobody-of-that-name", "not the password"),
        refused(&web, "root", "not the password"),
        refused(&web, "alice", ""),
        refused(&web, "alice", &"x".repeat(600)),
    ];
    finished(Command::new("usermod").args(["--lock", "bob"]));
    let locked = refused(&web, "bob", &bob.password);
    finished(Command::new("usermod").args(["--unlock", "bob"]));
    finished(Command::new("chage").args(["-E", "0", "bob"]));
    let expired = refused(&web, "bob", &bob.password);
    finished(Command::new("chage").args(["-E", "-1", "bob"]));
    helper.says("refused cause=account-refused");
    // The name is now throttled, and its password is not verified.
    for _ in 0..2 {
        refused(&web, "alice", "not the password");
    }
    let delayed = refused(&web, "alice", &alice.password);
    web.gate.says("refused cause=password-delayed-30s");
    for (text, took) in others.into_iter().chain([locked, expired, delayed]) {
        assert_eq!(text, wrong.0);
        let apart = took.abs_diff(wrong.1);
        assert!(
            took >= Duration::from_secs(4) && apart < Duration::from_millis(700),
            "{took:?} {:?}",
            wrong.1
        );
    }
    assert!(
        Postern::call("status bob").refuses().err.contains("bob"),
        "no refusal made an account"
    );
}

/// The gate cannot choose the PAM service. A service that would ask for a code itself is not used.
#[test]
#[ignore = "needs the test host: tests/run"]
fn pam_is_asked_by_the_service_that_the_configuration_names() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let (web, helper) = pam(&host);
    let signs_in = || {
        WebClient::new()
            .from(&fresh_address())
            .password(&web, &alice)
    };
    assert_eq!(signs_in().status, 303);

    host.pam(
        "postern-other",
        "auth required pam_unix.so\nauth required pam_deny.so\naccount required pam_unix.so\n",
    );
    reconfigure("[gate]\n", "[gate]\npam_service = \"postern-other\"\n");
    assert_eq!(
        signs_in().status,
        401,
        "the helper uses the current configuration"
    );
    host.pam(
        "postern-other",
        &format!("{UNIX}auth required pam_totp.so\n"),
    );
    let out_of_order = signs_in();
    assert_eq!(out_of_order.status, 503, "{out_of_order:?}");
    helper.says("/etc/pam.d/postern-other:3: holds pam_totp.so");
    web.gate.says("refused cause=password-unavailable");
    host.pam("postern-other", UNIX);
    assert_eq!(signs_in().status, 303, "what was not asked was not charged");

    reconfigure(
        "pam_service = \"postern-other\"",
        "pam_service = \"../shadow\"",
    );
    assert_eq!(
        signs_in().status,
        303,
        "the last valid copy names the default"
    );
    helper.says("gate.pam_service: must be the name of a file in /etc/pam.d");
    drop(helper);
    let absent = signs_in();
    assert_eq!(absent.status, 503, "{absent:?}");
    web.gate.says("postern-password does not answer");
    assert_lacks(web.gate.log(), "panicked");
}
