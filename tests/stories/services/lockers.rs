//! PAM hosts that are not root: a screen locker, and a mail server that verifies codes of every
//! account. posternd decides for them.

use crate::enrollment::without_root::{PAM_PEER, uid_of};
use nix::sys::signal::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use testhost::{
    Host, PAM_SOCKET, PamPeer, Postern, Posternd, Store, as_user, assert_contains, assert_lacks,
    finished, set_mode, wait_until,
};

pub(crate) const SAMPLE: &str = include_str!("../../../config/pam.d/locker");
/// The service of a host that has verified the first factor itself, and asks for the code alone.
const CODES: &str = "auth required pam_totp.so first_factor=passed\nauth required pam_permit.so\naccount required pam_totp.so\n";
/// The service of a host that does not know whether the first factor passed.
const UNKNOWN: &str =
    "auth required pam_totp.so\naccount required pam_totp.so\naccount required pam_permit.so\n";
pub(crate) const MAIL: &str = "mailhost";

/// The output of a host, and its result.
pub(crate) struct HostResult {
    pub(crate) entered: bool,
    pub(crate) text: String,
    pub(crate) took: Duration,
}

/// Runs a PAM host as `user` that signs `person` in.
#[track_caller]
pub(crate) fn host_of(
    user: &str,
    through: &[&str],
    service: &[&str],
    person: &str,
    typed: &[&str],
) -> HostResult {
    let words = [
        through,
        &["pamtester"],
        service,
        &[person, "authenticate", "acct_mgmt"],
    ]
    .concat();
    let input = "/run/postern-tests/typed";
    fs::write(
        input,
        typed
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    )
    .expect("a file");
    let mut tester = as_user(user, user);
    tester.args(&words);
    let began = Instant::now();
    let output = tester
        .stdin(fs::File::open(input).expect("a file"))
        .output()
        .expect("pamtester runs");
    assert!(
        output.status.code().is_some(),
        "a signal ended the host: {}",
        output.status
    );
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    HostResult {
        entered: output.status.success(),
        text,
        took: began.elapsed(),
    }
}

#[track_caller]
pub(crate) fn enters(user: &str, service: &[&str], person: &str, typed: &[&str]) -> String {
    let output = host_of(user, &[], service, person, typed);
    assert!(output.entered, "{}", output.text);
    output.text
}

#[track_caller]
pub(crate) fn refused(user: &str, service: &[&str], person: &str, typed: &[&str]) -> HostResult {
    let output = host_of(user, &[], service, person, typed);
    assert!(!output.entered, "{}", output.text);
    output
}

/// Starts posternd on a host without the web, and installs the services of its users.
#[track_caller]
pub(crate) fn start_posternd(host: &Host, configuration: &str) -> Posternd {
    host.configure(&format!("# for lockers\n{configuration}\n"));
    host.pam("locker", SAMPLE);
    host.pam("codes", CODES);
    host.pam("unknown", UNKNOWN);
    Posternd::start()
}

