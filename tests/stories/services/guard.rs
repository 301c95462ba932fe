//! The guard refuses a sign-in for which no code was asked.

use testhost::{Host, assert_contains};

/// The most frequent misconfiguration that omits the second factor without notice.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_key_alone_is_refused_where_authentication_methods_are_missing() {
    let mut host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    host.change_sshd("AuthenticationMethods", "#AuthenticationMethods");

    alice.with_key().is_turned_away();
    let line = host
        .journal
        .says("pam_totp(sshd:account): refused cause=not-verified address=127.0.0.1");
    assert_contains(
        &line,
        "set KbdInteractiveAuthentication yes and AuthenticationMethods",
    );
    bob.with_key().enters();
}

#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn the_guard_asks_the_policy_again() {
    let mut host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    host.change_sshd("AuthenticationMethods", "#AuthenticationMethods");
    host.configure(
        "[policy]\nrequired = \"all\"\n[[policy.exempt]]\nnetworks = [\"127.0.1.0/24\"]\n",
    );

    bob.with_key().is_turned_away();
    host.journal.says("refused cause=not-enrolled");
    bob.with_key().from("127.0.1.1").enters();
    alice.with_key().from("127.0.1.1").enters();
    alice.with_key().from("127.0.2.1").is_turned_away();
    host.journal.says("refused cause=not-verified");
}

/// `PasswordAuthentication yes` passes through PAM with the password as the only input.
#[test]
#[ignore = "needs the test host: tests/run"]
fn password_authentication_alone_never_enters() {
    let mut host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    host.change_sshd("PasswordAuthentication no", "PasswordAuthentication yes");
    host.change_sshd("AuthenticationMethods", "#AuthenticationMethods");

    let sign_in = alice
        .with_password()
        .option("PreferredAuthentications=password");
    let mut terminal = sign_in.connects();
    terminal.expect("'s password: ").types(&alice.password);
    let ended = terminal.ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    alice.with_password().enters_with(&phone.code());
}

/// Debian's default: without the sample in sshd_config.d every account with a second factor is
/// refused, and no wrong input is counted.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_keyboard_interactive_the_key_alone_is_refused() {
    let mut host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    host.change_sshd("AuthenticationMethods", "#AuthenticationMethods");
    host.change_sshd(
        "KbdInteractiveAuthentication yes",
        "KbdInteractiveAuthentication no",
    );

    alice.with_key().is_turned_away();
    bob.with_key().enters();
    assert_eq!(
        testhost::Store::open().number("SELECT count(*) FROM failure"),
        0
    );
}
