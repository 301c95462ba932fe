//! A real sshd with the unchanged samples of the checkout, on the story's clock.

use crate::machine::clock::on_the_clock;
use crate::machine::files::{WORK, checkout};
use crate::process::processes::{below, end, patiently};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The port that sshd listens on.
pub(crate) const PORT: u16 = 2022;
const DROP_INS: &str = "/etc/ssh/sshd_config.d";

/// A running sshd. It ends with every session when this value is dropped.
pub(crate) struct Sshd(Child);

impl Sshd {
    pub(crate) fn configure() {
        for entry in fs::read_dir(DROP_INS)
            .expect("openssh-server is installed")
            .flatten()
        {
            fs::remove_file(entry.path()).expect("a drop-in can be removed");
        }
        put("config/pam.d/sshd", "/etc/pam.d/sshd");
        put(
            "config/sshd_config.d/postern.conf",
            &format!("{DROP_INS}/postern.conf"),
        );
        // sshd uses the first value of an option: these are options that the sample does not set.
        let tests = "MaxStartups 300:30:300\nPort 2022\nPrintMotd no\nLoginGraceTime 300\n";
        fs::write(format!("{DROP_INS}/tests.conf"), tests).expect("a drop-in can be written");
    }

    /// Starts sshd and waits until it listens.
    pub(crate) fn start() -> Sshd {
        fs::create_dir_all("/run/sshd").expect("/run can be written");
        let pid = format!("{WORK}/sshd.pid");
        if Path::new(&pid).exists() {
            fs::remove_file(&pid).expect("the tests' folder can be written");
        }
        let errors =
            File::create(format!("{WORK}/sshd.errors")).expect("the tests' folder can be written");
        let mut sshd = on_the_clock(Command::new("/usr/sbin/sshd"));
        sshd.args(["-D", "-o", &format!("PidFile={pid}")]);
        sshd.stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let mut sshd = sshd.spawn().expect("sshd runs; tests/run installs it");
        // sshd writes this file once it listens.
        patiently("sshd listens", || {
            assert!(
                sshd.try_wait()?.is_none(),
                "{}",
                fs::read_to_string(format!("{WORK}/sshd.errors"))?
            );
            Ok(Path::new(&pid).exists().then_some(()))
        });
        Sshd(sshd)
    }

    pub(crate) fn process(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for process in below(self.0.id()) {
            end(process);
        }
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Copies a file of the checkout to its place on the host.
pub(crate) fn put(from: &str, to: &str) {
    fs::copy(checkout(from), to).unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
}
