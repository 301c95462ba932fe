//! Sign-in by a passkey alone, and critical acts by a passkey in the API, in a real browser with its
//! virtual authenticator.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use testhost::{
    APP, Chromium, Host, PagesAt, Person, Phone, Postern, Proxy, VirtualAuthenticator, Web,
    WebClient, assert_contains, assert_lacks, keep_picture,
};

const SIGN_IN: &str = "[gate.passkeys]\nsign_in = true\n";
/// The button of the sign-in page.
const ALONE: &str = "form[action$='sign-in/passkey'] button";

fn starts(rules: &str) -> (Host, Web) {
    let host = Host::fresh();
    let web = Web::start(&host, Proxy::Nginx, PagesAt::OwnHost, rules);
    (host, web)
}

/// Signs in by a code, and adds a passkey.
#[track_caller]
fn adds_passkey(host: &Host, web: &Web, browser: &Chromium, alice: &Person, phone: &Phone) {
    browser
        .opens(APP)
        .enters_password("alice", &alice.password)
        .enters_code(&phone.code())
        .arrives_at("The application");
    host.clock.forward(30);
    browser
        .opens(&format!("{}passkeys", web.pages))
        .arrives_at("Passkeys")
        .types("[name=name]", "laptop")
        .types_proof(alice, &phone.code())
        .submits_to("Add a passkey");
    browser.submits_to("Passkeys");
    assert_contains(browser.reads("ul.rows"), "laptop");
}

#[track_caller]
fn signs_out(web: &Web, browser: &Chromium) {
    browser
        .opens(&web.pages)
        .arrives_at("Your account")
        .clicks("form[action$=sign-out] button")
        .arrives_at("Signed out");
}

/// Clicks the button of the sign-in page, where the page is not left.
fn clicks_and_stays(browser: &Chromium) {
    browser.runs(&format!("document.querySelector(\"{ALONE}\").click()"));
}

/// Starts a browser in which scripts of the story may call the API: the pages forbid it to theirs.
fn starts_browser() -> Chromium {
    let browser = Chromium::start();
    browser.devtools("Page.setBypassCSP", &json!({ "enabled": true }));
    browser
}

/// Keeps pictures of a page on a phone and a large screen, in light and dark.
fn keeps_pictures(browser: &Chromium, page: &str) {
    for (width, height, scheme) in [
        (1280, 900, "light"),
        (390, 844, "light"),
        (390, 844, "dark"),
        (1280, 900, "dark"),
    ] {
        browser.emulates_screen(width, height, scheme);
        let wide = browser.runs("return document.documentElement.scrollWidth");
        assert!(wide.as_u64().is_some_and(|wide| wide <= u64::from(width)));
        keep_picture(&format!("{page}-{width}-{scheme}"), &browser.picture());
    }
    browser.emulates_screen(1280, 900, "light");
}

/// Calls an endpoint of the API from a page of the gate, and returns status and body.
#[track_caller]
fn calls(browser: &Chromium, method: &str, path: &str, body: &Value) -> (u64, Value) {
    let script = format!(
        "const done = arguments[arguments.length - 1]; \
         fetch('/api/v1/{path}', {{ method: '{method}', headers: {{ 'Content-Type': 'application/json' }}, \
         body: {body} }}).then(async (reply) => done([reply.status, await reply.text()]), \
         (error) => done([0, String(error)]))",
        body = match body {
            Value::Null => "undefined".to_owned(),
            body => format!("JSON.stringify({body})"),
        }
    );
    let reply = browser.runs_and_waits(&script);
    let text = reply[1].as_str().unwrap_or_default();
    let body = serde_json::from_str(text).unwrap_or(Value::Null);
    (reply[0].as_u64().expect("a status"), body)
}

/// Gives options of the API to `navigator.credentials.get`, and returns what it returns.
#[track_caller]
fn asks_browser(browser: &Chromium, options: &Value) -> Value {
    let script = format!(
        "const done = arguments[arguments.length - 1]; \
         navigator.credentials.get({{ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON({options}) }}) \
         .then((used) => done(used.toJSON()), (error) => done(String(error)))"
    );
    browser.runs_and_waits(&script)
}

