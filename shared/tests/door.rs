//! The door on a real store in a folder of its own: what one account's logins and administration leave behind.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use shared::account::Enrolled;
use shared::answer::Answer;
use shared::clock::Timestamp;
use shared::config::file;
use shared::decision::{Refusal, Verdict};
use shared::door::{AdministrationError, AppPasswordsAfter, Door, Outcome, Recovered, Visitor};
use shared::enrolment::{Confirmation, Pending};
use shared::event::Filter;
use shared::guess::Stage;
use shared::key::MasterKeys;
use shared::name::UserName;
use shared::place::{Address, Origin};
use shared::totp::{Step, code};
use shared::vault::Vault;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp(1_800_000_015);

struct Home {
    folder: TempDir,
    door: Door,
    pending: Pending,
}

fn alice() -> UserName {
    "alice".parse().unwrap()
}

/// A key and an empty store; the configuration with `extra` in it.
fn lay_out(extra: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (masters, key) = MasterKeys::generate().unwrap();
    fs::write(at("key"), key.as_bytes()).unwrap();
    fs::set_permissions(at("key"), PermissionsExt::from_mode(0o600)).unwrap();
    let text = format!(
        "{extra}\n[store]\nurl = \"sqlite:{}\"\nkey_file = \"{}\"\n",
        at("store/db").display(),
        at("key").display()
    );
    fs::write(at("postern.toml"), text).unwrap();
    let config = file::read(&at("postern.toml")).unwrap().config;
    shared::store::create(&config.store.url, None, &Vault::create(&masters).unwrap()).unwrap();
    let path = at("postern.toml");
    (folder, path)
}

impl Home {
    fn new(extra: &str) -> Home {
        let (folder, path) = lay_out(extra);
        let mut door = Door::open(file::read(&path).unwrap().config).unwrap();
        let pending = Pending::new(door.config(), &alice()).unwrap();
        door.activate(&pending, &Confirmation::vouched(), "root", NOW).unwrap();
        Home { folder, door, pending }
    }

    fn code(&self, offset: i64, now: Timestamp) -> String {
        let parameters = self.pending.parameters();
        let step = parameters.moving.step_at(now).unwrap().0.checked_add_signed(offset).unwrap();
        code(self.pending.secret(), parameters, Step(step)).to_string()
    }

    fn attempt_from(&mut self, origin: &Origin, stage: Stage, typed: &str, now: Timestamp) -> Outcome {
        let name = alice();
        let visitor = Visitor { name: &name, stage, origin, browser: None, service: "test" };
        self.door.attempt(&visitor, &Answer::read(typed.as_bytes()), now).unwrap()
    }

    fn attempt(&mut self, typed: &str, now: Timestamp) -> Outcome {
        self.attempt_from(&Origin::Unknown, Stage::After, typed, now)
    }

    /// Whether bytes lie anywhere in the store's files.
    fn holds(&self, wanted: &[u8]) -> bool {
        ["db", "db-wal"].iter().any(|name| {
            let bytes = fs::read(self.folder.path().join("store").join(name)).unwrap_or_default();
            bytes.windows(wanted.len()).any(|window| window == wanted)
        })
    }

    /// The sealed secret, as it lies in the store.
    fn sealed(&self) -> Vec<u8> {
        let connection = rusqlite::Connection::open(self.folder.path().join("store/db")).unwrap();
        connection.query_row("SELECT sealed FROM secret", [], |row| row.get(0)).unwrap()
    }
}

#[track_caller]
fn accepted(outcome: &Outcome) {
    assert!(matches!(outcome.verdict, Verdict::Accepted(_)), "{:?}", outcome.verdict);
}

#[track_caller]
fn refused(outcome: &Outcome, refusal: Refusal) {
    assert_eq!(outcome.verdict, Verdict::Refused(refusal));
}

#[test]
fn a_code_opens_once_and_survives_re_enrolment_of_the_same_secret() {
    let mut home = Home::new("");
    let code = home.code(0, NOW);
    accepted(&home.attempt(&code, NOW));
    refused(&home.attempt(&code, NOW), Refusal::Used { wait: 15 });
    home.door.disable(&alice(), "root", NOW).unwrap();
    home.door.activate(&home.pending, &Confirmation::vouched(), "root", NOW).unwrap();
    refused(&home.attempt(&code, NOW), Refusal::Used { wait: 15 });
}

#[test]
fn strangers_elsewhere_cannot_use_up_the_tries_of_a_familiar_address() {
    let mut home = Home::new("");
    let at = |text: &str| Origin::Remote(Address::parse(text).unwrap());
    accepted(&home.attempt_from(&at("192.0.2.7"), Stage::After, &home.code(0, NOW), NOW));
    let later = NOW.plus(1);
    for host in 1..=5 {
        let from = at(&format!("198.51.100.{host}"));
        refused(&home.attempt_from(&from, Stage::After, "000000", later), Refusal::Wrong);
    }
    let from_elsewhere = home.attempt_from(&at("198.51.100.9"), Stage::After, "000000", later);
    refused(&from_elsewhere, Refusal::Delayed { wait: 30 });
    let owner = home.attempt_from(&at("192.0.2.7"), Stage::After, &home.code(1, NOW), later);
    accepted(&owner);
    let missed = owner.missed.unwrap();
    assert_eq!((missed.count, missed.last_from.as_str()), (5, "198.51.100.5"));
}

