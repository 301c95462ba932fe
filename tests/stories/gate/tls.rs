//! The gate's own TLS: HTTP/2, and the proxy proof by a client certificate.

use testhost::{
    APP, Host, PROOF, PagesAt, Proxy, Web, WebClient, change_traefik, finished, patiently,
    reconfigure, wait_until,
};

const CHECK: &str = "https://127.0.0.1:9443/check/traefik";

/// Creates three authorities: one for proxies, one for the gate and an attacker's certificate, and
/// one with only the name of the first.
fn certificates() {
    let script = "cd /etc/postern && umask 022
        new() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
            -keyout $1.key -out $1.crt -subj /CN=$2 ${@:3}; }
        by() { new $2 $2 -CA $1.crt -CAkey $1.key -addext basicConstraints=CA:FALSE ${@:3}; }
        new authority authority && new others others && new forger authority
        by authority proxy && by others stranger && by forger forged
        by others gate -addext subjectAltName=IP:127.0.0.1
        cp authority.crt proxies.crt && chgrp postern gate.key && chmod 0640 gate.key
        mkdir -p /etc/traefik && cp others.crt /etc/traefik/gate-authority.crt
        cp {proxy,stranger,forged}.{crt,key} /etc/traefik";
    finished(std::process::Command::new("bash").args(["-euc", script]));
}

/// A check request in the form of Traefik.
fn proxy() -> WebClient {
    let asked = [
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: app.example.test:8443",
        "X-Forwarded-Uri: /",
        "X-Forwarded-For: 192.0.2.7",
    ];
    asked
        .iter()
        .fold(WebClient::new(), |client, line| client.with(line))
}

