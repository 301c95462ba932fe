//! Administration through the gate: by administrators on pages, by programs with a secret, and by
//! the command with `--gate`.

use crate::mail::codes::{PLAIN, confirmed};
use crate::web::passkeys::{adds_passkey, signs_in};
use serde_json::Value;
use std::fs;
use std::process::Command;
use testhost::{
    APP, AUTH, Chromium, Host, MailServer, Person, Phone, Postern, Reply, Web, WebClient,
    assert_contains, assert_lacks, finished, give_to_daemons, on_the_clock, reconfigure, set_mode,
};

pub(crate) const SECRET: &str = "a-secret-of-32-characters-and-more-for-programs";
const SECRET_FILE: &str = "/etc/postern/administration.secret";
const CA: &str = "/etc/ssl/auth-ca.crt";

/// A gate with administration, alice with a password and an app password, and carol, an
/// administrator.
pub(crate) struct Office {
    pub(crate) web: Web,
    alice: (Person, Phone),
    carol: (Person, Phone),
}

impl Office {
    #[track_caller]
    pub(crate) fn open(host: &Host) -> Office {
        Office::open_with(host, "")
    }

    /// Starts the gate with additional lines in postern.toml.
    #[track_caller]
    fn open_with(host: &Host, more: &str) -> Office {
        let lines = format!("{more}[policy]\nadministrators = [\"carol\"]\n");
        let mut web = Web::nginx(host, &lines);
        takes_programs(&mut web, "pages = true\n");
        let person = |name| {
            let person = host.person(name);
            person.has_a_password();
            let phone = person.enrols();
            (person, phone)
        };
        Office {
            web,
            alice: person("alice"),
            carol: person("carol"),
        }
    }

    /// Opens a browser in which carol is signed in.
    #[track_caller]
    fn carols(&self) -> Chromium {
        let browser = Chromium::start();
        let (carol, phone) = &self.carol;
        browser
            .opens(&self.web.pages)
            .clicks("a.button")
            .enters_password("carol", &carol.password);
        browser
            .enters_code(&phone.code())
            .arrives_at("Your account");
        browser
    }
}

/// Configures the secret of programs and additional keys of `[gate.administration]`.
#[track_caller]
pub(crate) fn takes_programs(web: &mut Web, keys: &str) {
    fs::write(SECRET_FILE, format!("{SECRET}\n")).expect("/etc can be written");
    give_to_daemons(SECRET_FILE, 0o640);
    configure(web, &format!("{keys}secret_file = \"{SECRET_FILE}\"\n"));
}

/// Replaces `[gate.administration]` and restarts the gate.
#[track_caller]
pub(crate) fn configure(web: &mut Web, keys: &str) {
    let text = fs::read_to_string(testhost::CONFIG).expect("postern.toml is in place");
    let rest = text
        .split("[gate.administration]")
        .next()
        .unwrap_or_default()
        .to_owned();
    reconfigure(&text, &format!("{rest}[gate.administration]\n{keys}"));
    Postern::call("status").does();
    web.gate.restart();
}

/// Sends a request of a program.
#[track_caller]
fn asks(of: &WebClient, method: &str, path: &str) -> Reply {
    of.option("-X")
        .option(method)
        .fetches(&format!("{AUTH}/api/v1/administration/{path}"))
}

pub(crate) fn program(secret: &str) -> WebClient {
    WebClient::new().with(&format!("Authorization: Bearer {secret}"))
}

#[track_caller]
fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("no JSON ({error}): {reply:?}"))
}

