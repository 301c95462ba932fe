//! Unsafe files: the folder of the store, links, the last valid copy of the configuration, and
//! reload.

use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use testhost::{
    CONFIG, Disk, Host, KEY, Postern, Posternd, STORE, STORE_FOLDER, Store, assert_contains,
    assert_lacks, finished,
};

const COPY: &str = "/etc/postern/postern.toml.valid";
/// Prefix of a shell command that runs it as the gate's user.
const AS_GATE: &str = "setpriv --reuid postern-gate --regid postern --init-groups";

/// Runs a shell script. Returns the exit status and the output of both streams.
fn shell(script: &str) -> (i32, String) {
    let output = Command::new("bash")
        .args(["-c", script])
        .output()
        .expect("bash runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn inodes() -> Vec<u64> {
    let inode = |suffix: &str| {
        fs::metadata(format!("{STORE}{suffix}"))
            .expect("a file of the store")
            .ino()
    };
    ["", "-wal", "-shm"].map(inode).to_vec()
}

/// The gate's user created a hot journal, and root's process removed any file on its behalf.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_gates_user_makes_and_removes_no_file_beside_the_store() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    let mode = |path: &str| fs::metadata(path).expect("it is there").mode() & 0o7777;
    assert_eq!(mode(STORE_FOLDER), 0o750);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&format!("{STORE}{suffix}")), 0o660, "{suffix}");
    }
    let before = inodes();
    for act in [
        format!("touch {STORE}-journal"),
        format!("ln -s /etc/passwd {STORE_FOLDER}/link"),
        format!("rm -f {STORE}-wal"),
        format!("mv {STORE} {STORE}.old"),
    ] {
        let (status, output) = shell(&format!("{AS_GATE} {act}"));
        assert!(
            status != 0 && output.contains("Permission denied"),
            "{act}: {output}"
        );
    }

    // The daemons need to create no file: not after root closed the store last, after a crash, or
    // after a clean stop.
    host.configure("# nothing for the web\n");
    let mut posternd = Posternd::start();
    alice.with_key().enters_with(&phone.code());
    posternd.crash();
    posternd.restart();
    posternd.signal(Signal::SIGTERM);
    drop(posternd);
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    let posternd = Posternd::start();
    drop(posternd);
    Store::open().is_sound();
    assert_eq!(inodes(), before);
}

/// A commit whose fsync fails must not be visible to the next process, which would build on data
/// that is not on the disk.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_could_not_be_synced_is_not_there_for_the_next_process() {
    let host = Host::fresh();
    let phone = host.person("alice").enrols();
    let verify = |code: &str, fault: &str| {
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-qq",
            "-o",
            "/run/postern-tests/fault.strace",
            "-e",
            "trace=fsync,fdatasync",
        ]);
        command.args(fault.split_whitespace());
        let call = Postern::call("verify alice --json").command();
        command.arg(call.get_program()).args(call.get_args());
        command.envs(
            call.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        Postern::under(command).input(code).run()
    };
    let output = verify(&phone.code(), "");
    assert_contains(&output.out, "\"accepted\"");
    host.clock.forward(30);
    let count = || Store::open().number("SELECT count(*) FROM event");
    let (events, length) = (
        count(),
        fs::metadata(format!("{STORE}-wal")).expect("the WAL").len(),
    );
    let output = verify(&phone.code(), "-e inject=fsync,fdatasync:error=EIO");
    assert!(
        output.exit == Some(1) && !output.out.contains("\"accepted\""),
        "{}",
        output.all()
    );
    assert_contains(output.all(), "disk I/O error");
    assert!(fs::metadata(format!("{STORE}-wal")).expect("the WAL").len() <= length);
    assert_eq!(
        count(),
        events,
        "the next process found what was not committed"
    );
    let output = verify(&phone.code(), "");
    assert_contains(&output.out, "\"accepted\"");
    Store::open().is_sound();
}

/// posternd keeps the key and the configuration in memory. If their folder becomes writable by
/// others, access is denied at once, and not only after the next start.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_folder_that_is_opened_to_others_afterwards_denies_until_it_is_closed() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    alice.with_key().enters_with(&phone.code());
    let mode = |mode| {
        fs::set_permissions("/etc/postern", PermissionsExt::from_mode(mode))
            .expect("root may do it")
    };
    mode(0o777);
    alice.with_key().is_turned_away();
    let line = host.journal.says("refused cause=unavailable");
    assert_contains(&line, "the folder has mode 0777, too open");
    mode(0o755);
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
}

