//! pam.sock, for the commands of users: without a daemon, with frames of another kind, and with
//! claims and floods of a hostile process.

use crate::enrollment::without_root::{PAM_PEER, look, uid_of};
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};
use testhost::{
    HOST_SOCKET, Host, PAM_SOCKET, PamPeer, Postern, Posternd, Store, as_user, assert_contains,
    assert_lacks,
};

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
            let output = alice.postern(call).types(&phone.code()).refuses();
            assert!(
                began.elapsed() < Duration::from_secs(2),
                "{why}: {:?}",
                began.elapsed()
            );
            assert_contains(
                &output.err,
                "posternd does not answer at /run/postern/pam.sock",
            );
            assert_contains(
                &output.err,
                "ask the administrator to start posternd.socket",
            );
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
    socket.connect(&socket2::SockAddr::unix(PAM_SOCKET)?)?;
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
    let mut of_alice = PamPeer::start(PAM_PEER, uid_of("alice"), PAM_SOCKET);
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
    let mut peer = PamPeer::start(PAM_PEER, uid_of("alice"), PAM_SOCKET);
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
fn who_floods_the_socket_keeps_no_other_user_out() {
    let host = Host::without_posternd();
    let (alice, mallory) = (host.person("alice"), host.person("mallory"));
    let phone = alice.enrols();
    Postern::call("account add mallory").does();
    host.pam(
        "codes",
        "auth required pam_totp.so first_factor=passed\nauth required pam_permit.so\n",
    );
    let posternd = Posternd::start();

    let mut peer = PamPeer::start(PAM_PEER, uid_of("mallory"), PAM_SOCKET);
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

    let mut peer = PamPeer::start(PAM_PEER, uid_of("mallory"), PAM_SOCKET);
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
