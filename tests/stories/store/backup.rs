//! `postern backup` and `postern restore`: a restored store accepts nothing that was used or revoked
//! since the backup, and nothing that goes wrong on the way costs a store.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use testhost::{
    APP, CommandOutput, DURABLE, Disk, Host, KEY, Postern, STORE, STORE_FOLDER, Store, Web,
    WebClient, assert_contains, assert_lacks, finished, handbook_shell, killed_at_calls,
    wait_until, was_killed,
};

const FOLDER: &str = "/var/backups/postern";
const FILE: &str = "/var/backups/postern/store.backup";
const STOP: &str = "systemctl stop posternd.socket";

/// Makes an empty folder for backups.
#[track_caller]
fn makes_folder() {
    let _ = fs::remove_dir_all(FOLDER);
    fs::create_dir_all(FOLDER).expect("root may do it");
}

#[track_caller]
pub(crate) fn backs_up() -> CommandOutput {
    makes_folder();
    Postern::call(&format!("backup {FILE}")).does()
}

pub(crate) fn restore() -> Postern {
    Postern::call(&format!("restore {FILE} --yes"))
}

/// Returns the content of the store's folder and of the key file.
#[track_caller]
fn files() -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(STORE_FOLDER).expect("the store's folder");
    let mut files: Vec<(String, Vec<u8>)> = entries
        .flatten()
        // SQLite's index of the WAL changes with each reader
        .filter(|entry| !entry.file_name().to_string_lossy().ends_with("-shm"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("root may read it"))
        })
        .collect();
    files.push((KEY.to_owned(), fs::read(KEY).expect("the key file")));
    files.sort();
    files
}

/// Returns the names of temporary files in a folder.
pub(crate) fn temporary_files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".new")).collect()
}

/// Returns the system calls at which a backup and a restore are killed: each as often as one of the
/// two makes it.
pub(crate) fn steps() -> impl Iterator<Item = (&'static str, u32)> {
    DURABLE
        .split(',')
        .flat_map(|call| (1..=8).map(move |at| (call, at)))
}

/// Returns the verification results of a code that is entered at the command.
#[track_caller]
pub(crate) fn verdict(code: &str) -> String {
    let output = Postern::call("verify alice --json").input(code).run();
    output.json()["verdict"]
        .as_str()
        .expect("a verdict")
        .to_owned()
}

