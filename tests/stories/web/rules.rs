//! Rules of the gate: where access is open, where the password suffices, where a code is required,
//! and where access is denied.

use testhost::{APP, Host, PagesAt, Person, Postern, Proxy, Web, WebClient, Wire, assert_contains};

const SESSION: &str = "__Secure-postern";
const RULES: &str = r#"
[[gate.rule]]
hosts = ["APP.example.test"]
paths = ["/pub"]
then = "open"
[[gate.rule]]
paths = ["/closed"]
then = "deny"
[[gate.rule]]
paths = ["/near"]
networks = ["127.0.0.9"]
then = "open"
[[gate.rule]]
paths = ["/cheap"]
methods = ["GET", "HEAD"]
then = "password"
[[gate.rule]]
paths = ["/team"]
users = ["bob"]
then = "deny"
[[gate.rule]]
paths = ["/team"]
groups = ["alice"]
then = "password"
[[policy.exempt]]
networks = ["127.0.0.8"]
"#;

/// Posts the sign-in form with a page as the redirect target, and returns the reply.
#[track_caller]
fn password(web: &Web, client: &WebClient, person: &Person, page: &str) -> testhost::Reply {
    let rd = format!("{APP}{page}");
    let fields = [
        ("rd", rd.as_str()),
        ("user", &person.name),
        ("password", &person.password),
        ("recovery", ""),
    ];
    client.sends(&web.page("sign-in"), &fields)
}

/// C3: an open path needs no sign-in. No other spelling of a closed path evades its rule.
#[test]
#[ignore = "needs the test host: tests/run"]
fn where_it_is_open_no_user_signs_in_and_where_it_is_not_no_spelling_helps() {
    for proxy in Proxy::ALL {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, PagesAt::OwnHost, RULES);
        let attacker = WebClient::new();
        let page = format!("{APP}/pub/a%20b?c=/../closed");
        // nginx refuses the header; Traefik removes it.
        let forged = attacker.with("Remote-User: root").loads(&page);
        assert_eq!(
            forged.status,
            if proxy == Proxy::Nginx { 400 } else { 200 },
            "{proxy:?} {forged:?}"
        );
        assert!(
            web.application
                .arrived()
                .iter()
                .all(|got| got.value("Remote-User").is_empty()),
            "{proxy:?}"
        );
        let browser = attacker
            .with(&format!("Cookie: theme=dark; {SESSION}=forged"))
            .with("Authorization: Basic YWxpY2U6b2YgdGhlIGFwcGxpY2F0aW9u");
        assert_eq!(browser.loads(&page).status, 200, "{proxy:?}");
        let got = web.application.got();
        assert_eq!(got.request, "GET /pub/a%20b?c=/../closed");
        assert_eq!(
            (got.value("Remote-User"), got.value("Cookie")),
            ("", "theme=dark"),
            "{proxy:?}"
        );
        assert_eq!(
            got.value("Authorization"),
            "Basic YWxpY2U6b2YgdGhlIGFwcGxpY2F0aW9u"
        );
        // An app password is verified on open paths too, and its account reaches the application.
        Postern::call("account add alice").does();
        let shown = Postern::call("app-password add alice files --scope web:app.example.test")
            .does()
            .out;
        let client = attacker.with(&format!("Authorization: Bearer {}", shown.trim()));
        assert_eq!(client.fetches(&page).status, 200, "{proxy:?}");
        let got = web.application.got();
        assert_eq!(
            (got.value("Remote-User"), got.value("Authorization")),
            ("alice", ""),
            "{proxy:?}"
        );
        assert_eq!(
            client.fetches(&format!("{APP}/closed")).status,
            403,
            "{proxy:?}"
        );
        Postern::call("app-password revoke alice files").does();
        let wrong = client.calls("GET", &page, "");
        assert_eq!(wrong.status, 401, "{proxy:?} {wrong:?}");
        assert_contains(wrong.header("www-authenticate"), "app password");

        // This rule depends on the client's address and on the method.
        let near = |from: &str| {
            WebClient::new()
                .from(from)
                .loads(&format!("{APP}/near"))
                .status
        };
        assert_eq!(
            (near("127.0.0.9"), near("127.0.0.1")),
            (200, 302),
            "{proxy:?}"
        );
        assert_eq!(web.application.arrived().len(), 1);

        for closed in [
            "/closed",
            "/closed/x?y",
            "/clos%65d",
            "/pub/../closed",
            "/pub/%2e%2e/closed",
            "/pub/..%2fclosed",
            "/pub%2f..%2fclosed",
            "/pub/..;/closed",
            "/pub/;x/../../closed",
            "/pub/%5c..%5cclosed",
            "/pub/%252e%252e/closed",
            "/pub/%ff",
            "/pub/%0a",
        ] {
            let reply = attacker.fetches(&format!("{APP}{closed}"));
            // Traefik refuses some of these itself.
            let statuses: &[u16] = if proxy == Proxy::Nginx {
                &[403]
            } else {
                &[403, 400]
            };
            assert!(
                statuses.contains(&reply.status),
                "{proxy:?} {closed}: {reply:?}"
            );
        }
        web.gate
            .says("refused cause=gate.rule-2 address=127.0.0.1 service=web user=\"-\"");
        // The request line names another path, or another host, than the URL.
        let asks = |target: &str| {
            attacker
                .option("--http1.1")
                .option("--request-target")
                .option(target)
        };
        let reply = asks("https://app.example.test:8443/closed").fetches(&format!("{APP}/pub"));
        assert!(
            [403, 404, 400].contains(&reply.status),
            "{proxy:?}: {reply:?}"
        );
        web.application.got_nothing();

        let upper = attacker
            .with("Host: APP.Example.test.:8443")
            .option("--http1.1")
            .loads(&page);
        if proxy == Proxy::Nginx {
            assert_eq!(upper.status, 200, "{upper:?}");
        }
    }
}

