//! A sign-in from a new browser or address is mailed, with a link that ends everything.

use crate::mail::codes::{PLAIN, confirmed, web};
use testhost::{
    APP, Host, Mail, MailServer, Postern, Posternd, WebClient, assert_contains, assert_lacks,
};

/// Returns the text of a mail, which may be quoted-printable (RFC 2045, section 6.7).
fn decoded(mail: &Mail) -> String {
    mail.text.replace("=\r\n", "").replace("=3D", "=")
}

/// Returns the link of a mail.
#[track_caller]
fn link(mail: &Mail) -> String {
    let text = decoded(mail);
    let mut lines = text.lines().map(str::trim);
    let link = lines.find(|line| line.starts_with("https://"));
    link.unwrap_or_else(|| panic!("no link in {text}"))
        .to_owned()
}

/// W5: the owner ends everything from the mail, without being signed in. Nothing happens before the
/// button is pressed, and the link is valid once.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_new_sign_in_is_mailed_and_its_link_ends_everything() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, &PLAIN.replace("\"off\"", "\"new\""));
    confirmed(&host, &server);
    let phone = alice.enrols();
    assert_contains(server.told().text, "a second factor was set up");

    let thief = WebClient::new().from("127.0.0.9");
    let firefox =
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    thief
        .with(firefox)
        .signs_in_and_trusts(&web, &alice, &phone.code());
    let mail = server.told();
    assert_contains(
        decoded(&mail),
        "omeone signed in from a new browser or address",
    );
    for line in [
        "From:    127.0.0.9",
        "Browser: Firefox 128, Linux",
        "Through: the web",
    ] {
        assert_contains(decoded(&mail), line);
    }
    let page = format!("{APP}/");
    assert_eq!(thief.loads(&page).status, 200);
    let made = Postern::call("app-password add alice calendar --scope web:app.example.test").does();
    assert_contains(server.told().text, "an app password was made");

    // The same address again, and the trusted browser elsewhere, are not mailed.
    host.clock.forward(30);
    WebClient::new()
        .from("127.0.0.9")
        .signs_in(&web, &alice, &phone.code());
    let again = thief.clone().from("127.0.0.10").password(&web, &alice);
    assert_eq!(again.status, 303, "{again:?}");

    let (owner, link) = (WebClient::new(), link(&mail));
    for _ in 0..2 {
        let shown = owner.loads(&link);
        assert_eq!(shown.status, 200, "{shown:?}");
        assert_contains(&shown.body, "It was not me");
        assert_eq!(shown.header("cache-control"), "no-store");
        assert_eq!(shown.header("referrer-policy"), "same-origin");
    }
    assert_eq!(thief.loads(&page).status, 200, "loading it changes nothing");
    let (at, token) = (
        web.page("end-sessions"),
        link.split_once("token=").expect("a token").1,
    );
    for wrong in ["", "x", &token[..token.len() - 1], &format!("{token}x")] {
        let refused = owner.sends(&at, &[("token", wrong)]);
        assert_eq!(refused.status, 403, "{wrong} {refused:?}");
        assert_lacks(&refused.body, "alice");
    }
    let elsewhere = owner.with("Origin: https://evil.example.org");
    assert_eq!(elsewhere.sends(&at, &[("token", token)]).status, 403);
    let ended = owner.sends(&at, &[("token", token)]);
    assert_eq!(ended.status, 200, "{ended:?}");
    assert_contains(&ended.body, "Signed out everywhere");
    assert_eq!(thief.loads(&page).status, 302, "its session has ended");
    let listed = |words: &str| Postern::json(&format!("{words} list alice --json"));
    for words in ["session", "browser", "app-password"] {
        assert_eq!(
            listed(words).as_array().map(Vec::len),
            Some(0),
            "{words} {made:?}"
        );
    }
    let mut notices = [server.told(), server.told()].into_iter();
    assert!(notices.any(|mail| decoded(&mail).contains("by the link of a mail about a sign-in")));

    // It is used, grants nothing, and nothing of it is in the log.
    let used = owner.sends(&at, &[("token", token)]);
    assert_eq!(used.status, 403, "{used:?}");
    assert_eq!(owner.loads(&page).status, 302);
    assert_lacks(web.gate.log(), &token[..40]);
    let asked = thief.password(&web, &alice);
    assert_contains(asked.header("location"), "code");
}

/// A login by ssh is mailed as a sign-in at the web is, also where posternd does not run at that
/// time; the link ends its grace period.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_login_by_ssh_from_a_new_address_is_mailed_and_its_link_ends_the_grace_period() {
    let mut host = Host::with_posternd("it sends all mail");
    let server = MailServer::start();
    let grace = "[pam.service.sshd]\ngrace = \"1h\"\n";
    let (web, alice) = web(&host, &(PLAIN.replace("\"off\"", "\"new\"") + grace));
    confirmed(&host, &server);
    let phone = alice.enrols();
    assert_contains(server.told().text, "a second factor was set up");

    let thief = || alice.with_key().from("127.0.0.9");
    thief().guesses(&phone.wrong());
    thief().enters_with(&phone.code());
    let mail = server.told();
    assert_contains(decoded(&mail), "omeone signed in from a new address");
    for line in ["From:    127.0.0.9", "Through: sshd", "Host:    "] {
        assert_contains(decoded(&mail), line);
    }
    assert_lacks(decoded(&mail), phone.code());
    thief().enters();

    // The web knows the address too.
    host.clock.forward(30);
    let here = WebClient::new().from("127.0.0.9");
    here.signs_in(&web, &alice, &phone.code());
    let link = link(&mail);
    let token = link.split_once("token=").expect("a token").1;
    let ended = WebClient::new().sends(&web.page("end-sessions"), &[("token", token)]);
    assert_eq!(ended.status, 200, "{ended:?}");
    assert_contains(decoded(&server.told()), "by the link of a mail");
    assert_eq!(here.loads(&format!("{APP}/")).status, 302);

    // The grace period has ended. The fallback queues the mail about the return, and posternd
    // sends it later.
    host.posternd = None;
    host.clock.forward(30);
    thief().enters_with(&phone.code());
    server.got_nothing();
    host.posternd = Some(Posternd::start());
    assert_contains(decoded(&server.told()), "From:    127.0.0.9");
    let log = Postern::call("log alice --event new-sign-in --json").does();
    assert_eq!(log.out.lines().count(), 2, "{}", log.out);
}
