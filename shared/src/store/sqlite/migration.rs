//! `postern upgrade`: migrates a store of an older version to this program's, in one transaction,
//! after a copy of the old one. An interruption at any moment leaves the old store.
//!
//! MUST NOT write to a store whose schema is not, character by character, the schema of its
//! version.

mod unreleased;
mod version_3;
mod version_4;
mod version_5;
mod version_6;
mod version_7;

use super::connection::{connect, store_version, use_wal};
use super::files::{DatabasePath, location};
use super::locks::lock_holder;
use super::wal::WalEnd;
use super::{SCHEMA, VERSION, refuse_file_size_limit, schema_check, transfer};
use crate::store::{StoreError, StoreResult, UpgradeResult};
use crate::system::trusted_file::{self, FileError};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time limit of SQLite's work for the whole upgrade.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(3600);

/// Migration from one version to the next.
struct Migration {
    from: i64,
    /// Schema of a store of version `from`.
    schema: &'static str,
    /// Creates the next schema and fills its tables. The caller sets the version.
    migrate: fn(&Connection, next: &str) -> StoreResult<()>,
}

/// Migrations in order, without a gap. A new version moves the current schema into a file here.
const MIGRATIONS: [Migration; 5] = [
    Migration {
        from: 3,
        schema: version_3::SCHEMA,
        migrate: version_3::migrate,
    },
    Migration {
        from: 4,
        schema: version_4::SCHEMA,
        migrate: version_4::migrate,
    },
    Migration {
        from: 5,
        schema: version_5::SCHEMA,
        migrate: version_5::migrate,
    },
    Migration {
        from: 6,
        schema: version_6::SCHEMA,
        migrate: version_6::migrate,
    },
    Migration {
        from: 7,
        schema: version_7::SCHEMA,
        migrate: version_7::migrate,
    },
];

fn is_upgradable(version: i64) -> bool {
    MIGRATIONS.iter().any(|migration| migration.from == version)
}

/// Returns why a store of another version is not opened.
pub(super) fn version_error(connection: &Connection, found: i64) -> StoreError {
    match transfer::read_mark(connection, found) {
        Ok(Some(mark)) => return mark.error(found),
        Ok(None) => {}
        Err(error) => return error,
    }
    match unreleased::find_commit(connection) {
        Ok(Some(commit)) => StoreError::Unreleased { found, commit },
        Ok(None) => StoreError::Version {
            found,
            known: VERSION,
            is_upgradable: is_upgradable(found),
        },
        Err(error) => error,
    }
}

/// Upgrades the store at a path, unless it already has this program's version.
pub(super) fn upgrade(path: &Path) -> StoreResult<UpgradeResult> {
    refuse_file_size_limit()?;
    let path = location::check_trusted(path)?;
    let upgraded = upgrade_under_lock(&path, OldStore::Copied);
    match upgraded {
        Err(StoreError::Busy) => Err(lock_holder::busy_error(&path)),
        upgraded => upgraded,
    }
}

/// Upgrades a store that is not used yet, and that is a copy itself. Returns its earlier version.
pub(super) fn upgrade_restored(path: &Path) -> StoreResult<i64> {
    let path = location::check_trusted(path)?;
    match upgrade_under_lock(&path, OldStore::NotCopied)? {
        UpgradeResult::UpToDate(version) => Ok(version),
        UpgradeResult::Upgraded { from, .. } => Ok(from),
    }
}

/// Whether a copy of the old store is made before it is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OldStore {
    Copied,
    NotCopied,
}