/// K1: without a name and a password a passkey opens the page that was requested, also one whose rule
/// requires a passkey; its request is used up; a removed passkey opens nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_passkey_alone_signs_in_without_a_name() {
    let rules = format!(
        "{SIGN_IN}[[gate.rule]]\npaths = [\"/vault\"]\nthen = \"passkey\"\nwithin = \"1h\"\n"
    );
    let (host, web) = starts(&rules);
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    let authenticator = browser.with_authenticator();
    adds_passkey(&host, &web, &browser, &alice, &phone);
    let kept = authenticator.passkeys();
    assert_eq!(kept[0]["isResidentCredential"], true, "{kept:?}");
    signs_out(&web, &browser);

    let vault = format!("{APP}/vault?a=1");
    browser.opens(&vault).arrives_at("Sign in");
    keeps_pictures(&browser, "sign-in-with-passkey");
    browser.asks_for_language("de");
    browser.opens(&vault).arrives_at("Anmelden");
    assert_eq!(browser.reads(ALONE), "Mit einem Passkey anmelden");
    keeps_pictures(&browser, "sign-in-with-passkey-de");
    browser.asks_for_language("en");
    browser
        .opens(&vault)
        .arrives_at("Sign in")
        .clicks_to(ALONE, "The application");
    assert_eq!(browser.url(), vault);
    assert_contains(Postern::call("log alice").does().out, "passkey-alone");
    assert_contains(web.gate.log(), "accepted cause=passkey-alone");
    let sessions = format!("{}sign-ins", web.pages);
    browser.opens(&sessions).arrives_at("Sessions and browsers");

    // What was sent is sent again: neither the session nor anything else comes of it.
    signs_out(&web, &browser);
    browser.opens(&vault).arrives_at("Sign in");
    browser.runs(
        "HTMLFormElement.prototype.requestSubmit = function () { \
         window.sent = [...new FormData(this)]; }",
    );
    clicks_and_stays(&browser);
    let sent = testhost::patiently("the passkey", || {
        Ok(browser
            .runs("return window.sent || null")
            .as_array()
            .cloned())
    });
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let fields: Vec<_> = sent.iter().map(|f| (text(&f[0]), text(&f[1]))).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
    let page = web.page("sign-in/passkey");
    WebClient::new()
        .sends(&page, &fields)
        .redirects_to(303, &vault);
    let thief = WebClient::new();
    thief.sends(&page, &fields).expect_status(401);
    assert!(
        thief
            .cookies()
            .iter()
            .all(|(name, _)| name != "__Secure-postern")
    );

    let label = "passkeys/remove?name=laptop";
    host.clock.forward(30);
    // the rule demands a passkey, so it takes a session by one to remove it
    browser
        .opens(APP)
        .arrives_at("Sign in")
        .clicks_to(ALONE, "The application");
    browser
        .opens(&web.page(label))
        .arrives_at("Remove a passkey")
        .types_proof(&alice, &phone.code());
    browser.clicks_to("main form > button", "Passkey removed");
    // the session was by that passkey alone, and has ended with it
    browser
        .opens(APP)
        .arrives_at("Sign in")
        .clicks(ALONE)
        .arrives_at("Sign in");
    assert_contains(
        browser.reads("[role=alert]:not([hidden])"),
        "sign in with name and password",
    );
    keeps_pictures(&browser, "sign-in-with-passkey-refused");
    assert_lacks(web.gate.log(), "panicked");
}

/// A device that does not recognize its user gives no passkey to the sign-in page, which says so.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_passkey_without_a_verified_user_does_not_sign_in_alone() {
    let (host, web) = starts(SIGN_IN);
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    let key: VirtualAuthenticator<'_> = browser.with_authenticator();
    adds_passkey(&host, &web, &browser, &alice, &phone);
    signs_out(&web, &browser);
    key.recognizes_user(false);
    browser.opens(APP).arrives_at("Sign in");
    clicks_and_stays(&browser);
    // The browser itself refuses, since the page asks for a verified user.
    testhost::patiently("the message", || {
        let hidden = browser.runs("return document.querySelector('[data-failed]').hidden");
        Ok((hidden == json!(false)).then_some(()))
    });
    assert_contains(
        browser.reads("[data-failed]"),
        "The browser gave no passkey",
    );
}

/// Off by default: no button, no endpoint, no form.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_the_key_no_passkey_signs_in_alone() {
    let (host, web) = Host::with_web();
    let (_alice, _) = host.web_user("alice");
    let browser = starts_browser();
    browser.opens(APP).arrives_at("Sign in");
    let forms = browser.runs("return document.querySelectorAll('[data-get]').length");
    assert_eq!(forms, 0);
    let (status, body) = calls(
        &browser,
        "POST",
        "sign-in/passkey-alone/request",
        &Value::Null,
    );
    assert_eq!((status, &body["code"]), (409, &json!("no_passkeys")));
    let sent = [("passkey_token", "x"), ("passkey", "{}")];
    WebClient::new()
        .sends(&web.page("sign-in/passkey"), &sent)
        .expect_status(409);
}

