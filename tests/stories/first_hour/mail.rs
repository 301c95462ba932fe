//! Mail, after its guide: a code for a new address, and a login from a new address, sent by a
//! program of the host through the units of the mail program.

use super::codes::Codes;
use super::hour::{People, edits, finds};
use super::readme;
use super::ssh::PEOPLE;
use testhost::{BootedHost, Mail, assert_contains, patiently};

const GUIDE: &str = "docs/guides/mail.md";
/// The mail queue of the program.
const QUEUE: &str = "/var/spool/tests";

pub(crate) fn is_sent(host: &BootedHost, people: &People, codes: &mut Codes) {
    has_sendmail(host);
    let lines = readme::commands(GUIDE, "");
    // The second file of the guide, with a program.
    let tables: Vec<_> = (0..lines.len())
        .filter(|at| lines[*at] == "[email]")
        .collect();
    let file: Vec<_> = lines[tables[1]..]
        .iter()
        .take(3)
        .map(String::as_str)
        .collect();
    host.writes("/run/lines", &(file.join("\n") + "\n"));
    edits(
        host,
        "sed -i -e '/^\\[email\\]$/{r /run/lines' -e 'd}' \"$1\"",
    );
    finds(host, PEOPLE);
    for line in lines
        .iter()
        .filter(|line| line.starts_with("sudo postern email"))
    {
        let mut terminal = host.types(line);
        if line.contains(" confirm ") {
            let code = mailed(host, "Subject: Confirm your address").code();
            terminal.expect(": ").types(&code);
        }
        let ended = terminal.ends();
        assert!(ended.status.success(), "{}", ended.transcript);
    }
    let elsewhere = host.with_key(&people.alice).from("127.0.0.9");
    elsewhere.enters_with(&codes.next());
    let mail = mailed(host, "Subject: Someone signed in from a new address").text;
    for part in [
        "sshd",
        "127.0.0.9",
        "bare",
        "https://auth.example.com/end-sessions",
    ] {
        assert_contains(&mail, part);
    }
}

/// A program as mail servers install it, which keeps each mail in a file.
fn has_sendmail(host: &BootedHost) {
    let script = format!(
        "#!/bin/sh\nmail=$(mktemp {QUEUE}/XXXXXX) && cat >\"$mail\" && mv \"$mail\" \"$mail.eml\"\n"
    );
    host.writes("/usr/sbin/sendmail", &script);
    host.runs(&format!(
        "chmod 0755 /usr/sbin/sendmail; install -d -m 1777 {QUEUE}"
    ));
}

/// Waits for a mail with this text, and returns it.
#[track_caller]
fn mailed(host: &BootedHost, words: &str) -> Mail {
    let text = patiently("a mail arrives", || {
        let found = host.runs(&format!(
            "cat $(grep --no-messages --files-with-matches '{words}' {QUEUE}/*.eml) </dev/null"
        ));
        Ok(Some(found).filter(|text| !text.is_empty()))
    });
    Mail {
        text: text.replace("\r\n", "\n").replace('\n', "\r\n"),
    }
}
