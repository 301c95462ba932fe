//! Migration from version 4 to version 5: tables and columns are renamed. Each renamed table is
//! created again and filled from the old one. All other tables, such as the one of sealed secrets,
//! are not touched.

use super::create_missing;
use crate::store::StoreResult;
use rusqlite::Connection;

pub(super) const SCHEMA: &str = include_str!("schema_4.sql");

/// Table of version 4, and its columns in version 5.
struct Renamed {
    old: &'static str,
    new: &'static str,
    old_columns: &'static str,
    new_columns: &'static str,
}

const RENAMED: [Renamed; 6] = [
    Renamed {
        old: "failure",
        new: "failure",
        old_columns: "id, owner, stage, place, at, cost, wrong, address",
        new_columns: "id, owner, phase, scope, at, cost, factor, address",
    },
    Renamed {
        old: "row_lock",
        new: "bucket_lock",
        old_columns: "owner, stage, place, at",
        new_columns: "owner, phase, scope, at",
    },
    Renamed {
        old: "familiar_address",
        new: "familiar_address",
        old_columns: "account, address, door, at, code_at",
        new_columns: "account, address, service, at, code_at",
    },
    Renamed {
        old: "login_ticket",
        new: "login_token",
        old_columns: "id, account, expires, wrong, used",
        new_columns: "id, account, expires, wrong, used",
    },
    Renamed {
        old: "notice",
        new: "notification",
        old_columns: "id, address, due, at, account, what, door, origin, actor, cause",
        new_columns: "id, address, due, at, account, kind, service, origin, principal, cause",
    },
    Renamed {
        old: "event",
        new: "event",
        old_columns: "id, at, account, what, door, origin, actor, cause",
        new_columns: "id, at, account, kind, service, origin, principal, cause",
    },
];

const KINDS: [(&str, &str); 2] = [
    ("clock-mended", "clock-unlocked"),
    ("code-asked", "code-requested"),
];

pub(super) fn migrate(connection: &Connection, next: &str) -> StoreResult<()> {
    for table in RENAMED {
        drop_indexes(connection, table.old)?;
        let sql = format!("ALTER TABLE {0} RENAME TO former_{0}", table.old);
        connection.execute_batch(&sql)?;
    }
    create_missing(connection, next)?;
    for table in RENAMED {
        let Renamed {
            old,
            new,
            old_columns,
            new_columns,
        } = table;
        let sql =
            format!("INSERT INTO {new} ({new_columns}) SELECT {old_columns} FROM former_{old}");
        connection.execute_batch(&sql)?;
        // a number is never used twice
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [new])?;
        let sql = "INSERT INTO sqlite_sequence (name, seq) \
                   SELECT ?1, seq FROM sqlite_sequence WHERE name = 'former_' || ?2";
        connection.execute(sql, [new, old])?;
        connection.execute_batch(&format!("DROP TABLE former_{old}"))?;
    }
    for table in ["event", "notification"] {
        for kinds in KINDS {
            let sql = format!("UPDATE {table} SET kind = ?2 WHERE kind = ?1");
            connection.execute(&sql, kinds)?;
        }
    }
    Ok(())
}

/// Drops a table's indexes, so that the new table can use their names.
fn drop_indexes(connection: &Connection, table: &str) -> StoreResult<()> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL";
    let mut statement = connection.prepare(sql)?;
    let names: Vec<String> = statement
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for name in names {
        connection.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    Ok(())
}