#[track_caller]
pub(crate) fn mail_user() {
    if nix::unistd::User::from_name(MAIL).ok().flatten().is_none() {
        finished(Command::new("useradd").args(["--system", "--user-group", MAIL]));
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_screen_locker_asks_for_the_password_and_the_code() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    let posternd = start_posternd(&host, "");
    let (service, password) = (["locker"], alice.password.as_str());

    let output = refused(
        "alice",
        &service,
        "alice",
        &["not the password", &phone.code()],
    );
    assert_lacks(&output.text, "Verification code");
    enters("alice", &service, "alice", &[password, &phone.code()]);
    posternd
        .says("pam_totp(locker:auth): accepted cause=code address=- service=locker user=\"alice\"");
    let output = refused("alice", &service, "alice", &[password, &phone.code()]);
    assert_contains(&output.text, "That code was used already");
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
    alice.with_key().enters_with(&phone.code_in(1));
    let output = refused("alice", &service, "alice", &[password, &phone.code_in(1)]);
    assert_contains(&output.text, "That code was used already");

    let events = Postern::json("log alice --json --service locker --event accepted");
    assert_eq!(events["origin"], "local user alice");
}

/// The attack: a local user guesses codes at full speed and claims changing services and addresses.
/// All guesses count for the local user.
#[test]
#[ignore = "needs the test host: tests/run"]
fn guesses_of_ones_own_code_meet_the_delay_and_keep_no_user_out_of_ssh() {
    let host = Host::without_posternd();
    let (alice, phone, recovery) = host.enrolled_user_with_recovery_codes("alice");
    let posternd = start_posternd(&host, "");

    let mut guesser = PamPeer::start(PAM_PEER, uid_of("alice"), PAM_SOCKET);
    let mut causes = Vec::new();
    for (number, wrong) in phone.wrong_codes(300).into_iter().enumerate() {
        let stage = if number % 2 == 0 { "unknown" } else { "passed" };
        let claims = json!({
            "service": format!("s{number}"), "user": "alice", "remote_host": format!("192.0.2.{}", number % 250),
            "terminal": format!("/dev/pts/{number}"), "ssh_auth_info": "publickey x", "real_uid": number,
            "options": ["tries=1", format!("first_factor={stage}")],
        });
        let came = guesser.does(&json!({ "user_host": claims, "typed": wrong }));
        assert_ne!(came["result"], "passed", "{came}");
        causes.push(came["texts"].to_string());
    }
    drop(guesser);
    let wrong = posternd
        .log()
        .matches("refused cause=wrong address=- ")
        .count();
    assert_eq!(wrong, 5, "{}", posternd.log());
    posternd.says("refused cause=delayed-30s address=- service=s");
    posternd.says("more lines about uid");
    let events = Postern::call("log alice --json --event refused").does().out;
    assert_eq!(
        events.matches("\"origin\":\"local user alice\"").count(),
        5,
        "{events}"
    );

    let output = refused("alice", &["codes"], "alice", &[&phone.code()]);
    assert_contains(&output.text, "Too many wrong codes: wait 30 s");
    alice.with_key().enters_with(&phone.code());
    let output = enters("alice", &["codes"], "alice", &[&recovery[0]]);
    assert_contains(&output, "5 recovery codes are left");
    enters("alice", &["codes"], "alice", &[&phone.code_in(1)]);
    assert_lacks(posternd.log(), "panicked");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn no_process_asks_about_another_unless_it_is_named() {
    let host = Host::without_posternd();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    mail_user();
    let posternd = start_posternd(&host, "");
    let before = Store::open().dump();

    for user in [bob.name.as_str(), MAIL] {
        for (service, person) in [
            ("codes", "alice"),
            ("codes", "nobody-here"),
            ("unknown", "alice"),
        ] {
            refused(user, &[service], person, &[&phone.code()]);
            let line = posternd.says("refused cause=unavailable");
            assert_contains(&line, format!("may ask only about the account {user}"));
            assert_contains(&line, "pam.socket_users");
        }
    }
    let output = |person| {
        refused("bob", &["codes"], person, &[])
            .text
            .replace(person, "NAME")
    };
    assert_eq!(output("alice"), output("nobody-here"));
    assert_eq!(Store::open().dump(), before);
    alice.with_key().enters_with(&phone.code());
    drop(posternd);

    host.configure(&format!("[pam]\nsocket_users = [\"{MAIL}\"]\n"));
    let _posternd = Posternd::start();
    refused("bob", &["codes"], "alice", &[&phone.code_in(1)]);
    enters(MAIL, &["codes"], "alice", &[&phone.code_in(1)]);
}

/// A PAM host of `socket_users` is counted by the addresses that it passes, like a host of root.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_mail_server_without_root_asks_about_everyone() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    mail_user();
    let posternd = start_posternd(&host, &format!("[pam]\nsocket_users = [\"{MAIL}\"]"));
    let from = |address: &'static str| ["-I", address, "unknown"];

    for person in [host.person("bob"), host.person("carol")] {
        for wrong in person.enrols().wrong_codes(5) {
            let output = refused(MAIL, &from("rhost=192.0.2.7"), &person.name, &[&wrong]);
            assert_contains(&output.text, "wait for a new code");
        }
    }
    posternd.says("refused cause=wrong address=192.0.2.7 service=unknown user=\"carol\"");
    let delayed = refused(MAIL, &from("rhost=192.0.2.7"), "alice", &[&phone.code()]);
    posternd.says("refused cause=address-delayed-");
    let wrong = refused(
        MAIL,
        &from("rhost=198.51.100.9"),
        "alice",
        &[&phone.wrong()],
    );
    assert_eq!(
        delayed.text, wrong.text,
        "before the first factor every refusal looks alike"
    );

    assert_eq!(
        Postern::json("status alice --json")["last_sign_in"],
        serde_json::Value::Null
    );
    let output = enters(MAIL, &from("rhost=198.51.100.9"), "alice", &[&phone.code()]);
    assert_contains(
        &output,
        "1 wrong code since your last sign-in, last from 198.51.100.9",
    );
    assert!(Postern::json("status alice --json")["last_sign_in"].is_string());
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_has_no_second_factor_gets_what_the_policy_says() {
    let host = Host::without_posternd();
    let bob = host.person("bob");
    let posternd = start_posternd(&host, "");
    enters("bob", &["locker"], "bob", &[&bob.password]);
    posternd.says("pam_totp(locker:auth): not needed cause=not-enrolled");
    drop(posternd);

    host.configure("[policy]\nrequired = \"all\"\n");
    let strict = Posternd::start();
    let output = refused("bob", &["locker"], "bob", &[&bob.password]);
    assert_contains(&output.text, "needs a second factor and has none");
    drop(strict);
    host.configure("[policy]\nrequired = \"all\"\nenroll_within = \"1d\"\n");
    let _lenient = Posternd::start();
    let output = enters("bob", &["locker"], "bob", &[&bob.password]);
    assert_contains(&output, "must have a second factor by");
}

/// Without posternd a locker that is not root denies access at once, and names the cause.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_posternd_a_locker_stays_locked_and_says_so_at_once() {
    let host = Host::without_posternd();
    let (_, phone) = host.enrolled_user("alice");
    let mut posternd = start_posternd(&host, "");
    let refused_at_once = |why: &str| {
        let output = refused("alice", &["codes"], "alice", &[&phone.code()]);
        assert!(
            output.took < Duration::from_millis(2500),
            "{why}: {:?}",
            output.took
        );
        let line = host
            .journal
            .says("refused cause=unavailable address=- service=codes user=\"alice\": ");
        let remedy = line.contains("start posternd.socket") || line.contains("restart posternd");
        assert!(line.contains(PAM_SOCKET) && remedy, "{why}: {line}");
    };
    posternd.signal(Signal::SIGSTOP);
    refused_at_once("stopped");
    posternd.crash();
    refused_at_once("crashed");
    fs::remove_dir_all("/run/postern").expect("root may");
    refused_at_once("absent");
    drop(posternd);
    let _posternd = Posternd::start();
    enters("alice", &["codes"], "alice", &[&phone.code()]);
}

/// An impostor of posternd that accepts every code and records what it receives. It ends when this
/// value is dropped.
struct Impostor(Child);

const HEARD: &str = "/tmp/heard";

impl Impostor {
    #[track_caller]
    fn of(user: &str) -> Impostor {
        // It sends the same greeting as posternd.
        let script = "use IO::Socket::UNIX; umask 0; $SIG{PIPE} = 'IGNORE'; my $l = IO::Socket::UNIX->new(Local => shift, Listen => 5) or die; \
             open my $f, '>>', shift or die; while (my $s = $l->accept) { print $s \"\\x08\\0\\0\\0\\x01\\0\\x02\\0\\0\\0\\x01\\0\"; \
             $s->flush; sysread($s, my $heard, 65536); print $f $heard; $f->flush; close $s }";
        let mut perl = as_user(user, user);
        perl.args(["perl", "-e", script, PAM_SOCKET, HEARD]);
        let impostor = Impostor(perl.stdin(Stdio::null()).spawn().expect("perl runs"));
        wait_until("it listens", || Ok(Path::new(HEARD).exists()));
        impostor
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = fs::remove_file(PAM_SOCKET);
        let _ = fs::remove_file(HEARD);
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn an_impostor_in_posternds_place_learns_nothing_and_lets_no_user_in() {
    let host = Host::without_posternd();
    let (alice, _bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    drop(start_posternd(&host, ""));
    let folder = |mode| {
        let _ = fs::remove_file(PAM_SOCKET);
        fs::set_permissions("/run/postern", PermissionsExt::from_mode(mode)).expect("root may");
    };
    let owner = |name: &str| {
        let user = nix::unistd::User::from_name(name)
            .ok()
            .flatten()
            .expect("a user");
        chown("/run/postern", Some(user.uid.as_raw()), None).expect("root may");
    };
    let is_told_nothing = |what: &str| {
        for service in ["codes", "unknown"] {
            refused("alice", &[service], "alice", &[&phone.code()]);
            let line = host.journal.says("refused cause=unavailable");
            assert!(
                line.contains("does not belong to root; nothing was sent"),
                "{what}: {line}"
            );
        }
        let output = alice.postern("recovery").types(&phone.code()).refuses();
        assert!(
            output
                .err
                .contains("does not belong to root; nothing was sent"),
            "{what}: {}",
            output.err
        );
        assert_eq!(fs::read_to_string(HEARD).expect("a file"), "", "{what}");
    };

    folder(0o777);
    let impostor = Impostor::of("bob");
    is_told_nothing("in a folder of everyone's");
    set_mode("/run/postern", 0o755);
    is_told_nothing("left behind in a folder of root's");
    drop(impostor);
    owner("bob");
    let impostor = Impostor::of("bob");
    is_told_nothing("in a folder of its own");
    drop(impostor);
    owner("root");
    let _posternd = Posternd::start();
    enters("alice", &["codes"], "alice", &[&phone.code()]);
}

/// The module in a host without root opens neither the store nor the key file, and leaves no
/// descriptor open.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_host_without_root_opens_neither_store_nor_key_and_keeps_no_descriptor() {
    let host = Host::without_posternd();
    let (_, phone) = host.enrolled_user("alice");
    let _posternd = start_posternd(&host, "");
    let trace = "/tmp/trace";
    let _ = fs::remove_file(trace);
    let calls = "--trace=%file,socket,connect,sendto,close";
    let strace = [
        "strace",
        "--follow-forks",
        "--string-limit=200",
        "--output",
        trace,
        calls,
    ];
    let output = host_of(
        "alice",
        &strace,
        &["codes"],
        "alice",
        &[&phone.wrong(), &phone.code()],
    );
    assert!(output.entered, "{}", output.text);

    let trace = fs::read_to_string(trace).expect("strace wrote it");
    for path in [
        "/etc/postern",
        "/var/lib/postern",
        "postern.db",
        "postern.key",
    ] {
        assert_lacks(&trace, path);
    }
    let mut open = Vec::new();
    let mut connected = 0;
    for line in trace.lines() {
        let number = |call: &str| {
            line.split_once(call)?
                .1
                .split([',', ')'])
                .next()?
                .parse::<u32>()
                .ok()
        };
        if let Some(number) = number("connect(").filter(|_| line.contains(PAM_SOCKET)) {
            open.push(number);
            connected += 1;
        }
        if let Some(number) = number("close(") {
            open.retain(|kept| *kept != number);
        }
        if line.contains("sendto(") && !line.contains("AF_NETLINK") {
            assert_contains(line, "MSG_NOSIGNAL");
        }
    }
    assert!(
        connected == 2 && open.is_empty(),
        "{connected} {open:?}: {trace}"
    );
}
