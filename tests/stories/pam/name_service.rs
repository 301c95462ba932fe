//! A name service whose lookups hang. A user whose entry cannot be read is denied access, and the
//! log names the name service. Other users do not wait.

use crate::services::lockers::{MAIL, enters, host_of, mail_user, start_posternd};
use postern_shared::protocol::{
    Denial, Greeting, Instruction, Opening, PamFunction, PamFunctionResult, PamTransaction,
    VERSIONS, receive, send,
};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};
use testhost::{HOST_SOCKET, Host, Posternd, assert_contains, assert_within, finished};

const LIBRARY: &str = "/usr/lib/libnss_slow.so.2";
const SWITCH: &str = "/etc/nsswitch.conf";
/// Source of an NSS module whose lookups hang in posternd and find no user in any other program.
const SOURCE: &str = r#"
#include <nss.h>
#include <pwd.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>
static enum nss_status slow(int *errnop) {
    char name[32] = "";
    FILE *comm = fopen("/proc/self/comm", "re");
    if (comm) { fgets(name, sizeof name, comm); fclose(comm); }
    if (!strncmp(name, "posternd", 8)) sleep(60);
    *errnop = ENOENT;
    return NSS_STATUS_NOTFOUND;
}
enum nss_status _nss_slow_getpwnam_r(const char *n, struct passwd *p, char *b, size_t l, int *e) { return slow(e); }
enum nss_status _nss_slow_getpwuid_r(uid_t u, struct passwd *p, char *b, size_t l, int *e) { return slow(e); }
enum nss_status _nss_slow_getgrnam_r(const char *n, struct group *g, char *b, size_t l, int *e) { return slow(e); }
enum nss_status _nss_slow_getgrgid_r(gid_t i, struct group *g, char *b, size_t l, int *e) { return slow(e); }
enum nss_status _nss_slow_initgroups_dyn(const char *n, gid_t g, long *s, long *z, gid_t **gs, long m, int *e) { return slow(e); }
"#;

/// Original content of nsswitch.conf, restored on drop.
struct Sleeping(String);

impl Sleeping {
    #[track_caller]
    fn name_service() -> Sleeping {
        let source = "/tmp/libnss_slow.c";
        fs::write(source, SOURCE).expect("the copy of the host can be written");
        finished(Command::new("gcc").args(["-shared", "-fPIC", "-o", LIBRARY, source]));
        let before = fs::read_to_string(SWITCH).expect("a file of the host");
        let others = before
            .lines()
            .filter(|line| !line.starts_with("passwd:") && !line.starts_with("group:"));
        let ours = "passwd: files slow\ngroup: files slow\n".to_owned();
        fs::write(SWITCH, others.fold(ours, |text, line| text + line + "\n"))
            .expect("it can be written");
        Sleeping(before)
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        fs::write(SWITCH, &self.0).expect("it can be written");
        let _ = fs::remove_file(LIBRARY);
    }
}

/// Opens a connection and reads the greeting, which shows that posternd runs.
#[track_caller]
fn greets() -> UnixStream {
    let mut stream = UnixStream::connect(HOST_SOCKET).expect("the socket is there");
    let _: Greeting = receive(&mut stream).expect("posternd greets");
    stream
}

/// Starts a conversation about a user after the first factor.
#[track_caller]
fn begins(user: &str) -> UnixStream {
    let mut stream = greets();
    let transaction = PamTransaction {
        hook: PamFunction::Auth,
        options: vec!["first_factor=passed".to_owned()],
        service: Some(b"imap".to_vec()),
        user: Some(user.as_bytes().to_vec()),
        remote_host: None,
        terminal: None,
        ssh_connection: None,
        ssh_auth_info: None,
        real_uid: 0,
        mark: None,
    };
    let opening = Opening::Host {
        version: VERSIONS[0],
        transaction: Box::new(transaction),
        id: None,
    };
    send(&mut stream, &opening).expect("posternd reads");
    stream
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_name_service_that_sleeps_denies_its_own_and_keeps_no_other_waiting() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    let _sleeping = Sleeping::name_service();
    let posternd = Posternd::start();
    greets();

    let mut asked: Vec<UnixStream> = (0..40)
        .map(|number| begins(&format!("carol{number}")))
        .collect();
    // Alice is in /etc/passwd, so the source that hangs is not asked.
    let began = Instant::now();
    alice.with_key().enters_with(&phone.code());
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "alice waited for {:?}",
        began.elapsed()
    );
    for stream in &mut asked {
        let Instruction::Log { line, .. } = receive(stream).expect("posternd goes on") else {
            panic!("no log line")
        };
        assert!(
            line.starts_with("refused cause=unavailable address=- service=imap user=\"carol"),
            "{line}"
        );
        let ended: Instruction = receive(stream).expect("posternd goes on");
        assert_eq!(
            ended,
            Instruction::End(PamFunctionResult::Denied(Denial::Unavailable))
        );
    }
    // The lookups run in parallel: together they take as long as one.
    assert_within(began, Duration::from_secs(6));
    let mut last = begins("dave");
    let Ok(Instruction::Log { line, .. }) = receive(&mut last) else {
        panic!("no log line")
    };
    let named = ["no answer within 3 s", "too many look-ups"]
        .iter()
        .any(|why| line.contains(why));
    assert!(
        named && line.contains("/etc/nsswitch.conf: passwd: files slow"),
        "{line}"
    );
    assert_eq!(posternd.log(), "");
}

/// The policy names a group of a directory that does not reply. The stricter reading applies, and
/// the log reports it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_group_of_a_directory_that_sleeps_is_a_doubt() {
    let host = Host::without_posternd();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    host.configure("[policy]\nrequired = [\"%directory-staff\"]\n");
    let _sleeping = Sleeping::name_service();
    let _posternd = Posternd::start();
    greets();
    alice.with_key().enters_with(&phone.code());
    let line = host.journal.says("warning cause=group-unresolved");
    assert_contains(
        &line,
        "no answer within 3 s (/etc/nsswitch.conf: group: files slow)",
    );
    bob.with_key().is_turned_away();
    host.journal.says("refused cause=not-enrolled");
}

/// Lookups within a conversation on pam.sock have the same timeout as those on host.sock.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_name_service_that_sleeps_denies_its_own_at_pam_sock_and_keeps_no_user_waiting() {
    let host = Host::without_posternd();
    let phone = host.person("alice").enrols();
    mail_user();
    let _sleeping = Sleeping::name_service();
    let posternd = start_posternd(&host, &format!("[pam]\nsocket_users = [\"{MAIL}\"]"));

    let carols: Vec<_> = (0..12)
        .map(|number| {
            let carol = format!("carol{number}");
            thread::spawn(move || host_of(MAIL, &[], &["codes"], &carol, &["123456"]))
        })
        .collect();
    posternd.says("refused cause=unavailable address=- service=codes user=\"carol");
    let began = Instant::now();
    enters("alice", &["codes"], "alice", &[&phone.code()]);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "alice waited for {:?}",
        began.elapsed()
    );
    for carol in carols {
        let output = carol.join().expect("it ends");
        assert!(!output.entered, "{}", output.text);
        assert!(
            output.took < Duration::from_secs(6),
            "{:?}: {}",
            output.took,
            output.text
        );
    }
    let line = posternd.says("no answer within 3 s");
    assert_contains(&line, "(/etc/nsswitch.conf: passwd: files slow)");
}
