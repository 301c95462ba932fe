//! Who is compared: a service of PAM's each, with people of its own, so that every login has a fresh code.

use crate::people::{self, Person};
use std::cell::Cell;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use testhost::finished;

const OATH_USERS: &str = "/etc/oath/users.oath";

/// Who.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// pam_permit: the host and libpam alone.
    Permit,
    /// pam_google_authenticator
    Google,
    /// pam_oath
    Oath,
    /// The module, with posternd.
    Daemon,
    /// The same, with the guard in `account`.
    Guard,
    /// The module, where nobody listens.
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

    /// At the head of its row.
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

    /// The service.
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

    /// Whether the account is Postern's.
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

/// One of them, with its people.
pub(crate) struct Contestant {
    pub(crate) kind: Kind,
    people: Vec<Person>,
    next: Cell<usize>,
}

impl Contestant {
    /// One with people for `each` logins. pam_oath has one file for all its users and writes it whole, so that it has as
    /// many as `rounds` says, and takes part in nothing else.
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

    /// The next ones whose code nobody has used.
    pub(crate) fn next(&self, count: usize) -> &[Person] {
        let begin = self.next.get();
        self.next.set(begin + count);
        &self.people[begin..begin + count]
    }
}

/// Sets everything up, as the documentation of each recommends.
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
    // an import takes files of at most 1 MiB
    for uris in uris.chunks(5_000) {
        import(&uris.concat());
    }
}

/// What the tool of libpam-google-authenticator writes where its questions are answered as it advises.
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
