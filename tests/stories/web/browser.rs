//! A user at a real browser: Chromium, through nginx and Traefik.

use serde_json::json;
use testhost::{
    APP, Chromium, Host, PagesAt, Postern, Proxy, Web, WebClient, assert_contains, assert_lacks,
};

/// The sign-out button of the account page.
const SIGN_OUT: &str = "form[action$=sign-out] button";

/// L1, L3, T1, T3: the steps of one day: sign-in, sign-out, sign-in at the trusted browser, two
/// tabs.
#[track_caller]
fn a_day_at(proxy: Proxy, pages_at: PagesAt) {
    let host = Host::fresh();
    let web = Web::start(&host, proxy, pages_at, "");
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    let asked = format!("{APP}/notes/7?a=1&b=%2Fx%20y");

    browser
        .opens(&asked)
        .enters_password("alice", &alice.password)
        .arrives_at("Verification code");
    browser
        .clicks("[name=trust]")
        .enters_code(&phone.code())
        .arrives_at("The application");
    assert_eq!(browser.url(), asked, "{proxy:?} {pages_at:?}");
    let got = web.application.got();
    assert_eq!(
        (got.value("Remote-User"), got.value("Cookie")),
        ("alice", "")
    );
    let seen = browser.runs("return document.cookie");
    assert_eq!(
        seen,
        json!(""),
        "scripts of the application see none of the gate's cookies"
    );

    // She signs out, and signs in again without a code.
    browser
        .opens(&web.pages)
        .arrives_at("Your account")
        .clicks(SIGN_OUT)
        .arrives_at("Signed out");
    browser
        .opens(&asked)
        .enters_password("alice", &alice.password)
        .arrives_at("The application");
    assert_eq!(browser.url(), asked);

    // Two tabs sign in at the same time, and the browser stays trusted.
    browser
        .opens(&web.pages)
        .arrives_at("Your account")
        .clicks(SIGN_OUT)
        .arrives_at("Signed out");
    let first = browser.tab();
    browser.opens(&asked).arrives_at("Sign in");
    let second = browser.opens_a_tab();
    browser
        .opens(&asked)
        .enters_password("alice", &alice.password)
        .arrives_at("The application");
    browser
        .shows_tab(&first)
        .enters_password("alice", &alice.password)
        .arrives_at("The application");
    browser
        .shows_tab(&second)
        .opens(&asked)
        .arrives_at("The application");
    let listed = Postern::json("browser list alice --json");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");

    // The second factor is disabled: the session has ended, and the password alone suffices.
    Postern::call("disable alice").does();
    browser
        .opens(&asked)
        .enters_password("alice", &alice.password)
        .arrives_at("The application");
    assert_lacks(web.gate.log(), "panicked");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_day_behind_nginx() {
    a_day_at(Proxy::Nginx, PagesAt::OwnHost);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_day_behind_nginx_on_a_path() {
    a_day_at(Proxy::Nginx, PagesAt::Path);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_day_behind_traefik() {
    a_day_at(Proxy::Traefik, PagesAt::OwnHost);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_day_behind_traefik_on_a_path() {
    a_day_at(Proxy::Traefik, PagesAt::Path);
}

/// L5: ssh and the web share the used time steps, and the message tells the user to wait for the
/// next code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_code_used_at_one_service_is_refused_at_the_other() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();

    alice.with_key().enters_with(&phone.code());
    browser
        .opens(APP)
        .enters_password("alice", &alice.password)
        .enters_code(&phone.code());
    browser.arrives_at("Verification code");
    assert_contains(browser.reads("[role=alert]"), "already");
    host.clock.forward(30);
    browser
        .enters_code(&phone.code())
        .arrives_at("The application");
    alice.with_key().is_refused(&phone.code(), "already");
    drop(web);
}

/// L8, R2, L9: after wrong codes, a recovery code is accepted, with blanks and dashes ignored.
#[test]
#[ignore = "needs the test host: tests/run"]
fn wrong_codes_meet_a_delay_and_a_recovery_code_opens() {
    let (host, web) = Host::with_web();
    let (alice, phone, recovery) = host.web_user_with_recovery_codes("alice");
    let browser = Chromium::start();

    browser.opens(APP).enters_password("alice", &alice.password);
    for wrong in phone.wrong_codes(5) {
        browser.enters_code(&wrong).arrives_at("Verification code");
        assert_eq!(browser.reads("[role=alert]"), "That code is wrong");
    }
    browser
        .enters_code(&phone.code())
        .arrives_at("Verification code");
    assert_contains(browser.reads("[role=alert]"), "wait 30");
    // The field for digits is too short for a recovery code: a link leads to another field.
    browser.clicks("a[href*=other]").enters_answer(&recovery[0]);
    browser
        .arrives_at("Signed in")
        .clicks_to("a.button", "The application");
    drop(browser);
    let again = Chromium::start();
    again.opens(APP).enters_password("alice", &alice.password);
    again
        .clicks("a[href*=other]")
        .enters_answer(&recovery[0])
        .arrives_at("Verification code");
    host.clock.forward(60);
    let code = phone.code();
    again.clicks_to("a[href$=code]", "Verification code");
    again
        .enters_code(&format!(" {}-{}", &code[..3], &code[3..]))
        .arrives_at("The application");
    drop(web);
}

/// L12: without scripts the form does not submit itself; all other steps work the same.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_scripts_the_sign_in_takes_a_click_more() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    browser.devtools(
        "Emulation.setScriptExecutionDisabled",
        &json!({"value": true}),
    );
    browser
        .opens(APP)
        .enters_password("alice", &alice.password)
        .enters_answer(&phone.code());
    browser.arrives_at("The application");
    drop(web);
}

/// The application redirects the browser to a foreign host after the sign-in. The gate allows that,
/// since it is the application's own redirect.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_application_may_send_the_browser_elsewhere_after_the_sign_in() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    // The same server under a host name that no rule covers.
    let elsewhere = format!("{APP}/elsewhere?https://127.0.0.1:8443/");
    browser
        .opens(&elsewhere)
        .enters_password("alice", &alice.password)
        .enters_code(&phone.code());
    testhost::wait_until("the browser is elsewhere", || {
        Ok(browser.url().starts_with("https://127.0.0.1:8443/"))
    });
    drop(web);
}

/// CSRF: no page can be framed, and forms from other sites are refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn forms_of_other_sites_are_refused() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let out = web.page("sign-out");
    for header in [
        "Origin: https://evil.test",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: https://app.example.test:8443",
    ] {
        let forged = client.with(header);
        let reply = forged.sends(&out, &[]);
        assert_eq!(reply.status, 403, "{header} {reply:?}");
    }
    assert_eq!(
        client.loads(&format!("{APP}/")).status,
        200,
        "still signed in"
    );
    let page = client.loads(&web.page("sign-in"));
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_contains(
        page.header("content-security-policy"),
        "frame-ancestors 'none'",
    );
}
