//! The first enrollment at the web, by a user who must have a second factor and has none.

use data_encoding::BASE64;
use std::fs;
use std::process::Command;
use testhost::{
    APP, Chromium, Host, PagesAt, Phone, Postern, Proxy, Reply, Web, WebClient, assert_contains,
    assert_lacks, finished,
};

const REQUIRED: &str = "[policy]\nrequired = \"all\"\nadministrators = [\"carol\", \"%keepers\"]\n";
const WITHIN: &str = "[policy]\nrequired = \"all\"\nenroll_within = \"1d\"\n";

/// L13, E3, E9: enrollment within `enroll_within`, in a real browser. Neither ssh nor the web
/// accepts the confirming code again.
#[test]
#[ignore = "needs the test host: tests/run"]
fn someone_required_sets_up_a_second_factor_before_anything_else() {
    for (proxy, pages_at) in [
        (Proxy::Nginx, PagesAt::OwnHost),
        (Proxy::Traefik, PagesAt::Path),
    ] {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, pages_at, WITHIN);
        let alice = host.person("alice");
        alice.has_a_password();
        let browser = Chromium::start();
        let asked = format!("{APP}/notes/7?a=1");

        browser
            .opens(&asked)
            .enters_password("alice", &alice.password);
        browser
            .arrives_at("Set up your second factor")
            .emulates_screen(390, 844, "dark");
        let picture = BASE64.decode(browser.picture().as_bytes()).expect("Base64");
        fs::write("/tmp/setup.png", picture).expect("/tmp can be written");
        let scanned = finished(Command::new("zbarimg").args(["-q", "--raw", "/tmp/setup.png"]));
        let phone = Phone::scans(scanned.trim_end());
        // No other page is accessible.
        browser.opens_a_tab();
        browser.opens(&asked).arrives_at("Sign in");
        web.application.got_nothing();

        browser
            .enters_password("alice", &alice.password)
            .arrives_at("Set up your second factor");
        let url = browser.runs("return document.querySelector('a[href^=\"otpauth:\"]').href");
        let second = Phone::scans(url.as_str().expect("a link"));
        assert_ne!(phone.secret(), second.secret(), "another secret each time");
        browser
            .types_the_last_digit(&second.wrong())
            .arrives_at("Set up your second factor");
        assert_contains(browser.reads("[role=alert]"), "wrong");
        let code = second.code();
        browser
            .types_the_last_digit(&code)
            .arrives_at("Save your recovery codes");
        let codes = browser
            .runs("return [...document.querySelectorAll('.codes code')].map(c => c.textContent)");
        assert_eq!(codes.as_array().map(Vec::len), Some(6));
        assert!(
            Postern::call("status alice").does().out.contains("off"),
            "nothing is kept yet"
        );
        browser.clicks("form > button");
        assert_eq!(
            browser.heading(),
            "Save your recovery codes",
            "not without the tick"
        );
        browser.clicks("[name=saved]").submits_to("The application");
        assert_eq!(browser.url(), asked);
        assert_eq!(web.application.got().value("Remote-User"), "alice");

        alice.with_key().is_refused(&code, "used already");
        host.clock.forward(30);
        alice.with_key().enters_with(&second.code());
        let enrolled = Postern::json("log alice --event enrolled --json");
        assert_eq!(
            (&enrolled["service"], &enrolled["principal"]),
            (&"web".into(), &"alice".into()),
            "{enrolled}"
        );
        assert_lacks(web.gate.log(), second.secret());
        assert_lacks(web.gate.log(), &code);
    }
}

/// An enrollment had no way out but to close the page.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_cancelled_setup_leaves_nothing_behind() {
    let host = Host::fresh();
    let _web = Web::nginx(&host, WITHIN);
    let alice = host.person("alice");
    alice.has_a_password();
    let browser = Chromium::start();
    let asked = format!("{APP}/notes/7");
    browser
        .opens(&asked)
        .enters_password("alice", &alice.password)
        .arrives_at("Set up your second factor")
        .clicks_to("form[action$='enroll/cancel'] button", "Sign in");
    assert_contains(browser.reads(".who"), "app.example.test");
    let cookies = browser.cookies();
    assert!(
        !cookies
            .iter()
            .any(|(name, _)| name.ends_with("-enrollment")),
        "{cookies:?}"
    );
    assert_contains(&Postern::call("status alice").does().out, "off");
}

