//! A host with Postern on a machine of its own: posternd, sshd and, on some, the gate behind nginx.

use crate::fleet::machine::Machine;
use crate::fleet::postgres_server::database_authority;
use crate::fleet::topology::Fleet;
use crate::fleet::unused_codes::PAST_STEPS;
use crate::machine::files::{CONFIG, KEY, give_to_daemons, set_mode};
use crate::pam::sshd::Sshd;
use crate::postern::daemon::Posternd;
use crate::user::person::Person;
use crate::user::ssh::Ssh;
use crate::web::client::WebClient;
use crate::web::setup::Web;
use std::fs;

const PASSWORD_FILE: &str = "/etc/postern/database.password";
const CA_FILE: &str = "/etc/postern/database.ca";

/// A running host. Its servers end when this value is dropped.
pub struct FleetHost {
    pub machine: Machine,
    pub posternd: Option<Posternd>,
    /// The gate, nginx and the application, where this host has them.
    pub web: Option<Web>,
    sshd: Option<Sshd>,
    settings: String,
}

impl FleetHost {
    /// Prepares a host whose store is in this table of postern.toml. Nothing runs there yet.
    #[track_caller]
    pub fn prepare(machine: Machine, store: &str, password: &str) -> FleetHost {
        let authority = database_authority();
        let settings =
            format!("{store}\nca_file = \"{CA_FILE}\"\n\n[totp]\npast_steps = {PAST_STEPS}\n");
        machine.run(|| {
            fs::write(CA_FILE, authority).expect("root may do it");
            set_mode(CA_FILE, 0o644);
            fs::write(PASSWORD_FILE, format!("{password}\n")).expect("root may do it");
            give_to_daemons(PASSWORD_FILE, 0o640);
            // those of the test host
            for file in [KEY, "/etc/postern/postern.toml.valid"] {
                let _ = fs::remove_file(file);
            }
            fs::write(CONFIG, &settings).expect("root may do it");
        });
        FleetHost {
            machine,
            posternd: None,
            web: None,
            sshd: None,
            settings,
        }
    }

    /// Copies the key file of another host.
    #[track_caller]
    pub fn copy_key(&self, of: &FleetHost) {
        let key = of
            .machine
            .run(|| fs::read(KEY).expect("postern init made it"));
        self.machine.run(|| {
            fs::write(KEY, key).expect("root may do it");
            give_to_daemons(KEY, 0o640);
        });
    }

    /// Starts posternd and sshd.
    #[track_caller]
    pub fn start(&mut self) {
        let (posternd, sshd) = self.machine.run(|| (Posternd::start(), Sshd::start()));
        (self.posternd, self.sshd) = (Some(posternd), Some(sshd));
    }

    /// Starts the gate behind nginx, with the application.
    #[track_caller]
    pub fn start_web(&mut self, fleet: &Fleet) {
        let settings = format!("\n{}", self.settings);
        self.web = Some(self.machine.run(|| Web::nginx(&fleet.host, &settings)));
    }

    /// Returns the gate's part of this host.
    #[track_caller]
    pub fn web(&self) -> &Web {
        self.web.as_ref().expect("this host has a gate")
    }

    /// Prepares a sign-in by ssh with the key at this host.
    pub fn ssh(&self, person: &Person) -> Ssh {
        person
            .with_key()
            .from(crate::CLIENT)
            .to(&self.machine.address)
    }

    /// Returns a browser that reaches this host by the names of gate and application.
    pub fn browser(&self) -> WebClient {
        WebClient::new()
            .from(crate::CLIENT)
            .to(&self.machine.address)
    }
}

impl Drop for FleetHost {
    fn drop(&mut self) {
        let servers = (self.web.take(), self.posternd.take(), self.sshd.take());
        // each removes what it left on the machine
        self.machine.run(|| drop(servers));
    }
}
