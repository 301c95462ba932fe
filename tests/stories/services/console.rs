//! login(1) at the console: password, then code. The sample is config/pam.d/login, which Debian's
//! screen lockers include.

use std::fs;
use std::process::Command;
use testhost::{
    Host, Posternd, Store, Terminal, as_user, assert_contains, assert_lacks, on_the_clock,
};

/// Starts login(1) on a terminal, as a getty does.
#[track_caller]
fn login(host: &Host, words: &[&str]) -> Terminal {
    host.sample("login");
    let mut login = on_the_clock(Command::new("login"));
    Terminal::run({
        login.args(words);
        login
    })
}

/// Types name and password.
#[track_caller]
fn first_factor(host: &Host, name: &str, password: &str) -> Terminal {
    let mut terminal = login(host, &[]);
    terminal
        .expect("login: ")
        .types(name)
        .expect("Password: ")
        .types(password);
    terminal
}

#[track_caller]
fn is_in(mut terminal: Terminal, name: &str) {
    terminal
        .types("echo in as $(whoami)")
        .expect(&format!("in as {name}"))
        .types("exit");
    terminal.ends();
}

#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn password_then_code() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let mut terminal = first_factor(&host, "alice", &alice.password);
    terminal
        .expect("Verification code: ")
        .types(&phone.wrong())
        .expect("That code is wrong");
    terminal
        .expect("Verification code: ")
        .types(&phone.code())
        .expect("$ ");
    is_in(terminal, "alice");
    host.journal
        .says("pam_totp(login:auth): refused cause=wrong address=- service=login user=\"alice\"");
    host.journal
        .says("pam_totp(login:auth): accepted cause=code address=- service=login user=\"alice\"");
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
}

/// The attack: a person without the password probes for accounts. The prompt for the code appears
/// only after the right password.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_wrong_password_never_reaches_the_code_and_does_not_distinguish_accounts() {
    let host = Host::fresh();
    let (alice, _bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    let before = Store::open().dump();

    let held = ["alice", "bob", "nobody"].map(|name| (name, first_factor(&host, name, "another")));
    let screens = held.map(|(name, mut terminal)| {
        terminal.expect("Login incorrect").expect("login: ");
        let screen = terminal.screen();
        assert_lacks(&screen, "Verification");
        screen.replace(name, "NAME")
    });
    assert!(
        screens.iter().all(|screen| *screen == screens[0]),
        "{screens:?}"
    );
    assert_eq!(Store::open().dump(), before);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn three_wrong_codes_end_it() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let mut terminal = first_factor(&host, "alice", &alice.password);
    for code in phone.wrong_codes(3) {
        terminal
            .expect("Verification code: ")
            .types(&code)
            .expect("That code is wrong");
    }
    let ended = terminal.ends();
    assert_contains(&ended.transcript, "Maximum number of tries exceeded");
    assert_lacks(&ended.transcript, "$ ");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_has_no_second_factor_gets_what_the_policy_says() {
    let host = Host::fresh();
    let bob = host.person("bob");

    let mut terminal = first_factor(&host, "bob", &bob.password);
    terminal.expect("$ ");
    is_in(terminal, "bob");
    host.journal.says(
        "pam_totp(login:auth): not needed cause=not-enrolled address=- service=login user=\"bob\"",
    );
    host.configure("[policy]\nrequired = \"all\"\n");
    let mut terminal = first_factor(&host, "bob", &bob.password);
    terminal
        .expect("This account needs a second factor and has none")
        .expect("Login incorrect");
    host.journal
        .says("pam_totp(login:auth): refused cause=not-enrolled");
}

/// A getty with autologin calls `login -f`, which skips `auth`. Access is granted without a
/// password or a code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn login_f_asks_neither() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    host.configure("[policy]\nrequired = \"all\"\n");
    host.journal.forget();

    for person in [&alice, &bob] {
        let mut terminal = login(&host, &["-f", &person.name]);
        terminal.expect("$ ");
        is_in(terminal, &person.name);
    }
    let log = host.journal.rest();
    assert_contains(&log, "login:session");
    assert_lacks(&log, "pam_totp(");
}

/// The PAM services of Debian's i3lock and swaylock contain "auth include login".
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_locker_that_includes_login_asks_too_and_needs_the_gate() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    host.configure("# for lockers\n");
    host.sample("login");
    host.pam("i3lock", "auth include login\n");
    let unlocks = |code: &str| {
        let typed = "/run/postern-tests/typed";
        fs::write(typed, format!("{}\n{code}\n", alice.password)).expect("a file");
        let mut locker = as_user("alice", "alice");
        locker.args(["pamtester", "i3lock", "alice", "authenticate"]);
        locker.stdin(fs::File::open(typed).expect("a file"));
        locker
            .output()
            .expect("pamtester runs; tests/run installs it")
            .status
            .success()
    };

    assert!(!unlocks(&phone.code()));
    let line = host
        .journal
        .says("pam_totp(i3lock:auth): refused cause=unavailable");
    assert_contains(&line, "start posternd.socket");
    let posternd = Posternd::start();
    assert!(unlocks(&phone.code()));
    posternd
        .says("pam_totp(i3lock:auth): accepted cause=code address=- service=i3lock user=\"alice\"");
}
