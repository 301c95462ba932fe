//! The length of the WAL. It is bounded in every case, so that no login reads more than the first
//! one did.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::config::{Config, file};
use postern_shared::credential::otp::secret::Secret;
use postern_shared::engine::Engine;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::throttle::Phase;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};
use test_store::{NOW, TestStore, accepted, attempt_at, code_at, name, remote};
use zeroize::Zeroizing;

/// Maximum length of the WAL, in bytes.
const MOST: u64 = 8 * 1024 * 1024;
/// Length of the WAL, in bytes, while no process reads an old snapshot for long.
const USUAL: u64 = 1024 * 1024;
/// Logins in a row, each of which adds about 50 kB.
const LOGINS: u64 = 600;

/// A person who logs in repeatedly, in a new process each time.
struct Person {
    config: Config,
    name: String,
    authenticator: PendingEnrollment,
    logins: u64,
}

impl Person {
    /// Returns a person whom [`Home::enrols`] enrolled.
    fn new(config: &Config, who: &str) -> Person {
        let secret = Zeroizing::new(Sha256::digest(who)[..20].to_vec());
        let pending = PendingEnrollment::new(config, &name(who)).unwrap();
        let authenticator = pending.with_secret(Secret::from_bytes(secret).unwrap());
        Person {
            config: config.clone(),
            name: who.to_owned(),
            authenticator,
            logins: 0,
        }
    }

    /// Opens the store, uses the next code, and closes the store.
    fn logs_in(&mut self) {
        self.logins += 1;
        let now = Timestamp(NOW.0 + 30 * self.logins);
        let code = code_at(&self.authenticator, 0, now);
        let mut engine = Engine::open(self.config.clone()).unwrap();
        let origin = remote("192.0.2.1");
        accepted(&attempt_at(
            &mut engine,
            &self.name,
            &origin,
            Phase::After,
            &code,
            now,
        ));
    }
}

/// Returns a store that no process has open, and alice.
fn closed() -> (test_store::TestFolder, Person) {
    let mut test = TestStore::new("");
    test.enrols("alice");
    let alice = Person::new(&test.config, "alice");
    (test.folder, alice)
}

fn wal(folder: &Path) -> PathBuf {
    folder.join("store/db-wal")
}

fn length(folder: &Path) -> u64 {
    wal(folder).metadata().unwrap().len()
}

/// Returns the bytes that this thread has read from files.
fn reads() -> u64 {
    let counts = fs::read_to_string("/proc/thread-self/io").unwrap();
    counts
        .lines()
        .find_map(|line| line.strip_prefix("syscr: "))
        .unwrap()
        .parse()
        .unwrap()
}

/// Returns the largest number of bytes that one of the logins reads, and the longest WAL after one
/// of them.
fn most_of(alice: &mut Person, folder: &Path, logins: u64) -> (u64, u64) {
    let each = (0..logins).map(|_| {
        let before = reads();
        alice.logs_in();
        (reads() - before, length(folder))
    });
    each.fold((0, 0), |most, found| {
        (most.0.max(found.0), most.1.max(found.1))
    })
}

/// Without a daemon, each login is the first process to open the store. It reads the whole WAL,
/// whatever was checkpointed before.
#[test]
fn logins_that_find_the_store_closed_leave_the_wal_short() {
    let (folder, mut alice) = closed();
    let (reads_at_first, _) = most_of(&mut alice, folder.path(), 100);
    let (reads, longest) = most_of(&mut alice, folder.path(), LOGINS);
    assert!(longest <= USUAL, "{longest} bytes");
    assert!(
        reads <= reads_at_first + reads_at_first / 4,
        "{reads} reads, {reads_at_first} at first"
    );
}

#[test]
fn logins_beside_a_connection_that_does_nothing_leave_the_wal_short() {
    let (folder, mut alice) = closed();
    let idle = Engine::open(alice.config.clone()).unwrap();
    let (_, longest) = most_of(&mut alice, folder.path(), LOGINS);
    assert!(longest <= USUAL, "{longest} bytes");
    drop(idle);
}

