//! The keys' statements: each method of [`Keys`] in SQL, and nothing else.

use super::rows::{Rows, damaged, parameters, signed, unsigned};
use crate::clock::Timestamp;
use crate::name::UserName;
use crate::store::{AccountId, KeyBound, Keys, Sealed, SealedRow, StoreError};
use crate::vault::WrappedKey;
use rusqlite::Row;

type Result<T> = std::result::Result<T, StoreError>;

/// All rows with what they are bound to.
fn all_sealed(sealed_in: Sealed) -> &'static str {
    match sealed_in {
        Sealed::Authenticators => {
            "SELECT secret.authenticator, account.id, account.name, algorithm, digits, period, sealed FROM secret \
             JOIN authenticator ON authenticator.id = secret.authenticator \
             JOIN account ON account.id = authenticator.account \
             WHERE secret.authenticator > ?1 ORDER BY secret.authenticator LIMIT ?2"
        }
    }
}

/// As many bytes in the same place.
fn reseal(sealed_in: Sealed) -> &'static str {
    match sealed_in {
        Sealed::Authenticators => "UPDATE secret SET sealed = ?2 WHERE authenticator = ?1",
    }
}

/// Names and how much; `?1` is now.
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

fn forget(what: KeyBound) -> &'static str {
    match what {
        KeyBound::Password => "UPDATE account SET password = NULL WHERE password IS NOT NULL",
        KeyBound::RecoveryCodes => "DELETE FROM recovery_code",
        KeyBound::OneTimeCodes => "DELETE FROM one_time_code",
        KeyBound::AppPasswords => "DELETE FROM app_password",
        KeyBound::Browsers => "DELETE FROM trusted_browser",
        KeyBound::Sessions => "DELETE FROM session",
    }
}

impl Keys for Rows<'_> {
    fn replace_data_keys(&mut self, keys: &[WrappedKey]) -> Result<()> {
        self.execute("DELETE FROM data_key", [])?;
        for key in keys {
            let sql = "INSERT INTO data_key (purpose, master, wrapped) VALUES (?1, ?2, ?3)";
            self.execute(sql, (&key.purpose, &key.master[..], &key.wrapped))?;
        }
        Ok(())
    }

    fn sealed_after(&mut self, sealed_in: Sealed, after: i64, limit: u32) -> Result<Vec<SealedRow>> {
        type Columns = (i64, i64, String, String, u32, i64, Vec<u8>);
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
        };
        self.all(all_sealed(sealed_in), (after, limit), read)?
            .into_iter()
            .map(|(number, account, name, algorithm, digits, period, sealed)| {
                let name = UserName::parse(name.as_bytes()).map_err(|_| damaged("an account's name"))?;
                let parameters = parameters(&algorithm, digits, period)?;
                Ok(SealedRow { sealed_in, number, account: AccountId(account), name, parameters, sealed })
            })
            .collect()
    }

    fn reseal(&mut self, row: &SealedRow, sealed: &[u8]) -> Result<()> {
        self.execute(reseal(row.sealed_in), (row.number, sealed))
    }

    fn key_bound(&mut self, what: KeyBound, now: Timestamp) -> Result<Vec<(UserName, u64)>> {
        let found = self.all(who_has(what), [signed(now.0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let one = |(name, count): (String, i64)| {
            let name = UserName::parse(name.as_bytes()).map_err(|_| damaged("an account's name"))?;
            Ok((name, unsigned(count)))
        };
        found.into_iter().map(one).collect()
    }

    fn forget_key_bound(&mut self) -> Result<()> {
        for what in KeyBound::ALL {
            self.execute(forget(what), [])?;
        }
        self.app_passwords_changed()?;
        self.execute("DELETE FROM revoked_session", [])?;
        // without generation_at: what bears an older one is signed with a key that is gone, no gate has to remember it
        self.execute("UPDATE account SET generation = generation + 1", [])
    }
}
