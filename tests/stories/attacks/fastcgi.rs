//! Attacks at the gate's FastCGI listener, at which every user of the host can connect, and through
//! Apache.

use super::cookies::{SESSION, session};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use testhost::{
    APP, FastcgiWire, Host, PROOF, PagesAt, Proxy, Web, WebClient, assert_lacks, assert_within,
    fastcgi_begin, fastcgi_params, fastcgi_record, fastcgi_request,
};

#[track_caller]
fn apache(host: &Host) -> Web {
    Web::start(host, Proxy::Apache, PagesAt::OwnHost, "")
}

/// Replaces a parameter; without a value it is left out.
fn with(name: &str, value: Option<&'static str>) -> Vec<(&'static str, &'static str)> {
    let mut params = fastcgi_params();
    match value {
        None => params.retain(|(n, _)| *n != name),
        Some(value) => {
            for param in params.iter_mut().filter(|(n, _)| *n == name) {
                param.1 = value;
            }
        }
    }
    params
}

#[track_caller]
fn checks(params: &[(&str, &str)]) -> testhost::Reply {
    let reply = FastcgiWire::open().checks(params);
    let has_variable = |(name, _): &(String, String)| name.starts_with("variable-");
    let is_granted = reply.status == 200;
    assert_eq!(
        reply.headers.iter().any(has_variable),
        is_granted,
        "{reply:?}"
    );
    reply
}

/// A local user connects to the port, with the session of a user and without the proof.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_client_at_the_fastcgi_port_is_refused_without_the_proof() {
    let host = Host::fresh();
    let web = apache(&host);
    let cookie = format!("a=1; {SESSION}={}", session(&host, &web, "alice"));
    let ours = ("HTTP_COOKIE", cookie.as_str());
    let mut good = fastcgi_params();
    good.push(ours);
    let reply = checks(&good);
    assert_eq!(
        (
            reply.status,
            reply.header("variable-postern_user"),
            reply.header("variable-postern_cookie")
        ),
        (200, "alice", "a=1"),
        "{reply:?}"
    );
    assert!(reply.all("set-cookie").is_empty());

    for proof in [None, Some(""), Some("guess"), Some(" ")] {
        let mut params = with("HTTP_X_POSTERN_PROXY", proof);
        params.push(ours);
        for forged in [
            ("REMOTE_USER", "root"),
            ("X_POSTERN_PROXY", PROOF),
            ("HTTP_X-POSTERN-PROXY", PROOF),
            ("http_x_postern_proxy", PROOF),
            ("HTTP_X_POSTERN_PROXY_", PROOF),
        ] {
            params.push(forged);
        }
        assert_eq!(checks(&params).status, 403, "{proof:?}");
    }
    web.gate.says("cause=untrusted-proxy");
    // Another parser may take the other one of two.
    for second in [PROOF, "guess", ""] {
        let mut params = good.clone();
        params.push(("HTTP_X_POSTERN_PROXY", second));
        assert_eq!(checks(&params).status, 403, "{second}");
    }
    web.application.got_nothing();
}

/// Parameters that are missing, doubled or odd are denied, and never 5xx.
#[test]
#[ignore = "needs the test host: tests/run"]
fn odd_parameters_are_denied() {
    let host = Host::fresh();
    let web = apache(&host);
    let cookie = format!("{SESSION}={}", session(&host, &web, "alice"));
    let ours = ("HTTP_COOKIE", cookie.as_str());
    let is_denied = |odd: Vec<(&'static str, &'static str)>| {
        let mut params: Vec<(&str, &str)> = odd;
        params.push(ours);
        let status = checks(&params).status;
        assert!((400..500).contains(&status), "{params:?}: {status}");
    };
    for name in [
        "REQUEST_METHOD",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "REMOTE_ADDR",
        "HTTP_HOST",
    ] {
        is_denied(with(name, None));
        is_denied(with(name, Some("")));
        for (_, value) in fastcgi_params().into_iter().filter(|(n, _)| *n == name) {
            let mut doubled = fastcgi_params();
            doubled.push((name, value));
            is_denied(doubled);
        }
        for odd in ["\0", "\u{1}", "\u{7f}", "ü", "a b", "a, b", "a\r\nb"] {
            is_denied(with(name, Some(odd)));
        }
    }
    for (name, odd) in [
        ("REQUEST_SCHEME", "http"),
        ("REQUEST_URI", "http://app.example.test:8443/"),
        ("REQUEST_URI", "https://auth.example.test:8443/"),
        ("REQUEST_URI", "*"),
        ("HTTP_HOST", "app.example.test:8443, evil.test"),
        ("HTTP_HOST", "app.example.test@evil.test"),
        ("REMOTE_ADDR", "192.0.2.7, 127.0.0.1"),
    ] {
        is_denied(with(name, Some(odd)));
    }
    // The check is that of a page load: a conflict of cookies leads to the page that clears them.
    let mut twice = fastcgi_params();
    twice.extend([ours, ours]);
    assert_eq!(checks(&twice).status, 302);
    let long = "b".repeat(70_000);
    let mut many = fastcgi_params();
    many.push(("HTTP_X_LONG", &long));
    many.push(ours);
    assert_eq!(checks(&many).status, 431);
    assert_lacks(web.gate.log(), "panicked");
}

