//! Sign-in by a key alone beside the samples for sshd: root, and accounts of programs, which reply
//! to no prompt.

use std::fs;
use std::process::Command;
use testhost::{Host, Person, Postern, finished};

const BATCH: &str = "BatchMode=yes";
const WORK: &str = "/run/postern-tests";

/// Returns ssh with the options that Ansible uses without a password.
fn ansible(person: &Person) -> testhost::Ssh {
    let sign_in = person.with_key().option("KbdInteractiveAuthentication=no");
    sign_in
        .option("PasswordAuthentication=no")
        .option("PreferredAuthentications=publickey")
}

/// Returns the ssh options for scp, git and rsync.
fn ssh_options(person: &Person) -> String {
    format!(
        "-F none -i {WORK}/{} -o UserKnownHostsFile={WORK}/known_hosts -o GlobalKnownHostsFile=/dev/null \
         -o IdentitiesOnly=yes -o IdentityAgent=none -o {BATCH}",
        person.name
    )
}

/// README stated that a user who is not enrolled signs in as before. This was wrong for programs
/// and for root.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_samples_alone_lock_out_programs_and_root_by_key() {
    let host = Host::fresh();
    let (root, robot, bob) = (
        host.person("root"),
        host.person("robot"),
        host.person("bob"),
    );
    root.with_key().is_turned_away();
    for person in [&root, &robot, &bob] {
        person.with_key().option(BATCH).is_turned_away();
        ansible(person).is_turned_away();
    }
    // This client could reply to prompts, but there are none.
    bob.with_key().enters();
    bob.with_password().enters();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_exceptions_let_root_and_programs_in_by_key_and_no_other_user() {
    let mut host = Host::fresh();
    let (root, robot) = (host.person("root"), host.person("robot"));
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    finished(Command::new("groupadd").args(["--system", "--force", "robots"]));
    finished(Command::new("usermod").args(["--groups", "robots", "robot"]));
    host.sshd_sample("postern-exceptions.conf");

    for person in [&root, &robot] {
        person.with_key().enters();
        person.with_key().option(BATCH).enters();
        ansible(person).enters();
        // The key is the only accepted method.
        let ended = person.with_password().connects().ends();
        assert!(!ended.entered(), "{}", ended.transcript);
    }
    // All other users must give a code.
    alice.with_key().option(BATCH).is_turned_away();
    ansible(&alice).is_turned_away();
    alice.with_key().enters_with(&phone.code());
    alice.with_password().enters_with(&phone.code_in(1));
    bob.with_key().enters();
    bob.with_key().option(BATCH).is_turned_away();

    // Files, binary data through a pipe, and git.
    let options = ssh_options(&robot);
    let shell = |script: &str| {
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(WORK);
        shell
            .env("options", &options)
            .env("GIT_SSH_COMMAND", format!("ssh {options}"));
        finished(&mut shell)
    };
    shell("rm -rf sent got; head -c 300000 /dev/urandom >sent
        scp -q -P 2022 $options sent robot@127.0.0.1:sent; scp -q -P 2022 $options robot@127.0.0.1:sent got; cmp sent got
        ssh -p 2022 $options robot@127.0.0.1 cat <sent | cmp - sent
        if scp -q -P 2022 ${options//robot/alice} sent alice@127.0.0.1:sent; then exit 1; fi");
    shell("rm -rf work; ssh -p 2022 $options robot@127.0.0.1 'rm -rf repository && git init -q --bare repository'
        git init -q work; cd work; git -c user.name=x -c user.email=x commit -q --allow-empty -m first
        git push -q ssh://robot@127.0.0.1:2022/home/robot/repository HEAD:refs/heads/main
        git ls-remote ssh://robot@127.0.0.1:2022/home/robot/repository | grep -q refs/heads/main
        rm -rf ../work");

    // sshd accepts alice's key alone once she is in the group, but the guard in `account` denies
    // access, since she has a second factor.
    finished(Command::new("usermod").args(["--append", "--groups", "robots", "alice"]));
    alice.with_key().is_turned_away();
    host.journal
        .says("refused cause=not-verified address=127.0.0.1 service=sshd user=\"alice\"");
    finished(Command::new("gpasswd").args(["--delete", "alice", "robots"]));
    host.configure("[policy]\nrequired = \"all\"\n");
    for person in [&root, &robot] {
        person.with_key().is_turned_away();
        host.journal.says(&format!(
            "refused cause=not-enrolled address=127.0.0.1 service=sshd user=\"{}\"",
            person.name
        ));
    }
    host.configure(&format!("[policy]\nrequired = \"all\"\n{}", exemption()));
    for person in [&root, &robot] {
        person.with_key().option(BATCH).enters();
    }
    bob.with_key().is_turned_away();
    host.clock.forward(60);
    alice.with_key().enters_with(&phone.code());
    Postern::call("enroll robot --no-confirm").does();
    robot.with_key().option(BATCH).enters();
}

/// Returns the lines of postern.toml that the sample requires.
fn exemption() -> String {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../config/sshd_config.d/postern-exceptions.conf"
    );
    let sample = fs::read_to_string(sample).expect("the sample is in the checkout");
    sample
        .lines()
        .filter_map(|line| line.strip_prefix("#     "))
        .map(|line| line.to_owned() + "\n")
        .collect()
}
