//! What every page has at its foot, where users get help and the choice of a language; and times in
//! the browser's own time zone.

use crate::web::account::{at_home, web};
use serde_json::json;
use testhost::{
    APP, AUTH, Chromium, Host, Postern, Web, WebClient, assert_contains, assert_lacks, wait_until,
};

const HELP: &str = "[gate.branding]\nhelp = \"<b>Lost</b> your phone? Room 12.\"\ncontact = \"mailto:help@example.test\"\n";

/// The help line is on every page, also on one that denies access, and its text is text.
#[test]
#[ignore = "needs the test host: tests/run"]
fn every_page_says_where_to_get_help() {
    let host = Host::fresh();
    let (web, alice) = web(&host, HELP);
    let phone = alice.enrols();
    let client = WebClient::new();
    let denied = client.loads(&web.page("not-covered?host=elsewhere.test"));
    assert_eq!(denied.status, 403);
    let refused = client.sends_password(&web.pages, "alice", "not hers");
    let mut pages = vec![denied, refused, client.loads(&web.page("sign-in"))];
    client.signs_in(&web, &alice, &phone.code());
    for page in ["", "turn-off", "app-passwords", "sign-ins", "password"] {
        pages.push(client.loads(&web.page(page)));
    }
    for page in pages {
        assert_contains(
            &page.body,
            "&#60;b&#62;Lost&#60;/b&#62; your phone? Room 12.",
        );
        assert_contains(
            &page.body,
            "<a href=\"mailto:help@example.test\">help@example.test</a>",
        );
    }
}

/// A contact that a browser would run as script is refused, and the message names the key.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_contact_is_no_script() {
    let host = Host::fresh();
    host.write_configuration("[gate.branding]\ncontact = \"javascript:alert(1)\"\n");
    let refused = Postern::call("check").refuses().all();
    assert_contains(&refused, "contact");
    assert_contains(&refused, "must be https://HOST/PATH or mailto:ADDRESS");
}

/// The language is chosen at the foot of a page, which is shown again in that language, whatever
/// the browser prefers. The application does not see the choice.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_language_is_chosen_at_the_foot_of_the_page() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let phone = alice.enrols();
    let browser = Chromium::start();
    browser.asks_for_language("es");
    browser.opens(APP).arrives_at("Iniciar sesión");
    let asked = browser.url();
    browser.clicks_to("footer [value=de]", "Anmelden");
    assert_eq!(browser.url(), asked, "the same page");
    assert_eq!(browser.runs("return document.documentElement.lang"), "de");
    assert_eq!(browser.reads("footer [aria-current]"), "Deutsch");
    browser
        .types("[name=user]", "alice")
        .types("[name=password]", &alice.password)
        .clicks("form > button");
    browser
        .arrives_at("Bestätigungscode")
        .types_the_last_digit(&phone.code())
        .arrives_at("The application");
    assert_eq!(web.application.got().value("Cookie"), "");
    browser
        .opens(&web.page("sign-ins"))
        .arrives_at("Sitzungen und Browser");
    browser.clicks_to("footer [value=fr]", "Sessions et navigateurs");
    assert_eq!(browser.url(), web.page("sign-ins"));
}

