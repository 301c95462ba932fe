//! `postern migrate-store`: the store of one host moves to PostgreSQL and back, while its daemons run.

use super::guide;
use std::fs;
use testhost::{
    APP, CONFIG, Fleet, FleetHost, Postern, UnusedCodes, assert_contains, killed_at_calls,
    was_killed,
};

const FILE: &str = "sqlite:/var/lib/postern/postern.db";
const SERVER: &str = "postgres://postern@db.example.com/postern";

/// The lines of `[store]` that the command prints for PostgreSQL.
const THERE: &str = "[store]\nurl = \"postgres://postern@db.example.com/postern\"\n\
    password_file = \"/etc/postern/database.password\"\nca_file = \"/etc/postern/database.ca\"\n";
/// The table of a store in a file, beside the authority that a story's host names.
const HERE: &str = "[store]\nca_file = \"/etc/postern/database.ca\"\n";

/// Puts other lines in the place of those of `[store]`.
#[track_caller]
fn renames_place(host: &FleetHost, from: &str, to: &str) {
    host.machine.run(|| {
        let text = fs::read_to_string(CONFIG).expect("postern.toml");
        assert_contains(&text, from);
        fs::write(CONFIG, text.replace(from, to)).expect("root may do it");
    });
}

/// Restarts the gate with the configuration of its machine.
fn restarts_gate(host: &mut FleetHost) {
    let FleetHost { machine, web, .. } = host;
    machine.run(|| web.as_mut().expect("it has a gate").gate.restart());
}

/// Returns the guide's command, with the authority of the story.
fn command() -> String {
    let words = guide::migration();
    let words = words.trim_start_matches("sudo postern ");
    format!("{words} --ca-file /etc/postern/database.ca")
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_store_moves_to_postgresql_and_back_while_its_daemons_run() {
    let fleet = Fleet::start();
    let _database = guide::database(&fleet, "db");
    let mut one = guide::host_with_file(&fleet, "one");
    one.start();
    one.start_web(&fleet);
    let alice = fleet.host.person("alice");
    let phone = one.machine.run(|| {
        alice.has_a_password();
        alice.enrols()
    });
    let mut codes = UnusedCodes::of(phone);
    let (used, second) = (codes.next_code(), codes.next_code());
    one.ssh(&alice).enters_with(&used);
    let client = one.browser();
    client.password(one.web(), &alice).expect_status(303);
    client.code(one.web(), &second).expect_status(303);
    let page = format!("{APP}/notes");
    client.loads(&page).expect_status(200);

    let moved = one.machine.run(|| {
        let shown = Postern::call(&format!("{} --dry-run", command())).does();
        assert_contains(&shown.out, "would be moved: ");
        Postern::call("status alice").does();
        Postern::call(&command()).does().out
    });
    assert_contains(&moved, format!("from {FILE} to {SERVER}"));
    assert_contains(&moved, THERE);

    // the daemons that run still name the old place
    let place = format!("the store was moved to {SERVER}");
    one.ssh(&alice).is_turned_away();
    fleet.host.journal.says(&place);
    let refused = one.machine.run(|| Postern::call("status").refuses());
    assert_contains(&refused.err, &place);
    assert_contains(&refused.err, "set store.url in postern.toml");
    renames_place(&one, HERE, THERE);
    restarts_gate(&mut one);

    one.ssh(&alice).is_refused(&used, "used already");
    one.ssh(&alice).is_refused(&second, "used already");
    client.loads(&page).expect_status(200);
    let third = codes.next_code();
    one.ssh(&alice).enters_with(&third);
    one.machine.run(|| {
        Postern::call("session revoke alice --all").does();
        assert_contains(&Postern::call("log").does().out, "store-moved");
        for call in ["backup /root/x", "restore /root/x --yes"] {
            let refused = Postern::call(call).refuses();
            assert_contains(&refused.err, "pg_dump");
            assert_contains(&refused.err, "postern migrate-store");
        }
    });
    assert_eq!(client.loads(&page).status, 302);

    let back = one.machine.run(|| {
        Postern::call(&format!("migrate-store --to {FILE}"))
            .does()
            .out
    });
    assert_contains(&back, ".before-migration-");
    renames_place(&one, THERE, HERE);
    restarts_gate(&mut one);
    for code in [&used, &second, &third] {
        one.ssh(&alice).is_refused(code, "used already");
    }
    assert_eq!(client.loads(&page).status, 302);
    one.ssh(&alice).enters_with(&codes.next_code());
}

/// Whenever it is killed, the old store is in force, or the next run completes what it began.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_migration_that_is_killed_is_completed_by_the_next_run() {
    let fleet = Fleet::start();
    let database = guide::database(&fleet, "db");
    let one = guide::host_with_file(&fleet, "one");
    let alice = fleet.host.person("alice");
    one.machine.run(|| alice.enrols());
    let (mut before, mut after) = (0, 0);
    // each call to the server or to the file
    for (calls, when) in [("sendto", 4), ("sendto", 40), ("sendto", 90)]
        .into_iter()
        .chain((1..=8).map(|when| ("fdatasync", when)))
    {
        let call = Postern::call(&command()).command();
        let (ended, is_killed) = one.machine.run(|| {
            let ended = Postern::under(killed_at_calls(calls, when, call)).run();
            (ended, was_killed())
        });
        if !is_killed {
            assert_eq!(ended.exit, Some(0), "{ended:?}");
        } else if one.machine.run(|| Postern::call("status").run()).exit == Some(0) {
            before += 1;
        } else {
            after += 1;
        }
        let rest = one.machine.run(|| Postern::call(&command()).run());
        if rest.exit != Some(0) {
            assert_contains(&rest.err, format!("was moved to {SERVER}"));
        }
        renames_place(&one, HERE, THERE);
        one.machine.run(|| {
            Postern::call("status alice").does();
            Postern::call(&format!("migrate-store --to {FILE}")).does();
        });
        renames_place(&one, THERE, HERE);
        one.machine.run(|| Postern::call("status alice").does());
        database.sql("DROP DATABASE postern WITH (FORCE)");
        database.sql("CREATE DATABASE postern OWNER postern");
    }
    assert!(
        before > 0,
        "it was never killed before the old store was marked"
    );
    assert!(
        after > 0,
        "it was never killed after the old store was marked"
    );
}
