//! Who enters by a key alone beside the samples for sshd: root, and accounts of programs, which answer no prompt.

use std::fs;
use std::process::Command;
use testhost::{Host, Person, Postern, finished};

const BATCH: &str = "BatchMode=yes";
const WORK: &str = "/run/postern-tests";

/// What Ansible calls ssh with where it has no password.
fn ansible(person: &Person) -> testhost::Ssh {
    let sign_in = person.with_key().option("KbdInteractiveAuthentication=no");
    sign_in
        .option("PasswordAuthentication=no")
        .option("PreferredAuthentications=publickey")
}

/// What scp, git and rsync take for ssh.
fn ssh_options(person: &Person) -> String {
    format!(
        "-F none -i {WORK}/{} -o UserKnownHostsFile={WORK}/known_hosts -o GlobalKnownHostsFile=/dev/null \
         -o IdentitiesOnly=yes -o IdentityAgent=none -o {BATCH}",
        person.name
    )
}

/// README said that whoever is not enrolled enters as before: not a program, and not root.
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
    // a client that could answer prompts, where there are none
    bob.with_key().enters();
    bob.with_password().enters();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_exceptions_let_root_and_programs_in_by_key_and_nobody_else() {
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
        // the key is the one way in
        let ended = person.with_password().dials().ends();
        assert!(!ended.entered(), "{}", ended.transcript);
    }
    // everybody else is asked
    alice.with_key().option(BATCH).is_turned_away();
    ansible(&alice).is_turned_away();
    alice.with_key().enters_with(&phone.code());
    alice.with_password().enters_with(&phone.code_in(1));
    bob.with_key().enters();
    bob.with_key().option(BATCH).is_turned_away();

    // files, a pipe with every byte, and git
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

    // the guard: not by a way around the code that Postern would ask for
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

/// What the sample says that postern.toml needs.
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