fn shows(client: &WebClient, who: &str) -> WebClient {
    let option = |client: WebClient, name: &str, value: String| client.option(name).option(&value);
    let shown = option(client.clone(), "--cert", format!("/etc/postern/{who}.crt"));
    option(shown, "--key", format!("/etc/postern/{who}.key"))
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_proxy_proves_itself_by_its_certificate() {
    let host = Host::fresh();
    certificates();
    let settings = "[[gate.trusted_proxies]]\nproxy = \"traefik\"\nfrom = [\"127.0.0.1\"]\ncertificate = true\n\
        [gate.tls]\ncert_file = \"/etc/postern/gate.crt\"\nkey_file = \"/etc/postern/gate.key\"\n\
        client_ca_file = \"/etc/postern/proxies.crt\"\n";
    let mut web = Web::nginx(&host, settings);
    reconfigure(
        "[gate]\n",
        "[gate]\nlisten = [\"unix:/run/postern/gate.sock\", \"tls:127.0.0.1:9443\"]\n",
    );
    web.gate.restart();
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    let cookie = client.cookie_header("__Secure-postern");

    for http in ["--http1.1", "--http2"] {
        let proxy = proxy().with(&cookie).option(http);
        let reply = shows(&proxy, "proxy").loads(CHECK);
        assert_eq!(
            (reply.status, reply.header("remote-user")),
            (200, "alice"),
            "{http} {reply:?}"
        );
        assert_eq!(proxy.loads(CHECK).status, 403, "{http}: no certificate");
        assert_eq!(
            proxy
                .with(&format!("X-Postern-Proxy: {PROOF}"))
                .loads(CHECK)
                .status,
            403
        );
        let attacker = shows(&proxy, "stranger").loads(CHECK);
        assert!([0, 403].contains(&attacker.status), "{http}: {attacker:?}");

        // HTTP/2 may split a Cookie line into several fields. Over HTTP/1, two lines are joined as
        // well.
        let reply = shows(&proxy.with("Cookie: a=1"), "proxy").loads(CHECK);
        assert_eq!(
            (reply.status, reply.header("cookie")),
            (200, "a=1"),
            "{reply:?}"
        );
    }
}

/// Returns Traefik's sample with its TLS lines enabled and its plain lines removed.
fn over_tls(sample: &str) -> String {
    let plain = |line: &&str| !line.contains("http://127.0.0.1:9091");
    // A disabled line has its comment sign right before the word, or before additional blanks.
    let lines = sample
        .lines()
        .filter(plain)
        .map(|line| match line.split_once('#') {
            Some((blanks, rest)) if !blanks.is_empty() && blanks.trim().is_empty() => {
                let is_prose = rest.starts_with(' ') && !rest.starts_with("  ");
                if is_prose {
                    line.to_owned()
                } else {
                    format!("{blanks}{rest}")
                }
            }
            _ => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Traefik presents its certificate to the gate. A certificate of another authority, or none,
/// proves nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn traefik_proves_itself_by_its_certificate() {
    for pages_at in [PagesAt::OwnHost, PagesAt::Path] {
        let host = Host::fresh();
        certificates();
        let mut web = Web::start(&host, Proxy::Traefik, pages_at, "");
        let tls = "certificate = true\n[gate.tls]\ncert_file = \"/etc/postern/gate.crt\"\n\
            key_file = \"/etc/postern/gate.key\"\nclient_ca_file = \"/etc/postern/proxies.crt\"";
        reconfigure("secret_file = \"/etc/postern/proxy.secret\"", tls);
        reconfigure("tcp:127.0.0.1:9091", "tls:127.0.0.1:9091");
        web.gate.restart();
        change_traefik(|sample| over_tls(&sample).replace(PROOF, "no-secret-at-all"));
        let (alice, phone) = host.web_user("alice");
        let (page, client) = (format!("{APP}/"), WebClient::new());
        patiently("Traefik speaks TLS to the gate", || {
            let reply = client.loads(&page);
            Ok((reply.status == 302).then_some(()))
        });
        let entered = client.signs_in(&web, &alice, &phone.code());
        assert_eq!(client.follows(&entered).status, 200);
        assert_eq!(web.application.got().value("Remote-User"), "alice");
        let cookies = client.cookies();
        let (name, value) = cookies
            .iter()
            .find(|(name, _)| name.ends_with("postern"))
            .expect("a session");
        let crumbs = WebClient::new().with(&format!("Cookie: a=1; {name}={value}; b=2"));
        for http in ["--http1.1", "--http2"] {
            assert_eq!(crumbs.option(http).loads(&page).status, 200);
            let got = web.application.got();
            let mut cookies: Vec<_> = got.value("Cookie").split("; ").collect();
            cookies.sort_unstable();
            assert_eq!(
                (got.value("Remote-User"), cookies),
                ("alice", vec!["a=1", "b=2"])
            );
        }
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| assert_eq!(client.copy_of_cookies().loads(&page).status, 200));
            }
        });
        web.application.arrived();
        let mut sockets = std::process::Command::new("ss");
        let sockets =
            finished(sockets.args(["-Htn", "state", "established", "dst", "127.0.0.1:9091"]));
        assert_eq!(
            sockets.lines().count(),
            2,
            "HTTP/2: one for checks, one for pages\n{sockets}"
        );

        // Go does not present a certificate of another authority, so the gate refuses the peer. A
        // forged certificate ends the handshake. A proxy without a certificate is refused too.
        let refused = |why: &str, status: u16, change: &dyn Fn(&str) -> String| {
            change_traefik(|sample| change(&sample));
            wait_until(why, || Ok(client.loads(&page).status == status));
            web.application.arrived();
            assert_eq!(client.fetches(&page).status, status, "{why}");
            assert!(
                client.loads(&web.pages).status >= 400,
                "{why}: nor does it show the gate's pages"
            );
            web.application.got_nothing();
        };
        refused("a stranger is refused", 403, &|sample| {
            sample.replace("/proxy.", "/stranger.")
        });
        refused("a forged certificate is refused", 500, &|sample| {
            sample.replace("/stranger.", "/forged.")
        });
        refused("no certificate is refused", 403, &|sample| {
            let certificate =
                |line: &&str| line.contains("/forged.") || *line == "      certificates:";
            sample
                .lines()
                .filter(|line| !certificate(line))
                .collect::<Vec<_>>()
                .join("\n")
                + "\n"
        });
        web.gate.says("cause=untrusted-proxy");
    }
}
