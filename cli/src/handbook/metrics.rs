//! The metrics that `postern status --metrics` prints: the reference lists them, and the alerts of
//! docs/monitoring use no others.

use super::generated::{checkout, compare_parts};
use crate::commands::status::metrics::{StoreFacts, encode_metrics};
use postern_shared::account::event::{EventCount, EventKind};
use postern_shared::protocol::status::{AccountStatus, SecondFactorState};
use postern_shared::store::{AccountTally, MailAddresses};
use std::collections::BTreeSet;
use std::fmt::Write as _;

fn printed() -> String {
    let count = |kind, service: &str, count| EventCount {
        kind,
        service: service.to_owned(),
        count,
    };
    let account = |name: &str, passkeys| AccountStatus {
        state: SecondFactorState::On,
        tally: AccountTally {
            name: name.parse().expect("a name"),
            last_sign_in: None,
            authenticators: 1,
            passkeys,
            since: None,
            recovery_codes: 0,
            addresses: MailAddresses::default(),
            locks: 0,
        },
    };
    encode_metrics(&StoreFacts {
        statuses: vec![account("alice", 2), account("bob", 0), account("carol", 1)],
        events: vec![
            count(EventKind::Accepted, "sshd", 7),
            // a process of a user can name a service
            count(EventKind::Refused, "a\"b\nc", 1),
        ],
        is_posternd_up: true,
        ..StoreFacts::default()
    })
}

/// Returns a row for each metric of the text.
fn table(text: &str) -> String {
    let mut table = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, help)) = line
            .strip_prefix("# HELP ")
            .and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let is_comment = |line: &&str| line.starts_with("# ");
        let mut kind = "";
        while let Some(comment) = lines.next_if(is_comment) {
            kind = comment
                .strip_prefix(&format!("# TYPE {name} "))
                .unwrap_or(kind);
        }
        let labels = lines.peek().and_then(|sample| {
            let (_, rest) = sample.split_once('{')?;
            let names = rest.split(',').filter_map(|label| label.split('=').next());
            Some(names.map(|label| format!("`{label}`")).collect::<Vec<_>>())
        });
        let labels = labels.unwrap_or_default().join(", ");
        let help = help.trim_end_matches('.');
        let _ = writeln!(table, "| `{name}` | {kind} | {labels} | {help} |");
    }
    table
}

#[test]
fn generated_reference_of_the_metrics_of_a_host_is_what_status_prints() {
    assert_eq!(compare_parts("status-metrics", &|_| table(&printed())), 1);
}

#[test]
fn the_metrics_are_complete_and_a_name_of_a_service_cannot_add_a_line() {
    let text = printed();
    for line in [
        "postern_accounts{second_factor=\"on\"} 3",
        "postern_accounts_with_passkey 2",
        "postern_passkeys 3",
        "postern_audit_events_last_hour{event=\"accepted\",service=\"sshd\"} 7",
        "postern_audit_events_last_hour{event=\"refused\",service=\"a\\\"b\\nc\"} 1",
        "postern_posternd_up 1",
        "postern_mail_overdue 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}:\n{text}");
    }
}

#[test]
fn the_alerts_of_a_host_use_metrics_that_exist() {
    fn named(text: &str) -> BTreeSet<String> {
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        let ours = words.filter(|word| word.starts_with("postern_"));
        ours.map(str::to_owned).collect()
    }
    let exported = named(&printed());
    let alerts = std::fs::read_to_string(checkout("docs/monitoring/host-alerts.yml"));
    let used = named(&alerts.expect("the checkout has it"));
    assert!(used.len() == 5 && used.is_subset(&exported), "{used:?}");
    // the attack: a name with a typing error
    assert!(!exported.contains("postern_account_locked"));
}
