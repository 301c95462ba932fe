//! Mailed codes: by a real mail server on loopback, by a webhook, and by a program, and the faults
//! of each.

use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};
use testhost::{
    APP, Host, MAIL_CA, MAIL_PASSWORD, Mail, MailProgram, MailServer, Person, Phone, Postern,
    Reply, Store, Visitor, Web, Webhook, assert_contains, assert_lacks, assert_within,
    give_to_daemons, hanging_server, reconfigure, set_mode,
};

pub(crate) const PLAIN: &str =
    "[email]\nsmtp_url = \"smtp://127.0.0.1:2525\"\nfrom = \"postern@example.test\"\n";

fn by_tls(url: &str) -> String {
    format!(
        "[email]\nsmtp_url = \"{url}\"\nsmtp_user = \"postern\"\nsmtp_password_file = \"{MAIL_PASSWORD}\"\n\
         smtp_ca_file = \"{MAIL_CA}\"\nfrom = \"postern@example.test\"\ntimeout = \"5s\"\n"
    )
}

/// Starts the web, and makes alice with a password.
pub(crate) fn web(host: &Host, email: &str) -> (Web, Person) {
    let web = Web::nginx(host, email);
    let alice = host.person("alice");
    alice.has_a_password();
    (web, alice)
}

/// Sets and confirms alice's address, and waits until the cooldown has ended.
pub(crate) fn confirmed(host: &Host, server: &MailServer) -> Mail {
    let said = Postern::call("email set alice alice@example.test").does();
    assert_contains(&said.out, "a code was mailed to alice@example.test");
    let mail = server.got();
    assert_eq!(mail.header("Rcpt"), "alice@example.test");
    Postern::call("email confirm alice")
        .types(&mail.code())
        .does();
    assert_contains(
        &server.told().text,
        "an address that was confirmed just now",
    );
    host.clock.forward(60);
    mail
}

pub(crate) fn passes_the_password(web: &Web, alice: &Person) -> Visitor {
    let visitor = Visitor::new();
    assert_eq!(visitor.password(web, alice).status, 303);
    visitor
}

pub(crate) fn asks(web: &Web, visitor: &Visitor) -> Reply {
    visitor.sends(&web.page("mail"), &[])
}

fn with_app_and_mail(
    host: &Host,
    web: &Web,
    server: &MailServer,
    alice: &Person,
) -> (Phone, Visitor) {
    let phone = alice.enrols();
    confirmed(host, server);
    (phone, passes_the_password(web, alice))
}

