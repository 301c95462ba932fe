//! App passwords: for clients without a browser, at the application and at a PAM service.

use std::process::Command;
use testhost::{
    APP, AUTH, Host, PagesAt, Person, Postern, Proxy, Web, WebClient, Wire, assert_contains,
    on_the_clock,
};

const FRONTS: [Proxy; 7] = Proxy::ALL;
const WEBDAV: &str = "[gate.scope.webdav]\nhosts = [\"app.example.test\"]\npaths = [\"/dav\"]\nmethods = [\"GET\", \"PROPFIND\"]\n";

/// Adds an app password as the administrator.
#[track_caller]
fn add(person: &Person, name: &str, scope: &[&str]) -> String {
    let mut postern = on_the_clock(Command::new("/usr/bin/postern"));
    postern.args(["app-password", "add", &person.name, name]);
    for term in scope {
        postern.args(["--scope", term]);
    }
    let output = Postern::under(postern).does();
    output.out.trim_end().to_owned()
}

fn basic(name: &str, password: &str) -> WebClient {
    WebClient::new()
        .option("--basic")
        .option(&format!("-u{name}:{password}"))
}

/// The attack: a stolen app password is tried on other paths, on the gate's pages, and after its
/// revocation.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_client_that_shows_no_page_gets_what_its_scope_covers_until_it_is_revoked() {
    for proxy in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, PagesAt::OwnHost, WEBDAV);
        let alice = host.person("alice");
        Postern::call("account add alice").does();
        let dav = add(&alice, "files", &["webdav"]);
        assert_eq!(
            dav.split('-').map(str::len).collect::<Vec<_>>(),
            [4; 7],
            "{dav}"
        );
        let wide = add(&alice, "wide", &["web:app.example.test"]);

        let client = basic("alice", &dav);
        for password in [
            dav.clone(),
            dav.to_lowercase(),
            dav.replace('-', ""),
            dav.replace('-', " "),
        ] {
            let reply = basic("alice", &password).fetches(&format!("{APP}/dav/a%20b?c=d"));
            assert_eq!(reply.status, 200, "{proxy:?} {password} {reply:?}");
            let got = web.application.got();
            assert_eq!(got.request, "GET /dav/a%20b?c=d");
            assert_eq!(
                (got.value("Remote-User"), got.value("Authorization")),
                ("alice", ""),
                "{proxy:?}"
            );
        }
        let bearer = WebClient::new().with(&format!("Authorization: Bearer {dav}"));
        assert_eq!(
            bearer.fetches(&format!("{APP}/dav")).status,
            200,
            "{proxy:?}"
        );
        assert_eq!(web.application.got().value("Authorization"), "");
        let list = client.option("-XPROPFIND").fetches(&format!("{APP}/dav/"));
        assert_eq!(list.status, 200, "{proxy:?} {list:?}");
        web.application.got();

        for (outside, method) in [
            ("/", "GET"),
            ("/davx", "GET"),
            ("/dav/x", "PUT"),
            ("/dav/../x", "GET"),
            ("/dav/%2e%2e/x", "GET"),
            ("/dav%2fx", "GET"),
            ("/dav/;/x", "GET"),
        ] {
            let asks = client.option(&format!("-X{method}"));
            let reply = asks.fetches(&format!("{APP}{outside}"));
            assert_eq!(reply.status, 403, "{proxy:?} {method} {outside} {reply:?}");
        }
        let doubled = client.fetches(&format!("{APP}/dav//x")).status;
        match proxy {
            Proxy::Nginx
            | Proxy::NginxProxyManager
            | Proxy::Caddy
            | Proxy::NewerCaddy
            | Proxy::Haproxy
            | Proxy::Envoy
            | Proxy::Apache => {
                assert_eq!(doubled, 403)
            }
            // Traefik checks, and passes on, a path with one slash.
            Proxy::Traefik | Proxy::TraefikLabels => {
                assert_eq!(
                    (doubled, web.application.got().request.as_str()),
                    (200, "GET /dav/x")
                )
            }
        }
        for pages in ["", "sign-in", "api/v1/me"] {
            for password in [&dav, &wide] {
                let reply = basic("alice", password).fetches(&format!("{AUTH}/{pages}"));
                assert_eq!(reply.status, 403, "{proxy:?} {pages} {reply:?}");
            }
        }
        web.gate
            .says("refused cause=scope address=127.0.0.1 service=web user=\"alice\"");
        web.application.got_nothing();

        Postern::call("app-password rename alice files laptop").does();
        assert_eq!(
            client.fetches(&format!("{APP}/dav")).status,
            200,
            "{proxy:?}"
        );
        web.application.got();
        let output = Postern::call("app-password revoke alice laptop").does();
        assert!(
            output.out.starts_with("1 of alice's app passwords revoked"),
            "{output:?}"
        );
        assert_eq!(
            client.fetches(&format!("{APP}/dav")).status,
            401,
            "{proxy:?}"
        );
        assert_eq!(
            basic("alice", &wide).fetches(&format!("{APP}/x")).status,
            200,
            "{proxy:?}"
        );
        web.application.got();
        web.application.got_nothing();
    }
}

