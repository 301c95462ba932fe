//! The statements of app passwords: each method of [`AppPasswords`] in SQL, and nothing else.

use super::accounts::{account_name, groups};
use super::rows::{Rows, bytes, damaged, signed, time, unsigned};
use crate::clock::Timestamp;
use crate::email::EmailAddress;
use crate::name::Label;
use crate::scope::Scope;
use crate::store::{
    AccountId, AppPasswordRecord, AppPasswords, FoundAppPassword, LiveAppPasswords, StoreError,
};
use crate::vault::AppPasswordHash;
use rusqlite::{OptionalExtension, Row};

type Result<T> = std::result::Result<T, StoreError>;

const FOUND: &str = "SELECT app_password.id, account.name, member_of, confirmed, scope, expires FROM app_password \
                     JOIN account ON account.id = app_password.account \
                     LEFT JOIN email ON email.account = account.id";
const BY_HASH: &str = "WHERE hash = ?1";

type Columns = (i64, String, String, Option<String>, String, Option<i64>);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    columns_from(row, 0)
}

fn columns_from(row: &Row<'_>, at: usize) -> rusqlite::Result<Columns> {
    let text = |column| row.get(at + column);
    Ok((row.get(at)?, text(1)?, text(2)?, row.get(at + 3)?, text(4)?, row.get(at + 5)?))
}

fn found((number, account, member_of, email, scope, expires): Columns) -> Result<FoundAppPassword> {
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

fn read_scope(text: &str) -> Result<Scope> {
    text.parse().map_err(|_| damaged("an app password's scope"))
}

fn at(column: Option<i64>) -> Option<Timestamp> {
    column.map(|at| Timestamp(unsigned(at)))
}

impl Rows<'_> {
    /// What a gate keeps of app passwords is no longer so.
    pub(super) fn app_passwords_changed(&mut self) -> Result<()> {
        self.execute("UPDATE app_password_revision SET number = number + 1", [])
    }

    /// The same, if the account has any.
    pub(super) fn app_passwords_changed_of(&mut self, account: AccountId) -> Result<()> {
        let sql = "UPDATE app_password_revision SET number = number + 1 \
                   WHERE EXISTS (SELECT 1 FROM app_password WHERE account = ?1)";
        self.execute(sql, [account.0])
    }
}

impl AppPasswords for Rows<'_> {
    fn app_passwords(&mut self, of: Option<AccountId>) -> Result<Vec<AppPasswordRecord>> {
        let sql = format!(
            "SELECT app_password.id, account.name, app_password.name, scope, app_password.created, expires, last_used \
             FROM app_password JOIN account ON account.id = app_password.account \
             {} ORDER BY account.name, app_password.id",
            if of.is_some() { "WHERE account = ?1" } else { "WHERE ?1 IS NULL" }
        );
        type Columns = (i64, String, String, String, Timestamp, Option<i64>, Option<i64>);
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, time(row, 4)?, row.get(5)?, row.get(6)?))
        };
        let record = |(number, account, name, scope, created, expires, last_used): Columns| {
            Ok(AppPasswordRecord {
                number,
                account: account_name(&account)?,
                name: Label::kept(name).map_err(|_| damaged("an app password's name"))?,
                scope: read_scope(&scope)?,
                created,
                expires: at(expires),
                last_used: at(last_used),
            })
        };
        self.all(&sql, [of.map(|account| account.0)], read)?.into_iter().map(record).collect()
    }

    fn add_app_password(
        &mut self,
        account: AccountId,
        new: &AppPasswordRecord,
        hash: &AppPasswordHash,
    ) -> Result<()> {
        let created = signed(new.created.0);
        self.execute("DELETE FROM app_password WHERE account = ?1 AND expires <= ?2", (account.0, created))?;
        let sql = "INSERT INTO app_password (hash, account, name, scope, created, expires) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let expires = new.expires.map(|at| signed(at.0));
        let (name, scope) = (new.name.as_str(), new.scope.to_string());
        self.execute(sql, (&hash.0[..], account.0, name, scope, created, expires))?;
        self.app_passwords_changed()
    }

    fn rename_app_password(&mut self, number: i64, name: &Label) -> Result<()> {
        self.execute("UPDATE app_password SET name = ?2 WHERE id = ?1", (number, name.as_str()))
    }

    fn remove_app_password(&mut self, number: i64) -> Result<()> {
        self.execute("DELETE FROM app_password WHERE id = ?1", [number])?;
        self.app_passwords_changed()
    }

    fn remove_app_passwords(&mut self, account: AccountId, now: Timestamp) -> Result<u64> {
        self.app_passwords_changed_of(account)?;
        let sql =
            "SELECT count(*) FROM app_password WHERE account = ?1 AND (expires IS NULL OR expires > ?2)";
        let live: i64 = self.0.query_row(sql, (account.0, signed(now.0)), |row| row.get(0))?;
        self.execute("DELETE FROM app_password WHERE account = ?1", [account.0])?;
        Ok(unsigned(live))
    }

    fn app_password(&mut self, hash: &AppPasswordHash) -> Result<Option<FoundAppPassword>> {
        let sql = format!("{FOUND} {BY_HASH}");
        self.0.query_row(&sql, [&hash.0[..]], columns).optional()?.map(found).transpose()
    }

    fn use_app_password(&mut self, number: i64, at: Timestamp) -> Result<()> {
        let minute = signed(at.0 / 60 * 60);
        let sql = "UPDATE app_password SET last_used = max(coalesce(last_used, 0), ?2) WHERE id = ?1";
        self.execute(sql, (number, minute))
    }

    fn app_passwords_revision(&mut self) -> Result<u64> {
        let sql = "SELECT number FROM app_password_revision";
        Ok(unsigned(self.0.query_row(sql, [], |row| row.get(0))?))
    }

    fn live_app_passwords(&mut self, now: Timestamp) -> Result<LiveAppPasswords> {
        let revision = self.app_passwords_revision()?;
        let sql = FOUND.replacen("SELECT ", "SELECT hash, ", 1) + " WHERE expires IS NULL OR expires > ?1";
        let read = |row: &Row<'_>| -> rusqlite::Result<(Vec<u8>, Columns)> {
            Ok((row.get(0)?, columns_from(row, 1)?))
        };
        let one = |(hash, columns): (Vec<u8>, Columns)| {
            Some((AppPasswordHash(bytes(hash, "an app password").ok()?), found(columns).ok()?))
        };
        let all = self.all(&sql, [signed(now.0)], read)?.into_iter().filter_map(one).collect();
        Ok(LiveAppPasswords { revision, all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// One row in ten thousand takes as few steps as one in ten.
    #[test]
    fn one_is_found_by_an_index_of_its_hash() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../schema.sql")).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {FOUND} {BY_HASH}");
        let mut statement = connection.prepare(&sql).unwrap();
        let plan = statement.query_map([&[0_u8; 32][..]], |row| row.get(3)).unwrap();
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