/// The administrator runs `init`, sets a stricter policy, and later makes a typo: the policy of
/// `init` came back into force.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_typo_brings_back_no_policy_of_the_first_day() {
    // posternd cannot save copies; the fallback that root starts can.
    let host = Host::without_posternd();
    let bob = host.person("bob");
    let strict = "[policy]\nrequired = \"all\"\n";
    let put = |text: &str| {
        fs::write("/etc/postern/new", text).expect("/etc can be written");
        fs::rename("/etc/postern/new", CONFIG).expect("/etc can be written");
    };
    // A path unit, a start or a reload runs this command.
    put(strict);
    Postern::call("check --keep").does();
    put("[policy]\nrequired = \"al\"\n");
    let output = Postern::call("check --keep").refuses();
    assert_contains(&output.err, "postern.toml:2: policy.required");
    assert_eq!(fs::read_to_string(COPY).expect("the copy"), strict);
    bob.with_password().is_turned_away();

    // This policy was seen by a sign-in alone.
    put("# none is required\n");
    Postern::call("status").does();
    put(strict);
    bob.with_password().is_turned_away();
    put("[policy\n");
    bob.with_password().is_turned_away();
    assert_eq!(fs::read_to_string(COPY).expect("the copy"), strict);
}

/// A reload with a typo was reported as successful, and a gate with an invalid configuration was
/// restarted five times.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_wrong_configuration_fails_a_reload_and_is_not_tried_again() {
    let host = Host::fresh();
    for name in [
        "postern-gate.service",
        "postern-config.path",
        "postern-config.service",
    ] {
        let path = format!("/usr/lib/systemd/system/{name}");
        let (_, output) = shell(&format!("systemd-analyze verify --man=no {path}"));
        assert_lacks(&output, "postern");
    }
    let unit = "/usr/lib/systemd/system/postern-gate.service";
    let text = fs::read_to_string(unit).expect("the unit is installed");
    let reload: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("ExecReload="))
        .collect();
    assert_eq!(
        reload,
        ["+/usr/bin/postern check --keep", "/bin/kill -HUP $MAINPID"]
    );
    let never: Vec<_> = text
        .lines()
        .filter_map(|l| l.strip_prefix("RestartPreventExitStatus="))
        .collect();

    host.write_configuration("[gate]\nsession_lifetime = \"1s\"\n");
    Postern::call("check --keep").refuses();
    fs::remove_file(COPY).expect("init made it");
    let (status, output) = shell(&format!("{AS_GATE} postern-gate"));
    assert_contains(&output, "postern.toml:2: gate.session_lifetime");
    assert_eq!(never, [status.to_string()]);
    // A fault that may be temporary is retried.
    host.configure(
        "[gate]\nurl = \"https://auth.example.test/\"\ncookie_domain = \"example.test\"\n",
    );
    let (status, output) = shell(&format!(
        "mv {STORE} {STORE}.aside; {AS_GATE} postern-gate; s=$?; mv {STORE}.aside {STORE}; exit $s"
    ));
    assert_eq!(status, 1, "{output}");
}

/// On a volume of its own, the store could not be created, and the key file remained.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_store_is_made_on_a_volume_of_its_own_or_not_at_all() {
    let _host = Host::fresh();
    let restore = || {
        finished(Command::new("rm").args(["-rf", "/etc/postern"]));
        finished(Command::new("bash").args([
            "-c",
            &format!("rm -rf {STORE_FOLDER}/* {STORE_FOLDER}/.[!.]*"),
        ]));
    };
    let mode = |mode: u32| {
        fs::set_permissions(STORE_FOLDER, PermissionsExt::from_mode(mode)).expect("a mode")
    };
    restore();
    let disk = Disk::over(STORE_FOLDER, "4m");
    mode(0o777);
    let output = Postern::call("init").refuses();
    assert_contains(&output.err, "chmod it to 0750");
    let left: Vec<_> = fs::read_dir("/etc/postern")
        .expect("a folder")
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // This is the state after mkfs.
    finished(Command::new("chown").args(["root:root", STORE_FOLDER]));
    mode(0o755);
    fs::create_dir(format!("{STORE_FOLDER}/lost+found")).expect("a folder");
    Postern::call("init").does();
    assert!(fs::metadata(KEY).is_ok());
    assert_eq!(
        fs::metadata(STORE_FOLDER).expect("the folder").mode() & 0o7777,
        0o750
    );
    let (status, output) = shell(&format!("{AS_GATE} test -w {STORE}"));
    assert_eq!(status, 0, "{output}");
    drop(disk);
    mode(0o750);
}