fn upgrade_under_lock(path: &Path, old: OldStore) -> StoreResult<UpgradeResult> {
    // before and after: a restore may exchange the file in between
    let database = DatabasePath::open(path)?;
    let connection = open(path)?;
    database.check_unmoved()?;
    // refused before any wait
    let found = store_version(&connection)?;
    if found == VERSION {
        schema_check::check_schema(&connection)?;
        return Ok(UpgradeResult::UpToDate(VERSION));
    }
    check_old_schema(&connection, found)?;
    use_wal(&connection)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    database.check_unmoved()?;
    // another upgrade may have been faster
    let found = store_version(&connection)?;
    if found == VERSION {
        return Ok(UpgradeResult::UpToDate(VERSION));
    }
    check_old_schema(&connection, found)?;
    // the write lock is held: the copy is exactly what the migration starts with
    let backup = match old {
        OldStore::Copied => Some(back_up(path)?),
        OldStore::NotCopied => None,
    };
    migrate(&connection, found)?;
    database.check_unmoved()?;
    connection.execute_batch("COMMIT").map_err(|error| {
        // the next process must not append to frames that may not have reached the disk
        WalEnd::new(path).record_failed_commit(&connection, &error);
        StoreError::from(error)
    })?;
    // best effort: the next writer copies what remains in the WAL
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    Ok(UpgradeResult::Upgraded {
        from: found,
        to: VERSION,
        backup,
    })
}

fn open(path: &Path) -> StoreResult<Connection> {
    let (connection, _) = connect(path, TIME_LIMIT)?;
    // A referenced table is created again under its own name: the references keep their text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, true)?;
    Ok(connection)
}

/// Refuses a store from which no migration starts.
fn check_old_schema(connection: &Connection, found: i64) -> StoreResult<()> {
    match MIGRATIONS.iter().find(|migration| migration.from == found) {
        Some(migration) => match schema_check::compare_schema(connection, migration.schema) {
            Err(StoreError::Shape(what)) => match unreleased::find_commit(connection)? {
                Some(commit) => Err(StoreError::Unreleased { found, commit }),
                None => Err(StoreError::Shape(what)),
            },
            compared => compared,
        },
        None => Err(version_error(connection, found)),
    }
}

/// Runs every migration from a version on, within the caller's transaction.
fn migrate(connection: &Connection, found: i64) -> StoreResult<()> {
    let next = MIGRATIONS.iter().skip(1).map(|migration| migration.schema);
    let migrations = MIGRATIONS.iter().zip(next.chain([SCHEMA]));
    for (migration, next) in migrations.skip_while(|(migration, _)| migration.from != found) {
        (migration.migrate)(connection, next)?;
        connection.pragma_update(None, "user_version", migration.from + 1)?;
    }
    let is_torn = connection.prepare("PRAGMA foreign_key_check")?.exists([])?;
    if is_torn {
        return Err(StoreError::Damaged(
            "a row refers to an account that is gone".to_owned(),
        ));
    }
    schema_check::check_schema(connection)
}

/// Creates the tables and indexes of a schema that are missing. The migration fills them.
fn create_missing(connection: &Connection, schema: &str) -> StoreResult<()> {
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)";
    for (name, sql) in schema_check::created_by(schema)? {
        if !connection.query_row(exists, [name], |row| row.get::<_, bool>(0))? {
            connection.execute_batch(&sql)?;
        }
    }
    Ok(())
}

/// Copies the store with its WAL, as of the last commit, to `postern.db.before-7` next to it, with
/// the same owner and mode. Replaces the copy of an interrupted upgrade once the new one is
/// complete.
fn back_up(path: &Path) -> StoreResult<PathBuf> {
    let backup = location::with_suffix(path, &format!(".before-{VERSION}"));
    trusted_file::remove_abandoned(&backup)?;
    let name = backup.file_name().unwrap_or_default().to_string_lossy();
    let new = backup.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let copied = copy(path, &new).and_then(|()| {
        let renamed =
            std::fs::rename(&new, &backup).and_then(|()| trusted_file::sync_folder(&backup));
        renamed.map_err(|error| FileError::io(&backup, error).into())
    });
    if copied.is_err() {
        for suffix in ["", "-journal"] {
            // best effort: the error that matters is the first one
            let _ = std::fs::remove_file(location::with_suffix(&new, suffix));
        }
    }
    copied.map(|()| backup)
}