/// N2: without a configured secret, every path of the administration API is 404.
#[test]
#[ignore = "needs the test host: tests/run"]
fn programs_administer_with_the_secret_and_nothing_is_there_without_one() {
    let host = Host::fresh();
    let mut office = Office::open(&host);
    let (right, wrong) = (
        program(SECRET),
        program("another-secret-of-32-characters-and-more").from("127.0.0.9"),
    );
    let alice = office.alice.1.code();
    let hers = WebClient::new();
    hers.signs_in_and_trusts(&office.web, &office.alice.0, &alice);

    let state = json(&asks(&right, "GET", "accounts/alice"));
    assert_eq!(state, Postern::json("status alice --json"));
    let found = json(&asks(&right, "GET", "accounts?find=LIC"));
    assert_eq!(
        found["accounts"].as_array().map(Vec::len),
        Some(1),
        "{found}"
    );
    assert_eq!(asks(&right, "GET", "accounts/nobody").status, 404);
    assert_eq!(
        asks(&right, "POST", "accounts/nobody/disable").header("content-type"),
        "application/problem+json"
    );
    assert_eq!(asks(&right, "GET", "accounts/alice/disable").status, 405);
    assert_eq!(asks(&right, "POST", "accounts/alice/password").status, 404);
    assert_eq!(
        asks(&right, "POST", "accounts/a%0d%0ab/disable").status,
        422
    );
    assert_eq!(hers.fetches(APP).status, 200);
    let done = asks(&right, "POST", "accounts/alice/disable");
    let output = json(&done);
    assert_eq!(
        (done.status, &output["success"]),
        (200, &Value::Bool(true)),
        "{output}"
    );
    // The session ends at once.
    assert_eq!(hers.fetches(APP).status, 401);
    let again = asks(&right, "POST", "accounts/alice/disable");
    assert_eq!(
        (again.status, json(&again)["code"].as_str()),
        (409, Some("not_enrolled"))
    );
    let events = json(&asks(&right, "GET", "events?account=alice"));
    let newest = &events["events"][0];
    assert_eq!(
        (
            newest["event"].as_str(),
            newest["principal"].as_str(),
            newest["origin"].as_str()
        ),
        (Some("disabled"), Some("administration"), Some("127.0.0.1")),
        "{events}"
    );

    // A session cookie of an administrator does not replace the secret.
    let cookies = WebClient::new();
    cookies.signs_in(&office.web, &office.carol.0, &office.carol.1.code());
    let unshown = asks(&cookies, "GET", "accounts");
    assert_eq!(
        (unshown.status, unshown.header("www-authenticate")),
        (401, "Bearer realm=\"administration\"")
    );
    for _ in 0..10 {
        assert_eq!(asks(&wrong, "GET", "accounts").status, 403);
    }
    let delayed = asks(&wrong, "GET", "accounts");
    assert_eq!(delayed.status, 429);
    assert!(
        delayed
            .header("retry-after")
            .parse::<u64>()
            .is_ok_and(|wait| (1..=300).contains(&wait))
    );
    assert_eq!(
        asks(&right.clone().from("127.0.0.9"), "GET", "accounts").status,
        429,
        "nor is the right one looked at"
    );
    assert_eq!(asks(&right, "GET", "accounts").status, 200);
    office
        .web
        .gate
        .says("cause=administration-secret address=127.0.0.9");

    configure(
        &mut office.web,
        &format!("secret_file = \"{SECRET_FILE}\"\nnetworks = [\"127.0.0.9\"]\n"),
    );
    assert_eq!(asks(&right, "GET", "accounts").status, 404);
    configure(&mut office.web, "pages = true\n");
    assert_eq!(asks(&right, "GET", "accounts").status, 404);
    assert_lacks(office.web.gate.log(), SECRET);
    assert_lacks(office.web.gate.log(), "panicked");
}

