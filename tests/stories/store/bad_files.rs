//! Key and store missing, truncated, of another owner, or readable for others; a disk that is full
//! or read-only. Each time access is denied, the log names the file, and no data is lost.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;
use testhost::{
    Disk, Host, KEY, Person, Phone, Postern, STORE, STORE_FOLDER, Store, assert_lacks, finished,
};

/// Damages a file, expects that access is denied and that the log names the file, repairs the file,
/// and expects that no data is lost.
#[track_caller]
fn closed_while(
    host: &Host,
    person: &Person,
    phone: &Phone,
    named: &str,
    spoil: impl FnOnce() -> Repair,
) {
    host.journal.forget();
    let repair = spoil();
    let screen = person.with_key().is_turned_away();
    let line = host.journal.says("refused cause=unavailable");
    assert!(line.contains(named), "{named:?} is not named: {line}");
    assert!(!screen.contains("postern"), "a stranger reads: {screen}");
    let output = Postern::call("status").refuses();
    assert!(
        output.err.contains(named),
        "{named:?} is not named: {}",
        output.err
    );
    Postern::call(&format!("verify {}", person.name))
        .input(&phone.code())
        .refuses();
    repair();
    // SQLite removes the WAL of an empty store. A command of root's makes it again, as the log line
    // says.
    Postern::call("status").does();
    assert_lacks(host.journal.rest(), "panic");
    host.clock.forward(30);
    person.with_key().enters_with(&phone.code());
    Store::open().is_sound();
}

type Repair = Box<dyn FnOnce()>;

/// Makes a copy of a file, and returns a function that restores it with its mode and owner.
fn aside(path: &'static str) -> Repair {
    finished(Command::new("cp").args(["--archive", path, "/run/postern-tests/aside"]));
    Box::new(move || {
        finished(Command::new("rm").args(["-rf", path]));
        finished(Command::new("cp").args(["--archive", "/run/postern-tests/aside", path]));
    })
}

fn mode(path: &'static str, is: u32, should: u32) -> Repair {
    fs::set_permissions(path, PermissionsExt::from_mode(is)).expect("a mode can be set");
    Box::new(move || {
        fs::set_permissions(path, PermissionsExt::from_mode(should)).expect("a mode can be set")
    })
}

fn owner(path: &'static str, is: u32) -> Repair {
    chown(path, Some(is), None).expect("an owner can be set");
    Box::new(move || chown(path, Some(0), None).expect("an owner can be set"))
}

fn linked(path: &'static str) -> Repair {
    let to = format!("{path}.real");
    fs::rename(path, &to).expect("a file can be renamed");
    symlink(&to, path).expect("a link can be made");
    Box::new(move || fs::rename(&to, path).expect("a file can be renamed"))
}

fn replaced(path: &'static str, by: &[u8]) -> Repair {
    let repair = aside(path);
    fs::write(path, by).expect("a file can be written");
    repair
}

fn missing(path: &'static str) -> Repair {
    let repair = aside(path);
    fs::remove_file(path).expect("a file can be removed");
    repair
}

