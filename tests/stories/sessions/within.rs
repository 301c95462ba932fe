//! Rules with `within`: pages that ask for a recent code or password.

use testhost::{APP, Host, PagesAt, Postern, Proxy, Web, WebClient, assert_contains};

const RULES: &str = r#"
[[gate.rule]]
paths = ["/admin"]
then = "code"
within = "5m"
[[gate.rule]]
paths = ["/pay"]
then = "password"
within = "5m"
[[gate.rule]]
paths = ["/free"]
then = "open"
"#;

/// W4: an old code is asked for again, alone. The session keeps its end, and gets another cookie.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_page_that_asks_for_a_recent_code_asks_again_for_the_code_alone() {
    for proxy in [Proxy::Nginx, Proxy::Traefik] {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, PagesAt::OwnHost, RULES);
        let (alice, phone) = host.web_user("alice");
        let client = WebClient::new();
        let admin = format!("{APP}/admin/x");
        client.signs_in_and_trusts(&web, &alice, &phone.code());
        assert_eq!(client.loads(&admin).status, 200, "{proxy:?}");
        host.clock.forward(299);
        assert_eq!(client.loads(&admin).status, 200, "{proxy:?}");
        let ends = || Postern::json("session list alice --json")[0]["expires"].clone();
        let end = ends();

        host.clock.forward(1);
        assert_eq!(client.fetches(&admin).status, 401, "no page load");
        let posted = client.option("-XPOST").fetches(&admin);
        assert_eq!(posted.status, 401, "no page load");
        assert_eq!(client.loads(&format!("{APP}/")).status, 200, "elsewhere");
        // What can be read in two ways gets the strictest rule, and its age.
        let bent = client
            .option("--path-as-is")
            .loads(&format!("{APP}/free/..%2fadmin"));
        assert_ne!(bent.status, 200, "{bent:?}");
        let sent = client.loads(&admin);
        assert_contains(sent.header("location"), "/upgrade?rd=");
        // The trusted browser does not replace the code.
        let asked = client.follows(&sent);
        assert_contains(asked.header("location"), "/code");
        assert_eq!(client.code(&web, &phone.wrong()).status, 401);
        client
            .loads(&admin)
            .redirects_to(sent.status, sent.header("location"));
        client.follows(&sent);
        let entered = client.code(&web, &phone.code());
        // The page after it tells of the wrong code.
        assert_eq!(entered.status, 200, "{entered:?}");
        assert_contains(&entered.body, "1 wrong code since");
        assert_contains(&entered.body, &admin);
        assert_eq!(client.loads(&admin).status, 200);
        assert_eq!(ends(), end, "the session lasts no longer");
        web.application.arrived();

        // A sign-in by trust is no recent code.
        let again = client.password(&web, &alice);
        assert_eq!(again.status, 303, "{again:?}");
        assert_contains(client.loads(&admin).header("location"), "/upgrade?rd=");
    }
}

/// W4: an old password is asked for again. The code of the session stays as it was.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_page_that_asks_for_a_recent_password_asks_again_for_the_password() {
    let host = Host::fresh();
    let web = Web::nginx(&host, RULES);
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    let pay = format!("{APP}/pay");
    client.signs_in(&web, &alice, &phone.code());
    host.clock.forward(200);
    assert_eq!(client.loads(&pay).status, 200);
    host.clock.forward(100);
    assert_eq!(client.fetches(&pay).status, 401);
    let sent = client.loads(&pay);
    assert_contains(sent.header("location"), "/sign-in?rd=");
    let form = client.follows(&sent);
    assert_eq!(form.status, 200, "{form:?}");
    assert_contains(&form.body, "value=\"alice\"");
    let fields = |password| {
        [
            ("rd", pay.clone()),
            ("user", "alice".to_owned()),
            ("password", password),
            ("recovery", String::new()),
        ]
    };
    let sends = |password: &str| {
        let fields = fields(password.to_owned());
        let fields: Vec<_> = fields
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        client.sends(&web.page("sign-in"), &fields)
    };
    assert_eq!(sends("not the password").status, 401);
    assert_contains(client.loads(&pay).header("location"), "/sign-in?rd=");
    sends(&alice.password).redirects_to(303, &pay);
    assert_eq!(client.loads(&pay).status, 200);
    assert_eq!(
        client.loads(&format!("{APP}/")).status,
        200,
        "the code still counts"
    );
    let old = client.loads(&format!("{APP}/admin"));
    assert_contains(old.header("location"), "/upgrade?rd=");
}

/// `postern check` names the age, and a rule that asks for no proof has none.
#[test]
#[ignore = "needs the test host: tests/run"]
fn check_names_the_age_of_a_proof() {
    let host = Host::fresh();
    host.configure(RULES);
    host.person("alice");
    let output = Postern::call("check --rule GET https://app.example.test/admin").does();
    assert_contains(&output.out, "then:    code, within 5m");
    let json = Postern::json("check --json --rule GET https://app.example.test/pay");
    assert_eq!(json["within"], 300, "{json}");
    for (then, words) in [
        ("then = \"open\"\nwithin = \"5m\"", "rule 1 has within"),
        ("then = \"deny\"\nwithin = \"5m\"", "rule 1 has within"),
        ("then = \"code\"\nwithin = \"59s\"", "from 1m to 30d"),
    ] {
        host.write_configuration(&format!("[[gate.rule]]\n{then}\n"));
        let output = Postern::call("check").run();
        assert_contains(&output.out, words);
    }
}
