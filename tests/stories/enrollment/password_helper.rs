//! The root helper of the gate, with the real PAM: which requests it answers, which it refuses, and
//! which faults it survives.

use postern_shared::protocol::host_password::{
    Candidate, HostPasswordReply, HostPasswordRequest, SOCKET,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::network::address::Address;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use testhost::{
    Host, PasswordHelper, Person, Posternd, Terminal, assert_contains, assert_lacks, assert_within,
    finished, set_mode, wait_until,
};

const SERVICE: &str = "postern-gate";
pub(crate) const PROMPT: &str =
    "Password of alice on this host, or a one-time code from the administrator: ";

#[track_caller]
pub(crate) fn start_posternd(host: &Host) -> Posternd {
    // An earlier story may have changed this service.
    host.pam(SERVICE, "@include common-auth\n@include common-account\n");
    Posternd::start()
}

fn question(name: &str, password: &str) -> HostPasswordRequest {
    HostPasswordRequest {
        name: name.parse().expect("a name"),
        address: Address::parse("192.0.2.7"),
        class: AdmissionClass::Unauthenticated,
        password: Candidate::from_input(password.as_bytes()).expect("a password"),
    }
}

/// Returns the helper's reply to root; `None` if the helper sends none.
#[track_caller]
fn asked(name: &str, password: &str) -> Option<HostPasswordReply> {
    let output =
        PasswordHelper::hears(&question(name, password).encode()).expect("the helper greets");
    assert!(
        output.is_empty() || HostPasswordReply::decode(&output).is_some(),
        "{output:?}"
    );
    HostPasswordReply::decode(&output)
}

fn chage(person: &Person, options: &str) {
    finished(
        Command::new("chage")
            .args(options.split_whitespace())
            .arg(&person.name),
    );
}

/// Installs a script that the service runs before it verifies the password.
fn through_script(host: &Host, script: &str) {
    let path = "/run/postern-tests/before";
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("the tests' folder can be written");
    set_mode(path, 0o755);
    let first = format!("auth optional pam_exec.so quiet {path}\n");
    host.pam(
        SERVICE,
        &format!("{first}@include common-auth\n@include common-account\n"),
    );
}

/// The attack: an expired or locked account, root, or an account without a password is tried. A
/// reply other than "wrong" would confirm the password.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_may_not_enter_is_refused_with_the_right_password_too() {
    let host = Host::without_posternd();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let posternd = start_posternd(&host);
    let helper = PasswordHelper::start();
    let right = |person: &Person| asked(&person.name, &person.password);
    assert_eq!(
        (right(&alice), right(&bob)),
        (
            Some(HostPasswordReply::Right),
            Some(HostPasswordReply::Right)
        )
    );
    assert_eq!(helper.log(), "", "a right one leaves no line");
    let because = |cause: &str, user: &str| {
        helper.says(&format!(
            "refused cause={cause} address=192.0.2.7 user={user:?}"
        ));
    };

    chage(&alice, "-E 0");
    assert_eq!(right(&alice), Some(HostPasswordReply::Wrong));
    // Debian's common-account ends with pam_deny.
    because("account-refused", "alice");
    let output = alice.postern("enroll").types(&alice.password).refuses();
    assert_contains(&output.err, "or access to your account is denied");
    chage(&alice, "-E -1 -d 0");
    assert_eq!(right(&alice), Some(HostPasswordReply::Wrong));
    because("password-expired", "alice");
    chage(&alice, "-d 2020-01-01");
    host.pam(
        SERVICE,
        "auth required pam_unix.so\naccount required pam_unix.so\n",
    );
    chage(&alice, "-E 0");
    assert_eq!(right(&alice), Some(HostPasswordReply::Wrong));
    because("account-expired", "alice");
    chage(&alice, "-E -1");
    host.pam(SERVICE, "@include common-auth\n@include common-account\n");
    finished(Command::new("usermod").args(["--lock", "alice"]));
    assert_eq!(right(&alice), Some(HostPasswordReply::Wrong));
    because("wrong", "alice");
    finished(Command::new("usermod").args(["--unlock", "alice"]));
    assert_eq!(right(&alice), Some(HostPasswordReply::Right));

    // Passwords of root are never verified. An empty password is never right.
    let shadow = fs::read_to_string("/etc/shadow").expect("root may");
    finished(Command::new("usermod").args(["--password", "", "bob"]));
    assert_eq!(
        (asked("bob", "anything"), asked("root", "anything")),
        (
            Some(HostPasswordReply::Wrong),
            Some(HostPasswordReply::Wrong)
        )
    );
    because("root", "root");
    for name in ["nobody-has-this-name", "ALICE", "alice "] {
        let Ok(name) = name.parse::<postern_shared::account::name::UserName>() else {
            continue;
        };
        assert_eq!(
            asked(name.as_str(), &alice.password),
            Some(HostPasswordReply::Wrong),
            "{name}"
        );
    }
    fs::write("/etc/shadow", shadow).expect("root may");

    // The fault: the administrator's stack grants access without a password.
    for stack in [
        "auth sufficient pam_rootok.so",
        "auth sufficient pam_permit.so",
    ] {
        host.pam(
            SERVICE,
            &format!("{stack}\naccount required pam_permit.so\n"),
        );
        assert_eq!(
            asked("alice", "anything"),
            Some(HostPasswordReply::Wrong),
            "{stack}"
        );
        because("password-not-checked", "alice");
    }
    assert_lacks(posternd.log(), "panicked");
    assert_lacks(helper.log(), "panicked");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn only_the_daemons_get_a_reply() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let helper = PasswordHelper::start();
    host.pam(SERVICE, "@include common-auth\n@include common-account\n");
    let script = "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => shift) or die \"$!\"; \
         print $s \"alice\\0\\0stranger\\0the password of alice\\0\"; $s->flush; shutdown $s, 1; print while <$s>;";
    let asks_as = |user: &str, group: &str| {
        let mut perl = Command::new("setpriv");
        perl.args([
            &format!("--reuid={user}"),
            &format!("--regid={group}"),
            "--clear-groups",
            "perl",
            "-e",
            script,
            SOCKET,
        ]);
        let output = perl.output().expect("perl runs");
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (text, error) = asks_as("alice", "nogroup");
    assert!(
        text.is_empty() && error.contains("Permission denied"),
        "{text}{error}"
    );
    for daemon in ["postern-gate", "posternd"] {
        assert_eq!(
            asks_as(daemon, "postern").0,
            "postern-password 2\nyes\n",
            "{daemon}"
        );
    }
    // The helper checks the peer, also where the socket's mode lets everyone connect.
    set_mode(SOCKET, 0o666);
    for user in ["alice", "nobody", "www-data"] {
        assert_eq!(asks_as(user, "nogroup").0, "", "{user}");
        helper.says("refused cause=untrusted-peer uid=");
    }

    for nonsense in [
        vec![],
        vec![0; 3],
        vec![b'x'; 1 << 20],
        b"alice\0\0known\0\0".to_vec(),
        b"GET / HTTP/1.1".to_vec(),
    ] {
        assert_eq!(
            PasswordHelper::hears(&nonsense).as_deref(),
            Some(b"".as_slice())
        );
    }
    helper.says("refused cause=no-request");
    assert_eq!(
        asked("alice", &alice.password),
        Some(HostPasswordReply::Right)
    );
    assert_eq!(helper.questions().len(), 0);
    assert_lacks(helper.log(), &alice.password);
    assert_lacks(helper.log(), "panicked");
    // The program refuses to run for other users.
    let text = alice
        .on_this_host("/usr/libexec/postern-password </dev/null")
        .output()
        .expect("it runs");
    assert!(
        String::from_utf8_lossy(&text.stderr).contains("not a listening socket"),
        "{text:?}"
    );
}

/// The fault: a PAM module hangs or crashes. Only that request fails, and it counts as a try.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_module_that_hangs_or_crashes_stops_no_other_user() {
    let host = Host::without_posternd();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let posternd = start_posternd(&host);
    let helper = PasswordHelper::start();
    through_script(&host, "[ \"$PAM_USER\" != bob ] || sleep 600");
    let began = Instant::now();
    std::thread::scope(|scope| {
        let hung: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| asked("bob", &bob.password)))
            .collect();
        wait_until("two of bob's questions hang", || {
            Ok(helper.questions().len() >= 4)
        });
        let asked_alice = Instant::now();
        assert_eq!(
            asked("alice", &alice.password),
            Some(HostPasswordReply::Right)
        );
        assert_within(asked_alice, Duration::from_secs(3));
        // Meanwhile the password is in the arguments and the environment of no process.
        for entry in fs::read_dir("/proc").expect("there is a /proc").flatten() {
            for what in ["cmdline", "environ"] {
                let held = fs::read(entry.path().join(what)).unwrap_or_default();
                assert!(
                    !String::from_utf8_lossy(&held).contains(&bob.password),
                    "{entry:?}"
                );
            }
        }
        let heard: Vec<_> = hung
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect();
        assert_eq!(
            heard.iter().filter(|output| output.is_none()).count(),
            2,
            "{heard:?}"
        );
        assert_eq!(
            heard
                .iter()
                .filter(|output| **output == Some(HostPasswordReply::NotVerified))
                .count(),
            2,
            "{heard:?}"
        );
    });
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(19) && took < Duration::from_secs(26),
        "{took:?}"
    );
    helper.says("refused cause=timeout address=192.0.2.7 user=\"bob\"");
    wait_until("no question is left", || Ok(helper.questions().is_empty()));

    // The helper is killed during a request: the process that serves the request ends with it, and
    // the person reads an error.
    through_script(
        &host,
        "[ \"$PAM_USER\" != bob ] || sleep 600; [ \"$PAM_USER\" != alice ] || kill -ABRT $PPID",
    );
    assert_eq!(asked("alice", &alice.password), None);
    helper.says(
        "refused cause=timeout address=192.0.2.7 user=\"alice\": PAM gave no answer: the process",
    );
    let mut helper = helper;
    let enroll = |person: &Person| person.postern("enroll").types(&person.password).refuses();
    std::thread::scope(|scope| {
        let hangs = scope.spawn(|| enroll(&bob));
        wait_until("bob's question hangs", || Ok(helper.questions().len() >= 2));
        let questions = helper.questions();
        helper.crash();
        let output = hangs.join().expect("no panic");
        assert_contains(&output.err, "could not be verified in time");
        let asking = questions.first().expect("a process");
        wait_until("the question has ended", || {
            Ok(!std::path::Path::new(&format!("/proc/{asking}")).exists())
        });
    });
    posternd.says("refused cause=password-timeout address=- service=postern user=\"bob\"");
    through_script(&host, ":");
    helper.restart();
    let mut terminal = Terminal::run(alice.postern("enroll").command());
    terminal
        .expect(PROMPT)
        .types(&alice.password)
        .expect("your app shows: ");
    terminal.is_interrupted();
}

