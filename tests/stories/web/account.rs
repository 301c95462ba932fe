//! The account pages: the changes that users make to their own account, and the proof that each
//! change requires.

use crate::mail::codes::PLAIN;
use testhost::{
    APP, Chromium, Host, MailServer, Person, Phone, Postern, Web, WebClient, assert_contains,
    assert_lacks, patiently, wait_until,
};

/// Starts the gate behind nginx on a host of its own, and adds alice with a password.
pub(crate) fn web(host: &Host, extra: &str) -> (Web, Person) {
    let web = Web::nginx(host, extra);
    let alice = host.person("alice");
    alice.has_a_password();
    (web, alice)
}

/// Opens a browser in which alice is signed in, on the account page.
#[track_caller]
pub(crate) fn at_home(web: &Web, alice: &Person, phone: &Phone) -> Chromium {
    let browser = Chromium::start();
    browser
        .opens(&web.pages)
        .clicks("a.button")
        .enters_password("alice", &alice.password);
    browser
        .enters_code(&phone.code())
        .arrives_at("Your account");
    browser
}

/// Returns the authenticator of the otpauth link on the page.
#[track_caller]
fn scans(browser: &Chromium) -> Phone {
    let url = browser.runs("return document.querySelector('a[href^=\"otpauth:\"]').href");
    Phone::scans(url.as_str().expect("a link"))
}

/// E7, E11, D4, T5, S2: a second authenticator, added on the page, is accepted by the web and by
/// ssh. Every other session of the user ends.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_authenticator_is_added_and_removed_by_its_owner() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let phone = alice.enrols();
    let elsewhere = WebClient::new();
    elsewhere.signs_in_and_trusts(&web, &alice, &phone.code());
    host.clock.forward(30);
    let browser = at_home(&web, &alice, &phone);
    assert_contains(browser.reads("main"), "On since");
    assert_lacks(
        browser
            .runs("return document.documentElement.outerHTML")
            .to_string(),
        phone.secret(),
    );

    browser.clicks_to("a[href$='authenticators/add']", "Add an authenticator");
    browser
        .types("[name=name]", "tablet")
        .types("[name=password]", "not hers")
        .types("[name=code]", "123456");
    browser.submits_to("Add an authenticator");
    assert_eq!(browser.reads("[role=alert]"), "That password is wrong.");
    host.clock.forward(30);
    browser
        .types("[name=name]", "tablet")
        .types_proof(&alice, &phone.code())
        .submits_to("Add an authenticator");
    let tablet = scans(&browser);
    browser
        .types_the_last_digit(&tablet.wrong())
        .arrives_at("Add an authenticator");
    assert_eq!(browser.reads("[role=alert]"), "That code is wrong");
    assert_eq!(
        scans(&browser).secret(),
        tablet.secret(),
        "the same one again"
    );
    browser
        .types_the_last_digit(&tablet.code())
        .arrives_at("Authenticator added");
    // She continues in a new session; every other session has ended.
    browser
        .clicks_to("a.button", "Your account")
        .opens(APP)
        .arrives_at("The application");
    assert_eq!(elsewhere.fetches(APP).status, 401);
    elsewhere.password(&web, &alice);
    assert!(
        elsewhere
            .loads(&web.page("code"))
            .body
            .contains("Verification code"),
        "no trust is left"
    );
    alice.with_key().is_refused(&tablet.code(), "used already");
    host.clock.forward(30);
    alice.with_key().enters_with(&tablet.code());
    alice.with_key().enters_with(&phone.code());

    // The step-up of before is valid for 15 minutes, in the new session too.
    browser.opens(&web.pages).clicks_to(
        "button[aria-label='Remove tablet']",
        "Remove an authenticator",
    );
    browser.submits_to("Authenticator removed");
    host.clock.forward(30);
    alice
        .with_key()
        .is_refused(&tablet.code(), "That code is wrong");
    alice.with_key().enters_with(&phone.code());
    let log = Postern::call("log alice --json").does().out;
    for what in ["authenticator-added", "authenticator-removed"] {
        assert_contains(&log, what);
    }
    assert_lacks(web.gate.log(), "panicked");
    assert_lacks(web.gate.log(), tablet.secret());
}

/// E10: a hardware token is added by its seed.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_hardware_token_is_added_by_its_seed() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let phone = alice.enrols();
    let browser = at_home(&web, &alice, &phone);
    host.clock.forward(30);
    browser
        .opens(&web.page("authenticators/add"))
        .clicks("summary");
    browser
        .types("[name=name]", "token")
        .types("[name=secret]", "3132333435363738393031323334353637383930");
    browser.types_proof(&alice, &phone.code());
    browser.runs("document.querySelector('[name=digits]').value = '8'");
    browser.submits_to("Add an authenticator");
    let token = scans(&browser);
    assert_eq!(token.code().len(), 8);
    browser
        .types_the_last_digit(&token.code())
        .arrives_at("Authenticator added");
    host.clock.forward(30);
    alice.with_key().enters_with(&token.code());
}

