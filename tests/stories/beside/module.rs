//! The three modules, each set up as its own documentation recommends, and the paths of their
//! state.

use std::fs;
use std::path::Path;
use std::process::Command;
use testhost::{Host, Phone, STORE, STORE_FOLDER, finished};

const OATH_FOLDER: &str = "/etc/oath";
const OATH_USERS: &str = "/etc/oath/users.oath";
const KEPT: &str = "/run/postern-tests/beside";

/// A module of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Module {
    /// The module of this project.
    Totp,
    /// The module of libpam-google-authenticator.
    Google,
    /// The module of libpam-oath.
    Oath,
}

impl Module {
    pub(crate) const ALL: [Module; 3] = [Module::Totp, Module::Google, Module::Oath];

    /// Returns the name of the PAM service, which is the title of the column too.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Module::Totp => "pam_totp",
            Module::Google => "pam_google_authenticator",
            Module::Oath => "pam_oath",
        }
    }

    /// Returns the file that a login of alice reads and writes.
    pub(crate) fn state(self) -> &'static str {
        match self {
            Module::Totp => STORE,
            Module::Google => "/home/alice/.google_authenticator",
            Module::Oath => OATH_USERS,
        }
    }

    /// Returns the folder of that file.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Module::Totp => STORE_FOLDER,
            Module::Google => "/home/alice",
            Module::Oath => OATH_FOLDER,
        }
    }

    /// Returns all folders with state of alice and bob.
    fn folders(self) -> &'static [&'static str] {
        match self {
            Module::Totp => &[STORE_FOLDER],
            Module::Google => &["/home/alice", "/home/bob"],
            Module::Oath => &[OATH_FOLDER],
        }
    }

    /// Installs the PAM service, and makes an authenticator each for alice and bob.
    #[track_caller]
    pub(crate) fn set_up(self, host: &Host) -> [Phone; 2] {
        let people = ["alice", "bob"].map(|name| host.person(name));
        let lines = match self {
            Module::Totp => {
                "auth required pam_totp.so first_factor=passed\naccount required pam_totp.so\n"
            }
            Module::Google => {
                "auth required pam_google_authenticator.so\naccount required pam_permit.so\n"
            }
            Module::Oath => {
                "auth required pam_oath.so usersfile=/etc/oath/users.oath window=20 digits=6\n\
                 account required pam_permit.so\n"
            }
        };
        host.pam(self.name(), lines);
        let phones = match self {
            Module::Totp => people.map(|person| person.enrols()),
            Module::Google => people.map(|person| google_authenticator(&person.name)),
            Module::Oath => {
                let phones = [
                    "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
                    "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK",
                ]
                .map(Phone::scans);
                let lines = people.iter().zip(&phones);
                let lines = lines.map(|(person, phone)| {
                    format!("HOTP/T30 {} - {}\n", person.name, phone.secret_in_hex())
                });
                fs::create_dir_all(OATH_FOLDER).expect("/etc can be written");
                fs::write(OATH_USERS, lines.collect::<String>()).expect("/etc can be written");
                finished(Command::new("chmod").args(["go-rw", OATH_USERS]));
                phones
            }
        };
        self.keep();
        phones
    }

    fn keep(self) {
        for folder in self.folders() {
            let kept = format!("{KEPT}/{}{folder}", self.name());
            finished(Command::new("mkdir").args(["-p", &kept]));
            finished(Command::new("cp").args(["--archive", &format!("{folder}/."), &kept]));
        }
    }

    /// Restores the state as it was after the set-up.
    #[track_caller]
    pub(crate) fn restore(self) {
        for folder in self.folders() {
            let kept = format!("{KEPT}/{}{folder}", self.name());
            finished(Command::new("find").args([folder, "-mindepth", "1", "-delete"]));
            finished(Command::new("cp").args(["--archive", &format!("{kept}/."), folder]));
        }
        assert!(Path::new(self.state()).exists());
    }

    /// Returns the system call whose first occurrence is in the middle of a login: the module
    /// writes its state, or, with ours, has posternd write it.
    pub(crate) fn call_in_the_middle(self) -> &'static str {
        match self {
            Module::Totp => "sendto",
            Module::Google => "fsync,fdatasync",
            Module::Oath => "write",
        }
    }

    /// Returns the log's text for a code that was compared and is wrong. `None` for pam_oath, which
    /// logs nothing.
    pub(crate) fn wrong_in_the_log(self) -> Option<&'static str> {
        match self {
            Module::Totp => Some("refused cause=wrong"),
            Module::Google => Some("Invalid verification code"),
            Module::Oath => None,
        }
    }
}

/// Writes the file that the tool of libpam-google-authenticator writes with its recommended
/// answers.
#[track_caller]
fn google_authenticator(name: &str) -> Phone {
    let path = format!("/home/{name}/.google_authenticator");
    let words = "--time-based --disallow-reuse --rate-limit=3 --rate-time=30 --window-size=3 --force --quiet --no-confirm";
    let mut tool = Command::new("runuser");
    tool.args([
        "-u",
        name,
        "--",
        "google-authenticator",
        &format!("--secret={path}"),
    ])
    .args(words.split(' '));
    finished(&mut tool);
    let text = fs::read_to_string(&path).expect("the tool writes it");
    Phone::scans(text.lines().next().expect("the secret comes first"))
}
