//! A real mail server (dovecot), and a mail program that reads from it.

use crate::machine::clock::on_the_clock;
use crate::machine::files::WORK;
use crate::process::processes::{Running, patiently};
use crate::user::person::Person;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const PORT: u16 = 1143;

/// A running dovecot, which calls PAM with the service `dovecot`.
pub struct Dovecot(Running);

impl Dovecot {
    /// Starts it and waits until it listens.
    #[track_caller]
    pub fn start() -> Dovecot {
        // Only the process that calls PAM uses the story's clock. With a frozen clock the other
        // processes would wait without end.
        let worker = format!("{WORK}/dovecot-auth-worker");
        let clock: String = on_the_clock(Command::new("auth"))
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)))
            .map(|(name, value)| format!("export {name}='{value}'\n"))
            .collect();
        let script = format!("#!/bin/sh\n{clock}exec /usr/lib/dovecot/auth -w\n");
        fs::write(&worker, script).expect("the tests' folder can be written");
        fs::set_permissions(&worker, PermissionsExt::from_mode(0o755)).expect("a mode can be set");
        // Dovecot's own delay after a failure is off. Its memory limit is off too: root cannot
        // raise a limit in a container without CAP_SYS_RESOURCE, which would keep posternd --stdio
        // from starting.
        let configuration = format!(
            "protocols = imap\nlisten = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\nauth_mechanisms = plain\n\
             mail_location = maildir:~/Maildir\nlog_path = /dev/stderr\nauth_failure_delay = 0\n\
             passdb {{\n driver = pam\n args = dovecot\n}}\nuserdb {{\n driver = passwd\n}}\n\
             service auth-worker {{\n executable = {worker}\n vsz_limit = 0\n}}\n\
             service anvil {{\n unix_listener anvil-auth-penalty {{\n mode = 0\n }}\n}}\n\
             service imap-login {{\n inet_listener imap {{\n port = {PORT}\n }}\n inet_listener imaps {{\n port = 0\n }}\n}}\n"
        );
        let path = format!("{WORK}/dovecot.conf");
        fs::write(&path, configuration).expect("the tests' folder can be written");
        let mut dovecot = Command::new("/usr/sbin/dovecot");
        dovecot.args(["-F", "-c", &path]);
        let running = Running::start(dovecot, "dovecot.log");
        patiently("dovecot listens", || {
            Ok(TcpStream::connect(("127.0.0.1", PORT)).ok())
        });
        Dovecot(running)
    }

    /// Returns what a mail program prints that sends a password.
    fn hears(&self, person: &Person, password: &str) -> String {
        let user = format!("{}:{password}", person.name);
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--user",
            &user,
        ]);
        let text = curl
            .arg(format!("imap://127.0.0.1:{PORT}/"))
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&[text.stdout, text.stderr].concat()).into_owned()
    }

    /// Signs in and lists the mailboxes.
    #[track_caller]
    pub fn opens(&self, person: &Person, password: &str) {
        let heard = self.hears(person, password);
        assert!(heard.contains("INBOX"), "{heard}\n{}", self.0.output());
    }

    /// Expects that the password is refused.
    #[track_caller]
    pub fn refuses(&self, person: &Person, password: &str) {
        let heard = self.hears(person, password);
        assert!(heard.contains("curl: (67)"), "{heard}\n{}", self.0.output());
    }
}