/// A forged choice does no harm: an unknown value counts as none, a form of another site is refused,
/// and no page of another host is returned to.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_forged_language_does_no_harm() {
    let host = Host::fresh();
    let web = Web::nginx(&host, "");
    let sign_in = web.page("sign-in");
    let long = "de".repeat(1000);
    for value in [
        "",
        "it",
        "DE",
        "de\"><script>alert(1)</script>",
        "../../etc/passwd",
        &long,
    ] {
        let client = WebClient::new().with(&format!("Cookie: __Host-postern-language={value}"));
        let page = client.loads(&sign_in);
        assert_eq!(page.status, 200, "{value}");
        assert_contains(&page.body, "<html lang=\"en\">");
        assert_lacks(&page.body, "<script>alert");
    }
    let german = WebClient::new().with("Cookie: __Host-postern-language=de");
    assert_contains(&german.loads(&sign_in).body, "<html lang=\"de\">");
    // A cookie of another name is not the choice.
    let other = WebClient::new().with("Cookie: postern-language=de");
    assert_contains(&other.loads(&sign_in).body, "<html lang=\"en\">");

    let url = web.page("language");
    let client = WebClient::new();
    for (referer, returns_to) in [
        (sign_in.clone(), sign_in.clone()),
        (
            format!("{AUTH}//evil.example/x"),
            format!("{AUTH}//evil.example/x"),
        ),
        ("https://evil.example/".to_owned(), "/".to_owned()),
        (format!("{AUTH}.evil.example/"), "/".to_owned()),
        (format!("{APP}/"), "/".to_owned()),
        ("http://auth.example.test:8443/".to_owned(), "/".to_owned()),
        (String::new(), "/".to_owned()),
    ] {
        let from = client.with(&format!("Referer: {referer}"));
        let set = from.sends(&url, &[("to", "fr")]);
        assert_eq!(
            (set.status, set.header("location")),
            (303, returns_to.as_str()),
            "{referer}"
        );
        let cookie = set.header("set-cookie");
        for part in [
            "__Host-postern-language=fr;",
            "HttpOnly",
            "Secure",
            "SameSite=Lax",
            "Path=/",
        ] {
            assert_contains(cookie, part);
        }
    }
    for unknown in ["", "it", "fr; Domain=example.test", "fr\r\nSet-Cookie: a=b"] {
        let refused = WebClient::new().sends(&url, &[("to", unknown)]);
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(!refused.headers.iter().any(|(name, _)| name == "set-cookie"));
    }
    let foreign = WebClient::new().with("Origin: https://evil.example");
    assert_eq!(foreign.sends(&url, &[("to", "fr")]).status, 403);
    assert_eq!(WebClient::new().fetches(&url).status, 405);
}

/// Without a script, moments are relative or in UTC. With it they are in the browser's own time
/// zone.
#[test]
#[ignore = "needs the test host: tests/run"]
fn times_are_those_of_the_reader() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let phone = alice.enrols();
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    host.clock.forward(150);
    let page = client.loads(&web.page("sign-ins")).body;
    assert_contains(&page, ">2 minutes ago</time>");
    assert_contains(&page, " UTC</time>");
    let home = client.loads(&web.pages).body;
    let (_, moment) = home.split_once("<time datetime=\"").expect("a moment");
    let moment = moment.split('"').next().unwrap_or_default();

    let browser = at_home(&web, &alice, &phone);
    let zone = json!({"timezoneId": "Pacific/Kiritimati"});
    browser.devtools("Emulation.setTimezoneOverride", &zone);
    browser.opens(&web.pages).arrives_at("Your account");
    let script = format!(
        "const at = new Date('{moment}'); return new Intl.DateTimeFormat('en', {{timeStyle: 'short', timeZone: 'Pacific/Kiritimati'}}).format(at)"
    );
    let time = browser.runs(&script);
    let time = time.as_str().expect("a time").to_owned();
    wait_until("the time is that of Kiritimati", || {
        Ok(browser.reads("main time").ends_with(&time))
    });
    assert_lacks(browser.reads("main"), "UTC");
    browser.clicks_to("footer [value=de]", "Ihr Konto");
    wait_until("the words are German", || {
        Ok(browser.reads("main").contains("vor ") || browser.reads("main").contains("jetzt"))
    });
}

/// Where no mail is configured, the page of the address says so. It is not linked.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_mail_there_is_no_form_for_an_address() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let phone = alice.enrols();
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    assert_lacks(client.loads(&web.pages).body, "email");
    let page = client.loads(&web.page("email"));
    assert_eq!(page.status, 404, "{page:?}");
    assert_contains(&page.body, "Mail is not configured here.");
    assert_lacks(&page.body, "name=\"address\"");
}

/// The code of the sign-in is used: the page of a critical act says when the next one comes.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_page_that_needs_a_new_code_says_when_the_next_one_comes() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let phone = alice.enrols();
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let page = client.loads(&web.page("turn-off"));
    assert_contains(&page.body, "Your app shows the next one in");
    host.clock.forward(30);
    let page = client.loads(&web.page("turn-off"));
    assert_lacks(&page.body, "Your app shows the next one in");
    assert_contains(&page.body, "name=\"code\"");
}