fn copy(path: &Path, new: &Path) -> StoreResult<()> {
    let io = |error| StoreError::File(FileError::io(new, error));
    let text = new
        .to_str()
        .ok_or_else(|| io(std::io::ErrorKind::InvalidInput.into()))?;
    let file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(new)
        .map_err(io)?;
    let connection = open(path)?;
    // VACUUM INTO attaches the copy
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
    connection.execute("VACUUM INTO ?1", [text])?;
    let store = path.metadata().map_err(io)?;
    fchown(&file, Some(store.uid()), Some(store.gid())).map_err(io)?;
    file.set_permissions(Permissions::from_mode(store.mode() & 0o7777))
        .map_err(io)?;
    file.sync_all().map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Copies the fixture into a folder of its own.
    fn version_3() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o750)).unwrap();
        let path = folder.path().join("postern.db");
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/version-3/postern.db");
        fs::write(&path, fs::read(made).unwrap()).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o660)).unwrap();
        (folder, path)
    }

    fn version_at(path: &Path) -> i64 {
        store_version(&open(path).unwrap()).unwrap()
    }

    #[test]
    fn the_migrations_reach_this_version_without_a_gap() {
        let from: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.from).collect();
        let expected: Vec<i64> = (from[0]..VERSION).collect();
        assert_eq!(from, expected);
    }

    /// A kill at any moment before the commit leaves what is on the disk at that moment.
    #[test]
    fn an_upgrade_interrupted_before_its_commit_leaves_the_old_store() {
        let (folder, path) = version_3();
        let connection = open(&path).unwrap();
        connection
            .execute_batch("PRAGMA cache_size = 2; PRAGMA cache_spill = ON; BEGIN IMMEDIATE")
            .unwrap();
        let backup = back_up(&path).unwrap();
        migrate(&connection, 3).unwrap();
        let wal = location::with_suffix(&path, "-wal");
        assert!(
            wal.metadata().unwrap().len() > 0,
            "some of it is on the disk already"
        );

        let after = tempfile::tempdir().unwrap();
        fs::set_permissions(after.path(), Permissions::from_mode(0o750)).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), after.path().join(entry.file_name())).unwrap();
        }
        drop(connection);
        let left = after.path().join("postern.db");
        assert_eq!(version_at(&left), 3);
        check_old_schema(&open(&left).unwrap(), 3).unwrap();
        assert_eq!(
            version_at(&after.path().join(backup.file_name().unwrap())),
            3
        );

        let again = upgrade(&left).unwrap();
        assert!(matches!(
            again,
            UpgradeResult::Upgraded {
                from: 3,
                to: VERSION,
                ..
            }
        ));
        assert_eq!(upgrade(&left).unwrap(), UpgradeResult::UpToDate(VERSION));
    }

    #[test]
    fn a_full_disk_leaves_the_old_store() {
        let (_folder, path) = version_3();
        let connection = open(&path).unwrap();
        let pages: i64 = connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        // no more than one page is free
        connection
            .execute_batch(&format!(
                "PRAGMA max_page_count = {}; BEGIN IMMEDIATE",
                pages + 1
            ))
            .unwrap();
        assert!(matches!(migrate(&connection, 3), Err(StoreError::Full)));
        drop(connection);
        assert_eq!(version_at(&path), 3);
        assert!(matches!(
            upgrade(&path).unwrap(),
            UpgradeResult::Upgraded { .. }
        ));
    }

    #[test]
    fn an_upgrade_waits_for_a_writer_and_then_gives_up() {
        let (_folder, path) = version_3();
        let writer = open(&path).unwrap();
        writer
            .execute_batch("BEGIN IMMEDIATE; UPDATE revision SET number = 9")
            .unwrap();
        assert!(matches!(upgrade(&path), Err(StoreError::Busy)));
        writer.execute_batch("COMMIT").unwrap();
        // content that is only in the WAL is upgraded, and copied
        let UpgradeResult::Upgraded { backup, .. } = upgrade(&path).unwrap() else {
            panic!("not upgraded")
        };
        let number = "SELECT number FROM revision";
        let backup = Connection::open(backup.unwrap()).unwrap();
        for (store, expected) in [(backup, 9), (open(&path).unwrap(), 10)] {
            let found: i64 = store.query_row(number, [], |row| row.get(0)).unwrap();
            assert_eq!(found, expected);
        }
    }
}
