//! First factors that another program verifies: PAM through the root helper, and nginx with basic
//! auth.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use testhost::{
    APP, Front, Host, PROOF, PasswordHelper, Person, Place, Postern, Reply, Visitor, Web, Wire,
    assert_contains, assert_lacks, finished, reconfigure,
};

const SERVICE: &str = "postern-gate";
const SESSION: &str = "__Secure-postern";
const UNIX: &str = "@include common-auth\n@include common-account\n";

/// Starts a gate that verifies passwords by the host's PAM.
#[track_caller]
fn pam(host: &Host) -> (Web, PasswordHelper) {
    host.pam(SERVICE, UNIX);
    let mut web = Web::nginx(host, "");
    reconfigure("[gate]\n", "[gate]\nfirst_factor = \"pam\"\n");
    web.gate.restart();
    (web, PasswordHelper::start())
}

/// Starts a gate that accepts the identity from nginx, which uses basic auth.
#[track_caller]
fn header(host: &Host, place: Place) -> Web {
    let people = ["alice", "bob", "carol"].map(|name| format!("{name}:{{PLAIN}}basic of {name}\n"));
    fs::write("/etc/nginx/people", people.concat()).expect("/etc can be written");
    let mut web = Web::start(host, Front::Nginx, place, "");
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

fn basic(visitor: &Visitor, name: &str) -> Visitor {
    visitor
        .option("--user")
        .option(&format!("{name}:basic of {name}"))
}

/// Returns the page of a refused sign-in, with the name removed, and its duration.
#[track_caller]
fn refused(web: &Web, name: &str, password: &str) -> (String, Duration) {
    let began = Instant::now();
    let reply = Visitor::new()
        .from(&fresh_address())
        .sends_password(&web.pages, name, password);
    assert_eq!(reply.status, 401, "{name}: {reply:?}");
    assert!(reply.all("set-cookie").is_empty(), "{reply:?}");
    (reply.body.replace(name, "NAME"), began.elapsed())
}

/// Returns an unused address, so that no story is throttled by another one's guesses.
fn fresh_address() -> String {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(10);
    format!("127.0.7.{}", NEXT.fetch_add(1, Ordering::SeqCst))
}

fn in_group(person: &Person, group: &str) {
    // The group may exist from another story.
    let _ = Command::new("groupadd").args(["--force", group]).status();
    finished(Command::new("usermod").args(["--append", "--groups", group, &person.name]));
}

/// L1, L13: PAM verifies Unix accounts, and their groups reach the application.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_password_of_this_host_then_the_code_and_the_hosts_groups_arrive() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    in_group(&alice, "harbour-masters");
    let (web, helper) = pam(&host);
    let phone = alice.enrols();

    let visitor = Visitor::new();
    let asked = visitor.password(&web, &alice);
    asked.redirects_to(303, "/code");
    let entered = visitor.code_and_trust(&web, &phone.code());
    entered.redirects_to(303, &format!("{APP}/"));
    assert_eq!(visitor.follows(&entered).status, 200);
    let got = web.application.got();
    assert_eq!(got.value("Remote-User"), "alice");
    let groups: Vec<_> = got.value("Remote-Groups").split(',').collect();
    assert!(
        groups.contains(&"alice") && groups.contains(&"harbour-masters"),
        "{groups:?}"
    );

    // The browser is trusted, so the host's password suffices.
    visitor.sends(&web.page("sign-out"), &[]);
    assert_eq!(visitor.loads(&format!("{APP}/")).status, 302);
    let again = visitor.password(&web, &alice);
    assert_eq!(again.header("location"), format!("{APP}/"), "{again:?}");

    // A user who signs in for the first time gets an account. Without a second factor, no code is
    // asked.
    assert_contains(&Postern::call("status bob").refuses().err, "bob");
    let visitor = Visitor::new();
    let entered = visitor.password(&web, &bob);
    entered.redirects_to(303, &format!("{APP}/"));
    visitor.follows(&entered);
    assert_eq!(web.application.got().value("Remote-User"), "bob");
    let added = Postern::json("log bob --json --event account-added");
    assert_eq!(added["cause"], "first-sign-in");
    assert_eq!(added["service"], "web");
    for log in [web.gate.log(), helper.log()] {
        assert_lacks(&log, &alice.password);
        assert_lacks(&log, "panicked");
    }
}

