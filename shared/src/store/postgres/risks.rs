//! What of the server's settings could lose a commit or let a wait be endless, or gives this program
//! more than it needs.

use super::connection::DatabaseConnection;
use super::{PostgresStore, READING};
use crate::store::{StoreResult, StoreRisk};
use crate::system::clock;

/// Difference of two clocks that shows nothing but the way between them, in seconds.
const CLOCKS_APART: u64 = 2;
/// Connections of one host: posternd and the gate at work, and a command.
const CONNECTIONS_PER_HOST: u32 = 50;

/// Attributes of a role, and roles that reach beyond a database, that no store needs.
const MIGHT: [(&str, &str); 7] = [
    ("SUPERUSER", "rolsuper"),
    ("CREATEROLE", "rolcreaterole"),
    ("BYPASSRLS", "rolbypassrls"),
    ("REPLICATION", "rolreplication"),
    (
        "pg_execute_server_program",
        "pg_has_role(oid, 'pg_execute_server_program', 'MEMBER')",
    ),
    (
        "pg_write_server_files",
        "pg_has_role(oid, 'pg_write_server_files', 'MEMBER')",
    ),
    (
        "pg_read_server_files",
        "pg_has_role(oid, 'pg_read_server_files', 'MEMBER')",
    ),
];

const SETTINGS: &str = "SELECT \
    current_setting('fsync'), current_setting('full_page_writes'), \
    current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication), \
    extract(epoch FROM clock_timestamp())::bigint";

/// Whether commits of the session may be lost, and whether the role says so for sessions without
/// settings of their own.
const COMMITS: &str = "SELECT current_setting('synchronous_commit') IN ('off', 'local') OR EXISTS (\
    SELECT 1 FROM pg_db_role_setting, unnest(setconfig) AS setting \
    WHERE setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user)) \
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
    AND setting IN ('synchronous_commit=off', 'synchronous_commit=local'))";

/// Whether the limits with which the session began are not in force, and whether the network could
/// read it.
const SESSION: &str = "SELECT '0' IN (current_setting('statement_timeout'), current_setting('lock_timeout'), \
    current_setting('idle_in_transaction_session_timeout')), \
    inet_client_addr() IS NOT NULL AND NOT (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())";

/// The limit of the connections of the role, and how many hosts it has connections from.
const CONNECTIONS: &str = "SELECT least(\
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer \
    - coalesce(current_setting('reserved_connections', true)::integer, 0), \
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user), \
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())), \
    (SELECT count(DISTINCT coalesce(host(client_addr), '')) FROM pg_stat_activity WHERE usename = current_user)";

impl PostgresStore {
    pub(in crate::store) fn risks(&mut self) -> StoreResult<Vec<StoreRisk>> {
        self.pool.with_connection(find_risks)
    }
}

fn find_risks(connection: &DatabaseConnection) -> StoreResult<Vec<StoreRisk>> {
    let mut risks: Vec<StoreRisk> = might(connection)?.into_iter().collect();
    let values = |sql| -> StoreResult<Vec<String>> {
        let values = connection.run(sql, READING)?.into_iter();
        Ok(values.map(Option::unwrap_or_default).collect())
    };
    if let [fsync, pages, standbys, replicas, time] = values(SETTINGS)?.as_slice() {
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
    }
    if values(COMMITS)? == ["t"] {
        risks.push(StoreRisk::AsynchronousCommit);
    }
    if let [is_without_limits, is_readable] = values(SESSION)?.as_slice() {
        if is_without_limits == "t" {
            risks.push(StoreRisk::SettingsNotInForce);
        }
        if is_readable == "t" {
            risks.push(StoreRisk::NotEncrypted);
        }
    }
    if let [limit, hosts] = values(CONNECTIONS)?.as_slice() {
        if let (Ok(limit), Ok(hosts)) = (limit.parse::<u32>(), hosts.parse::<u32>()) {
            let needed = hosts.max(1).saturating_mul(CONNECTIONS_PER_HOST);
            if limit < needed {
                risks.push(StoreRisk::FewConnections { limit, needed });
            }
        }
    }
    Ok(risks)
}

/// Returns the first of [`MIGHT`] that the role has.
fn might(connection: &DatabaseConnection) -> StoreResult<Option<StoreRisk>> {
    let columns: Vec<&str> = MIGHT.iter().map(|(_, column)| *column).collect();
    let sql = format!(
        "SELECT {} FROM pg_roles WHERE rolname = current_user",
        columns.join(", ")
    );
    let found = connection.run(&sql, READING)?;
    let mut has = MIGHT.iter().zip(&found);
    let first = has.find(|(_, value)| value.as_deref() == Some("t"));
    Ok(first.map(|((name, _), _)| StoreRisk::MightyRole(name)))
}