/// The mail is sent over STARTTLS, with a name and a password. Both the app's code and the mailed
/// code are accepted; a second mail makes the first code invalid.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_mailed_code_opens_beside_the_apps_and_a_second_mail_kills_it() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, &by_tls("smtp://mail.example.test:2587"));
    let phone = alice.enrols();
    let first = confirmed(&host, &server);
    assert_eq!(
        (first.header("Way"), first.header("From")),
        ("starttls", "postern@example.test")
    );
    assert_eq!(first.header("Auto-Submitted"), "auto-generated");
    let status = Postern::json("status alice --json");
    assert_eq!(status["email"], "alice@example.test");

    let visitor = passes_the_password(&web, &alice);
    let page = visitor.loads(&web.page("code"));
    assert_contains(&page.body, "Mail a code to a•••@example.test");
    assert_lacks(&page.body, "alice@example.test");
    server.got_nothing();
    let sent = asks(&web, &visitor);
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_contains(&sent.body, "on its way to a•••@example.test");
    let mail = server.got();
    assert!(
        mail.header("Subject")
            .starts_with("Your verification code for "),
        "{mail:?}"
    );

    host.clock.forward(20);
    let again = asks(&web, &visitor);
    assert_eq!(
        (again.status, again.header("retry-after")),
        (429, "40"),
        "{again:?}"
    );
    assert_contains(&again.body, "wait 40 s");
    server.got_nothing();
    host.clock.forward(40);
    assert_eq!(asks(&web, &visitor).status, 200);
    let newer = server.got();
    // Both codes are equal once in a million times.
    if newer.code() != mail.code() {
        assert_eq!(visitor.code(&web, &mail.code()).status, 401);
    }
    let entered = visitor.code(&web, &newer.code());
    assert_contains(&entered.body, "1 wrong code since");
    assert_eq!(visitor.loads(&format!("{APP}/")).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "alice");
    let other = passes_the_password(&web, &alice);
    let used = other.code(&web, &newer.code());
    assert!(
        used.status == 401 && used.body.contains("used already"),
        "{used:?}"
    );
    assert_eq!(
        other.code(&web, &phone.code()).status,
        303,
        "trap 13: either is accepted"
    );

    // The mailed code is accepted over ssh too.
    host.clock.forward(60);
    assert_eq!(asks(&web, &passes_the_password(&web, &alice)).status, 200);
    let third = server.got();
    alice.with_key().enters_with(&third.code());
    host.journal.says("accepted cause=mailed-code");

    let (log, events) = (
        web.gate.log() + &host.posternd().log(),
        Postern::call("log --json").does().out,
    );
    let (journal, kept) = (host.journal.rest(), Store::open().dump());
    for code in [first, mail, newer, third].map(|mail| mail.code()) {
        for text in [&log, &events, &journal] {
            assert!(!text.contains(&code), "{code} in {text}");
        }
        // The attack: the store is read. No column may be the code, or contain it as text.
        assert!(
            !kept.split(['|', '\n']).any(|column| column == code),
            "{code} in {kept}"
        );
    }
    assert_contains(&events, "\"code-requested\"");
    assert_contains(&events, "\"email-confirmed\"");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_mailed_code_is_good_for_899_seconds_and_expired_at_901() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, PLAIN);
    confirmed(&host, &server);
    for (after, status) in [(899, 303), (901, 401)] {
        assert_eq!(asks(&web, &passes_the_password(&web, &alice)).status, 200);
        let mail = server.got();
        assert_eq!(mail.header("Way"), "plain");
        host.clock.forward(after);
        let answer = passes_the_password(&web, &alice).code(&web, &mail.code());
        assert_eq!(answer.status, status, "{after}: {answer:?}");
        assert!(
            status == 303 || answer.body.contains("has expired"),
            "{answer:?}"
        );
    }
}

/// The account has no app; the address is removed at the end.
#[test]
#[ignore = "needs the test host: tests/run"]
fn mail_alone_is_a_second_factor_until_it_is_removed() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(
        &host,
        &(PLAIN.to_owned() + "[policy]\nrequired = [\"alice\"]\n"),
    );
    let refused = Visitor::new().password(&web, &alice);
    assert_eq!(refused.status, 403, "required, and nothing set up");
    let said = Postern::call("email set alice alice@example.test").does();
    assert_contains(&said.out, "postern email confirm alice");
    let code = server.got().code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    Postern::call("email confirm alice")
        .input(&format!("{wrong}\n"))
        .refuses();
    let said = Postern::call("email confirm alice")
        .input(&format!("{code}\n"))
        .does();
    assert_contains(&said.out, "postern recovery alice");
    host.clock.forward(60);

    let visitor = passes_the_password(&web, &alice);
    let page = visitor.loads(&web.page("code"));
    assert_contains(&page.body, "The code that was mailed to you");
    assert_eq!(asks(&web, &visitor).status, 200);
    assert_eq!(visitor.code(&web, &server.got().code()).status, 303);

    let said = Postern::call("email remove alice").does();
    assert_contains(&said.out, "[policy] requires one");
    assert_eq!(
        visitor.loads(&format!("{APP}/")).status,
        302,
        "the session is over"
    );
    assert_eq!(asks(&web, &visitor).status, 401);
    assert_eq!(Visitor::new().password(&web, &alice).status, 403);
    server.got_nothing();
}