/// A file that another user changes during an edit is not overwritten, whatever the editor does.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_edit_overwrites_nothing_that_another_hand_wrote() {
    let host = Host::fresh();
    host.write_configuration("# mine\n");
    let edit = |script: &str| Postern::call("edit").variable("EDITOR", script);
    let output = edit(&format!("echo '# theirs' >{CONFIG}; echo '[pam]' >>")).refuses();
    assert_contains(&output.err, "was changed by someone else in the meantime");
    assert_eq!(
        fs::read_to_string(CONFIG).expect("postern.toml"),
        "# theirs\n"
    );
    assert_contains(&output.err, "/etc/postern/postern.toml.rejected");
    let rejected = "/etc/postern/postern.toml.rejected";
    assert_eq!(
        fs::read_to_string(rejected).expect("the edited text"),
        "# mine\n[pam]\n"
    );
    fs::remove_file(rejected).expect("a file can be removed");

    // The command is killed, then runs again.
    edit("kill -9 $PPID; true").run();
    let hidden = || {
        let entries = fs::read_dir("/etc/postern").expect("a folder").flatten();
        entries
            .filter(|entry| {
                entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with(".postern.toml")
            })
            .count()
    };
    assert_eq!(hidden(), 1);
    edit("echo '# x' >>").does();
    assert_eq!(hidden(), 0);
}

/// A command whose standard output is closed, full or discarded cannot show a secret, so it must
/// change nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_secret_that_is_invisible_changes_nothing() {
    let host = Host::fresh();
    host.person("alice");
    host.person("bob").enrols();
    for to in [">&-", ">/dev/null", ">/dev/full"] {
        for command in [
            "enroll alice --no-confirm",
            "enroll alice --no-confirm --json",
            "one-time-code bob",
            "app-password add bob mail --scope pam:imap",
            "recovery bob --no-confirm",
            "authenticator add bob --name second --no-confirm",
        ] {
            let before = Store::open().dump();
            let (status, output) = shell(&format!("postern {command} {to}"));
            assert_eq!(status, 1, "{command} {to}: {output}");
            let without_log = |dump: &str| -> Vec<String> {
                let counts = [
                    "event|",
                    "sqlite_sequence|",
                    "notice|",
                    "revision|",
                    "app_password_revision|",
                    "removed_app_password|",
                ];
                let lines = dump
                    .lines()
                    .filter(|line| !counts.iter().any(|table| line.starts_with(table)));
                lines.map(str::to_owned).collect()
            };
            assert_eq!(
                without_log(&Store::open().dump()),
                without_log(&before),
                "{command} {to}: {output}"
            );
        }
    }
    let (status, output) = shell(
        "set -o pipefail; for n in $(seq 300); do postern account add user$n; done >/dev/null; postern status | head -n 1",
    );
    assert_eq!(status, 0, "{output}");
    assert_lacks(&output, "postern:");
    assert_contains(&output, "second factor");
}

/// A process without free file descriptors reported that the store is not writable.
#[test]
#[ignore = "needs the test host: tests/run"]
fn too_many_open_files_are_called_that() {
    let _host = Host::fresh();
    for limit in 4..12 {
        let (status, output) = shell(&format!("ulimit -n {limit}; postern status"));
        if status == 0 {
            return;
        }
        let is_named = [
            "Too many open files",
            "error while loading shared libraries",
        ];
        assert!(
            is_named.iter().any(|named| output.contains(named)),
            "{limit}: {output}"
        );
    }
    panic!("12 descriptors are not enough");
}