/// L14: before the first factor, all refusals by PAM have the same text and the same delay.
#[test]
#[ignore = "needs the test host: tests/run"]
fn whoever_pam_does_not_let_in_is_refused_alike_in_text_and_time() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let (web, helper) = pam(&host);
    alice.enrols();
    let wrong = refused(&web, "alice", "not the password");
    let others = [
        refused(&web, "bob", "not the password"),
        refused(&web, "nobody-of-that-name", "not the password"),
        refused(&web, "root", "not the password"),
        refused(&web, "alice", ""),
        refused(&web, "alice", &"x".repeat(600)),
    ];
    finished(Command::new("usermod").args(["--lock", "bob"]));
    let locked = refused(&web, "bob", &bob.password);
    finished(Command::new("usermod").args(["--unlock", "bob"]));
    finished(Command::new("chage").args(["-E", "0", "bob"]));
    let expired = refused(&web, "bob", &bob.password);
    finished(Command::new("chage").args(["-E", "-1", "bob"]));
    helper.says("refused cause=account-refused");
    // The name is now throttled, and its password is not verified.
    for _ in 0..2 {
        refused(&web, "alice", "not the password");
    }
    let delayed = refused(&web, "alice", &alice.password);
    web.gate.says("refused cause=password-delayed-30s");
    for (text, took) in others.into_iter().chain([locked, expired, delayed]) {
        assert_eq!(text, wrong.0);
        let apart = took.abs_diff(wrong.1);
        assert!(
            took >= Duration::from_secs(4) && apart < Duration::from_millis(700),
            "{took:?} {:?}",
            wrong.1
        );
    }
    assert!(
        Postern::call("status bob").refuses().err.contains("bob"),
        "no refusal made an account"
    );
}

/// The gate cannot choose the PAM service. A service that would ask for a code itself is not used.
#[test]
#[ignore = "needs the test host: tests/run"]
fn pam_is_asked_by_the_service_that_the_configuration_names() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let (web, helper) = pam(&host);
    let signs_in = || Visitor::new().from(&fresh_address()).password(&web, &alice);
    assert_eq!(signs_in().status, 303);

    host.pam(
        "postern-other",
        "auth required pam_unix.so\nauth required pam_deny.so\naccount required pam_unix.so\n",
    );
    reconfigure("[gate]\n", "[gate]\npam_service = \"postern-other\"\n");
    assert_eq!(
        signs_in().status,
        401,
        "the helper goes by the configuration of now"
    );
    host.pam(
        "postern-other",
        &format!("{UNIX}auth required pam_totp.so\n"),
    );
    let out_of_order = signs_in();
    assert_eq!(out_of_order.status, 503, "{out_of_order:?}");
    helper.says("/etc/pam.d/postern-other:3: holds pam_totp.so");
    web.gate.says("refused cause=password-unavailable");
    host.pam("postern-other", UNIX);
    assert_eq!(signs_in().status, 303, "what was not asked was not charged");

    reconfigure(
        "pam_service = \"postern-other\"",
        "pam_service = \"../shadow\"",
    );
    assert_eq!(
        signs_in().status,
        303,
        "the last valid copy names the default"
    );
    helper.says("gate.pam_service: must be the name of a file in /etc/pam.d");
    drop(helper);
    let absent = signs_in();
    assert_eq!(absent.status, 503, "{absent:?}");
    web.gate.says("postern-password does not answer");
    assert_lacks(web.gate.log(), "panicked");
}

