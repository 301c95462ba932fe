//! Users without root change their own second factor by the command, over pam.sock.

use std::process::Command;
use testhost::{
    Host, PAM_SOCKET, PamPeer, Phone, Postern, Posternd, Store, Terminal, assert_contains,
    assert_lacks,
};

pub(crate) const PAM_PEER: &str = env!("CARGO_BIN_EXE_pam_peer");

#[track_caller]
pub(crate) fn uid_of(name: &str) -> u32 {
    nix::unistd::User::from_name(name)
        .ok()
        .flatten()
        .expect("a user")
        .uid
        .as_raw()
}

/// Sends a request to pam.sock as a user with this uid, and returns the reply.
#[track_caller]
pub(crate) fn sent_as(uid: u32, request: &str) -> String {
    PamPeer::start(PAM_PEER, uid, PAM_SOCKET).sends_command(request)
}

pub(crate) fn look(account: &str) -> String {
    format!("{{\"account\":\"{account}\",\"task\":{{\"look\":\"status\"}}}}")
}

/// N8, E4, E6: the first enrollment requires the administrator's one-time code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_first_setup_takes_the_administrators_one_time_code() {
    let host = Host::without_posternd();
    let alice = host.person("alice");
    let posternd = Posternd::start();
    Postern::call("account add alice").does();
    let code = Postern::one_time_code("alice");

    let output = alice.postern("enroll").types(&alice.password).refuses();
    assert_contains(&output.err, "postern one-time-code alice");
    let setup = || {
        let mut terminal = Terminal::run(alice.postern("enroll").command());
        terminal
            .expect("or a one-time code from the administrator: ")
            .types(&code);
        let screen = terminal
            .expect("Scan it, then enter the code that your app shows: ")
            .screen();
        let url = screen
            .lines()
            .find_map(|line| line.strip_prefix("URL: "))
            .expect("a URL");
        let phone = Phone::scans(url.trim());
        (terminal, phone)
    };
    let before = Store::open().dump();
    let (mut terminal, phone) = setup();
    terminal.types(&phone.code()).expect("type \"saved\": ");
    assert!(!terminal.is_interrupted().status.success());
    assert_eq!(
        Store::open().dump(),
        before,
        "a setup that is cut off leaves no trace and the code good"
    );

    let (mut terminal, phone) = setup();
    terminal
        .types(&phone.wrong())
        .expect("That code is wrong")
        .types(&phone.code());
    terminal
        .expect("Recovery codes:")
        .expect("type \"saved\": ")
        .types("saved");
    let ended = terminal.ends();
    assert_contains(&ended.transcript, "the second factor of alice is on");
    assert_eq!(alice.postern("status --json").does().json()["state"], "on");
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
    alice.with_key().enters_with(&phone.code_in(1));

    let again = alice
        .postern("enroll")
        .input(&format!("{code}\n"))
        .refuses();
    assert_contains(&again.err, "has a second factor already");
    assert_lacks(posternd.log(), &code);
    assert_lacks(posternd.log(), phone.secret());
}

/// N8, D4: each change requires a code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn each_change_takes_a_code() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    let _posternd = Posternd::start();

    let mut terminal = Terminal::run(alice.postern("authenticator add --name token").command());
    terminal.expect("Verification code: ").types(&phone.code());
    let screen = terminal.expect("your app shows: ").screen();
    let url = screen
        .lines()
        .find_map(|line| line.strip_prefix("URL: "))
        .expect("a URL");
    let token = Phone::scans(url.trim());
    terminal.types(&token.code());
    let ended = terminal.ends();
    assert_contains(
        &ended.transcript,
        "alice has an additional authenticator, token",
    );
    assert_eq!(
        alice.postern("authenticator list --json").does().json()[1]["name"],
        "token"
    );

    let used = alice
        .postern("authenticator remove alice token")
        .types(&phone.code());
    assert_contains(&used.refuses().err, "used already");
    let next = format!("{}\n", phone.code_in(1));
    alice
        .postern("authenticator remove alice token")
        .input(&next)
        .does();
    assert_eq!(
        alice
            .postern("authenticator list alice --json")
            .does()
            .json()
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    host.clock.forward(60);
    let mut terminal = Terminal::run(alice.postern("recovery").command());
    terminal.expect("Verification code: ").types(&phone.code());
    let screen = terminal.expect("type \"saved\": ").screen();
    let codes = screen
        .lines()
        .skip_while(|line| !line.starts_with("Recovery codes:"))
        .nth(1);
    let recovery = codes.expect("a recovery code").to_owned();
    terminal
        .types("saved")
        .expect("the new recovery codes of alice are valid");
    assert!(terminal.ends().status.success());
    alice.with_key().enters_with(&recovery);

    assert_eq!(
        alice.postern("browser list --json").does().json(),
        serde_json::json!([])
    );
    let none = alice
        .postern("browser revoke alice --all")
        .input(&format!("{}\n", phone.code_in(1)))
        .refuses();
    assert_contains(&none.err, "has no such trusted browser");
    let events =
        Postern::call("log alice --json --service postern --event recovery-codes-replaced").does();
    assert_eq!(events.json()["principal"], "alice");
}