/// The attack: a client without the password, or another site's page, has mail sent.
#[test]
#[ignore = "needs the test host: tests/run"]
fn nobody_sends_mail_without_the_password() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, PLAIN);
    let (_, visitor) = with_app_and_mail(&host, &web, &server, &alice);
    assert_eq!(asks(&web, &Visitor::new()).status, 401);
    let foreign = visitor.with("Origin: https://evil.example.test");
    assert_eq!(asks(&web, &foreign).status, 403);
    assert_eq!(visitor.loads(&web.page("mail")).status, 405);
    Postern::call("session revoke alice --all").run();
    alice.has_a_password();
    assert_eq!(
        asks(&web, &visitor).status,
        401,
        "a new password ended the sign-in"
    );
    server.got_nothing();
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
        "[email]\nwebhook_url = \"http://127.0.0.1:8025/mail?to=all\"\nwebhook_secret_file = \"{secret}\"\n"
    );
    reconfigure(&tls, &by_hook);
    web.gate.restart();
    let visitor = passes_the_password(&web, &alice);
    assert_eq!(asks(&web, &visitor).status, 200);
    let (head, body) = hook.got();
    assert!(head.starts_with("POST /mail?to=all HTTP/1.1\r\n"), "{head}");
    assert_contains(&head, "authorization: Bearer the password of the gate\r\n");
    let letter: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(letter["account"], "alice");
    assert_eq!(letter["to"], "alice@example.test");
    let code = letter["code"].as_str().expect("a code");
    assert_lacks(letter["subject"].as_str().expect("a subject"), code);
    assert_eq!(visitor.code(&web, code).status, 303);

    let (program, out) = ("/usr/local/bin/take-mail", "/var/tmp/mail-taken");
    fs::write(
        program,
        format!("#!/bin/sh\ncat > {out}.new && mv {out}.new \"{out}-$1\"\n"),
    )
    .expect("/usr");
    set_mode(program, 0o755);
    let by_program = format!(
        "[email]\ncommand = [\"{program}\", \"a b; c\"]\nfrom = \"postern@example.test\"\n"
    );
    let _program = MailProgram::listens();
    reconfigure(&by_hook, &by_program);
    web.gate.restart();
    host.clock.forward(60);
    let visitor = passes_the_password(&web, &alice);
    assert_eq!(asks(&web, &visitor).status, 200);
    let taken = Mail {
        text: fs::read_to_string(format!("{out}-a b; c")).expect("the program took it"),
    };
    assert_eq!(taken.header("To"), "alice@example.test");
    assert_eq!(visitor.code(&web, &taken.code()).status, 303);
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
        let visitor = passes_the_password(&web, &alice);
        let began = Instant::now();
        let failed = asks(&web, &visitor);
        assert_eq!(failed.status, 503, "{why}: {failed:?}");
        assert_contains(&failed.body, "could not be mailed");
        host.posternd().says(why);
        let said = Postern::call("email set alice other@example.test").refuses();
        assert_contains(&said.err, "no mail was sent");
        assert_contains(&said.err, why);
        assert!(
            began.elapsed() < Duration::from_secs(12),
            "{why}: {:?}",
            began.elapsed()
        );
        assert_eq!(
            visitor.code(&web, &phone.code()).status,
            303,
            "{why}: the app's code opens"
        );
    }
    server.got_nothing();
    // The limit applies after mail was sent by every method.
    assert!(
        host.posternd().memory() <= 10 * 1024,
        "{} KiB",
        host.posternd().memory()
    );

    host.posternd_mut().crash();
    let began = Instant::now();
    let said = Postern::call("email set alice other@example.test").refuses();
    assert_contains(&said.err, "start posternd");
    assert_within(began, Duration::from_secs(5));
    reconfigure(&now, "");
    let said = Postern::call("email set alice other@example.test").refuses();
    assert_contains(&said.err, "[email]");
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
        let said = Postern::call(&format!("email set alice {address}")).refuses();
        assert_contains(&said.err, why);
        let digits = |text: &str| {
            text.split(|c: char| !c.is_ascii_digit())
                .any(|run| run.len() == 6)
        };
        assert!(!digits(&said.err), "{}", said.err);
        let log = host.posternd().log();
        assert!(
            log.lines()
                .filter(|line| line.contains("not mailed"))
                .all(|line| !digits(line)),
            "{log}"
        );
    }
    server.got_nothing();
    let said = Postern::call("email set alice alice").run();
    assert_eq!(said.exit, Some(2), "{}", said.all());
}

