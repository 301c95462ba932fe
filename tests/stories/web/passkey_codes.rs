//! A code for ssh and sudo that a passkey makes on the account page, in a real browser with its virtual
//! authenticator.

use super::passkeys::adds_passkey;
use testhost::{Chromium, Host, Postern, Terminal, assert_contains, assert_lacks, keep_picture};

/// The link to the page that makes a code.
const LINK: &str = "a[href$='passkeys/code']";
/// The button that asks for the passkey.
const MAKE: &str = "form[data-get] button";

/// K1: the code opens ssh, and the next one sudo, each once; at the web it opens nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_passkey_makes_a_code_that_ssh_and_sudo_accept_once() {
    let (host, web) = Host::with_web();
    host.sample("sudo");
    host.sudoers("alice ALL=(ALL) ALL");
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    let authenticator = browser.with_authenticator();
    super::passkeys::signs_in(&web, &browser, &alice, &phone);
    // Without a passkey no code is offered.
    let links = format!("return document.querySelectorAll(\"{LINK}\").length");
    browser.opens(&web.pages).arrives_at("Your account");
    assert_eq!(browser.runs(&links), 0);
    browser
        .opens(&format!("{}passkeys", web.pages))
        .arrives_at("Passkeys");
    host.clock.forward(30);
    adds_passkey(&browser, &alice, &phone, "laptop");

    let makes = |heading: &str| {
        browser.opens(&web.pages).arrives_at("Your account");
        browser
            .clicks_to(LINK, heading)
            .clicks_to(MAKE, "Your code");
        browser.reads(".codes code")
    };
    let title = "Code for a terminal";
    browser.opens(&web.pages).arrives_at("Your account");
    keep_picture("account-with-passkey", &browser.picture());
    browser.clicks_to(LINK, title);
    keep_picture("passkey-code", &browser.picture());
    let code = makes(title);
    assert!(code.starts_with("P-") && code.len() == 16, "{code}");
    keep_picture("issued-passkey-code", &browser.picture());

    alice.with_key().enters_with(&code);
    alice.with_key().is_refused(&code, "used already");
    assert_contains(Postern::call("log alice").does().out, "passkey-code");

    let code = makes(title);
    let mut terminal = Terminal::run(alice.on_this_host("sudo -k id -un"));
    terminal
        .expect("password for alice: ")
        .types(&alice.password);
    terminal
        .expect("Verification code: ")
        .types(&code)
        .expect("root");

    // A device that does not recognize its user makes none, though a step-up was given just now.
    authenticator.recognizes_user(false);
    browser.opens(&web.pages).arrives_at("Your account");
    browser.clicks_to(LINK, title);
    browser.runs(&format!("document.querySelector(\"{MAKE}\").click()"));
    let waits = "const done = arguments[0]; const end = Date.now() + 20000; const look = () => \
                 document.querySelector('[data-failed]:not([hidden])') || Date.now() > end \
                 ? done(document.querySelectorAll('.codes code').length) : setTimeout(look, 50); look();";
    assert_eq!(browser.runs_and_waits(waits), 0);
    authenticator.recognizes_user(true);

    // Removed: the code that waits goes with it.
    let code = makes(title);
    Postern::call("session revoke alice --all").does();
    alice.with_key().is_refused(&code, "wrong");

    // The command shows the passkey and removes it. What it made ends with it.
    let list = "authenticator list alice";
    assert_contains(Postern::call(list).does().out, "passkey");
    Postern::call("authenticator rename alice laptop old").does();
    let listed = Postern::call(&format!("{list} --json")).run().json();
    assert_eq!(listed[1]["kind"], "passkey");
    assert_eq!(listed[1]["name"], "old");
    Postern::call("authenticator remove alice old").does();
    assert_lacks(Postern::call(list).does().out, "passkey");
    assert_contains(Postern::call("log alice").does().out, "passkey-removed");
    Postern::call("authenticator remove alice old").refuses();
    assert_lacks(web.gate.log(), "panicked");
}
