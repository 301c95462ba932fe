//! SQL of [`AppPasswordStore`], and the conversion of its rows.

use super::accounts::{account_name, groups};
use super::transaction::{SqliteTransaction, bytes, damaged, signed, time, unsigned};
use crate::account::email::EmailAddress;
use crate::account::name::Label;
use crate::account::record::AccountId;
use crate::credential::scope::AppPasswordScope;
use crate::crypto::vault::AppPasswordHash;
use crate::store::{AppPasswordRecord, AppPasswordStore, LiveAppPasswords, StoreError};
use crate::system::clock::Timestamp;
use crate::verify::app_password::FoundAppPassword;
use rusqlite::{OptionalExtension, Row};

type Result<T> = std::result::Result<T, StoreError>;

const FOUND: &str = "app_password.id, account.name, member_of, confirmed, scope, expires FROM app_password \
                     JOIN account ON account.id = app_password.account \
                     LEFT JOIN email ON email.account = account.id";
const WITH_HASH: &str = "SELECT hash, ";
const BY_HASH: &str = "WHERE hash = ?1";
/// Number of revisions for which removals are stored. A gate with an older revision reads all valid
/// app passwords again.
const REVISIONS_KEPT: i64 = 10_000;
/// Maximum of old removals that one change deletes: twice as many as an account may have app
/// passwords, so that more are deleted than added.
const CLEARED_AT_ONCE: u32 = 200;

type AppPasswordColumns = (i64, String, String, Option<String>, String, Option<i64>);

fn columns(row: &Row<'_>) -> rusqlite::Result<AppPasswordColumns> {
    columns_from(row, 0)
}

fn columns_from(row: &Row<'_>, at: usize) -> rusqlite::Result<AppPasswordColumns> {
    let text = |column| row.get(at + column);
    Ok((
        row.get(at)?,
        text(1)?,
        text(2)?,
        row.get(at + 3)?,
        text(4)?,
        row.get(at + 5)?,
    ))
}

fn found(
    (number, account, member_of, email, scope, expires): AppPasswordColumns,
) -> Result<FoundAppPassword> {
    Ok(FoundAppPassword {
        number,
        account: account_name(&account)?,
        groups: groups(&member_of)?,
        email: email.map(address).transpose()?,
        scope: read_scope(&scope)?,
        expires: at(expires),
    })
}

fn address(text: String) -> Result<EmailAddress> {
    EmailAddress::try_from(text).map_err(|_| damaged("an account's address"))
}

fn read_scope(text: &str) -> Result<AppPasswordScope> {
    text.parse().map_err(|_| damaged("an app password's scope"))
}

fn at(column: Option<i64>) -> Option<Timestamp> {
    column.map(|at| Timestamp(unsigned(at)))
}

impl SqliteTransaction<'_> {
    /// Raises the revision of app passwords. The caller stores the new revision in the rows that it
    /// changes.
    fn next_app_password_revision(&mut self) -> Result<i64> {
        let sql = "UPDATE app_password_revision SET number = number + 1 RETURNING number";
        let revision: i64 = self.0.query_row(sql, [], |row| row.get(0))?;
        // a few at once: after a large step of the revision all of them are too old
        let sql = "DELETE FROM removed_app_password WHERE (revision, hash) IN \
                   (SELECT revision, hash FROM removed_app_password WHERE revision <= ?1 LIMIT ?2)";
        self.execute(sql, (revision - REVISIONS_KEPT, CLEARED_AT_ONCE))?;
        Ok(revision)
    }

    /// Marks an account's app passwords as changed, so that gates read them again.
    pub(super) fn app_passwords_changed_of(&mut self, account: AccountId) -> Result<()> {
        let sql = "SELECT EXISTS (SELECT 1 FROM app_password WHERE account = ?1)";
        if !self
            .0
            .query_row(sql, [account.0], |row| row.get::<_, bool>(0))?
        {
            return Ok(());
        }
        let revision = self.next_app_password_revision()?;
        self.execute(
            "UPDATE app_password SET revision = ?2 WHERE account = ?1",
            (account.0, revision),
        )
    }

    /// Removes an account's app passwords, and records the removal for gates.
    pub(super) fn forget_app_passwords_of(&mut self, account: AccountId) -> Result<()> {
        let sql = "SELECT EXISTS (SELECT 1 FROM app_password WHERE account = ?1)";
        if !self
            .0
            .query_row(sql, [account.0], |row| row.get::<_, bool>(0))?
        {
            return Ok(());
        }
        let revision = self.next_app_password_revision()?;
        let sql = "INSERT INTO removed_app_password (revision, hash) \
                   SELECT ?2, hash FROM app_password WHERE account = ?1";
        self.execute(sql, (account.0, revision))?;
        self.execute("DELETE FROM app_password WHERE account = ?1", [account.0])
    }

    /// Ends all app passwords: gates read all of them again.
    pub(super) fn all_app_passwords_changed(&mut self) -> Result<()> {
        let sql = "UPDATE app_password_revision SET number = number + ?1";
        self.execute(sql, [REVISIONS_KEPT + 1])
    }
}

