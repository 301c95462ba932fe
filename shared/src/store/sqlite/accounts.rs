//! SQL of [`AccountStore`], and the conversion of its rows.

use super::mail::address;
use super::transaction::{SqliteTransaction, damaged, signed, time, unsigned};
use crate::account::name::{Group, NameKey, NewName, UserName};
use crate::account::record::{AccountId, AccountRecord};
use crate::store::{AccountStore, AccountTally, Intent, MailAddresses, StoreError};
use crate::system::clock::Timestamp;
use rusqlite::{OptionalExtension, Row};

type Result<T> = std::result::Result<T, StoreError>;

type AccountColumns = (i64, String, Timestamp, Option<i64>, i64, String);

fn record((id, name, created, last, generation, groups): AccountColumns) -> Result<AccountRecord> {
    Ok(AccountRecord {
        id: AccountId(id),
        name: account_name(&name)?,
        created,
        last_sign_in: last.map(|at| Timestamp(unsigned(at))),
        generation: unsigned(generation),
        groups: self::groups(&groups)?,
    })
}

pub(super) fn account_name(text: &str) -> Result<UserName> {
    UserName::from_store(text).map_err(|_| damaged("an account's name"))
}

/// Parses group names, one per line.
pub(super) fn groups(text: &str) -> Result<Vec<Group>> {
    let read = |group: &str| {
        Group::from_store(group.to_owned()).map_err(|_| damaged("an account's groups"))
    };
    text.lines().map(read).collect()
}