/// A code upgrades the session to the full level under a new cookie. The old cookie is invalid.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_password_opens_where_it_suffices_and_the_code_is_asked_elsewhere() {
    let host = Host::fresh();
    let web = Web::nginx(&host, RULES);
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.has_a_password();
    bob.has_a_password();
    let phone = alice.enrols();
    let (client, page) = (WebClient::new(), |path: &str| format!("{APP}{path}"));

    let sent = client.loads(&page("/cheap/x?y"));
    assert_contains(sent.header("location"), "/sign-in?rd=");
    let entered = password(&web, &client, &alice, "/cheap/x?y");
    entered.redirects_to(303, &page("/cheap/x?y"));
    web.gate
        .says("accepted cause=gate.rule-4 address=127.0.0.1 service=web user=\"alice\"");
    assert_eq!(client.loads(&page("/cheap")).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "alice");
    // The rule names a group of this host.
    assert_eq!(client.loads(&page("/team")).status, 200);
    // An exemption also removes the code that a rule requires.
    assert_eq!(
        client.clone().from("127.0.0.8").loads(&page("/")).status,
        200
    );
    web.application.arrived();

    let before = client.cookie(SESSION);
    assert_eq!(client.fetches(&page("/")).status, 401);
    assert_eq!(
        client.option("-XPOST").fetches(&page("/cheap")).status,
        401,
        "reading is cheap alone"
    );
    for url in [page("/"), page("/cheapx")] {
        let sent = client.loads(&url);
        assert!(
            sent.header("location").contains("/upgrade?rd="),
            "{url} {sent:?}"
        );
    }
    // The sign-in page shows the form, which avoids a redirect loop.
    assert_eq!(
        client
            .loads(&format!("{}sign-in?rd={APP}/", web.pages))
            .status,
        200
    );
    let sent = client.loads(&page("/asked"));
    let asked = client.follows(&sent);
    assert!(
        asked.status == 303 && asked.header("location").contains("/code"),
        "{asked:?}"
    );
    assert_eq!(
        client.loads(&page("/cheap")).status,
        200,
        "until then it stays as it was"
    );
    let entered = client.code(&web, &phone.code());
    entered.redirects_to(303, &page("/asked"));
    assert_eq!(client.follows(&entered).status, 200);
    web.application.arrived();

    assert_ne!(client.cookie(SESSION), before);
    for url in [
        "https://app.example.test:8443/cheap",
        "https://app.example.test:8443/",
    ] {
        let lines = [
            "Host: postern",
            &format!("X-Postern-Proxy: {}", testhost::PROOF),
            &format!("X-Original-URL: {url}"),
            "X-Original-Method: GET",
            "X-Real-IP: 192.0.2.7",
            &format!("Cookie: {SESSION}={before}"),
        ];
        let reply = Wire::open()
            .asks("GET /check/nginx", &lines, "")
            .expect("an answer");
        assert_eq!(reply.status, 401, "{url} {reply:?}");
    }
    let sessions = Postern::call("session list alice --json").does();
    assert_eq!(
        sessions.json().as_array().map(Vec::len),
        Some(1),
        "{sessions:?}"
    );

    // Bob is denied by name; before the sign-in his browser is redirected to the sign-in page.
    let bobs = WebClient::new();
    assert_eq!(bobs.loads(&page("/team")).status, 302);
    password(&web, &bobs, &bob, "/team");
    assert_eq!(
        bobs.loads(&page("/")).status,
        200,
        "bob needs no second factor"
    );
    assert_eq!(bobs.fetches(&page("/team")).status, 403);
    let denied = bobs.loads(&bobs.loads(&page("/team")).leads_to());
    assert!(
        denied.status == 403 && denied.body.contains("signed in as bob"),
        "{denied:?}"
    );
    web.gate
        .says("refused cause=gate.rule-5 address=127.0.0.1 service=web user=\"bob\"");
    let denied = client.loads(&page("/closed"));
    assert_eq!(
        (denied.status, client.loads(&denied.leads_to()).status),
        (403, 403)
    );
}

