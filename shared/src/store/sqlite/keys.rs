//! SQL of [`KeyStore`], and the conversion of its rows.

use super::mail;
use super::transaction::{SqliteTransaction, damaged, parameters, signed, time, unsigned};
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::crypto::vault::{LetterBinding, SecretBinding, WrappedKey};
use crate::store::{KeyBound, KeyStore, SealedRow, SealedValue, StoreError, Transaction};
use crate::system::clock::Timestamp;

type Result<T> = std::result::Result<T, StoreError>;

const SEALED_SECRETS: &str = "SELECT secret.authenticator, account.id, account.name, algorithm, digits, period, sealed \
     FROM secret JOIN authenticator ON authenticator.id = secret.authenticator \
     JOIN account ON account.id = authenticator.account \
     WHERE secret.authenticator > ?1 ORDER BY secret.authenticator LIMIT ?2";
const SEALED_LETTERS: &str = "SELECT outbox.id, account.id, account.name, purpose, address, expires, sealed \
     FROM outbox JOIN account ON account.id = outbox.account \
     WHERE outbox.id > ?1 AND length(sealed) > 0 ORDER BY outbox.id LIMIT ?2";

/// Returns the statement that replaces a sealed value by one of the same length.
fn reseal(sealed_in: SealedValue) -> &'static str {
    match sealed_in {
        SealedValue::Authenticators => "UPDATE secret SET sealed = ?2 WHERE authenticator = ?1",
        SealedValue::QueuedMail => "UPDATE outbox SET sealed = ?2 WHERE id = ?1",
    }
}

/// Returns the query for account names and counts; `?1` is the time now.
fn who_has(what: KeyBound) -> &'static str {
    match what {
        KeyBound::Password => "SELECT name, 1 FROM account WHERE password IS NOT NULL AND ?1 >= 0",
        KeyBound::RecoveryCodes => {
            "SELECT account.name, count(*) FROM recovery_code JOIN account ON account.id = recovery_code.account \
             WHERE used_at IS NULL AND ?1 >= 0 GROUP BY account.id"
        }
        KeyBound::OneTimeCodes => {
            "SELECT account.name, 1 FROM one_time_code JOIN account ON account.id = one_time_code.account \
             WHERE NOT used AND expires > ?1"
        }
        KeyBound::AppPasswords => {
            "SELECT account.name, count(*) FROM app_password JOIN account ON account.id = app_password.account \
             WHERE expires IS NULL OR expires > ?1 GROUP BY account.id"
        }
        KeyBound::MailedCodes => {
            "SELECT account.name, 1 FROM mailed_code JOIN account ON account.id = mailed_code.account \
             WHERE NOT used AND expires > ?1"
        }
        KeyBound::Browsers => {
            "SELECT account.name, count(*) FROM trusted_browser JOIN account ON account.id = trusted_browser.account \
             WHERE expires > ?1 GROUP BY account.id"
        }
        KeyBound::Sessions => {
            "SELECT account.name, count(*) FROM session JOIN account ON account.id = session.account \
             WHERE expires > ?1 GROUP BY account.id"
        }
    }
}

/// Returns the statement that removes the values of an account; `?1` is its number.
fn forget(what: KeyBound) -> &'static str {
    match what {
        KeyBound::Password => {
            "UPDATE account SET password = NULL WHERE id = ?1 AND password IS NOT NULL"
        }
        KeyBound::RecoveryCodes => "DELETE FROM recovery_code WHERE account = ?1",
        KeyBound::OneTimeCodes => "DELETE FROM one_time_code WHERE account = ?1",
        KeyBound::AppPasswords => "DELETE FROM app_password WHERE account = ?1",
        KeyBound::MailedCodes => "DELETE FROM mailed_code WHERE account = ?1",
        KeyBound::Browsers => "DELETE FROM trusted_browser WHERE account = ?1",
        KeyBound::Sessions => "DELETE FROM session WHERE account = ?1",
    }
}

