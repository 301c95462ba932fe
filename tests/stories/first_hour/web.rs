//! A person who signs in at the web, after README's third section.

use super::codes::Codes;
use super::hour::{People, edits, finds, has_an_editor};
use super::readme;
use super::ssh::PEOPLE;
use std::fs;
use testhost::{Application, BootedHost, Chromium, Person, assert_contains};

const APP: &str = "https://app.example.com/";

/// Follows README's third section.
pub(crate) fn is_protected(host: &BootedHost, people: &People, codes: &mut Codes) {
    has_certificates(host);
    // In the place of `[gate]`: the lines that the printed file lists.
    has_an_editor(
        host,
        "sed -n '/^# postern.toml needs:/,/^$/s/^#     //p' /etc/nginx/conf.d/postern.conf >/run/lines
         sed -i -e '/^\\[gate\\]$/{r /run/lines' -e 'd}' \"$1\"",
    );
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
    signs_in(alice, codes);
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

/// The fault: a command of README wrote the proxy's secret to a file that everyone could read.
fn secrets_are_private(host: &BootedHost) {
    let readable = host.runs(
        "find /etc/nginx /etc/postern -type f -perm /004 -exec \
         grep --files-with-matches --fixed-strings --file=/etc/postern/proxy.secret {} + || true",
    );
    assert_eq!(readable, "", "everyone can read the proxy's secret");
}

/// Follows the guide for passwords of the host at the web, which postern-password verifies.
pub(crate) fn takes_the_password_of_the_host(host: &BootedHost, carol: &Person) {
    let lines = readme::commands("docs/guides/web.md", "");
    let found = |words: &str| {
        let mut found = lines.iter().filter(|line| line.contains(words));
        found.next().expect("the guide says it")
    };
    let key = found("first_factor = \"pam\"");
    edits(host, &format!("sed -i 's/^\\[gate\\]$/&\\n{key}/' \"$1\""));
    for words in ["postern-password.socket", "reload postern-gate"] {
        host.does(found(words));
    }
    finds(host, PEOPLE);
    signs_in(carol, &mut Codes::of_another_app(host, "carol", "laptop"));
}

fn signs_in(person: &Person, codes: &mut Codes) {
    let application = Application::start();
    let browser = Chromium::start();
    browser.opens(APP);
    browser.enters_password(&person.name, &person.password);
    browser.enters_code(&codes.next());
    assert_eq!(browser.url(), APP);
    let requests = application.arrived();
    let request = requests.first().expect("the application was asked");
    assert_eq!(request.value("Remote-User"), person.name);
    assert_eq!(request.value("X-Postern-Proxy"), "");
}