/// The notification names who acted. No command waits for posternd, which sends mail without a gate
/// too, and after a rotation of keys.
#[test]
#[ignore = "needs the test host: tests/run"]
fn people_are_told_what_was_done_to_their_account() {
    let mut host = Host::fresh();
    let server = MailServer::start();
    let (mut web, alice) = web(&host, PLAIN);
    let phone = alice.enrols();
    confirmed(&host, &server);
    let visitor = passes_the_password(&web, &alice);
    assert_eq!(visitor.code(&web, &phone.code()).status, 303);
    Postern::call("unlock alice").does();
    let notice = server.told();
    for words in [
        "alice at ",
        "delays and locks after wrong codes were removed",
        "By:      root",
        " UTC",
    ] {
        assert_contains(&notice.text, words);
    }
    assert_eq!(notice.header("Auto-Submitted"), "auto-generated");
    host.posternd()
        .says("mailed user=\"alice\" notification=unlocked");

    web.gate.crash();
    host.posternd_mut().crash();
    Postern::call("authenticator add alice --no-confirm --name tablet").does();
    host.posternd_mut().restart();
    assert_contains(&server.told().text, "an authenticator was added");
    Postern::call("key rotate").does();
    Postern::call("email set alice other@example.test").does();
    Postern::call("email confirm alice")
        .input(&format!("{}\n", server.got().code()))
        .does();
    let notice = server.told();
    assert_eq!(
        notice.header("Rcpt"),
        "alice@example.test",
        "the one that was replaced"
    );
    Postern::call("email remove alice").does();
    assert_eq!(server.told().header("Rcpt"), "other@example.test");
}

/// The fault: the mail server was down. Its notifications are sent when it runs again.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_notice_that_failed_is_sent_again_later() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (_web, _) = web(&host, PLAIN);
    confirmed(&host, &server);
    let down = PLAIN.replace("2525", "2");
    reconfigure(PLAIN, &down);
    Postern::call("unlock alice").does();
    host.posternd()
        .says("not mailed cause=mail user=\"alice\" notification=unlocked");
    reconfigure(&down, PLAIN);
    host.clock.forward(301);
    // The previous notification may arrive twice: the server stopped when it had just been sent.
    assert!((0..2).any(|_| server.told().text.contains("were removed")));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn an_application_is_told_the_confirmed_address() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, PLAIN);
    let phone = alice.enrols();
    let made = Postern::json("app-password add alice files --scope web:app.example.test --json");
    let password = made["app_password"]
        .as_str()
        .expect("an app password")
        .to_owned();
    let client = Visitor::new().with(&format!("Authorization: Bearer {password}"));
    let told_of = |visitor: &Visitor| {
        assert_eq!(visitor.fetches(APP).status, 200);
        web.application.got().value("Remote-Email").to_owned()
    };

    Postern::call("email set alice alice@example.test").does();
    let code = server.got().code();
    let visitor = Visitor::new();
    visitor.signs_in(&web, &alice, &phone.code());
    assert_eq!(
        (told_of(&visitor), told_of(&client)),
        (String::new(), String::new())
    );
    Postern::call("email confirm alice")
        .input(&format!("{code}\n"))
        .does();
    assert_eq!(
        visitor.fetches(APP).status,
        401,
        "the sessions of before have ended"
    );
    host.clock.forward(60);
    visitor.signs_in(&web, &alice, &phone.code());
    let address = "alice@example.test";
    assert_eq!(
        (told_of(&visitor).as_str(), told_of(&client).as_str()),
        (address, address)
    );

    Postern::call("email remove alice").does();
    assert_eq!(
        (visitor.fetches(APP).status, told_of(&client).as_str()),
        (401, "")
    );
}
