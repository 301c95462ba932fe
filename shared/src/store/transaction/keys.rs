//! Sealed and key-bound values, for a change of the master key or the data keys. Sealed values are
//! sealed again. Key-bound values cannot be computed again and end with the key.

use super::Transaction;
use super::convert::{ColumnResult, Row, named, otp_parameters, unsigned};
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::crypto::vault::{AuthorityBinding, LetterBinding, SecretBinding, WrappedKey};
use crate::store::{KeyBound, SealedRow, SealedValue, StoreResult};
use crate::system::clock::Timestamp;

/// Condition that the account `?1` has no values of renewed keys. Such values count as removed.
pub(super) const IS_UP_TO_DATE: &str =
    "(SELECT at_renewal FROM account WHERE id = ?1) = (SELECT number FROM renewal)";

const SEALED_SECRETS: &str = "SELECT secret.authenticator, account.id, account.name, algorithm, digits, period, sealed \
     FROM secret JOIN authenticator ON authenticator.id = secret.authenticator \
     JOIN account ON account.id = authenticator.account \
     WHERE secret.authenticator > ?1 ORDER BY secret.authenticator LIMIT ?2";
const SEALED_MAIL: &str = "SELECT outbox.id, account.id, account.name, purpose, address, expires, sealed \
     FROM outbox JOIN account ON account.id = outbox.account \
     WHERE outbox.id > ?1 AND length(sealed) > 0 ORDER BY outbox.id LIMIT ?2";

/// Returns the statement that replaces a sealed value by one of the same length.
fn reseal_statement(sealed_in: SealedValue) -> &'static str {
    match sealed_in {
        SealedValue::Authenticators => "UPDATE secret SET sealed = ?2 WHERE authenticator = ?1",
        SealedValue::QueuedMail => "UPDATE outbox SET sealed = ?2 WHERE id = ?1",
        SealedValue::FleetAuthority => "UPDATE fleet_authority SET sealed = ?2 WHERE id = ?1",
    }
}

/// Returns the table of key-bound values, and the condition of those that have not ended; `?1` is
/// the time now.
fn table(what: KeyBound) -> (&'static str, &'static str) {
    match what {
        KeyBound::Password => (
            "account",
            "password IS NOT NULL AND CAST(?1 AS BIGINT) >= 0",
        ),
        KeyBound::RecoveryCodes => (
            "recovery_code",
            "used_at IS NULL AND CAST(?1 AS BIGINT) >= 0",
        ),
        KeyBound::OneTimeCodes => ("one_time_code", "used = 0 AND expires > ?1"),
        KeyBound::PasskeyCodes => ("passkey_code", "used = 0 AND expires > ?1"),
        KeyBound::AppPasswords => ("app_password", "(expires IS NULL OR expires > ?1)"),
        KeyBound::MailedCodes => ("mailed_code", "used = 0 AND expires > ?1"),
        KeyBound::Browsers => ("trusted_browser", "expires > ?1"),
        KeyBound::Sessions => ("session", "expires > ?1"),
    }
}

/// Returns the query for account names and counts; `?1` is the time now.
fn count_statement(what: KeyBound) -> String {
    let (table, condition) = table(what);
    match what {
        KeyBound::Password => format!("SELECT name, 1 FROM {table} WHERE {condition}"),
        _ => format!(
            "SELECT account.name, count(*) FROM {table} JOIN account ON account.id = {table}.account \
             WHERE {condition} GROUP BY account.id"
        ),
    }
}

/// Returns the statement that removes the values of an account; `?1` is its number.
fn remove_statement(what: KeyBound) -> String {
    let (table, _) = table(what);
    match what {
        KeyBound::Password => {
            format!("UPDATE {table} SET password = NULL WHERE id = ?1 AND password IS NOT NULL")
        }
        _ => format!("DELETE FROM {table} WHERE account = ?1"),
    }
}

fn sealed_secret(row: &Row<'_>) -> ColumnResult<SealedRow> {
    let name = row.get(2)?;
    let binding = SecretBinding {
        account: row.get(1)?,
        name: &name,
        parameters: otp_parameters(row, 3)?,
    };
    Ok(SealedRow {
        sealed_in: SealedValue::Authenticators,
        number: row.get(0)?,
        associated_data: binding.bytes(),
        sealed: row.get(6)?,
        name: Some(name),
    })
}

fn sealed_mail(row: &Row<'_>) -> ColumnResult<SealedRow> {
    let to = row.get(4)?;
    let binding = LetterBinding {
        account: row.get(1)?,
        purpose: row.get(3)?,
        to: &to,
        expires: row.get(5)?,
    };
    Ok(SealedRow {
        sealed_in: SealedValue::QueuedMail,
        number: row.get(0)?,
        name: Some(row.get(2)?),
        associated_data: binding.bytes(),
        sealed: row.get(6)?,
    })
}

