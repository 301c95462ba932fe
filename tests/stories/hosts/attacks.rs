//! Attacks on a fleet: stolen invitations, another server, a host that is revoked, passwords.

use super::sign_in::{host_without_store, join, joined_host};
use std::fs;
use testhost::{FleetServer, Postern, assert_contains};

/// An invitation is valid once, and only for a server of the fleet that made it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_invitation_is_valid_once_and_only_at_its_own_fleet() {
    let _host = host_without_store();
    let server = FleetServer::start("one", 7443);
    let stranger = FleetServer::start("two", 7444);
    let invitation = server.invites("web1");
    // another server, as on a network that an attacker controls, does not even see the secret
    let refused = Postern::call(&format!("host join {}", stranger.url()))
        .types(&invitation)
        .refuses();
    assert_contains(
        refused.all(),
        "none has the authority that the one-time code names",
    );
    let url = server.url();
    let call = || Postern::call(&format!("host join {url}")).types(&invitation);
    assert_contains(call().does().all(), "joined as web1");
    assert_contains(call().refuses().all(), "each is valid once");
    let replaced = server.invites("web2");
    server.invites("web2");
    let refused = Postern::call(&format!("host join {url}"))
        .types(&replaced)
        .refuses();
    assert_contains(refused.all(), "each is valid once");
}

/// A server with a certificate of another authority decides nothing, at whatever address.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_server_with_another_certificate_decides_nothing() {
    let (host, mut server) = joined_host();
    let alice = host.person("alice");
    let phone = server.enrols("alice");
    alice.with_key().enters_with(&phone.code());
    server.crashes();
    drop(server);
    // it knows no alice, and would require no code
    let _impostor = FleetServer::start("two", 7443);
    let screen = alice.with_key().is_turned_away();
    assert_contains(&screen, "No server answers that could check your code");
    host.journal.says("refused cause=no-server");
}

/// A host that is revoked is cut off at once, also in the middle of a conversation; its key is of no
/// use any more. A host that joins again is another host.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_revoked_host_is_cut_off_in_the_middle_of_a_conversation() {
    let (host, server) = joined_host();
    let alice = host.person("alice");
    let phone = server.enrols("alice");

    let mut terminal = alice.with_key().up_to_the_code();
    server.call("host revoke web1").does();
    server.posternd().says("its connections are ended");
    // PAM cannot interrupt a prompt: the code that is typed afterwards stays on the host
    terminal.types(&phone.code());
    let ended = terminal.ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    assert_contains(&ended.transcript, "has ended the connection");
    host.journal.says("refused cause=no-server");
    let screen = alice.with_key().is_turned_away();
    assert_contains(&screen, "No server answers");
    host.posternd().says("this host was revoked");
    assert_contains(
        server.call("host revoke web1").refuses().all(),
        "no host web1",
    );
    assert_contains(server.audit_log(), "host-revoked");

    join(&[&server], "web1");
    alice.with_key().enters_with(&phone.code());
}

/// A password that an earlier module asked for stays on the host: the server's memory never holds it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_stacked_password_does_not_leave_the_host() {
    let (host, server) = joined_host();
    let alice = host.person("alice");
    let phone = server.enrols("alice");
    let stack = "auth required pam_totp.so forward_pass\n\
                 auth required pam_unix.so use_first_pass\n\
                 account required pam_totp.so\naccount required pam_unix.so\n";
    host.pam("sshd", stack);
    let mut terminal = alice.with_password().connects();
    terminal
        .expect("Verification code: ")
        .types(&format!("{} {}", alice.password, phone.code()));
    let ended = terminal.ends();
    assert!(ended.entered(), "{}", ended.transcript);
    // what the server has in memory
    assert!(!memory_holds(server.posternd().process(), &alice.password));
}

fn memory_holds(process: u32, text: &str) -> bool {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("root may read it");
    let memory = fs::File::open(format!("/proc/{process}/mem")).expect("root may read it");
    maps.lines()
        .filter(|line| {
            line.split(' ')
                .nth(1)
                .is_some_and(|mode| mode.starts_with("rw"))
        })
        .any(|line| {
            let range = line.split(' ').next().unwrap_or_default();
            let (from, to) = range.split_once('-').expect("a range");
            let parse = |text| u64::from_str_radix(text, 16).expect("a number");
            let (from, to) = (parse(from), parse(to));
            let mut bytes = vec![0; usize::try_from(to - from).expect("a length")];
            let read = std::os::unix::fs::FileExt::read_at(&memory, &mut bytes, from);
            let length = read.unwrap_or(0);
            bytes[..length]
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
}