/// What was used, revoked and begun after the backup is worth nothing after it is restored, at ssh
/// and at the web.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_restored_store_accepts_nothing_that_was_used_or_revoked_since_the_backup() {
    let mut host = Host::with_posternd("a restore is refused while it runs");
    let mut web = Web::nginx(&host, "");
    let (alice, phone, recovery) = host.web_user_with_recovery_codes("alice");
    let client = WebClient::new();
    client.signs_in_and_trusts(&web, &alice, &phone.code());
    let stolen = client.copy_of_cookies();
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    let output = backs_up();
    assert_contains(&output.out, "it is useless without master key");
    let mode = fs::metadata(FILE).expect("the backup").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);

    // after the backup: a code at each service, a recovery code, and a revocation
    host.clock.forward(60);
    let at_ssh = phone.code();
    alice.with_key().enters_with(&at_ssh);
    host.clock.forward(30);
    let at_web = phone.code();
    WebClient::new().signs_in(&web, &alice, &at_web);
    // before the recovery code, which ends what was trusted by itself
    Postern::call("browser revoke alice --all").does();
    alice.with_key().enters_with(&recovery[0]);
    Postern::call("session revoke alice --all").run();
    assert_eq!(stolen.loads(&format!("{APP}/")).status, 302);

    // refused while the daemons run
    let before = files();
    let output = restore().refuses();
    assert_contains(&output.err, "posternd");
    assert_contains(&output.err, STOP);
    host.posternd_mut().crash();
    let output = restore().refuses();
    assert_contains(&output.err, "postern-gate");
    assert_eq!(files(), before);
    web.gate.stop();
    let output = restore().does();
    assert_contains(
        &output.out,
        "What was changed after the backup is as it was before",
    );
    assert_contains(&output.out, "postern recovery alice");
    assert_contains(&output.out, "start the services again");
    host.posternd_mut().restart();
    web.gate.restart();

    for code in [&at_ssh, &at_web] {
        alice.with_key().is_refused(code, "used already");
        let client = WebClient::new();
        client.password(&web, &alice);
        let reply = client.code(&web, code);
        assert_contains(&reply.body, "used already");
    }
    // the replaced store could be read: it knew that this one was used
    alice.with_key().is_refused(&recovery[0], "used already");
    assert_eq!(stolen.loads(&format!("{APP}/")).status, 302);
    let again = stolen.password(&web, &alice);
    assert_contains(again.header("location"), "code");
    host.clock.forward(90);
    alice.with_key().enters_with(&phone.code());
    host.clock.forward(30);
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    let log = Postern::call("log").does().out;
    assert_contains(&log, "store-restored");
    let store = fs::metadata(STORE).expect("the store");
    assert_eq!((store.mode() & 0o7777, store.uid()), (0o660, 0));
    Store::open().is_sound();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_backup_that_cannot_be_trusted_changes_nothing() {
    let host = Host::without_posternd();
    host.person("alice").enrols();
    backs_up();
    let whole = fs::read(FILE).expect("the backup");
    let before = files();
    let write = |bytes: &[u8]| fs::write(FILE, bytes).expect("root may do it");
    let refuses = |why: &str| {
        let output = restore().refuses();
        assert_contains(&output.err, why);
        assert_eq!(files(), before, "{why}");
        assert_eq!(temporary_files(STORE_FOLDER), [""; 0]);
    };
    for at in (0..whole.len()).step_by(whole.len() / 23) {
        let mut altered = whole.clone();
        altered[at] ^= 0x10;
        write(&altered);
        refuses("nothing was changed");
        write(&whole[..at]);
        refuses("nothing was changed");
    }
    let mut newer = whole.clone();
    newer[15] = 9;
    write(&newer);
    refuses("a newer Postern made it (format 9)");
    let mut newer = whole.clone();
    newer[27] = 99;
    write(&newer);
    refuses("its store has version 99");
    write(b"SQLite format 3\0");
    refuses("it is not a backup of Postern");

    write(&whole);
    fs::set_permissions(FILE, PermissionsExt::from_mode(0o666)).expect("root may do it");
    refuses("has mode 0666, too open");
    fs::set_permissions(FILE, PermissionsExt::from_mode(0o600)).expect("root may do it");
    let other = format!("{FILE}.real");
    fs::rename(FILE, &other).expect("root may do it");
    symlink(&other, FILE).expect("root may do it");
    refuses("is a symbolic link");
    fs::remove_file(FILE).expect("root may do it");
    fs::rename(&other, FILE).expect("root may do it");

    // neither is one of another key
    let key = fs::read(KEY).expect("the key file");
    Postern::call("key rotate").does();
    let rotated = files();
    let output = restore().refuses();
    assert_contains(&output.err, "master key ");
    assert_contains(
        &output.err,
        "put the key file that was saved with it in place",
    );
    assert_eq!(files(), rotated);
    fs::write(KEY, key).expect("root may do it");
    restore().does();
    Postern::call("status alice").does();

    // an existing file is not replaced unless that is asked for, and a link never
    let call = format!("backup {FILE}");
    assert_contains(
        &Postern::call(&call).refuses().err,
        "exists; give another name",
    );
    assert_eq!(fs::read(FILE).expect("the backup"), whole);
    Postern::call(&format!("{call} --replace")).does();
    assert_ne!(fs::read(FILE).expect("the backup"), whole);
    let link = format!("{FOLDER}/link");
    symlink("/etc/passwd", &link).expect("root may do it");
    let output = Postern::call(&format!("backup {link} --replace")).refuses();
    assert_contains(&output.err, "is not a regular file");
}

/// The host is lost, with its key file and its store. The backup is restored twice.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_backup_with_the_key_restores_a_lost_host() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    makes_folder();
    let passphrase = format!("{FOLDER}/passphrase");
    fs::write(&passphrase, "a passphrase of my own\n").expect("root may do it");
    fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o600)).expect("root may do it");
    let weak = Postern::call(&format!("backup {FILE} --with-key"))
        .types("short")
        .refuses();
    assert_contains(&weak.err, "at least 12 characters");
    let with_key = format!("--with-key --passphrase-file {passphrase}");
    let output = Postern::call(&format!("backup {FILE} --json {with_key}")).does();
    assert_eq!(output.json()["with_key"], true);
    let key = fs::read_to_string(KEY).expect("the key file");
    let line = key.lines().last().expect("a key");
    let file = fs::read(FILE).expect("the backup");
    assert!(!file.windows(64).any(|part| part == line.as_bytes()));
    host.clock.forward(60);
    let used = phone.code();
    alice.with_key().enters_with(&used);

    fs::remove_file(KEY).expect("root may do it");
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{STORE}{suffix}")).expect("root may do it");
    }
    Postern::call("init").does();
    let output = restore().refuses();
    assert_contains(
        &output.err,
        "put the key file that was saved with it in place",
    );
    let wrong = Postern::call(&format!("restore {FILE} --yes --with-key"))
        .types("another passphrase")
        .refuses();
    assert_contains(
        &wrong.err,
        "the passphrase does not open the key file in it",
    );
    // a clock that was set back is noticed, and the keys are named that are in the file by now
    host.clock.back(3600);
    let early = Postern::call(&format!("restore {FILE} --yes {with_key}")).refuses();
    assert_contains(&early.err, "the clock of this host shows");
    assert_contains(
        &early.err,
        format!("the keys of the backup were added to {KEY}"),
    );
    host.clock.forward(3600);
    for _ in 0..2 {
        let restored = Postern::call(&format!("restore {FILE} --yes {with_key} --json")).does();
        let restored = restored.json();
        assert_eq!(restored["accounts"][0]["account"], "alice");
        assert_eq!(restored["accounts"][0]["recovery_codes"], 6);
        alice.with_key().is_refused(&used, "used already");
        // a name that is not taken
        host.clock.forward(1);
    }
    host.clock.forward(120);
    alice.with_key().enters_with(&phone.code());
    Store::open().is_sound();
}

