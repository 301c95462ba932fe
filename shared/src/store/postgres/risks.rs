//! What of the server's settings could lose a commit, or gives this program more than it needs.

use super::{PostgresStore, READING};
use crate::store::{StoreResult, StoreRisk};
use crate::system::clock;

/// Difference of two clocks that shows nothing but the way between them, in seconds.
const CLOCKS_APART: u64 = 2;

const SETTINGS: &str = "SELECT \
    (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user), \
    current_setting('fsync'), current_setting('full_page_writes'), \
    current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication), \
    extract(epoch FROM clock_timestamp())::bigint";

impl PostgresStore {
    pub(in crate::store) fn risks(&mut self) -> StoreResult<Vec<StoreRisk>> {
        let mut connection = self.pool.lease()?;
        let settings = connection.run(SETTINGS, READING);
        if settings.is_err() {
            connection.close();
        }
        let settings = settings?;
        let settings: Vec<String> = settings
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
        let mut risks = Vec::new();
        let [superuser, fsync, pages, standbys, replicas, time] = settings.as_slice() else {
            return Ok(risks);
        };
        if superuser == "t" {
            risks.push(StoreRisk::Superuser);
        }
        for (name, value) in [("fsync", fsync), ("full_page_writes", pages)] {
            if value != "on" {
                risks.push(StoreRisk::NotDurable(name));
            }
        }
        if replicas != "0" && standbys.is_empty() {
            risks.push(StoreRisk::AsynchronousReplication);
        }
        if let (Ok(here), Ok(there)) = (clock::host_time(), time.parse::<u64>()) {
            let seconds = here.0.abs_diff(there);
            if seconds > CLOCKS_APART {
                risks.push(StoreRisk::ClocksApart { seconds });
            }
        }
        Ok(risks)
    }
}
