//! People who are not root and their own second factor, by the command, over pam.sock.

use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};
use testhost::{Front, Host, Person, Phone, Place, Postern, Store, Terminal, Web};

const SOCKET: &str = "/run/postern/pam.sock";

#[track_caller]
fn web(host: &Host) -> Web {
    Web::start(host, Front::Nginx, Place::OwnHost, "")
}

#[track_caller]
fn invitation(name: &str) -> String {
    let said = Postern::call(&format!("one-time-code {name} --json")).does().json();
    said["one_time_code"].as_str().expect("a code").to_owned()
}

/// Bytes sent to pam.sock by a user with this number, and what came back.
#[track_caller]
fn sent_as(uid: u32, bytes: &str) -> String {
    // whoever is turned away at once is told why all the same
    let script = "use IO::Socket::UNIX; $SIG{PIPE} = 'IGNORE'; my $s = IO::Socket::UNIX->new(Peer => shift) or die; \
         print $s shift; $s->flush; print while <$s>;";
    let mut perl = Command::new("setpriv");
    perl.args([&format!("--reuid={uid}"), "--regid=65534", "--clear-groups", "perl", "-e", script]);
    let output = perl.args([SOCKET, bytes]).output().expect("perl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn look(account: &str) -> String {
    format!("{{\"account\":\"{account}\",\"task\":{{\"look\":\"status\"}}}}\n")
}

/// N8, E4, E6
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_first_setup_takes_the_administrators_one_time_code() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let web = web(&host);
    Postern::call("account add alice").does();
    let code = invitation("alice");

    let said = alice.postern("enroll").input(&format!("{}\n", alice.password)).refuses();
    assert!(said.err.contains("postern one-time-code alice"), "{}", said.err);
    let setup = || {
        let mut terminal = Terminal::run(alice.postern("enroll").command());
        terminal.expect("or a one-time code from the administrator: ").types(&code);
        let screen = terminal.expect("Scan it, then enter the code that your app shows: ").screen();
        let url = screen.lines().find_map(|line| line.strip_prefix("URL: ")).expect("a URL");
        let phone = Phone::scans(url.trim());
        (terminal, phone)
    };
    let before = Store::open().dump();
    let (mut terminal, phone) = setup();
    terminal.types(&phone.code()).expect("type \"saved\": ").presses_ctrl_c();
    assert!(!terminal.ends().status.success());
    assert_eq!(Store::open().dump(), before, "a setup that is cut off leaves no trace and the code good");

    let (mut terminal, phone) = setup();
    terminal.types(&phone.wrong()).expect("That code is wrong").types(&phone.code());
    terminal.expect("Recovery codes:").expect("type \"saved\": ").types("saved");
    let ended = terminal.ends();
    assert!(ended.transcript.contains("the second factor of alice is on"), "{}", ended.transcript);
    assert_eq!(alice.postern("status --json").does().json()["state"], "on");
    alice.with_key().is_refused(&phone.code(), "That code was used already");
    alice.with_key().enters_with(&phone.code_in(1));

    let again = alice.postern("enroll").input(&format!("{code}\n")).refuses();
    assert!(again.err.contains("has a second factor already"), "{}", again.err);
    assert!(!web.gate.log().contains(&code) && !web.gate.log().contains(&phone.secret()));
}

