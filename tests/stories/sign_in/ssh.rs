//! Sign-in by ssh: the first factor, then the code, if the user has or needs one.

use testhost::{Host, Postern, Store, assert_contains, assert_lacks};

/// L4: a key as the first factor.
#[test]
#[ignore = "needs the test host: tests/run"]
fn key_then_code() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    alice.with_key().enters_with(&phone.code());
    host.journal
        .says("accepted cause=code address=127.0.0.1 service=sshd user=\"alice\"");
}

/// L4: a password as the first factor.
#[test]
#[ignore = "needs the test host: tests/run"]
fn password_then_code() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    alice.with_password().enters_with(&phone.code());
    host.journal
        .says("accepted cause=code address=127.0.0.1 service=sshd user=\"alice\"");
}

/// A wrong password is refused before any prompt or message about codes.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_wrong_password_is_never_asked_for_a_code() {
    let host = Host::fresh();
    let alice = host.person("alice");
    alice.enrols();

    alice.with_password().password("another").is_turned_away();
    assert_eq!(Store::open().number("SELECT count(*) FROM failure"), 0);
}

/// L4, L13: a user without a second factor signs in as before if the policy requires none.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_has_no_second_factor_and_needs_none_is_in_with_key_or_password() {
    let host = Host::fresh();
    let bob = host.person("bob");

    bob.with_key().enters();
    host.journal
        .says("not needed cause=not-enrolled address=127.0.0.1 service=sshd user=\"bob\"");
    bob.with_password().enters();
    host.journal.says("not needed cause=not-enrolled");
    Postern::call("account add bob").does();
    bob.with_key().enters();
}

/// L13: the default of `unenrolled` denies access.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_must_have_a_second_factor_and_has_none_is_denied() {
    let host = Host::fresh();
    let bob = host.person("bob");
    host.configure("[policy]\nrequired = [\"bob\"]\n");

    let screen = bob.with_key().is_turned_away();
    assert_contains(&screen, "This account needs a second factor and has none");
    host.journal
        .says("refused cause=not-enrolled address=127.0.0.1 service=sshd user=\"bob\"");
    bob.with_password().is_turned_away();
    host.person("carol").with_key().enters();
    host.configure("[policy]\nrequired = \"all\"\n");
    host.person("carol").with_key().is_turned_away();
}

/// L13: `unenrolled=allow` overrides the requirement for this service.
#[test]
#[ignore = "needs the test host: tests/run"]
fn unenrolled_allow_lets_in_a_user_who_should_have_a_second_factor() {
    let host = Host::fresh();
    let bob = host.person("bob");
    host.configure("[policy]\nrequired = \"all\"\n[pam.service.sshd]\nunenrolled = \"allow\"\n");

    bob.with_key().enters();
    bob.with_password().enters();
    let phone = bob.enrols();
    bob.with_key().enters_with(&phone.code());
}

/// C3: the log line of an exempt sign-in names the exemption.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_exempt_network_is_asked_for_no_code_and_the_log_names_the_rule() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    host.configure("[[policy.exempt]]\nservices = [\"sshd\"]\nnetworks = [\"127.0.1.0/24\"]\n");

    alice.with_key().from("127.0.1.7").enters();
    host.journal
        .says("not needed cause=policy.exempt-1 address=127.0.1.7");
    alice
        .with_key()
        .from("127.0.2.7")
        .enters_with(&phone.code());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_cancelled_prompt_costs_nothing() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let before = Store::open().dump();

    let terminal = alice.with_key().up_to_the_code();
    assert!(!terminal.is_interrupted().entered());
    assert_eq!(Store::open().dump(), before);
    alice.with_key().enters_with(&phone.code());
}

/// L8: a successful sign-in reports the wrong codes since the last one.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn success_shows_how_many_wrong_codes_there_were() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    alice.with_key().enters_with(&phone.code());
    host.clock.forward(30);

    for code in phone.wrong_codes(2) {
        alice
            .with_key()
            .from("127.0.0.9")
            .is_refused(&code, "That code is wrong");
    }
    host.clock.forward(1);
    let mut shell = alice.with_key().to_a_shell().up_to_the_code();
    shell
        .types(&phone.code())
        .expect("2 wrong codes since your last sign-in, last from 127.0.0.9");
    shell.types("exit").types("");
    host.clock.forward(30);
    let screen = alice.with_key().enters_with(&phone.code());
    assert_lacks(&screen, "since your last sign-in");
}
