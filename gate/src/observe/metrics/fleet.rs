//! Metrics of the hosts of a fleet, which the servers have written to the store. Every gate of the store
//! shows the same.

use postern_shared::engine::HostStatus;
use postern_shared::system::clock::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Most hosts that are shown, by name. `postern_hosts_joined` counts all.
const SHOWN: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HostLabels {
    host: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConversationLabels {
    host: String,
    result: &'static str,
}

/// Returns the metrics of hosts; none where no host has joined. Revoked hosts are left out: a name is
/// there once.
pub(super) fn registry(hosts: &[HostStatus]) -> Registry {
    let mut registry = Registry::with_prefix("postern");
    if hosts.is_empty() {
        return registry;
    }
    let joined = || hosts.iter().filter(|one| one.host.revoked.is_none());
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let all: Gauge = Gauge::default();
    all.set(count(joined().count()));
    registry.register("hosts_joined", "Number of hosts that have joined", all);
    let connected: Gauge = Gauge::default();
    connected.set(count(
        joined().filter(|one| !one.servers.is_empty()).count(),
    ));
    registry.register(
        "hosts_connected",
        "Number of hosts that are connected to a server",
        connected,
    );
    let is_connected = Family::<HostLabels, Gauge>::default();
    let seen = Family::<HostLabels, Gauge>::default();
    let expires = Family::<HostLabels, Gauge>::default();
    let conversations = Family::<ConversationLabels, Counter>::default();
    for one in joined().take(SHOWN) {
        let name = one.host.name.as_str();
        let labels = HostLabels {
            host: name.to_owned(),
        };
        let is_open = i64::from(!one.servers.is_empty());
        is_connected.get_or_create(&labels).set(is_open);
        // one that was never seen: since it joined
        seen.get_or_create(&labels)
            .set(seconds(one.seen.unwrap_or(one.host.joined)));
        expires
            .get_or_create(&labels)
            .set(seconds(one.host.expires));
        let counts = [
            ("accepted", one.counts.passed),
            ("not-needed", one.counts.not_needed),
            ("denied", one.counts.denied),
        ];
        for (result, number) in counts {
            let host = name.to_owned();
            let labels = ConversationLabels { host, result };
            conversations.get_or_create(&labels).inc_by(number);
        }
    }
    registry.register(
        "host_connected",
        "Whether the host is connected to a server",
        is_connected,
    );
    registry.register_with_unit(
        "host_last_seen_timestamp",
        "Unix time at which a server heard of the host last",
        Unit::Seconds,
        seen,
    );
    registry.register_with_unit(
        "host_certificate_expiry_timestamp",
        "Unix time at which the certificate of the host expires",
        Unit::Seconds,
        expires,
    );
    registry.register(
        "host_checks",
        "Number of PAM conversations of the host that servers have decided",
        conversations,
    );
    registry
}

fn seconds(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