/// The commands of docs/guides/backup-and-upgrade.md, to the letter: a backup and a copy of the key
/// that were made beforehand give a lost host its store back.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_lost_host_is_restored_as_the_page_says() {
    const PAGE: &str = "docs/guides/backup-and-upgrade.md";
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    for (disk, folder) in [("/srv", "/srv/backup"), ("/media", "/media/usb")] {
        finished(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=0755", "tmpfs", disk]));
        fs::create_dir(folder).expect("root may do it");
    }
    let follow = |first: &str| {
        let mut shell = handbook_shell(PAGE, first, Path::new("/"));
        let output = shell.output().expect("bash runs");
        assert!(output.status.success(), "{first}: {output:?}");
    };
    follow("sudo postern backup --replace");
    host.clock.forward(60);
    let used = phone.code();
    alice.with_key().enters_with(&used);
    fs::remove_file(KEY).expect("root may do it");
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{STORE}{suffix}")).expect("root may do it");
    }
    follow("sudo install -o root");
    Postern::call("restore /srv/backup/postern.backup --yes").does();
    alice.with_key().is_refused(&used, "used already");
    host.clock.forward(120);
    alice.with_key().enters_with(&phone.code());
    finished(Command::new("umount").args(["/srv", "/media"]));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_backup_killed_at_any_step_leaves_a_whole_file_or_none() {
    let host = Host::without_posternd();
    host.person("alice").enrols();
    makes_folder();
    let mut none = 0;
    for (call, at) in steps() {
        let backup = Postern::call(&format!("backup {FILE}")).command();
        let output = Postern::under(killed_at_calls(call, at, backup)).run();
        if !was_killed() {
            assert_eq!(output.exit, Some(0), "{}", output.all());
        }
        if Path::new(FILE).exists() {
            restore().does();
            fs::remove_file(FILE).expect("root may do it");
        } else {
            none += 1;
        }
        Store::open().is_sound();
    }
    assert!(none > 2, "{none} times no file");
    Postern::call(&format!("backup {FILE}")).does();
    for folder in [FOLDER, STORE_FOLDER] {
        assert_eq!(temporary_files(folder), [""; 0]);
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_full_disk_costs_neither_the_store_nor_the_backup_before() {
    let host = Host::without_posternd();
    host.person("alice").enrols();
    backs_up();
    let whole = fs::read(FILE).expect("the backup");
    let before = files();
    let used: u64 = whole.len() as u64 / 1024;
    {
        let _disk = Disk::over(FOLDER, &format!("{}k", used + 60));
        let output = Postern::call(&format!("backup {FILE} --replace")).refuses();
        assert_contains(&output.err, "No space left on device");
        assert_eq!(fs::read(FILE).expect("the backup"), whole);
        assert_eq!(temporary_files(FOLDER), [""; 0]);
    }
    let held: usize = before.iter().map(|(_, bytes)| bytes.len() / 1024 + 8).sum();
    for more in [60, 60 + used + 20] {
        let _disk = Disk::over(STORE_FOLDER, &format!("{}k", held as u64 + more));
        let output = restore().refuses();
        let is_named = ["disk is full", "No space left"]
            .iter()
            .any(|words| output.err.contains(words));
        assert!(is_named, "{more}: {}", output.err);
        assert_eq!(files(), before, "{more}");
    }
    // a user who may run a program of that name does not hold up a restore
    let named = "/tmp/posternd";
    fs::copy("/usr/bin/sleep", named).expect("root may do it");
    let mut other = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            named,
            "600",
        ])
        .spawn()
        .expect("setpriv runs");
    wait_until("the program starts", || {
        let program = fs::read_link(format!("/proc/{}/exe", other.id()))?;
        Ok(program == Path::new(named))
    });
    restore().does();
    other.kill().expect("it runs");
    other.wait().expect("it has ended");
    Postern::call("status alice").does();
}

/// A sign-in does not wait for a backup, and a stopped reader of it holds no lock.
#[test]
#[ignore = "needs the test host: tests/run"]
fn people_sign_in_while_a_backup_goes_to_a_reader_that_does_not_read() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    // more than a pipe holds
    let store = Store::open();
    store.changes(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
         INSERT INTO event (at, account, kind, service, origin, principal, cause) \
         SELECT 1, 'alice', 'accepted', 'sshd', '-', 'alice', '' FROM n",
    );
    drop(store);
    let mut command = Postern::call("backup -").command();
    let mut running = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("postern runs");
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    Postern::call("key rotate").does();
    let mut bytes = Vec::new();
    let mut reader = running.stdout.take().expect("a pipe");
    std::io::Read::read_to_end(&mut reader, &mut bytes).expect("a backup");
    assert!(running.wait().expect("it ends").success());
    assert!(bytes.starts_with(b"postern backup\n"));
    let refused = Postern::call("backup - --json").run();
    assert_eq!(refused.exit, Some(2));
    assert_lacks(&refused.out, "postern backup\n");
}