impl AppPasswordStore for SqliteTransaction<'_> {
    fn app_passwords(&mut self, of: Option<AccountId>) -> Result<Vec<AppPasswordRecord>> {
        let sql = format!(
            "SELECT app_password.id, account.name, app_password.name, scope, app_password.created, expires, last_used \
             FROM app_password JOIN account ON account.id = app_password.account \
             {} at_renewal = (SELECT number FROM renewal) ORDER BY account.name, app_password.id",
            if of.is_some() {
                "WHERE account = ?1 AND"
            } else {
                "WHERE ?1 IS NULL AND"
            }
        );
        type Columns = (
            i64,
            String,
            String,
            String,
            Timestamp,
            Option<i64>,
            Option<i64>,
        );
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                time(row, 4)?,
                row.get(5)?,
                row.get(6)?,
            ))
        };
        let record = |(number, account, name, scope, created, expires, last_used): Columns| {
            Ok(AppPasswordRecord {
                number,
                account: account_name(&account)?,
                name: Label::from_store(name).map_err(|_| damaged("an app password's name"))?,
                scope: read_scope(&scope)?,
                created,
                expires: at(expires),
                last_used: at(last_used),
            })
        };
        self.all(&sql, [of.map(|account| account.0)], read)?
            .into_iter()
            .map(record)
            .collect()
    }

    fn add_app_password(
        &mut self,
        account: AccountId,
        new: &AppPasswordRecord,
        hash: &AppPasswordHash,
    ) -> Result<()> {
        let (created, revision) = (signed(new.created.0), self.next_app_password_revision()?);
        let sql = "INSERT INTO removed_app_password (revision, hash) \
                   SELECT ?3, hash FROM app_password WHERE account = ?1 AND expires <= ?2";
        self.execute(sql, (account.0, created, revision))?;
        self.execute(
            "DELETE FROM app_password WHERE account = ?1 AND expires <= ?2",
            (account.0, created),
        )?;
        let sql = "INSERT INTO app_password (hash, account, name, scope, created, expires, revision) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let expires = new.expires.map(|at| signed(at.0));
        let (name, scope) = (new.name.as_str(), new.scope.to_string());
        self.execute(
            sql,
            (
                &hash.0[..],
                account.0,
                name,
                scope,
                created,
                expires,
                revision,
            ),
        )
    }

    fn rename_app_password(&mut self, number: i64, name: &Label) -> Result<()> {
        self.execute(
            "UPDATE app_password SET name = ?2 WHERE id = ?1",
            (number, name.as_str()),
        )
    }

    fn remove_app_password(&mut self, number: i64) -> Result<()> {
        let revision = self.next_app_password_revision()?;
        let sql = "INSERT INTO removed_app_password (revision, hash) \
                   SELECT ?2, hash FROM app_password WHERE id = ?1";
        self.execute(sql, (number, revision))?;
        self.execute("DELETE FROM app_password WHERE id = ?1", [number])
    }

    fn remove_app_passwords(&mut self, account: AccountId, now: Timestamp) -> Result<u64> {
        let sql = "SELECT count(*) FROM app_password WHERE account = ?1 AND (expires IS NULL OR expires > ?2)";
        let live: i64 = self
            .0
            .query_row(sql, (account.0, signed(now.0)), |row| row.get(0))?;
        self.forget_app_passwords_of(account)?;
        Ok(unsigned(live))
    }

    fn find_app_password(&mut self, hash: &AppPasswordHash) -> Result<Option<FoundAppPassword>> {
        let sql = format!("SELECT {FOUND} {BY_HASH}");
        self.0
            .query_row(&sql, [&hash.0[..]], columns)
            .optional()?
            .map(found)
            .transpose()
    }

    fn record_app_password_use(&mut self, number: i64, at: Timestamp) -> Result<()> {
        let minute = signed(at.0 / 60 * 60);
        let sql =
            "UPDATE app_password SET last_used = max(coalesce(last_used, 0), ?2) WHERE id = ?1";
        self.execute(sql, (number, minute))
    }

    fn app_passwords_revision(&mut self) -> Result<u64> {
        let sql = "SELECT number FROM app_password_revision";
        Ok(unsigned(self.0.query_row(sql, [], |row| row.get(0))?))
    }

    fn live_app_passwords(&mut self, now: Timestamp) -> Result<LiveAppPasswords> {
        let revision = self.app_passwords_revision()?;
        let sql = WITH_HASH.to_owned()
            + FOUND
            + " WHERE (expires IS NULL OR expires > ?1) AND at_renewal = (SELECT number FROM renewal)";
        let all = self
            .all(&sql, [signed(now.0)], columns_with_hash)?
            .into_iter()
            .filter_map(read_one);
        Ok(LiveAppPasswords {
            revision,
            is_complete: true,
            all: all.collect(),
            removed: Vec::new(),
        })
    }

    fn app_passwords_changed_after(&mut self, after: u64) -> Result<Option<LiveAppPasswords>> {
        let revision = self.app_passwords_revision()?;
        if after > revision || revision - after >= unsigned(REVISIONS_KEPT) {
            return Ok(None);
        }
        let sql = WITH_HASH.to_owned() + FOUND + " WHERE app_password.revision > ?1";
        let changed = self.all(&sql, [signed(after)], columns_with_hash)?;
        let sql = "SELECT hash FROM removed_app_password WHERE revision > ?1";
        let mut gone: Vec<Vec<u8>> = self.all(sql, [signed(after)], |row| row.get(0))?;
        let mut all = Vec::with_capacity(changed.len());
        for (hash, columns) in changed {
            let again = hash.clone();
            match read_one((hash, columns)) {
                Some(one) => all.push(one),
                None => gone.push(again),
            }
        }
        let removed = gone
            .into_iter()
            .filter_map(|hash| bytes(hash, "an app password").ok().map(AppPasswordHash));
        Ok(Some(LiveAppPasswords {
            revision,
            is_complete: false,
            all,
            removed: removed.collect(),
        }))
    }
}

