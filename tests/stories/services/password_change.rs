//! A password change through PAM ends the sessions and the trust that were granted with the old
//! password (T5).

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use testhost::{
    APP, Host, Person, Phone, Postern, Posternd, STORE, Terminal, Web, WebClient, as_user,
    assert_contains, assert_lacks, wait_for_output,
};

const PASSWD: &str = include_str!("../../../config/pam.d/passwd");
const NEW: &str = "quite 1 other phrase";

/// A gate where alice is signed in at a trusted browser.
struct Scene {
    web: Web,
    alice: Person,
    phone: Phone,
    client: WebClient,
    codes: i64,
}

impl Scene {
    #[track_caller]
    fn begin(host: &Host) -> Scene {
        // A set-user-ID program sees only the machine's clock.
        host.clock.set(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("a clock after 1970")
                .as_secs(),
        );
        host.pam("passwd", PASSWD);
        host.pam("chpasswd", PASSWD);
        let web = Web::nginx(host, "");
        let (alice, phone) = host.web_user("alice");
        let mut scene = Scene {
            web,
            alice,
            phone,
            client: WebClient::new(),
            codes: -1,
        };
        scene.signs_in();
        scene
    }

    #[track_caller]
    fn signs_in(&mut self) {
        let code = self.phone.code_in(self.codes);
        self.codes += 1;
        self.client
            .signs_in_and_trusts(&self.web, &self.alice, &code);
        assert!(self.is_open());
    }

    /// Returns whether the session is valid and the browser is trusted.
    #[track_caller]
    fn is_open(&self) -> bool {
        let session = self.client.loads(&format!("{APP}/")).status == 200;
        let browsers = Postern::json("browser list alice --json");
        let trusts = browsers
            .as_array()
            .is_some_and(|browsers| !browsers.is_empty());
        assert_eq!(session, trusts, "session and trusted browser end together");
        session
    }

    /// Restores the password, which other stories use.
    #[track_caller]
    fn gives_the_password_back(&self) {
        chpasswd(&["-c", "SHA512", "-s", "1000"], &self.alice.password);
    }
}