fn sealed_secret(
    (number, account, name, algorithm, digits, period, sealed): (
        i64,
        i64,
        String,
        String,
        u32,
        i64,
        Vec<u8>,
    ),
) -> Result<SealedRow> {
    let (name, parameters) = (
        account_name(&name)?,
        parameters(&algorithm, digits, period)?,
    );
    let bound = SecretBinding {
        account,
        name: &name,
        parameters,
    }
    .bytes();
    Ok(SealedRow {
        sealed_in: SealedValue::Authenticators,
        number,
        name,
        associated_data: bound,
        sealed,
    })
}

fn sealed_letter(
    (number, account, name, purpose, to, expires, sealed): (
        i64,
        i64,
        String,
        String,
        String,
        Timestamp,
        Vec<u8>,
    ),
) -> Result<SealedRow> {
    let (purpose, to) = (mail::purpose(&purpose)?, mail::address(to)?);
    let bound = LetterBinding {
        account,
        purpose,
        to: &to,
        expires,
    }
    .bytes();
    Ok(SealedRow {
        sealed_in: SealedValue::QueuedMail,
        number,
        name: account_name(&name)?,
        associated_data: bound,
        sealed,
    })
}

fn account_name(name: &str) -> Result<UserName> {
    UserName::from_store(name).map_err(|_| damaged("an account's name"))
}

impl KeyStore for SqliteTransaction<'_> {
    fn replace_data_keys(&mut self, keys: &[WrappedKey]) -> Result<()> {
        self.execute("DELETE FROM data_key", [])?;
        for key in keys {
            let sql = "INSERT INTO data_key (purpose, master, wrapped) VALUES (?1, ?2, ?3)";
            self.execute(sql, (&key.purpose, &key.master[..], &key.wrapped))?;
        }
        Ok(())
    }

    fn sealed_rows_after(
        &mut self,
        sealed_in: SealedValue,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>> {
        match sealed_in {
            SealedValue::Authenticators => self
                .all(SEALED_SECRETS, (after, limit), |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                        row.get(5)?,
                        row.get(6)?,
                    ))
                })?
                .into_iter()
                .map(sealed_secret)
                .collect(),
            SealedValue::QueuedMail => self
                .all(SEALED_LETTERS, (after, limit), |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                        time(row, 5)?,
                        row.get(6)?,
                    ))
                })?
                .into_iter()
                .map(sealed_letter)
                .collect(),
        }
    }

    fn reseal_row(&mut self, row: &SealedRow, sealed: &[u8]) -> Result<()> {
        self.execute(reseal(row.sealed_in), (row.number, sealed))
    }

    fn count_key_bound(&mut self, what: KeyBound, now: Timestamp) -> Result<Vec<(UserName, u64)>> {
        let mut statement = self.0.prepare(who_has(what))?;
        let found = statement.query_map([signed(now.0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let one = |found: rusqlite::Result<(String, i64)>| {
            let (name, count) = found?;
            Ok((account_name(&name)?, unsigned(count)))
        };
        found.map(one).collect()
    }

    fn end_key_bound(&mut self) -> Result<()> {
        // generation_revision stays: everything of an older generation is signed with a key that no
        // longer exists, so that no gate needs to know. For the same reason revoked sessions stay
        // until they are old enough.
        self.execute("UPDATE renewal SET number = number + 1", [])?;
        self.all_app_passwords_changed()
    }

    fn forget_key_bound(&mut self, most: u32) -> Result<u64> {
        let sql = "SELECT id FROM account WHERE at_renewal < (SELECT number FROM renewal) \
                   ORDER BY at_renewal, id LIMIT ?1";
        let behind: Vec<i64> = self.all(sql, [most], |row| row.get(0))?;
        for account in &behind {
            self.forget_key_bound_of(AccountId(*account))?;
        }
        Ok(behind.len() as u64)
    }
}

impl SqliteTransaction<'_> {
    /// Removes what was bound to renewed keys, for an account that was not read since.
    pub(super) fn forget_key_bound_of(&mut self, account: AccountId) -> Result<()> {
        for what in KeyBound::ALL {
            self.execute(forget(what), [account.0])?;
        }
        // queued mail, whose codes have ended
        self.execute("DELETE FROM outbox WHERE account = ?1", [account.0])?;
        self.end_grace_period(account)?;
        let sql = "UPDATE account SET at_renewal = (SELECT number FROM renewal) WHERE id = ?1";
        self.execute(sql, [account.0])
    }
}
