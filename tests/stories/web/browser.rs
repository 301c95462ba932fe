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
    // The page came by a redirect: loading it again sends no form.
    browser.runs("location.reload()");
    testhost::wait_until("the browser is led to the pages' own address", || {
        Ok(browser.url() == web.pages)
    });
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

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_day_behind_apache_on_a_path() {
    a_day_at(Proxy::Apache, PagesAt::Path);
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
    assert_contains(browser.reads("[role=timer]"), "possible in");
    let disabled = browser.runs("return document.querySelector('main form button').disabled");
    assert_eq!(disabled, json!(true), "until the delay is over");
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
    again.clicks_to(
        "a[href*='/code?rd=']:not([href*=other])",
        "Verification code",
    );
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

/// A refused form answered its POST: going back showed an error of the browser, and loading the
/// page again sent the wrong code again, which counts.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_refused_form_leaves_no_post_behind() {
    for (proxy, pages_at) in [
        (Proxy::Nginx, PagesAt::OwnHost),
        (Proxy::Traefik, PagesAt::Path),
    ] {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, pages_at, "");
        let (alice, phone) = host.web_user("alice");
        let browser = Chromium::start();
        let asked = format!("{APP}/notes/7?a=1&b=%2Fx%20y");

        browser
            .opens(&asked)
            .enters_password("alice", "nothing of hers");
        browser.arrives_at("Sign in");
        assert_contains(browser.reads("[role=alert]"), "wrong");
        assert_contains(browser.reads(".who"), "app.example.test");
        let user = browser.runs("return document.querySelector('[name=user]').value");
        let password = browser.runs("return document.querySelector('[name=password]').value");
        assert_eq!((user, password), (json!("alice"), json!("")));
        let focused = browser.runs("return document.activeElement.name");
        assert_eq!(focused, json!("password"), "the name is there already");
        let guesses = web.gate.log().matches("cause=password-wrong").count();
        browser.runs("location.reload()");
        testhost::wait_until("the page is loaded again, without the message", || {
            let left = browser.runs("return document.querySelectorAll('[role=alert]').length");
            Ok(left == json!(0))
        });
        let now = web.gate.log().matches("cause=password-wrong").count();
        assert_eq!((guesses, now), (1, 1), "nothing was sent again");

        browser
            .enters_password("alice", &alice.password)
            .arrives_at("Verification code")
            .clicks("[name=trust]");
        let wrong = phone.wrong_codes(1).remove(0);
        browser.enters_code(&wrong).arrives_at("Verification code");
        assert_eq!(browser.reads("[role=alert]"), "That code is wrong");
        let ticked = browser.runs("return document.querySelector('[name=trust]').checked");
        assert_eq!(ticked, json!(true), "the tick is kept");
        browser.runs("history.back()");
        testhost::wait_until("going back shows a page of the gate", || {
            let heading = browser.runs("return document.querySelector('h1')?.textContent");
            Ok(heading == json!("Verification code") || heading == json!("Sign in"))
        });
        browser
            .opens(&web.page("code?rd="))
            .arrives_at("Verification code");
        let alerts = browser.runs("return document.querySelectorAll('[role=alert]').length");
        assert_eq!(alerts, json!(0), "a message is shown once");
        // The page after the code says that a code was wrong.
        browser
            .enters_code(&phone.code())
            .arrives_at("Signed in")
            .clicks_to("a.button", "The application");
        assert_eq!(browser.url(), asked);
        let listed = Postern::json("browser list alice --json");
        assert_eq!(listed.as_array().map(Vec::len), Some(0), "{listed}");
        assert_lacks(web.gate.log(), "panicked");
    }
}

/// Two tabs with two requested pages: the one login cookie held one of them.
#[test]
#[ignore = "needs the test host: tests/run"]
fn each_tab_reaches_the_page_that_it_asked_for() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    let (one, other) = (format!("{APP}/notes/1"), format!("{APP}/notes/2"));
    browser
        .opens(&one)
        .enters_password("alice", &alice.password)
        .arrives_at("Verification code");
    let first = browser.tab();
    let second = browser.opens_a_tab();
    browser
        .opens(&other)
        .enters_password("alice", &alice.password)
        .arrives_at("Verification code");
    browser
        .shows_tab(&first)
        .enters_code(&phone.code())
        .arrives_at("The application");
    assert_eq!(browser.url(), one);
    // The other tab's sign-in is over, and no longer needed.
    browser
        .shows_tab(&second)
        .types_the_last_digit(&phone.code())
        .arrives_at("The application");
    assert_eq!(browser.url(), other);
    drop(web);
}

/// A code page that was left open for too long led to a sign-in without the requested page.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_code_page_that_is_too_old_keeps_the_requested_page() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    let asked = format!("{APP}/notes/7?a=1&b=%2Fx%20y");
    browser
        .opens(&asked)
        .enters_password("alice", &alice.password)
        .arrives_at("Verification code");
    host.clock.forward(601);
    browser.enters_code(&phone.code()).arrives_at("Sign in");
    assert_contains(browser.reads("[role=alert]"), "again");
    browser
        .types("[name=password]", &alice.password)
        .clicks("button")
        .enters_code(&phone.code())
        .arrives_at("The application");
    assert_eq!(browser.url(), asked);
    drop(web);
}