/// N8: another user's account and root's operations are refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn no_user_reaches_anothers_account_or_what_is_roots() {
    let host = Host::without_posternd();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    let _posternd = Posternd::start();
    let before = Store::open().dump();

    let code = format!("{}\n", phone.code());
    for call in [
        "status alice",
        "recovery alice",
        "authenticator add alice",
        "authenticator list alice",
        "authenticator remove alice app",
        "browser list alice",
        "browser revoke alice --all",
        "enroll alice",
    ] {
        let output = bob.postern(call).input(&code).refuses();
        assert!(
            output.err.contains("another account than your own, bob"),
            "{call}: {}",
            output.err
        );
    }
    for call in [
        "init",
        "verify alice",
        "verify bob",
        "disable bob",
        "one-time-code bob",
        "unlock bob",
        "account add bob",
        "password bob",
        "session list bob",
        "print-config nginx",
        "log",
        "edit",
    ] {
        let output = bob.postern(call).input(&code).refuses();
        assert!(
            output.err.contains("only root may do this"),
            "{call}: {}",
            output.err
        );
    }
    for call in [
        "recovery --no-confirm",
        "authenticator add --no-confirm",
        "enroll --no-confirm",
    ] {
        let output = alice.postern(call).input(&code).refuses();
        assert!(
            output.err.contains("only root may use --no-confirm"),
            "{call}: {}",
            output.err
        );
    }
    // Bob sends requests of his own, without the command.
    let uid = |person: &testhost::Person| uid_of(&person.name);
    assert_contains(sent_as(uid(&alice), &look("alice")), "\"status\"");
    assert_contains(
        sent_as(uid(&bob), &look("alice")),
        "only root may do this for another account",
    );
    let forged = look("alice").replace("\"task\"", "\"uid\":0,\"task\"");
    assert_contains(sent_as(uid(&bob), &forged), "invalid request");
    let change =
        "{\"account\":\"alice\",\"task\":{\"change\":{\"change\":{\"revoke-browsers\":null}}}}";
    assert_contains(sent_as(uid(&alice), change), "That is not a code");
    assert_eq!(Store::open().dump(), before);
    assert_eq!(
        Postern::call("enroll").run().exit,
        Some(2),
        "as root, give the account"
    );
    alice.with_key().enters_with(&phone.code());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_without_a_name_that_is_an_accounts_has_none() {
    let host = Host::without_posternd();
    host.person("alice").enrols();
    let _posternd = Posternd::start();
    let passwd = std::fs::read_to_string("/etc/passwd").expect("there is one");
    std::fs::write(
        "/etc/passwd",
        format!("{passwd}alice :x:54322:65534::/:/bin/sh\n"),
    )
    .expect("root may");
    let text = sent_as(54321, &look("alice"));
    assert_contains(&text, "NoAccount");
    let text = sent_as(54322, &look("alice"));
    assert_contains(&text, "NoAccount");
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=54322",
        "--regid=65534",
        "--clear-groups",
        "postern",
        "status",
    ]);
    let output = command.output().expect("setpriv runs");
    assert!(!output.status.success());
    std::fs::write("/etc/passwd", passwd).expect("root may");
}

/// L8: wrong codes at the command are throttled for the local user alone.
#[test]
#[ignore = "needs the test host: tests/run"]
fn wrong_codes_are_counted_for_the_local_user_alone() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    let posternd = Posternd::start();

    for _ in 0..5 {
        let output = alice.postern("recovery").types(&phone.wrong()).refuses();
        assert_contains(&output.err, "That code is wrong; nothing was changed");
    }
    let output = alice.postern("recovery").types(&phone.code()).refuses();
    assert_contains(&output.err, "Too many wrong codes: wait 30 s");
    posternd.says("refused cause=wrong address=- service=postern user=\"alice\"");
    let events = Postern::call("log alice --json --event refused").does().out;
    assert_eq!(
        events.matches("\"origin\":\"local user alice\"").count(),
        5,
        "{events}"
    );
    alice.with_key().enters_with(&phone.code());
}