fn columns_with_hash(row: &Row<'_>) -> rusqlite::Result<(Vec<u8>, AppPasswordColumns)> {
    Ok((row.get(0)?, columns_from(row, 1)?))
}

/// Returns an app password with its hash. An unreadable row grants no access and is skipped.
fn read_one(
    (hash, columns): (Vec<u8>, AppPasswordColumns),
) -> Option<(AppPasswordHash, FoundAppPassword)> {
    Some((
        AppPasswordHash(bytes(hash, "an app password").ok()?),
        found(columns).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// The time of a lookup does not depend on the number of rows.
    #[test]
    fn one_is_found_by_an_index_of_its_hash() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("../schema.sql"))
            .unwrap();
        let sql = format!("EXPLAIN QUERY PLAN SELECT {FOUND} {BY_HASH}");
        let mut statement = connection.prepare(&sql).unwrap();
        let plan = statement
            .query_map([&[0_u8; 32][..]], |row| row.get(3))
            .unwrap();
        let plan: Vec<String> = plan.collect::<rusqlite::Result<_>>().unwrap();
        assert_eq!(plan.len(), 3, "{plan:?}");
        assert!(
            plan[0].starts_with("SEARCH app_password USING INDEX") && plan[0].ends_with("(hash=?)"),
            "{plan:?}"
        );
        for (row, table) in [(1, "account"), (2, "email")] {
            let by_number = format!("SEARCH {table} USING INTEGER PRIMARY KEY");
            assert!(plan[row].starts_with(&by_number), "{plan:?}");
        }
    }
}
