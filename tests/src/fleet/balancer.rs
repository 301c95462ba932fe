//! HAProxy on a machine of its own, before the gates of others.

use crate::fleet::machine::Machine;
use crate::process::processes::{Running, finished, patiently};
use std::fs;
use std::process::Command;

const FILE: &str = "/run/haproxy.cfg";

/// A running balancer. It ends when this value is dropped.
pub struct Balancer {
    pub machine: Machine,
    running: Running,
}

impl Balancer {
    /// Starts HAProxy with this haproxy.cfg.
    #[track_caller]
    pub fn start(machine: Machine, text: &str) -> Balancer {
        let running = machine.run(|| {
            fs::write(FILE, text).expect("/run can be written");
            finished(Command::new("haproxy").args(["-c", "-f", FILE]));
            let mut haproxy = Command::new("haproxy");
            haproxy.args(["-db", "-f", FILE]);
            Running::start(haproxy, "balancer.log")
        });
        Balancer { machine, running }
    }

    /// Waits until HAProxy has reported a text this number of times.
    #[track_caller]
    pub fn says(&self, words: &str, times: usize) {
        patiently(&format!("HAProxy says {words:?}"), || {
            let count = self.running.output().matches(words).count();
            Ok((count >= times).then_some(()))
        });
    }
}