/// N8, D4
#[test]
#[ignore = "needs the test host: tests/run"]
fn each_change_takes_a_code() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let phone = alice.enrols();
    let _web = web(&host);

    let mut terminal = Terminal::run(alice.postern("authenticator add --name token").command());
    terminal.expect("Verification code: ").types(&phone.code());
    let screen = terminal.expect("your app shows: ").screen();
    let url = screen.lines().find_map(|line| line.strip_prefix("URL: ")).expect("a URL");
    let token = Phone::scans(url.trim());
    terminal.types(&token.code());
    let ended = terminal.ends();
    assert!(ended.transcript.contains("alice has one authenticator more, token"), "{}", ended.transcript);
    assert_eq!(alice.postern("authenticator list --json").does().json()[1]["name"], "token");

    let used = alice.postern("authenticator remove alice token").input(&format!("{}\n", phone.code()));
    assert!(used.refuses().err.contains("used already"));
    let next = format!("{}\n", phone.code_in(1));
    alice.postern("authenticator remove alice token").input(&next).does();
    assert_eq!(
        alice.postern("authenticator list alice --json").does().json().as_array().map(Vec::len),
        Some(1)
    );

    host.clock.forward(60);
    let mut terminal = Terminal::run(alice.postern("recovery").command());
    terminal.expect("Verification code: ").types(&phone.code());
    let screen = terminal.expect("type \"saved\": ").screen();
    let codes = screen.lines().skip_while(|line| !line.starts_with("Recovery codes:")).nth(1);
    let recovery = codes.expect("a recovery code").to_owned();
    terminal.types("saved").expect("the new recovery codes of alice are good");
    assert!(terminal.ends().status.success());
    alice.with_key().enters_with(&recovery);

    assert_eq!(alice.postern("browser list --json").does().json(), serde_json::json!([]));
    let none =
        alice.postern("browser revoke alice --all").input(&format!("{}\n", phone.code_in(1))).refuses();
    assert!(none.err.contains("has no such trusted browser"), "{}", none.err);
    let events = Postern::call("log alice --json --door postern --event recovery-codes-replaced").does();
    assert_eq!(events.json()["actor"], "alice");
}

/// N8
#[test]
#[ignore = "needs the test host: tests/run"]
fn nobody_reaches_anothers_account_or_what_is_roots() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    let _web = web(&host);
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
        assert!(said.err.contains("another account than your own, bob"), "{call}: {}", said.err);
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
        assert!(said.err.contains("only root may do this"), "{call}: {}", said.err);
    }
    for call in ["recovery --no-confirm", "authenticator add --no-confirm", "enroll --no-confirm"] {
        let said = alice.postern(call).input(&code).refuses();
        assert!(said.err.contains("only root may use --no-confirm"), "{call}: {}", said.err);
    }
    // a command of bob's own making
    let uid = |person: &Person| -> u32 {
        let user = nix::unistd::User::from_name(&person.name).ok().flatten().expect("a user");
        user.uid.as_raw()
    };
    assert!(sent_as(uid(&alice), &look("alice")).contains("\"status\""));
    assert!(sent_as(uid(&bob), &look("alice")).contains("only root may do this for another account"));
    let forged = look("alice").replace("\"task\"", "\"uid\":0,\"task\"");
    assert!(sent_as(uid(&bob), &forged).contains("that is no errand"));
    let change = "{\"account\":\"alice\",\"task\":{\"change\":{\"change\":{\"revoke-browsers\":null}}}}\n";
    assert!(sent_as(uid(&alice), change).contains("That is no code"));
    assert_eq!(Store::open().dump(), before);
    assert_eq!(Postern::call("enroll").run().exit, Some(2), "root says whose");
    alice.with_key().enters_with(&phone.code());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_without_a_name_that_is_an_accounts_has_none() {
    let host = Host::fresh();
    host.person("alice").enrols();
    let _web = web(&host);
    let passwd = std::fs::read_to_string("/etc/passwd").expect("there is one");
    std::fs::write("/etc/passwd", format!("{passwd}alice :x:54322:65534::/:/bin/sh\n")).expect("root may");
    let said = sent_as(54321, &look("alice"));
    assert!(said.contains("this host has no name for the user 54321"), "{said}");
    let said = sent_as(54322, &look("alice"));
    assert!(said.contains("you have no account here"), "{said}");
    std::fs::write("/etc/passwd", passwd).expect("root may");
}

