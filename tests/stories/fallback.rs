//! Where no daemon listens the module runs `posternd --stdio`, out of reach of whoever runs the PAM host.

use testhost::{Host, Person, Phone, Postern, Terminal};

fn alice(host: &Host) -> (Person, Phone) {
    let alice = host.person("alice");
    let phone = alice.enrols();
    (alice, phone)
}

/// Key and code, password and code; a used code is refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_daemon_people_enter_by_sshd() {
    let host = Host::fresh();
    let (alice, phone) = alice(&host);
    alice.with_key().is_refused(&phone.wrong(), "That code is wrong");
    alice.with_key().enters_with(&phone.code());
    host.journal.says("accepted cause=code address=127.0.0.1 service=sshd user=\"alice\"");
    alice.with_password().is_refused(&phone.code(), "That code was used already");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_daemon_people_enter_by_sudo() {
    let host = Host::fresh();
    host.sudoers("alice ALL=(ALL) ALL");
    host.clock.as_setuid_programs_see_it();
    host.configure("[totp]\nperiod = \"2m\"\n");
    let (alice, phone) = alice(&host);
    let mut sudo = Terminal::run(alice.on_this_host("sudo id -un"));
    sudo.expect("password for alice: ").types(&alice.password);
    sudo.expect("Verification code: ").types(&phone.code()).expect("root");
    assert!(sudo.ends().status.success());
    host.journal.says("pam_totp(sudo:auth): accepted cause=code");
    let last = Postern::call("log alice --lines 1 --json").does().json();
    assert_eq!((&last["door"], &last["origin"]), (&"sudo".into(), &"local user alice".into()));
}
