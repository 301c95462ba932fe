//! Commands of root read as root what only root can read, and become user `posternd` before they
//! open key and store. No process of root reads a store that an attacker may have written, or
//! creates a file in its folder.

use nix::unistd::{Group, User};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;
use testhost::{
    Host, KEY, Phone, Postern, STORE, STORE_FOLDER, Store, Terminal, assert_contains, assert_lacks,
    finished, give_to_daemons, set_mode,
};

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Returns the values of a line of /proc/PID/status.
#[track_caller]
fn status(process: u32, name: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .expect("a line");
    line.split_whitespace().map(str::to_owned).collect()
}

/// Checks that all ids of a process are posternd's and that the process has no way to another id.
#[track_caller]
pub(crate) fn is_posternds(process: u32) {
    let user = User::from_name("posternd")
        .expect("an answer")
        .expect("the user")
        .uid
        .to_string();
    let group = Group::from_name("postern")
        .expect("an answer")
        .expect("the group")
        .gid
        .to_string();
    assert!(
        status(process, "Uid:").iter().all(|uid| *uid == user),
        "{:?}",
        status(process, "Uid:")
    );
    assert!(
        status(process, "Gid:").iter().all(|gid| *gid == group),
        "{:?}",
        status(process, "Gid:")
    );
    assert_eq!(status(process, "Groups:"), [group]);
    for set in ["CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(status(process, set), ["0000000000000000"], "{set}");
    }
    assert_eq!(status(process, "NoNewPrivs:"), ["1"]);
    // A seccomp filter denies TIOCSTI: the process cannot type into root's terminal.
    assert_eq!(status(process, "Seccomp:"), ["2"]);
}

/// Name, inode, owner, group and mode of every file in the store's folder.
fn files() -> Vec<(String, u64, u32, u32, u32)> {
    let entries = fs::read_dir(STORE_FOLDER)
        .expect("the folder")
        .map(|entry| entry.expect("an entry"));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let found = entry.metadata().expect("it is there");
            let name = entry.file_name().to_string_lossy().into_owned();
            (
                name,
                found.ino(),
                found.uid(),
                found.gid(),
                found.mode() & 0o7777,
            )
        })
        .collect();
    files.sort();
    files
}

/// The input of a prompt is read by a process that has the store open and does not run as root.
#[track_caller]
fn sets_a_password(host: &Host) {
    host.person("alice").enrols();
    let before = files();
    let mut terminal = Terminal::run(Postern::call("password alice").command());
    terminal.expect("New password: ");
    let process = terminal.process_of("postern");
    is_posternds(process);
    let open = fs::read_dir(format!("/proc/{process}/fd"))
        .expect("root may look")
        .flatten();
    let open: Vec<_> = open
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .collect();
    assert!(
        open.iter().any(|path| path.as_os_str() == STORE),
        "{open:?}"
    );
    // An attacker in control of posternd cannot trace a command, although both have the same user.
    let mut traces = Command::new("setpriv");
    traces.args([
        "--reuid=posternd",
        "--regid=postern",
        "--clear-groups",
        "cat",
    ]);
    let traced = traces
        .arg(format!("/proc/{process}/environ"))
        .output()
        .expect("setpriv runs");
    assert!(
        !traced.status.success() && traced.stdout.is_empty(),
        "{traced:?}"
    );
    terminal
        .types("a password of eight words and more")
        .expect("Once more: ");
    let ended = terminal.types("a password of eight words and more");
    ended.expect("the password of alice is set");

    Postern::call("account add carol").does();
    Postern::call("one-time-code carol").does();
    Postern::call("status").does();
    assert_eq!(files(), before);
    // The audit event names the user who typed the command, not the user of the process.
    let log = Postern::call("log carol --json").does().out;
    assert_contains(&log, "\"principal\":\"root\"");
    assert_lacks(&log, "posternd");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_command_of_roots_opens_the_store_as_posternd() {
    sets_a_password(&Host::fresh());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_command_of_roots_opens_the_store_as_posternd_where_no_daemon_runs() {
    sets_a_password(&Host::without_posternd());
}

/// Secrets of declared accounts and files to import may be readable by root alone.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_root_alone_can_read_is_read_before() {
    let host = Host::fresh();
    let (_bob, phone) = (host.person("bob"), Phone::scans(SECRET));
    let secret = "/etc/postern/bob.secret";
    fs::write(secret, SECRET).expect("/etc can be written");
    set_mode(secret, 0o600);
    host.write_configuration(&format!(
        "[[account]]\nname = \"bob\"\nsecret_file = \"{secret}\"\n"
    ));
    let output = Postern::call("verify bob --json")
        .input(&phone.code())
        .does();
    assert_contains(&output.out, "\"accepted\"");

    let file = "/etc/postern/import.uris";
    fs::write(file, format!("otpauth://totp/dave?secret={SECRET}\n")).expect("/etc can be written");
    set_mode(file, 0o600);
    Postern::call(&format!("import otpauth {file} --yes")).does();
    fs::remove_file(file).expect("it is there");
    assert_eq!(Postern::json("status dave --json")["state"], "on");
}

/// If root cannot change to another user, the command opens nothing and reports the cause.
#[test]
#[ignore = "needs the test host: tests/run"]
fn root_that_cannot_be_given_up_opens_no_store() {
    let _host = Host::fresh();
    let mut bound = Command::new("setpriv");
    bound.args([
        "--bounding-set=-setuid,-setgid",
        "/usr/bin/postern",
        "account",
        "add",
        "carol",
    ]);
    let output = Postern::under(bound).refuses();
    assert_contains(&output.err, "cannot become user posternd (EPERM");
    assert_contains(&output.err, "CAP_SETUID");
    assert_eq!(Store::open().number("SELECT count(*) FROM account"), 0);
}

/// A backup is one file without a write-ahead log. Only root can create the log's files beside it,
/// and the daemons must be able to use them.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_store_that_is_put_back_is_made_whole_for_all_who_open_it() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let before: Vec<_> = files()
        .into_iter()
        .map(|(name, _, uid, gid, mode)| (name, uid, gid, mode))
        .collect();
    let copy = "/etc/postern/backup.db";
    let _ = fs::remove_file(copy);
    Store::open().changes(&format!("VACUUM INTO '{copy}'"));
    finished(Command::new("rm").args([STORE, &format!("{STORE}-wal"), &format!("{STORE}-shm")]));
    fs::rename(copy, STORE)
        .or_else(|_| fs::copy(copy, STORE).map(drop))
        .expect("root may do it");
    give_to_daemons(STORE, 0o660);
    assert_eq!(
        fs::read(STORE).expect("the copy")[18..20],
        [1, 1],
        "the copy has another journal"
    );
    Postern::call("status alice").does();
    let after: Vec<_> = files()
        .into_iter()
        .map(|(name, _, uid, gid, mode)| (name, uid, gid, mode))
        .collect();
    assert_eq!(after, before);
    assert_eq!(fs::read(STORE).expect("the store")[18..20], [2, 2]);
    alice.with_key().enters_with(&phone.code());
    Store::open().is_sound();
}