/// Neither a wrong app password nor the account's right password tells a client that the account
/// exists.
#[test]
#[ignore = "needs the test host: tests/run"]
fn anything_else_by_basic_gets_the_same_401_with_a_hint() {
    for proxy in FRONTS {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, PagesAt::OwnHost, "");
        let alice = host.person("alice");
        alice.has_a_password();
        let right = add(&alice, "files", &["web:app.example.test"]);
        let slip = format!(
            "{}{}",
            &right[..33],
            if right.ends_with('2') { '3' } else { '2' }
        );
        let page = format!("{APP}/dav");

        let mut answers = Vec::new();
        for (name, password) in [
            ("alice", alice.password.as_str()),
            ("alice", "a wrong password"),
            ("alice", ""),
            ("alice", "O222-2222-2222-2222-2222-2222-2222"),
            ("nobody", &right),
            ("nobody", "x"),
            ("alice", &slip),
        ] {
            let reply = basic(name, password).calls("GET", &page, "");
            assert_eq!(reply.status, 401, "{proxy:?} {name} {password} {reply:?}");
            let hint = reply.header("www-authenticate").to_owned();
            assert!(
                hint.starts_with("Basic realm=\"Use an app password"),
                "{proxy:?} {reply:?}"
            );
            answers.push((hint, reply.body));
        }
        assert!(
            answers.windows(2).all(|pair| pair[0] == pair[1]),
            "{proxy:?} {answers:?}"
        );
        assert!(
            !web.gate.log().contains("cause=password-"),
            "the account's password is not looked at"
        );

        // A browser that sends the application's own Basic credentials signs in as usual. Scripts
        // of its pages receive 401.
        let browser = basic("alice", "of the application");
        assert_eq!(browser.loads(&page).status, 302, "{proxy:?}");
        let token = WebClient::new()
            .with("Authorization: Bearer of-the-application")
            .fetches(&page);
        assert_eq!(token.status, 401, "{proxy:?} {token:?}");
        assert!(
            token
                .header("www-authenticate")
                .starts_with("Bearer realm="),
            "{proxy:?} {token:?}"
        );
        web.application.got_nothing();
    }
}

/// The session is verified first. The application receives a foreign Authorization header, and
/// never an app password.
#[test]
#[ignore = "needs the test host: tests/run"]
fn with_a_session_a_foreign_authorization_passes_and_an_app_password_does_not() {
    for (proxy, pages_at) in [
        (Proxy::Nginx, PagesAt::OwnHost),
        (Proxy::Nginx, PagesAt::Path),
        (Proxy::Traefik, PagesAt::Path),
        (Proxy::Apache, PagesAt::OwnHost),
        (Proxy::Apache, PagesAt::Path),
    ] {
        let host = Host::fresh();
        let web = Web::start(&host, proxy, pages_at, WEBDAV);
        let (alice, phone) = host.web_user("alice");
        let (dav, wide) = (
            add(&alice, "files", &["webdav"]),
            add(&alice, "wide", &["web:app.example.test"]),
        );
        let browser = WebClient::new();
        browser.signs_in(&web, &alice, &phone.code());
        for (authorization, expected) in [
            (
                "Authorization: Basic YWxpY2U6c2VjcmV0".to_owned(),
                "Basic YWxpY2U6c2VjcmV0",
            ),
            (format!("Authorization: Bearer {dav}"), ""),
        ] {
            // The path is outside of the app password's scope: the session counts.
            assert_eq!(
                browser
                    .with(&authorization)
                    .loads(&format!("{APP}/x"))
                    .status,
                200,
                "{proxy:?}"
            );
            assert_eq!(
                web.application.got().value("Authorization"),
                expected,
                "{proxy:?}"
            );
        }
        if pages_at == PagesAt::Path {
            for target in [
                "/_postern/",
                "/_postern/sign-in",
                "/%5fpostern/",
                "/x/../_postern/",
                "//_postern/",
            ] {
                let reply = basic("alice", &wide).fetches(&format!("{APP}{target}"));
                assert_eq!(reply.status, 403, "{proxy:?} {target} {reply:?}");
            }
        }
        web.application.got_nothing();
    }
}

