//! Those who sign in by ssh from outside, before and after README's second section.

use super::codes::Codes;
use super::hour::{People, finds};
use super::readme;
use testhost::{BootedHost, Person, Terminal, assert_contains, assert_lacks};

/// The people who have a key and are not enrolled. They sign in as before.
pub(crate) const PEOPLE: &[&str] = &["warning|keys and no second factor: admin, bob;"];

/// Before any file is changed, keys and passwords are enough.
pub(crate) fn before(host: &BootedHost, people: &People) {
    for person in [&people.alice, &people.ansible, &people.root] {
        host.with_key(person).option("BatchMode=yes").enters();
    }
}

/// Follows README's second section.
pub(crate) fn is_protected(host: &BootedHost, people: &People) {
    for line in readme::commands("README.md", "2. SSH") {
        host.does(&line);
        if line.contains("config/pam.d/sshd") {
            finds(
                host,
                &["fault|KbdInteractiveAuthentication is no|postern.conf"],
            );
        } else if line.contains("/postern.conf") {
            finds(
                host,
                &[
                    "fault|root has a key|postern-exceptions.conf",
                    "warning|keys and no second factor: admin, bob, ansible;",
                ],
            );
        }
    }
    finds(host, PEOPLE);
    people_sign_in(host, people);
}

fn people_sign_in(host: &BootedHost, people: &People) {
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
    let mut codes = Codes::of_another_app(host, "alice", "tablet");
    // Alice: a wrong code, then key and code, then password and code.
    let wrong = codes.wrong();
    host.with_key(alice).guesses(&wrong);
    host.with_key(alice).enters_with(&codes.next());
    let code = codes.next();
    let screen = host.with_password(alice).enters_with(&code);
    assert_lacks(&screen, "denied");
    // The same code is refused.
    host.with_key(alice).is_refused(&code, "used already");
    let log = host.runs("journalctl --boot --no-pager --quiet --unit=ssh --unit=posternd");
    assert_contains(&log, "alice");
    assert_lacks(&log, &code);
}

/// Follows the guide for sudo.
pub(crate) fn sudo_is_protected(host: &BootedHost, carol: &Person) {
    let mut codes = Codes::printed(&host.does("sudo postern enroll carol --no-confirm --json"));
    host.runs("usermod --append --groups sudo carol");
    host.does(&readme::commands("docs/guides/sudo-and-console.md", "")[0]);
    finds(host, PEOPLE);
    let mut terminal: Terminal = host
        .with_key(carol)
        .option("RequestTTY=force")
        .command("sudo whoami")
        .up_to_the_code();
    terminal.types(&codes.next()).expect("assword");
    terminal
        .types(&carol.password)
        .expect("Verification code: ")
        .types(&codes.next());
    assert_contains(&terminal.ends().transcript, "root");
}
