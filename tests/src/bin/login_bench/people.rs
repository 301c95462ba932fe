//! The people who sign in, each with a secret, and the accounts that only fill the store.

use postern_shared::credential::otp::secret::Secret;
use postern_shared::credential::otp::totp::{
    Algorithm, OtpKind, OtpParameters, Step, generate_code,
};
use postern_shared::system::clock;
use std::sync::atomic::{AtomicU64, Ordering};
use testhost::STORE;

/// The first user number of these people.
const FIRST_UID: usize = 30_000;

/// A person with a secret whose next code is unused.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) secret: Secret,
    /// The next counter, for HOTP secrets.
    next: Option<AtomicU64>,
}

impl Person {
    fn new(name: String, next: Option<AtomicU64>) -> Person {
        Person {
            name,
            secret: Secret::random().expect("there is randomness"),
            next,
        }
    }

    /// Returns an unused code: of the current time step, or of the next counter.
    pub(crate) fn code(&self) -> String {
        let parameters = |moving| OtpParameters {
            algorithm: Algorithm::Sha1,
            digits: 6,
            moving,
        };
        let text = match &self.next {
            Some(next) => {
                let step = Step(next.fetch_add(1, Ordering::Relaxed));
                generate_code(&self.secret, parameters(OtpKind::Counter), step)
            }
            None => {
                let moving = OtpKind::Time { period: 30 };
                let now = clock::now().expect("a clock after 1970");
                generate_code(
                    &self.secret,
                    parameters(moving),
                    moving.step_at(now).expect("it has a period"),
                )
            }
        };
        text.to_string()
    }

    /// Returns the otpauth URI of the secret.
    pub(crate) fn otpauth_uri(&self) -> String {
        let secret = self.secret.to_base32();
        match self.next {
            Some(_) => format!(
                "otpauth://hotp/{}?secret={}&counter=0\n",
                self.name,
                secret.as_str()
            ),
            None => format!("otpauth://totp/{}?secret={}\n", self.name, secret.as_str()),
        }
    }
}

/// Makes people whose names begin with `name`.
pub(crate) fn people(name: &str, count: usize) -> Vec<Person> {
    (0..count)
        .map(|number| Person::new(format!("{name}-{number}"), None))
        .collect()
}

/// Makes people with HOTP secrets, who can make any number of unused codes.
pub(crate) fn with_counters(count: usize) -> Vec<Person> {
    let person = |number| Person::new(format!("counter-{number}"), Some(AtomicU64::new(0)));
    (0..count).map(person).collect()
}

/// Makes Unix users of these people, as useradd does, but faster.
pub(crate) fn add_users<'a>(people: impl Iterator<Item = &'a Person>) {
    let mut passwd = std::fs::read_to_string("/etc/passwd").expect("a file of users");
    let mut shadow = std::fs::read_to_string("/etc/shadow").expect("a file of passwords");
    for (number, Person { name, .. }) in people.enumerate() {
        let uid = FIRST_UID + number;
        passwd.push_str(&format!("{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n"));
        shadow.push_str(&format!("{name}:!:19000:0:99999:7:::\n"));
    }
    std::fs::write("/etc/passwd", passwd).expect("/etc can be written");
    std::fs::write("/etc/shadow", shadow).expect("/etc can be written");
}

/// Fills the store with accounts up to `count`, each with an app password. No person signs in to
/// those accounts, and their secrets are invalid. The rows are inserted without the engine, which would seal and log each
/// one.
pub(crate) fn fill_store(count: usize) {
    let connection = rusqlite::Connection::open(STORE).expect("the store opens");
    let setting = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(setting, true).expect("a setting");
    let last = "SELECT max(seq) FROM sqlite_sequence WHERE name IN ('account', 'authenticator')";
    let first: i64 = connection
        .query_row(last, [], |row| row.get(0))
        .expect("there are accounts");
    let numbers = format!(
        "WITH RECURSIVE number(n) AS (SELECT {first} + 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count})"
    );
    let text = format!(
        "BEGIN IMMEDIATE;
         INSERT INTO account (id, name, name_key, created, first_sign_in, last_sign_in)
             {numbers} SELECT n, 'filler-' || n, 'filler-' || n, 1800000000, 1800000000, 1800000000 FROM number;
         INSERT INTO authenticator (id, account, name, algorithm, digits, period, created)
             {numbers} SELECT n, n, 'app', 'SHA1', 6, 30, 1800000000 FROM number;
         INSERT INTO secret (authenticator, sealed)
             {numbers} SELECT n, randomblob((SELECT length(sealed) FROM secret LIMIT 1)) FROM number;
         INSERT INTO floor (fingerprint, step)
             {numbers} SELECT randomblob((SELECT length(fingerprint) FROM floor LIMIT 1)), 60000000 FROM number;
         INSERT INTO app_password (hash, account, name, scope, created, revision)
             {numbers} SELECT randomblob(32), n, 'app', 'web:app.example.test', 1800000000, 0 FROM number;
         COMMIT;
         PRAGMA wal_checkpoint(TRUNCATE);"
    );
    connection
        .execute_batch(&text)
        .expect("the store can be filled");
}
