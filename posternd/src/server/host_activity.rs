//! What this server sees of the hosts of a fleet: which are connected, when they were heard of, and how
//! their conversations ended. The store is written at most once in a few seconds, by one thread.

use postern_shared::protocol::fleet::ReleaseName;
use postern_shared::protocol::{PamFunction, PamFunctionResult};
use postern_shared::store::{ConversationCounts, HostActivity};
use postern_shared::system::clock::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The interval at which the store is written while hosts are connected.
const INTERVAL: Duration = Duration::from_secs(60);
/// The shortest interval, after a host has connected, has stated another version, or has gone.
const SHORTEST: Duration = Duration::from_secs(5);

/// What was seen of all hosts since the store was written last.
#[derive(Default)]
pub(super) struct SeenHosts(Mutex<SeenState>);

#[derive(Default)]
struct SeenState {
    hosts: BTreeMap<i64, SeenHost>,
    written: Option<Instant>,
}

struct SeenHost {
    connections: usize,
    heard: Instant,
    version: String,
    counts: ConversationCounts,
    /// Whether the store says that it is connected, with this version.
    is_stored: bool,
}

/// A connection of a host, until this is dropped.
pub(super) struct SeenConnection<'a> {
    all: &'a SeenHosts,
    host: i64,
}

impl SeenHosts {
    pub(super) fn connect(&self, host: i64) -> SeenConnection<'_> {
        let mut state = self.state();
        let seen = state.hosts.entry(host).or_insert_with(|| SeenHost {
            connections: 0,
            heard: Instant::now(),
            version: String::new(),
            counts: ConversationCounts::default(),
            is_stored: false,
        });
        seen.connections += 1;
        seen.heard = Instant::now();
        SeenConnection { all: self, host }
    }

    /// Returns what is to be stored, with the seconds since each host was heard of; nothing before the
    /// store is to be written again.
    pub(super) fn take_due(&self, server: &str) -> Vec<(u64, HostActivity)> {
        let mut state = self.state();
        let age = state.written.map(|written| written.elapsed());
        let has_changed = |seen: &SeenHost| (seen.connections > 0) != seen.is_stored;
        let least = match state.hosts.values().any(has_changed) {
            true => SHORTEST,
            false => INTERVAL,
        };
        match age.is_some_and(|age| age < least) {
            true => Vec::new(),
            false => state.take_all(server),
        }
    }

    /// Returns what is to be stored when the process ends: no host is connected any more.
    pub(super) fn take_at_end(&self, server: &str) -> Vec<(u64, HostActivity)> {
        let mut all = self.state().take_all(server);
        all.iter_mut().for_each(|(_, one)| one.is_connected = false);
        all
    }

    /// Counts again what could not be stored.
    pub(super) fn restore(&self, all: Vec<(u64, HostActivity)>) {
        let mut state = self.state();
        for (age, one) in all {
            let age = Duration::from_secs(age);
            let now = Instant::now();
            let seen = state.hosts.entry(one.host).or_insert_with(|| SeenHost {
                connections: 0,
                heard: now.checked_sub(age).unwrap_or(now),
                version: one.version.clone(),
                counts: ConversationCounts::default(),
                is_stored: false,
            });
            seen.counts.passed += one.counts.passed;
            seen.counts.not_needed += one.counts.not_needed;
            seen.counts.denied += one.counts.denied;
        }
    }

    fn state(&self) -> MutexGuard<'_, SeenState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SeenState {
    fn take_all(&mut self, server: &str) -> Vec<(u64, HostActivity)> {
        self.written = Some(Instant::now());
        let mut all = Vec::new();
        for (host, seen) in &mut self.hosts {
            seen.is_stored = seen.connections > 0;
            let activity = HostActivity {
                host: *host,
                server: server.to_owned(),
                // the store's time is not known here
                seen: Timestamp(0),
                is_connected: seen.is_stored,
                version: seen.version.clone(),
                counts: std::mem::take(&mut seen.counts),
            };
            all.push((seen.heard.elapsed().as_secs(), activity));
        }
        self.hosts.retain(|_, seen| seen.connections > 0);
        all
    }
}

impl SeenConnection<'_> {
    /// Records that the host has sent a request.
    pub(super) fn hear(&self, version: Option<&ReleaseName>) {
        self.change(|seen| {
            if let Some(version) = version.filter(|new| new.as_str() != seen.version) {
                version.as_str().clone_into(&mut seen.version);
                seen.is_stored = false;
            }
        });
    }

    /// Counts the end of a conversation. A login has several; those that `auth` does not decide count
    /// only where they deny.
    pub(super) fn count(&self, hook: PamFunction, result: PamFunctionResult) {
        let is_auth = hook == PamFunction::Auth;
        self.change(|seen| match result {
            PamFunctionResult::Denied(_) => seen.counts.denied += 1,
            PamFunctionResult::Passed if is_auth => seen.counts.passed += 1,
            PamFunctionResult::NotNeeded if is_auth => seen.counts.not_needed += 1,
            PamFunctionResult::Passed | PamFunctionResult::NotNeeded => {}
        });
    }

    fn change(&self, change: impl FnOnce(&mut SeenHost)) {
        if let Some(seen) = self.all.state().hosts.get_mut(&self.host) {
            seen.heard = Instant::now();
            change(seen);
        }
    }
}

impl Drop for SeenConnection<'_> {
    fn drop(&mut self) {
        self.change(|seen| seen.connections = seen.connections.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_shared::protocol::Denial;

    #[test]
    fn the_store_is_written_at_once_and_then_not_for_a_while() {
        let all = SeenHosts::default();
        assert!(all.take_due("one").is_empty());
        let all = SeenHosts::default();
        let connection = all.connect(7);
        connection.hear(ReleaseName::parse("0.1.0").as_ref());
        connection.count(PamFunction::Auth, PamFunctionResult::Passed);
        connection.count(PamFunction::Account, PamFunctionResult::Passed);
        let denied = PamFunctionResult::Denied(Denial::Refused);
        connection.count(PamFunction::Auth, denied);
        let written = all.take_due("one");
        let (age, one) = &written[0];
        assert_eq!((written.len(), *age, one.host), (1, 0, 7));
        assert_eq!((one.counts.passed, one.counts.denied), (1, 1));
        assert_eq!((one.is_connected, one.version.as_str()), (true, "0.1.0"));
        let is_stored = || all.state().hosts[&7].is_stored;
        connection.hear(ReleaseName::parse("0.1.0").as_ref());
        assert!(is_stored());
        connection.hear(ReleaseName::parse("0.2.0").as_ref());
        assert!(!is_stored(), "another version is stored soon");
        // a host that comes and goes causes no more writes
        drop(connection);
        drop(all.connect(7));
        assert!(all.take_due("one").is_empty());
        all.restore(written);
        let rest = all.take_at_end("one");
        assert_eq!(
            (rest[0].1.counts.passed, rest[0].1.is_connected),
            (1, false)
        );
        assert!(all.take_at_end("one").is_empty());
    }
}
