//! `postern check` on the daemons, the clock, and the web: the proxy's files and the certificate.

use super::check_machine::{
    complaints, fault, finds_each, finds_nothing, shell, ssh_host, ssh_host_with_phone, warning,
};
use std::fs;
use std::process::Command;
use testhost::{PROGRAM, PagesAt, Proxy, Store, Web, finished, wait_until};

#[test]
#[ignore = "needs the test host: tests/run"]
fn daemons_and_clock_are_looked_at() {
    let (mut host, mut keys, phone) = ssh_host_with_phone();
    keys.show("alice");
    let program = "/usr/libexec/postern/posternd.real";
    shell(&format!(
        "cp {program} {program}.new; mv {program}.new {program}"
    ));
    let lines = complaints();
    assert!(
        matches!(&lines[..], [line] if line.starts_with("fault") && line.contains("runs an earlier program") && line.contains("systemctl restart posternd")),
        "{lines:#?}"
    );
    host.posternd_mut().restart();
    wait_until("posternd was restarted", || Ok(complaints().is_empty()));
    host.posternd_mut().crash();
    let lines = complaints();
    assert!(
        matches!(&lines[..], [line] if line.starts_with("fault") && line.contains("posternd does not run")),
        "{lines:#?}"
    );
    host.posternd = None;
    let lines = complaints();
    for words in [
        "nothing listens at /run/postern/host.sock",
        "nothing listens at /run/postern/pam.sock",
    ] {
        assert!(
            lines.iter().any(|line| line.contains(words)),
            "{words}: {lines:#?}"
        );
    }
    host.posternd = Some(testhost::Posternd::start());
    wait_until("posternd runs again", || Ok(complaints().is_empty()));

    shell(&format!(
        "mv {PROGRAM} {PROGRAM}.saved; printf '#!/bin/sh\\necho posternd 0.0.9\\n' >{PROGRAM}; chmod 0755 {PROGRAM}"
    ));
    let lines = complaints();
    shell(&format!("mv {PROGRAM}.saved {PROGRAM}"));
    assert!(
        matches!(&lines[..], [line] if line.starts_with("fault") && line.contains("posternd has version 0.0.9")),
        "{lines:#?}"
    );

    let version = Store::open().number("PRAGMA user_version");
    Store::open().changes(&format!("PRAGMA user_version = {}", version + 1));
    let lines = complaints();
    Store::open().changes(&format!("PRAGMA user_version = {version}"));
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("fault    store: ") && line.contains("version")),
        "{lines:#?}"
    );

    let alice = host.person("alice");
    alice.with_key().enters_with(&phone.code());
    host.clock.back(600);
    let lines = complaints();
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("fault    clock: is 6")
                && line.contains("unlock USER --clock")),
        "{lines:#?}"
    );
    host.clock.forward(600);

    let tool = "/usr/bin/systemctl";
    shell(&format!(
        "mv {tool} {tool}.saved; printf '#!/bin/sh\\nprintf \"LoadState=loaded\\\\nRootDirectory=/srv/jail\\\\nFragmentPath=/lib/systemd/system/$4\\\\n\"\\n' >{tool}; chmod 0755 {tool}"
    ));
    let lines = complaints();
    shell(&format!("mv {tool}.saved {tool}"));
    assert!(
        lines.iter().any(|line| line
            .starts_with("fault    pam: /lib/systemd/system/ssh.service: ")
            && line.contains("RootDirectory=/srv/jail")),
        "{lines:#?}"
    );

    let tool = "/usr/bin/timedatectl";
    shell(&format!("[ ! -e {tool} ] || mv {tool} {tool}.saved"));
    for (says, complaint) in [("no", true), ("yes", false)] {
        fs::write(tool, format!("#!/bin/sh\necho {says}\n")).expect("/usr can be written");
        shell(&format!("chmod 0755 {tool}"));
        let lines = complaints();
        let is_it = lines
            .iter()
            .any(|line| line.contains("clock: is not synchronised"));
        assert_eq!(is_it, complaint, "{lines:#?}");
    }
    shell(&format!(
        "rm {tool}; [ ! -e {tool}.saved ] || mv {tool}.saved {tool}"
    ));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_set_up_for_the_web_has_no_fault_and_each_broken_one_has() {
    let (host, _keys) = ssh_host();
    let mut web = Web::start(&host, Proxy::Nginx, PagesAt::OwnHost, "");
    finds_nothing("the set-up of README for the web");
    finds_each(&[
        fault(
            "sed -i '/^cookie_domain/d' /etc/postern/postern.toml",
            "gate.cookie_domain: is missing",
        ),
        fault(
            "sed -i 's/^cookie_domain.*/cookie_domain = \"example.org\"/' /etc/postern/postern.toml",
            "/etc/postern/postern.toml:|gate.cookie_domain: example.org does not cover",
        ),
        fault(
            "sed -i 's/^cookie_domain.*/cookie_domain = \"test\"/' /etc/postern/postern.toml",
            "gate.cookie_domain: test is a public suffix",
        ),
        fault(
            "sed -i 's/^cookie_domain.*/cookie_domain = \"auth.example.test\"/' /etc/postern/postern.toml",
            "gate.cookie_domain: auth.example.test is the gate's own host",
        ),
        fault(
            "sed -i 's/^from = .*/from = [\"127.0.0.1\"]/' /etc/postern/postern.toml",
            "/etc/postern/postern.toml:|from names addresses, and the gate listens on Unix sockets only",
        ),
        fault(
            "echo short >/etc/postern/proxy.secret",
            "gate.trusted_proxies.secret_file: /etc/postern/proxy.secret: contains a secret of less than",
        ),
        fault(
            "chmod 0644 /etc/postern/proxy.secret",
            "/etc/postern/proxy.secret: |too open",
        ),
        fault(
            "chown root:root /etc/postern/proxy.secret; chmod 0600 /etc/postern/proxy.secret",
            "proxy: /etc/postern/proxy.secret: |user postern-gate cannot read",
        ),
        fault(
            "echo another-secret-that-is-long >/etc/postern/proxy.secret",
            "proxy: /etc/nginx/postern-proof.conf:|sends another secret|print-config nginx",
        ),
        fault(
            "cp /etc/nginx/postern-proof.conf /etc/nginx/copy.conf; chmod 0644 /etc/nginx/copy.conf",
            "proxy: /etc/nginx/copy.conf:|everyone can read the proxy's secret",
        ),
        fault(
            "mkdir -p /etc/traefik/dynamic; sed 's/.*/          X-Postern-Proxy: &/' /etc/postern/proxy.secret >/etc/traefik/dynamic/copy.yml; chmod 0644 /etc/traefik/dynamic/copy.yml",
            "proxy: /etc/traefik/dynamic/copy.yml:1: everyone can read the proxy's secret",
        ),
        fault(
            "sed -i 's/^\\[gate\\]/[gate]\\nfirst_factor = \"pam\"/' /etc/postern/postern.toml",
            "/etc/postern/postern.toml:2: gate.first_factor is \"pam\", and nothing listens at /run/postern-password.sock",
        ),
        fault(
            "sed -i 's/^\\[gate\\]/[gate]\\nfirst_factor = \"pam\"/' /etc/postern/postern.toml; echo 'auth required pam_totp.so' >/etc/pam.d/postern-gate",
            "configuration: /etc/pam.d/postern-gate:1: pam_totp.so would ask here for a code",
        ),
        fault(
            "printf '[[gate.rule]]\\nhosts = [\"other.example.org\"]\\nthen = \"maybe\"\\n' >>/etc/postern/postern.toml",
            "/etc/postern/postern.toml:|gate.rule.then",
        ),
        warning(
            "printf '[[gate.rule]]\\nhosts = [\"other.example.org\"]\\nthen = \"code\"\\n' >>/etc/postern/postern.toml",
            "/etc/postern/postern.toml:|sign-in is not possible for other.example.org",
        ),
        fault(
            "printf '[[gate.rule]]\\ngroups = [\"stuff\"]\\nthen = \"code\"\\n[[policy.exempt]]\\ngroups = [\"stuff\"]\\n' >>/etc/postern/postern.toml",
            "/etc/postern/postern.toml:|the group stuff",
        ),
    ]);

    shell("gpasswd --delete www-data postern-proxy");
    let lines = complaints();
    assert!(
        lines.iter().any(|line| line.starts_with("fault")
            && line.contains("user www-data, as whom nginx runs, is not in group postern-proxy")),
        "{lines:#?}"
    );
    web.change_nginx(|text| text);
    shell("usermod --append --groups postern-proxy www-data");
    let lines = complaints();
    assert!(
        lines.iter().any(|line| line.starts_with("fault")
            && line.contains("started before its user was in group postern-proxy")),
        "{lines:#?}"
    );
    web.change_nginx(|text| text);
    finds_nothing("nginx was restarted");

    web.gate.crash();
    let lines = complaints();
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("fault") && line.contains("postern-gate does not run")),
        "{lines:#?}"
    );
    web.gate.restart();
    shell(
        "cp -a /usr/bin/postern-gate /usr/bin/gate.saved; printf '#!/bin/sh\\necho postern-gate 0.0.9\\n' >/usr/bin/new; chmod 0755 /usr/bin/new; mv /usr/bin/new /usr/bin/postern-gate",
    );
    let lines = complaints();
    for words in ["postern-gate has version 0.0.9", "runs an earlier program"] {
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("fault") && line.contains(words)),
            "{words}: {lines:#?}"
        );
    }
    shell("mv /usr/bin/gate.saved /usr/bin/postern-gate");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_gates_certificate_is_looked_at() {
    let (host, _keys) = ssh_host();
    let make = |name: &str, days: &str, host: &str| {
        let at = |end: &str| format!("/etc/postern/{name}.{end}");
        finished(Command::new("openssl").args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            days,
            "-subj",
            "/CN=x",
            "-addext",
            &format!("subjectAltName=DNS:{host}"),
            "-keyout",
            &at("key"),
            "-out",
            &at("crt"),
        ]));
        shell(&format!("chgrp postern {0}; chmod 0640 {0}", at("key")));
    };
    let text = |name: &str, key: &str| {
        format!(
            "[gate]\nurl = \"https://auth.example.test/\"\ncookie_domain = \"example.test\"\nlisten = [\"tls:127.0.0.1:4443\"]\n[gate.tls]\ncert_file = \"/etc/postern/{name}.crt\"\nkey_file = \"/etc/postern/{key}.key\"\n"
        )
    };
    make("good", "3000", "auth.example.test");
    make("soon", "1", "auth.example.test");
    make("other", "3000", "www.example.test");
    let check = |name: &str, key: &str| {
        host.write_configuration(&text(name, key));
        complaints().join("\n")
    };
    assert!(!check("good", "good").contains("certificate"));
    assert!(
        check("other", "other").contains("/etc/postern/other.crt is not for auth.example.test")
    );
    assert!(check("good", "other").contains("gate.tls.key_file: /etc/postern/other.key: "));
    shell("chown root:root /etc/postern/good.key; chmod 0600 /etc/postern/good.key");
    assert!(check("good", "good").contains(
        "postern.toml:7: gate.tls.key_file: user postern-gate cannot read /etc/postern/good.key"
    ));
    assert!(
        check("soon", "soon").contains("expires in")
            || check("soon", "soon").contains("has expired")
    );
    host.clock.forward(3 * 86_400);
    assert!(check("soon", "soon").contains("/etc/postern/soon.crt has expired"));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_set_up_for_apache_has_no_fault_and_each_broken_one_has() {
    let (host, _keys) = ssh_host();
    let _web = Web::start(&host, Proxy::Apache, PagesAt::OwnHost, "");
    finds_nothing("the set-up for Apache");
    finds_each(&[
        fault(
            "sed -i 's/, \"fastcgi:127.0.0.1:9092\"//' /etc/postern/postern.toml",
            "/etc/postern/postern.toml:|gate.listen has no fastcgi: entry|add \"fastcgi:127.0.0.1:9092\"",
        ),
        fault(
            "sed -i 's/^from = .*/from = [\"unix\"]/' /etc/postern/postern.toml",
            "/etc/postern/postern.toml:|FastCGI uses TCP|add \"127.0.0.1\" to from",
        ),
        fault(
            "echo another-secret-that-is-long >/etc/postern/proxy.secret",
            "proxy: /etc/apache2/postern-proof.conf:|sends another secret|systemctl reload apache2",
        ),
        fault(
            "chmod 0644 /etc/apache2/postern-proof.conf",
            "proxy: /etc/apache2/postern-proof.conf:|everyone can read the proxy's secret",
        ),
    ]);
    shell("gpasswd --delete www-data postern-proxy");
    let lines = complaints();
    shell("usermod --append --groups postern-proxy www-data");
    assert!(
        lines.iter().any(|line| line.starts_with("fault")
            && line.contains("user www-data, as whom apache runs, is not in group postern-proxy")
            && line.contains("systemctl restart apache2")),
        "{lines:#?}"
    );
}
