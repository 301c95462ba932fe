//! A FIDO security key in software, which the real ssh and ssh-keygen use through its library.

use crate::machine::files::WORK;
use crate::user::person::Person;
use crate::user::ssh::Ssh;
use crate::user::terminal::Terminal;
use security_key::{PIN, TOUCH};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// The type of a security key, as `ssh-keygen -t` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityKeyType {
    Ed25519,
    Ecdsa,
}

/// Whether a security key asks for its PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsksPin {
    Yes,
    No,
}

/// A security key of a person, whose public key is among the authorized keys of the account.
pub struct SecurityKey {
    /// The file of the key.
    pub path: String,
    /// The fingerprint, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    owner: Person,
    asks_pin: AsksPin,
}

impl Person {
    /// Makes a security key for the account with `ssh-keygen`, unless an earlier story did.
    #[track_caller]
    pub fn gets_security_key(&self, kind: SecurityKeyType, asks_pin: AsksPin) -> SecurityKey {
        let path = format!("{WORK}/{}.{kind:?}.{asks_pin:?}.sk", self.name);
        if !Path::new(&path).exists() {
            make_key(&path, kind, asks_pin);
            let line = fs::read(format!("{path}.pub")).expect("ssh-keygen wrote it");
            self.authorizes(&line);
        }
        SecurityKey {
            fingerprint: crate::user::person::fingerprint(&path),
            path,
            owner: self.clone(),
            asks_pin,
        }
    }

    /// Adds a line to the authorized keys of the account.
    #[track_caller]
    pub fn authorizes(&self, line: &[u8]) {
        let file = format!("/home/{}/.ssh/authorized_keys", self.name);
        let file = File::options().append(true).open(file);
        file.and_then(|mut file| file.write_all(line))
            .expect("a home can be written");
    }
}

impl SecurityKey {
    /// Prepares a sign-in by ssh with this key, which its user touches.
    pub fn ssh(&self) -> Ssh {
        let provider = format!("SecurityKeyProvider={}", library());
        self.owner.with_key().key(&self.path).option(&provider)
    }

    /// Prepares a sign-in by ssh with this key, which its user does not touch.
    pub fn ssh_untouched(&self) -> Ssh {
        self.ssh().environment(TOUCH, "no")
    }

    /// Connects, and types the PIN if the key asks for it.
    #[track_caller]
    pub fn connects(&self, ssh: &Ssh) -> Terminal {
        let mut terminal = ssh.connects();
        if self.asks_pin == AsksPin::Yes {
            terminal.expect("Enter PIN for ").types(PIN);
        }
        terminal
    }
}

#[track_caller]
fn make_key(path: &str, kind: SecurityKeyType, asks_pin: AsksPin) {
    let kind = match kind {
        SecurityKeyType::Ed25519 => "ed25519-sk",
        SecurityKeyType::Ecdsa => "ecdsa-sk",
    };
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", kind, "-w", &library(), "-N", "", "-f", path]);
    if asks_pin == AsksPin::Yes {
        keygen.args(["-O", "verify-required"]);
    }
    let mut terminal = Terminal::run(keygen);
    if asks_pin == AsksPin::Yes {
        terminal.expect("Enter PIN for ").types(PIN);
    }
    let ended = terminal.ends();
    assert!(ended.status.success(), "{}", ended.transcript);
}

/// Returns the library of the security key, which cargo builds beside the stories.
fn library() -> String {
    let stories = std::env::current_exe().expect("there is a /proc");
    let library = stories.with_file_name("libsecurity_key.so");
    assert!(
        library.exists(),
        "cargo did not build {}",
        library.display()
    );
    library.display().to_string()
}
