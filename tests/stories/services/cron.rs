//! cron asks PAM whether an account is valid, and never for a password or a code.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use testhost::{Host, Person, assert_contains, assert_lacks, finished, wait_until};

const DONE: &str = "/tmp/postern-job";

/// A cron that has just started, with one job of a person. It ends when this value is dropped.
struct Cron {
    daemon: Child,
    person: Person,
}

impl Cron {
    #[track_caller]
    fn boots(person: &Person) -> Cron {
        for left in [DONE, "/run/crond.reboot"] {
            if Path::new(left).exists() {
                fs::remove_file(left).expect("root may");
            }
        }
        let table = "/run/postern-tests/crontab";
        fs::write(table, format!("@reboot id -un >{DONE}\n"))
            .expect("the tests' folder can be written");
        finished(Command::new("crontab").args(["-u", &person.name, table]));
        let mut cron = Command::new("/usr/sbin/cron");
        cron.arg("-f")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Cron {
            daemon: cron.spawn().expect("cron runs; tests/run installs it"),
            person: person.clone(),
        }
    }
}

impl Drop for Cron {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = Command::new("crontab")
            .args(["-u", &self.person.name, "-r"])
            .status();
    }
}

/// cron skips `auth`, and its jobs run. With the guard among its account lines cron would run no
/// job of an account with a second factor.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_job_runs_of_a_user_who_has_a_second_factor_or_must_have_one() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    host.configure("[policy]\nrequired = \"all\"\n");
    host.journal.forget();

    for person in [&alice, &bob] {
        let _cron = Cron::boots(person);
        let who = format!("{}\n", person.name);
        wait_until("the job has run", || Ok(fs::read_to_string(DONE)? == who));
    }
    let log = host.journal.rest();
    assert_contains(&log, "pam_unix(cron:session)");
    assert_lacks(&log, "pam_totp(");

    host.pam(
        "cron",
        &format!("account required pam_totp.so\n{}", host.shipped("cron")),
    );
    let _cron = Cron::boots(&alice);
    host.journal.says(
        "pam_totp(cron:account): refused cause=not-verified address=- service=cron user=\"alice\"",
    );
    assert!(!Path::new(DONE).exists());
}