/// L13, N5: after `enroll_within`, enrollment requires an administrator's one-time code. Without it
/// the page says whom to ask.
#[test]
#[ignore = "needs the test host: tests/run"]
fn later_a_first_setup_needs_a_one_time_code() {
    let host = Host::fresh();
    let web = Web::nginx(&host, REQUIRED);
    let (alice, carol) = (host.person("alice"), host.person("carol"));
    alice.has_a_password();
    carol.has_a_password();
    carol.enrols();
    let client = WebClient::new();

    client.password(&web, &alice).redirects_to(303, "/enroll");
    let refused = client.loads(&web.page("enroll"));
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_contains(&refused.body, "ask an administrator (carol, group keepers)");
    assert_lacks(&client.loads(&web.page("enroll")).body, "otpauth");
    let code = Postern::one_time_code("alice");
    let at = web.page("enroll/one-time-code");
    for wrong in ["P-2222-2222-2222", "123456", "", "P-"] {
        assert_eq!(
            client.sends(&at, &[("code", wrong)]).status,
            401,
            "{wrong:?}"
        );
    }
    let invited = client.sends(&at, &[("code", &code)]);
    assert_eq!(invited.status, 303, "{invited:?}");
    // The one-time code is not consumed yet: a cancelled enrollment leaves it valid.
    client.loads(&web.page("enroll"));
    let again = WebClient::new();
    again.password(&web, &alice);
    assert_eq!(again.sends(&at, &[("code", &code)]).status, 303);

    let (_, confirmed) = confirms(&web, &client);
    let late = confirms(&web, &again).1;
    let entered = finishes(&web, &client, &confirmed);
    entered.redirects_to(303, &format!("{APP}/"));
    assert_eq!(client.follows(&entered).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "alice");
    // The other enrollment began with the same one-time code, which is consumed now.
    assert_eq!(finishes(&web, &again, &late).status, 401);
    assert_eq!(
        Postern::json("authenticator list alice --json")
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

/// `self_enroll` limits enrollment without a one-time code to networks, or forbids it. It never
/// replaces `enroll_within`: somebody required needs the one-time code without it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn self_enroll_says_from_where_a_first_setup_needs_nothing_else() {
    for (policy, extra, from, status) in [
        (WITHIN, "self_enroll = \"always\"\n", "127.0.1.7", 200),
        (REQUIRED, "self_enroll = \"always\"\n", "127.0.1.7", 403),
        (
            REQUIRED,
            "self_enroll = \"networks\"\nself_enroll_networks = [\"127.0.1.0/24\"]\n",
            "127.0.1.7",
            403,
        ),
        (
            WITHIN,
            "self_enroll = \"networks\"\nself_enroll_networks = [\"127.0.1.0/24\"]\n",
            "127.0.1.7",
            200,
        ),
        (
            WITHIN,
            "self_enroll = \"networks\"\nself_enroll_networks = [\"127.0.1.0/24\"]\n",
            "127.0.2.7",
            403,
        ),
        (
            WITHIN,
            "self_enroll = \"one-time-code\"\n",
            "127.0.1.7",
            403,
        ),
    ] {
        let host = Host::fresh();
        let web = Web::start(
            &host,
            Proxy::Nginx,
            PagesAt::OwnHost,
            &format!("{policy}{extra}"),
        );
        let alice = host.person("alice");
        alice.has_a_password();
        let client = WebClient::new().from(from);
        client.password(&web, &alice);
        let output = client.loads(&web.page("enroll"));
        assert_eq!(
            output.status, status,
            "{policy}{extra} from {from}: {output:?}"
        );
        if policy == REQUIRED {
            assert_contains(&output.body, "ask an administrator (carol, group keepers)");
        }
    }
}

/// E1, E2, E4, E5, E7, traps 2 and 7: enrollment tokens of other users, browsers, purposes and
/// times are refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_setup_is_for_a_user_who_began_it_in_its_time_and_while_the_account_exists() {
    let host = Host::fresh();
    let web = Web::nginx(&host, WITHIN);
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.has_a_password();
    bob.has_a_password();
    let setup = web.page("enroll");

    let attacker = WebClient::new();
    assert_eq!(
        attacker.sends_password(&web.pages, "alice", "wrong").status,
        401
    );
    assert!(attacker.cookies().is_empty(), "{:?}", attacker.cookies());
    assert_eq!(attacker.loads(&setup).status, 303);
    for step in ["one-time-code", "code", "finish"] {
        let fields = [
            ("pending", "x"),
            ("confirmed", "x"),
            ("code", "123456"),
            ("saved", "yes"),
        ];
        assert_eq!(
            attacker.sends(&format!("{setup}/{step}"), &fields).status,
            401,
            "{step}"
        );
    }

    let client = WebClient::new();
    let begun = client.password(&web, &alice);
    begun.redirects_to(303, "/enroll");
    let cookie = begun.header("set-cookie");
    for part in [
        "__Host-postern-enrollment=",
        "HttpOnly",
        "Secure",
        "SameSite=Strict",
        "Max-Age=900",
    ] {
        assert_contains(cookie, part);
    }
    let page = client.loads(&setup);
    assert_eq!(
        (page.status, page.header("cache-control")),
        (200, "no-store")
    );
    let (phone, draft) = authenticator(&page);
    // The attacker sends a form from another site.
    let foreign = client
        .with("Origin: https://evil.example")
        .sends(&format!("{setup}/code"), &[]);
    assert_eq!(foreign.status, 403);
    // The token of another user, and of another browser of the same user.
    for (name, password) in [("bob", &bob.password), ("alice", &alice.password)] {
        let other = WebClient::new();
        other.sends_password(&web.pages, name, password);
        let fields = [("pending", draft.as_str()), ("code", &phone.code())];
        assert_eq!(
            other.sends(&format!("{setup}/code"), &fields).status,
            401,
            "{name}"
        );
    }
    // An altered token, and a token of another purpose.
    let altered = format!("A{}", &draft[1..]);
    let ticket = client.cookie("__Host-postern-enrollment");
    for wrong in [altered.as_str(), "", "x", &ticket] {
        let thief = client.copy_of_cookies();
        let fields = [("pending", wrong), ("code", &phone.code())];
        assert_eq!(
            thief.sends(&format!("{setup}/code"), &fields).status,
            401,
            "{wrong}"
        );
        let fields = [("confirmed", wrong), ("saved", "yes")];
        assert_eq!(
            thief.sends(&format!("{setup}/finish"), &fields).status,
            401,
            "{wrong}"
        );
    }
    // A pending enrollment is not a confirmed one.
    assert_eq!(
        finishes(&web, &client.copy_of_cookies(), &draft).status,
        401
    );
    assert_contains(&Postern::call("status alice").does().out, "off");

    // The token has expired.
    let (_, confirmed) = confirms(&web, &client);
    let thief = client.copy_of_cookies();
    host.clock.forward(900);
    assert_eq!(finishes(&web, &thief, &confirmed).status, 401);
    // The password was changed meanwhile.
    let client = WebClient::new();
    client.password(&web, &alice);
    let (_, confirmed) = confirms(&web, &client);
    alice.has_a_password();
    assert_eq!(finishes(&web, &client, &confirmed).status, 401);
    assert_contains(&Postern::call("status alice").does().out, "off");

    // After activation, the secret is not shown again.
    let client = WebClient::new();
    client.password(&web, &alice);
    let (_, confirmed) = confirms(&web, &client);
    let ticket = client.copy_of_cookies();
    assert_eq!(finishes(&web, &client, &confirmed).status, 303);
    assert!(
        !client
            .cookies()
            .iter()
            .any(|(name, value)| name.ends_with("enrollment") && !value.is_empty())
    );
    ticket.loads(&setup).redirects_to(303, "/sign-in");
    let again = ticket.loads(&web.page("sign-in"));
    assert!(
        again.status == 401 && !again.body.contains("otpauth"),
        "{again:?}"
    );
    assert_eq!(finishes(&web, &ticket, &confirmed).status, 401);
    assert_lacks(web.gate.log(), "panicked");
}

