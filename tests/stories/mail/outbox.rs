//! The fault: posternd, which sends all mail, is stopped or killed. Mail waits, everyone who asks
//! gets an error, and no code is sent twice or too late.

use crate::mail::codes::{PLAIN, asks, confirmed, passes_the_password, web};
use std::thread;
use testhost::{
    CONFIG, Host, MailServer, Postern, Store, assert_contains, assert_lacks, hanging_server,
    patiently, reconfigure, tcp_reply, wait_until,
};

const PORT: u16 = 9119;

fn readyz() -> String {
    let reply = tcp_reply(PORT, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").expect("an answer");
    assert_eq!(
        reply.status, 200,
        "people with another second factor get in: {reply:?}"
    );
    reply.body
}

/// The page, `/readyz`, `postern check` and the command report that mail waits. The mail is sent
/// when posternd runs again.
#[test]
#[ignore = "needs the test host: tests/run"]
fn mail_waits_for_a_posternd_that_is_stopped_and_goes_out_when_it_is_started() {
    let mut host = Host::fresh();
    let server = MailServer::start();
    let (mut web, alice) = web(&host, PLAIN);
    reconfigure(
        "[gate]\n",
        &format!("[gate]\noperations = \"tcp:127.0.0.1:{PORT}\"\n"),
    );
    web.gate.restart();
    confirmed(&host, &server);
    assert_eq!(readyz(), "ready\n");
    let check = || Postern::call("check").does().err;
    assert_lacks(check(), "mail waits");

    host.posternd_mut().crash();
    let client = passes_the_password(&web, &alice);
    let page = asks(&web, &client);
    assert!(
        page.status == 503 && page.body.contains("No mail is sent at the moment"),
        "{page:?}"
    );
    web.gate.says(
        "not mailed cause=queued address=127.0.0.1 service=web user=\"alice\": the mail waits",
    );
    let output = Postern::call("email set bob bob@example.test").refuses();
    assert_contains(&output.err, "the mail waits");
    assert_contains(&output.err, "start posternd");
    host.clock.forward(30);
    let output = patiently("monitoring is told", || {
        let output = readyz();
        Ok(output.contains("mail waits").then_some(output))
    });
    assert_eq!(
        output,
        "ready\nmail waits: start posternd, which sends it, or see its log\n"
    );
    assert_contains(check(), "mail waits: start posternd");
    server.got_nothing();

    host.posternd_mut().restart();
    let codes = [server.got(), server.got()];
    let hers = codes
        .iter()
        .find(|mail| mail.header("Rcpt") == "alice@example.test")
        .expect("her mail");
    host.posternd().says("mailed user=\"bob\"");
    assert_eq!(client.code(&web, &hers.code()).status, 303);
    wait_until("nothing waits", || Ok(readyz() == "ready\n"));
    assert_lacks(check(), "mail waits");
    assert_lacks(host.posternd().log(), hers.code());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_code_that_expires_while_posternd_is_stopped_is_not_sent() {
    let mut host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, PLAIN);
    confirmed(&host, &server);
    host.posternd_mut().crash();
    assert_eq!(asks(&web, &passes_the_password(&web, &alice)).status, 503);
    host.clock.forward(900);
    host.posternd_mut().restart();
    host.posternd()
        .says("not mailed cause=mail user=\"alice\": its code expired before it was sent");
    assert_eq!(Store::open().number("SELECT count(*) FROM outbox"), 0);
    assert_eq!(asks(&web, &passes_the_password(&web, &alice)).status, 200);
    server.got();
    server.got_nothing();
}

/// posternd is killed after it took the mail. Whether the code was sent is unknown, so it is not
/// sent again, and is reported as not sent.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_posternd_that_is_killed_while_it_sends_sends_no_code_a_second_time() {
    let mut host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, PLAIN);
    confirmed(&host, &server);
    let _silent = hanging_server(2526);
    let hanging = PLAIN.replace("2525", "2526");
    reconfigure(PLAIN, &hanging);
    let client = passes_the_password(&web, &alice);
    let page = thread::scope(|scope| {
        let asking = scope.spawn(|| asks(&web, &client));
        patiently("posternd has taken the letter", || {
            Ok(
                (Store::open().number("SELECT count(*) FROM outbox WHERE fate = 1") == 1)
                    .then_some(()),
            )
        });
        host.posternd_mut().crash();
        reconfigure(&hanging, PLAIN);
        host.posternd_mut().restart();
        asking.join().expect("the page answers")
    });
    assert!(
        page.status == 503 && page.body.contains("could not be mailed"),
        "{page:?}"
    );
    server.got_nothing();
    assert_eq!(asks(&web, &client).status, 200, "another is mailed at once");
    assert_eq!(client.code(&web, &server.got().code()).status, 303);
    server.got_nothing();
}

/// posternd starts and stops sending mail as the configuration says. A change applies from the next
/// mail on.
#[test]
#[ignore = "needs the test host: tests/run"]
fn posternd_takes_up_a_changed_configuration_of_mail() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (_web, _) = web(&host, "");
    let before = std::fs::read_to_string(CONFIG).expect("postern.toml is in place");
    host.write_configuration(&(before.clone() + PLAIN));
    confirmed(&host, &server);
    host.write_configuration(&(before.clone() + &PLAIN.replace("2525", "2")));
    let output = Postern::call("email set bob bob@example.test").refuses();
    assert_contains(&output.err, "no mail was sent");
    assert_contains(&output.err, "refused");
    // After a typo the last configuration stays in force.
    host.write_configuration(&(before.clone() + PLAIN));
    Postern::call("status").does();
    host.write_configuration(&(before + "[email]\nsmtp = 1\n"));
    host.posternd().says("unknown field `smtp`");
}
