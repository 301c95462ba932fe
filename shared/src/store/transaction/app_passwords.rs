//! App passwords. An app password is found by its keyed hash; the password itself is never stored.
//! Each has a scope and may expire.

use super::Transaction;
use super::convert::{ColumnResult, Row, groups, named, readable, signed, unsigned};
use crate::account::name::Label;
use crate::account::record::AccountId;
use crate::crypto::vault::AppPasswordHash;
use crate::store::{AppPasswordRecord, LiveAppPasswords, StoreResult};
use crate::system::clock::Timestamp;
use crate::verify::app_password::FoundAppPassword;

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

/// Reads the columns of [`FOUND`], of which the first is column `first`.
fn found_app_password(row: &Row<'_>, first: usize) -> ColumnResult<FoundAppPassword> {
    Ok(FoundAppPassword {
        number: row.get(first)?,
        account: row.get(first + 1)?,
        groups: groups(row, first + 2)?,
        email: named(row.get(first + 3), "an account's address")?,
        scope: row.get(first + 4)?,
        expires: row.get(first + 5)?,
    })
}

type ReadAppPassword = (Option<AppPasswordHash>, Option<FoundAppPassword>);

/// Reads an app password with its hash. An unreadable part is `None`: such a row grants no access,
/// but does not hide the others.
fn read_with_hash(row: &Row<'_>) -> ColumnResult<ReadAppPassword> {
    Ok((readable(row.get(0))?, readable(found_app_password(row, 1))?))
}

