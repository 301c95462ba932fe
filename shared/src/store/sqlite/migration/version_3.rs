//! Migration from version 3, exactly as commit f58152f created it, to version 4. Tables whose text
//! changed are created again and filled from the old ones. All other tables are not touched, such
//! as the one of sealed secrets: a copy would leave a trace of them.
//!
//! Sessions end, since this program does not read their cookies.

use super::{Result, create_missing};
use crate::account::name::UserName;
use crate::store::StoreError;
use rusqlite::Connection;

pub(super) const SCHEMA: &str = include_str!("schema_3.sql");

/// Tables with another text in version 4.
const CHANGED: [&str; 8] = [
    "account",
    "removed_account",
    "recovery_code",
    "one_time_code",
    "app_password",
    "session",
    "revoked_session",
    "revision",
];

/// Tables of these that never reuse a number.
const NUMBERED: [&str; 2] = ["account", "app_password"];

/// What version 4 stores, derived from version 3.
///
/// - The length of a recovery code only decides which wrong inputs count as one; 10 was the
///   default.
/// - The issue time of a one-time code is in the audit log, if that still has the event.
/// - The step floor is the newest accepted step of a secret, and the only one known.
/// - `revision.forgotten`: older sessions are refused whatever their cookies contain, so that no
///   revocation of version 3 is needed.
/// - Gates register again when they start.
const FILL: &str = "
INSERT INTO renewal (number) VALUES (0);
INSERT INTO recovery_code (account, hash, length, used_at)
    SELECT account, hash, 10, used_at FROM former_recovery_code;
INSERT INTO one_time_code (account, hash, issued, expires, used)
    SELECT account, hash,
        coalesce((SELECT max(at) FROM event JOIN former_account ON former_account.name = event.account
                  WHERE former_account.id = former_one_time_code.account AND what = 'one-time-code-issued'
                  AND at <= expires), 0),
        expires, used FROM former_one_time_code;
INSERT INTO app_password (id, hash, account, name, scope, created, expires, last_used, revision)
    SELECT id, hash, account, name, scope, created, expires, last_used, number
    FROM former_app_password, app_password_revision;
INSERT INTO accepted_step (fingerprint, step) SELECT fingerprint, step FROM floor;
INSERT INTO revision (number, forgotten) SELECT number + 1, number + 1 FROM former_revision;
DELETE FROM gate;
";

pub(super) fn migrate(connection: &Connection, next: &str) -> Result<()> {
    connection.execute_batch("DROP INDEX session_account")?;
    for table in CHANGED {
        connection.execute_batch(&format!("ALTER TABLE {table} RENAME TO former_{table}"))?;
    }
    create_missing(connection, next)?;
    fill_accounts(connection)?;
    connection.execute_batch(FILL)?;
    for table in NUMBERED {
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
        let sql = "INSERT INTO sqlite_sequence (name, seq) \
                   SELECT ?1, seq FROM sqlite_sequence WHERE name = 'former_' || ?1";
        connection.execute(sql, [table])?;
    }
    for table in CHANGED {
        connection.execute_batch(&format!("DROP TABLE former_{table}"))?;
    }
    Ok(())
}

/// Fills accounts with their name keys and groups. Two accounts of version 3 may have names that
/// version 4 would not allow together: both stay.
fn fill_accounts(connection: &Connection) -> Result<()> {
    let mut former =
        connection.prepare("SELECT id, name, member_of FROM former_account ORDER BY id")?;
    let sql = "INSERT INTO account (id, name, name_key, created, first_sign_in, last_sign_in, password, \
               member_of, generation) SELECT id, name, ?2, created, first_sign_in, last_sign_in, password, \
               member_of, generation FROM former_account WHERE id = ?1";
    let mut add = connection.prepare(sql)?;
    let mut add_group = connection
        .prepare("INSERT OR IGNORE INTO account_group (name, account) VALUES (?1, ?2)")?;
    let mut rows = former.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name, member_of): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let name = UserName::from_store(&name)
            .map_err(|_| StoreError::Damaged("an account's name".to_owned()))?;
        add.execute((id, name.key().as_str()))?;
        for group in member_of.lines() {
            add_group.execute((group, id))?;
        }
    }
    Ok(())
}