/// N1, N2: the output equals that of the command beside the store. Only TLS is accepted.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_command_administers_from_afar_as_it_does_beside_the_store() {
    let host = Host::fresh();
    let mut office = Office::open(&host);
    certified(&mut office.web);
    let afar = |words: &str| {
        let at = format!("--gate {AUTH} --admin-secret-file {SECRET_FILE} --gate-ca {CA}");
        Postern::call(&format!("{at} {words}"))
    };
    for words in [
        "status",
        "status alice",
        "status --json",
        "status alice --json",
    ] {
        assert_eq!(
            afar(words).does().out,
            Postern::call(words).does().out,
            "{words}"
        );
    }
    let issued = afar("one-time-code alice --json").does().json();
    let code = issued["one_time_code"].as_str().expect("a code");
    let (alice, phone) = &office.alice;
    alice.with_key().enters_with(code);
    alice.with_key().is_refused(code, "used already");
    assert_contains(
        &afar("one-time-code alice --cancel").refuses().err,
        "no such one-time code",
    );
    assert_eq!(
        afar("unlock alice").does().out,
        "delays and locks of alice are removed\n"
    );
    assert_contains(&afar("unlock alice --clock").does().out, "nothing to reset");
    let off = afar("disable alice").does().out;
    assert!(
        off.starts_with("success | message\n")
            && off.contains("\ntrue    | the second factor of alice is off"),
        "{off}"
    );
    let again = afar("disable alice").refuses();
    assert_eq!(again.out, Postern::call("disable alice").refuses().out);
    assert_eq!(
        afar("disable alice --json").refuses().json()["success"],
        false
    );
    alice.with_key().enters();
    drop(phone.code());

    // The command sends the secret neither without TLS nor to a server without a valid certificate.
    let blind = Postern::call(&format!(
        "--gate {AUTH} --admin-secret-file {SECRET_FILE} status"
    ))
    .refuses();
    assert_contains(&blind.err, "certificate");
    assert_eq!(
        Postern::call(&format!(
            "--gate http://auth.example.test --admin-secret-file {SECRET_FILE} status"
        ))
        .run()
        .exit,
        Some(2)
    );
    assert_eq!(afar("password alice").run().exit, Some(2));
    configure(&mut office.web, "pages = true\n");
    assert_contains(&afar("status").refuses().err, "[gate.administration]");
    set_mode(SECRET_FILE, 0o644);
    assert_contains(&afar("status").refuses().err, SECRET_FILE);
}

/// Gives nginx a certificate for the gate's host, issued by a test authority.
fn certified(web: &mut Web) {
    let openssl = |words: &str| {
        finished(on_the_clock(Command::new("openssl")).args(words.split(' ')));
    };
    let at = |name: &str| format!("/etc/ssl/private/{name}");
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let (ca_key, key, request, crt) = (
        at("auth-ca.key"),
        at("afar.key"),
        at("afar.csr"),
        at("afar.crt"),
    );
    openssl(&format!(
        "req -x509 {new} -days 400 -subj /CN=auth-ca -addext basicConstraints=critical,CA:TRUE -keyout {ca_key} -out {CA}"
    ));
    openssl(&format!(
        "req {new} -subj /CN=auth.example.test -keyout {key} -out {request}"
    ));
    fs::write(at("afar.names"), "subjectAltName=DNS:auth.example.test\n")
        .expect("/etc can be written");
    let names = at("afar.names");
    openssl(&format!(
        "x509 -req -in {request} -CA {CA} -CAkey {ca_key} -CAcreateserial -days 400 -extfile {names} -out {crt}"
    ));
    web.change_nginx(|text| {
        let text = text.replace("/etc/ssl/private/auth.example.test.crt", &crt);
        text.replace("/etc/ssl/private/auth.example.test.key", &key)
    });
}

