//! docs/guides/many-hosts.md, followed to the letter.

use crate::first_hour::readme::commands;
use std::process::Command;
use testhost::{Fleet, FleetHost, PostgresServer, Terminal, finished};

pub(super) const GUIDE: &str = "docs/guides/many-hosts.md";
/// Password of the role that Postern connects as.
const PASSWORD: &str = "a password that only the hosts know";

/// Returns the lines of a section of the guide that begin with a text.
#[track_caller]
fn lines(section: &str, beginning: &str) -> Vec<String> {
    let mut lines = commands(GUIDE, section);
    lines.retain(|line| line.starts_with(beginning));
    assert!(
        !lines.is_empty(),
        "{GUIDE} has no {beginning:?} in {section:?}"
    );
    lines
}

/// Starts a database as the guide says, with the role and the database of Postern.
#[track_caller]
pub(crate) fn database(fleet: &Fleet, name: &str) -> PostgresServer {
    let access = lines("The database", "hostssl").join("\n");
    let server = fleet.database(name, &access);
    server.machine.run(|| {
        for line in lines("The database", "sudo -u postgres") {
            let program = line
                .trim_start_matches("sudo -u postgres ")
                .split(' ')
                .collect::<Vec<_>>();
            let command = server.run_as_postgres(&program);
            if line.contains("--pwprompt") {
                let mut terminal = Terminal::run(command);
                terminal
                    .expect("Enter password for new role:")
                    .types(PASSWORD);
                terminal.expect("Enter it again:").types(PASSWORD);
                assert!(terminal.ends().status.success(), "{line}");
            } else {
                let mut command = command;
                finished(&mut command);
            }
        }
    });
    server
}

/// Prepares a host with the guide's `[store]` table, for databases with these names.
#[track_caller]
fn prepare(fleet: &Fleet, name: &str, databases: &str) -> FleetHost {
    let table = [
        lines("The first host", "[store]"),
        lines("The first host", "url = "),
        lines("The first host", "password_file = "),
    ];
    let table = table
        .concat()
        .join("\n")
        .replace("db.example.com", databases);
    FleetHost::prepare(fleet.machine(name), &table, PASSWORD)
}

/// Installs the first host as the guide says. Its services do not run yet.
#[track_caller]
pub(crate) fn first_host(fleet: &Fleet, name: &str, databases: &str) -> FleetHost {
    let host = prepare(fleet, name, databases);
    host.machine.run(|| {
        let line = &lines("The first host", "sudo postern init")[0];
        finished(Command::new("sh").args(["-c", line.trim_start_matches("sudo ")]));
    });
    host
}

/// Installs a host that has its store in a file, with the password of the database beside it.
#[track_caller]
pub(crate) fn host_with_file(fleet: &Fleet, name: &str) -> FleetHost {
    let host = FleetHost::prepare(fleet.machine(name), "[store]", PASSWORD);
    host.machine
        .run(|| finished(Command::new("postern").arg("init")));
    host
}

/// Returns the guide's command that moves the store of a host.
#[track_caller]
pub(crate) fn migration() -> String {
    let mut lines = lines("Moving the store of one host", "sudo postern migrate-store");
    lines.retain(|line| !line.contains("--dry-run") && line.contains("postgres://"));
    lines.remove(0)
}

/// Installs a further host as the guide says. Its services do not run yet.
#[track_caller]
pub(crate) fn further_host(
    fleet: &Fleet,
    name: &str,
    databases: &str,
    first: &FleetHost,
) -> FleetHost {
    let host = prepare(fleet, name, databases);
    host.copy_key(first);
    host
}

/// Installs three hosts as the guide says, and starts them; the first two with a gate.
#[track_caller]
pub(crate) fn three_hosts(fleet: &Fleet, databases: &str) -> [FleetHost; 3] {
    let one = first_host(fleet, "one", databases);
    let two = further_host(fleet, "two", databases, &one);
    let three = further_host(fleet, "three", databases, &one);
    let mut hosts = [one, two, three];
    hosts.iter_mut().for_each(FleetHost::start);
    hosts[0].start_web(fleet);
    hosts[1].start_web(fleet);
    hosts
}
