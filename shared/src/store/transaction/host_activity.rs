//! What servers have seen of the hosts of a fleet: a row for each host and server.

use super::Transaction;
use super::convert::{signed, unsigned};
use crate::store::column::ToColumn;
use crate::store::{ConversationCounts, HostActivity, StoreResult};
use crate::system::clock::Timestamp;

impl Transaction<'_> {
    /// Stores what a server has seen of a host, and adds the counts. A host that does not exist any
    /// more is left out.
    pub fn add_host_activity(&mut self, seen: &HostActivity) -> StoreResult<()> {
        let sql = "INSERT INTO host_activity \
                   (host, server, seen, connected, version, passed, not_needed, denied) \
                   SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM host WHERE id = ?1 \
                   ON CONFLICT (host, server) DO UPDATE SET \
                   seen = excluded.seen, connected = excluded.connected, version = excluded.version, \
                   passed = host_activity.passed + excluded.passed, \
                   not_needed = host_activity.not_needed + excluded.not_needed, \
                   denied = host_activity.denied + excluded.denied";
        let counts = [
            signed(seen.counts.passed),
            signed(seen.counts.not_needed),
            signed(seen.counts.denied),
        ];
        let parameters: [&dyn ToColumn; 8] = [
            &seen.host,
            &seen.server,
            &seen.seen,
            &seen.is_connected,
            &seen.version,
            &counts[0],
            &counts[1],
            &counts[2],
        ];
        self.execute(sql, parameters)
    }

    /// Removes the rows of other servers than this one that have not heard of a host since `before`.
    pub fn remove_host_activity(
        &mut self,
        host: i64,
        server: &str,
        before: Timestamp,
    ) -> StoreResult<()> {
        let sql = "DELETE FROM host_activity WHERE host = ?1 AND server <> ?2 AND seen < ?3";
        self.execute(sql, (host, server, before))
    }

    /// Returns what all servers have seen of all hosts, by host and server.
    pub fn host_activity(&mut self) -> StoreResult<Vec<HostActivity>> {
        let sql = "SELECT host, server, seen, connected, version, passed, not_needed, denied \
                   FROM host_activity ORDER BY host, server";
        self.query_rows(sql, (), |row| {
            Ok(HostActivity {
                host: row.get(0)?,
                server: row.get(1)?,
                seen: row.get(2)?,
                is_connected: row.get(3)?,
                version: row.get(4)?,
                counts: ConversationCounts {
                    passed: unsigned(row.get(5)?),
                    not_needed: unsigned(row.get(6)?),
                    denied: unsigned(row.get(7)?),
                },
            })
        })
    }
}
