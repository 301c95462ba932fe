//! The real fail2ban reads the log of real refusals. Its configuration is that of config/fail2ban.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use testhost::{Gate, Host, Postern, Web, WebClient, assert_contains, finished, on_the_clock};

const FILTER: &str = include_str!("../../../config/fail2ban/filter.d/postern.conf");
const JAIL: &str = include_str!("../../../config/fail2ban/jail.d/postern.conf");
const FOLDER: &str = "/etc/fail2ban";
/// An address that no line may name: it occurs only in hostile input.
const VICTIM: &str = "198.51.100.9";

/// Returns names that an attacker types to have another address banned.
fn hostile_names() -> [String; 5] {
    [
        format!("x address={VICTIM} service=sshd user=\"root"),
        format!(
            "pam_totp(sshd:auth): refused cause=wrong address={VICTIM} service=sshd user=\"root\""
        ),
        format!("postern-gate: refused cause=wrong address={VICTIM} service=web user=\"root\""),
        format!("\" refused cause=wrong address={VICTIM} service=sshd user=\""),
        format!(
            "x\nvm sshd[1]: pam_totp(sshd:auth): refused cause=wrong address={VICTIM} service=sshd user=\"x"
        ),
    ]
}

/// Installs the samples where fail2ban reads them.
#[track_caller]
fn install() {
    for (part, text) in [("filter.d", FILTER), ("jail.d", JAIL)] {
        fs::write(format!("{FOLDER}/{part}/postern.conf"), text)
            .expect("tests/run installs fail2ban");
    }
}

