//! The gate's own TLS: HTTP/2, and a proxy that proves itself by its certificate.

use testhost::{Front, Host, PROOF, Place, Visitor, Web, finished, reconfigure};

const CHECK: &str = "https://127.0.0.1:9443/check/traefik";

/// An authority, the gate's certificate, the proxy's, and one of somebody else's.
fn certificates() {
    let script = "cd /etc/postern && umask 022
        new() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
            -subj /CN=$1 -keyout $1.key -out $1.crt ${@:2}; }
        new authority && new others
        new gate -addext subjectAltName=IP:127.0.0.1
        new proxy -CA authority.crt -CAkey authority.key -addext basicConstraints=CA:FALSE
        new stranger -CA others.crt -CAkey others.key -addext basicConstraints=CA:FALSE
        chgrp postern gate.key && chmod 0640 gate.key";
    finished(std::process::Command::new("bash").args(["-euc", script]));
}

/// A check as Traefik asks it.
fn proxy() -> Visitor {
    let asked = [
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: app.example.test:8443",
        "X-Forwarded-Uri: /",
        "X-Forwarded-For: 192.0.2.7",
    ];
    asked.iter().fold(Visitor::new(), |visitor, line| visitor.with(line))
}

fn shows(visitor: &Visitor, who: &str) -> Visitor {
    let option = |visitor: Visitor, name: &str, value: String| visitor.option(name).option(&value);
    let shown = option(visitor.clone(), "--cert", format!("/etc/postern/{who}.crt"));
    option(shown, "--key", format!("/etc/postern/{who}.key"))
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_proxy_proves_itself_by_its_certificate() {
    let host = Host::fresh();
    certificates();
    let settings = "[[gate.trusted_proxies]]\nproxy = \"traefik\"\nfrom = [\"127.0.0.1\"]\ncertificate = true\n\
        [gate.tls]\ncert_file = \"/etc/postern/gate.crt\"\nkey_file = \"/etc/postern/gate.key\"\n\
        client_ca_file = \"/etc/postern/authority.crt\"\n";
    let mut web = Web::start(&host, Front::Nginx, Place::OwnHost, settings);
    reconfigure("[gate]\n", "[gate]\nlisten = [\"unix:/run/postern/gate.sock\", \"tls:127.0.0.1:9443\"]\n");
    web.gate.restart();
    let alice = host.person("alice");
    alice.has_a_password();
    let phone = alice.enrols();
    let visitor = Visitor::new();
    visitor.signs_in(&web.pages, "alice", &alice.password, &phone.code(), "");
    let cookie = format!("Cookie: __Secure-postern={}", visitor.cookie("__Secure-postern"));

    for http in ["--http1.1", "--http2"] {
        let proxy = proxy().with(&cookie).option(http);
        let answer = shows(&proxy, "proxy").loads(CHECK);
        assert_eq!((answer.status, answer.header("remote-user")), (200, "alice"), "{http} {answer:?}");
        assert_eq!(proxy.loads(CHECK).status, 403, "{http}: no certificate");
        assert_eq!(proxy.with(&format!("X-Postern-Proxy: {PROOF}")).loads(CHECK).status, 403);
        let stranger = shows(&proxy, "stranger").loads(CHECK);
        assert!([0, 403].contains(&stranger.status), "{http}: {stranger:?}");

        // HTTP/2 splits one line of cookies; in HTTP/1 two lines are two meanings
        let answer = shows(&proxy.with("Cookie: a=1"), "proxy").loads(CHECK);
        if http == "--http2" {
            let mut cookies: Vec<_> = answer.header("cookie").split("; ").collect();
            cookies.sort_unstable();
            assert_eq!((answer.status, cookies), (200, vec!["a=1"]), "{answer:?}");
        } else {
            assert_eq!(answer.status, 401, "{answer:?}");
        }
    }
}