#[track_caller]
fn chpasswd(options: &[&str], password: &str) -> Output {
    let mut chpasswd = Command::new("chpasswd");
    chpasswd
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut chpasswd = chpasswd.spawn().expect("chpasswd runs");
    writeln!(chpasswd.stdin.take().expect("a pipe"), "alice:{password}").expect("chpasswd reads");
    let output = wait_for_output(chpasswd);
    assert!(output.status.success(), "{output:?}");
    output
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_new_password_ends_browser_and_session_before_passwd_has_answered() {
    let host = Host::fresh();
    let scene = Scene::begin(&host);
    let passwd = |current: &str| {
        let mut terminal = Terminal::run(scene.alice.on_this_host("passwd"));
        terminal.expect("Current password: ").types(current);
        terminal
    };

    let failed = passwd("not the password").ends();
    assert!(!failed.status.success(), "{}", failed.transcript);
    let mut terminal = passwd(&scene.alice.password);
    terminal
        .expect("New password: ")
        .types(NEW)
        .expect("Retype new password: ")
        .types("something else");
    terminal.expect("do not match");
    let failed = terminal.is_interrupted();
    assert!(!failed.status.success(), "{}", failed.transcript);
    assert_lacks(host.journal.rest(), "ended");
    assert!(scene.is_open(), "a failed change ends nothing");

    let mut terminal = passwd(&scene.alice.password);
    terminal
        .expect("New password: ")
        .types(NEW)
        .expect("Retype new password: ")
        .types(NEW);
    terminal.expect("password updated successfully");
    assert_eq!(scene.client.loads(&format!("{APP}/")).status, 302);
    assert!(!scene.is_open());
    assert!(terminal.ends().status.success());
    host.journal
        .says("pam_totp(passwd:chauthtok): revoked cause=host-password address=- service=passwd");
    let event = Postern::json("log alice --event host-password-changed --json");
    for (name, value) in [
        ("principal", "alice"),
        ("service", "passwd"),
        ("origin", "local user alice"),
    ] {
        assert_eq!(event[name], value, "{event}");
    }
    scene.gives_the_password_back();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_password_that_root_sets_ends_them_too() {
    let host = Host::fresh();
    let mut scene = Scene::begin(&host);
    let mut passwd = Command::new("passwd");
    passwd.arg("alice");
    let mut terminal = Terminal::run(passwd);
    terminal
        .expect("New password: ")
        .types(NEW)
        .expect("Retype new password: ")
        .types(NEW);
    terminal.expect("password updated successfully");
    assert!(!scene.is_open());
    assert!(terminal.ends().status.success());
    let event = Postern::json("log alice --event host-password-changed --json");
    assert_eq!(event["principal"], "root", "{event}");

    scene.signs_in();
    chpasswd(&[], "yet 2 another phrase");
    assert!(!scene.is_open());
    host.journal
        .says("pam_totp(chpasswd:chauthtok): revoked cause=host-password");
    scene.gives_the_password_back();
}

/// The module's return value in the password stack neither fails a change nor makes one succeed.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn the_line_makes_no_change_fail_and_none_succeed() {
    let host = Host::fresh();
    let alice = host.person("alice");
    alice.enrols();
    let changes = |service: &str| {
        let mut tester = Command::new("pamtester");
        let output = tester
            .args([service, "alice", "chauthtok"])
            .stdin(Stdio::null())
            .output();
        output.expect("pamtester runs").status.success()
    };
    let ours = "password optional pam_totp.so\n";
    host.pam("hollow", ours);
    assert!(!changes("hollow"));
    host.pam(
        "failing",
        &format!("password sufficient pam_deny.so\n{ours}"),
    );
    assert!(!changes("failing"));
    host.pam(
        "working",
        &format!("password required pam_permit.so\n{ours}"),
    );
    assert!(changes("working"));

    host.journal.forget();
    host.pam(
        "mistyped",
        &format!(
            "password required pam_permit.so\n{}",
            ours.replace(".so", ".so nulok")
        ),
    );
    assert!(changes("mistyped"));
    host.journal
        .says("pam_totp(mistyped:chauthtok): refused cause=misconfigured");
    host.journal
        .says("pam_totp(mistyped:chauthtok): not revoked cause=misconfigured");
    fs::rename(STORE, format!("{STORE}.aside")).expect("root may do it");
    assert!(changes("working"));
    let line = host
        .journal
        .says("pam_totp(working:chauthtok): not revoked cause=unavailable");
    assert_contains(&line, "postern session revoke USER --all");
}

/// Over pam.sock, a password change counts only from a service that the configuration names. Any
/// process of a user could otherwise report one.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_host_without_root_ends_what_a_person_has_open_only_if_it_is_named() {
    let host = Host::without_posternd();
    let alice = host.person("alice");
    host.person("bob");
    alice.enrols();
    host.configure("# for users\n");
    let posternd = Posternd::start();
    host.pam(
        "kerberos",
        "password required pam_permit.so\npassword optional pam_totp.so\n",
    );
    let changes = |user: &str| {
        let mut tester = as_user(user, user);
        let output = tester
            .args(["pamtester", "kerberos", "alice", "chauthtok"])
            .output();
        output.expect("pamtester runs").status.success()
    };
    assert!(changes("bob"));
    let line = posternd.says("pam_totp(kerberos:chauthtok): not revoked cause=unavailable");
    assert_contains(&line, "may ask only about the account bob");
    let events = || {
        Postern::call("log alice --event host-password-changed --json")
            .does()
            .out
    };
    assert!(changes("alice"));
    posternd.says("pam_totp(kerberos:chauthtok): not revoked cause=unavailable");
    assert_eq!(events(), "");
    drop(posternd);
    host.configure("[pam]\nsocket_users = [\"bob\"]\n");
    let posternd = Posternd::start();
    assert!(changes("bob"));
    posternd.says(
        "pam_totp(kerberos:chauthtok): revoked cause=host-password address=- service=kerberos",
    );
    assert_eq!(events().lines().count(), 1);
}
