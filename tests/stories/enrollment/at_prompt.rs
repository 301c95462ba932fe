//! `unenrolled=enroll`: a user without a second factor enrolls during an ordinary ssh sign-in.

use testhost::{Host, Person, Phone, Postern, Store, Terminal, assert_lacks, scanned};

const ENROLL: &str =
    "[totp]\nissuer = \"server-01\"\n[pam.service.sshd]\nunenrolled = \"enroll\"\n";
const SAVED: &str = "Type saved when you have them: ";

/// Signs in with the password up to the QR code. Returns the authenticator that the phone scans.
#[track_caller]
fn up_to_the_qr(person: &Person) -> (Terminal, Phone) {
    let mut terminal = person.with_password().connects();
    terminal.expect("Password: ").types(&person.password);
    let phone = scans(&mut terminal);
    (terminal, phone)
}

/// Scans the QR code. It fits a terminal of 80 × 24 with the prompt below it, and equals the URI
/// above it.
#[track_caller]
fn scans(terminal: &mut Terminal) -> Phone {
    let screen = terminal
        .expect("Set up your second factor now")
        .expect("Verification code: ")
        .screen();
    let rows: Vec<&str> = screen.lines().collect();
    let is_drawn = |row: &&str| row.contains(['█', '▀', '▄']);
    let first = rows
        .iter()
        .position(is_drawn)
        .unwrap_or_else(|| panic!("no QR: {screen}"));
    assert!(
        rows.len() - first <= 24,
        "the prompt scrolls the QR away: {screen}"
    );
    assert!(
        rows[first..].iter().all(|row| row.chars().count() <= 80),
        "{screen}"
    );
    let url = rows[first - 1].trim();
    assert_eq!(scanned(&screen), url);
    assert!(
        url.starts_with("otpauth://totp/server-01:alice?secret="),
        "{url}"
    );
    Phone::scans(url)
}

/// Number of accounts and authenticators in the store.
fn kept() -> i64 {
    Store::open()
        .number("SELECT (SELECT count(*) FROM account) + (SELECT count(*) FROM authenticator)")
}

fn recovery_codes(terminal: &Terminal) -> Vec<String> {
    let screen = terminal.screen();
    let shown = screen
        .split("Save these recovery codes")
        .nth(1)
        .unwrap_or_default()
        .lines();
    shown
        .filter_map(|line| line.strip_prefix("    "))
        .map(|code| code.trim().to_owned())
        .collect()
}

/// E12, L5, E6, E7: the enrollment is complete with the first sign-in, and its code is consumed.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn the_first_ssh_login_shows_a_qr_and_the_recovery_codes_and_lets_in() {
    let host = Host::fresh();
    let alice = host.person("alice");
    host.configure(ENROLL);

    let (mut terminal, phone) = up_to_the_qr(&alice);
    terminal
        .types(&phone.wrong())
        .expect("That code is wrong")
        .expect("Verification code: ");
    let code = phone.code();
    terminal.types(&code).expect(SAVED);
    let recovery = recovery_codes(&terminal);
    assert_eq!(recovery.len(), 6, "{}", terminal.screen());
    assert_eq!(kept(), 0, "nothing is kept before it is saved");
    terminal
        .types("")
        .expect(SAVED)
        .types("saved")
        .expect("entered as alice");
    assert!(terminal.ends().entered());
    host.journal.says(
        "pam_totp(sshd:auth): accepted cause=enrolled address=127.0.0.1 service=sshd user=\"alice\"",
    );
    let event = Postern::json("log alice --event enrolled --json");
    assert_eq!(
        (&event["service"], &event["principal"]),
        (&"sshd".into(), &"alice".into()),
        "{event}"
    );
    assert_eq!(event["origin"], "127.0.0.1", "{event}");

    // ssh and the web accept the authenticator, and its secret is not shown again.
    alice
        .with_key()
        .is_refused(&code, "That code was used already");
    let screen = alice.with_key().enters_with(&phone.code_in(1));
    assert_lacks(&screen, "otpauth");
    alice.with_password().enters_with(&recovery[0]);
    let log = host.journal.rest();
    assert_lacks(&log, phone.secret());
    assert_lacks(&log, &recovery[1]);
}

/// E4, promise 7: an enrollment that is cancelled, or whose connection is lost, changes nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_setup_that_is_cut_off_leaves_nothing() {
    let mut host = Host::fresh();
    let alice = host.person("alice");
    host.configure(ENROLL);

    let (terminal, first) = up_to_the_qr(&alice);
    assert!(!terminal.is_interrupted().entered());
    assert_eq!(kept(), 0);
    let (mut terminal, second) = up_to_the_qr(&alice);
    assert_ne!(first.secret(), second.secret(), "another secret each time");
    terminal.types(&second.code()).expect(SAVED);
    host.restart_sshd();
    drop(terminal);
    assert_eq!(kept(), 0);
    let (mut terminal, third) = up_to_the_qr(&alice);
    for wrong in third.wrong_codes(3) {
        terminal.types(&wrong).expect("That code is wrong");
    }
    assert!(!terminal.ends().entered());
    assert_eq!(kept(), 0);
    // A key is a completed first factor as well, so enrollment is offered.
    let mut terminal = alice.with_key().connects();
    let phone = scans(&mut terminal);
    terminal
        .types(&phone.code())
        .expect(SAVED)
        .types("saved")
        .expect("entered as alice");
}

/// A user who has confirmed the recovery codes is enrolled, even if libpam never reaches Postern's
/// `account` line.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_setup_that_was_finished_is_active_though_no_account_line_is_reached() {
    let host = Host::fresh();
    let alice = host.person("alice");
    host.configure(ENROLL);
    let sample = std::fs::read_to_string("/etc/pam.d/sshd").expect("the sample");
    let guard = "account    required      pam_totp.so";
    host.pam(
        "sshd",
        &sample.replace(guard, &format!("account sufficient pam_permit.so\n{guard}")),
    );

    let (mut terminal, phone) = up_to_the_qr(&alice);
    let code = phone.code();
    terminal
        .types(&code)
        .expect(SAVED)
        .types("saved")
        .expect("entered as alice");
    alice
        .with_key()
        .is_refused(&code, "That code was used already");
}

/// L13: with `self_enroll`, the prompt asks for the administrator's one-time code first. Without
/// that code, no secret is shown.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn where_an_administrator_must_allow_it_a_one_time_code_comes_first() {
    let host = Host::fresh();
    let alice = host.person("alice");
    host.configure(&format!(
        "{ENROLL}[policy]\nself_enroll = \"one-time-code\"\n"
    ));
    Postern::call("account add alice").does();
    let code = Postern::one_time_code("alice");

    let mut terminal = alice.with_password().connects();
    terminal.expect("Password: ").types(&alice.password);
    terminal
        .expect("a one-time code from the administrator")
        .expect("One-time code (P-...): ");
    assert_lacks(terminal.screen(), "otpauth");
    terminal
        .types("P-2345-6789-ABCD")
        .expect("wrong")
        .expect("One-time code (P-...): ")
        .types(&code);
    let phone = scans(&mut terminal);
    terminal
        .types(&phone.code())
        .expect(SAVED)
        .types("saved")
        .expect("entered as alice");
    // The enrollment has consumed the one-time code.
    alice.with_key().is_refused(&code, "used already");
}
