//! `grace=`: no code is required for a while after a code from the same address.

use super::*;

const PASSED: &str = "first_factor=passed grace=1h";

fn from(address: &str) -> Fake {
    Fake::at("sshd", "alice")
        .with_variable("SSH_CONNECTION", &format!("{address} 4711 192.0.2.1 22"))
}

/// Returns a store in which alice gave a code from 192.0.2.7.
fn entered(config: &str) -> Home {
    let home = Home::new(config);
    let host = from("192.0.2.7").who_types(&[&home.code(0)]);
    assert_eq!(home.auth(&host, PASSED), Passed);
    home
}

#[track_caller]
fn asked(home: &Home, host: &Fake, words: &str) {
    home.expect_auth(host, words, Denied(Conversation));
    assert_eq!(host.prompts.borrow().len(), 1);
}

#[track_caller]
fn exempted(home: &Home, host: &Fake, words: &str) {
    home.expect_auth(host, words, Passed);
    assert!(host.prompts.borrow().is_empty());
    let line = "not needed cause=grace-period address=192.0.2.7 service=sshd user=\"alice\"";
    host.assert_logged(line);
}

#[test]
fn within_the_grace_period_no_code_is_required_and_the_account_hook_passes() {
    let home = entered("");
    let host = from("192.0.2.7");
    exempted(&home, &host, PASSED);
    assert_eq!(home.account(&host, ""), Passed);
    exempted(
        &home,
        &from("192.0.2.7").with_variable("SSH_AUTH_INFO_0", KEY),
        "grace=1h",
    );
}

#[test]
fn at_another_address_and_without_the_option_a_code_is_required() {
    let home = entered("");
    asked(&home, &from("192.0.2.7"), AFTER_FIRST);
    asked(&home, &from("192.0.2.7"), "first_factor=passed grace=0");
    asked(&home, &from("192.0.2.8"), PASSED);
    asked(
        &home,
        &Fake::at("sshd", "alice").with(PamItem::RemoteHost, "client.example.org"),
        PASSED,
    );
    asked(&home, &Fake::at("sshd", "alice"), PASSED);
    asked(
        &home,
        &Fake::at("ftp", "alice").with(PamItem::RemoteHost, "192.0.2.7"),
        PASSED,
    );
}

#[test]
fn a_service_whose_remote_host_is_an_address_has_it_too() {
    let home = Home::new("[pam.service.ftp]\nrhost_is_address = true");
    let ftp = || Fake::at("ftp", "alice").with(PamItem::RemoteHost, "192.0.2.7");
    assert_eq!(
        home.auth(&ftp().who_types(&[&home.code(0)]), PASSED),
        Passed
    );
    assert_eq!(home.auth(&ftp(), PASSED), Passed);
}

/// The grace period must reveal nothing before the first factor.
#[test]
fn before_the_first_factor_it_has_no_effect() {
    let home = entered("");
    asked(&home, &from("192.0.2.7"), "grace=1h");
}

#[test]
fn the_account_hook_grants_no_grace_period_without_an_auth_hook() {
    let home = entered("[pam]\ngrace = \"1h\"");
    let host = from("192.0.2.7");
    assert_eq!(home.account(&host, "grace=1h"), Denied(NotAsked));
    exempted(&home, &host, AFTER_FIRST);
}

#[test]
fn a_revocation_ends_the_grace_period_and_an_unreadable_store_denies() {
    let home = entered("");
    let (alice, now) = ("alice".parse().unwrap(), clock::now().unwrap());
    home.engine()
        .sessions()
        .revoke_sessions(&alice, None, "root", now)
        .unwrap();
    asked(&home, &from("192.0.2.7"), PASSED);

    let home = entered("");
    fs::rename(home.path("postern.key"), home.path("aside")).unwrap();
    assert_eq!(home.auth(&from("192.0.2.7"), PASSED), Denied(Unavailable));
}