/// A connection that stays open, as the daemon's does.
#[test]
fn writes_of_one_connection_leave_the_wal_short() {
    let (folder, mut alice) = closed();
    let mut engine = Engine::open(alice.config.clone()).unwrap();
    for login in 1..=LOGINS {
        let now = Timestamp(NOW.0 + 30 * login);
        let code = code_at(&alice.authenticator, 0, now);
        accepted(&attempt_at(
            &mut engine,
            "alice",
            &remote("192.0.2.1"),
            Phase::After,
            &code,
            now,
        ));
        assert!(length(folder.path()) <= USUAL);
    }
    drop(engine);
    alice.logins = LOGINS;
    alice.logs_in();
}

/// A read transaction prevents the WAL from restarting, and no process waits for it. After it
/// ended, the WAL is as short as before.
#[test]
fn a_long_read_lets_the_wal_grow_and_no_longer_than_itself() {
    let (folder, mut alice) = closed();
    let reader = Connection::open(folder.path().join("store/db")).unwrap();
    let seen = |reader: &Connection| {
        reader
            .query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    reader.execute_batch("BEGIN").unwrap();
    let before = seen(&reader);
    let (_, longest) = most_of(&mut alice, folder.path(), 100);
    assert!(longest > 2 * USUAL, "{longest} bytes");
    assert_eq!(seen(&reader), before);
    reader.execute_batch("COMMIT").unwrap();
    alice.logs_in();
    assert!(length(folder.path()) <= USUAL);
    let (_, longest) = most_of(&mut alice, folder.path(), 100);
    assert!(longest <= USUAL, "{longest} bytes");
    assert_eq!(seen(&reader), before + 201);
}

/// An earlier version allowed the WAL to grow.
#[test]
fn a_long_wal_that_is_found_is_cut() {
    let (folder, mut alice) = closed();
    let other = Connection::open(folder.path().join("store/db")).unwrap();
    other
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .unwrap();
    other
        .execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF")
        .unwrap();
    while length(folder.path()) <= MOST {
        other
            .execute_batch("UPDATE account SET created = created + 1")
            .unwrap();
    }
    drop(other);
    alice.logs_in();
    assert!(length(folder.path()) <= USUAL);
}

/// Many processes that write and read without a pause leave no moment without a transaction.
#[test]
fn a_crowd_of_logins_leaves_the_wal_bounded() {
    const NAME: &str = "a_crowd_of_logins_leaves_the_wal_bounded";
    const WHO: &str = "POSTERN_WAL_PERSON";
    const CONFIG: &str = "POSTERN_WAL_CONFIG";
    if let (Ok(who), Ok(config)) = (std::env::var(WHO), std::env::var(CONFIG)) {
        let config = file::read_config(Path::new(&config)).unwrap().config;
        let mut person = Person::new(&config, &who);
        (0..LOGINS / 8).for_each(|_| person.logs_in());
        return;
    }
    let mut test = TestStore::new("");
    let people: Vec<_> = (0..16).map(|number| format!("person{number}")).collect();
    for who in &people {
        test.enrols(who);
    }
    let TestStore { folder, engine, .. } = test;
    drop(engine);
    let process = |who: &String| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", NAME])
            .env(WHO, who)
            .env(CONFIG, folder.path().join("postern.toml"));
        command.spawn().unwrap()
    };
    let mut crowd: Vec<_> = people.iter().map(process).collect();
    let mut longest = 0;
    while crowd
        .iter_mut()
        .any(|process| process.try_wait().unwrap().is_none())
    {
        longest = longest.max(length(folder.path()));
        thread::sleep(Duration::from_millis(1));
    }
    assert!(
        crowd
            .iter_mut()
            .all(|process| process.wait().unwrap().success())
    );
    println!("longest WAL: {longest} bytes");
    assert!(longest <= MOST, "{longest} bytes");
}
