//! A person: a Unix account with a password and a key, and what such a person does.

use crate::machine::clock::on_the_clock;
use crate::machine::files::WORK;
use crate::postern::command::Postern;
use crate::process::processes::{ended, finished};
use crate::user::phone::Phone;
use crate::user::ssh::Ssh;
use nix::unistd::User;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A person with an account on the host.
#[derive(Clone, Debug)]
pub struct Person {
    pub name: String,
    /// The password on the host.
    pub password: String,
}

impl Person {
    /// Makes the account at the first call of all stories. Root's account exists, and gets a
    /// password and a key.
    pub(crate) fn called(name: &str) -> Person {
        let person = Person {
            name: name.to_owned(),
            password: format!("the password of {name}"),
        };
        if !Path::new(&person.key()).exists() {
            person.create();
        }
        person
    }

    fn create(&self) {
        let Person { name, password } = self;
        if name != "root" {
            finished(Command::new("useradd").args(["--create-home", "--shell", "/bin/bash", name]));
        }
        // A hash with few rounds keeps the stories fast.
        let mut chpasswd = Command::new("chpasswd");
        chpasswd
            .args(["-c", "SHA512", "-s", "1000"])
            .stdin(Stdio::piped());
        let mut chpasswd = chpasswd.spawn().expect("chpasswd runs");
        let mut stdin = chpasswd.stdin.take().expect("stdin is a pipe");
        writeln!(stdin, "{name}:{password}").expect("chpasswd reads");
        drop(stdin);
        assert!(ended(&mut chpasswd).success(), "chpasswd for {name}");

        let user = User::from_name(name)
            .ok()
            .flatten()
            .expect("the account was made");
        let (key, home) = (self.key(), user.dir.display().to_string());
        finished(
            Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &key]),
        );
        let (ssh, public) = (
            format!("{home}/.ssh"),
            fs::read(format!("{key}.pub")).expect("ssh-keygen wrote it"),
        );
        fs::create_dir_all(&ssh).expect("a home can be written");
        let keys = File::options()
            .append(true)
            .create(true)
            .open(format!("{ssh}/authorized_keys"));
        keys.expect("a home can be written")
            .write_all(&public)
            .expect("a home can be written");
        finished(Command::new("chown").args(["-R", &format!("{name}:"), &ssh]));
    }

    pub fn key(&self) -> String {
        format!("{WORK}/{}", self.name)
    }

    /// Returns the fingerprint of the key, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.key())
    }

    /// Makes a second key, and returns its file and its fingerprint.
    #[track_caller]
    pub fn gets_another_key(&self) -> (String, String) {
        let key = format!("{}.another", self.key());
        if !Path::new(&key).exists() {
            finished(Command::new("ssh-keygen").args(["-q", "-t", "ecdsa", "-N", "", "-f", &key]));
            let line = fs::read(format!("{key}.pub")).expect("ssh-keygen wrote it");
            let authorized = format!("/home/{}/.ssh/authorized_keys", self.name);
            let mut authorized = File::options()
                .append(true)
                .open(authorized)
                .expect("a home can be written");
            authorized.write_all(&line).expect("a home can be written");
        }
        let fingerprint = fingerprint(&key);
        (key, fingerprint)
    }

    /// Enrolls as an administrator's script does, and returns the authenticator.
    #[track_caller]
    pub fn enrols(&self) -> Phone {
        self.enrols_with_recovery_codes().0
    }

    /// Enrolls, and returns the authenticator and the recovery codes.
    #[track_caller]
    pub fn enrols_with_recovery_codes(&self) -> (Phone, Vec<String>) {
        let output = Postern::call(&format!("enroll {} --no-confirm --json", self.name))
            .does()
            .json();
        let url = output["otpauth_url"]
            .as_str()
            .expect("an otpauth_url")
            .to_owned();
        let codes = output["recovery_codes"].as_array().expect("recovery_codes");
        let codes = codes
            .iter()
            .map(|code| code.as_str().expect("a recovery code").to_owned())
            .collect();
        (Phone::scans(&url), codes)
    }

    /// Has the administrator set the password for the web, the same as for ssh.
    #[track_caller]
    pub fn has_a_password(&self) {
        Postern::call(&format!("password {}", self.name))
            .input(&format!("{}\n", self.password))
            .does();
    }

    /// Prepares a sign-in by ssh with the key.
    pub fn with_key(&self) -> Ssh {
        Ssh::with_key(self)
    }

    /// Prepares a sign-in by ssh with the password.
    pub fn with_password(&self) -> Ssh {
        Ssh::with_password(self)
    }

    /// Prepares a call of `postern` by this person. It needs no clock: the gate has the story's.
    pub fn postern(&self, words: &str) -> Postern {
        let mut setpriv = Command::new("setpriv");
        let user = [
            format!("--reuid={}", self.name),
            format!("--regid={}", self.name),
        ];
        setpriv
            .args(user)
            .args(["--init-groups", "/usr/bin/postern"])
            .args(words.split_whitespace());
        Postern::under(setpriv)
    }

    /// Prepares a command that this person runs on the host itself.
    pub fn on_this_host(&self, command: &str) -> Command {
        let mut runuser = on_the_clock(Command::new("runuser"));
        runuser.args(["-u", &self.name, "--", "sh", "-c", command]);
        runuser
    }
}

/// Returns the fingerprint of a key, as `ssh-keygen -l` prints it.
pub(crate) fn fingerprint(key: &str) -> String {
    let output = finished(Command::new("ssh-keygen").args(["-l", "-f", key]));
    output.split(' ').nth(1).expect("a fingerprint").to_owned()
}
