//! Machines of their own on the test host: namespaces of mounts, network and host name. They share
//! programs, accounts and the system log with it. /run, /etc/postern and /var/lib/postern are their
//! own, and so is an address in a network that no other host reaches.

use crate::machine::files::{STORE_FOLDER, WORK};
use crate::process::processes::finished;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::sethostname;
use std::fs::{self, File};
use std::io;
use std::process::Command;

/// Address of the test host in the network of the machines.
pub const CLIENT: &str = "192.0.2.1";
/// The switches: machines at different ones do not reach each other. The test host is at the first.
const SWITCHES: [&str; 2] = ["postern0", "postern1"];
const SPACES: [(&str, CloneFlags); 3] = [
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("net", CloneFlags::CLONE_NEWNET),
    ("uts", CloneFlags::CLONE_NEWUTS),
];

/// The network of the machines. It ends when this value is dropped.
pub(crate) struct Network(());

impl Network {
    /// Makes the network, with the test host at it.
    #[track_caller]
    pub(crate) fn start() -> Network {
        let network = Network(());
        network.remove();
        for switch in SWITCHES {
            ip(&format!("link add {switch} type bridge"));
            ip(&format!("link set {switch} up"));
        }
        ip(&format!("address add {CLIENT}/24 dev {}", SWITCHES[0]));
        network
    }

    /// Adds addresses to the test host, from which clients connect.
    #[track_caller]
    pub(crate) fn add_clients(&self, count: usize) -> Vec<String> {
        let addresses: Vec<_> = (100..100 + count)
            .map(|last| format!("192.0.2.{last}"))
            .collect();
        for address in &addresses {
            ip(&format!("address add {address}/24 dev {}", SWITCHES[0]));
        }
        addresses
    }

    fn remove(&self) {
        for switch in SWITCHES {
            // an earlier story may have left it
            let _ = Command::new("ip").args(["link", "delete", switch]).output();
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}

/// One machine. It has no process of its own: it exists as long as this value, or a process on it.
pub struct Machine {
    pub name: String,
    pub address: String,
    namespaces: Vec<File>,
}

impl Machine {
    /// Makes a machine with the last byte of its address.
    #[track_caller]
    pub(crate) fn start(_: &Network, name: &str, last: u8) -> Machine {
        let address = format!("192.0.2.{last}");
        let made = on_a_thread(|| {
            unshare(
                SPACES
                    .iter()
                    .fold(CloneFlags::empty(), |all, (_, one)| all | *one),
            )?;
            prepare(name, &address);
            let open = |(space, _): &(&str, _)| File::open(format!("/proc/thread-self/ns/{space}"));
            SPACES.iter().map(open).collect()
        });
        let namespaces: io::Result<Vec<File>> = made;
        let namespaces = namespaces.expect("root may make namespaces");
        let (name, machine_address) = (name.to_owned(), address);
        let machine = Machine {
            name,
            address: machine_address,
            namespaces,
        };
        machine.connect();
        machine
    }

    /// Runs a part of the story on this machine: what it starts, opens and connects to is there.
    #[track_caller]
    pub fn run<T: Send>(&self, part: impl FnOnce() -> T + Send) -> T {
        on_a_thread(|| {
            unshare(CloneFlags::CLONE_FS).expect("a thread may have its own root folder");
            for (space, (_, kind)) in self.namespaces.iter().zip(SPACES) {
                setns(space, kind).expect("root may enter the namespace");
            }
            part()
        })
    }

    /// Runs a part of the story on the network of this machine alone, with the files of the test
    /// host.
    #[track_caller]
    pub fn run_on_network<T: Send>(&self, part: impl FnOnce() -> T + Send) -> T {
        let network = SPACES
            .iter()
            .zip(&self.namespaces)
            .find(|((name, _), _)| *name == "net");
        let ((_, kind), network) = network.expect("a machine has a network");
        on_a_thread(|| {
            setns(network, *kind).expect("root may enter the namespace");
            part()
        })
    }

    /// Cuts the machine off: whatever is sent to or from it is lost, without an error.
    #[track_caller]
    pub fn cut_off(&self) {
        ip(&format!("link set {} nomaster", self.name));
    }

    /// Connects the machine to the network, and ends a cut.
    #[track_caller]
    pub fn connect(&self) {
        ip(&format!("link set {} up master {}", self.name, SWITCHES[0]));
    }

    /// Connects the machine to those alone that are apart from the network, too.
    #[track_caller]
    pub fn set_apart(&self) {
        ip(&format!("link set {} master {}", self.name, SWITCHES[1]));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // a process may keep the namespace, and with it the name of the link
        let _ = Command::new("ip")
            .args(["link", "delete", &self.name])
            .output();
    }
}

/// Runs a part of the story on a thread, and fails where the part fails.
fn on_a_thread<T: Send>(part: impl FnOnce() -> T + Send) -> T {
    let ended = std::thread::scope(|scope| scope.spawn(part).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Prepares a machine in its new namespaces.
fn prepare(name: &str, address: &str) {
    finished(Command::new("mount").args(["--make-rprivate", "/"]));
    let own = [
        (STORE_FOLDER, "root:postern"),
        ("/etc/postern", "root:root"),
    ];
    let kept = own.map(|(folder, _)| File::open(folder).is_ok());
    finished(Command::new("mount").args([
        "-t",
        "tmpfs",
        "-o",
        "mode=0755",
        "postern-machine",
        "/run",
    ]));
    for folder in [WORK, "/run/lock", "/run/sshd", "/run/postern"] {
        fs::create_dir_all(folder).expect("/run can be written");
    }
    for ((folder, owner), exists) in own.into_iter().zip(kept) {
        let copy = format!("/run/own{}", folder.replace('/', "-"));
        fs::create_dir_all(&copy).expect("/run can be written");
        if exists && folder != STORE_FOLDER {
            finished(Command::new("cp").args(["-a", &format!("{folder}/."), &copy]));
        }
        finished(Command::new("chown").args([owner, &copy]));
        finished(Command::new("mount").args(["--bind", &copy, folder]));
    }
    sethostname(name).expect("root may do it");
    ip("link set lo up");
    ip(&format!(
        "link add eth0 type veth peer name {name} netns {}",
        std::process::id()
    ));
    ip(&format!("address add {address}/24 dev eth0"));
    ip("link set eth0 up");
}

#[track_caller]
fn ip(words: &str) {
    finished(Command::new("ip").args(words.split(' ')));
}