/// Returns the authenticator on an enrollment page, and the token in its form.
#[track_caller]
fn authenticator(page: &Reply) -> (Phone, String) {
    let value = |from: &str| {
        let rest = page
            .body
            .split(from)
            .nth(1)
            .unwrap_or_else(|| panic!("no {from} in {page:?}"));
        rest.split('"')
            .next()
            .unwrap_or_default()
            .replace("&#38;", "&")
    };
    (
        Phone::scans(&value("<a href=\"otpauth").replacen(':', "otpauth:", 1)),
        value("name=\"pending\" value=\""),
    )
}

/// Confirms the authenticator, and returns the token of the page with recovery codes.
#[track_caller]
fn confirms(web: &Web, client: &WebClient) -> (Phone, String) {
    let (phone, draft) = authenticator(&client.loads(&web.page("enroll")));
    let fields = [("pending", draft.as_str()), ("code", &phone.code())];
    let page = client.sends(&web.page("enroll/code"), &fields);
    assert_eq!(page.status, 200, "{page:?}");
    let confirmed = page
        .body
        .split("name=\"confirmed\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    (phone, confirmed.expect("a form").to_owned())
}

#[track_caller]
fn finishes(web: &Web, client: &WebClient, confirmed: &str) -> Reply {
    client.sends(
        &web.page("enroll/finish"),
        &[("confirmed", confirmed), ("saved", "yes")],
    )
}