/// N3, N4, N5: an administrator finds a user and acts after a step-up.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_administrator_finds_someone_and_acts_with_a_fresh_code_of_their_own() {
    let host = Host::fresh();
    let office = Office::open(&host);
    let (alice, phone) = &office.alice;
    Postern::call("account add <b>x").does();
    let hers = WebClient::new().with("User-Agent: <script>alert(1)</script>");
    hers.signs_in_and_trusts(&office.web, alice, &phone.code());
    let browser = office.carols();
    browser.clicks_to("a[href$=administration]", "Administration");
    browser
        .types("[name=find]", "<b>")
        .submits_to("Administration");
    assert_eq!(browser.reads(".rows a"), "<b>x");
    browser
        .types("[name=find]", "LIC")
        .submits_to("Administration");
    browser.clicks_to(".rows a", "alice");
    let page = browser.reads("main");
    assert_contains(&page, "On since");
    assert_contains(&page, "<script>alert(1)</script>");
    assert_lacks(
        browser
            .runs("return document.documentElement.outerHTML")
            .to_string(),
        phone.secret(),
    );

    // The one-time code is accepted once.
    host.clock.forward(30);
    browser.clicks_to("input[value=issue-code] ~ button", "Issue a one-time code");
    browser
        .types("[name=password]", "not hers")
        .types("[name=code]", "123456")
        .clicks("form > button");
    assert_eq!(
        browser
            .arrives_at("Issue a one-time code")
            .reads("[role=alert]"),
        "That password is wrong."
    );
    let (carol, carols) = &office.carol;
    browser
        .types("[name=password]", &carol.password)
        .types("[name=code]", &carols.code());
    browser.submits_to("Issue a one-time code");
    let code = browser.reads(".codes code");
    assert!(code.starts_with("P-"), "{code}");
    alice.with_key().enters_with(&code);
    alice.with_key().is_refused(&code, "used already");
    assert_eq!(
        hers.fetches(APP).status,
        200,
        "the second factor stays on, and so does the session"
    );

    // The step-up is valid for 15 minutes.
    browser.clicks_to("a.button", "alice");
    browser.clicks_to(
        "input[value=disable] ~ button",
        "Turn the second factor off",
    );
    browser.submits_to("Turn the second factor off");
    assert_contains(browser.reads("main"), "is off");
    assert_eq!(hers.fetches(APP).status, 401);
    browser
        .clicks_to("a.button", "alice")
        .clicks_to(".links a", "Events");
    let log = browser.reads("main");
    assert_contains(&log, "disabled");
    assert_contains(&log, "by carol");
    assert_contains(&log, "one-time-code-issued");
    browser
        .opens(&office.web.page("administration/log"))
        .arrives_at("Events");

    // An administrator cannot act on an account of their own here; the account page does that.
    browser.opens(&format!(
        "{}administration/act?account=carol&action=disable",
        office.web.pages
    ));
    browser
        .arrives_at("Turn the second factor off")
        .clicks("form > button");
    assert_contains(
        browser
            .arrives_at("Turn the second factor off")
            .reads("[role=alert]"),
        "your own account",
    );
    assert_eq!(Postern::json("status carol --json")["state"], "on");
    assert_lacks(office.web.gate.log(), "panicked");
}

/// N4: the user is notified by mail, with the administrator's name, or with the note that a program
/// acted.
#[test]
#[ignore = "needs the test host: tests/run"]
fn people_are_notified_of_what_was_done_to_them_at_the_gate() {
    let host = Host::fresh();
    let server = MailServer::start();
    let office = Office::open_with(&host, PLAIN);
    confirmed(&host, &server);
    let done = asks(&program(SECRET), "POST", "accounts/alice/one-time-code");
    assert_eq!(done.status, 200, "{done:?}");
    let notice = server.told().text;
    assert_contains(&notice, "one-time code was issued");
    assert_contains(&notice, "By:      administration");
    assert_lacks(
        &notice,
        json(&done)["one_time_code"].as_str().expect("a code"),
    );

    let carol = WebClient::new();
    carol.signs_in(&office.web, &office.carol.0, &office.carol.1.code());
    host.clock.forward(30);
    let (password, code) = (office.carol.0.password.as_str(), office.carol.1.code());
    let disable = [
        ("account", "alice"),
        ("action", "disable"),
        ("password", password),
        ("code", &code),
    ];
    let act = office.web.page("administration/act");
    assert_eq!(carol.sends(&act, &disable).status, 200);
    let notice = server.told().text;
    for words in [
        "second factor was turned off",
        "By:      carol",
        "From:    127.0.0.1",
    ] {
        assert_contains(&notice, words);
    }
}