/// Records that are malformed, or of another role, give no result. The gate serves on.
#[test]
#[ignore = "needs the test host: tests/run"]
fn malformed_records_give_no_result() {
    let host = Host::fresh();
    let web = apache(&host);
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let cookie = format!("{SESSION}={}", client.cookie(SESSION));
    let mut params = fastcgi_params();
    params.push(("HTTP_COOKIE", &cookie));
    let good = fastcgi_request(1, &params);
    let (begin, rest) = good.split_at(16);
    let lying = b"\xff\xff\xff\xff\xff\xff\xff\xffREQUEST_URI";
    for (name, bytes) in [
        ("another version", [&[2][..], &good[1..]].concat()),
        ("no begin", rest.to_vec()),
        ("a responder", [&fastcgi_begin(1, 1)[..], rest].concat()),
        ("a filter", [&fastcgi_begin(1, 3)[..], rest].concat()),
        ("twice begun", [begin, begin, rest].concat()),
        (
            "aborted",
            [begin, &fastcgi_record(2, 1, b""), rest].concat(),
        ),
        (
            "of another id",
            [begin, &fastcgi_request(2, &params)[16..]].concat(),
        ),
        (
            "a short begin",
            [&fastcgi_record(1, 1, b"\0\x02"), rest].concat(),
        ),
        ("id 0", fastcgi_request(0, &params)),
        (
            "lengths that lie",
            [
                begin,
                &fastcgi_record(4, 1, lying),
                &fastcgi_record(4, 1, b""),
            ]
            .concat(),
        ),
        ("http", b"GET /check/nginx HTTP/1.1\r\n\r\n".to_vec()),
        (
            "too much",
            [begin, &fastcgi_record(4, 1, &[0; 60_000]).repeat(40)].concat(),
        ),
        ("management", fastcgi_record(77, 0, b"").repeat(5000)),
        ("nothing", Vec::new()),
    ] {
        let reply = FastcgiWire::open().sends(&bytes).reads();
        let status = reply.reply.as_ref().map(|reply| reply.status);
        assert!(matches!(status, None | Some(400)), "{name}: {reply:?}");
    }
    // A second request on the connection is refused, and changes nothing of the first.
    let mut other = fastcgi_params();
    other.push(("HTTP_COOKIE", "none=1"));
    let second = fastcgi_request(2, &other);
    let bytes = [begin, &second, rest, &second].concat();
    let reply = FastcgiWire::open().sends(&bytes).reads();
    assert_eq!(reply.ended, [(2, 1), (1, 0)], "{reply:?}");
    assert_eq!(reply.reply().header("variable-postern_user"), "alice");
    // Another listener speaks HTTP, and this one does not.
    web.gate.says("cause=proxy-contract");
    assert_lacks(web.gate.log(), "panicked");
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "alice");
}

/// Idle and slow connections are cut, and the owner signs in meanwhile.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_thousand_idle_connections_keep_no_owner_out() {
    let host = Host::fresh();
    let mut web = apache(&host);
    let (alice, phone) = host.web_user("alice");
    web.gate.restart_through(&["prlimit", "--nofile=400:400"]);
    let idle: Vec<_> = (0..1000)
        .map(|_| TcpStream::connect("127.0.0.1:9092").expect("a connection"))
        .collect();
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let began = Instant::now();
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    assert_within(began, Duration::from_secs(2));
    assert_eq!(web.application.got().value("Remote-User"), "alice");
    drop(idle);

    let request = fastcgi_request(1, &fastcgi_params());
    let began = Instant::now();
    for part in [0, 1, 8, 16, 30, request.len() - 1] {
        let mut slow = FastcgiWire::open();
        let reply = slow.sends(&request[..part]).reads();
        assert!(reply.reply.is_none(), "{part}: {reply:?}");
    }
    assert_within(began, Duration::from_secs(6 * 8));
    assert_lacks(web.gate.log(), "panicked");
}

