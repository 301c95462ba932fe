//! The grace period: after a code the same service asks the same address for none for a while.

use testhost::{Host, Person, Phone, Postern, Posternd, Web, WebClient, as_user};

const HERE: &str = "127.0.0.1";
const ONE_HOUR: &str = "[pam.service.sshd]\ngrace = \"1h\"\n";

/// Returns a person who has just signed in with a code.
#[track_caller]
fn entered(host: &Host, configuration: &str) -> (Person, Phone) {
    let (alice, phone) = host.enrolled_user("alice");
    host.configure(configuration);
    alice.with_password().enters_with(&phone.code());
    (alice, phone)
}

#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_code_is_not_asked_again_within_its_time_from_the_same_address() {
    let host = Host::fresh();
    let (alice, phone) = entered(&host, ONE_HOUR);
    alice.with_password().enters();
    let line = format!("not needed cause=grace-period address={HERE} service=sshd user=\"alice\"");
    host.journal.says(&format!("pam_totp(sshd:auth): {line}"));
    alice.with_key().enters();
    alice.with_password().password("wrong").is_turned_away();

    // Another address is asked for a code, which begins a grace period of its own.
    host.clock.forward(30);
    alice
        .with_key()
        .from("127.0.1.7")
        .enters_with(&phone.code());
    alice.with_key().from("127.0.1.7").enters();

    host.clock.forward(3600 - 31);
    alice.with_key().enters();
    host.clock.forward(1);
    alice.with_key().enters_with(&phone.code());
    alice.with_key().enters();
    let accepted = Postern::call("log alice --event accepted --json")
        .does()
        .out;
    assert_eq!(accepted.lines().count(), 3, "{accepted}");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_clock_set_back_and_a_delay_leave_nothing_of_it() {
    let host = Host::fresh();
    let (alice, phone) = entered(&host, ONE_HOUR);
    host.clock.back(60);
    alice.with_key().is_refused(
        &phone.code(),
        "This host's clock is behind the time of your last sign-in",
    );
    host.clock.forward(60);
    alice.with_key().enters();

    // Wrong codes count for that address, at a service without a grace period.
    host.configure("# none\n");
    for code in phone.wrong_codes(5) {
        alice.with_key().is_refused(&code, "That code is wrong");
    }
    host.configure(ONE_HOUR);
    alice
        .with_key()
        .is_refused(&phone.code(), "Too many wrong codes");
    host.clock.forward(30);
    alice.with_key().enters();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn every_revocation_ends_it() {
    let host = Host::fresh();
    let (alice, mut phone) = entered(&host, ONE_HOUR);
    for command in [
        "session revoke alice --all",
        "browser revoke alice --all",
        "account group alice --add keepers",
        "disable alice",
        "key rotate --compromised --yes",
    ] {
        alice.with_key().enters();
        Postern::call(command).does();
        if command.starts_with("disable") || command.starts_with("key") {
            Postern::call("disable alice").run();
            phone = alice.enrols();
        }
        host.clock.forward(30);
        alice.with_key().enters_with(&phone.code());
    }
    alice.with_key().enters();
    alice.has_a_password();
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());

    // A recovery code from any other address ends it too.
    alice.with_key().enters();
    Postern::call("disable alice").does();
    let (phone, recovery) = alice.enrols_with_recovery_codes();
    alice.with_key().enters_with(&phone.code());
    host.configure("# none\n");
    alice.with_key().from("127.0.1.7").enters_with(&recovery[0]);
    host.configure(ONE_HOUR);
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
}

/// This needs `password optional pam_totp.so` in the stack.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_changed_password_of_this_host_ends_it() {
    let host = Host::fresh();
    let (alice, phone) = entered(&host, ONE_HOUR);
    alice.with_key().enters();
    host.pam(
        "changes",
        "password required pam_permit.so\npassword optional pam_totp.so\n",
    );
    let mut tester = testhost::on_the_clock(std::process::Command::new("pamtester"));
    testhost::finished(tester.args(["changes", "alice", "chauthtok"]));
    host.journal
        .says("pam_totp(changes:chauthtok): revoked cause=host-password");
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
}

/// Only a code at the same service begins a grace period: not one on the web, not a recovery code,
/// not one without an address.
#[test]
#[ignore = "needs the test host: tests/run"]
fn only_a_code_at_the_same_service_begins_one() {
    let host = Host::fresh();
    let web = Web::nginx(&host, ONE_HOUR);
    let (alice, phone, recovery) = host.web_user_with_recovery_codes("alice");
    WebClient::new().signs_in(&web, &alice, &phone.code());
    alice.with_key().enters_with(&recovery[0]);
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    alice.with_key().enters();
}

/// Before the first factor is known to have passed, every account is asked: otherwise the prompt
/// would tell who signed in recently.
#[test]
#[ignore = "needs the test host: tests/run"]
fn before_the_first_factor_everyone_is_asked() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    host.configure(ONE_HOUR);
    host.pam(
        "sshd",
        "auth required pam_totp.so\nauth required pam_unix.so\naccount required pam_totp.so\n\
         account required pam_unix.so\nsession required pam_unix.so\n",
    );
    for steps in [0, 1] {
        let mut terminal = alice.with_password().connects();
        terminal
            .expect("Verification code: ")
            .types(&phone.code_in(steps));
        terminal.expect("Password: ").types(&alice.password);
        let ended = terminal.ends();
        assert!(ended.entered(), "{}", ended.transcript);
    }
    // Those codes begin no grace period for a sign-in with a key either.
    host.clock.forward(60);
    alice.with_key().up_to_the_code().closes();
}

/// A PAM host of `socket_users` that is not root, over pam.sock.
#[test]
#[ignore = "needs the test host: tests/run"]
fn it_counts_for_a_service_that_is_named() {
    let host = Host::without_posternd();
    let (_, phone) = host.enrolled_user("alice");
    host.person("bob");
    host.configure(
        "[pam]\ngrace = \"1h\"\nsocket_users = [\"bob\"]\n[pam.service.mail]\nrhost_is_address = true\n",
    );
    let posternd = Posternd::start();
    host.requires_totp("mail", "first_factor=passed");
    let enters = |user: &str, typed: &str| {
        let input = "/run/postern-tests/typed";
        std::fs::write(input, format!("{typed}\n")).expect("a file");
        let mut tester = as_user(user, user);
        tester.args(["pamtester", "-I", &format!("rhost={HERE}"), "mail", "alice"]);
        tester
            .args(["authenticate", "acct_mgmt"])
            .stdin(std::fs::File::open(input).expect("a file"));
        tester.output().expect("pamtester runs").status.success()
    };
    assert!(enters("bob", &phone.code()));
    assert!(enters("bob", ""));
    posternd.says(&format!(
        "pam_totp(mail:auth): not needed cause=grace-period address={HERE} service=mail"
    ));
    // The address that a user claims for the own account is not trusted.
    assert!(enters("alice", &phone.code_in(1)));
    assert!(!enters("alice", ""));
}
