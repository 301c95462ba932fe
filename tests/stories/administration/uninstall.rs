//! packaging/uninstall on the test host: what it refuses, removes and keeps.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use testhost::{Host, STORE, assert_contains, checkout, finished, handbook_shell};

fn uninstall() -> Output {
    Command::new(checkout("packaging/uninstall"))
        .output()
        .expect("bash runs")
}

/// Removing the module from under a service denies everyone, root included.
#[test]
#[ignore = "needs the test host: tests/run"]
fn nothing_is_removed_while_a_service_names_the_module() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    fs::write(
        "/etc/pam.d/uninstall",
        "# auth required pam_totp.so\nauth required \\\n  /lib/security/pam_totp.so\n",
    )
    .expect("a service");
    let refused = uninstall();
    assert_eq!(refused.status.code(), Some(1));
    let output = String::from_utf8_lossy(&refused.stderr);
    assert_contains(&output, "/etc/pam.d/sshd:");
    assert_contains(&output, "/etc/pam.d/uninstall:3\n");
    assert_contains(&output, "nothing is removed yet");
    fs::remove_file("/etc/pam.d/uninstall").expect("the service");
    alice.with_key().enters_with(&phone.code());
}

/// The attack on oneself: the line is in a file that a service includes from elsewhere, or a file
/// cannot be read.
#[test]
#[ignore = "needs the test host: tests/run"]
fn nothing_is_removed_while_a_service_may_name_the_module() {
    let _host = Host::fresh();
    without_module(&["sshd", "sudo"]);
    let (file, service) = ("/etc/postern stack", "/etc/pam.d/uninstall");
    fs::write("/etc/stack", "auth required pam_totp.so\n").expect("a stack");
    for line in ["auth include ../stack\n", "@include /etc/stack\n"] {
        fs::write(service, line).expect("a service");
        let refused = uninstall();
        let output = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{output}");
        assert_contains(&output, "stack:1\n");
    }
    fs::remove_file("/etc/stack").expect("the stack");
    fs::remove_file(service).expect("the service");
    symlink(file, service).expect("a link to nothing");
    let refused = uninstall();
    let output = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{output}");
    assert_contains(&output, "not every PAM service can be read");
    fs::remove_file(service).expect("the link");
    assert!(Path::new("/usr/bin/postern").exists());
}

/// Removes the lines of the module from services.
fn without_module(services: &[&str]) {
    for service in services {
        let path = format!("/etc/pam.d/{service}");
        let text = fs::read_to_string(&path).expect("the service");
        let own = text.lines().filter(|line| !line.contains("pam_totp"));
        fs::write(&path, own.collect::<Vec<_>>().join("\n") + "\n").expect("the service");
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn what_was_installed_is_removed_and_enrollments_are_kept() {
    let mut host = Host::fresh();
    host.enrolled_user("alice");
    // a folder of another processor's libraries, first in the order of names
    let other = "/usr/lib/aaa-linux-gnu/security";
    fs::create_dir_all(other).expect("/usr can be written");
    let elf = [&b"\x7fELF\x01\x01\x01"[..], &[0; 9], b"\x03\0\xb7\0"].concat();
    fs::write(format!("{other}/pam_unix.so"), elf).expect("/usr can be written");
    let installed = finished(&mut Command::new(checkout("packaging/install")));
    let files: Vec<&str> = installed
        .lines()
        .filter_map(|line| line.strip_prefix("install: /usr/"))
        .filter(|path| !path.contains(' '))
        .collect();
    assert!(files.len() > 20, "{files:?}");
    let is_there = |file: &str| Path::new(other).join(file).exists();
    assert!(!is_there("pam_totp.so"), "{files:?}");
    fs::remove_dir_all("/usr/lib/aaa-linux-gnu").expect("the folder");
    host.posternd = None;
    without_module(&["sshd", "sudo"]);

    let page = "docs/guides/uninstall.md";
    let removed = handbook_shell(page, "sudo packaging/uninstall", &checkout("")).output();
    let removed = removed.expect("bash runs");
    let output = String::from_utf8_lossy(&removed.stdout);
    assert!(removed.status.success(), "{removed:?}");
    for file in files {
        assert!(!Path::new("/usr").join(file).exists(), "/usr/{file}");
    }
    assert_contains(&output, "/etc/postern is kept");
    assert_contains(&output, "/etc/ssh/sshd_config.d/postern");
    for kept in [
        "/etc/postern/postern.key",
        "/etc/postern/postern.toml",
        STORE,
    ] {
        assert!(Path::new(kept).exists(), "{kept}");
    }
}
