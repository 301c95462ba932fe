//! The modules that are compared: one PAM service for each, with people of its own, so that every
//! login has an unused code.

use crate::people::{self, Person};
use std::cell::Cell;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use testhost::finished;

const OATH_USERS: &str = "/etc/oath/users.oath";

/// The module and its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// pam_permit: the host and libpam alone.
    Permit,
    Google,
    Oath,
    /// The module, with posternd.
    Daemon,
    /// The module, with posternd and with the guard in `account`.
    Guard,
    /// The module, while no posternd listens.
    Alone,
}

impl Kind {
    pub(crate) const ALL: [Kind; 6] = [
        Kind::Permit,
        Kind::Google,
        Kind::Oath,
        Kind::Daemon,
        Kind::Guard,
        Kind::Alone,
    ];

    /// Returns the title of its row.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Kind::Permit => "pam_permit",
            Kind::Google => "pam_google_authenticator",
            Kind::Oath => "pam_oath",
            Kind::Daemon => "pam_totp, with the daemon",
            Kind::Guard => "pam_totp, with the daemon and the guard",
            Kind::Alone => "pam_totp, without the daemon",
        }
    }

    /// Returns the name of its PAM service.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Kind::Permit => "bench-permit",
            Kind::Google => "bench-google",
            Kind::Oath => "bench-oath",
            Kind::Daemon => "bench-daemon",
            Kind::Guard => "bench-guard",
            Kind::Alone => "bench-alone",
        }
    }

    /// Returns whether its accounts are Postern's.
    fn is_ours(self) -> bool {
        matches!(self, Kind::Daemon | Kind::Guard | Kind::Alone)
    }

    fn lines(self) -> &'static str {
        match self {
            Kind::Permit => "auth required pam_permit.so\naccount required pam_permit.so\n",
            Kind::Google => {
                "auth required pam_google_authenticator.so\naccount required pam_permit.so\n"
            }
            Kind::Oath => {
                "auth required pam_oath.so usersfile=/etc/oath/users.oath window=3 digits=6\n\
                 account required pam_permit.so\n"
            }
            Kind::Daemon | Kind::Alone => {
                "auth required pam_totp.so first_factor=passed\naccount required pam_permit.so\n"
            }
            Kind::Guard => {
                "auth required pam_totp.so first_factor=passed\naccount required pam_totp.so\n"
            }
        }
    }
}

/// A module with its people.
pub(crate) struct Contestant {
    pub(crate) kind: Kind,
    people: Vec<Person>,
    next: Cell<usize>,
}

impl Contestant {
    /// Makes a contestant with people for `each` logins. pam_oath writes its one file for all users
    /// as a whole, so it has only `rounds` people, and takes part in the first table alone.
    pub(crate) fn new(kind: Kind, each: usize, rounds: usize) -> Contestant {
        let count = if kind == Kind::Oath {
            rounds + crate::memory::LOGINS
        } else {
            each
        };
        let name = &kind.service()["bench-".len()..];
        Contestant {
            kind,
            people: people::people(name, count),
            next: Cell::new(0),
        }
    }

    /// Returns the next people whose code is unused.
    pub(crate) fn next(&self, count: usize) -> &[Person] {
        let begin = self.next.get();
        self.next.set(begin + count);
        &self.people[begin..begin + count]
    }
}

/// Sets everything up, as the documentation of each module recommends.
pub(crate) fn set_up(all: &[Contestant], counters: &[Person]) {
    people::add_users(all.iter().flat_map(|one| &one.people).chain(counters));
    for Contestant { kind, people, .. } in all {
        fs::write(Path::new("/etc/pam.d").join(kind.service()), kind.lines())
            .expect("/etc can be written");
        match kind {
            Kind::Google => people.iter().for_each(google_authenticator),
            Kind::Oath => oath(people),
            _ => {}
        }
    }
    finished(Command::new("postern").arg("init"));
    let ours = all
        .iter()
        .filter(|one| one.kind.is_ours())
        .flat_map(|one| &one.people);
    let uris: Vec<String> = ours.chain(counters).map(Person::otpauth_uri).collect();
    // An import accepts files of at most 1 MiB.
    for uris in uris.chunks(5_000) {
        import(&uris.concat());
    }
}

/// Writes the file that the tool of libpam-google-authenticator writes with its recommended
/// answers.
fn google_authenticator(person: &Person) {
    let home = format!("/home/{}", person.name);
    let path = format!("{home}/.google_authenticator");
    let uid = finished(Command::new("id").args(["--user", &person.name]));
    let uid = uid.trim().parse().ok();
    fs::create_dir_all(&home).expect("/home can be written");
    let text = format!(
        "{}\n\" RATE_LIMIT 3 30\n\" WINDOW_SIZE 3\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n",
        person.secret.to_base32().as_str()
    );
    fs::write(&path, text).expect("/home can be written");
    fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("it is root's");
    for path in [&home, &path] {
        chown(path, uid, uid).expect("root may do it");
    }
}

fn oath(people: &[Person]) {
    let hex = |person: &Person| data_encoding::HEXLOWER.encode(person.secret.expose());
    let lines = people
        .iter()
        .map(|person| format!("HOTP/T30 {} - {}\n", person.name, hex(person)));
    fs::write(OATH_USERS, lines.collect::<String>()).expect("/etc can be written");
    fs::set_permissions(OATH_USERS, Permissions::from_mode(0o600)).expect("it is root's");
}

fn import(uris: &str) {
    let path = "/run/login-bench.uris";
    let mut file = File::create(path).expect("/run can be written");
    file.write_all(uris.as_bytes())
        .expect("/run can be written");
    let mut command = Command::new("postern");
    command
        .args(["import", "otpauth", path, "--yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    assert!(
        command.status().expect("postern is installed").success(),
        "postern import"
    );
}
