//! Password and code in one field: a VPN with the unchanged sample, and a mail server with app
//! passwords.

use std::fs;
use std::process::Command;
use testhost::{Dovecot, Host, Postern, Store, assert_contains, on_the_clock};

const VPN: &str = include_str!("../../../config/pam.d/openvpn");
const MAIL: &str = include_str!("../../../config/pam.d/dovecot");

/// Signs in through the VPN's service. Returns whether access was granted, and the screen.
fn connects(person: &str, typed: &str) -> (bool, String) {
    let input = "/run/postern-tests/typed";
    fs::write(input, format!("{typed}\n")).expect("the tests' folder can be written");
    let mut tester = on_the_clock(Command::new("pamtester"));
    tester.args([
        "-I",
        "rhost=192.0.2.7",
        "openvpn",
        person,
        "authenticate",
        "acct_mgmt",
    ]);
    let text = tester
        .stdin(fs::File::open(input).expect("a file"))
        .output()
        .expect("pamtester runs");
    let screen = String::from_utf8_lossy(&[text.stdout, text.stderr].concat()).into_owned();
    (text.status.success(), screen)
}

#[track_caller]
fn enters(person: &str, typed: &str) {
    let (entered, screen) = connects(person, typed);
    assert!(entered, "{screen}");
    assert_contains(&screen, "Password and verification code: ");
}

#[track_caller]
fn refused(person: &str, typed: &str) -> String {
    let (entered, screen) = connects(person, typed);
    assert!(!entered, "{screen}");
    screen
}

#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_vpn_takes_password_and_code_in_one_field() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let (phone, recovery) = alice.enrols_with_recovery_codes();
    host.pam("openvpn", VPN);
    let password = alice.password.as_str();

    enters("alice", &format!("{password}{}", phone.code()));
    host.journal
        .says("pam_totp(openvpn:auth): accepted cause=code address=192.0.2.7 service=openvpn");
    refused("alice", &format!("{password}{}", phone.code()));
    host.journal
        .says("refused cause=used address=192.0.2.7 service=openvpn user=\"alice\"");
    host.clock.forward(30);
    enters("alice", &format!("{password} {}", phone.code()));
    enters("alice", &format!("{password} {}", recovery[0]));
    host.clock.forward(30);
    // The text is the same for a password without a code, a code without a password, and a wrong
    // password with a valid code.
    let screens = [
        refused("alice", password),
        refused("alice", &phone.code()),
        refused("alice", &format!("not the password{}", phone.code())),
        refused("nobody", &format!("whatever{}", phone.code())),
    ];
    assert!(
        screens.iter().all(|screen| screen == &screens[0]),
        "{screens:?}"
    );
    enters("bob", &bob.password);
    refused("bob", &format!("{}000000", bob.password));
}

/// A2, A3: dovecot accepts an app password of its scope.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_mail_program_enters_with_its_app_password() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    host.pam("dovecot", MAIL);
    let dovecot = Dovecot::start();
    let add = |name: &str, scope: &str| {
        let made = Postern::json(&format!(
            "app-password add alice {name} --scope {scope} --json"
        ));
        made["app_password"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned()
    };
    let (mail, other) = (add("mail", "pam:dovecot"), add("other", "pam:vsftpd"));

    for _ in 0..2 {
        dovecot.opens(&alice, &mail);
    }
    host.journal.says("pam_totp(dovecot:auth): accepted cause=app-password address=127.0.0.1 service=dovecot user=\"alice\"");
    dovecot.refuses(&alice, &other);
    host.journal
        .says("refused cause=scope address=127.0.0.1 service=dovecot user=\"alice\"");
    dovecot.refuses(&bob, &mail);
    dovecot.refuses(&alice, &alice.password);
    dovecot.refuses(&alice, &phone.code());
    assert_eq!(
        Store::open().number("SELECT count(*) FROM failure WHERE owner > 0"),
        0,
        "{}
{}",
        Store::open().dump(),
        host.journal.rest()
    );
    host.clock.forward(30);
    dovecot.opens(&alice, &format!("{}{}", alice.password, phone.code()));
    dovecot.opens(&bob, &bob.password);
    // sshd refuses the app password, and after its revocation the mail server refuses it too.
    alice
        .with_key()
        .is_refused(&mail, "That app password is not for this service");
    Postern::call("app-password revoke alice mail").does();
    dovecot.refuses(&alice, &mail);
}
