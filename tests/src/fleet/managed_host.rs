//! A machine of its own with /etc of its own, as an installation of Debian has it with sshd, and a
//! posternd, which only systemd could start later: what configures hosts by ssh works on it.

use crate::fleet::machine::Machine;
use crate::machine::clock::on_the_clock;
use crate::machine::files::KEY;
use crate::pam::sshd::PORT;
use crate::postern::daemon::Posternd;
use crate::process::processes::{Running, finished, patiently};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

/// A machine with Postern's programs, where nothing of it is configured.
pub struct ManagedHost {
    pub machine: Machine,
    running: Option<(Running, Posternd)>,
}

impl ManagedHost {
    /// Prepares a machine, and starts its sshd. `services` are PAM services of Debian.
    #[track_caller]
    pub fn start(machine: Machine, services: &[(&str, String)]) -> ManagedHost {
        let address = format!("{}:{PORT}", machine.address);
        let running = machine.run(|| {
            finished(Command::new("cp").args(["-a", "/etc", "/run/own"]));
            finished(Command::new("mount").args(["--bind", "/run/own", "/etc"]));
            let posternd = Posternd::start();
            for path in [
                KEY,
                "/etc/postern/postern.toml",
                "/etc/postern/postern.toml.valid",
                "/etc/ssh/sshd_config.d/postern.conf",
            ] {
                let _ = fs::remove_file(path);
            }
            for (name, text) in services {
                fs::write(format!("/etc/pam.d/{name}"), text).expect("/etc can be written");
            }
            let mut sshd = on_the_clock(Command::new("/usr/sbin/sshd"));
            sshd.arg("-D");
            (Running::start(sshd, "sshd.log"), posternd)
        });
        let address: SocketAddr = address.parse().expect("an address");
        patiently("sshd listens", || {
            Ok(TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok())
        });
        ManagedHost {
            machine,
            running: Some(running),
        }
    }
}

impl Drop for ManagedHost {
    fn drop(&mut self) {
        let running = self.running.take();
        // each removes what it left on the machine
        self.machine.run(|| drop(running));
    }
}
