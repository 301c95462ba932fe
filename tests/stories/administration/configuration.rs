//! postern.toml: a typo locks no account out, and only root may write the file.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use testhost::{CONFIG, Host, Postern, assert_contains, set_mode};

const COPY: &str = "/etc/postern/postern.toml.valid";
/// Begin of the module's log line about a configuration that cannot be used.
const REFUSED: &str = "refused cause=misconfigured address=127.0.0.1 service=sshd user=\"alice\":";

/// posternd keeps the last valid configuration in memory. A process that just started reads the
/// copy.
#[track_caller]
fn goes_by_the_last_one(line: &str) {
    let ways = [
        "the last configuration that was read stays in force",
        "/etc/postern/postern.toml.valid is in force, the configuration of ",
    ];
    assert!(ways.iter().any(|way| line.contains(way)), "{line}");
}

/// The fault: a typo, a value out of range, or a truncated file.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_typo_falls_back_to_the_last_valid_file_and_is_named() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    host.configure("[totp]\npast_steps = 4\n");

    for (text, named) in [
        (
            "[totp]\npast_steps = 4\nfuture_step = 1\n",
            "postern.toml:3: ",
        ),
        (
            "[totp]\npast_steps = 44\n",
            "postern.toml:2: totp.past_steps: must be a whole number from 0 to 10",
        ),
        ("[totp\n", "postern.toml:1: "),
        ("", "postern.toml:1: is empty"),
        (
            "[totp]\npast_ste",
            "postern.toml:2: does not end with a newline (truncated?)",
        ),
        (
            "[recovery]\ncount = 20\n",
            "postern.toml:2: recovery.count: 20 codes of 10 characters leave",
        ),
    ] {
        host.write_configuration(text);
        assert_contains(&Postern::call("status").refuses().err, named);
        alice.with_key().enters_with(&phone.code_in(-3));
        goes_by_the_last_one(&host.journal.says(named));
        host.clock.forward(30);
    }
    host.configure("# defaults\n");
    alice
        .with_key()
        .is_refused(&phone.code_in(-3), "behind by about 90 s");
    alice.with_key().enters_with(&phone.code());
}

/// Without a valid copy access is denied.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_typo_without_a_valid_copy_denies() {
    // A running posternd would go on with the last configuration that it read.
    let host = Host::without_posternd();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    host.write_configuration("typo\n");
    fs::remove_file(COPY).expect("init made a copy");

    alice.with_password().is_turned_away();
    host.journal
        .says(&format!("{REFUSED} /etc/postern/postern.toml:1: "));
    bob.with_password().is_turned_away();
}

/// The attack: a configuration that other users could have written invites everyone. It is never
/// used; the copy of the last valid one is.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_configuration_that_may_not_be_trusted_is_not_used() {
    let mut host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let inviting = "[[policy.exempt]]\nservices = [\"sshd\"]\n";
    let evils: [(&str, fn()); 5] = [
        ("has mode 0666, too open; chmod it to 0644", || {
            set_mode(CONFIG, 0o666);
        }),
        ("belongs to uid 4321; chown it to root", || {
            chown(CONFIG, Some(4321), None).expect("an owner can be set");
        }),
        ("the folder has mode 1777, too open", || {
            fs::copy(CONFIG, "/tmp/elsewhere.toml").expect("a file can be copied");
            fs::remove_file(CONFIG).expect("a file can be removed");
            symlink("/tmp/elsewhere.toml", CONFIG).expect("a link can be made");
        }),
        ("No such file", || {
            fs::remove_file(CONFIG).expect("a file can be removed")
        }),
        ("is not a regular file", || {
            fs::remove_file(CONFIG).expect("a file can be removed");
            fs::create_dir(CONFIG).expect("a folder can be made");
        }),
    ];
    for (named, spoil) in evils {
        // The rename makes sure that no process has read a part of the file.
        let new = "/etc/postern/new";
        fs::write(new, inviting).expect("/etc can be written");
        fs::rename(new, CONFIG).expect("/etc can be written");
        spoil();
        alice.with_key().enters_with(&phone.code());
        goes_by_the_last_one(&host.journal.says(named));
        let output = Postern::call("status").refuses();
        assert_contains(&output.err, named);
        host.clock.forward(30);
        // The next text must not be written through a link, or into a file of another owner.
        let _ = fs::remove_file(CONFIG);
    }
    // Without a copy that can be trusted access is denied, once posternd has started again.
    set_mode(COPY, 0o666);
    if let Some(posternd) = host.posternd.as_mut() {
        posternd.restart();
    }
    alice.with_key().is_turned_away();
    let line = host
        .journal
        .says(&format!("{REFUSED} {CONFIG}: is not a regular file"));
    assert_contains(
        &line,
        "postern.toml.valid: has mode 0666, too open; chmod it to 0644",
    );
    fs::remove_dir(CONFIG).expect("a folder can be removed");
    set_mode(COPY, 0o644);
    host.configure("# defaults\n");
    alice.with_key().enters_with(&phone.code());
}

/// `postern edit` works like visudo: it checks the text before it replaces the file.
#[test]
#[ignore = "needs the test host: tests/run"]
fn edit_installs_what_is_valid_and_nothing_else() {
    let host = Host::fresh();
    host.write_configuration("# mine\n");
    let edit = |script: &str| Postern::call("edit").variable("EDITOR", script);

    assert_contains(
        &edit("echo 'tries = ten' >>").refuses().err,
        "postern.toml:2: ",
    );
    assert_eq!(
        fs::read_to_string(CONFIG).expect("postern.toml"),
        "# mine\n"
    );
    edit("echo '[pam]' >>").does();
    assert_eq!(
        fs::read_to_string(CONFIG).expect("postern.toml"),
        "# mine\n[pam]\n"
    );
    assert_eq!(
        fs::read_to_string(COPY).expect("the valid copy"),
        "# mine\n[pam]\n"
    );
    let left = fs::read_dir("/etc/postern").expect("a folder").flatten();
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name != "accounts.d")
        .collect();
    assert_eq!(
        left.len(),
        3,
        "postern.toml, its copy and the key: {left:?}"
    );
}
