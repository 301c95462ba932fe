//! Critical acts at the web: the step-up of 15 minutes that a recovery code or a one-time code
//! gives.

use testhost::{
    APP, Chromium, Host, PagesAt, Person, Phone, Postern, Proxy, Web, WebClient, assert_contains,
    assert_lacks,
};

/// Signs in with a recovery code.
#[track_caller]
fn recovers(person: &Person, code: &str) -> Chromium {
    let browser = Chromium::start();
    browser
        .opens(APP)
        .enters_password(&person.name, &person.password)
        .arrives_at("Verification code");
    browser
        .clicks("a[href*=other]")
        .enters_answer(code)
        .arrives_at("Signed in");
    browser
}

/// Starts to replace the lost authenticator, up to the QR code.
#[track_caller]
fn starts_over(browser: &Chromium) -> Phone {
    browser.clicks_to("form[action$=replace] button", "Set up a new authenticator");
    let url = browser.runs("return document.querySelector('a[href^=\"otpauth:\"]').href");
    Phone::scans(url.as_str().expect("a link"))
}

/// R4, D4: a user who lost the phone signs in with a recovery code and replaces the authenticator
/// at once.
#[test]
#[ignore = "needs the test host: tests/run"]
fn after_a_recovery_code_the_authenticator_is_replaced_without_another_factor() {
    let (host, web) = Host::with_web();
    let (alice, old, recovery) = host.web_user_with_recovery_codes("alice");
    let browser = recovers(&alice, &recovery[0]);
    assert_eq!(browser.reads("h2"), "Have you lost your phone?");
    let new = starts_over(&browser);
    // The old authenticator is valid until the new one is confirmed.
    alice.with_key().enters_with(&old.code());
    browser
        .types_the_last_digit(&new.code())
        .arrives_at("Save your recovery codes");
    browser.clicks("[name=saved]").submits_to("Your account");
    assert_lacks(
        browser.runs("return document.body.textContent").to_string(),
        "lost your phone",
    );
    browser.opens(APP).arrives_at("The application");

    host.clock.forward(30);
    alice
        .with_key()
        .is_refused(&old.code(), "That code is wrong");
    alice
        .with_key()
        .is_refused(&recovery[1], "That code is wrong");
    alice.with_key().enters_with(&new.code());
    let left = Postern::json("authenticator list alice --json");
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    assert_lacks(web.gate.log(), "panicked");
}

/// R4, D1: if no second factor is required, the user can disable it after a one-time code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn after_a_one_time_code_the_second_factor_is_turned_off_where_none_is_required() {
    let host = Host::fresh();
    let web = Web::start(
        &host,
        Proxy::Nginx,
        PagesAt::OwnHost,
        "[policy]\nrequired = [\"bob\"]\n",
    );
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    for person in [&alice, &bob] {
        person.has_a_password();
        person.enrols();
        let code = Postern::json(&format!("one-time-code {} --json", person.name));
        let client = WebClient::new();
        client.password(&web, person);
        let entered = client.code(&web, code["one_time_code"].as_str().expect("a code"));
        assert!(
            entered.body.contains("lost your phone") || entered.status == 303,
            "{entered:?}"
        );
        let output = client.sends(&web.page("turn-off"), &[]);
        if person.name == "bob" {
            assert_eq!(output.status, 409, "{output:?}");
            assert_contains(&output.body, "must have a second factor");
            continue;
        }
        assert_eq!(output.status, 200, "{output:?}");
        assert_contains(&Postern::call("status alice").does().out, "off");
        let event = Postern::json("log alice --event disabled --json");
        assert_eq!(
            (&event["service"], &event["principal"]),
            (&"web".into(), &"alice".into()),
            "{event}"
        );
        // This session continues under a new cookie.
        assert_eq!(client.loads(APP).status, 200);
        assert_eq!(client.password(&web, &alice).status, 303);
    }
}