impl AccountStore for SqliteTransaction<'_> {
    fn find_account(&mut self, name: &UserName) -> Result<Option<AccountRecord>> {
        let sql = "SELECT id, name, created, last_sign_in, generation + number, member_of, at_renewal < number \
             FROM account, renewal WHERE name = ?1";
        let read = |row: &Row<'_>| -> rusqlite::Result<(AccountColumns, bool)> {
            let columns = (
                row.get(0)?,
                row.get(1)?,
                time(row, 2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            );
            Ok((columns, row.get(6)?))
        };
        let found = self.0.query_row(sql, [name.as_str()], read).optional()?;
        let Some((columns, is_behind)) = found else {
            return Ok(None);
        };
        let record = record(columns)?;
        if is_behind && self.0.intent() != Intent::Read {
            // before any new row of the account is written
            self.forget_key_bound_of(record.id)?;
        }
        Ok(Some(record))
    }

    fn account_tallies(&mut self, name: Option<&UserName>) -> Result<Vec<AccountTally>> {
        let sql = format!(
            "SELECT name, last_sign_in, \
             (SELECT count(*) FROM authenticator WHERE account = account.id), \
             (SELECT min(created) FROM authenticator WHERE account = account.id), \
             (SELECT count(*) FROM recovery_code WHERE account = account.id AND used_at IS NULL \
              AND at_renewal = (SELECT number FROM renewal)), \
             (SELECT count(*) FROM bucket_lock WHERE owner = account.id), confirmed, pending \
             FROM account LEFT JOIN email ON email.account = account.id {} ORDER BY name",
            if name.is_some() {
                "WHERE name = ?1"
            } else {
                "WHERE ?1 IS NULL"
            }
        );
        type Columns = (
            String,
            Option<i64>,
            i64,
            Option<i64>,
            i64,
            i64,
            Option<String>,
            Option<String>,
        );
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            let (confirmed, pending) = (row.get(6)?, row.get(7)?);
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
                confirmed,
                pending,
            ))
        };
        let found = self.all(&sql, [name.map(UserName::as_str)], read)?;
        let at = |column: Option<i64>| column.map(|at| Timestamp(unsigned(at)));
        let tally = |columns: Columns| {
            let (
                name,
                last_sign_in,
                authenticators,
                since,
                recovery_codes,
                locks,
                confirmed,
                pending,
            ) = columns;
            Ok(AccountTally {
                name: account_name(&name)?,
                last_sign_in: at(last_sign_in),
                authenticators: unsigned(authenticators),
                since: at(since),
                recovery_codes: unsigned(recovery_codes),
                addresses: MailAddresses {
                    confirmed: confirmed.map(address).transpose()?,
                    pending: pending.map(address).transpose()?,
                },
                locks: unsigned(locks),
            })
        };
        found.into_iter().map(tally).collect()
    }

    fn find_account_names(
        &mut self,
        part: &str,
        after: Option<&UserName>,
        most: usize,
    ) -> Result<Vec<UserName>> {
        let sql = "SELECT name FROM account WHERE instr(lower(name), lower(?1)) > 0 AND name > ?2 \
                   ORDER BY name LIMIT ?3";
        let after = after.map_or("", UserName::as_str);
        let found: Vec<String> =
            self.all(sql, (part, after, signed(most as u64)), |row: &Row<'_>| {
                row.get(0)
            })?;
        found.iter().map(|name| account_name(name)).collect()
    }

    fn find_names_by_key(&mut self, key: &NameKey) -> Result<Vec<UserName>> {
        let sql = "SELECT name FROM account WHERE name_key = ?1 ORDER BY id";
        let found: Vec<String> = self.all(sql, [key.as_str()], |row: &Row<'_>| row.get(0))?;
        found.iter().map(|name| account_name(name)).collect()
    }

    fn add_account(&mut self, name: &NewName, now: Timestamp) -> Result<AccountRecord> {
        let sql = "INSERT INTO account (name, name_key, created, at_renewal) \
                   SELECT ?1, ?2, ?3, number FROM renewal RETURNING id, at_renewal";
        let columns = (name.name().as_str(), name.key().as_str(), signed(now.0));
        let (id, renewal): (i64, i64) = self
            .0
            .query_row(sql, columns, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(AccountRecord {
            id: AccountId(id),
            name: name.name().clone(),
            created: now,
            last_sign_in: None,
            generation: unsigned(renewal),
            groups: Vec::new(),
        })
    }

    fn remove_account(&mut self, account: AccountId) -> Result<()> {
        let sql = "INSERT INTO removed_account (id, revision) SELECT ?1, number + 1 FROM revision";
        self.execute(sql, [account.0])?;
        self.execute("DELETE FROM failure WHERE owner = ?1", [account.0])?;
        self.execute("DELETE FROM bucket_lock WHERE owner = ?1", [account.0])?;
        self.forget_app_passwords_of(account)?;
        self.erase_secrets(account)?;
        // foreign keys remove everything else
        self.execute("DELETE FROM account WHERE id = ?1", [account.0])
    }

    fn rename_account(&mut self, account: AccountId, name: &NewName) -> Result<()> {
        let sql = "UPDATE account SET name = ?2, name_key = ?3 WHERE id = ?1";
        self.execute(sql, (account.0, name.name().as_str(), name.key().as_str()))?;
        self.app_passwords_changed_of(account)
    }

    fn is_group_in_use(&mut self, group: &str) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM account_group WHERE name = ?1)";
        Ok(self.0.query_row(sql, [group], |row| row.get(0))?)
    }

    fn set_groups(&mut self, account: AccountId, groups: &[Group]) -> Result<()> {
        self.execute("DELETE FROM account_group WHERE account = ?1", [account.0])?;
        for group in groups {
            let sql = "INSERT INTO account_group (name, account) VALUES (?1, ?2)";
            self.execute(sql, (group.as_str(), account.0))?;
        }
        let lines: Vec<_> = groups.iter().map(Group::as_str).collect();
        self.execute(
            "UPDATE account SET member_of = ?2 WHERE id = ?1",
            (account.0, lines.join("\n")),
        )?;
        self.app_passwords_changed_of(account)
    }

    fn enrolled_accounts(&mut self, most: usize) -> Result<Vec<(UserName, Vec<Group>)>> {
        let sql = "SELECT name, member_of FROM account \
                   WHERE EXISTS (SELECT 1 FROM authenticator WHERE account = account.id) \
                   OR EXISTS (SELECT 1 FROM email WHERE account = account.id AND confirmed IS NOT NULL) LIMIT ?1";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found: Vec<(String, String)> = self.all(sql, [signed(most as u64)], read)?;
        found
            .into_iter()
            .map(|(name, lines)| Ok((account_name(&name)?, groups(&lines)?)))
            .collect()
    }

    fn record_first_sign_in(&mut self, account: AccountId, now: Timestamp) -> Result<Timestamp> {
        let sql = "UPDATE account SET first_sign_in = min(coalesce(first_sign_in, ?2), ?2) WHERE id = ?1 \
                   RETURNING first_sign_in";
        Ok(self
            .0
            .query_row(sql, (account.0, signed(now.0)), |row| time(row, 0))?)
    }

    fn record_sign_in(&mut self, account: AccountId, now: Timestamp) -> Result<()> {
        let sql = "UPDATE account SET last_sign_in = ?2, first_sign_in = coalesce(first_sign_in, ?2) WHERE id = ?1";
        self.execute(sql, (account.0, signed(now.0)))
    }
}
