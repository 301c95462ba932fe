//! Mailed codes: by a real mail server on loopback, by a webhook, and by a program, and the faults
//! of each.

use super::transports::by_tls;
use testhost::{
    APP, Host, Mail, MailServer, Person, Phone, Postern, Reply, Store, Web, WebClient,
    assert_contains, assert_lacks, reconfigure,
};

pub(crate) const PLAIN: &str = "[email]\nsmtp_url = \"smtp://127.0.0.1:2525\"\nfrom = \"postern@example.test\"\n\
     sign_in_notifications = \"off\"\n";

/// Starts the web, and makes alice with a password.
pub(crate) fn web(host: &Host, email: &str) -> (Web, Person) {
    let web = Web::nginx(host, email);
    let alice = host.person("alice");
    alice.has_a_password();
    (web, alice)
}

/// Sets and confirms alice's address, and waits until the cooldown has ended.
pub(crate) fn confirmed(host: &Host, server: &MailServer) -> Mail {
    let output = Postern::call("email set alice alice@example.test").does();
    assert_contains(&output.out, "a code was mailed to alice@example.test");
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

pub(crate) fn passes_the_password(web: &Web, alice: &Person) -> WebClient {
    let client = WebClient::new();
    assert_eq!(client.password(web, alice).status, 303);
    client
}

pub(crate) fn asks(web: &Web, client: &WebClient) -> Reply {
    client.sends(&web.page("mail"), &[])
}

pub(crate) fn with_app_and_mail(
    host: &Host,
    web: &Web,
    server: &MailServer,
    alice: &Person,
) -> (Phone, WebClient) {
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

    let client = passes_the_password(&web, &alice);
    let page = client.loads(&web.page("code"));
    assert_contains(&page.body, "Mail a code to a•••@example.test");
    assert_lacks(&page.body, "alice@example.test");
    server.got_nothing();
    let sent = asks(&web, &client);
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_contains(&sent.body, "on its way to a•••@example.test");
    let mail = server.got();
    assert!(
        mail.header("Subject")
            .starts_with("Your verification code for "),
        "{mail:?}"
    );

    host.clock.forward(20);
    let again = asks(&web, &client);
    assert_eq!(
        (again.status, again.header("retry-after")),
        (429, "40"),
        "{again:?}"
    );
    assert_contains(&again.body, "wait 40 s");
    server.got_nothing();
    host.clock.forward(40);
    assert_eq!(asks(&web, &client).status, 200);
    let newer = server.got();
    // Both codes are equal once in a million times.
    if newer.code() != mail.code() {
        assert_eq!(client.code(&web, &mail.code()).status, 401);
    }
    let entered = client.code(&web, &newer.code());
    assert_contains(&entered.body, "1 wrong code since");
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
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
        let reply = passes_the_password(&web, &alice).code(&web, &mail.code());
        assert_eq!(reply.status, status, "{after}: {reply:?}");
        assert!(
            status == 303 || reply.body.contains("has expired"),
            "{reply:?}"
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
    let refused = WebClient::new().password(&web, &alice);
    // required, and nothing set up
    refused.redirects_to(303, "/enroll");
    let output = Postern::call("email set alice alice@example.test").does();
    assert_contains(&output.out, "postern email confirm alice");
    let code = server.got().code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    Postern::call("email confirm alice")
        .input(&format!("{wrong}\n"))
        .refuses();
    let output = Postern::call("email confirm alice")
        .input(&format!("{code}\n"))
        .does();
    assert_contains(&output.out, "postern recovery alice");
    host.clock.forward(60);

    let client = passes_the_password(&web, &alice);
    let page = client.loads(&web.page("code"));
    assert_contains(&page.body, "The code that was mailed to you");
    assert_eq!(asks(&web, &client).status, 200);
    assert_eq!(client.code(&web, &server.got().code()).status, 303);

    let output = Postern::call("email remove alice").does();
    assert_contains(&output.out, "[policy] requires one");
    assert_eq!(
        client.loads(&format!("{APP}/")).status,
        302,
        "the session is over"
    );
    assert_eq!(asks(&web, &client).status, 401);
    WebClient::new()
        .password(&web, &alice)
        .redirects_to(303, "/enroll");
    server.got_nothing();
}

/// The attack: a client without the password, or another site's page, has mail sent.
#[test]
#[ignore = "needs the test host: tests/run"]
fn no_user_sends_mail_without_the_password() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, PLAIN);
    let (_, client) = with_app_and_mail(&host, &web, &server, &alice);
    assert_eq!(asks(&web, &WebClient::new()).status, 401);
    let foreign = client.with("Origin: https://evil.example.test");
    assert_eq!(asks(&web, &foreign).status, 403);
    assert_eq!(client.fetches(&web.page("mail")).status, 405);
    Postern::call("session revoke alice --all").run();
    alice.has_a_password();
    assert_eq!(
        asks(&web, &client).status,
        401,
        "a new password ended the sign-in"
    );
    server.got_nothing();
}

/// The notification names who acted. No command waits for posternd, which sends mail without a gate
/// too, and after a rotation of keys.
#[test]
#[ignore = "needs the test host: tests/run"]
fn people_are_notified_of_what_was_done_to_their_account() {
    let mut host = Host::fresh();
    let server = MailServer::start();
    let (mut web, alice) = web(&host, PLAIN);
    let phone = alice.enrols();
    confirmed(&host, &server);
    let client = passes_the_password(&web, &alice);
    assert_eq!(client.code(&web, &phone.code()).status, 303);
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
fn an_application_receives_the_confirmed_address() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, PLAIN);
    let phone = alice.enrols();
    let made = Postern::json("app-password add alice files --scope web:app.example.test --json");
    let password = made["app_password"]
        .as_str()
        .expect("an app password")
        .to_owned();
    let client = WebClient::new().with(&format!("Authorization: Bearer {password}"));
    let told_of = |browser: &WebClient| {
        assert_eq!(browser.fetches(APP).status, 200);
        web.application.got().value("Remote-Email").to_owned()
    };

    Postern::call("email set alice alice@example.test").does();
    let code = server.got().code();
    let browser = WebClient::new();
    browser.signs_in(&web, &alice, &phone.code());
    assert_eq!(
        (told_of(&browser), told_of(&client)),
        (String::new(), String::new())
    );
    Postern::call("email confirm alice")
        .input(&format!("{code}\n"))
        .does();
    assert_eq!(
        browser.fetches(APP).status,
        401,
        "the sessions of before have ended"
    );
    host.clock.forward(60);
    browser.signs_in(&web, &alice, &phone.code());
    let address = "alice@example.test";
    assert_eq!(
        (told_of(&browser).as_str(), told_of(&client).as_str()),
        (address, address)
    );

    Postern::call("email remove alice").does();
    assert_eq!(
        (browser.fetches(APP).status, told_of(&client).as_str()),
        (401, "")
    );
}
