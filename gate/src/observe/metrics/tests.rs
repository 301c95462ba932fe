//! The exported text follows OpenMetrics, and holds what was counted.

use super::*;
use postern_shared::store::{ConversationCounts, HostRecord};
use postern_shared::system::clock::Timestamp;
use std::collections::{BTreeMap, HashSet};

const HEALTH: GateHealth = GateHealth {
    has_lease: true,
    since_last_read: Duration::from_millis(250),
    is_configuration_current: false,
    connections: 3,
};

/// One host that is connected, one that was revoked, and one that no server has seen.
fn hosts() -> Vec<HostStatus> {
    let host = |number: i64, name: &str, servers: &[&str]| HostStatus {
        host: HostRecord {
            number,
            name: name.parse().unwrap(),
            fingerprint: [0; 32],
            joined: Timestamp(1_000),
            expires: Timestamp(9_000),
            revoked: None,
        },
        seen: None,
        servers: servers.iter().map(|&server| server.to_owned()).collect(),
        version: None,
        counts: ConversationCounts {
            passed: 3,
            not_needed: 2,
            denied: 1,
        },
    };
    let mut all = vec![
        host(1, "web1", &["one"]),
        host(2, "db1", &[]),
        host(3, "gone", &[]),
    ];
    all[0].seen = Some(Timestamp(5_000));
    all[2].host.revoked = Some(Timestamp(6_000));
    all
}

#[test]
fn each_host_has_a_line_and_a_revoked_one_has_none() {
    let text = Metrics::new().text(&HEALTH, &hosts());
    let samples = read(&text);
    for (sample, value) in [
        ("postern_hosts_joined", 2.0),
        ("postern_hosts_connected", 1.0),
        ("postern_host_connected{host=\"web1\"}", 1.0),
        ("postern_host_connected{host=\"db1\"}", 0.0),
        (
            "postern_host_last_seen_timestamp_seconds{host=\"web1\"}",
            5_000.0,
        ),
        // since it joined
        (
            "postern_host_last_seen_timestamp_seconds{host=\"db1\"}",
            1_000.0,
        ),
        (
            "postern_host_certificate_expiry_timestamp_seconds{host=\"db1\"}",
            9_000.0,
        ),
        (
            "postern_host_checks_total{host=\"web1\",result=\"accepted\"}",
            3.0,
        ),
        (
            "postern_host_checks_total{host=\"web1\",result=\"denied\"}",
            1.0,
        ),
    ] {
        assert_eq!(samples.get(sample), Some(&value), "{sample} in {text}");
    }
    assert!(!text.contains("gone"), "{text}");
    // the other gates have no such families
    assert!(!Metrics::new().text(&HEALTH, &[]).contains("postern_host"));
}

/// Parses the samples of a text, which must follow OpenMetrics 1.0 to the letter.
#[track_caller]
fn read(text: &str) -> BTreeMap<String, f64> {
    let name = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_lowercase() || b"_".contains(&b))
    };
    let body = text.strip_suffix("# EOF\n").expect("its end");
    let (mut family, mut known, mut samples) = (String::new(), HashSet::new(), BTreeMap::new());
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let (kind, rest) = rest.split_once(' ').expect(line);
            let (of, what) = rest.split_once(' ').expect(line);
            assert!(name(of) && !what.is_empty(), "{line}");
            match kind {
                "HELP" => {
                    assert!(
                        known.insert(of.to_owned()),
                        "a family in two places: {line}"
                    );
                    of.clone_into(&mut family);
                }
                "TYPE" => assert!(
                    ["counter", "gauge", "histogram", "info"].contains(&what),
                    "{line}"
                ),
                "UNIT" => assert!(of.ends_with(what), "{line}"),
                _ => panic!("{line}"),
            }
            assert_eq!(of, family, "{line}");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect(line);
        let (of, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        assert!(name(of) && of.starts_with(&family), "{line} in {family}");
        for label in labels
            .strip_suffix('}')
            .expect(line)
            .split(',')
            .filter(|label| !label.is_empty())
        {
            let (key, value) = label.split_once('=').expect(line);
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .expect(line);
            assert!(name(key) && !value.contains(['"', '\\']), "{line}");
        }
        assert!(
            samples
                .insert(sample.to_owned(), value.parse().expect(line))
                .is_none(),
            "twice: {line}"
        );
    }
    samples
}

