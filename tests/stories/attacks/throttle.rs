//! Attackers who guess, or who stop a process of their own, lock out no other user.

use nix::sys::signal::Signal;
use std::fs;
use testhost::{
    APP, Host, Person, Phone, Postern, Store, Terminal, TracedProcess, Web, WebClient, signal,
    wait_until, was_stopped,
};

/// The code is asked for whatever the password was, before the first factor is known to have
/// passed.
const UNKNOWN: &str = "\
auth     [success=1 default=ignore] pam_totp.so proven
auth     required pam_unix.so nodelay
auth     required pam_totp.so first_factor=unknown
auth     required pam_permit.so
account  required pam_totp.so
account  required pam_unix.so
session  required pam_unix.so
";

/// Codes that are valid for minutes: sudo sees the machine's clock.
const SLOW: &str = "[totp]\nperiod = \"2m\"\n";

#[track_caller]
fn asks_sudo(alice: &Person) -> Terminal {
    let mut terminal = Terminal::run(alice.on_this_host("sudo -k id -un"));
    terminal
        .expect("password for alice: ")
        .types(&alice.password);
    terminal.expect("Verification code: ");
    terminal
}

/// An attacker with the password guesses codes at the web until the bucket is delayed. Even the
/// right code is then not verified there.
#[track_caller]
fn guesses_codes_at_the_web(web: &Web, alice: &Person, phone: &Phone) {
    let thief = WebClient::new().from("127.0.0.66");
    for code in phone.wrong_codes(5) {
        assert_eq!(thief.password(web, alice).status, 303);
        assert_eq!(thief.code(web, &code).status, 401);
    }
    thief.password(web, alice);
    let delayed = thief.code(web, &phone.code());
    assert_eq!(delayed.status, 429, "{delayed:?}");
}

/// While an attacker with the password guessed codes at the web, ssh with a key from an unknown
/// address was refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn guesses_at_the_web_and_at_ssh_delay_neither_ssh_with_a_key_nor_sudo() {
    let host = Host::fresh();
    host.clock.as_setuid_programs_see_it();
    let web = Web::nginx(&host, SLOW);
    host.sudoers("alice ALL=(ALL) ALL");
    host.pam("sshd", UNKNOWN);
    let (alice, phone) = host.web_user("alice");

    guesses_codes_at_the_web(&web, &alice, &phone);
    for (last, code) in (70..).zip(phone.wrong_codes(7)) {
        let attacker = alice
            .with_password()
            .password("a guess")
            .from(&format!("127.0.0.{last}"));
        let mut terminal = attacker.up_to_the_code();
        terminal.types(&code);
        assert!(!terminal.ends().entered());
    }
    host.journal.says("refused cause=delayed-30s");
    let mut terminal = alice.with_password().from("127.0.7.1").up_to_the_code();
    terminal.types(&phone.code());
    assert!(
        !terminal.ends().entered(),
        "the password alone is no scope of its own"
    );

    alice
        .with_key()
        .from("127.0.7.2")
        .enters_with(&phone.code_in(-1));
    let mut sudo = asks_sudo(&alice);
    sudo.types(&phone.code()).expect("root");
    assert!(sudo.ends().status.success());
}

/// Ten guesses at unknown names through one address caused the refusal of every right credential
/// from that address.
#[test]
#[ignore = "needs the test host: tests/run"]
fn guesses_at_unknown_names_refuse_no_right_credential_from_their_address() {
    const FAMILIAR: &str = "127.0.9.1";
    const NEW: &str = "127.0.9.2";
    let (host, web) = Host::with_web();
    host.pam("sshd", UNKNOWN);
    let (alice, phone, recovery) = host.web_user_with_recovery_codes("alice");
    let added = Postern::call("app-password add alice files --scope web:app.example.test").does();
    let app_password = added.out.trim_end();
    alice
        .with_password()
        .from(FAMILIAR)
        .enters_with(&phone.code());

    for address in [FAMILIAR, NEW] {
        for number in 0..10 {
            let attacker = WebClient::new().from(address);
            let reply = attacker.sends_password(&web.pages, &format!("nobody{number}"), "a guess");
            assert_eq!(reply.status, 401, "{address} {number} {reply:?}");
        }
        let reply = WebClient::new()
            .from(address)
            .sends_password(&web.pages, "somebody", "a guess");
        assert_eq!(reply.status, 429, "{address} {reply:?}");
    }
    let mut terminal = alice.with_password().from(NEW).up_to_the_code();
    terminal.types(&phone.code_in(1));
    assert!(
        !terminal.ends().entered(),
        "a code from an address never seen waits"
    );
    host.journal
        .says("refused cause=address-delayed-300s address=127.0.9.2");

    alice
        .with_password()
        .from(FAMILIAR)
        .enters_with(&phone.code_in(1));
    for address in [FAMILIAR, NEW] {
        let client = WebClient::new().from(address).option("--basic");
        let client = client.option(&format!("-ualice:{app_password}"));
        assert_eq!(client.fetches(&format!("{APP}/")).status, 200, "{address}");
    }
    alice.with_password().from(NEW).enters_with(&recovery[0]);
}

/// A process that is stopped during a transaction holds the store, and a command that waits for it
/// in vain names the process. For a process stopped while it opened the store, commands reported
/// "locking protocol". No user can stop posternd; root can.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_stopped_posternd_that_holds_the_store_is_named() {
    let host = Host::with_posternd("it is what is stopped");
    let (alice, posternd) = (host.person("alice"), host.posternd());
    let phone = alice.enrols();

    // posternd is stopped while it initializes the index of the WAL, and while it syncs a commit.
    for (steps, at) in [(0, None), (1, Some("fsync,fdatasync"))] {
        is_named_while_stopped(&alice, &phone.code_in(steps), posternd.process(), at);
    }
}

#[track_caller]
fn is_named_while_stopped(alice: &Person, code: &str, process: u32, at: Option<&str>) {
    let mut ssh = alice.with_key().connects();
    ssh.expect("Verification code: ");
    if at.is_some() {
        // A login that finds a long WAL syncs it before it holds the store.
        Store::open().changes("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    let traced = match at {
        None => TracedProcess::stops_at(process, 1),
        Some(call) => TracedProcess::at_any_file(process, call, "STOP", 1),
    };
    ssh.types(code);
    wait_until("it is stopped", || Ok(was_stopped()));
    drop(traced);
    let status = format!("/proc/{process}/status");
    wait_until("it is stopped without the tracer", || {
        Ok(fs::read_to_string(&status)?.contains("State:\tT"))
    });

    let output = Postern::call("unlock alice").refuses().all();
    for part in [
        &format!("held by process {process} ("),
        "posternd",
        "stopped",
        "kill -CONT",
    ] {
        assert!(output.contains(part), "{part} at {at:?}: {output}");
    }
    signal(process, Signal::SIGCONT);
    assert!(ssh.ends().entered());
    Postern::call("unlock alice").does();
}