/// A user who must have a second factor and has none may read pages that require the password
/// alone. All other pages redirect to enrollment.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_must_enrol_reads_what_takes_the_password_and_sets_up_for_the_rest() {
    let host = Host::fresh();
    let required = format!("[policy]\nrequired = \"all\"\n{RULES}");
    let web = Web::nginx(&host, &required);
    let carol = host.person("carol");
    carol.has_a_password();
    let client = WebClient::new();
    assert_eq!(
        password(&web, &client, &carol, "/cheap").header("location"),
        format!("{APP}/cheap")
    );
    assert_eq!(client.loads(&format!("{APP}/cheap")).status, 200);
    let sent = client.loads(&format!("{APP}/"));
    let form = client.follows(&sent);
    assert!(
        form.status == 200 && form.body.contains("name=\"password\""),
        "{form:?}"
    );
    password(&web, &client, &carol, "/").redirects_to(303, "/enroll");
    let setup = client.loads(&web.page("enroll"));
    assert_eq!(setup.status, 403, "it takes a one-time code: {setup:?}");
    assert_eq!(client.loads(&format!("{APP}/")).status, 302);
}

/// C3: `postern check` names the rule that decides.
#[test]
#[ignore = "needs the test host: tests/run"]
fn check_says_which_rule_decides_and_why() {
    let host = Host::fresh();
    let gate = "[gate]\nurl = \"https://auth.example.test/\"\ncookie_domain = \"example.test\"\n";
    let beyond = "[[gate.rule]]\nhosts = [\"other.example.org\"]\nthen = \"code\"\n";
    host.configure(&format!("{gate}{RULES}{beyond}"));
    host.person("alice").enrols();
    let says = |words: &str, lines: &[&str]| {
        let output = Postern::call(&format!("check {words}")).does();
        for line in lines {
            assert!(
                output.out.lines().any(|l| l == *line),
                "check {words}: no {line:?} in {output:?}"
            );
        }
    };
    says(
        "--rule GET https://APP.example.test:8443/pub/x",
        &[
            "rule:    gate.rule-1, the first that matches",
            "then:    open",
        ],
    );
    let two = "gate.rule-2, host, path or method is ambiguous; the strictest that could match";
    says(
        "--rule GET https://app.example.test/pub/../x",
        &[&format!("rule:    {two}"), "then:    deny"],
    );
    says(
        "--rule GET https://app.example.test/near --from 127.0.0.9",
        &["then:    open"],
    );
    says(
        "--rule GET https://app.example.test/near",
        &["then:    code", "code:    required, see --user"],
    );
    says(
        "--rule GET https://app.example.test/team",
        &["then:    sign-in is required, see --user"],
    );
    says(
        "--rule GET https://app.example.test/team --user bob",
        &[
            "rule:    gate.rule-5, the first that matches",
            "then:    deny",
        ],
    );
    says(
        "--rule GET https://app.example.test/team --user alice",
        &[
            "by:      alice, in alice",
            "rule:    gate.rule-6, the first that matches",
            "then:    password",
        ],
    );
    says(
        "--rule POST https://app.example.test/cheap --user alice",
        &[
            "rule:    no stricter rule matches, so the default",
            "code:    required, alice has a second factor",
        ],
    );
    says(
        "--rule GET https://app.example.test/ --user dave",
        &["code:    none, dave has no second factor and needs none"],
    );
    says(
        "--rule GET https://app.example.test/ --user alice --from 127.0.0.8",
        &["code:    not needed, by policy.exempt-1"],
    );
    let json = Postern::json("check --json --rule GET https://app.example.test/ --user alice");
    assert_eq!(
        (json["access"].as_str(), json["rule"].is_null()),
        (Some("code"), true),
        "{json}"
    );

    let sound = Postern::call("check").run();
    assert_contains(
        &sound.out,
        "gate.rule-7: sign-in is not possible for other.example.org",
    );
    for (words, exit) in [
        ("--rule get https://app.example.test/", 2),
        ("--rule GET http://app.example.test/", 2),
        ("--rule GET", 2),
        ("--user alice", 2),
    ] {
        let output = Postern::call(&format!("check {words}")).run();
        assert_eq!(output.exit, Some(exit), "{words}: {output:?}");
    }
    host.write_configuration("[[gate.rule]]\nthen = \"open\"\n[[gate.rule]]\nthen = \"deny\"\n");
    let output = Postern::call("check").run();
    assert_eq!(output.exit, Some(1));
    assert_contains(&output.out, "gate.rule: rule 1 has no condition");
}
