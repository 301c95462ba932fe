//! What servers have seen of the hosts of a fleet, for operators. No decision depends on it.

use super::Hosts;
use super::context::engine::EngineError;
use crate::store::{ConversationCounts, HostActivity, HostRecord, Intent};
use crate::system::clock::Timestamp;

/// Age in seconds of a server's word that a host is connected, from which on it does not count: the
/// server writes once a minute, and has ended without a word.
const CONNECTED: u64 = 150;
/// Time in seconds after which a row of a server is removed that has not heard of a host, while others
/// have: the server has gone, or has another name.
const KEPT: u64 = 90 * 24 * 3600;

/// A host with what all servers have seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostStatus {
    pub host: HostRecord,
    /// When a server heard of it last.
    pub seen: Option<Timestamp>,
    /// Servers to which it is connected.
    pub servers: Vec<String>,
    /// The Postern of the host, as it stated last.
    pub version: Option<String>,
    /// Conversations since the host joined.
    pub counts: ConversationCounts,
}

impl Hosts<'_> {
    /// Stores what this server has seen of hosts since it stored it last: `seen` holds how long ago
    /// each was heard of, in seconds, and what is added to the counts.
    pub fn record_host_activity(
        &mut self,
        seen: Vec<(u64, HostActivity)>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        let now = tx.now;
        for (age, one) in seen {
            let seen = now.minus(age);
            let one = HostActivity { seen, ..one };
            tx.add_host_activity(&one)?;
            tx.remove_host_activity(one.host, &one.server, now.minus(KEPT))?;
        }
        Ok(tx.commit()?)
    }

    /// Returns every host that ever joined, by name, with what servers have seen of it.
    pub fn host_statuses(&mut self, now: Timestamp) -> Result<Vec<HostStatus>, EngineError> {
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        let (hosts, activity) = (tx.hosts()?, tx.host_activity()?);
        let now = tx.now;
        let status = |host: HostRecord| {
            let of_host = activity.iter().filter(|one| one.host == host.number);
            summarize(host.clone(), of_host, now)
        };
        Ok(hosts.into_iter().map(status).collect())
    }
}

fn summarize<'a>(
    host: HostRecord,
    activity: impl Iterator<Item = &'a HostActivity>,
    now: Timestamp,
) -> HostStatus {
    let is_over = host.revoked.is_some() || host.expires <= now;
    let mut status = HostStatus {
        host,
        seen: None,
        servers: Vec::new(),
        version: None,
        counts: ConversationCounts::default(),
    };
    for one in activity {
        if status.seen.is_none_or(|seen| seen <= one.seen) {
            status.seen = Some(one.seen);
            status.version = Some(one.version.clone()).filter(|version| !version.is_empty());
        }
        if one.is_connected && !is_over && now.since(one.seen) < CONNECTED {
            status.servers.push(one.server.clone());
        }
        let counts = &mut status.counts;
        counts.passed = counts.passed.saturating_add(one.counts.passed);
        counts.not_needed = counts.not_needed.saturating_add(one.counts.not_needed);
        counts.denied = counts.denied.saturating_add(one.counts.denied);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn host(revoked: Option<Timestamp>) -> HostRecord {
        HostRecord {
            number: 1,
            name: "web1".parse().unwrap(),
            fingerprint: [0; 32],
            joined: Timestamp(1),
            expires: NOW.plus(1),
            revoked,
        }
    }

    fn activity(server: &str, age: u64, is_connected: bool, version: &str) -> HostActivity {
        HostActivity {
            host: 1,
            server: server.to_owned(),
            seen: NOW.minus(age),
            is_connected,
            version: version.to_owned(),
            counts: ConversationCounts {
                passed: 1,
                not_needed: 2,
                denied: 3,
            },
        }
    }

    #[test]
    fn the_newest_server_states_the_version_and_counts_are_summed() {
        let all = [
            activity("one", 20, true, "0.2.0"),
            activity("two", 400, true, "0.1.0"),
        ];
        let status = summarize(host(None), all.iter(), NOW);
        assert_eq!(status.seen, Some(NOW.minus(20)));
        assert_eq!(status.version.as_deref(), Some("0.2.0"));
        // the other one has not written for too long
        assert_eq!(status.servers, ["one"]);
        assert_eq!((status.counts.passed, status.counts.denied), (2, 6));
    }

    #[test]
    fn a_revoked_host_is_connected_to_no_server() {
        let all = [activity("one", 1, true, "")];
        let status = summarize(host(Some(NOW)), all.iter(), NOW);
        assert_eq!((status.servers.len(), status.version), (0, None));
        let none = summarize(host(None), [].iter(), NOW);
        assert_eq!(none.seen, None);
    }
}
