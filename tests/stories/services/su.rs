//! su asks for the password and the code of the target user, and asks root for neither. The sample
//! is config/pam.d/su.

use std::process::Command;
use testhost::{Host, Person, Postern, Store, Terminal, assert_contains, assert_lacks, finished};

/// Prepares a host with the machine's clock, which su sees, and codes that are valid for minutes.
#[track_caller]
fn host() -> Host {
    let host = Host::fresh();
    host.sample("su");
    host.clock.as_setuid_programs_see_it();
    // The delay is longer than any story, also on a busy machine.
    host.configure("[totp]\nperiod = \"2m\"\n[throttle]\nfirst_delay = \"10m\"\n");
    host
}

/// Starts su and waits for the password prompt.
#[track_caller]
fn su(person: &Person, words: &str) -> Terminal {
    let mut terminal = Terminal::run(person.on_this_host(&format!("su {words}")));
    terminal.expect("Password: ");
    terminal
}

/// L8: guesses of one local user do not delay another local user.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn password_and_code_of_the_other_person_and_guesses_counted_by_who_guesses() {
    let host = host();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| host.person(name));
    let phone = alice.enrols();

    let wrong = phone.wrong_codes(6);
    for codes in wrong.chunks(3) {
        let mut terminal = su(&bob, "alice -c 'id -un'");
        terminal.types(&alice.password);
        for code in codes {
            terminal.expect("Verification code: ").types(code);
        }
        let ended = terminal.ends();
        assert!(!ended.status.success(), "{}", ended.transcript);
    }
    host.journal
        .says("pam_totp(su:auth): refused cause=wrong address=- service=su user=\"alice\"");
    host.journal
        .says("pam_totp(su:auth): refused cause=delayed-");
    let mut terminal = su(&bob, "alice -c 'id -un'");
    terminal
        .types(&alice.password)
        .expect("Verification code: ")
        .types(&phone.code())
        .expect("Too many wrong codes");
    assert!(!terminal.is_interrupted().status.success());

    let mut terminal = su(&carol, "alice -c 'id -un'");
    terminal
        .types(&alice.password)
        .expect("Verification code: ")
        .types(&phone.code())
        .expect("alice");
    assert!(terminal.ends().status.success());
    host.journal
        .says("pam_totp(su:auth): accepted cause=code address=- service=su user=\"alice\"");
    let last = Postern::json("log alice --lines 1 --json");
    assert_eq!(last["service"], "su");
    assert_eq!(last["origin"], "local user carol");
    alice.with_key().enters_with(&phone.code_in(1));
}

/// A login shell uses a service file of its own, which includes this one.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_login_shell_asks_too() {
    let host = host();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();

    let mut terminal = su(&bob, "- alice -c pwd");
    terminal
        .types(&alice.password)
        .expect("Verification code: ")
        .types(&phone.code())
        .expect("/home/alice");
    assert!(terminal.ends().status.success());
    host.journal
        .says("pam_totp(su-l:auth): accepted cause=code address=- service=su-l user=\"alice\"");
}

/// su asks root for nothing, and the policy must not refuse root either.
#[test]
#[ignore = "needs the test host: tests/run"]
fn root_becomes_anyone_unasked() {
    let host = host();
    let (alice, _bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    host.configure("[policy]\nrequired = \"all\"\n");
    host.journal.forget();

    for name in ["alice", "bob"] {
        assert_eq!(
            finished(Command::new("su").args([name, "-c", "id -un"])),
            format!("{name}\n")
        );
        assert_eq!(
            finished(Command::new("su").args(["-", name, "-c", "pwd"])),
            format!("/home/{name}\n")
        );
    }
    let log = host.journal.rest();
    assert_contains(&log, "su:session");
    assert_lacks(&log, "pam_totp(");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_wrong_password_never_reaches_the_code() {
    let host = host();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    let before = Store::open().dump();

    let mut terminal = su(&bob, "alice -c 'id -un'");
    terminal.types(&bob.password);
    let ended = terminal.ends();
    assert!(
        !ended.status.success() && !ended.transcript.contains("Verification"),
        "{}",
        ended.transcript
    );
    assert_eq!(Store::open().dump(), before);
}

/// The policy applies to the target user, not to the user who runs su.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_has_no_second_factor_gets_what_the_policy_says() {
    let host = host();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();

    let mut terminal = su(&alice, "bob -c 'id -un'");
    terminal.types(&bob.password).expect("bob");
    assert!(terminal.ends().status.success());
    host.journal
        .says("pam_totp(su:auth): not needed cause=not-enrolled address=- service=su user=\"bob\"");
    host.configure("[policy]\nrequired = \"all\"\n");
    let mut terminal = su(&alice, "bob -c 'id -un'");
    terminal
        .types(&bob.password)
        .expect("This account needs a second factor and has none");
    assert!(!terminal.ends().status.success());
}