/// K1: the API signs in by a passkey alone, and confirms critical acts by one.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_passkey_signs_in_and_steps_up_through_the_api() {
    let (host, web) = starts(SIGN_IN);
    let (alice, phone) = host.web_user("alice");
    let browser = starts_browser();
    let _key = browser.with_authenticator();
    adds_passkey(&host, &web, &browser, &alice, &phone);
    signs_out(&web, &browser);

    let path = "sign-in/passkey-alone";
    let (status, begun) = calls(&browser, "POST", &format!("{path}/request"), &Value::Null);
    assert_eq!(status, 200, "{begun}");
    let credential = asks_browser(&browser, &begun["options"]);
    let entered = json!({ "token": begun["token"], "credential": credential });
    let (status, next) = calls(&browser, "POST", path, &entered);
    assert_eq!(
        (status, &next["state"]),
        (200, &json!("signed_in")),
        "{next}"
    );
    assert_eq!(next["user"], "alice");
    let (status, again) = calls(&browser, "POST", path, &entered);
    assert_eq!(status, 401, "{again}");

    // A sign-in is no step-up; a passkey for it is one.
    let (status, body) = calls(&browser, "POST", "recovery-codes", &Value::Null);
    assert_eq!((status, &body["code"]), (403, &json!("step_up_required")));
    let (_, begun) = calls(&browser, "POST", "step-up/passkey/request", &Value::Null);
    let credential = asks_browser(&browser, &begun["options"]);
    let proof = json!({ "token": begun["token"], "credential": credential });
    let (status, body) = calls(&browser, "POST", "step-up/passkey", &proof);
    assert_eq!(status, 204, "{body}");
    let (status, body) = calls(&browser, "POST", "recovery-codes", &Value::Null);
    assert_eq!(status, 200, "{body}");
    // Neither is used twice, and a sign-in is not used as a step-up.
    for used in [&proof, &entered] {
        let (status, body) = calls(&browser, "POST", "step-up/passkey", used);
        assert_eq!((status, &body["code"]), (403, &json!("passkey_refused")));
    }
}

/// The page of passkeys is where programs look for it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_well_known_address_names_the_page_of_passkeys() {
    let (_host, web) = Host::with_web();
    let client = WebClient::new();
    let reply = client.fetches(&web.page(".well-known/passkey-endpoints"));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
    let found: Value = serde_json::from_str(&reply.body).expect("JSON");
    let page = web.page("passkeys");
    assert_eq!(found, json!({ "enroll": page, "manage": page }));
    let head = client.option("--head");
    let head = head.fetches(&web.page(".well-known/passkey-endpoints"));
    assert_eq!(head.status, 200);
}

/// An account that must have a passkey is led to add one; others, and SSH, go on with codes.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_account_that_must_have_a_passkey_is_led_to_add_one() {
    let (host, web) = starts("[policy]\npasskey_required = [\"alice\"]\n");
    let (alice, phone) = host.web_user("alice");
    let (bob, other_phone) = host.web_user("bob");
    let browser = Chromium::start();
    let _key = browser.with_authenticator();
    browser
        .opens(APP)
        .enters_password("alice", &alice.password)
        .arrives_at("Verification code");
    assert_contains(browser.reads("main"), "you have none yet");
    browser.enters_code(&phone.code()).arrives_at("Passkeys");
    assert_contains(browser.reads("[role=alert]"), "Add one here");
    keeps_pictures(&browser, "passkeys-needed");
    // The code signed her in, and opens no application.
    browser.opens(APP).arrives_at("Verification code");
    host.clock.forward(30);
    browser
        .opens(&web.page("passkeys"))
        .arrives_at("Passkeys")
        .types("[name=name]", "laptop")
        .types_proof(&alice, &phone.code())
        .submits_to("Add a passkey");
    browser.submits_to("Passkeys");
    browser.opens(APP).arrives_at("Verification code");
    assert_contains(browser.reads("main"), "needs a passkey");
    keeps_pictures(&browser, "code-needs-passkey");
    browser.clicks_to("form[data-get] button", "The application");

    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    let client = WebClient::new();
    client.signs_in(&web, &bob, &other_phone.code());
    assert_eq!(client.loads(&format!("{APP}/x")).status, 200);
}

/// A gate whose passkeys were made for another relying party is not reloaded, and says so at a start.
#[test]
#[ignore = "needs the test host: tests/run"]
fn another_relying_party_than_that_of_the_passkeys_is_refused_at_reload() {
    let (host, mut web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    let _key = browser.with_authenticator();
    adds_passkey(&host, &web, &browser, &alice, &phone);
    testhost::reconfigure(
        "[gate]\n",
        "[gate]\npasskeys = { rp_id = \"example.test\" }\n",
    );
    web.gate.signal(Signal::SIGHUP);
    web.gate.says("not reloaded");
    let made = "made for \"auth.example.test\"";
    assert_contains(web.gate.log(), made);
    assert_contains(
        web.gate.log(),
        "set gate.passkeys.rp_id = \"auth.example.test\"",
    );
    // The previous configuration is in force.
    signs_out(&web, &browser);
    browser
        .opens(APP)
        .enters_password("alice", &alice.password)
        .clicks_to("form[data-get] button", "The application");
    assert_contains(Postern::call("check").run().out, made);

    web.gate.restart();
    web.gate.says(made);
    signs_out(&web, &browser);
    host.clock.forward(30);
    browser
        .opens(APP)
        .enters_password("alice", &alice.password)
        .enters_code(&phone.code())
        .arrives_at("The application");
}