#[test]
fn a_clock_set_ahead_and_back_delays_no_longer_than_max_delay() {
    let mut home = Home::new("");
    let ahead = NOW.plus(365 * 86_400);
    for _ in 0..20 {
        home.attempt("000000", ahead);
    }
    let Verdict::Refused(Refusal::Delayed { wait }) = home.attempt("000000", NOW).verdict else {
        panic!("not delayed")
    };
    assert!(wait <= 3600, "{wait}");
    let later = NOW.plus(wait);
    accepted(&home.attempt(&home.code(0, later), later));
}

#[test]
fn mending_the_clock_opens_no_used_code_again() {
    let mut home = Home::new("");
    let code = home.code(1, NOW);
    accepted(&home.attempt(&code, NOW));
    assert_eq!(home.door.mend_clock(&alice(), "root", NOW).unwrap(), 0);
    assert!(matches!(home.attempt(&code, NOW).verdict, Verdict::Refused(Refusal::Used { .. })));

    let back = NOW.minus(3600);
    let refusal = home.attempt(&home.code(0, back), back).verdict;
    assert!(matches!(refusal, Verdict::Refused(Refusal::ClockSetBack { .. })), "{refusal:?}");
    assert_eq!(home.door.mend_clock(&alice(), "root", back).unwrap(), 1);
    accepted(&home.attempt(&home.code(1, back), back));
}

#[test]
fn answers_that_cost_nothing_write_nothing() {
    let mut home = Home::new("");
    let code = home.code(0, NOW);
    accepted(&home.attempt(&code, NOW));
    let events = home.door.events(&Filter::default(), 0, 1000).unwrap().len();
    for _ in 0..20 {
        home.attempt(&code, NOW);
        home.attempt("no code", NOW);
    }
    assert_eq!(home.door.events(&Filter::default(), 0, 1000).unwrap().len(), events);
}

#[test]
fn disabling_leaves_no_byte_of_the_sealed_secret() {
    let mut home = Home::new("");
    let sealed = home.sealed();
    assert!(home.holds(&sealed));
    home.door.disable(&alice(), "root", NOW).unwrap();
    assert!(!home.holds(&sealed));
    let again = home.door.disable(&alice(), "root", NOW);
    assert!(matches!(again, Err(AdministrationError::NotEnrolled(_))));
    assert_eq!(home.door.membership(&alice()).unwrap().enrolled, Enrolled::No);
}

#[test]
fn with_disable_the_one_recovery_code_turns_the_second_factor_off() {
    let mut home = Home::new("[recovery]\non_use = \"disable\"");
    let sealed = home.sealed();
    let codes: Vec<_> = home.pending.recovery_codes().iter().map(|code| code.grouped().to_string()).collect();
    assert_eq!(codes.len(), 1);
    let outcome = home.attempt(&codes[0], NOW);
    accepted(&outcome);
    assert_eq!(outcome.recovery, Some(Recovered::TurnedOff(AppPasswordsAfter::None)));
    assert_eq!(home.door.membership(&alice()).unwrap().enrolled, Enrolled::No);
    assert!(!home.holds(&sealed));
}

#[test]
fn a_declaration_stands_in_place_of_what_was_enrolled() {
    let mut home = Home::new("");
    let old = home.code(0, NOW);
    let secret = home.folder.path().join("secret");
    fs::write(&secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let path = home.folder.path().join("postern.toml");
    let declared = format!("[[account]]\nname = \"alice\"\nsecret_file = \"{}\"\n", secret.display());
    fs::write(&path, fs::read_to_string(&path).unwrap() + &declared).unwrap();
    home.door = Door::open(file::read(&path).unwrap().config).unwrap();
    refused(&home.attempt(&old, NOW), Refusal::Wrong);
    assert!(matches!(home.door.disable(&alice(), "root", NOW), Err(AdministrationError::Declared(_))));
}

#[test]
fn a_planted_journal_or_link_closes_the_door_and_is_left_alone() {
    let home = Home::new("");
    let config = home.door.config().clone();
    let store = home.folder.path().join("store");
    drop(home.door);
    let journal = store.join("db-journal");
    fs::write(&journal, "anything").unwrap();
    let error = Door::open(config.clone()).err().unwrap().to_string();
    assert!(error.contains("db-journal: does not belong there"), "{error}");
    assert!(journal.exists());
    fs::remove_file(&journal).unwrap();

    fs::rename(store.join("db"), home.folder.path().join("elsewhere")).unwrap();
    symlink(home.folder.path().join("elsewhere"), store.join("db")).unwrap();
    let error = Door::open(config).err().unwrap().to_string();
    assert!(error.contains("is a symbolic link"), "{error}");
}

#[test]
fn making_a_store_changes_no_folder_that_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let (masters, _) = MasterKeys::generate().unwrap();
    let url = format!("sqlite:{}", folder.path().join("db").display()).try_into().unwrap();
    let made = shared::store::create(&url, None, &Vault::create(&masters).unwrap());
    assert!(made.unwrap_err().to_string().contains("too open"));
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o7777, 0o777);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_of_another_version_is_refused_by_number() {
    let (folder, path) = lay_out("");
    let config = file::read(&path).unwrap().config;
    let db = folder.path().join("store/db");
    let mut bytes = fs::read(&db).unwrap();
    // the header's user_version, a big-endian number at byte 60
    bytes[60..64].copy_from_slice(&7u32.to_be_bytes());
    fs::write(&db, bytes).unwrap();
    let error = Door::open(config).err().unwrap().to_string();
    assert!(error.contains("the store has version 7, this program knows version 2"), "{error}");
}
