//! Mailed codes at the prompt of ssh: the input `m` requests one, and posternd sends it.

use crate::mail::codes::{PLAIN, confirmed};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testhost::{Host, MailServer, Postern, Terminal, Webhook, assert_lacks};

const OFFER: &str = "Type m for a code by mail.";

#[test]
#[ignore = "needs the test host: tests/run"]
fn m_asks_for_a_code_by_mail() {
    let mut host = Host::with_posternd("it sends all mail");
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let (phone, bobs) = (alice.enrols(), bob.enrols());
    let server = MailServer::start();
    host.configure(PLAIN);
    confirmed(&host, &server);

    let mut terminal = alice.with_key().connects();
    terminal
        .expect(OFFER)
        .expect("Verification code: ")
        .types("m");
    terminal
        .expect("A code is on its way to a•••@example.test")
        .expect("Verification code: ");
    let mail = server.got();
    terminal
        .types("M")
        .expect("A code was mailed just now; wait 60 s")
        .expect("Verification code: ");
    terminal.types(&mail.code());
    assert!(terminal.ends().entered());
    host.journal
        .says("not mailed cause=cooldown-60s address=127.0.0.1 service=sshd user=\"alice\"");
    host.journal
        .says("accepted cause=mailed-code address=127.0.0.1 service=sshd user=\"alice\"");
    alice
        .with_key()
        .is_refused(&mail.code(), "That code was used already");

    // The app's code is accepted too. A person without an address gets no offer, and `m` is not a
    // code there.
    host.clock.forward(60);
    alice.with_password().enters_with(&phone.code());
    let mut terminal: Terminal = bob.with_key().connects();
    let screen = terminal.expect("Verification code: ").screen();
    assert_lacks(&screen, "by mail");
    terminal
        .types("m")
        .expect("That is not a code")
        .expect("Verification code: ")
        .types(&bobs.code());
    assert!(terminal.ends().entered());

    drop(server);
    let mut terminal = alice.with_key().connects();
    terminal
        .expect(OFFER)
        .types("m")
        .expect("The code could not be mailed")
        .expect("Verification code: ");
    host.clock.forward(30);
    terminal.types(&phone.code());
    assert!(terminal.ends().entered());
    host.journal
        .says("not mailed cause=not-mailed address=127.0.0.1 service=sshd user=\"alice\": no mail was sent");
    // Without posternd the fallback decides, and the mail waits.
    host.posternd = None;
    let mut terminal = alice.with_key().connects();
    terminal
        .expect(OFFER)
        .types("m")
        .expect("No mail is sent at the moment")
        .expect("Verification code: ");
    host.journal
        .says("the mail waits: posternd, which sends all mail");
    let log = Postern::call("log alice --event code-requested --json")
        .does()
        .out;
    assert_eq!(log.lines().count(), 3, "{log}");
}

/// The prompt of a screen locker makes the same offer.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_host_that_is_not_root_has_a_code_mailed_too() {
    let host =
        Host::with_posternd("it sends all mail, and decides where the PAM host is not root's");
    let alice = host.person("alice");
    alice.enrols();
    let server = MailServer::start();
    host.configure(PLAIN);
    confirmed(&host, &server);
    let codes = "auth required pam_totp.so first_factor=passed\naccount required pam_totp.so\n";
    host.pam("locker", codes);

    let mut locker =
        Terminal::run(alice.on_this_host("pamtester locker alice authenticate acct_mgmt"));
    locker
        .expect(OFFER)
        .expect("Verification code: ")
        .types("m");
    locker
        .expect("A code is on its way to a•••@example.test")
        .expect("Verification code: ");
    let mail = server.got();
    locker
        .types("m")
        .expect("A code was mailed just now")
        .expect("Verification code: ");
    locker
        .types(&mail.code())
        .expect("successfully authenticated");
    assert!(locker.ends().status.success());
    host.posternd()
        .says("accepted cause=mailed-code address=- service=locker user=\"alice\"");
}

/// The module waits up to 10 s for the next message of posternd, and up to 30 s in all. `timeout`
/// may be longer.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_code_that_takes_long_to_send_keeps_no_user_from_the_prompt() {
    static IS_SLOW: AtomicBool = AtomicBool::new(false);
    let host = Host::with_posternd("it sends all mail");
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    bob.enrols();
    let hook = Webhook::start_slow(8027, "204 No Content", |body| {
        let slow = if body.contains("\"bob\"") {
            Duration::from_secs(60)
        } else {
            Duration::from_secs(15)
        };
        if IS_SLOW.load(Ordering::SeqCst) {
            slow
        } else {
            Duration::ZERO
        }
    });
    host.configure("[email]\nwebhook_url = \"http://127.0.0.1:8027/\"\ntimeout = \"1m\"\n");
    // Messages without a code are notifications.
    let mailed = || loop {
        let mail: Value = serde_json::from_str(&hook.got().1).expect("JSON");
        if let (Some(account), Some(code)) = (mail["account"].as_str(), mail["code"].as_str()) {
            return (account.to_owned(), code.to_owned());
        }
    };
    for name in ["alice", "bob"] {
        Postern::call(&format!("email set {name} {name}@example.test")).does();
        Postern::call(&format!("email confirm {name}"))
            .input(&format!("{}\n", mailed().1))
            .does();
    }
    host.clock.forward(60);
    IS_SLOW.store(true, Ordering::SeqCst);

    let began = Instant::now();
    let mut terminals = [&alice, &bob].map(|person| {
        let mut terminal = person.with_key().connects();
        terminal
            .expect(OFFER)
            .expect("Verification code: ")
            .types("m");
        let (account, code) = mailed();
        assert_eq!(account, person.name);
        (terminal, code)
    });
    for ((terminal, code), output) in terminals
        .iter_mut()
        .zip(["A code is on its way to a", "The code is still being sent"])
    {
        terminal
            .expect(output)
            .expect("Verification code: ")
            .types(code);
    }
    assert!(
        began.elapsed() > Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    for (terminal, _) in terminals {
        assert!(terminal.ends().entered());
    }
    host.journal.says("not mailed cause=not-mailed address=127.0.0.1 service=sshd user=\"bob\": the mail is still being sent");
    host.journal
        .says("accepted cause=mailed-code address=127.0.0.1 service=sshd user=\"bob\"");
}
