//! An identity that the proxy has verified as the first factor: basic authentication, or a client
//! certificate.

use super::first_factors::SESSION;
use std::fs;
use std::process::Command;
use testhost::{
    APP, Host, PROOF, PagesAt, Postern, Proxy, Reply, Web, WebClient, Wire, assert_contains,
    assert_lacks, finished, reconfigure,
};

/// Starts a gate that accepts the identity from nginx, which uses basic auth.
#[track_caller]
fn header(host: &Host, pages_at: PagesAt) -> Web {
    let people = ["alice", "bob", "carol"].map(|name| format!("{name}:{{PLAIN}}basic of {name}\n"));
    fs::write("/etc/nginx/people", people.concat()).expect("/etc can be written");
    let mut web = Web::start(host, Proxy::Nginx, pages_at, "");
    reconfigure("[gate]\n", "[gate]\nfirst_factor = \"header\"\n");
    let proof = "secret_file = \"/etc/postern/proxy.secret\"\n";
    reconfigure(
        proof,
        &format!("{proof}identity_header = \"Remote-User\"\n"),
    );
    web.gate.restart();
    web.change_nginx(|text| by_the_manual(&text, "basic auth"));
    web
}

/// Adds the lines of postern.toml(5) for one source of the identity to the sample.
fn by_the_manual(sample: &str, way: &str) -> String {
    let manual = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../packaging/man/postern.toml.5"
    ));
    let manual = manual
        .expect("the manual is in the checkout")
        .replace("\\e", "\\");
    let lines = |what: &str| {
        let (_, rest) = manual
            .split_once(&format!("# {way}: {what}\n"))
            .expect("the manual has the lines");
        rest.lines()
            .take_while(|line| !line.starts_with('.') && !line.starts_with('#'))
            .fold(String::new(), |text, line| text + line + "\n")
    };
    let (servers, requests) = (lines("in each server"), lines("where the gate is asked"));
    let proof = "        proxy_set_header X-Postern-Proxy $postern_proof;\n";
    let text = sample.replace(
        "    ssl_certificate ",
        &format!("{servers}    ssl_certificate "),
    );
    text.replace(proof, &format!("{proof}{requests}"))
}

fn basic(client: &WebClient, name: &str) -> WebClient {
    client
        .option("--user")
        .option(&format!("{name}:basic of {name}"))
}

/// L10: the proxy establishes the identity, and the gate asks for a code only.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_identity_that_nginx_established_needs_only_the_code() {
    for pages_at in [PagesAt::OwnHost, PagesAt::Path] {
        let host = Host::fresh();
        let alice = host.person("alice");
        let web = header(&host, pages_at);
        let phone = alice.enrols();
        let attacker = WebClient::new();
        let asked = attacker.loads(&web.page("sign-in"));
        assert_eq!(
            (asked.status, asked.all("www-authenticate").len()),
            (401, 1),
            "{pages_at:?} {asked:?}"
        );

        let client = basic(&WebClient::new(), "alice");
        let sent = client.loads(&format!("{APP}/notes"));
        assert_eq!(sent.status, 302, "{pages_at:?} {sent:?}");
        let sent = client.follows(&sent);
        assert_eq!(sent.status, 303, "{pages_at:?} {sent:?}");
        let code = client.loads(&web.page("code"));
        assert_contains(&code.body, "one-time-code");
        assert_contains(&code.body, "alice");
        assert!(
            !client
                .cookies()
                .iter()
                .any(|(name, _)| name.ends_with("postern")),
            "no session yet"
        );
        let entered = client.code(&web, &phone.code());
        entered.redirects_to(303, &format!("{APP}/notes"));
        assert_eq!(client.follows(&entered).status, 200);
        let got = web.application.got();
        assert_eq!(got.value("Remote-User"), "alice");
        // The Authorization header belongs to the application's own password.
        assert!(got.value("Authorization").starts_with("Basic "), "{got:?}");
        assert_lacks(web.gate.log(), "panicked");

        // A user who is not enrolled and need not be.
        let bob = basic(&WebClient::new(), "bob");
        let sent = bob.loads(&format!("{APP}/notes"));
        let entered = bob.follows(&sent);
        entered.redirects_to(303, &format!("{APP}/notes"));
        assert_eq!(bob.follows(&entered).status, 200);
        assert_eq!(web.application.got().value("Remote-User"), "bob");
        web.gate.says("accepted cause=identity");
    }
}