/// L8
#[test]
#[ignore = "needs the test host: tests/run"]
fn wrong_codes_are_counted_for_the_local_user_alone() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let phone = alice.enrols();
    let web = web(&host);

    for _ in 0..5 {
        let said = alice.postern("recovery").input(&format!("{}\n", phone.wrong())).refuses();
        assert!(said.err.contains("That code is wrong; nothing was changed"), "{}", said.err);
    }
    let said = alice.postern("recovery").input(&format!("{}\n", phone.code())).refuses();
    assert!(said.err.contains("Too many wrong codes: wait 30 s"), "{}", said.err);
    web.gate.says("refused cause=wrong address=- service=postern user=\"alice\"");
    let events = Postern::call("log alice --json --event refused").does().out;
    assert_eq!(events.matches("\"origin\":\"local user alice\"").count(), 5, "{events}");
    alice.with_key().enters_with(&phone.code());
}

/// Gate absent or hanging: a clear refusal within 2 s.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_gate_the_command_says_so_at_once() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let phone = alice.enrols();
    let mut web = web(&host);
    let refused_at_once = |why: &str| {
        for call in ["status", "authenticator list", "recovery"] {
            let began = Instant::now();
            let said = alice.postern(call).input(&format!("{}\n", phone.code())).refuses();
            assert!(began.elapsed() < Duration::from_secs(2), "{why}: {:?}", began.elapsed());
            assert!(said.err.contains("the gate does not answer at /run/postern/pam.sock"), "{}", said.err);
            assert!(said.err.contains("ask the administrator to start postern-gate"), "{}", said.err);
        }
    };
    web.gate.signal(Signal::SIGSTOP);
    refused_at_once("stopped");
    let queued: Vec<_> = std::iter::repeat_with(nonblocking).map_while(Result::ok).take(100_000).collect();
    refused_at_once("stopped, with a full queue");
    drop(queued);
    web.gate.crash();
    refused_at_once("crashed");
    std::fs::remove_file(SOCKET).expect("a socket is left");
    refused_at_once("absent");
    web.gate.restart();
    alice.postern("status").does();
}

/// A connection, or the refusal of a full queue.
fn nonblocking() -> std::io::Result<UnixStream> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&socket2::SockAddr::unix(SOCKET)?)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

/// On a host for ssh alone the gate needs no URL.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_gate_without_a_web_serves_the_users_of_its_host() {
    let host = Host::fresh();
    let alice = host.person("alice");
    alice.enrols();
    let mut web = web(&host);
    host.configure("# every default\n");
    web.gate.stop();
    web.gate.restart_without_web();
    web.gate.says("gate.url is missing");
    alice.postern("status").does();
    assert!(UnixStream::connect(testhost::SOCKET).is_err());
    web.gate.stop();
    alice.postern("status").refuses();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn who_floods_the_socket_keeps_nobody_else_out() {
    let host = Host::fresh();
    let alice = host.person("alice");
    alice.enrols();
    let web = web(&host);

    // as root, a thousand that say nothing; and then each of several kinds of nonsense
    let silent: Vec<_> = (0..1000).map(|_| UnixStream::connect(SOCKET).expect("the gate listens")).collect();
    let began = Instant::now();
    alice.postern("status").does();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let mut turned_away = silent.last().expect("a thousand");
    turned_away.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut said = String::new();
    turned_away.read_to_string(&mut said).expect("text");
    assert!(said.contains("too many commands of yours"), "{said}");
    let mut slow = silent.first().expect("a thousand");
    slow.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut said = String::new();
    slow.read_to_string(&mut said).expect("the gate gives up on whoever says nothing");
    assert!(said.contains("took too long"), "{said}");
    drop(silent);

    for nonsense in [vec![b'x'; 1 << 20], b"\n".to_vec(), vec![0; 64], b"GET / HTTP/1.1\r\n\r\n".to_vec()] {
        let mut stream = UnixStream::connect(SOCKET).expect("the gate listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        // the gate may have closed before all was sent
        let _ = stream.write_all(&nonsense);
        let _ = stream.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        // what it did not read may be reported instead of the end
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains("that is no errand"), "{said}");
    }
    alice.postern("status").does();
    assert!(!web.gate.log().contains("panicked"), "{}", web.gate.log());
}