impl Transaction<'_> {
    /// Raises the revision of app passwords. The caller stores the new revision in the rows that it
    /// changes.
    fn next_app_password_revision(&mut self) -> StoreResult<i64> {
        let sql = "UPDATE app_password_revision SET number = number + 1 RETURNING number";
        let revision: i64 = self.query_row(sql, (), |row| row.get(0))?;
        // At most a few rows at once: after a long absence of a gate many are too old.
        let sql = "DELETE FROM removed_app_password WHERE (revision, hash) IN \
                   (SELECT revision, hash FROM removed_app_password WHERE revision <= ?1 LIMIT ?2)";
        self.execute(sql, (revision - REVISIONS_KEPT, CLEARED_AT_ONCE))?;
        Ok(revision)
    }

    fn has_app_passwords(&mut self, account: AccountId) -> StoreResult<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM app_password WHERE account = ?1)";
        self.query_row(sql, [account], |row| row.get(0))
    }

    /// Marks an account's app passwords as changed, so that gates read them again.
    pub(super) fn app_passwords_changed_of(&mut self, account: AccountId) -> StoreResult<()> {
        if !self.has_app_passwords(account)? {
            return Ok(());
        }
        let revision = self.next_app_password_revision()?;
        let sql = "UPDATE app_password SET revision = ?2 WHERE account = ?1";
        self.execute(sql, (account, revision))
    }

    /// Removes an account's app passwords, and records the removal for gates.
    pub(super) fn forget_app_passwords_of(&mut self, account: AccountId) -> StoreResult<()> {
        if !self.has_app_passwords(account)? {
            return Ok(());
        }
        let revision = self.next_app_password_revision()?;
        let sql = "INSERT INTO removed_app_password (revision, hash) \
                   SELECT ?2, hash FROM app_password WHERE account = ?1";
        self.execute(sql, (account, revision))?;
        self.execute("DELETE FROM app_password WHERE account = ?1", [account])
    }

    /// Ends all app passwords: gates read all of them again.
    pub(super) fn all_app_passwords_changed(&mut self) -> StoreResult<()> {
        let sql = "UPDATE app_password_revision SET number = number + ?1";
        self.execute(sql, [REVISIONS_KEPT + 1])
    }

    /// Returns the app passwords of one account or of all, by account and age, expired ones
    /// included.
    pub fn app_passwords(&mut self, of: Option<AccountId>) -> StoreResult<Vec<AppPasswordRecord>> {
        let sql = format!(
            "SELECT app_password.id, account.name, app_password.name, scope, app_password.created, expires, last_used \
             FROM app_password JOIN account ON account.id = app_password.account \
             {} at_renewal = (SELECT number FROM renewal) ORDER BY account.name, app_password.id",
            if of.is_some() {
                "WHERE account = ?1 AND"
            } else {
                "WHERE CAST(?1 AS BIGINT) IS NULL AND"
            }
        );
        self.query_rows(&sql, [of], |row| {
            Ok(AppPasswordRecord {
                number: row.get(0)?,
                account: row.get(1)?,
                name: named(row.get(2), "an app password's name")?,
                scope: row.get(3)?,
                created: row.get(4)?,
                expires: row.get(5)?,
                last_used: row.get(6)?,
            })
        })
    }

    /// Adds an app password, and removes those of the account that are expired at `new.created`.
    pub fn add_app_password(
        &mut self,
        account: AccountId,
        new: &AppPasswordRecord,
        hash: &AppPasswordHash,
    ) -> StoreResult<()> {
        let revision = self.next_app_password_revision()?;
        let sql = "INSERT INTO removed_app_password (revision, hash) \
                   SELECT ?3, hash FROM app_password WHERE account = ?1 AND expires <= ?2";
        self.execute(sql, (account, new.created, revision))?;
        let sql = "DELETE FROM app_password WHERE account = ?1 AND expires <= ?2";
        self.execute(sql, (account, new.created))?;
        let sql = "INSERT INTO app_password (hash, account, name, scope, created, expires, revision) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (name, scope) = (&new.name, &new.scope);
        self.execute(
            sql,
            (
                hash,
                account,
                name,
                scope,
                new.created,
                new.expires,
                revision,
            ),
        )
    }

    pub fn rename_app_password(&mut self, number: i64, name: &Label) -> StoreResult<()> {
        let sql = "UPDATE app_password SET name = ?2 WHERE id = ?1";
        self.execute(sql, (number, name))
    }

    pub fn remove_app_password(&mut self, number: i64) -> StoreResult<()> {
        let revision = self.next_app_password_revision()?;
        let sql = "INSERT INTO removed_app_password (revision, hash) \
                   SELECT ?2, hash FROM app_password WHERE id = ?1";
        self.execute(sql, (number, revision))?;
        self.execute("DELETE FROM app_password WHERE id = ?1", [number])
    }

    /// Removes all app passwords of an account. Returns how many were valid at `now`.
    pub fn remove_app_passwords(&mut self, account: AccountId, now: Timestamp) -> StoreResult<u64> {
        let sql = "SELECT count(*) FROM app_password WHERE account = ?1 AND (expires IS NULL OR expires > ?2)";
        let live: i64 = self.query_row(sql, (account, now), |row| row.get(0))?;
        self.forget_app_passwords_of(account)?;
        Ok(unsigned(live))
    }

    /// Returns the app password with this hash, even if it has expired.
    pub fn find_app_password(
        &mut self,
        hash: &AppPasswordHash,
    ) -> StoreResult<Option<FoundAppPassword>> {
        let sql = format!("SELECT {FOUND} {BY_HASH}");
        self.find_row(&sql, [hash], |row| found_app_password(row, 0))
    }

    /// Records a use, to the minute.
    pub fn record_app_password_use(&mut self, number: i64, at: Timestamp) -> StoreResult<()> {
        let minute = signed(at.0 / 60 * 60);
        let sql =
            "UPDATE app_password SET last_used = ?2 WHERE id = ?1 AND coalesce(last_used, 0) < ?2";
        self.execute(sql, (number, minute))
    }

    /// Returns the revision of all app passwords.
    pub fn app_passwords_revision(&mut self) -> StoreResult<u64> {
        let sql = "SELECT number FROM app_password_revision";
        Ok(unsigned(self.query_row(sql, (), |row| row.get(0))?))
    }

    /// Returns all app passwords that are valid at `now`. An unreadable row grants no access and is
    /// left out, so that the others stay usable.
    pub fn live_app_passwords(&mut self, now: Timestamp) -> StoreResult<LiveAppPasswords> {
        let revision = self.app_passwords_revision()?;
        let sql = WITH_HASH.to_owned()
            + FOUND
            + " WHERE (expires IS NULL OR expires > ?1) AND at_renewal = (SELECT number FROM renewal)";
        let read = self.query_rows(&sql, [now], read_with_hash)?;
        let all = read.into_iter().filter_map(|(hash, found)| hash.zip(found));
        Ok(LiveAppPasswords {
            revision,
            is_complete: true,
            all: all.collect(),
            ..LiveAppPasswords::default()
        })
    }

    /// Returns the changes after a revision. Returns `None` if that revision is too old or belongs
    /// to another store.
    pub fn app_passwords_changed_after(
        &mut self,
        after: u64,
    ) -> StoreResult<Option<LiveAppPasswords>> {
        let revision = self.app_passwords_revision()?;
        if after > revision || revision - after >= unsigned(REVISIONS_KEPT) {
            return Ok(None);
        }
        let sql = WITH_HASH.to_owned() + FOUND + " WHERE app_password.revision > ?1";
        let mut all = Vec::new();
        let mut removed = Vec::new();
        for read in self.query_rows(&sql, [signed(after)], read_with_hash)? {
            match read {
                (Some(hash), Some(found)) => all.push((hash, found)),
                (hash, _) => removed.extend(hash),
            }
        }
        let sql = "SELECT hash FROM removed_app_password WHERE revision > ?1";
        let gone: Vec<Option<AppPasswordHash>> =
            self.query_rows(sql, [signed(after)], |row| readable(row.get(0)))?;
        removed.extend(gone.into_iter().flatten());
        Ok(Some(LiveAppPasswords {
            revision,
            is_complete: false,
            all,
            removed,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::plan_in_new_store;

    /// The time of a lookup does not depend on the number of rows.
    #[test]
    fn one_is_found_by_an_index_of_its_hash() {
        let plan = plan_in_new_store(&format!("SELECT {FOUND} {BY_HASH}"));
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