#[test]
fn the_text_is_open_metrics_and_counts_what_happened() {
    let metrics = Metrics::new();
    for micros in [5, 10, 11, 200_000] {
        metrics.count_check(
            ProxyKind::Nginx,
            CheckLabel::Allow,
            Duration::from_micros(micros),
        );
    }
    metrics.count_check(
        ProxyKind::Traefik,
        CheckLabel::AppPasswordWrong,
        Duration::ZERO,
    );
    metrics.count_untrusted_request();
    metrics.count_sign_in("refused", "password-delayed-30s");
    metrics.count_sign_in("refused", "password-delayed-60s");
    metrics.count_sign_in("accepted", "code");
    metrics.count_sign_in("disabled", "step-up");
    metrics.count_mail(MailResult::Failed);
    metrics.observe_verification(Duration::from_secs(60));
    let text = metrics.text(&HEALTH, &hosts());
    let samples = read(&text);
    for (sample, value) in [
        (
            "postern_checks_total{contract=\"nginx\",result=\"allowed\"}",
            4.0,
        ),
        (
            "postern_checks_total{contract=\"nginx\",result=\"sign-in\"}",
            0.0,
        ),
        (
            "postern_checks_total{contract=\"traefik\",result=\"app-password-wrong\"}",
            1.0,
        ),
        ("postern_untrusted_requests_total", 1.0),
        (
            "postern_sign_ins_total{result=\"refused\",cause=\"password-delayed\"}",
            2.0,
        ),
        (
            "postern_sign_ins_total{result=\"accepted\",cause=\"code\"}",
            1.0,
        ),
        ("postern_mails_total{result=\"failed\"}", 1.0),
        ("postern_check_duration_seconds_count", 5.0),
        ("postern_check_duration_seconds_bucket{le=\"0.00001\"}", 3.0),
        ("postern_check_duration_seconds_bucket{le=\"0.1\"}", 4.0),
        ("postern_check_duration_seconds_bucket{le=\"+Inf\"}", 5.0),
        (
            "postern_verification_duration_seconds_bucket{le=\"10.0\"}",
            0.0,
        ),
        ("postern_verification_duration_seconds_sum", 60.0),
        ("postern_store_up", 1.0),
        ("postern_configuration_current", 0.0),
        ("postern_connections", 3.0),
    ] {
        assert_eq!(samples.get(sample), Some(&value), "{sample} in {text}");
    }
    assert!(!text.contains("disabled"), "{text}");
    let ago =
        clock::now().unwrap().0 as f64 - samples["postern_store_last_success_timestamp_seconds"];
    assert!((-2.0..60.0).contains(&ago), "{ago}");
    assert!(samples.contains_key(concat!(
        "postern_build_info{version=\"",
        env!("CARGO_PKG_VERSION"),
        "\"}"
    )));
    assert!(samples["postern_start_timestamp_seconds"] > 1e9);
}

#[test]
fn a_cause_has_few_values() {
    for (cause, label) in [
        ("wrong", "wrong"),
        ("behind-3-steps", "behind"),
        ("clock-set-back-7200s", "clock-set-back"),
        ("policy.exempt-2", "policy.exempt"),
        ("passkey", "passkey"),
        ("passkey-alone", "passkey-alone"),
        ("passkey-approval", "passkey-approval"),
        ("passkey-address-delayed-30s", "passkey-address-delayed"),
        ("not-enrolled", "not-enrolled"),
        ("-", "-"),
        ("", ""),
    ] {
        assert_eq!(without_number(cause), label);
    }
}

/// Returns the words of a text that begin as the names of metrics do.
fn metrics_named_in(text: &str) -> HashSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    words.filter(|word| word.starts_with("postern_")).collect()
}

/// Returns the values that a text requires of a label.
fn values_of<'a>(label: &str, text: &'a str) -> Vec<&'a str> {
    let text = text.split(label).skip(1);
    let value = |rest: &'a str| {
        let rest = rest.strip_prefix("!=").or(rest.strip_prefix('='))?;
        rest.trim_start_matches(['\\', '"'])
            .split(['\\', '"'])
            .next()
    };
    text.filter_map(value).collect()
}

