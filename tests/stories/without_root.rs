//! Users without root change their own second factor by the command, over pam.sock.

use nix::sys::signal::Signal;
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testhost::{
    HOST_SOCKET, Host, PamPeer, Phone, Postern, Posternd, SOCKET, Store, Terminal, as_user,
    assert_contains, assert_lacks,
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
fn sent_as(uid: u32, request: &str) -> String {
    PamPeer::start(PAM_PEER, uid, SOCKET).sends_command(request)
}

fn look(account: &str) -> String {
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

    let said = alice.postern("enroll").types(&alice.password).refuses();
    assert_contains(&said.err, "postern one-time-code alice");
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
fn nobody_reaches_anothers_account_or_what_is_roots() {
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
        let said = bob.postern(call).input(&code).refuses();
        assert!(
            said.err.contains("another account than your own, bob"),
            "{call}: {}",
            said.err
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
        let said = bob.postern(call).input(&code).refuses();
        assert!(
            said.err.contains("only root may do this"),
            "{call}: {}",
            said.err
        );
    }
    for call in [
        "recovery --no-confirm",
        "authenticator add --no-confirm",
        "enroll --no-confirm",
    ] {
        let said = alice.postern(call).input(&code).refuses();
        assert!(
            said.err.contains("only root may use --no-confirm"),
            "{call}: {}",
            said.err
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
    let said = sent_as(54321, &look("alice"));
    assert_contains(&said, "NoAccount");
    let said = sent_as(54322, &look("alice"));
    assert_contains(&said, "NoAccount");
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
        let said = alice.postern("recovery").types(&phone.wrong()).refuses();
        assert_contains(&said.err, "That code is wrong; nothing was changed");
    }
    let said = alice.postern("recovery").types(&phone.code()).refuses();
    assert_contains(&said.err, "Too many wrong codes: wait 30 s");
    posternd.says("refused cause=wrong address=- service=postern user=\"alice\"");
    let events = Postern::call("log alice --json --event refused").does().out;
    assert_eq!(
        events.matches("\"origin\":\"local user alice\"").count(),
        5,
        "{events}"
    );
    alice.with_key().enters_with(&phone.code());
}

/// If posternd is absent or hangs, the command fails within 2 s and names the remedy.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_posternd_the_command_says_so_at_once() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    let mut posternd = Posternd::start();
    let refused_at_once = |why: &str| {
        for call in ["status", "authenticator list", "recovery"] {
            let began = Instant::now();
            let said = alice.postern(call).types(&phone.code()).refuses();
            assert!(
                began.elapsed() < Duration::from_secs(2),
                "{why}: {:?}",
                began.elapsed()
            );
            assert_contains(
                &said.err,
                "posternd does not answer at /run/postern/pam.sock",
            );
            assert_contains(&said.err, "ask the administrator to start posternd.socket");
        }
    };
    posternd.signal(Signal::SIGSTOP);
    refused_at_once("stopped");
    posternd.shortens_queues();
    let queued: Vec<_> = std::iter::repeat_with(nonblocking)
        .map_while(Result::ok)
        .take(900)
        .collect();
    assert!(queued.len() < 900, "the queue is full");
    refused_at_once("stopped, with a full queue");
    drop(queued);
    posternd.crash();
    refused_at_once("crashed");
    drop(posternd);
    refused_at_once("absent");
    let _posternd = Posternd::start();
    alice.postern("status").does();
}

/// Opens a connection. Returns an error if the backlog is full.
fn nonblocking() -> std::io::Result<UnixStream> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&socket2::SockAddr::unix(SOCKET)?)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

/// A frame kind of host.sock on pam.sock, and the reverse, is denied and logged once.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_frame_of_the_other_sockets_kind_is_refused() {
    let host = Host::without_posternd();
    let (_, phone) = host.enrolled_user("alice");
    let posternd = Posternd::start();
    let before = Store::open().dump();

    let claims = json!({ "service": "sudo", "user": "alice", "options": ["first_factor=passed"] });
    let mut of_alice = PamPeer::start(PAM_PEER, uid_of("alice"), SOCKET);
    let came = of_alice.does(&json!({ "host": claims, "typed": phone.code() }));
    assert!(
        came["result"].to_string().contains("closed") && came["prompts"] == json!([]),
        "{came}"
    );
    posternd.says("sent a frame of a kind that belongs to host.sock");
    let mut of_root = PamPeer::start(PAM_PEER, 0, HOST_SOCKET);
    let came = of_root.does(&json!({ "user_host": claims, "typed": phone.code() }));
    assert!(
        came["result"].to_string().contains("closed") && came["prompts"] == json!([]),
        "{came}"
    );
    assert_contains(of_root.sends_command(&look("alice")), "error");
    posternd.says("refused on host.sock: a frame of a kind that belongs to pam.sock");
    assert_eq!(
        posternd.log().matches("belongs to host.sock").count(),
        1,
        "{}",
        posternd.log()
    );
    assert_eq!(
        posternd.log().matches("belongs to pam.sock").count(),
        2,
        "{}",
        posternd.log()
    );
    assert_eq!(Store::open().dump(), before);

    // The same claims on the right socket: only the code counts.
    let came = of_alice.does(&json!({ "user_host": claims, "typed": phone.code() }));
    assert_eq!(came["result"], "passed", "{came}");
    assert_eq!(came["lines"], json!([]), "posternd writes the line itself");
    posternd
        .says("<6>pam_totp(sudo:auth): accepted cause=code address=- service=sudo user=\"alice\"");
}

