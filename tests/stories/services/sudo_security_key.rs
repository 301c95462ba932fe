//! sudo with pam_u2f of Debian beside pam_totp.so, as docs/hosts/sudo.md says.
//!
//! A key that is touched is not shown: pam_u2f reads keys at USB alone, and a virtual one needs
//! /dev/uhid, which the kernels of test hosts lack. `alwaysok` of pam_u2f shows what its success does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use testhost::{Host, Person, Postern, Terminal, assert_contains, assert_lacks, handbook_block};

const MAPPINGS: &str = "/etc/u2f_mappings";
const PAGE: &str = "docs/hosts/sudo.md";
const FIRST: &str = "auth       requisite";

/// Installs the samples, with the lines of the page in the place of their auth lines.
fn install(host: &Host, lines: &str) {
    for service in ["sudo", "sudo-i"] {
        host.sample(service);
        let path = format!("/etc/pam.d/{service}");
        let text = fs::read_to_string(&path).expect("the sample is installed");
        let (before, rest) = text.split_once("\nauth ").expect("it has auth lines");
        let (_, after) = rest.split_once("pam_permit.so\n").expect("its last one");
        host.pam(service, &format!("{before}\n{lines}\n{after}"));
    }
}

/// Writes the list of keys of root: one line as pamu2fcfg writes it, of a key that is not here.
fn lists_key_of(name: &str) {
    let handle = "A".repeat(86) + "==";
    // the base point of P-256
    let public =
        "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==";
    let line = format!("{name}:{handle},{public},es256,+presence\n");
    fs::write(MAPPINGS, line).expect("/etc can be written");
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(MAPPINGS, mode).expect("root may do it");
}

#[track_caller]
fn at_the_password(person: &Person) -> Terminal {
    let mut terminal = Terminal::run(person.on_this_host("sudo id -un"));
    terminal
        .expect(&format!("password for {}: ", person.name))
        .types(&person.password);
    terminal
}

fn says_check() -> String {
    Postern::call("check").run().out
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn beside_pam_u2f_a_code_is_asked_for_where_no_key_is() {
    let host = Host::fresh();
    host.clock.as_setuid_programs_see_it();
    host.configure("[totp]\nperiod = \"2m\"\n");
    host.sudoers(
        "alice ALL=(ALL) ALL\nbob ALL=(ALL) ALL\nDefaults timestamp_timeout=0, passwd_tries=1",
    );
    let (alice, phone) = host.enrolled_user("alice");
    let bob = host.person("bob");
    let lines = handbook_block(PAGE, FIRST);
    assert_contains(&lines, "pam_u2f.so");
    install(&host, &lines);
    let checked = says_check();
    assert_contains(
        &checked,
        "accepts a security key of pam_u2f.so in place of the code: sudo, sudo-i",
    );
    assert_lacks(&checked, "gets in without the code");

    // no list, then one with a key of alice, which is not plugged in
    let _ = fs::remove_file(MAPPINGS);
    for step in [0, 1] {
        let mut terminal = at_the_password(&alice);
        terminal
            .expect("Verification code: ")
            .types(&phone.wrong())
            .expect("That code is wrong");
        terminal
            .expect("Verification code: ")
            .types(&phone.code_in(step))
            .expect("root");
        let ended = terminal.ends();
        assert!(ended.status.success(), "{}", ended.transcript);
        assert_lacks(&ended.transcript, "touch");
        host.journal
            .says("accepted cause=code address=- service=sudo user=\"alice\"");
        lists_key_of("alice");
    }
    let mut terminal = at_the_password(&alice);
    for code in phone.wrong_codes(3) {
        terminal.expect("Verification code: ").types(&code);
    }
    let ended = terminal.ends();
    assert!(!ended.status.success(), "{}", ended.transcript);

    // a user without second factor and key has what the policy says
    let ended = at_the_password(&bob).ends();
    assert!(ended.status.success(), "{}", ended.transcript);
    host.journal.says("not needed cause=not-enrolled");
    host.configure("[policy]\nrequired = \"all\"\n");
    let ended = at_the_password(&bob).ends();
    assert!(!ended.status.success(), "{}", ended.transcript);
    let _ = fs::remove_file(MAPPINGS);
}

/// A wrong password ends the stack above pam_u2f; success of pam_u2f is enough after the right one, so
/// that `postern check` reports options with which it succeeds without a key.
#[test]
#[ignore = "needs the test host: tests/run"]
fn success_of_pam_u2f_counts_after_the_password_alone() {
    let host = Host::fresh();
    host.sudoers("alice ALL=(ALL) ALL\nDefaults timestamp_timeout=0, passwd_tries=1");
    let (mut alice, _phone) = host.enrolled_user("alice");
    install(
        &host,
        &handbook_block(PAGE, FIRST).replace(" cue ", " alwaysok "),
    );
    let ended = at_the_password(&alice).ends();
    assert!(ended.status.success(), "{}", ended.transcript);
    assert_lacks(&ended.transcript, "Verification code");
    let checked = says_check();
    for service in ["sudo", "sudo-i"] {
        let fault = format!("{service}: someone gets in without the code: pam_u2f.so skips");
        assert_contains(&checked, &fault);
    }
    alice.password = "another".to_owned();
    let ended = at_the_password(&alice).ends();
    assert!(!ended.status.success(), "{}", ended.transcript);
}