/// The fault: the key file is missing, truncated, foreign, or readable for others.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_key_file_that_is_wrong_denies_all_access() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    alice.with_key().enters_with(&phone.code());

    let other = format!("{}\n", "ab".repeat(32));
    closed_while(&host, &alice, &phone, KEY, || missing(KEY));
    closed_while(
        &host,
        &alice,
        &phone,
        &format!("{KEY}:1: expected one key"),
        || replaced(KEY, b""),
    );
    closed_while(
        &host,
        &alice,
        &phone,
        &format!("{KEY}:1: expected one key"),
        || replaced(KEY, b"abcdef\n"),
    );
    closed_while(&host, &alice, &phone, KEY, || replaced(KEY, b"\xff\xfe\n"));
    closed_while(&host, &alice, &phone, "key", || {
        replaced(KEY, other.as_bytes())
    });
    closed_while(
        &host,
        &alice,
        &phone,
        &format!("{KEY}: belongs to uid 4321"),
        || owner(KEY, 4321),
    );
    closed_while(
        &host,
        &alice,
        &phone,
        &format!("{KEY}: has mode 0644, too open"),
        || mode(KEY, 0o644, 0o640),
    );
    closed_while(
        &host,
        &alice,
        &phone,
        &format!("{KEY}: is a symbolic link"),
        || linked(KEY),
    );
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_store_that_may_not_be_trusted_denies_all_access() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    alice.with_key().enters_with(&phone.code());

    closed_while(
        &host,
        &alice,
        &phone,
        &format!("{STORE}: belongs to uid 4321"),
        || owner(STORE, 4321),
    );
    closed_while(
        &host,
        &alice,
        &phone,
        &format!("{STORE}: has mode 0664"),
        || mode(STORE, 0o664, 0o660),
    );
    closed_while(
        &host,
        &alice,
        &phone,
        &format!("{STORE}: is a symbolic link"),
        || linked(STORE),
    );
    closed_while(&host, &alice, &phone, STORE_FOLDER, || {
        mode(STORE_FOLDER, 0o777, 0o750)
    });
    closed_while(&host, &alice, &phone, STORE_FOLDER, || {
        owner(STORE_FOLDER, 4321)
    });
    closed_while(
        &host,
        &alice,
        &phone,
        "postern.db-journal: unexpected file",
        || {
            symlink("/etc/passwd", "/var/lib/postern/postern.db-journal")
                .expect("a link can be made");
            Box::new(|| {
                fs::remove_file("/var/lib/postern/postern.db-journal")
                    .expect("a link can be removed")
            })
        },
    );
    closed_while(&host, &alice, &phone, STORE, || {
        fs::hard_link(STORE, "/var/lib/postern/second").expect("a link can be made");
        Box::new(|| fs::remove_file("/var/lib/postern/second").expect("a link can be removed"))
    });
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_store_that_is_missing_or_broken_denies_all_access() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    alice.with_key().enters_with(&phone.code());
    Store::open().changes("PRAGMA wal_checkpoint(TRUNCATE)");

    closed_while(&host, &alice, &phone, STORE, || missing(STORE));
    closed_while(&host, &alice, &phone, "store", || replaced(STORE, b""));
    closed_while(&host, &alice, &phone, "store", || {
        replaced(STORE, b"no store at all, but some text\n")
    });
    closed_while(&host, &alice, &phone, "store", || {
        let bytes = fs::read(STORE).expect("the store can be read");
        replaced(STORE, &bytes[..bytes.len() / 2])
    });
    closed_while(&host, &alice, &phone, "version", || {
        let known = Store::open().number("PRAGMA user_version");
        Store::open().changes(&format!("PRAGMA user_version = {}", known + 1));
        Box::new(move || Store::open().changes(&format!("PRAGMA user_version = {known}")))
    });
}

/// The attack: a user's sealed secret is copied to another account's row. The seal binds the secret
/// to its account.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_secret_moved_to_another_account_closes_that_account() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let (phone, _) = (alice.enrols(), bob.enrols());
    Store::open().changes(
        "UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE authenticator = 1) WHERE authenticator = 2",
    );
    let mut terminal = bob.with_key().up_to_the_code();
    terminal.types(&phone.code());
    assert!(!terminal.ends().entered());
    host.journal.says("refused cause=unavailable");
    alice.with_key().enters_with(&phone.code());
}

/// The accepted time step must be on the disk before access is granted. On a full disk access is
/// denied.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_full_disk_denies_and_loses_nothing() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let disk = Disk::over(STORE_FOLDER, "4m");
    alice.with_key().enters_with(&phone.code());
    host.clock.forward(30);

    let filler = format!("{STORE_FOLDER}/filler");
    // This write fills the disk.
    let _ = fs::write(&filler, vec![0; 8 * 1024 * 1024]);
    let mut terminal = alice.with_key().up_to_the_code();
    terminal.types(&phone.code());
    assert!(!terminal.ends().entered());
    host.journal.says("refused cause=disk-full");

    fs::remove_file(&filler).expect("a file can be removed");
    alice.with_key().enters_with(&phone.code());
    alice.with_key().is_refused(&phone.code(), "used already");
    Store::open().is_sound();
    drop(disk);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_read_only_disk_denies_and_loses_nothing() {
    let mut host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let disk = Disk::over(STORE_FOLDER, "4m");
    alice.with_key().enters_with(&phone.code());
    host.clock.forward(30);

    // A file system cannot become read-only while a process has a file open for writing.
    if let Some(posternd) = host.posternd.as_mut() {
        posternd.crash();
    }
    finished(Command::new("mount").args(["-o", "remount,ro", STORE_FOLDER]));
    if let Some(posternd) = host.posternd.as_mut() {
        posternd.restart();
    }
    let mut terminal = alice.with_key().connects();
    terminal.expect_one_of(&["Verification code: ", "Permission denied"]);
    terminal.types(&phone.code());
    assert!(!terminal.ends().entered());
    let line = host.journal.says("refused cause=unavailable");
    assert!(
        line.contains("read-only") || line.contains("written"),
        "{line}"
    );

    finished(Command::new("mount").args(["-o", "remount,rw", STORE_FOLDER]));
    alice.with_key().enters_with(&phone.code());
    alice.with_key().is_refused(&phone.code(), "used already");
    drop(disk);
}