/// The claims of a user's process exempt it from nothing, and it cannot choose a configuration.
#[test]
#[ignore = "needs the test host: tests/run"]
fn nothing_that_a_users_process_claims_lets_it_pass() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    host.configure(
        "[policy]\nrequired = \"all\"\n[[policy.exempt]]\nservices = [\"cron\"]\n[[policy.exempt]]\nnetworks = \
         [\"192.0.2.0/24\"]\n[[policy.exempt]]\ncompleted_methods = [\"publickey\"]\n[pam.service.imap]\nrhost_is_address = true\n",
    );
    let posternd = Posternd::start();
    alice.with_password().enters_with(&phone.code());
    let mut peer = PamPeer::start(PAM_PEER, uid_of("alice"), SOCKET);
    for claims in [
        json!({ "service": "cron", "user": "alice", "options": ["first_factor=passed"] }),
        json!({ "service": "cron", "user": "alice" }),
        json!({ "service": "imap", "user": "alice", "remote_host": "192.0.2.7", "options": ["first_factor=passed"] }),
        json!({ "service": "sshd", "user": "alice", "ssh_connection": "192.0.2.7 1 192.0.2.1 22" }),
        json!({ "service": "sshd", "user": "alice", "ssh_auth_info": "publickey ssh-ed25519 AAAA" }),
        json!({ "service": "sshd", "user": "alice", "ssh_connection": "127.0.0.1 1 127.0.0.1 22",
                "options": ["grace=1h", "first_factor=passed"] }),
    ] {
        let came = peer.does(&json!({ "user_host": claims, "typed": phone.wrong() }));
        assert!(
            came["result"] == "TooManyTries" || came["result"] == "Refused",
            "{claims}: {came}"
        );
        let account = json!({ "hook": "account", "service": claims["service"], "user": "alice",
            "ssh_auth_info": "publickey ssh-ed25519 AAAA", "remote_host": "192.0.2.7" });
        let came = peer.does(&json!({ "user_host": account }));
        assert_eq!(came["result"], "NotAsked", "{account}: {came}");
    }
    assert_lacks(posternd.log(), "address=192.0.2.7");
    let own = json!({ "service": "x", "user": "alice", "options": ["config=/etc/shadow"] });
    let came = peer.does(&json!({ "user_host": own, "typed": phone.code_in(1) }));
    assert_eq!(came["result"], "Misconfigured", "{came}");
    assert_eq!(came["prompts"], json!([]));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_gate_posternd_serves_the_users_of_its_host() {
    let host = Host::without_posternd();
    let alice = host.person("alice");
    alice.enrols();
    let posternd = Posternd::start();
    alice.postern("status").does();
    assert!(UnixStream::connect(testhost::SOCKET).is_err());
    drop(posternd);
    alice.postern("status").refuses();
}

/// Two thousand connections of one user, silent or with invalid bytes, delay neither another user
/// nor root.
#[test]
#[ignore = "needs the test host: tests/run"]
fn who_floods_the_socket_keeps_nobody_else_out() {
    let host = Host::without_posternd();
    let (alice, mallory) = (host.person("alice"), host.person("mallory"));
    let phone = alice.enrols();
    Postern::call("account add mallory").does();
    host.pam(
        "codes",
        "auth required pam_totp.so first_factor=passed\nauth required pam_permit.so\n",
    );
    let posternd = Posternd::start();

    let mut peer = PamPeer::start(PAM_PEER, uid_of("mallory"), SOCKET);
    assert_eq!(peer.does(&json!({ "hold": 2000 }))["held"], 2000);
    let within = |what: &str, act: &mut dyn FnMut()| {
        let began = Instant::now();
        act();
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{what}: {:?}",
            began.elapsed()
        );
    };
    within("a command", &mut || drop(alice.postern("status").does()));
    let mut locker = as_user("alice", "alice");
    locker.args(["pamtester", "codes", "alice", "authenticate"]);
    locker
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    within("a locker", &mut || {
        let mut locker = locker.spawn().expect("pamtester runs");
        writeln!(locker.stdin.take().expect("a pipe"), "{}", phone.code()).expect("it reads");
        assert!(
            locker.wait().expect("it ends").success(),
            "{}",
            posternd.log()
        );
    });
    let began = Instant::now();
    alice.with_key().enters_with(&phone.code_in(1));
    println!(
        "root's sshd with 2,000 connections held on pam.sock: {:?}",
        began.elapsed()
    );
    // The user's own command is served too: posternd closes the oldest connections.
    within("a command of the same user", &mut || {
        drop(mallory.postern("status").does())
    });
    drop(peer);

    let mut peer = PamPeer::start(PAM_PEER, uid_of("mallory"), SOCKET);
    for nonsense in [
        "x".repeat(1 << 20),
        "\n".to_owned(),
        "\0".repeat(64),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        peer.does(&json!({ "bytes": nonsense }));
    }
    assert_contains(peer.sends_command("nonsense"), "invalid request");
    posternd.says("sent an invalid frame");
    alice.postern("status").does();
    assert_lacks(posternd.log(), "panicked");
}
