//! The role of packaging/ansible, run by Ansible against two hosts with addresses of their own, over
//! their sshd. The test host is the server of the fleet, and the one on which Ansible runs.

use serde_json::Value;
use std::fs;
use std::process::{Command, Output};
use testhost::{
    CLIENT, CONFIG, Fleet, ManagedHost, Person, Postern, Posternd, UnusedCodes, assert_contains,
    checkout, finished, wait_until,
};

const FOLDER: &str = "/run/postern-tests/ansible";

/// Runs the playbook with further arguments.
fn playbook(arguments: &[&str]) -> Output {
    let mut ansible = Command::new("ansible-playbook");
    ansible
        .args(["--inventory", &format!("{FOLDER}/hosts.yml")])
        .arg(checkout("packaging/ansible/site.yml"))
        .args(arguments)
        .env("ANSIBLE_HOME", FOLDER)
        .env("ANSIBLE_NOCOLOR", "1")
        .env("ANSIBLE_PIPELINING", "1")
        .env("LC_ALL", "C.UTF-8");
    ansible
        .output()
        .expect("ansible-core is installed; tests/run does it")
}

/// Runs the playbook, which must succeed, and returns how many tasks have changed each host.
#[track_caller]
fn changes(hosts: [&str; 2]) -> [u32; 2] {
    let output = playbook(&[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    hosts.map(|host| {
        let line = text
            .lines()
            .find(|line| line.starts_with(host) && line.contains("changed="));
        let words = line.expect("a recap").split_whitespace();
        let changed = words.filter_map(|word| word.strip_prefix("changed="));
        let [changed] = changed.collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        changed.parse().expect("a number")
    })
}

/// Makes the inventory. Ansible is let in by a key of root.
fn inventory(root: &Person) {
    fs::create_dir_all(FOLDER).expect("/run can be written");
    let key = root.key();
    let options = "-F none -o UserKnownHostsFile=/run/postern-tests/known_hosts";
    let text = format!(
        "all:
  children:
    postern_servers:
      hosts:
        server1: {{ansible_connection: local}}
    postern_hosts:
      hosts:
        one: {{ansible_host: 192.0.2.11}}
        two: {{ansible_host: 192.0.2.12}}
      vars:
        ansible_port: 2022
        ansible_user: root
        ansible_ssh_private_key_file: {key}
        ansible_ssh_common_args: {options}
        postern_host_server: server1
        postern_host_servers: [\"https://{CLIENT}:7443\"]
        postern_host_packages: []
  vars:
    ansible_python_interpreter: /usr/bin/python3
"
    );
    fs::write(format!("{FOLDER}/hosts.yml"), text).expect("/run can be written");
}

/// Makes the test host the server of a fleet.
fn server() -> Posternd {
    let text = format!("[totp]\npast_steps = 10\n\n[fleet]\nlisten = \"tcp:{CLIENT}:7443\"\n");
    fs::write(CONFIG, text).expect("root may do it");
    Postern::call("status").does();
    let server = Posternd::start();
    server.says("hosts of the fleet connect to");
    server
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn one_run_has_two_hosts_join_and_the_second_changes_nothing() {
    let fleet = Fleet::start();
    let _server = server();
    let (alice, phone) = fleet.host.enrolled_user("alice");
    let mut codes = UnusedCodes::of(phone);
    let services = ["sshd", "sudo"].map(|name| (name, fleet.host.shipped(name)));
    let hosts = ["one", "two"].map(|name| ManagedHost::start(fleet.machine(name), &services));
    let at = |host: usize, person: &Person| {
        let ssh = person.with_key().from(CLIENT);
        ssh.to(&hosts[host].machine.address)
    };
    inventory(&fleet.host.person("root"));
    at(0, &alice).enters();

    // an account that would be locked out
    let key = format!("ansible_ssh_private_key_file={}", alice.key());
    let words = [
        "-e",
        "ansible_user=alice",
        "-e",
        "ansible_become=false",
        "-e",
        &key,
    ];
    let refused = playbook(&words);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert_contains(
        String::from_utf8_lossy(&refused.stdout),
        "add the account to postern_host_robots",
    );
    at(0, &alice).enters();

    let first = changes(["one", "two"]);
    assert!(first.iter().all(|changed| *changed > 3), "{first:?}");
    // Ansible is let in by its key alone, and finds everything done
    assert_eq!(changes(["one", "two"]), [0, 0]);

    let code = codes.next_code();
    at(0, &alice).enters_with(&code);
    at(1, &alice).is_refused(&code, "That code was used already");
    at(1, &alice).enters_with(&codes.next_code());
    wait_until("the server has stored what it saw of the hosts", || {
        let all: Value = Postern::call("status --hosts --json").does().json();
        let is_seen = |host: usize| {
            let row = &all[host];
            row["state"] == "connected" && row["version"].is_string() && row["denied"].is_u64()
        };
        Ok(all[1]["host"] == "two" && is_seen(0) && is_seen(1))
    });

    Postern::call("host revoke one").does();
    at(0, &alice).is_turned_away();
    at(1, &alice).enters_with(&codes.next_code());
    let all = Postern::call("status --hosts").does().out;
    let line = all.lines().find(|line| line.starts_with("one"));
    assert_contains(line.expect("a line of one"), "revoked");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_example_inventory_and_the_playbook_are_valid() {
    let folder = checkout("packaging/ansible");
    let mut ansible = Command::new("ansible-playbook");
    ansible
        .current_dir(&folder)
        .args([
            "--inventory",
            "hosts.example.yml",
            "--syntax-check",
            "site.yml",
        ])
        .env("ANSIBLE_HOME", "/run/postern-tests/ansible.syntax")
        .env("LC_ALL", "C.UTF-8");
    finished(&mut ansible);
}