/// Trap 16, at the gate's own socket: the identity that a proxy, or an attacker in place of a
/// proxy, sends grants no access without a code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn trap_16_no_identity_passes_an_enrolled_account_without_a_code() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let web = header(&host, PagesAt::OwnHost);
    let phone = alice.enrols();
    let proof = format!("X-Postern-Proxy: {PROOF}");
    let at = |path: &str, more: &[&str]| -> Reply {
        let mut lines = vec!["Host: auth.example.test:8443", "X-Real-IP: 192.0.2.7"];
        lines.extend(more);
        Wire::open()
            .asks(&format!("GET {path}"), &lines, "")
            .expect("the gate answers")
    };

    // A peer that is no trusted proxy is refused, and its identity header is not read.
    assert_eq!(at("/sign-in", &["Remote-User: alice"]).status, 403);
    web.gate.says("refused cause=untrusted-proxy");
    let bob = basic(&WebClient::new(), "bob");
    assert_eq!(
        bob.with("Remote-User: alice")
            .loads(&web.page("sign-in"))
            .status,
        400
    );
    assert_eq!(
        bob.with("Remote-User: alice")
            .loads(&format!("{APP}/"))
            .status,
        400
    );
    web.application.got_nothing();
    let forger = bob.with("remote_user: alice");
    let entered = forger.loads(&web.page("sign-in"));
    assert_eq!(entered.status, 303, "{entered:?}");
    forger.loads(&format!("{APP}/"));
    assert_eq!(web.application.got().value("Remote-User"), "bob");

    // The proxy sends a malformed identity.
    for (lines, cause) in [
        (&[][..], "missing"),
        (&["Remote-User:"], "missing"),
        (&["Remote-User: alice", "Remote-User: alice"], "duplicate"),
        (&["Remote-User: alice, bob"], "duplicate"),
        (&["Remote-User: a:b"], "malformed"),
    ] {
        let lines: Vec<_> = [proof.as_str()]
            .into_iter()
            .chain(lines.iter().copied())
            .collect();
        let reply = at("/sign-in", &lines);
        assert_eq!(
            (reply.status, reply.all("set-cookie").len()),
            (403, 0),
            "{cause}: {reply:?}"
        );
        assert_contains(&reply.body, "User name missing");
        web.gate.says(&format!(
            "refused cause=identity-{cause} address=192.0.2.7 service=web"
        ));
    }

    // The identity of the proxy leads to the code page, never to a session.
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let reply = at("/sign-in", &[&proof, "Remote-User: alice"]);
        assert_eq!(reply.header("location"), "/code", "{reply:?}");
        assert!(
            reply
                .header("set-cookie")
                .starts_with("__Host-postern-login="),
            "{reply:?}"
        );
        tickets.push(
            reply
                .header("set-cookie")
                .split(';')
                .next()
                .expect("a cookie")
                .to_owned(),
        );
    }
    // CSRF: an image on another site's page has no effect.
    assert_eq!(
        at(
            "/sign-in",
            &[&proof, "Remote-User: bob", "Sec-Fetch-Mode: no-cors"]
        )
        .status,
        403
    );
    // Her login token is sent with another identity, or without one.
    let code = phone.code();
    for identity in ["X: y", "Remote-User: bob"] {
        let body = format!("code={code}");
        let lines = [
            "Host: auth.example.test:8443",
            "X-Real-IP: 192.0.2.7",
            "Origin: https://auth.example.test:8443",
            "Content-Type: application/x-www-form-urlencoded",
            &proof,
            identity,
            &format!("Cookie: {}", tickets[0]),
        ];
        let reply = Wire::open()
            .asks("POST /code", &lines, &body)
            .expect("an answer");
        assert_eq!(reply.status, 401, "{identity}: {reply:?}");
    }
    // In this mode a password is not accepted.
    alice.has_a_password();
    let posted = Wire::open().password("alice", &alice.password, "192.0.2.7");
    assert_eq!(
        (posted.status, posted.all("set-cookie").len()),
        (303, 0),
        "{posted:?}"
    );

    // Her session is refused once the proxy names another user.
    let client = basic(&WebClient::new(), "alice");
    client.loads(&web.page("sign-in"));
    assert_eq!(client.code(&web, &code).status, 303);
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    web.application.got();
    let thief = basic(&client.copy_of_cookies(), "bob");
    assert_eq!(thief.loads(&format!("{APP}/")).status, 302);
    web.application.got_nothing();
    let cookie = client.cookie_header(SESSION);
    for (identity, status) in [
        ("Remote-User: alice", 200),
        ("X: y", 200),
        ("Remote-User: bob", 401),
        ("Remote-User: alice,", 401),
    ] {
        assert_eq!(
            Wire::open().checks(&[&cookie, identity]).status,
            status,
            "{identity}"
        );
    }
    assert_eq!(
        Wire::open().checks(&["Remote-User: alice"]).status,
        401,
        "an identity alone opens no check"
    );
}