fn sealed_authority(row: &Row<'_>) -> ColumnResult<SealedRow> {
    let certificate: Vec<u8> = row.get(1)?;
    Ok(SealedRow {
        sealed_in: SealedValue::FleetAuthority,
        number: row.get(0)?,
        name: None,
        associated_data: AuthorityBinding(&certificate).bytes(),
        sealed: row.get(2)?,
    })
}

impl Transaction<'_> {
    pub fn data_keys(&mut self) -> StoreResult<Vec<WrappedKey>> {
        // `Vault::open` refuses more keys than there are
        let sql = "SELECT purpose, master, wrapped FROM data_key LIMIT 65";
        self.query_rows(sql, (), |row| {
            Ok(WrappedKey {
                purpose: row.get(0)?,
                master: named(row.get(1), "a data key")?,
                wrapped: row.get(2)?,
            })
        })
    }

    /// Replaces all wrapped data keys.
    pub fn replace_data_keys(&mut self, keys: &[WrappedKey]) -> StoreResult<()> {
        self.execute("DELETE FROM data_key", ())?;
        for key in keys {
            let sql = "INSERT INTO data_key (purpose, master, wrapped) VALUES (?1, ?2, ?3)";
            self.execute(sql, (&key.purpose, key.master, &key.wrapped))?;
        }
        Ok(())
    }

    /// Returns at most `limit` sealed rows with numbers above `after`, in order.
    pub fn sealed_rows_after(
        &mut self,
        sealed_in: SealedValue,
        after: i64,
        limit: u32,
    ) -> StoreResult<Vec<SealedRow>> {
        match sealed_in {
            SealedValue::Authenticators => {
                self.query_rows(SEALED_SECRETS, (after, limit), sealed_secret)
            }
            SealedValue::QueuedMail => self.query_rows(SEALED_MAIL, (after, limit), sealed_mail),
            SealedValue::FleetAuthority => {
                let sql = "SELECT id, certificate, sealed FROM fleet_authority \
                           WHERE id > ?1 ORDER BY id LIMIT ?2";
                self.query_rows(sql, (after, limit), sealed_authority)
            }
        }
    }

    /// Replaces the sealed value of a row.
    pub fn reseal_row(&mut self, row: &SealedRow, sealed: &[u8]) -> StoreResult<()> {
        self.execute(reseal_statement(row.sealed_in), (row.number, sealed))
    }

    /// Returns how many values of this kind each account has, in no order. Counts values that have
    /// ended but are not removed yet.
    ///
    /// Reads whole tables: MUST be called in a transaction that only reads.
    pub fn count_key_bound(
        &mut self,
        what: KeyBound,
        now: Timestamp,
    ) -> StoreResult<Vec<(UserName, u64)>> {
        self.query_rows(&count_statement(what), [now], |row| {
            Ok((row.get(0)?, unsigned(row.get(1)?)))
        })
    }

    /// Ends all key-bound values, grace periods and queued mail. Raises the generation of every
    /// account, so that a concurrent attempt fails, and makes gates read all app passwords again.
    /// The rows stay until [`Transaction::forget_key_bound`], or until a transaction that writes reads
    /// their account.
    pub fn end_key_bound(&mut self) -> StoreResult<()> {
        // generation_revision stays: everything of an older generation is signed with a key that no
        // longer exists, so that no gate needs to know. For the same reason revoked sessions stay
        // until they are old enough.
        self.execute("UPDATE renewal SET number = number + 1", ())?;
        self.all_app_passwords_changed()
    }

    /// Removes ended values of at most `most` accounts. Returns how many accounts that were.
    pub fn forget_key_bound(&mut self, most: u32) -> StoreResult<u64> {
        let sql = "SELECT id FROM account WHERE at_renewal < (SELECT number FROM renewal) \
                   ORDER BY at_renewal, id LIMIT ?1 /*+ FOR UPDATE SKIP LOCKED */";
        let behind = self.query_rows(sql, [most], |row| row.get(0))?;
        for account in &behind {
            self.forget_key_bound_of(*account)?;
        }
        Ok(behind.len() as u64)
    }

    /// Removes what was bound to renewed keys, for an account that was not read since.
    pub(super) fn forget_key_bound_of(&mut self, account: AccountId) -> StoreResult<()> {
        for what in KeyBound::ALL {
            self.execute(&remove_statement(what), [account])?;
        }
        // queued mail, whose codes have ended
        self.execute("DELETE FROM outbox WHERE account = ?1", [account])?;
        self.end_grace_period(account)?;
        let sql = "UPDATE account SET at_renewal = (SELECT number FROM renewal) WHERE id = ?1";
        self.execute(sql, [account])
    }
}
