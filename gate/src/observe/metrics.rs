//! Metrics for Prometheus. A check costs a few relaxed additions: no lock, no allocation.
//!
//! MUST NOT have a user, an address or a host of the web as a label. Every label has few values, but the
//! hosts of a fleet have one each.

mod fleet;
mod latency;
mod per_thread;

use latency::Latency;
use per_thread::PerThread;
use postern_shared::config::gate::ProxyKind;
use postern_shared::engine::HostStatus;
use postern_shared::system::admission::AdmissionRefusal;
use postern_shared::system::clock;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Buckets of check durations, in microseconds.
const CHECK_BUCKETS: [u64; 10] = [10, 25, 50, 100, 250, 500, 1_000, 5_000, 25_000, 100_000];
/// Buckets of verification durations, in microseconds: a password hash, a durable write, and the
/// queue.
const VERIFICATION_BUCKETS: [u64; 10] = [
    1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 10_000_000,
];

/// Metrics of this process, which outlive every reload.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// Registers the metrics, so that the start time is that of the process.
pub(crate) fn register_metrics() {
    LazyLock::force(&METRICS);
}

/// Value of the label `result` of checks.
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

/// Result of a mailed code that was requested at sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailResult {
    Sent,
    /// posternd has not sent it yet.
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

/// State of the gate when metrics are read.
pub(crate) struct GateHealth {
    /// Whether the revocation cache has its lease, and the time since the last read of the store.
    pub(crate) has_lease: bool,
    pub(crate) since_last_read: Duration,
    /// Whether the configuration in force is the file's own.
    pub(crate) is_configuration_current: bool,
    pub(crate) connections: usize,
}

type CheckCounter = Counter<u64, PerThread<AtomicU64>>;

pub(crate) struct Metrics {
    registry: Registry,
    /// By proxy contract and result.
    checks: [[CheckCounter; CheckLabel::ALL.len()]; ProxyKind::ALL.len()],
    untrusted_requests: Counter,
    sign_ins: Family<SignInLabels, Counter>,
    mails: Family<MailLabels, Counter>,
    rejected: Family<RejectedLabels, Counter>,
    lines_dropped: Counter,
    check_duration: Latency,
    verification_duration: Latency,
    store_up: Gauge,
    last_success: Gauge<f64, AtomicU64>,
    configuration_current: Gauge,
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
    fn new() -> Metrics {
        let mut registry = Registry::with_prefix("postern");
        let checks = Family::<CheckLabels, CheckCounter>::default();
        let counters_of = |contract: ProxyKind| {
            let counter = |answer: CheckLabel| {
                checks.get_or_create_owned(&CheckLabels {
                    contract: contract.name(),
                    result: answer.name(),
                })
            };
            CheckLabel::ALL.map(counter)
        };
        let counters = ProxyKind::ALL.map(counters_of);
        let check_duration = Latency::new(&CHECK_BUCKETS);
        let verification_duration = Latency::new(&VERIFICATION_BUCKETS);
        let to = &mut registry;
        to.register("checks", "Number of forward-auth checks", checks);
        let untrusted_requests = register(
            to,
            "untrusted_requests",
            "Number of requests refused because the peer proved no trusted proxy",
        );
        let sign_ins = register(
            to,
            "sign_ins",
            "Number of sign-in attempts and re-authentications",
        );
        let mails = register(to, "mails", "Number of mailed codes requested at sign-in");
        let rejected = register(
            to,
            "requests_rejected",
            "Number of requests rejected because a resource limit was reached",
        );
        let lines_dropped = register(
            to,
            "log_lines_dropped",
            "Number of log lines dropped because the log was not read fast enough",
        );
        to.register_with_unit(
            "check_duration",
            "Duration of forward-auth checks",
            Unit::Seconds,
            check_duration.clone(),
        );
        to.register_with_unit(
            "verification_duration",
            "Duration of password and code verification, including the time in the queue",
            Unit::Seconds,
            verification_duration.clone(),
        );
        let store_up = register(
            to,
            "store_up",
            "Whether the store is readable; without it access is denied",
        );
        let last_success = Gauge::<f64, AtomicU64>::default();
        to.register_with_unit(
            "store_last_success_timestamp",
            "Unix time of the last successful read of the store",
            Unit::Seconds,
            last_success.clone(),
        );
        let configuration_current = register(
            to,
            "configuration_current",
            "Whether the configuration in force is that of the file",
        );
        let connections = register(to, "connections", "Number of open connections");
        to.register(
            "build",
            "Version of postern-gate",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let start = Gauge::<i64>::default();
        start.set(clock::now().map_or(0, |now| i64::try_from(now.0).unwrap_or(i64::MAX)));
        registry.register_with_unit(
            "start_timestamp",
            "Unix time of the start of postern-gate",
            Unit::Seconds,
            start,
        );
        Metrics {
            registry,
            checks: counters,
            untrusted_requests,
            sign_ins,
            mails,
            rejected,
            lines_dropped,
            check_duration,
            verification_duration,
            store_up,
            last_success,
            configuration_current,
            connections,
        }
    }

    pub(crate) fn count_check(&self, proxy: ProxyKind, result: CheckLabel, duration: Duration) {
        self.checks[proxy as usize][result as usize].inc();
        self.check_duration.observe(duration);
    }

    pub(crate) fn count_untrusted_request(&self) {
        self.untrusted_requests.inc();
    }

    pub(crate) fn observe_verification(&self, duration: Duration) {
        self.verification_duration.observe(duration);
    }

    pub(crate) fn count_dropped_line(&self) {
        self.lines_dropped.inc();
    }

    pub(crate) fn count_rejection(&self, resource: &'static str, busy: AdmissionRefusal) {
        let limit = match busy {
            AdmissionRefusal::KeyLimit => "client",
            AdmissionRefusal::Capacity => "total",
        };
        self.rejected
            .get_or_create(&RejectedLabels { resource, limit })
            .inc();
    }

    /// Counts a sign-in or a step-up, by result and cause as in the log. Other events have other
    /// results and are not counted.
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

    pub(crate) fn count_mail(&self, result: MailResult) {
        self.mails
            .get_or_create(&MailLabels {
                result: result.name(),
            })
            .inc();
    }

    /// Returns all metrics in the text format of OpenMetrics 1.0, which Prometheus reads.
    /// `hosts` are those of the fleet.
    pub(crate) fn text(&self, health: &GateHealth, hosts: &[HostStatus]) -> String {
        self.store_up.set(health.has_lease.into());
        // Without a clock the last value stays.
        if let Ok(now) = clock::now() {
            let last_success = Duration::from_secs(now.0).saturating_sub(health.since_last_read);
            self.last_success.set(last_success.as_secs_f64());
        }
        self.configuration_current
            .set(health.is_configuration_current.into());
        self.connections
            .set(i64::try_from(health.connections).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode_registry(&mut text, &self.registry)
            .and_then(|()| text::encode_registry(&mut text, &fleet::registry(hosts)))
            .and_then(|()| text::encode_eof(&mut text));
        text
    }
}

/// Registers a new metric, and returns it.
fn register<M: Metric + Clone + Default>(to: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    to.register(name, help, metric.clone());
    metric
}

/// Removes numbers, so that `delayed-30s` is `delayed`: a label has few values.
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