/// R6, E9: new recovery codes are active once the user confirms that they are saved. The old codes
/// are valid until then.
#[test]
#[ignore = "needs the test host: tests/run"]
fn recovery_codes_are_replaced_by_their_owner() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let (phone, old) = alice.enrols_with_recovery_codes();
    let browser = at_home(&web, &alice, &phone);
    host.clock.forward(30);
    browser.clicks_to("a[href$=recovery-codes]", "Make new recovery codes");
    browser.types_proof(&alice, &phone.code());
    browser.submits_to("Save your recovery codes");
    alice.with_key().enters_with(&old[0]);
    let codes = browser
        .runs("return [...document.querySelectorAll('.codes code')].map(c => c.textContent)");
    let new: Vec<String> = serde_json::from_value(codes).expect("a list");
    assert_eq!(new.len(), 6);
    // This is one of several ways to save the codes; it also sets the tick.
    assert_eq!(
        browser.runs("return document.querySelector('[name=saved]').checked"),
        false
    );
    browser.clicks("[data-keep=download]");
    patiently("the tick is set", || {
        Ok(
            (browser.runs("return document.querySelector('[name=saved]').checked") == true)
                .then_some(()),
        )
    });
    // The use of the old code has ended this session.
    browser.clicks("form > button");
    host.clock.forward(30);
    let again = at_home(&web, &alice, &phone);
    assert_contains(again.reads("main"), "5 are left");
    alice.with_key().enters_with(&old[1]);

    host.clock.forward(30);
    let last = at_home(&web, &alice, &phone);
    host.clock.forward(30);
    last.clicks_to("a[href$=recovery-codes]", "Make new recovery codes");
    last.types_proof(&alice, &phone.code());
    last.submits_to("Save your recovery codes");
    last.clicks("[name=saved]");
    last.clicks_to("form > button", "New recovery codes");
    // The page came by a redirect: loading it again sends no form.
    last.runs("location.reload()");
    last.arrives_at("Your account");
    assert_contains(last.reads("main"), "6 are left");
}

/// T4, T5: sessions and trusted browsers are listed, and revoked one by one or all at once.
#[test]
#[ignore = "needs the test host: tests/run"]
fn sessions_and_trusted_browsers_are_ended_by_their_owner() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let phone = alice.enrols();
    let other = WebClient::new().with("User-Agent: <img src=x onerror=alert(1)>");
    other.signs_in_and_trusts(&web, &alice, &phone.code());
    host.clock.forward(30);
    let browser = at_home(&web, &alice, &phone);
    browser.clicks_to("a[href$=sign-ins]", "Sessions and browsers");
    let page = browser.reads("main");
    assert_contains(&page, "<img src=x onerror=alert(1)>");
    assert_contains(&page, "This session");

    assert_eq!(other.fetches(APP).status, 200);
    browser.clicks_to(
        "button[aria-label^='End the session in <img']",
        "Sessions and browsers",
    );
    assert_eq!(other.fetches(APP).status, 401);
    // The browser is still trusted: the password alone starts a new session.
    assert_eq!(
        other.password(&web, &alice).header("location"),
        format!("{APP}/")
    );
    browser.opens(&web.page("sign-ins"));
    browser.clicks_to(
        "button[aria-label^='Stop trusting <img']",
        "Sessions and browsers",
    );
    assert_contains(browser.reads("main"), "None: every sign-in asks for a code");
    let asked = other.password(&web, &alice);
    assert!(asked.header("location").contains("/code"), "{asked:?}");

    browser.clicks_to("input[value=end] ~ input[value=all] ~ button", "Sign in");
    assert_eq!(other.fetches(APP).status, 401);
    assert_lacks(web.gate.log(), "panicked");
}

