//! A machine that is a host of a fleet: sshd with the samples and a posternd, without a store.

use crate::fleet::machine::Machine;
use crate::machine::files::{CONFIG, KEY};
use crate::pam::sshd::Sshd;
use crate::postern::command::Postern;
use crate::postern::daemon::Posternd;
use crate::user::person::Person;
use crate::user::ssh::Ssh;
use std::fs;

/// A running host of a fleet. posternd and sshd end when this value is dropped.
pub struct JoinedHost {
    machine: Machine,
    servers: Option<(Posternd, Sshd)>,
}

impl JoinedHost {
    /// Has a machine join by the one-time code of a server, and starts its sshd.
    #[track_caller]
    pub fn start(machine: Machine, server: &str, invitation: &str) -> JoinedHost {
        let servers = machine.run(|| {
            // those of the test host
            for file in [KEY, CONFIG, "/etc/postern/postern.toml.valid"] {
                let _ = fs::remove_file(file);
            }
            let posternd = Posternd::start();
            let join = Postern::call(&format!("host join {server}"));
            join.types(invitation).does();
            (posternd, Sshd::start())
        });
        JoinedHost {
            machine,
            servers: Some(servers),
        }
    }

    /// Prepares a sign-in by ssh with the key at this host.
    pub fn ssh(&self, person: &Person) -> Ssh {
        let ssh = person.with_key().from(crate::CLIENT);
        ssh.to(&self.machine.address)
    }
}

impl Drop for JoinedHost {
    fn drop(&mut self) {
        let servers = self.servers.take();
        // each removes what it left on the machine
        self.machine.run(|| drop(servers));
    }
}
