//! A store that was restored from a backup, before anyone uses it. What may have been used or revoked
//! since the backup is ended.
//!
//! MUST NOT be called on a store in use: the statements read and write whole tables.

use super::Transaction;
use super::convert::{named, otp_parameters, unsigned};
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::credential::otp::totp::Step;
use crate::crypto::vault::{RecoveryHash, SecretFingerprint};
use crate::store::{OwnedAuthenticator, RestoredCredential, StoreResult};
use crate::system::clock::Timestamp;
use std::time::Duration;

/// By how much revisions increase, so that no gate has read as new a one.
const REVISIONS: i64 = 1 << 32;

/// Time limit of SQLite's work in a transaction for which no request waits.
const UNHURRIED: Duration = Duration::from_secs(3600);

impl Transaction<'_> {
    /// Allows this transaction to take long: while access is denied anyway, or on a store that
    /// no process uses.
    pub fn allow_long_work(&mut self) {
        self.open.set_time_limit(UNHURRIED);
    }

    /// Ends sessions, trusted browsers, grace periods, sign-ins and approvals that have begun, one-time
    /// and mailed codes, removes queued mail, and has every host of a fleet join again. The caller has renewed the keys of tokens.
    pub fn end_what_a_backup_revives(&mut self) -> StoreResult<()> {
        for table in [
            "session",
            "browser_token",
            "trusted_browser",
            "login_token",
            "approval_request",
            "one_time_code",
            "passkey_code",
            "mailed_code",
            "outbox",
            "notification",
            "gate",
            "host_invitation",
            "host_activity",
            // one of them may have been revoked since
            "host",
            "break_glass_code",
        ] {
            self.execute_unchecked(&format!("DELETE FROM {table}"))?;
        }
        self.execute_unchecked("UPDATE familiar_address SET code_at = NULL")?;
        self.execute_unchecked(&format!(
            "UPDATE revision SET number = number + {REVISIONS}, forgotten = number + {REVISIONS}"
        ))?;
        self.execute_unchecked(&format!(
            "UPDATE app_password_revision SET number = number + {REVISIONS}"
        ))
    }

    /// Removes credentials of all accounts.
    pub fn remove_all(&mut self, what: RestoredCredential) -> StoreResult<()> {
        self.execute_unchecked(&format!("DELETE FROM {}", table(what)))
    }

    /// Returns how many of these each account has that has any, ordered by name.
    pub fn count_restored(
        &mut self,
        what: RestoredCredential,
    ) -> StoreResult<Vec<(UserName, u64)>> {
        let table = table(what);
        let unused = match what {
            RestoredCredential::RecoveryCodes => "used_at IS NULL",
            RestoredCredential::AppPasswords | RestoredCredential::Passkeys => "TRUE",
        };
        let sql = format!(
            "SELECT account.name, count(*) FROM {table} JOIN account ON account.id = {table}.account \
             WHERE {unused} GROUP BY account.id ORDER BY account.name"
        );
        self.query_rows(&sql, (), |row| Ok((row.get(0)?, unsigned(row.get(1)?))))
    }

    /// Returns at most `limit` authenticators with numbers above `after`, in order.
    pub fn authenticators_after(
        &mut self,
        after: i64,
        limit: u32,
    ) -> StoreResult<Vec<OwnedAuthenticator>> {
        let sql = "SELECT authenticator.id, account.id, account.name, algorithm, digits, period, sealed \
                   FROM authenticator JOIN secret ON secret.authenticator = authenticator.id \
                   JOIN account ON account.id = authenticator.account \
                   WHERE authenticator.id > ?1 ORDER BY authenticator.id LIMIT ?2";
        self.query_rows(sql, (after, limit), |row| {
            Ok(OwnedAuthenticator {
                number: row.get(0)?,
                account: row.get(1)?,
                owner: named(row.get(2), "an account's name")?,
                parameters: otp_parameters(row, 3)?,
                sealed: row.get(6)?,
            })
        })
    }

    /// Returns at most `limit` used recovery codes after one, of any account, in order.
    pub fn used_recovery_codes_after(
        &mut self,
        after: Option<&(i64, RecoveryHash)>,
        limit: u32,
    ) -> StoreResult<Vec<(i64, RecoveryHash, Timestamp)>> {
        let (account, hash) = match after {
            Some((account, hash)) => (*account, &hash.0[..]),
            None => (0, &[][..]),
        };
        let sql = "SELECT account, hash, used_at FROM recovery_code \
                   WHERE (account, hash) > (?1, ?2) AND used_at IS NOT NULL ORDER BY account, hash LIMIT ?3";
        self.query_rows(sql, (account, hash, limit), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }

    /// Returns when the newest event took place.
    pub fn newest_event_time(&mut self) -> StoreResult<Option<Timestamp>> {
        let sql = "SELECT at FROM event WHERE id = (SELECT max(id) FROM event)";
        self.find_row(sql, (), |row| row.get(0))
    }

    /// Returns whether this store was itself restored from a backup, at this time or later.
    pub fn was_restored_since(&mut self, since: Timestamp) -> StoreResult<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM event WHERE at >= ?1 AND kind = ?2)";
        self.query_row(sql, (since, EventKind::StoreRestored), |row| row.get(0))
    }

    /// Records that a step above the floor may have been accepted. The floor stays.
    pub fn refuse_step(&mut self, fingerprint: &SecretFingerprint, step: Step) -> StoreResult<()> {
        let sql =
            "INSERT INTO accepted_step (fingerprint, step) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.execute(sql, (fingerprint, step))
    }

    /// Returns at most `limit` floors after a fingerprint, in order.
    pub fn floors_after(
        &mut self,
        after: &[u8],
        limit: u32,
    ) -> StoreResult<Vec<(SecretFingerprint, Step)>> {
        let sql = "SELECT fingerprint, step FROM floor WHERE fingerprint > ?1 ORDER BY fingerprint LIMIT ?2";
        self.query_rows(sql, (after, limit), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Returns at most `limit` accepted steps after one, in order.
    pub fn accepted_steps_after(
        &mut self,
        after: (&[u8], Step),
        limit: u32,
    ) -> StoreResult<Vec<(SecretFingerprint, Step)>> {
        let sql = "SELECT fingerprint, step FROM accepted_step WHERE (fingerprint, step) > (?1, ?2) \
                   ORDER BY fingerprint, step LIMIT ?3";
        self.query_rows(sql, (after.0, after.1, limit), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Returns at most `limit` accounts with numbers above `after`, in order.
    pub fn account_numbers_after(
        &mut self,
        after: i64,
        limit: u32,
    ) -> StoreResult<Vec<(i64, UserName)>> {
        let sql = "SELECT id, name FROM account WHERE id > ?1 ORDER BY id LIMIT ?2";
        self.query_rows(sql, (after, limit), |row| {
            Ok((row.get(0)?, named(row.get(1), "an account's name")?))
        })
    }

    pub fn has_account_number(&mut self, number: i64) -> StoreResult<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM account WHERE id = ?1)";
        self.query_row(sql, [number], |row| row.get(0))
    }

    /// Returns the account and the hash of at most `limit` credentials after one, in order of account
    /// and hash; of app passwords and passkeys, in order of hash or identifier.
    pub fn credentials_after(
        &mut self,
        what: RestoredCredential,
        after: (i64, &[u8]),
        limit: u32,
    ) -> StoreResult<Vec<(i64, Vec<u8>)>> {
        let (table, hash) = (table(what), hash_column(what));
        let (condition, order) = match what {
            RestoredCredential::RecoveryCodes => {
                ("(account, hash) > (?1, ?2)".to_owned(), "account, hash")
            }
            RestoredCredential::AppPasswords | RestoredCredential::Passkeys => {
                (format!("CAST(?1 AS BIGINT) >= 0 AND {hash} > ?2"), hash)
            }
        };
        let sql = format!(
            "SELECT account, {hash} FROM {table} WHERE {condition} ORDER BY {order} LIMIT ?3"
        );
        self.query_rows(&sql, (after.0, after.1, limit), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    pub fn has_credential(
        &mut self,
        what: RestoredCredential,
        account: i64,
        hash: &[u8],
    ) -> StoreResult<bool> {
        let (table, column) = (table(what), hash_column(what));
        let sql =
            format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE account = ?1 AND {column} = ?2)");
        self.query_row(&sql, (account, hash), |row| row.get(0))
    }

    /// Returns the signature counter of a passkey.
    pub fn passkey_counter(&mut self, account: i64, credential: &[u8]) -> StoreResult<Option<u32>> {
        let sql = "SELECT counter FROM passkey WHERE account = ?1 AND credential = ?2";
        self.find_row(sql, (account, credential), |row| row.get(0))
    }

    /// Raises the signature counter of a passkey to one that it has reached.
    pub fn raise_passkey_counter(
        &mut self,
        account: i64,
        credential: &[u8],
        counter: u32,
    ) -> StoreResult<()> {
        let sql = "UPDATE passkey SET counter = ?3 \
                   WHERE account = ?1 AND credential = ?2 AND counter < ?3";
        self.execute(sql, (account, credential, counter))
    }

    pub fn remove_credential(
        &mut self,
        what: RestoredCredential,
        account: i64,
        hash: &[u8],
    ) -> StoreResult<()> {
        let (table, column) = (table(what), hash_column(what));
        let sql = format!("DELETE FROM {table} WHERE account = ?1 AND {column} = ?2");
        self.execute(&sql, (account, hash))
    }
}

fn table(what: RestoredCredential) -> &'static str {
    match what {
        RestoredCredential::RecoveryCodes => "recovery_code",
        RestoredCredential::AppPasswords => "app_password",
        RestoredCredential::Passkeys => "passkey",
    }
}

/// Returns the column by which a credential is known; of app passwords and passkeys it is unique.
fn hash_column(what: RestoredCredential) -> &'static str {
    match what {
        RestoredCredential::RecoveryCodes | RestoredCredential::AppPasswords => "hash",
        RestoredCredential::Passkeys => "credential",
    }
}
