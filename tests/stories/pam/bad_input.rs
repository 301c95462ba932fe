//! Hostile input: names and inputs that are too long, malformed, or meant to change the log or a
//! file path.

use std::process::{Command, Stdio};
use testhost::{Host, Store, assert_contains, assert_lacks, on_the_clock, wait_for_output};

/// Signs in through pamtester, which passes on any bytes.
#[track_caller]
fn sign_in(name: &[u8], reply: &[u8]) -> (bool, String) {
    use std::ffi::OsStr;
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;

    let mut tester = on_the_clock(Command::new("pamtester"));
    tester
        .arg("codes")
        .arg(OsStr::from_bytes(name))
        .args(["authenticate", "acct_mgmt"]);
    let mut tester = tester
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pamtester runs; tests/run installs it");
    let mut stdin = tester.stdin.take().expect("stdin is a pipe");
    for _ in 0..3 {
        // pamtester may have ended already.
        let _ = stdin.write_all(&[reply, b"\n"].concat());
    }
    drop(stdin);
    let output = wait_for_output(tester);
    assert!(
        output.status.code().is_some(),
        "a signal ended the host: {}",
        output.status
    );
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn services(host: &Host) {
    host.requires_totp("codes", "first_factor=passed");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn names_that_lead_elsewhere_or_never_end_are_refused() {
    let host = Host::fresh();
    services(&host);
    let before = Store::open().dump();
    let long = vec![b'a'; 4096];
    let names: [&[u8]; 6] = [
        b"../x",
        b"a/../../etc/passwd",
        &long,
        b"a\xff\xfe",
        b"a\nb",
        b"a\x1b[2Jb",
    ];
    for name in names {
        let (entered, output) = sign_in(name, b"123456");
        assert!(!entered, "{output}");
        host.journal
            .says("refused cause=invalid-name address=- service=codes");
    }
    assert_eq!(Store::open().dump(), before);
    assert_lacks(host.journal.rest(), "panic");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_bad_name_meets_the_same_prompt_as_a_good_one_at_ssh() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    host.pam(
        "sshd",
        "auth required pam_totp.so first_factor=unknown\nauth required pam_deny.so\n",
    );

    let screen = |name: &str| {
        let mut terminal = alice.with_password().as_user(name).connects();
        terminal.expect("Verification code: ").types(&phone.wrong());
        terminal.ends().transcript.replace(name, "NAME")
    };
    let good = screen("alice");
    for name in ["../x", "a/b", "a%n", &"a".repeat(250)] {
        assert_eq!(screen(name), good, "{name}");
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn answers_that_never_end_or_are_no_text_are_no_code() {
    let host = Host::fresh();
    services(&host);
    host.person("alice").enrols();
    let long = vec![b'1'; 64 * 1024];
    let answers: [&[u8]; 5] = [
        &long,
        b"\xff\xfe\x80",
        b"123456\x1b[A",
        b"%s%n%s%n",
        b"' OR 1=1; --",
    ];
    for reply in answers {
        let (entered, output) = sign_in(b"alice", reply);
        assert!(!entered, "{output}");
    }
    assert_eq!(Store::open().number("SELECT count(*) FROM failure"), 0);
    let log = host.journal.rest();
    assert_contains(&log, "cause=malformed");
    assert_lacks(&log, "panic");
    assert_lacks(&log, "1111111");
    assert_lacks(&log, "OR 1=1");
}

/// The attack: a name with line breaks adds a forged line to the log.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_log_quotes_names() {
    let host = Host::fresh();
    services(&host);
    sign_in(b"x accepted cause=code user=\"root\"", b"123456");
    let log = host.journal.rest();
    assert_lacks(&log, "user=\"root\"");
}

/// The fault: an option is mistyped in a service file. Access is denied, and the log names the
/// option.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_unknown_option_denies_and_is_named() {
    let host = Host::fresh();
    host.person("alice");
    for word in [
        "nulok",
        "tries=0",
        "unenrolled=perhaps",
        "config=relative.toml",
    ] {
        host.pam(
            "codes",
            &format!("auth required pam_totp.so {word}\naccount required pam_permit.so\n"),
        );
        let (entered, output) = sign_in(b"alice", b"123456");
        assert!(!entered, "{output}");
        let fields = "address=- service=codes user=\"alice\"";
        let why = format!("unknown option or value \"{word}\"");
        host.journal
            .says(&format!("refused cause=misconfigured {fields}: {why}"));
    }
    host.pam(
        "codes",
        "auth required pam_totp.so config=/nowhere.toml\naccount required pam_permit.so\n",
    );
    assert!(!sign_in(b"alice", b"123456").0);
    host.journal.says("/nowhere.toml");
}
