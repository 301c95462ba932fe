//! su and login at the console, after their guide. The files are samples of Debian 12, and Debian
//! 13 has another su and another login.

use super::codes::Codes;
use super::hour::{People, finds};
use super::readme;
use super::ssh::PEOPLE;
use testhost::{BootedHost, Person, assert_contains};

/// Follows the guide for su and the console. bob becomes carol, and carol signs in at a terminal.
pub(crate) fn is_protected(host: &BootedHost, people: &People, carol: &Person) {
    let lines = readme::commands("docs/guides/sudo-and-console.md", "");
    host.runs("cp --archive /etc/pam.d/login /root/login.before");
    for line in &lines[1..3] {
        host.does(line);
    }
    let all = "warning|every way to root asks for the code";
    finds(host, &[PEOPLE[0], all]);
    let mut codes = Codes::of_another_app(host, "carol", "console");
    let su = "su --command 'echo in as $(whoami)' carol";
    let bob = host.with_key(&people.bob).option("RequestTTY=force");
    let mut terminal = bob.command(su).connects();
    terminal
        .expect("Password: ")
        .types(&carol.password)
        .expect("Verification code: ")
        .types(&codes.wrong())
        .expect("Verification code: ")
        .types(&codes.next());
    assert_contains(&terminal.ends().transcript, "in as carol");

    let mut terminal = host.console();
    terminal
        .expect("login: ")
        .types("carol")
        .expect("Password: ")
        .types(&carol.password)
        .expect("Verification code: ")
        .types(&codes.next())
        .expect("$ ")
        .types("echo in as $(whoami)")
        .expect("in as carol")
        .types("exit");
    terminal.ends();
    // The way to root that does not depend on the store.
    host.runs("mv /root/login.before /etc/pam.d/login");
    finds(host, PEOPLE);
}