/// T5, A6: a new password requires the old one and a code, and ends every other session.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_password_is_changed_by_its_owner() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let phone = alice.enrols();
    let other = WebClient::new();
    other.signs_in_and_trusts(&web, &alice, &phone.code());
    host.clock.forward(30);
    let browser = at_home(&web, &alice, &phone);
    host.clock.forward(30);
    browser.clicks_to("a[href$=password]:not([href*=app])", "Change your password");
    let try_it = |new: &str, again: &str| {
        browser.runs("for (const f of document.querySelectorAll('input')) f.minLength = 0");
        browser
            .types("[name=new]", new)
            .types("[name=repeat]", again);
        browser.types_proof(&alice, &phone.code());
        browser.clicks("form > button");
    };
    try_it("a new one, long enough", "another one");
    assert_eq!(
        browser
            .arrives_at("Change your password")
            .reads("[role=alert]"),
        "The two passwords differ; nothing was changed."
    );
    try_it("short", "short");
    assert_contains(
        browser
            .arrives_at("Change your password")
            .reads("[role=alert]"),
        "8 characters",
    );
    // E16: no code is consumed for it
    for (guessable, why) in [
        ("Password1", "most common"),
        ("alice2026", "made of your name"),
    ] {
        try_it(guessable, guessable);
        assert_contains(
            browser
                .arrives_at("Change your password")
                .reads("[role=alert]"),
            why,
        );
    }
    try_it("a new one, long enough", "a new one, long enough");
    browser
        .arrives_at("Password changed")
        .opens(APP)
        .arrives_at("The application");
    assert_eq!(other.fetches(APP).status, 401);
    assert_eq!(other.password(&web, &alice).status, 401);
    let new = other.sends_password(&web.pages, "alice", "a new one, long enough");
    assert!(
        new.header("location").contains("/code"),
        "trusted no longer: {new:?}"
    );
}

/// M4, E6: an address is set, confirmed and removed on the page.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_address_is_set_confirmed_and_removed_by_its_owner() {
    let host = Host::fresh();
    let server = MailServer::start();
    let (web, alice) = web(&host, PLAIN);
    let phone = alice.enrols();
    let browser = at_home(&web, &alice, &phone);
    host.clock.forward(30);
    browser
        .clicks_to("a[href$=email]", "Codes by mail")
        .types("[name=address]", "alice@example.test");
    browser.types_proof(&alice, &phone.code());
    browser.clicks("form[action$=email] button");
    let mail = server.got();
    browser.arrives_at("Codes by mail");
    let wrong = if mail.code() == "000000" {
        "000001"
    } else {
        "000000"
    };
    browser
        .types("form[action$=confirm] [name=code]", wrong)
        .clicks("form[action$=confirm] button");
    assert_eq!(
        browser.arrives_at("Codes by mail").reads("[role=alert]"),
        "That code is wrong"
    );
    browser
        .types("form[action$=confirm] [name=code]", &mail.code())
        .clicks("form[action$=confirm] button");
    browser
        .arrives_at("Address confirmed")
        .clicks_to("a.button", "Your account");
    assert_contains(
        browser.reads("main"),
        "Codes are mailed to alice@example.test",
    );
    browser
        .clicks("a[href$=email]")
        .clicks_to("a[href$='email/remove']", "Stop mailing codes");
    browser.submits_to("Codes by mail turned off");
    assert_lacks(
        &Postern::call("status alice --json").does().out,
        "alice@example.test",
    );
}

/// E1, L13, D1, D2, D3: the second factor is turned on and off on the account page. Turning it on
/// requires the password alone, since no authenticator exists yet.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_second_factor_is_turned_on_and_off_by_its_owner() {
    let host = Host::fresh();
    let (web, alice) = web(&host, "");
    let browser = Chromium::start();
    browser
        .opens(&web.pages)
        .clicks("a.button")
        .enters_password("alice", &alice.password);
    browser
        .arrives_at("Your account")
        .clicks_to("a[href$=turn-on]", "Set up your second factor");
    browser
        .types("[name=password]", "not hers")
        .clicks("form > button");
    browser.arrives_at("Set up your second factor");
    assert_eq!(browser.reads("[role=alert]"), "That password is wrong.");
    assert_contains(&Postern::call("status alice").does().out, "off");
    browser
        .types("[name=password]", &alice.password)
        .clicks("form > button");
    wait_until("the QR is shown", || {
        Ok(browser.runs("return !!document.querySelector('.qr svg')") == true)
    });
    let phone = scans(&browser);
    browser
        .types_the_last_digit(&phone.code())
        .arrives_at("Save your recovery codes");
    browser.clicks("[name=saved]").submits_to("Your account");
    assert_contains(browser.reads("main"), "6 are left");

    browser.clicks_to("a[href$=turn-off]", "Turn the second factor off");
    host.clock.forward(30);
    browser
        .types("[name=password]", &alice.password)
        .types("[name=code]", &phone.wrong());
    browser.submits_to("Turn the second factor off");
    assert_eq!(browser.reads("[role=alert]"), "That code is wrong");
    browser.types_proof(&alice, &phone.code());
    browser
        .submits_to("Second factor turned off")
        .opens(APP)
        .arrives_at("The application");
    assert_contains(&Postern::call("status alice").does().out, "off");
    assert_lacks(web.gate.log(), "panicked");
}