/// App passwords end with their expiry, and as configured when the account's password changes. No
/// check writes to the store: the last use is written later, to the minute.
#[test]
#[ignore = "needs the test host: tests/run"]
fn they_end_with_their_time_with_the_password_and_are_written_down_once() {
    let (host, mut web) = Host::with_web();
    let alice = host.person("alice");
    alice.has_a_password();
    let check = |password: &str| {
        let encoded = format!("Authorization: Bearer {password}");
        let reply = Wire::open().checks(&[&encoded]);
        (reply.status, reply.all("remote-user").concat())
    };
    let output = Postern::call(
        "app-password add alice short --scope web:app.example.test --expires 1h --json",
    );
    let output = output.does().json();
    let short = output["app_password"]
        .as_str()
        .expect("it is shown")
        .to_owned();
    let lasting = add(&alice, "lasting", &["web:app.example.test"]);
    let allowed = (200, "alice".to_owned());
    assert_eq!(
        (check(&short), check(&lasting)),
        (allowed.clone(), allowed.clone())
    );
    host.clock.forward(3599);
    assert_eq!(check(&short), allowed);
    host.clock.forward(1);
    assert_eq!(check(&short).0, 401);
    assert_eq!(check(&lasting), allowed);

    let listed = || Postern::json("app-password list alice --json");
    let before = listed()[1]["last_used"].clone();
    assert!(before.is_null(), "no check writes: {before}");
    web.gate.stop();
    let last = listed()[1]["last_used"]
        .as_str()
        .expect("it was used")
        .to_owned();
    assert_eq!(last.len(), "2027-01-15T08:00Z".len(), "{last}");
    let table = Postern::call("app-password list alice").does().out;
    assert_contains(&table, "lasting");
    assert_contains(&table, &last);
    assert_contains(&table, "web:app.example.test");
    web.gate.restart();

    let output = Postern::call("password alice")
        .input("another password of alice\n")
        .does();
    assert_contains(&output.out, "1 app password revoked: make new ones");
    assert_eq!(check(&lasting).0, 401);
    testhost::reconfigure("[gate]", "[app_passwords]\non_change = \"keep\"\n[gate]");
    let kept = add(&alice, "kept", &["web:app.example.test"]);
    let output = Postern::call("enroll alice --no-confirm").does();
    assert_contains(&output.out, "1 app password kept");
    assert_eq!(check(&kept), allowed);
}

/// Wrong app passwords count for the client's address, at the pages too, and never for an account,
/// which the attacker could lock in this way.
#[test]
#[ignore = "needs the test host: tests/run"]
fn wrong_ones_count_for_their_address() {
    let (host, mut web) = Host::with_web();
    let alice = host.person("alice");
    alice.has_a_password();
    let mut guesses: Vec<String> = (0..10)
        .map(|n| add(&alice, &format!("app {n}"), &["pam:x"]))
        .collect();
    Postern::call("app-password revoke alice --all").does();
    guesses.extend(guesses[..3].to_vec());
    for guess in &guesses {
        assert_eq!(
            Wire::open()
                .checks(&[&format!("Authorization: Bearer {guess}")])
                .status,
            401
        );
    }
    web.gate
        .says("refused cause=app-password-wrong address=192.0.2.7 service=web user=\"-\"");
    web.gate.stop();
    web.gate.restart();
    let from_there = Wire::open().password("alice", &alice.password, "192.0.2.7");
    assert_eq!(from_there.status, 429, "{from_there:?}");
    let elsewhere = Wire::open().password("alice", &alice.password, "192.0.2.8");
    assert_eq!(elsewhere.status, 303, "{elsewhere:?}");
}

/// A PAM service in the scope accepts an app password in place of the code. Any other service
/// refuses it.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_pam_service_takes_it_where_it_asks_for_a_code() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    for service in ["mail-server", "file-server"] {
        let line = "auth required pam_totp.so\naccount required pam_totp.so\n";
        host.pam(service, line);
    }
    let signs_in = |service: &str, typed: &str| {
        let mut tester = on_the_clock(Command::new("pamtester"));
        tester.args([
            "-I",
            "rhost=192.0.2.7",
            service,
            "alice",
            "authenticate",
            "acct_mgmt",
        ]);
        Postern::under(tester)
            .input(&format!("{typed}\n"))
            .run()
            .exit
            == Some(0)
    };
    let mail = add(&alice, "mail", &["pam:mail-server"]);
    for _ in 0..2 {
        assert!(signs_in("mail-server", &mail), "as often as it is needed");
    }
    host.journal
        .says("accepted cause=app-password address=192.0.2.7 service=mail-server user=\"alice\"");
    assert!(!signs_in("file-server", &mail));
    host.journal
        .says("refused cause=scope address=192.0.2.7 service=file-server user=\"alice\"");
    assert!(signs_in("file-server", &phone.code()), "a code as before");
    Postern::call("app-password revoke alice mail").does();
    assert!(!signs_in("mail-server", &mail));
    host.journal
        .says("refused cause=app-password-wrong address=192.0.2.7 service=mail-server");
}
