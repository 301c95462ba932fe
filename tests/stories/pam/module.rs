//! The module's effect on the programs that load it: its size, its libraries, and the state that it
//! leaves behind.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use testhost::{Host, Terminal, assert_contains, assert_lacks, finished};

/// Returns the path of the module, where libpam searches for it.
#[track_caller]
fn module() -> String {
    let folders = fs::read_dir("/usr/lib")
        .expect("/usr/lib")
        .flatten()
        .map(|entry| entry.path());
    let found = folders
        .map(|folder| folder.join("security/pam_totp.so"))
        .find(|path| path.exists());
    found
        .expect("packaging/install puts it there")
        .display()
        .to_string()
}

/// Returns the files below a folder that a process has open.
fn held(process: u32, folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{process}/fd"))
        .expect("the process runs")
        .flatten();
    entries
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|path| path.starts_with(folder))
        .collect()
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_module_links_what_every_host_has_and_nothing_else() {
    let _host = Host::fresh();
    let dynamic = finished(Command::new("readelf").args(["--dynamic", "--wide", &module()]));
    let needed: Vec<&str> = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    let allowed = [
        "libpam.so.",
        "libc.so.",
        "libm.so.",
        "libgcc_s.so.",
        "ld-linux",
    ];
    for library in &needed {
        assert!(
            allowed.iter().any(|name| library.starts_with(name)),
            "{needed:?}"
        );
    }
    assert_contains(&dynamic, "NODELETE");
    assert_contains(&dynamic, "NOW");
    let segments = finished(Command::new("readelf").args(["--segments", "--wide", &module()]));
    assert_contains(&segments, "GNU_RELRO");
    let stack = segments
        .lines()
        .find(|line| line.contains("GNU_STACK"))
        .expect("a GNU_STACK segment");
    assert_lacks(stack, "RWE");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_module_exports_the_six_hooks_and_nothing_else() {
    let _host = Host::fresh();
    let symbols = finished(Command::new("nm").args(["--dynamic", "--defined-only", &module()]));
    let mut names: Vec<&str> = symbols
        .lines()
        .filter_map(|line| line.split(' ').next_back())
        .collect();
    names.sort_unstable();
    let hooks = [
        "acct_mgmt",
        "authenticate",
        "chauthtok",
        "close_session",
        "open_session",
        "setcred",
    ];
    assert_eq!(names, hooks.map(|hook| format!("pam_sm_{hook}")));
}

/// The module only relays: neither the engine nor floating point is linked. The limit applies to a
/// release build, as packages have it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_module_is_small() {
    let _host = Host::fresh();
    let size = fs::metadata(module()).expect("it is installed").len();
    assert!(size <= 400_000, "{size} bytes");
    let dynamic = finished(Command::new("readelf").args(["--dynamic", "--wide", &module()]));
    assert_lacks(&dynamic, "libm.so");
}

#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn no_descriptor_is_left_open_in_sshd() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let mut shell = alice.with_key().to_a_shell().up_to_the_code();
    shell.types(&phone.code()).expect("$ ");
    let sessions = host.sessions();
    assert!(!sessions.is_empty());
    for process in sessions {
        for folder in ["/var/lib/postern", "/etc/postern"] {
            assert_eq!(
                held(process, folder),
                Vec::<PathBuf>::new(),
                "process {process}"
            );
        }
    }
    shell.types("exit");
    shell.ends();
}

/// sudo asks for the code too, and the log names the calling user.
#[test]
#[ignore = "needs the test host: tests/run"]
fn sudo_asks_for_the_code_and_is_left_as_it_was() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    // A setuid program sees only the real clock.
    host.clock.set(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock after 1970")
            .as_secs(),
    );
    fs::write(
        "/etc/sudoers.d/postern-tests",
        "alice ALL=(ALL) ALL\nDefaults !use_pty, timestamp_timeout=0\n",
    )
    .expect("a drop-in can be written");
    let sudo = |command: &str| {
        let mut terminal = Terminal::run(alice.on_this_host(&format!("sudo {command}")));
        terminal
            .expect("password for alice: ")
            .types(&alice.password)
            .expect("Verification code: ");
        terminal
    };

    let mut terminal = sudo("id -un");
    terminal
        .types(&phone.wrong())
        .expect("That code is wrong")
        .expect("Verification code: ");
    terminal.types(&phone.code()).expect("root");
    assert!(terminal.ends().status.success());
    host.journal
        .says("pam_totp(sudo:auth): accepted cause=code address=- service=sudo user=\"alice\"");

    let mut terminal = sudo("sh -c 'echo running as $PPID; sleep 300'");
    terminal.types(&phone.code_in(1)).expect("running as ");
    let process = terminal.read_number();
    for folder in ["/var/lib/postern", "/etc/postern"] {
        assert_eq!(held(process, folder), Vec::<PathBuf>::new());
    }
    terminal.presses_ctrl_c();
    fs::remove_file("/etc/sudoers.d/postern-tests").expect("a drop-in can be removed");
}