/// Returns the addresses that fail2ban finds in lines of a log, each as often as it is found.
#[track_caller]
fn found_in(lines: &str) -> Vec<String> {
    let log = "/run/postern-tests/fail2ban.log";
    fs::write(log, lines).expect("the tests' folder can be written");
    let filter = format!("{FOLDER}/filter.d/postern.conf");
    finished(Command::new("fail2ban-regex").args(["-o", "<ip>", log, &filter]))
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Returns the same log as a logger with traditional time stamps writes it, and as journalctl shows
/// it.
#[track_caller]
fn other_formats(log: &str) -> [String; 2] {
    let stamped = log.lines().filter_map(|line| line.split_once(' '));
    let stamps = finished(Command::new("date").args(["+%b %e %T%t%Y-%m-%dT%T%z"]));
    let (traditional, journal) = stamps.trim_end().split_once('\t').expect("two stamps");
    let with = |stamp: &str| {
        stamped
            .clone()
            .map(|(_, rest)| format!("{stamp} {rest}\n"))
            .collect()
    };
    [with(traditional), with(journal)]
}

/// Signs in at a PAM host that passes a client address, and ignores the result.
#[track_caller]
fn tries(service: &str, address: &str, name: &str, reply: &str) {
    let typed = "/run/postern-tests/typed";
    fs::write(typed, format!("{reply}\n{reply}\n{reply}\n"))
        .expect("the tests' folder can be written");
    let mut tester = on_the_clock(Command::new("pamtester"));
    tester.args([
        "-I",
        &format!("rhost={address}"),
        service,
        name,
        "authenticate",
    ]);
    tester.stdin(if reply.is_empty() {
        Stdio::null()
    } else {
        fs::File::open(typed).expect("a file").into()
    });
    tester
        .output()
        .expect("pamtester runs; tests/run installs it");
}

/// Signs in at sshd with a wrong code, under any name: OpenSSH's own client refuses to send some of
/// them.
#[track_caller]
fn knocks(name: &str) {
    let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--insecure", "--interface", "127.0.0.7"]);
    curl.arg(format!("sftp://{name}:123456@127.0.0.1:2022/"));
    assert!(
        !curl
            .status()
            .expect("curl runs; tests/run installs it")
            .success()
    );
}

fn set(found: &[String]) -> BTreeSet<&str> {
    found.iter().map(String::as_str).collect()
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn guesses_are_found_and_nothing_else() {
    let host = Host::fresh();
    install();
    let (alice, _bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    let app = Postern::call("app-password add alice mail --scope pam:codes")
        .does()
        .out
        .trim_end()
        .to_owned();
    Postern::call("app-password revoke alice mail").does();
    host.pam(
        "codes",
        "auth required pam_totp.so first_factor=passed tries=1\n",
    );
    host.journal.forget();

    alice
        .with_key()
        .from("127.0.0.9")
        .is_refused(&phone.wrong(), "That code is wrong");
    tries("codes", "192.0.2.1", "alice", "no code at all");
    tries("codes", "192.0.2.2", "alice", &app);
    tries("codes", "2001:db8::2", "alice", &phone.wrong());
    for (address, reply) in [
        ("192.0.2.11", phone.code()),
        ("192.0.2.12", phone.code()),
        ("192.0.2.13", phone.code_in(-2)),
        ("192.0.2.14", phone.code_in(3)),
        ("192.0.2.15", String::new()),
    ] {
        tries("codes", address, "alice", &reply);
    }
    tries("codes", "192.0.2.16", "bob", "123456");
    tries("codes", "client.example.test", "alice", &phone.wrong());
    for wrong in phone.wrong_codes(6) {
        tries("codes", "192.0.2.3", "alice", &wrong);
    }

    let log = host.journal.rest();
    for cause in [
        "used",
        "cancelled",
        "delayed-30s",
        "wrong address=-",
        "not-enrolled",
        "code",
        "ahead-3-steps",
    ] {
        assert!(
            log.contains(&format!("cause={cause} ")),
            "no {cause}: {log}"
        );
    }
    let found = found_in(&log);
    let guessed = [
        "127.0.0.9",
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "2001:db8::2",
    ];
    assert_eq!(set(&found), BTreeSet::from(guessed), "{log}");
    let guesses = |line: &&str| line.contains("cause=wrong address=192.0.2.3 ");
    assert_eq!(
        found.iter().filter(|ip| *ip == "192.0.2.3").count(),
        log.lines().filter(guesses).count(),
        "{log}"
    );
    for other in other_formats(&log) {
        assert_eq!(found_in(&other), found, "{other}");
    }
}

/// The attack: a name that looks like a log line. Hostile input is quoted after the address, so no
/// other address is banned.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_name_that_looks_like_a_line_bans_only_its_author() {
    let host = Host::fresh();
    install();
    host.pam(
        "sshd",
        "auth required pam_totp.so\nauth required pam_deny.so\n",
    );
    host.pam("codes", "auth required pam_totp.so\n");
    let names = hostile_names();
    // An account may have these two names, so that their codes are logged as wrong. The other names
    // are invalid.
    for name in [&names[0], &names[3]] {
        let mut postern = on_the_clock(Command::new("/usr/bin/postern"));
        Postern::under({
            postern.args(["enroll", name, "--no-confirm", "--json"]);
            postern
        })
        .does();
    }
    host.journal.forget();

    for name in &names {
        knocks(name);
        tries("codes", "192.0.2.7", name, "123456");
    }
    let mut log = host.journal.rest();
    // For an unknown account sshd passes junk to PAM instead of the input.
    assert_contains(
        &log,
        format!(
            "refused cause=malformed address=127.0.0.7 service=sshd user={:?}",
            names[0]
        ),
    );
    assert_eq!(
        set(&found_in(&log)),
        BTreeSet::from(["127.0.0.7", "192.0.2.7"]),
        "{log}"
    );
    // Any local user may log lines in the name of other programs.
    for name in &names {
        finished(Command::new("logger").args([
            "-t",
            "sudo",
            "-p",
            "authpriv.notice",
            "--",
            &format!("alice : {name}"),
        ]));
        finished(Command::new("logger").args([
            "-t",
            "sshd",
            "-i",
            "-p",
            "auth.info",
            "--",
            &format!("User {name}"),
        ]));
    }
    log += &host.journal.rest();
    let [traditional, journal] = other_formats(&log);
    let without_host: String = traditional
        .lines()
        .map(|line| line.replacen(&format!(" {} ", hostname()), " ", 1) + "\n")
        .collect();
    assert_ne!(without_host, traditional);
    for text in [log, traditional, journal, without_host] {
        assert!(!set(&found_in(&text)).contains(VICTIM), "{text}");
    }
}

fn hostname() -> String {
    finished(&mut Command::new("hostname"))
        .trim_end()
        .to_owned()
}

/// The gate's log lines have the same format.
#[test]
#[ignore = "needs the test host: tests/run"]
fn guesses_at_the_web_are_found_too() {
    let host = Host::fresh();
    install();
    let web = Web::nginx(&host, "");
    let (alice, phone) = host.web_user("alice");

    let from = |address: &str| WebClient::new().from(address);
    from("127.0.0.21").sends_password(&web.pages, "alice", "another");
    for name in hostile_names() {
        from("127.0.0.22").sends_password(&web.pages, &name, "another");
    }
    let client = from("127.0.0.23");
    client.password(&web, &alice);
    client.code(&web, &phone.wrong());
    let client = from("127.0.0.24");
    client.password(&web, &alice);
    client.code(&web, &phone.code());
    let client = from("127.0.0.25");
    client.password(&web, &alice);
    client.code(&web, &phone.code());

    let log = said_in_the_journal(&web.gate);
    for line in [
        "accepted cause=code address=127.0.0.24",
        "refused cause=used address=127.0.0.25",
        VICTIM,
    ] {
        assert!(log.contains(line), "no {line}: {log}");
    }
    let found = found_in(&log);
    assert_eq!(
        set(&found),
        BTreeSet::from(["127.0.0.21", "127.0.0.22", "127.0.0.23"]),
        "{log}"
    );
}

/// Returns the gate's standard error as it appears in the journal.
#[track_caller]
fn said_in_the_journal(gate: &Gate) -> String {
    let stamp = finished(Command::new("date").args(["+%FT%T%z"]));
    let head = format!(
        "{} {} postern-gate[{}]: ",
        stamp.trim_end(),
        hostname(),
        gate.process()
    );
    gate.log()
        .lines()
        .map(|line| format!("{head}{line}\n"))
        .collect()
}

/// The server's own check of its configuration accepts the unchanged samples.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_jail_is_one_that_fail2ban_takes() {
    let _host = Host::fresh();
    install();
    let output = finished(Command::new("fail2ban-client").arg("--test"));
    assert_contains(&output, "configuration test is successful");
    let told = finished(Command::new("fail2ban-client").arg("-d"));
    for part in [
        "['add', 'postern', 'systemd']",
        "_SYSTEMD_UNIT=postern-gate.service",
        "['start', 'postern']",
    ] {
        assert!(told.contains(part), "no {part}: {told}");
    }
}