/// S1, S2, trap 7: critical acts without a fresh code of the same session are refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_critical_act_takes_a_fresh_code_of_this_session() {
    let (host, web) = Host::with_web();
    let (alice, phone, recovery) = host.web_user_with_recovery_codes("alice");
    let acts = ["replace", "turn-off"].map(|act| format!("{}{act}", web.pages));
    let refused = |client: &WebClient, why: &str| {
        for act in &acts {
            let output = client.sends(act, &[]);
            assert_eq!(output.status, 403, "{why}: {output:?}");
        }
    };

    let sent_away = |client: &WebClient| {
        for act in &acts {
            assert!(
                client
                    .sends(act, &[])
                    .header("location")
                    .ends_with("/sign-in"),
                "{act}"
            );
        }
    };

    sent_away(&WebClient::new());
    let by_code = WebClient::new();
    by_code.signs_in(&web, &alice, &phone.code());
    refused(&by_code, "a session by a code, which may be hours old");

    let recovered = WebClient::new();
    recovered.password(&web, &alice);
    let told = recovered.code(&web, &recovery[0]);
    let cookie = told
        .headers
        .iter()
        .find(|(name, value)| name == "set-cookie" && value.contains("step-up"));
    let cookie = &cookie.expect("the ticket").1;
    for part in [
        "__Host-postern-step-up=",
        "HttpOnly",
        "Secure",
        "SameSite=Strict",
        "Max-Age=900",
        "Path=/",
    ] {
        assert_contains(cookie, part);
    }
    // The attacker sends a form from another site.
    let foreign = recovered
        .copy_of_cookies()
        .with("Origin: https://evil.example");
    refused(&foreign, "a form of another site's");
    // Another session of the same user, after a code of its own.
    host.clock.forward(30);
    let other = WebClient::new();
    other.signs_in(&web, &alice, &phone.code());
    let stolen = format!(
        "__Host-postern-step-up={}",
        recovered.cookie("__Host-postern-step-up")
    );
    let session = format!("__Secure-postern={}", other.cookie("__Secure-postern"));
    refused(
        &WebClient::new().with(&format!("Cookie: {session}; {stolen}")),
        "another session's",
    );
    sent_away(&WebClient::new().with(&format!("Cookie: {stolen}")));
    let login = recovered.cookie("__Secure-postern");
    let as_ticket = format!("Cookie: __Secure-postern={login}; __Host-postern-step-up={login}");
    refused(&WebClient::new().with(&as_ticket), "a session in its place");

    let late = recovered.copy_of_cookies();
    host.clock.forward(900);
    refused(&late, "too late");
    assert_contains(&Postern::call("status alice").does().out, "on");
}

/// Promise 3: an attacker starts a replacement at the browser that used the recovery code. Once
/// that session is revoked, the attacker cannot complete the replacement.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_replacement_ends_with_the_session_it_was_begun_in() {
    let (host, _web) = Host::with_web();
    let (alice, old, recovery) = host.web_user_with_recovery_codes("alice");
    let browser = recovers(&alice, &recovery[0]);
    let new = starts_over(&browser);
    browser
        .types_the_last_digit(&new.code())
        .arrives_at("Save your recovery codes");

    let sessions = Postern::json("session list alice --json");
    let id = sessions[0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{sessions}"));
    Postern::call(&format!("session revoke alice {id}")).does();
    browser.clicks("[name=saved]").submits_to("Sign in");
    assert_contains(browser.reads("[role=alert]"), "Nothing was changed");
    alice.with_key().enters_with(&old.code());
    alice
        .with_key()
        .is_refused(&new.code(), "That code is wrong");
}

/// On a path of the application, scripts share the gate's origin, so no critical act is possible.
#[test]
#[ignore = "needs the test host: tests/run"]
fn on_a_path_of_the_application_nothing_critical_is_open() {
    let host = Host::fresh();
    let web = Web::start(&host, Proxy::Nginx, PagesAt::Path, "");
    let (alice, _, recovery) = host.web_user_with_recovery_codes("alice");
    let client = WebClient::new();
    client.password(&web, &alice);
    let told = client.code(&web, &recovery[0]);
    assert!(
        told.status == 200 && !told.body.contains("lost your phone"),
        "{told:?}"
    );
    assert!(
        !client
            .cookies()
            .iter()
            .any(|(name, _)| name.contains("step-up"))
    );
    assert_eq!(client.sends(&web.page("turn-off"), &[]).status, 403);
}