/// The files of docs/monitoring use metrics and labels that the gate has, and the dashboard shows
/// every metric.
#[test]
fn the_alerts_and_the_dashboard_use_metrics_that_exist() {
    const ALERTS: &str = include_str!("../../../../docs/monitoring/alerts.yml");
    const DASHBOARD: &str = include_str!("../../../../docs/monitoring/dashboard.json");
    let metrics = Metrics::new();
    metrics.count_check(ProxyKind::Nginx, CheckLabel::Allow, Duration::ZERO);
    metrics.count_sign_in("refused", "code-wrong");
    metrics.count_mail(MailResult::Sent);
    metrics.count_rejection("store", AdmissionRefusal::Capacity);
    let text = metrics.text(&HEALTH, &hosts());
    let samples = read(&text);
    let exported: HashSet<&str> = samples
        .keys()
        .flat_map(|sample| sample.split('{').next())
        .collect();
    let results = ["accepted", "refused", "failed", "sent", "denied"];
    for text in [ALERTS, DASHBOARD] {
        let used = metrics_named_in(text);
        let unknown: Vec<_> = used.difference(&exported).collect();
        assert!(used.len() > 8 && unknown.is_empty(), "{unknown:?}");
        for value in values_of("result", text) {
            let is_check = CheckLabel::ALL.iter().any(|label| label.name() == value);
            assert!(is_check || results.contains(&value), "result={value}");
        }
    }
    let shown = metrics_named_in(DASHBOARD);
    let not_shown = exported
        .difference(&shown)
        .filter(|name| !name.ends_with("_sum") && !name.ends_with("_count"));
    assert_eq!(not_shown.collect::<Vec<_>>(), Vec::<&&str>::new());
    // the attack: a name with a typing error, and a result that does not exist
    assert!(!exported.contains("postern_check_total"));
    assert_eq!(
        values_of("result", "{result!=\"sent\"}, {result=\\\"gone\\\"}"),
        ["sent", "gone"]
    );
}

/// Returns a row for each metric: what it is, and the labels with an example of each.
fn table(text: &str) -> String {
    let mut rows = BTreeMap::<&str, [String; 3]>::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (kind, name, what) = (words.next(), words.next(), words.next());
            if let (Some(kind), Some(name), Some(what)) = (kind, name, what) {
                let row = rows.entry(name).or_default();
                match kind {
                    "TYPE" => row[0] = what.to_owned(),
                    "HELP" => row[1] = what.trim_end_matches('.').to_owned(),
                    _ => {}
                }
            }
        } else if let Some((sample, labels)) = line.split_once('{') {
            let known = rows
                .iter_mut()
                .rfind(|(name, _)| sample.starts_with(**name));
            let labels = labels.rsplit_once('}').map_or("", |(labels, _)| labels);
            if let (Some((_, row)), true) = (known, !labels.is_empty()) {
                let names = labels
                    .split(',')
                    .filter_map(|label| label.split('=').next());
                let names: Vec<_> = names.filter(|name| *name != "le").collect();
                let text = names.iter().map(|name| format!("`{name}`"));
                row[2] = text.collect::<Vec<_>>().join(", ");
            }
        }
    }
    let mut table = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for (name, [kind, help, labels]) in rows {
        table += &format!("| `{name}` | {kind} | {labels} | {help} |\n");
    }
    table
}

#[test]
fn generated_reference_of_the_metrics_is_that_of_the_registry() {
    let metrics = Metrics::new();
    metrics.count_sign_in("accepted", "code");
    metrics.count_mail(MailResult::Sent);
    metrics.count_rejection("store", AdmissionRefusal::Capacity);
    let text = metrics.text(&HEALTH, &hosts());
    let of_checks = CheckLabel::ALL.map(|label| format!("`{}`", label.name()));
    let of_mails = [MailResult::Sent, MailResult::Queued, MailResult::Failed];
    let of_mails = of_mails.map(|result| format!("`{}`", result.name()));
    let contracts = ProxyKind::ALL.map(|kind| format!("`{}`", kind.name()));
    let page = format!(
        "{}\nThe label `contract` of checks is {}; their `result` is {}. The `result` of mails is {}, that of \
         sign-ins `accepted`, `refused` or `failed`, with the `cause` of the [log](log.md) without numbers.\n",
        table(&text),
        contracts.join(", "),
        of_checks.join(", "),
        of_mails.join(", "),
    );
    assert!(page.matches("| `postern_").count() > 10, "{page}");
    assert_eq!(
        crate::generated::compare_parts("metrics", &|_| page.clone()),
        1
    );
}
