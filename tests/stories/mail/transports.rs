//! How mail leaves the host: by TLS, by a webhook, by a program; and their faults.

use super::codes::{PLAIN, asks, confirmed, passes_the_password, web, with_app_and_mail};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};
use testhost::{
    Host, MAIL_CA, MAIL_PASSWORD, Mail, MailProgram, MailServer, Postern, Store, Webhook,
    assert_contains, assert_lacks, assert_within, give_to_daemons, hanging_server, reconfigure,
    set_mode,
};

pub(crate) fn by_tls(url: &str) -> String {
    format!(
        "[email]\nsmtp_url = \"{url}\"\nsmtp_user = \"postern\"\nsmtp_password_file = \"{MAIL_PASSWORD}\"\n\
         smtp_ca_file = \"{MAIL_CA}\"\nfrom = \"postern@example.test\"\ntimeout = \"5s\"\n"
    )
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn mail_goes_by_tls_by_a_webhook_and_by_a_program() {
    let host = Host::fresh();
    let server = MailServer::start();
    let tls = by_tls("smtps://mail.example.test:2465");
    let (mut web, alice) = web(&host, &tls);
    assert_eq!(confirmed(&host, &server).header("Way"), "tls");

    let hook = Webhook::start(8025, "204 No Content");
    let secret = "/etc/postern/webhook.secret";
    fs::copy(MAIL_PASSWORD, secret).expect("/etc can be written");
    give_to_daemons(secret, 0o640);
    let by_hook = format!(
        "[email]\nwebhook_url = \"http://127.0.0.1:8025/mail?to=all\"\nwebhook_secret_file = \"{secret}\"\n\
         sign_in_notifications = \"off\"\n"
    );
    reconfigure(&tls, &by_hook);
    web.gate.restart();
    let client = passes_the_password(&web, &alice);
    assert_eq!(asks(&web, &client).status, 200);
    let (head, body) = hook.got();
    assert!(head.starts_with("POST /mail?to=all HTTP/1.1\r\n"), "{head}");
    assert_contains(&head, "authorization: Bearer the password of the gate\r\n");
    let letter: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(letter["account"], "alice");
    assert_eq!(letter["to"], "alice@example.test");
    let code = letter["code"].as_str().expect("a code");
    assert_lacks(letter["subject"].as_str().expect("a subject"), code);
    assert_eq!(client.code(&web, code).status, 303);

    let (program, out) = ("/usr/local/bin/take-mail", "/var/tmp/mail-taken");
    fs::write(
        program,
        format!("#!/bin/sh\ncat > {out}.new && mv {out}.new \"{out}-$1\"\n"),
    )
    .expect("/usr");
    set_mode(program, 0o755);
    let by_program = format!(
        "[email]\ncommand = [\"{program}\", \"a b; c\"]\nfrom = \"postern@example.test\"\n\
         sign_in_notifications = \"off\"\n"
    );
    let _program = MailProgram::listens();
    reconfigure(&by_hook, &by_program);
    web.gate.restart();
    host.clock.forward(60);
    let client = passes_the_password(&web, &alice);
    assert_eq!(asks(&web, &client).status, 200);
    let taken = Mail {
        text: fs::read_to_string(format!("{out}-a b; c")).expect("the program took it"),
    };
    assert_eq!(taken.header("To"), "alice@example.test");
    assert_eq!(client.code(&web, &taken.code()).status, 303);
}

/// The fault: the mail server refuses, fails or hangs. The error appears within the time limit, the
/// code is invalid, and other methods still work.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_transport_that_fails_or_hangs_is_a_clear_error_in_time() {
    let mut host = Host::fresh();
    let server = MailServer::start();
    let (mut web, alice) = web(&host, PLAIN);
    let (phone, _) = with_app_and_mail(&host, &web, &server, &alice);
    let _program = MailProgram::listens();
    let _silent = hanging_server(2526);
    let _hook = Webhook::start(8026, "500 Internal Server Error");
    let from = "from = \"postern@example.test\"\ntimeout = \"2s\"\n";
    let tls = by_tls("smtp://mail.example.test:2587");
    let no_ca = tls.replace(&format!("smtp_ca_file = \"{MAIL_CA}\"\n"), "");
    let ways = [
        (
            format!("[email]\nsmtp_url = \"smtp://127.0.0.1:2526\"\n{from}"),
            "no answer within 2 s",
        ),
        (
            format!("[email]\nsmtp_url = \"smtp://127.0.0.1:2\"\n{from}"),
            "refused",
        ),
        (no_ca, "certificate"),
        (tls.replace("user = \"postern\"", "user = \"other\""), "535"),
        (
            "[email]\nwebhook_url = \"http://127.0.0.1:8026/\"\n".to_owned(),
            "answered 500",
        ),
        (
            "[email]\nwebhook_url = \"http://127.0.0.1:2526/\"\ntimeout = \"2s\"\n".to_owned(),
            "no answer within",
        ),
        (
            format!(
                "[email]\ncommand = [\"/bin/sh\", \"-c\", \"echo no luck >&2; exit 3\"]\n{from}"
            ),
            "no luck",
        ),
        (
            format!("[email]\ncommand = [\"/bin/sleep\", \"60\"]\n{from}"),
            "no answer within 2 s",
        ),
    ];
    let mut now = PLAIN.to_owned();
    for (way, why) in ways {
        reconfigure(&now, &way);
        now = way;
        web.gate.restart();
        host.clock.forward(60);
        let client = passes_the_password(&web, &alice);
        let began = Instant::now();
        let failed = asks(&web, &client);
        assert_eq!(failed.status, 503, "{why}: {failed:?}");
        assert_contains(&failed.body, "could not be mailed");
        host.posternd().says(why);
        let output = Postern::call("email set alice other@example.test").refuses();
        assert_contains(&output.err, "no mail was sent");
        assert_contains(&output.err, why);
        assert!(
            began.elapsed() < Duration::from_secs(12),
            "{why}: {:?}",
            began.elapsed()
        );
        assert_eq!(
            client.code(&web, &phone.code()).status,
            303,
            "{why}: the app's code opens"
        );
    }
    server.got_nothing();
    // The limit applies after mail was sent by every method.
    assert!(
        host.posternd().memory() <= 12 * 1024,
        "{} KiB",
        host.posternd().memory()
    );

    host.posternd_mut().crash();
    let began = Instant::now();
    let output = Postern::call("email set alice other@example.test").refuses();
    assert_contains(&output.err, "start posternd");
    assert_within(began, Duration::from_secs(5));
    reconfigure(&now, "");
    let output = Postern::call("email set alice other@example.test").refuses();
    assert_contains(&output.err, "[email]");
    assert_eq!(
        Store::open().number("SELECT count(*) FROM outbox"),
        1,
        "what waits goes out later"
    );
}

/// The attack: a mail server returns the code in its error text, which is logged without the code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_server_that_quotes_the_code_does_not_get_it_into_a_log() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (_web, _) = web(&host, PLAIN);
    for (address, why) in [("echo@example.test", "554"), ("nobody@example.test", "550")] {
        let output = Postern::call(&format!("email set alice {address}")).refuses();
        assert_contains(&output.err, why);
        let digits = |text: &str| {
            text.split(|c: char| !c.is_ascii_digit())
                .any(|run| run.len() == 6)
        };
        assert!(!digits(&output.err), "{}", output.err);
        let log = host.posternd().log();
        assert!(
            log.lines()
                .filter(|line| line.contains("not mailed"))
                .all(|line| !digits(line)),
            "{log}"
        );
    }
    server.got_nothing();
    let output = Postern::call("email set alice alice").run();
    assert_eq!(output.exit, Some(2), "{}", output.all());
}
