//! Accounts: names, groups and times of sign-in. What belongs to an account but has its own life
//! (sessions, app passwords, mail) has its own file.

use super::Transaction;
use super::convert::{groups, mail_addresses, signed, unsigned};
use super::locks::LockOn;
use crate::account::name::{Group, NameKey, NewName, UserName};
use crate::account::record::{AccountId, AccountRecord};
use crate::store::{AccountTally, Intent, StoreError, StoreResult};
use crate::system::clock::Timestamp;

impl Transaction<'_> {
    /// Returns an account. A transaction that writes first waits until no other one changes it, and
    /// removes what of it ended with renewed keys.
    pub fn find_account(&mut self, name: &UserName) -> StoreResult<Option<AccountRecord>> {
        let sql = "SELECT id, name, created, last_sign_in, generation + number, member_of, at_renewal < number \
             FROM account, renewal WHERE name = ?1 /*+ FOR UPDATE OF account */";
        let found = self.find_row(sql, [name], |row| {
            let record = AccountRecord {
                id: row.get(0)?,
                name: row.get(1)?,
                created: row.get(2)?,
                last_sign_in: row.get(3)?,
                generation: unsigned(row.get(4)?),
                groups: groups(row, 5)?,
            };
            Ok((record, row.get(6)?))
        })?;
        let Some((record, is_behind)) = found else {
            return Ok(None);
        };
        if is_behind && self.intent != Intent::Read {
            // before any new row of the account is written
            self.forget_key_bound_of(record.id)?;
        }
        Ok(Some(record))
    }

    /// Returns the summaries of all accounts, or of one, by name.
    pub fn account_tallies(&mut self, name: Option<&UserName>) -> StoreResult<Vec<AccountTally>> {
        let sql = format!(
            "SELECT name, last_sign_in, \
             (SELECT count(*) FROM authenticator WHERE account = account.id), \
             (SELECT min(created) FROM authenticator WHERE account = account.id), \
             (SELECT count(*) FROM recovery_code WHERE account = account.id AND used_at IS NULL \
              AND at_renewal = (SELECT number FROM renewal)), \
             (SELECT count(*) FROM bucket_lock WHERE owner = account.id), confirmed, pending, \
             (SELECT count(*) FROM passkey WHERE account = account.id) \
             FROM account LEFT JOIN email ON email.account = account.id {} ORDER BY name",
            if name.is_some() {
                "WHERE name = ?1"
            } else {
                "WHERE CAST(?1 AS TEXT) IS NULL"
            }
        );
        self.query_rows(&sql, [name], |row| {
            Ok(AccountTally {
                name: row.get(0)?,
                last_sign_in: row.get(1)?,
                authenticators: unsigned(row.get(2)?),
                since: row.get(3)?,
                recovery_codes: unsigned(row.get(4)?),
                locks: unsigned(row.get(5)?),
                addresses: mail_addresses(row, 6)?,
                passkeys: unsigned(row.get(8)?),
            })
        })
    }

    /// Returns at most `most` names after `after`, in order, that contain `part` in any case.
    pub fn find_account_names(
        &mut self,
        part: &str,
        after: Option<&UserName>,
        most: usize,
    ) -> StoreResult<Vec<UserName>> {
        let sql = "SELECT name FROM account WHERE instr(lower(name), lower(?1)) > 0 AND name > ?2 \
                   ORDER BY name LIMIT ?3";
        let after = after.map_or("", UserName::as_str);
        self.query_rows(sql, (part, after, signed(most as u64)), |row| row.get(0))
    }

    /// Returns the names of accounts whose name key is `key`.
    pub fn find_names_by_key(&mut self, key: &NameKey) -> StoreResult<Vec<UserName>> {
        // of two new spellings, the second transaction sees the first one's
        self.lock_on(LockOn::NameKey(key.as_str()))?;
        let sql = "SELECT name FROM account WHERE name_key = ?1 ORDER BY id";
        self.query_rows(sql, [key.as_str()], |row| row.get(0))
    }

    /// Adds an account, or returns the one of this name.
    pub fn add_account(&mut self, name: &NewName, now: Timestamp) -> StoreResult<AccountRecord> {
        let sql = "INSERT INTO account (name, name_key, created, at_renewal) \
                   SELECT ?1, ?2, ?3, number FROM renewal WHERE TRUE \
                   ON CONFLICT (name) DO NOTHING RETURNING id, at_renewal";
        let columns = (name.name(), name.key().as_str(), now);
        let added = self.find_row(sql, columns, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some((id, renewal)) = added else {
            // another host added it at the same time
            return self.find_account(name.name())?.ok_or(StoreError::Conflict);
        };
        Ok(AccountRecord {
            id,
            name: name.name().clone(),
            created: now,
            last_sign_in: None,
            generation: unsigned(renewal),
            groups: Vec::new(),
        })
    }

    /// Removes an account and everything stored for it except step floors and audit events. Its
    /// sessions are revoked.
    pub fn remove_account(&mut self, account: AccountId) -> StoreResult<()> {
        self.lock_revision()?;
        let sql = "INSERT INTO removed_account (id, revision) SELECT ?1, number + 1 FROM revision";
        self.execute(sql, [account])?;
        self.execute("DELETE FROM failure WHERE owner = ?1", [account])?;
        self.execute("DELETE FROM bucket_lock WHERE owner = ?1", [account])?;
        self.forget_app_passwords_of(account)?;
        self.erase_secrets(account)?;
        // foreign keys remove everything else
        self.execute("DELETE FROM account WHERE id = ?1", [account])
    }

    /// Renames an account. The caller seals again what is bound to the old name.
    pub fn rename_account(&mut self, account: AccountId, name: &NewName) -> StoreResult<()> {
        let sql = "UPDATE account SET name = ?2, name_key = ?3 WHERE id = ?1";
        self.execute(sql, (account, name.name(), name.key().as_str()))?;
        self.app_passwords_changed_of(account)
    }

    /// Returns whether any account is a member of the group.
    pub fn is_group_in_use(&mut self, group: &str) -> StoreResult<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM account_group WHERE name = ?1)";
        self.query_row(sql, [group], |row| row.get(0))
    }

    pub fn set_groups(&mut self, account: AccountId, groups: &[Group]) -> StoreResult<()> {
        self.execute("DELETE FROM account_group WHERE account = ?1", [account])?;
        for group in groups {
            let sql = "INSERT INTO account_group (name, account) VALUES (?1, ?2)";
            self.execute(sql, (group.as_str(), account))?;
        }
        let lines: Vec<_> = groups.iter().map(Group::as_str).collect();
        let sql = "UPDATE account SET member_of = ?2 WHERE id = ?1";
        self.execute(sql, (account, lines.join("\n")))?;
        self.app_passwords_changed_of(account)
    }

    /// Returns at most `most` accounts that have an authenticator or a confirmed address, with
    /// their groups.
    pub fn enrolled_accounts(&mut self, most: usize) -> StoreResult<Vec<(UserName, Vec<Group>)>> {
        let sql = "SELECT name, member_of FROM account \
                   WHERE EXISTS (SELECT 1 FROM authenticator WHERE account = account.id) \
                   OR EXISTS (SELECT 1 FROM email WHERE account = account.id AND confirmed IS NOT NULL) LIMIT ?1";
        self.query_rows(sql, [signed(most as u64)], |row| {
            Ok((row.get(0)?, groups(row, 1)?))
        })
    }

    /// Returns the time of the first sign-in. It is `now` if there was none, or if the clock was
    /// set back since.
    pub fn record_first_sign_in(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> StoreResult<Timestamp> {
        let sql = "UPDATE account SET first_sign_in = CASE WHEN first_sign_in < ?2 THEN first_sign_in ELSE ?2 END WHERE id = ?1 \
                   RETURNING first_sign_in";
        self.query_row(sql, (account, now), |row| row.get(0))
    }

    /// Records a sign-in with a second factor.
    pub fn record_sign_in(&mut self, account: AccountId, now: Timestamp) -> StoreResult<()> {
        let sql = "UPDATE account SET last_sign_in = ?2, first_sign_in = coalesce(first_sign_in, ?2) WHERE id = ?1";
        self.execute(sql, (account, now))
    }
}
