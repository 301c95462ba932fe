//! Before the first factor, an unauthenticated client cannot distinguish accounts.

use testhost::{Host, Person, Ssh, assert_contains, assert_lacks};

/// The code is asked for whatever the password was, and every refusal has the same text.
const UNKNOWN: &str = "\
auth     required pam_unix.so nodelay
auth     required pam_totp.so first_factor=unknown
account  required pam_totp.so
account  required pam_unix.so
session  required pam_unix.so
";

/// Returns the whole screen of a refused sign-in, with the user's name replaced.
#[track_caller]
fn screen_of(sign_in: &Ssh, name: &str, code: &str) -> String {
    let mut terminal = sign_in.up_to_the_code();
    terminal.types(code);
    let ended = terminal.ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    ended.transcript.replace(name, "NAME")
}

#[track_caller]
fn guess_of(person: &Person, code: &str) -> String {
    screen_of(
        &person.with_password().password("not the password"),
        &person.name,
        code,
    )
}

/// L14, promise 9: whole screens are equal for all kinds of accounts.
#[test]
#[ignore = "needs the test host: tests/run"]
fn whole_screens_do_not_distinguish_accounts() {
    let host = Host::fresh();
    let (alice, bob, carol) = (
        host.person("alice"),
        host.person("bob"),
        host.person("carol"),
    );
    let (phone, other) = (alice.enrols(), carol.enrols());
    host.pam("sshd", UNKNOWN);

    let wrong_code = screen_of(&alice.with_password(), "alice", &phone.wrong());
    assert_contains(&wrong_code, "wait for a new code");
    assert_lacks(&wrong_code, "code is wrong");

    let unknown = alice.with_password().as_user("nobody-here");
    for (what, screen) in [
        (
            "a wrong password with a right code",
            guess_of(&alice, &phone.code()),
        ),
        (
            "a wrong password with a wrong code",
            guess_of(&alice, &phone.wrong()),
        ),
        (
            "a used code",
            screen_of(&alice.with_password(), "alice", &phone.code()),
        ),
        (
            "an old code",
            screen_of(&alice.with_password(), "alice", &phone.code_in(-9)),
        ),
        (
            "a future code",
            screen_of(&alice.with_password(), "alice", &phone.code_in(9)),
        ),
        (
            "an unknown account",
            screen_of(&unknown, "nobody-here", &phone.wrong()),
        ),
        ("no second factor", guess_of(&bob, &phone.wrong())),
        ("what is no code", guess_of(&bob, "hello")),
        ("nothing", guess_of(&alice, "")),
    ] {
        assert_eq!(screen, wrong_code, "{what}");
    }
    for code in other.wrong_codes(7) {
        assert_eq!(
            guess_of(&carol, &code),
            wrong_code,
            "carol, delayed after the fifth"
        );
    }
    host.journal.says("refused cause=delayed-");
}

/// A user who must have a second factor and has none sees the same screen as all others.
#[test]
#[ignore = "needs the test host: tests/run"]
fn required_but_not_enrolled_looks_alike() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    host.configure("[policy]\nrequired = \"all\"\n");
    host.pam("sshd", UNKNOWN);

    let wrong_code = screen_of(&alice.with_password(), "alice", &phone.wrong());
    assert_eq!(
        screen_of(&bob.with_password(), "bob", &phone.wrong()),
        wrong_code
    );
    host.journal.says("refused cause=not-enrolled");
}

/// A valid password and a valid code grant access; a wrong password is refused whatever the code
/// is.
#[test]
#[ignore = "needs the test host: tests/run"]
fn both_right_open_and_a_wrong_password_does_not() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    host.pam("sshd", UNKNOWN);

    alice.with_password().enters_with(&phone.code());
    host.clock.forward(30);
    guess_of(&alice, &phone.code());
    // Bob needs no code: his password alone decides, whatever the input at the code prompt is.
    bob.with_password().enters_with("");
}