/// A key file that posternd cannot read denies access to all users. Commands of root report the
/// problem too, although root could read the file.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_key_that_posternd_cannot_read_is_found_by_roots_commands() {
    let _host = Host::fresh();
    chown(KEY, Some(0), Some(0)).expect("root may do it");
    let output = Postern::call("status").refuses();
    assert_contains(&output.err, KEY);
    assert_contains(&output.err, "Permission denied");
    give_to_daemons(KEY, 0o640);
    Postern::call("status").does();
}

/// The key file is root's, and the rotation reads the store. Two processes share the work, so that
/// none can do both.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_rotation_reads_the_store_as_posternd_and_a_process_of_roots_writes_the_key_file() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let key = || {
        let found = fs::metadata(KEY).expect("the key file");
        (found.uid(), found.gid(), found.mode() & 0o7777)
    };
    let (before, held, text) = (key(), files(), fs::read(KEY).expect("the key file"));
    let mut terminal = Terminal::run(Postern::call("key rotate --compromised").command());
    terminal.expect("Type \"renew\" to continue: ");
    is_posternds(terminal.process_of("postern"));
    // A rotation that waits for confirmation blocks no other rotation.
    Postern::call("key rotate").does();
    terminal.types("renew").expect("all keys are new");
    assert_eq!(terminal.ends().status.code(), Some(0));
    assert!(key() == before && files() == held);
    assert_ne!(fs::read(KEY).expect("the key file"), text);
    let left = fs::read_dir("/etc/postern")
        .expect("the folder")
        .flatten()
        .map(|entry| entry.file_name());
    assert!(
        left.into_iter()
            .all(|name| !name.to_string_lossy().contains(".new"))
    );
    alice.with_key().enters_with(&phone.code());
}

/// Traces the system calls of every command: the store is not open for writing before root is given
/// up.
#[test]
#[ignore = "needs the test host: tests/run"]
fn no_command_opens_the_store_before_root_is_given_up() {
    let host = Host::fresh();
    host.person("alice").enrols();
    host.configure("[email]\nsmtp_url = \"smtp://127.0.0.1:2\"\nfrom = \"postern@example.test\"\n");
    let trace = "/tmp/root-commands.strace";
    for call in [
        "init",
        "upgrade",
        "check",
        "status",
        "status alice",
        "log",
        "key rotate",
        "key rotate --compromised --yes",
        "account add dave",
        "account group dave --add staff",
        "account rename dave david",
        "one-time-code david",
        "recovery alice --no-confirm",
        "authenticator list alice",
        "browser revoke alice --all",
        "session revoke alice --all",
        "app-password list alice",
        "unlock alice",
        "email remove david",
        "check --rule GET https://app.example.test/ --user alice",
        "account remove david",
        "disable alice",
        "enroll alice --no-confirm",
    ] {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", trace, "-e", "trace=openat,setresuid"]);
        let typed = Postern::call(call).command();
        strace.arg(typed.get_program()).args(typed.get_args());
        strace.envs(
            typed
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        // Some commands find nothing to do; their exit status does not matter here.
        let output = Postern::under(strace).run();
        let lines = fs::read_to_string(trace).expect("strace wrote it");
        let opens = |line: &&str| line.contains(STORE) && line.contains("O_RDWR");
        let opened: Vec<_> = lines
            .lines()
            .filter(opens)
            .map(|line| line.split(' ').next().unwrap_or_default())
            .collect();
        assert!(
            !opened.is_empty(),
            "{call} opens no store: {}",
            output.all()
        );
        for process in opened {
            let of_process = lines
                .lines()
                .filter(|line| line.starts_with(&format!("{process} ")));
            let mut these = of_process.filter(|line| line.contains("setresuid(") || opens(line));
            let first = these.next().unwrap_or_default();
            assert!(first.contains("setresuid("), "{call}: {first}");
        }
    }
}