/// A client of Apache sends the proof, in any spelling, or asks for headers back.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_client_of_apache_can_neither_send_nor_read_the_proof() {
    for pages_at in [PagesAt::OwnHost, PagesAt::Path] {
        let host = Host::fresh();
        let web = Web::start(&host, Proxy::Apache, pages_at, "");
        let (alice, phone) = host.web_user("alice");
        let client = WebClient::new();
        client.signs_in(&web, &alice, &phone.code());
        let page = format!("{APP}/");
        for name in [
            "X-Postern-Proxy",
            "X_Postern_Proxy",
            "X.Postern.Proxy",
            "X-Postern_Proxy",
            "X_Postern-Proxy",
            "X-Postern!Proxy",
            "HTTP_X_POSTERN_PROXY",
        ] {
            for value in ["guess", PROOF] {
                for http in ["--http1.1", "--http2"] {
                    let header = format!("{name}: {value}");
                    let reply = client.with(&header).with(&header).option(http).loads(&page);
                    assert!([200, 400].contains(&reply.status), "{header} {reply:?}");
                    for got in web.application.arrived() {
                        assert_eq!(got.value("Remote-User"), "alice", "{header}");
                        assert!(got.values("X-Postern-Proxy").is_empty(), "{got:?}");
                    }
                    let attacker = WebClient::new().with(&header).option(http).loads(&page);
                    assert!([302, 400].contains(&attacker.status), "{attacker:?}");
                }
            }
        }
        // Apache removes the headers that Connection names, also after the check.
        for name in ["Connection", "Proxy-Connection"] {
            for dropped in [
                "Remote-User",
                "close, remote-groups",
                "X-Postern-Proxy, Cookie",
            ] {
                let reply = client
                    .with(&format!("{name}: {dropped}"))
                    .option("--http1.1")
                    .loads(&page);
                assert!([200, 400].contains(&reply.status), "{dropped} {reply:?}");
                for got in web.application.arrived() {
                    assert_eq!(got.value("Remote-User"), "alice", "{name}: {dropped}");
                    assert!(got.values("X-Postern-Proxy").is_empty(), "{got:?}");
                }
            }
        }
        // TRACE would send all headers back.
        for url in [page.as_str(), &web.page("sign-in"), &web.page("assets/x")] {
            for asks in [client.clone(), WebClient::new()] {
                let reply = asks.option("-XTRACE").fetches(url);
                assert!(reply.status >= 400, "{reply:?}");
                assert_lacks(format!("{reply:?}"), PROOF);
            }
        }
        // A browser requests no check through Apache.
        for path in [
            "check/nginx",
            "check/traefik",
            "check/envoy/",
            "check/apache",
        ] {
            let through = client.with("X-Original-URL: https://app.example.test:8443/");
            assert_eq!(through.loads(&web.page(path)).status, 404, "{path}");
        }
        // What names another host than the certificate's is none of the application.
        for other in ["other.example.test:8443", "evil.test", "postern.invalid"] {
            let asks = client.with(&format!("Host: {other}")).option("--http1.1");
            let reply = asks.loads(&page);
            assert!((400..500).contains(&reply.status), "{other} {reply:?}");
        }
        web.application.got_nothing();
    }
}

/// Apache reads no header above 8 KiB from the gate: long cookies were a 500.
#[test]
#[ignore = "needs the test host: tests/run"]
fn cookies_as_long_as_apache_takes_arrive_whole() {
    let host = Host::fresh();
    let web = apache(&host);
    let ours = format!("{SESSION}={}", session(&host, &web, "alice"));
    let bare = WebClient::new();
    for length in [7000, 7160, 7168, 7169, 7500, 7700] {
        let foreign = format!("a=b; long={}", "v w, ".repeat(length / 5));
        let foreign = foreign.trim_end_matches([' ', ',']);
        let reply = bare
            .with(&format!("Cookie: {foreign}; {ours}"))
            .loads(&format!("{APP}/"));
        assert_eq!(reply.status, 200, "{length}: {reply:?}");
        assert_eq!(web.application.got().value("Cookie"), foreign, "{length}");
    }
}
