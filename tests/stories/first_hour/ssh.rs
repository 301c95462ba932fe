//! Those who sign in by ssh from outside, before and after README's second section.

use super::hour::{Codes, People, finds};
use super::readme;
use testhost::{BootedHost, Terminal, assert_contains, assert_lacks};

/// Before any file is changed, keys and passwords are enough.
pub(crate) fn before(host: &BootedHost, people: &People) {
    for person in [&people.alice, &people.ansible, &people.root] {
        host.with_key(person).option("BatchMode=yes").enters();
    }
}

/// Follows README's second section.
pub(crate) fn is_protected(host: &BootedHost, people: &People, codes: &mut Codes) {
    for line in readme::commands("2. SSH") {
        host.does(&line);
        if line.contains("pam.d/sshd") {
            finds(
                host,
                &["fault|KbdInteractiveAuthentication is no|postern.conf"],
            );
        } else if line.contains("/postern.conf") {
            finds(
                host,
                &[
                    "fault|root has a key|postern-exceptions.conf",
                    "warning|ansible",
                ],
            );
        }
    }
    finds(host, &[]);
    people_sign_in(host, people, codes);
}

fn people_sign_in(host: &BootedHost, people: &People, codes: &mut Codes) {
    let People {
        alice,
        bob,
        root,
        ansible,
    } = people;
    // Those without a second factor: as before.
    for person in [root, ansible] {
        host.with_key(person).option("BatchMode=yes").enters();
    }
    host.with_key(bob).enters();
    host.with_password(bob).enters();
    // Alice: a wrong code, then key and code, then password and code.
    let wrong = codes.wrong();
    host.with_key(alice).guesses(&wrong);
    host.with_key(alice).enters_with(&codes.next());
    let code = codes.next();
    let screen = host.with_password(alice).enters_with(&code);
    assert_lacks(&screen, "denied");
    // The same code is refused.
    host.with_key(alice).is_refused(&code, "already used");
    let log = host.runs("journalctl --boot --no-pager --quiet --unit=ssh --unit=posternd");
    assert_contains(&log, "alice");
    assert_lacks(&log, &code);
}

/// The files for sudo, as the guide names them.
pub(crate) fn sudo_is_protected(host: &BootedHost, people: &People, codes: &mut Codes) {
    host.does("sudo cp config/pam.d/sudo config/pam.d/sudo-i /etc/pam.d/");
    finds(host, &[]);
    host.runs("usermod --append --groups sudo alice");
    let alice = &people.alice;
    let mut terminal: Terminal = host
        .with_key(alice)
        .option("RequestTTY=force")
        .command("sudo whoami")
        .up_to_the_code();
    terminal.types(&codes.next());
    terminal
        .expect("password for alice: ")
        .types(&alice.password)
        .expect("Verification code: ")
        .types(&codes.next());
    assert_contains(&terminal.ends().transcript, "root");
}
