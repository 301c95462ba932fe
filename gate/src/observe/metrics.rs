//! What the gate counts, for Prometheus. A check costs it a few relaxed additions: no lock, no allocation.
//!
//! MUST NOT name anyone: no user, address or host is a label, and every label has few values.

mod latency;

use latency::Latency;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use shared::config::gate::ProxyKind;
use shared::system::admission::Busy;
use shared::system::clock;
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Checks take microseconds.
const CHECK: [u64; 10] = [10, 25, 50, 100, 250, 500, 1_000, 5_000, 25_000, 100_000];
/// Answers are judged with a password hash and a durable write, in their turn.
const JUDGED: [u64; 10] = [
    1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 10_000_000,
];

/// Those of this process; they outlive every reload.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::begin);

/// The process begins.
pub(crate) fn begin() {
    LazyLock::force(&METRICS);
}

/// What a check was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckLabel {
    Allow,
    SignIn,
    Upgrade,
    Refuse,
    Forbid,
    AppPasswordWrong,
    Malformed,
}

impl CheckLabel {
    const ALL: [CheckLabel; 7] = [
        CheckLabel::Allow,
        CheckLabel::SignIn,
        CheckLabel::Upgrade,
        CheckLabel::Refuse,
        CheckLabel::Forbid,
        CheckLabel::AppPasswordWrong,
        CheckLabel::Malformed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            CheckLabel::Allow => "allowed",
            CheckLabel::SignIn => "sign-in",
            CheckLabel::Upgrade => "upgrade",
            CheckLabel::Refuse => "unauthorized",
            CheckLabel::Forbid => "forbidden",
            CheckLabel::AppPasswordWrong => "app-password-wrong",
            CheckLabel::Malformed => "malformed",
        }
    }
}

/// What became of a code that a sign-in asked for by mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailResult {
    Sent,
    /// posternd has not taken it.
    Queued,
    Failed,
}

impl MailResult {
    pub(crate) fn name(self) -> &'static str {
        match self {
            MailResult::Sent => "sent",
            MailResult::Queued => "queued",
            MailResult::Failed => "failed",
        }
    }
}

/// How it stands at the moment of asking.
pub(crate) struct StoreHealth {
    /// Whether the store is sure, and how long ago it was seen last.
    pub(crate) is_sure: bool,
    pub(crate) last_sure: Duration,
    /// Whether the configuration in force is the file's own.
    pub(crate) own_configuration: bool,
    /// Open connections of proxies and browsers.
    pub(crate) connections: usize,
}

