//! The SELinux module: it compiles against the policy of Debian, and a domain that uses PAM can
//! take its interface. The kernel of the tests has no SELinux, so it was never loaded.

use std::fs;
use std::process::{Command, Output};
use testhost::{Host, assert_contains, checkout, finished, handbook_block};

const FOLDER: &str = "/run/postern-tests/selinux";
/// The file with the rules to make a module, of the package selinux-policy-dev.
const RULES: &str = "/usr/share/selinux/devel/Makefile";

/// A policy of a PAM host, which takes the interface.
const PAM_HOST: &str = "policy_module(pamhost, 1.0)\n\
    type pamhost_t;\ntype pamhost_exec_t;\n\
    init_daemon_domain(pamhost_t, pamhost_exec_t)\n\
    postern_use_pam(pamhost_t)\n";

fn make(module: &str) -> Output {
    let mut make = Command::new("make");
    make.args(["-f", RULES, &format!("{module}.pp")]);
    make.current_dir(FOLDER)
        .output()
        .expect("make is installed")
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_policy_module_compiles() {
    let _host = Host::fresh();
    let _ = fs::remove_dir_all(FOLDER);
    finished(
        Command::new("cp")
            .args(["-r".as_ref(), checkout("packaging/selinux").as_os_str()])
            .arg(FOLDER),
    );
    fs::write(format!("{FOLDER}/pamhost.te"), PAM_HOST).expect("/run can be written");
    let of_page = handbook_block("docs/guides/confinement.md", "policy_module");
    fs::write(format!("{FOLDER}/mylogin.te"), of_page).expect("/run can be written");
    for module in ["postern", "pamhost", "mylogin"] {
        let output = make(module);
        assert!(output.status.success(), "{module}: {output:?}");
        let package = fs::metadata(format!("{FOLDER}/{module}.pp")).expect("it was made");
        assert!(package.len() > 1000, "{package:?}");
    }
    // The attack: a type that does not exist is found.
    let text = fs::read_to_string(format!("{FOLDER}/postern.te")).expect("it was copied");
    fs::write(
        format!("{FOLDER}/wrong.te"),
        text.replace("postern_key_t:file", "no_such_t:file"),
    )
    .expect("/run can be written");
    let output = make("wrong");
    assert!(!output.status.success(), "{output:?}");
    assert_contains(
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()),
        "no_such_t",
    );
}
