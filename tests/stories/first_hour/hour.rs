//! A person who follows README, and runs `postern check` after each step.

use super::codes::Codes;
use super::{console, mail, readme, ssh, web};
use serde_json::Value;
use std::collections::BTreeSet;
use testhost::{BootedHost, Person, assert_contains, assert_lacks, scanned};

/// The people of the host, and what they have in their hands.
pub(crate) struct People {
    pub(crate) alice: Person,
    /// The person who never enrolls.
    pub(crate) bob: Person,
    pub(crate) root: Person,
    /// The account of a program.
    pub(crate) ansible: Person,
}

pub(crate) fn passes_on(release: &str) {
    let host = BootedHost::boot(release);
    let people = People {
        alice: host.person("alice"),
        bob: host.person("bob"),
        root: host.person("root"),
        ansible: host.person("ansible"),
    };
    ssh::before(&host, &people);
    installs(&host);
    ssh::is_protected(&host, &people);
    let carol = host.person("carol");
    ssh::sudo_is_protected(&host, &carol);
    console::is_protected(&host, &people, &carol);
    let mut codes = Codes::of_another_app(&host, "alice", "laptop");
    web::is_protected(&host, &people, &mut codes);
    web::takes_the_password_of_the_host(&host, &carol);
    mail::is_sent(&host, &people, &mut codes);
}

/// Follows README's first section.
fn installs(host: &BootedHost) {
    let mut codes = None;
    for line in readme::commands("README.md", "1. Install") {
        match line.as_str() {
            // The programs of this checkout were built by the same command on this host.
            "cargo build --release --locked" => {}
            "sudo packaging/install" => {
                host.does(&line);
                finds(host, &["neither a key nor a store|postern init"]);
            }
            "sudo postern init" => {
                assert_contains(host.does(&line), "keep a copy of the key file");
                finds(host, &[]);
            }
            "sudo postern enroll alice" => codes = Some(enrolls(host, &line)),
            "sudo postern verify alice" => {
                let codes = codes.as_mut().expect("README enrolls before it verifies");
                let mut terminal = host.types(&line);
                terminal.expect("Verification code: ").types(&codes.next());
                assert_contains(&terminal.ends().transcript, "accepted");
            }
            line => {
                host.does(line);
                finds(host, &[]);
            }
        }
    }
    finds(host, &[]);
    assert!(codes.is_some(), "README enrolls alice");
}

/// Scans the QR code, and confirms it.
fn enrolls(host: &BootedHost, line: &str) -> Codes {
    let mut terminal = host.types(line);
    terminal.expect("enter the code");
    let mut codes = Codes::scan(&scanned(&terminal.screen()));
    terminal.types(&codes.next()).expect("\"saved\": ");
    terminal.types("saved");
    let ended = terminal.ends();
    assert!(ended.status.success(), "{}", ended.transcript);
    assert_contains(&ended.transcript, "the second factor of alice is on");
    codes
}

/// Runs `postern edit` as the guides say. A script in the place of the editor, to which `$1` is the
/// file, has the hands of the person.
#[track_caller]
pub(crate) fn edits(host: &BootedHost, script: &str) {
    has_an_editor(host, script);
    assert_contains(host.does("sudo postern edit"), "is valid and in force");
}

/// Installs a script as the editor.
pub(crate) fn has_an_editor(host: &BootedHost, script: &str) {
    host.writes("/usr/bin/editor", &format!("#!/bin/sh\nset -e\n{script}\n"));
    host.runs("chmod 0755 /usr/bin/editor");
}

/// Runs `postern check`, and expects these faults and warnings, each with two texts that its line
/// contains, and no others.
#[track_caller]
pub(crate) fn finds(host: &BootedHost, expected: &[&str]) {
    let output = host.types("sudo postern check --json").ends();
    let findings: Value = serde_json::from_str(output.transcript.trim())
        .unwrap_or_else(|error| panic!("{error}: {}", output.transcript));
    let findings = findings.as_array().expect("a list of findings");
    let mut lines = BTreeSet::new();
    let mut has_fault = false;
    for finding in findings {
        let text = |key: &str| finding[key].as_str().unwrap_or_default();
        // The clock of the machine is not that of the story's host.
        let is_clock = text("subject") == "clock";
        has_fault |= text("severity") == "fault";
        if ["fault", "warning", "skipped"].contains(&text("severity")) && !is_clock {
            let place = format!("{}: {}", text("severity"), text("file"));
            lines.insert(format!("{place}: {}; {}", text("what"), text("remedy")));
        }
    }
    assert_eq!(output.status.success(), !has_fault, "{lines:#?}");
    for texts in expected {
        let found = lines
            .iter()
            .find(|line| texts.split('|').all(|text| line.contains(text)))
            .cloned();
        let found = found.unwrap_or_else(|| panic!("check does not find {texts:?}: {lines:#?}"));
        lines.remove(&found);
    }
    assert!(lines.is_empty(), "check also finds {lines:#?}");
    assert_lacks(&output.transcript, "panicked");
}