/// N3: for all other users the pages are 404. An act requires a fresh code and a form of the gate's
/// own page.
#[test]
#[ignore = "needs the test host: tests/run"]
fn no_other_user_administers_and_no_act_goes_without_a_fresh_code() {
    let host = Host::fresh();
    let mut office = Office::open(&host);
    let pages = office.web.pages.clone();
    let at = |page: &str| format!("{pages}administration{page}");
    let (alice, carol) = (WebClient::new(), WebClient::new());
    let disable = [("account", "carol"), ("action", "disable")];
    alice.signs_in(&office.web, &office.alice.0, &office.alice.1.code());
    carol.signs_in(&office.web, &office.carol.0, &office.carol.1.code());
    for page in [
        "",
        "/account?name=carol",
        "/log",
        "/act?account=carol&action=disable",
        "/x",
    ] {
        assert_eq!(alice.loads(&at(page)).status, 404, "{page}");
        assert_eq!(WebClient::new().loads(&at(page)).status, 404, "{page}");
    }
    assert_eq!(alice.sends(&at("/act"), &disable).status, 404);
    assert_lacks(&alice.loads(&pages).body, "administration");
    assert_contains(&carol.loads(&pages).body, "administration");

    assert_eq!(carol.loads(&at("")).status, 200);
    let disable = [("account", "alice"), ("action", "disable")];
    assert_eq!(
        carol.sends(&at("/act"), &disable).status,
        403,
        "a session alone is not enough"
    );
    let code = office.carol.1.code();
    host.clock.forward(30);
    let proof = [
        ("password", office.carol.0.password.as_str()),
        ("code", &code),
    ];
    let proven: Vec<_> = disable.iter().copied().chain(proof).collect();
    assert_eq!(
        carol.sends(&at("/act"), &proven).status,
        403,
        "a code that was used"
    );
    let code = office.carol.1.code();
    let proven = [disable[0], disable[1], proof[0], ("code", &code)];
    assert_eq!(
        carol
            .with("Origin: https://app.example.test:8443")
            .sends(&at("/act"), &proven)
            .status,
        403
    );
    assert_eq!(Postern::json("status alice --json")["state"], "on");
    assert_eq!(carol.sends(&at("/act"), &proven).status, 200);
    assert_eq!(Postern::json("status alice --json")["state"], "off");

    Postern::call("disable carol").does();
    let weak = WebClient::new();
    weak.sends_password(&pages, "carol", &office.carol.0.password);
    assert_eq!(
        weak.loads(&at("")).status,
        403,
        "an administrator without a second factor"
    );
    configure(
        &mut office.web,
        &format!("secret_file = \"{SECRET_FILE}\"\n"),
    );
    assert_eq!(weak.loads(&at("")).status, 404, "pages are off");
}

/// A lost passkey: an administrator sees and removes it, and the user is told by the log.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_administrator_removes_a_lost_passkey() {
    let host = Host::fresh();
    let office = Office::open(&host);
    let (alice, phone) = &office.alice;
    let hers = Chromium::start();
    let key = hers.with_authenticator();
    signs_in(&office.web, &hers, alice, phone);
    host.clock.forward(30);
    adds_passkey(&hers, alice, phone, "laptop");
    key.is_lost();
    let list = "accounts/alice/passkeys";
    let listed = json(&asks(&program(SECRET), "GET", list));
    assert_eq!(listed["passkeys"][0]["name"], "laptop", "{listed}");

    let browser = office.carols();
    let account = office.web.page("administration/account?name=alice");
    browser.opens(&account).arrives_at("alice");
    assert_contains(browser.reads("main"), "laptop");
    browser.clicks_to("input[value=remove-passkey] ~ button", "Remove a passkey");
    host.clock.forward(30);
    let (carol, carols_phone) = &office.carol;
    browser.types_proof(carol, &carols_phone.code());
    browser.submits_to("Remove a passkey");
    browser.opens(&account).arrives_at("alice");
    assert_lacks(browser.reads("main"), "laptop");
    let listed = json(&asks(&program(SECRET), "GET", list));
    assert_eq!(listed["passkeys"], serde_json::json!([]));
    let log = Postern::call("log alice").does().out;
    assert_contains(&log, "passkey-removed");
    assert_contains(&log, "carol");
    // Her sessions ended with it; the code still signs in.
    host.clock.forward(30);
    hers.opens(APP)
        .enters_password("alice", &alice.password)
        .arrives_at("Verification code");
    hers.enters_code(&phone.code())
        .arrives_at("The application");
}
