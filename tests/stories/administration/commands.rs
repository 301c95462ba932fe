//! Administration by command: what the commands show, and what they change.

use std::fs;
use testhost::{
    CONFIG, Host, KEY, Postern, STORE, Store, Terminal, assert_contains, give_to_daemons,
};

#[test]
#[ignore = "needs the test host: tests/run"]
fn init_makes_everything_once_and_replaces_nothing() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let key = fs::read(KEY).expect("the key");

    assert_contains(&Postern::call("init").does().out, "nothing was changed");
    fs::remove_file(KEY).expect("a file can be removed");
    let output = Postern::call("init").refuses();
    assert_contains(&output.err, KEY);
    assert_contains(&output.err, "from its backup");
    assert!(!fs::exists(KEY).expect("a folder"));
    fs::write(KEY, key).expect("the key can be put back");
    alice.with_key().is_turned_away();
    host.journal
        .says(&format!("{KEY}: has mode 0644, too open"));
    give_to_daemons(KEY, 0o640);
    alice.with_key().enters_with(&phone.code());
}

/// `postern status` lists every account with its state and the recovery codes left.
#[test]
#[ignore = "needs the test host: tests/run"]
fn status_lists_everyone_and_what_is_left() {
    let host = Host::fresh();
    let (alice, phone, recovery) = host.enrolled_user_with_recovery_codes("alice");
    Postern::call("account add bob").does();
    Postern::call("account add bob").refuses();
    alice.with_key().enters_with(&phone.code());
    alice.with_key().enters_with(&recovery[0]);

    let all = Postern::json("status --json");
    let names: Vec<_> = all
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["account"].clone())
        .collect();
    assert_eq!(names, ["alice", "bob"]);
    assert_eq!(
        (&all[0]["state"], &all[1]["state"]),
        (&"on".into(), &"off".into())
    );
    assert_eq!(
        (&all[0]["recovery_codes"], &all[0]["locked"]),
        (&5.into(), &false.into())
    );
    assert_eq!(all[0]["last_sign_in"], "2027-01-15T08:00:15Z");
    let table = Postern::call("status").does().out;
    assert_eq!(table.lines().count(), 4, "{table}");
    Postern::call("status nobody").refuses();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn who_is_not_root_reads_and_changes_nothing() {
    let host = Host::fresh();
    let alice = host.person("alice");
    alice.enrols();
    let before = Store::open().dump();

    for call in [
        "disable alice",
        "enroll alice --no-confirm",
        "log",
        "unlock alice",
        "init",
    ] {
        let ended = Terminal::run(alice.on_this_host(&format!("postern {call}"))).ends();
        assert!(!ended.status.success(), "{call}: {}", ended.transcript);
        assert!(
            ended.transcript.contains("only root may "),
            "{call}: {}",
            ended.transcript
        );
    }
    for path in [KEY, STORE] {
        assert!(
            !Terminal::run(alice.on_this_host(&format!("cat {path}")))
                .ends()
                .status
                .success()
        );
    }
    assert_eq!(Store::open().dump(), before);
}

/// A secret in an argument would be visible in /proc. Wrong usage is exit 2.
#[test]
#[ignore = "needs the test host: tests/run"]
fn wrong_usage_is_exit_2_and_touches_nothing() {
    let _host = Host::fresh();
    let before = Store::open().dump();
    for call in [
        "",
        "frobnicate",
        "verify alice 123456",
        "enroll",
        "disable ../x",
        "status --colour",
    ] {
        let output = Postern::call(call).run();
        assert_eq!(output.exit, Some(2), "{call}: {}", output.all());
    }
    assert_eq!(Store::open().dump(), before);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn another_configuration_is_another_store() {
    let host = Host::fresh();
    let alice = host.person("alice");
    fs::create_dir("/etc/postern/other").expect("a folder can be made");
    let other = "/etc/postern/other/postern.toml";
    let text = "[store]\nurl = \"sqlite:/var/lib/postern/other/postern.db\"\nkey_file = \"/etc/postern/other/key\"\n";
    fs::write(other, text).expect("a file can be written");

    Postern::call(&format!("init --config {other}")).does();
    let output = Postern::json(&format!(
        "enroll alice --no-confirm --json --config {other}"
    ));
    assert_eq!(output["account"], "alice");
    alice.with_key().enters();
    let config = fs::read_to_string(CONFIG).expect("the sample");
    assert_contains(&config, "#key_file");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn accounts_come_go_and_change_their_names() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    assert_eq!(
        Postern::call("account group alice").does().out,
        "alice is in no group\n"
    );
    let output = Postern::json("account group alice --add ops --add web --json");
    assert_eq!(output["groups"], serde_json::json!(["ops", "web"]));
    assert_eq!(
        Postern::call("account group alice --remove web").does().out,
        "alice is in ops\n"
    );
    Postern::call("account group alice --add a,b").run();

    // The policy applies to groups that were set by command.
    host.configure("[[policy.exempt]]\ngroups = [\"ops\"]\nservices = [\"sshd\"]\n");
    alice.with_key().enters();
    host.configure("# defaults\n");
    alice.with_key().enters_with(&phone.code());

    Postern::call("account rename alice bob").does();
    host.clock.forward(30);
    bob.with_key().enters_with(&phone.code());
    alice.with_key().enters();
    let removed = Postern::call("account remove bob").does();
    assert_contains(&removed.out, "remain used");
    bob.with_key().enters();
    Postern::call("account remove bob").refuses();
    let log = Postern::call("log bob --json").does().out;
    assert_contains(&log, "account-renamed");
    assert_contains(&log, "account-removed");
}
