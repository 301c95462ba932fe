//! The authentication modes of sshd, for a user with a second factor, for a user without one, and
//! for root. sign_in.rs tests the sample's mode, and guard.rs tests a configuration without its
//! lines.

use testhost::{Ended, Host, Person, Phone, Postern, Store};

const SAMPLE: &str = "publickey,keyboard-interactive:pam keyboard-interactive:pam";
const ROOT: &str = "PermitRootLogin";

/// Types the password at the prompt of the ssh client, not of PAM (method `password`).
#[track_caller]
fn by_password(person: &Person, then: &[(&str, &str)]) -> Ended {
    let sign_in = person
        .with_password()
        .option("PreferredAuthentications=password,keyboard-interactive");
    let mut terminal = sign_in.connects();
    terminal.expect("'s password: ").types(&person.password);
    for (prompt, reply) in then {
        terminal.expect(prompt).types(reply);
    }
    terminal.ends()
}

#[track_caller]
fn nothing_was_counted_and_no_code_spent() {
    let store = Store::open();
    assert_eq!(store.number("SELECT count(*) FROM failure"), 0);
    assert_eq!(
        store.number("SELECT count(*) FROM event WHERE kind = 'accepted'"),
        0
    );
}

/// L4: a key no longer counts, so every user must type the password.
#[test]
#[ignore = "needs the test host: tests/run"]
fn keyboard_interactive_alone_asks_password_and_code() {
    let mut host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    host.change_sshd(SAMPLE, "keyboard-interactive:pam");

    alice.with_password().enters_with(&phone.code());
    bob.with_password().enters();
    let mut terminal = alice.with_key().connects();
    terminal
        .expect("Password: ")
        .types(&alice.password)
        .expect("Verification code: ")
        .types(&phone.code_in(1));
    assert!(terminal.ends().entered());
}

/// sshd's method `password` gives PAM the password as the reply to every prompt, so no code can be
/// typed.
#[test]
#[ignore = "needs the test host: tests/run"]
fn password_then_keyboard_interactive_lets_in_only_a_user_who_needs_no_code() {
    let mut host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    host.change_sshd("PasswordAuthentication no", "PasswordAuthentication yes");
    host.change_sshd(SAMPLE, "password,keyboard-interactive:pam");

    let ended = by_password(&alice, &[]);
    assert!(
        !ended.entered() && !ended.transcript.contains("Verification code"),
        "{}",
        ended.transcript
    );
    host.journal.says(
        "pam_totp(sshd:auth): refused cause=malformed address=127.0.0.1 service=sshd user=\"alice\"",
    );
    nothing_was_counted_and_no_code_spent();
    assert!(by_password(&bob, &[]).entered());
    host.configure("[policy]\nrequired = \"all\"\n");
    assert!(!by_password(&bob, &[]).entered());
    host.change_sshd("password,keyboard-interactive:pam", SAMPLE);
    alice.with_password().enters_with(&phone.code());
}

/// The sample's AuthenticationMethods do not list `password`, so a password alone is refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn password_authentication_beside_the_sample_opens_nothing_more() {
    let mut host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    host.change_sshd("PasswordAuthentication no", "PasswordAuthentication yes");

    for person in [&alice, &bob] {
        let sign_in = person
            .with_password()
            .option("PreferredAuthentications=password");
        let ended = sign_in.connects().ends();
        assert!(
            !ended.entered() && !ended.transcript.contains("password:"),
            "{}",
            ended.transcript
        );
    }
    nothing_was_counted_and_no_code_spent();
    alice.with_key().enters_with(&phone.code());
    alice.with_password().enters_with(&phone.code_in(1));
    bob.with_key().enters();
}

fn root(host: &Host) -> (Person, Phone) {
    let (root, phone) = host.enrolled_user("root");
    (root, phone)
}

/// Debian's default. sshd replaces root's replies by junk before PAM sees them, so no code of
/// root's is consumed.
#[test]
#[ignore = "needs the test host: tests/run"]
fn root_with_prohibit_password_is_not_let_in_by_key_and_code() {
    let mut host = Host::fresh();
    host.change_sshd(
        &format!("#{ROOT} yes"),
        &format!("{ROOT} prohibit-password"),
    );
    let (root, phone) = root(&host);

    let mut terminal = root.with_key().up_to_the_code();
    for _ in 0..3 {
        terminal.types(&phone.code()).expect("That is not a code");
    }
    let ended = terminal.ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    host.journal.says(
        "pam_totp(sshd:auth): refused cause=malformed address=127.0.0.1 service=sshd user=\"root\"",
    );
    let mut terminal = root.with_password().connects();
    terminal.expect("Password: ").types(&root.password);
    let ended = terminal.ends();
    assert!(
        !ended.entered() && !ended.transcript.contains("Verification code"),
        "{}",
        ended.transcript
    );
    nothing_was_counted_and_no_code_spent();
}

/// The setting that the sample shows.
#[test]
#[ignore = "needs the test host: tests/run"]
fn root_with_yes_gives_key_and_code_or_password_and_code() {
    let mut host = Host::fresh();
    host.change_sshd(&format!("#{ROOT} yes"), &format!("{ROOT} yes"));
    let (root, phone) = root(&host);

    root.with_key().enters_with(&phone.code());
    root.with_password()
        .is_refused(&phone.code(), "That code was used already");
    root.with_password().enters_with(&phone.code_in(1));
    Postern::call("disable root").does();
    root.with_key().enters();
    host.configure("[policy]\nrequired = \"all\"\n");
    root.with_key().is_turned_away();
}

/// The sample's exception: root signs in with a key and no code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn root_by_key_alone_needs_an_exemption_too() {
    let mut host = Host::fresh();
    host.sshd_sample("postern-exceptions.conf");
    let (root, _phone) = root(&host);

    root.with_key().is_turned_away();
    host.journal
        .says("pam_totp(sshd:account): refused cause=not-verified address=127.0.0.1 service=sshd user=\"root\"");
    host.configure("[[policy.exempt]]\ngroups = [\"root\"]\nservices = [\"sshd\"]\n");
    root.with_key().enters();
    nothing_was_counted_and_no_code_spent();
}
