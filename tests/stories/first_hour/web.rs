//! A person who signs in at the web, after README's third section.

use super::hour::{Codes, People, finds};
use super::readme;
use super::ssh::PEOPLE;
use std::fs;
use testhost::{Application, BootedHost, Chromium, assert_contains};

const APP: &str = "https://app.example.com/";

/// Follows README's third section.
pub(crate) fn is_protected(host: &BootedHost, people: &People, codes: &mut Codes) {
    has_certificates(host);
    has_an_editor(host);
    let alice = &people.alice;
    for line in readme::commands("README.md", "3. The web") {
        match line.as_str() {
            "sudo postern password alice" => {
                let mut terminal = host.types(&line);
                for prompt in ["New password: ", "Once more: "] {
                    terminal.expect(prompt).types(&alice.password);
                }
                let ended = terminal.ends();
                assert!(ended.status.success(), "{}", ended.transcript);
            }
            "sudo postern edit" => {
                let shown = host.does(&line);
                assert_contains(&shown, "is valid and in force");
                finds(
                    host,
                    &[
                        PEOPLE[0],
                        "fault|postern-gate does not run|systemctl enable --now postern-gate",
                        "fault|before its user was in group postern-proxy|restart nginx",
                    ],
                );
            }
            line => {
                host.does(line);
            }
        }
    }
    finds(host, PEOPLE);
    secrets_are_private(host);
    signs_in(people, codes);
}

/// The certificates that the printed file names.
fn has_certificates(host: &BootedHost) {
    for name in ["app", "auth"] {
        let at = format!("/etc/ssl/private/{name}.example.com");
        host.runs(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
             -subj /CN={name}.example.com -addext subjectAltName=DNS:{name}.example.com \
             -keyout {at}.key -out {at}.crt 2>/dev/null"
        ));
    }
    let hosts = "127.0.0.1 app.example.com auth.example.com\n";
    let known = fs::read_to_string("/etc/hosts").expect("there is an /etc/hosts");
    if !known.contains(hosts) {
        fs::write("/etc/hosts", known + hosts).expect("/etc can be written");
    }
}

/// The hands of a person who puts the lines that the printed file lists in the place of `[gate]`.
fn has_an_editor(host: &BootedHost) {
    host.writes(
        "/usr/bin/editor",
        "#!/bin/sh\nset -e\nsed -n '/^# postern.toml needs:/,/^$/s/^#     //p' /etc/nginx/conf.d/postern.conf >/run/lines\n\
         sed -i -e '/^\\[gate\\]$/{r /run/lines' -e 'd}' \"$1\"\n",
    );
    host.runs("chmod 0755 /usr/bin/editor");
}

/// The fault: a command of README wrote the proxy's secret to a file that everyone could read.
fn secrets_are_private(host: &BootedHost) {
    let readable = host.runs(
        "find /etc/nginx /etc/postern -type f -perm /004 -exec \
         grep --files-with-matches --fixed-strings --file=/etc/postern/proxy.secret {} + || true",
    );
    assert_eq!(readable, "", "everyone can read the proxy's secret");
}

fn signs_in(people: &People, codes: &mut Codes) {
    let application = Application::start();
    let browser = Chromium::start();
    browser.opens(APP);
    browser.enters_password("alice", &people.alice.password);
    browser.enters_code(&codes.next());
    assert_eq!(browser.url(), APP);
    let requests = application.arrived();
    let request = requests.first().expect("the application was asked");
    assert_eq!(request.value("Remote-User"), "alice");
    assert_eq!(request.value("X-Postern-Proxy"), "");
}