/// The fault: the stack of the service contains the module. A password is never verified there,
/// since PAM would ask for a code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_service_that_would_ask_for_a_code_is_not_asked_and_the_log_names_the_line() {
    let host = Host::without_posternd();
    let alice = host.person("alice");
    let posternd = start_posternd(&host);
    let helper = PasswordHelper::start();
    let common = fs::read_to_string("/etc/pam.d/common-auth").expect("Debian has it");
    fs::write(
        "/etc/pam.d/common-auth",
        format!("{common}auth required pam_totp.so\n"),
    )
    .expect("root may");
    assert_eq!(
        asked("alice", &alice.password),
        Some(HostPasswordReply::NotVerified)
    );
    let line = common.lines().count() + 1;
    helper.says(&format!("/etc/pam.d/common-auth:{line}: holds pam_totp.so"));
    helper.says("refused cause=service address=192.0.2.7 user=\"alice\"");
    let output = alice.postern("enroll").types(&alice.password).refuses();
    assert_contains(&output.err, "cannot be verified now");
    let restarted = PasswordHelper::start();
    restarted.says("until then access by password is denied");
    drop(restarted);
    fs::write("/etc/pam.d/common-auth", &common).expect("root may");
    let helper = PasswordHelper::start();
    assert_eq!(
        asked("alice", &alice.password),
        Some(HostPasswordReply::Right)
    );
    fs::remove_file("/etc/pam.d/postern-gate").expect("root may");
    assert_eq!(
        asked("alice", &alice.password),
        Some(HostPasswordReply::NotVerified),
        "PAM would go by other"
    );
    helper.says("/etc/pam.d/postern-gate is missing");
    assert_lacks(posternd.log(), "panicked");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn questions_at_once_are_bounded_and_none_is_forgotten() {
    let host = Host::fresh();
    let alice = host.person("alice");
    host.pam(SERVICE, "@include common-auth\n@include common-account\n");
    let helper = PasswordHelper::start();
    let asking = || {
        let arguments =
            |process: &u32| fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let is_question =
            |process: &u32| String::from_utf8_lossy(&arguments(process)).contains("--one-question");
        helper
            .questions()
            .iter()
            .filter(|process| is_question(process))
            .count()
    };
    let heard = std::thread::scope(|scope| {
        let ask = |number: usize| {
            move || PasswordHelper::hears(&question(&format!("stranger{number}"), "wrong").encode())
        };
        let threads: Vec<_> = (0..100).map(|number| scope.spawn(ask(number))).collect();
        let mut most = 0;
        while threads.iter().any(|thread| !thread.is_finished()) {
            most = most.max(asking());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!((2..=4).contains(&most), "of one address: {most}");
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect::<Vec<_>>()
    });
    // The connection limit is reached, the address has too many requests, or no process was free
    // within 3 s.
    let unasked = |output: &Vec<u8>| {
        HostPasswordReply::decode(output) == Some(HostPasswordReply::NotVerified)
    };
    let turned_away = heard
        .iter()
        .filter(|output| output.as_ref().is_none_or(unasked))
        .count();
    assert!(
        turned_away >= 30,
        "64 places, 4 turns of an address, and {turned_away} of 100 turned away"
    );
    for output in heard.into_iter().flatten() {
        assert!(
            matches!(
                HostPasswordReply::decode(&output),
                Some(HostPasswordReply::Wrong | HostPasswordReply::NotVerified)
            ),
            "{output:?}"
        );
    }
    assert_eq!(
        asked("alice", &alice.password),
        Some(HostPasswordReply::Right)
    );
    // The attack: a compromised gate guesses the password of one account. The number of verified
    // guesses is limited, whatever the gate sends at once.
    let got = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40)
            .map(|_| scope.spawn(|| PasswordHelper::hears(&question("alice", "wrong").encode())))
            .collect();
        let output = threads
            .into_iter()
            .filter_map(|thread| thread.join().expect("no panic"));
        output
            .filter(|output| HostPasswordReply::decode(output) == Some(HostPasswordReply::Wrong))
            .count()
    });
    assert!((1..=30).contains(&got), "{got}");
    assert_lacks(helper.log(), "panicked");
}