/// L10: the proxy establishes the identity, and the gate asks for a code only.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_identity_that_nginx_established_needs_only_the_code() {
    for place in [Place::OwnHost, Place::Path] {
        let host = Host::fresh();
        let alice = host.person("alice");
        let web = header(&host, place);
        let phone = alice.enrols();
        let stranger = Visitor::new();
        let asked = stranger.loads(&web.page("sign-in"));
        assert_eq!(
            (asked.status, asked.all("www-authenticate").len()),
            (401, 1),
            "{place:?} {asked:?}"
        );

        let visitor = basic(&Visitor::new(), "alice");
        let sent = visitor.loads(&format!("{APP}/notes"));
        assert_eq!(sent.status, 302, "{place:?} {sent:?}");
        let sent = visitor.follows(&sent);
        assert_eq!(sent.status, 303, "{place:?} {sent:?}");
        let code = visitor.loads(&web.page("code"));
        assert_contains(&code.body, "one-time-code");
        assert_contains(&code.body, "alice");
        assert!(
            !visitor
                .cookies()
                .iter()
                .any(|(name, _)| name.ends_with("postern")),
            "no session yet"
        );
        let entered = visitor.code(&web, &phone.code());
        entered.redirects_to(303, &format!("{APP}/notes"));
        assert_eq!(visitor.follows(&entered).status, 200);
        let got = web.application.got();
        assert_eq!(got.value("Remote-User"), "alice");
        // The Authorization header belongs to the application's own password.
        assert!(got.value("Authorization").starts_with("Basic "), "{got:?}");
        assert_lacks(web.gate.log(), "panicked");

        // A user who is not enrolled and need not be.
        let bob = basic(&Visitor::new(), "bob");
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
    let web = header(&host, Place::OwnHost);
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
    let bob = basic(&Visitor::new(), "bob");
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
    let visitor = basic(&Visitor::new(), "alice");
    visitor.loads(&web.page("sign-in"));
    assert_eq!(visitor.code(&web, &code).status, 303);
    assert_eq!(visitor.loads(&format!("{APP}/")).status, 200);
    web.application.got();
    let thief = basic(&visitor.robbed(), "bob");
    assert_eq!(thief.loads(&format!("{APP}/")).status, 302);
    web.application.got_nothing();
    let cookie = visitor.cookie_header(SESSION);
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
fn whoever_must_have_a_second_factor_and_is_named_by_the_proxy_sets_one_up() {
    let host = Host::fresh();
    let mut web = header(&host, Place::OwnHost);
    let required = |within: &str| {
        format!("[policy]\nrequired = \"all\"\nenroll_within = \"{within}\"\n[gate]\n")
    };
    reconfigure("[gate]\n", &required("0s"));
    web.gate.restart();
    let carol = basic(&Visitor::new(), "carol");
    let asked = carol.loads(&web.page("sign-in"));
    assert_eq!(asked.status, 403, "{asked:?}");
    assert_contains(&asked.body, "one-time code");
    assert_eq!(carol.loads(&format!("{APP}/")).status, 302);
    reconfigure("\"0s\"", "\"1h\"");
    web.gate.restart();
    let bob = basic(&Visitor::new(), "bob");
    let sent = bob.loads(&web.page("sign-in"));
    sent.redirects_to(303, "/enroll");
    let setup = bob.loads(&web.page("enroll"));
    assert!(
        setup.status == 200 && setup.body.contains("<svg"),
        "{setup:?}"
    );
    // The attacker uses a pending enrollment of another user.
    let thief = basic(&bob.robbed(), "carol");
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
    let mut web = header(&host, Place::OwnHost);
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
        Visitor::new()
            .option("--cert")
            .option(&at("crt"))
            .option("--key")
            .option(&at("pem"))
    };
    assert_eq!(
        Visitor::new().loads(&web.page("sign-in")).status,
        400,
        "no certificate"
    );
    let visitor = shows("alice");
    let asked = visitor.loads(&web.page("sign-in"));
    assert_eq!(asked.header("location"), "/code", "{asked:?}");
    assert_eq!(visitor.code(&web, &phone.code()).status, 303);
    assert_eq!(visitor.loads(&format!("{APP}/")).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "alice");
    let bob = shows("bob");
    assert_eq!(bob.loads(&web.page("sign-in")).status, 303);
    assert_eq!(bob.loads(&format!("{APP}/")).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "bob");
}