/// All that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    nginx: [Counter; CheckLabel::ALL.len()],
    traefik: [Counter; CheckLabel::ALL.len()],
    strangers: Counter,
    sign_ins: Family<SignInLabels, Counter>,
    mails: Family<MailLabels, Counter>,
    busy: Family<RejectedLabels, Counter>,
    lines_dropped: Counter,
    check: Latency,
    judged: Latency,
    is_sure: Gauge,
    last_sure: Gauge<f64, AtomicU64>,
    own_configuration: Gauge,
    connections: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CheckLabels {
    contract: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignInLabels {
    result: String,
    cause: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectedLabels {
    resource: &'static str,
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MailLabels {
    result: &'static str,
}

impl Metrics {
    fn begin() -> Metrics {
        let mut registry = Registry::with_prefix("postern");
        let checks = Family::<CheckLabels, Counter>::default();
        let of = |contract| {
            let counter = |answer: CheckLabel| {
                checks.get_or_create_owned(&CheckLabels {
                    contract,
                    result: answer.name(),
                })
            };
            CheckLabel::ALL.map(counter)
        };
        let (nginx, traefik) = (of("nginx"), of("traefik"));
        let (check, judged) = (Latency::new(&CHECK), Latency::new(&JUDGED));
        let metrics = Metrics {
            nginx,
            traefik,
            strangers: Counter::default(),
            sign_ins: Family::default(),
            mails: Family::default(),
            busy: Family::default(),
            lines_dropped: Counter::default(),
            check: check.clone(),
            judged: judged.clone(),
            is_sure: Gauge::default(),
            last_sure: Gauge::default(),
            own_configuration: Gauge::default(),
            connections: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("checks", "Number of forward-auth checks", checks);
        registry.register(
            "untrusted_requests",
            "Number of requests refused because the peer proved no trusted proxy",
            metrics.strangers.clone(),
        );
        registry.register(
            "sign_ins",
            "Number of sign-in attempts and re-authentications",
            metrics.sign_ins.clone(),
        );
        registry.register(
            "mails",
            "Number of mailed codes requested at sign-in",
            metrics.mails.clone(),
        );
        registry.register(
            "requests_rejected",
            "Number of requests rejected because a resource limit was reached",
            metrics.busy.clone(),
        );
        registry.register(
            "log_lines_dropped",
            "Number of log lines dropped because the log was not read fast enough",
            metrics.lines_dropped.clone(),
        );
        registry.register_with_unit(
            "check_duration",
            "Duration of forward-auth checks",
            Unit::Seconds,
            check,
        );
        registry.register_with_unit(
            "verification_duration",
            "Duration of password and code verification, including the time in the queue",
            Unit::Seconds,
            judged,
        );
        registry.register(
            "store_up",
            "Whether the store is readable; without it access is denied",
            metrics.is_sure.clone(),
        );
        registry.register_with_unit(
            "store_last_success_timestamp",
            "Unix time of the last successful read of the store",
            Unit::Seconds,
            metrics.last_sure.clone(),
        );
        registry.register(
            "configuration_current",
            "Whether the configuration in force is that of the file",
            metrics.own_configuration.clone(),
        );
        registry.register(
            "connections",
            "Number of open connections",
            metrics.connections.clone(),
        );
        registry.register(
            "build",
            "Version of postern-gate",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let began = Gauge::<i64>::default();
        began.set(clock::now().map_or(0, |now| i64::try_from(now.0).unwrap_or(i64::MAX)));
        registry.register_with_unit(
            "start_timestamp",
            "Unix time of the start of postern-gate",
            Unit::Seconds,
            began,
        );
        Metrics {
            registry,
            ..metrics
        }
    }

    /// A check was answered after so long.
    pub(crate) fn count_check(&self, proxy: ProxyKind, answered: CheckLabel, took: Duration) {
        let of_contract = match proxy {
            ProxyKind::Nginx => &self.nginx,
            ProxyKind::Traefik => &self.traefik,
        };
        of_contract[answered as usize].inc();
        self.check.observe(took);
    }

    /// Someone proved no proxy.
    pub(crate) fn count_untrusted_request(&self) {
        self.strangers.inc();
    }

    /// An answer was judged after so long.
    pub(crate) fn observe_verification(&self, took: Duration) {
        self.judged.observe(took);
    }

    /// A line of the log was dropped.
    pub(crate) fn count_dropped_line(&self) {
        self.lines_dropped.inc();
    }

    /// A request found no place.
    pub(crate) fn count_rejection(&self, resource: &'static str, busy: Busy) {
        let limit = match busy {
            Busy::Own => "client",
            Busy::All => "total",
        };
        self.busy
            .get_or_create(&RejectedLabels { resource, limit })
            .inc();
    }

    /// What came of a sign-in or of a proof for a critical act, in the words of the log; other lines have other results.
    pub(crate) fn count_sign_in(&self, result: &str, cause: &str) {
        if !["accepted", "refused", "failed"].contains(&result) {
            return;
        }
        let labels = SignInLabels {
            result: result.to_owned(),
            cause: without_number(cause).to_owned(),
        };
        self.sign_ins.get_or_create(&labels).inc();
    }

    /// A code that was asked for by mail went out, or not.
    pub(crate) fn count_mail(&self, mailed: MailResult) {
        self.mails
            .get_or_create(&MailLabels {
                result: mailed.name(),
            })
            .inc();
    }

    /// All of it in the text format of OpenMetrics 1.0, which Prometheus reads.
    pub(crate) fn text(&self, standing: &StoreHealth) -> String {
        self.is_sure.set(standing.is_sure.into());
        // without a clock the last value stays
        if let Ok(now) = clock::now() {
            let last_success = Duration::from_secs(now.0).saturating_sub(standing.last_sure);
            self.last_sure.set(last_success.as_secs_f64());
        }
        self.own_configuration
            .set(standing.own_configuration.into());
        self.connections
            .set(i64::try_from(standing.connections).unwrap_or(i64::MAX));
        let mut text = String::new();
        // writing to a String cannot fail
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

/// `delayed-30s` is `delayed`: a label has few values.
fn without_number(cause: &str) -> &str {
    let number =
        |(at, _): &(usize, &str)| cause[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    cause
        .match_indices('-')
        .find(number)
        .map_or(cause, |(at, _)| &cause[..at])
}

#[cfg(test)]
mod tests;