/// L13: the user enrolls before access is granted.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_must_have_a_second_factor_and_is_named_by_the_proxy_sets_one_up() {
    let host = Host::fresh();
    let mut web = header(&host, PagesAt::OwnHost);
    let required = |within: &str| {
        format!("[policy]\nrequired = \"all\"\nenroll_within = \"{within}\"\n[gate]\n")
    };
    reconfigure("[gate]\n", &required("0s"));
    web.gate.restart();
    let carol = basic(&WebClient::new(), "carol");
    carol
        .loads(&web.page("sign-in"))
        .redirects_to(303, "/enroll");
    let asked = carol.loads(&web.page("enroll"));
    assert_eq!(asked.status, 403, "{asked:?}");
    assert_contains(&asked.body, "one-time code");
    assert_eq!(carol.loads(&format!("{APP}/")).status, 302);
    reconfigure("\"0s\"", "\"1h\"");
    web.gate.restart();
    let bob = basic(&WebClient::new(), "bob");
    let sent = bob.loads(&web.page("sign-in"));
    sent.redirects_to(303, "/enroll");
    let setup = bob.loads(&web.page("enroll"));
    assert!(
        setup.status == 200 && setup.body.contains("<svg"),
        "{setup:?}"
    );
    // The attacker uses a pending enrollment of another user.
    let thief = basic(&bob.copy_of_cookies(), "carol");
    assert_eq!(
        thief.loads(&web.page("enroll")).header("location"),
        "/sign-in"
    );
    web.application.got_nothing();
}

/// The identity is the subject of a client certificate.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_client_certificate_says_who_is_there() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let mut web = header(&host, PagesAt::OwnHost);
    let phone = alice.enrols();
    let run = |arguments: &str| {
        finished(
            Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir("/run/postern-tests"),
        );
    };
    run(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=people -keyout people.key -out people.crt",
    );
    for (file, subject) in [("alice", "/O=x,CN=bob/CN=alice"), ("bob", "/CN=bob")] {
        run(&format!(
            "req -newkey rsa:2048 -nodes -subj {subject} -keyout {file}.pem -out {file}.csr"
        ));
        run(&format!(
            "x509 -req -in {file}.csr -CA people.crt -CAkey people.key -days 2 -out {file}.crt"
        ));
    }
    finished(Command::new("cp").args(["/run/postern-tests/people.crt", "/etc/nginx/people.crt"]));
    let sample = Postern::call("print-config nginx --app app.example.test")
        .does()
        .out;
    web.change_nginx(|_| by_the_manual(&sample, "client certificates"));
    let shows = |name: &str| {
        let at = |ending: &str| format!("/run/postern-tests/{name}.{ending}");
        WebClient::new()
            .option("--cert")
            .option(&at("crt"))
            .option("--key")
            .option(&at("pem"))
    };
    assert_eq!(
        WebClient::new().loads(&web.page("sign-in")).status,
        400,
        "no certificate"
    );
    let client = shows("alice");
    let asked = client.loads(&web.page("sign-in"));
    assert_eq!(asked.header("location"), "/code", "{asked:?}");
    assert_eq!(client.code(&web, &phone.code()).status, 303);
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "alice");
    let bob = shows("bob");
    assert_eq!(bob.loads(&web.page("sign-in")).status, 303);
    assert_eq!(bob.loads(&format!("{APP}/")).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "bob");
}
