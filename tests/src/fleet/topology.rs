//! The place of a story with several hosts: the test host, on which the clients are, and a network
//! with machines.

use crate::fleet::machine::{Machine, Network};
use crate::fleet::postgres_server::PostgresServer;
use crate::machine::files::WORK;
use crate::machine::host::Host;
use std::fs;
use std::sync::Once;

/// Machines of the stories: names, and the last byte of their addresses.
const DATABASES: [(&str, u8); 3] = [("db", 20), ("db1", 21), ("db2", 22)];
pub(crate) const HOSTS: [(&str, u8); 6] = [
    ("balancer", 10),
    ("one", 11),
    ("two", 12),
    ("three", 13),
    ("four", 14),
    ("web1", 15),
];

/// The network of a story, at which the test host has the address [`crate::CLIENT`]. Its clock runs.
pub struct Fleet {
    network: Network,
    pub host: Host,
}

static NAMED: Once = Once::new();

impl Fleet {
    /// Makes the test host with its network.
    #[track_caller]
    pub fn start() -> Fleet {
        let host = Host::without_posternd();
        host.clock.run();
        NAMED.call_once(name_machines);
        let network = Network::start();
        Fleet { network, host }
    }

    /// Makes a machine with one of the names of this file.
    #[track_caller]
    pub fn machine(&self, name: &str) -> Machine {
        let mut all = DATABASES.iter().chain(&HOSTS);
        let (_, last) = all.find(|(known, _)| *known == name).expect("a known name");
        Machine::start(&self.network, name, *last)
    }

    /// Adds so many addresses to the test host, from which clients connect.
    #[track_caller]
    pub fn client_addresses(&self, count: usize) -> Vec<String> {
        self.network.add_clients(count)
    }

    /// Starts an empty PostgreSQL server, with these lines of pg_hba.conf.
    #[track_caller]
    pub fn database(&self, name: &str, access: &str) -> PostgresServer {
        PostgresServer::start(self.machine(name), access)
    }

    /// Starts a synchronous standby of a server.
    #[track_caller]
    pub fn standby(&self, name: &str, primary: &PostgresServer) -> PostgresServer {
        let standby = primary.start_standby(self.machine(name));
        primary.replicate_to(name);
        primary.has_synchronous_standby(name);
        standby
    }
}

/// Writes the names of the machines, and the key of the host that all of them share.
fn name_machines() {
    let mut hosts = fs::read_to_string("/etc/hosts").expect("there is an /etc/hosts");
    let known = fs::read_to_string(format!("{WORK}/known_hosts")).expect("the test host wrote it");
    let key = known.lines().next().and_then(|line| line.split_once(' '));
    let (_, key) = key.expect("the key of the host");
    let mut all_known = known.clone();
    for (name, last) in DATABASES.iter().chain(&HOSTS) {
        hosts += &format!("192.0.2.{last} {name}.example.com\n");
        all_known += &format!("[192.0.2.{last}]:{} {key}\n", crate::pam::sshd::PORT);
    }
    fs::write("/etc/hosts", hosts).expect("/etc can be written");
    fs::write(format!("{WORK}/known_hosts"), all_known).expect("the tests' folder can be written");
}
