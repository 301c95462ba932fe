//! SQL of [`MailStore`], and the conversion of its rows.

use super::transaction::{SqliteTransaction, bytes, damaged, signed, time};
use crate::account::email::EmailAddress;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::crypto::vault::{MailedFor, MailedHash};
use crate::store::{ExpiredMail, MailAddresses, MailState, MailStore, QueuedMail, StoreError};
use crate::system::clock::Timestamp;
use crate::verify::account::StoredMailedCode;
use rusqlite::{OptionalExtension, Row};

type Result<T> = std::result::Result<T, StoreError>;

const WAITING: i64 = 0;
const TAKEN: i64 = 1;
const SENT: i64 = 2;
const FAILED: i64 = 3;

pub(super) fn address(text: String) -> Result<EmailAddress> {
    EmailAddress::try_from(text).map_err(|_| damaged("an e-mail address"))
}

pub(super) fn purpose(name: &str) -> Result<MailedFor> {
    MailedFor::from_name(name).ok_or_else(|| damaged("a mailed code"))
}

fn fate_of(fate: i64, why: Option<String>) -> MailState {
    match fate {
        WAITING => MailState::Waiting,
        TAKEN => MailState::Sending,
        SENT => MailState::Sent,
        _ => MailState::Failed(why.unwrap_or_default()),
    }
}

impl MailStore for SqliteTransaction<'_> {
    fn mail_addresses(&mut self, account: AccountId) -> Result<MailAddresses> {
        let sql = "SELECT confirmed, pending FROM email WHERE account = ?1";
        let read = |row: &Row<'_>| {
            Ok((
                row.get::<_, Option<String>>(0)?,
                row.get::<_, Option<String>>(1)?,
            ))
        };
        let (confirmed, pending) = self
            .0
            .query_row(sql, [account.0], read)
            .optional()?
            .unwrap_or_default();
        Ok(MailAddresses {
            confirmed: confirmed.map(address).transpose()?,
            pending: pending.map(address).transpose()?,
        })
    }

    fn set_mail_addresses(&mut self, account: AccountId, addresses: &MailAddresses) -> Result<()> {
        self.app_passwords_changed_of(account)?;
        self.execute("DELETE FROM email WHERE account = ?1", [account.0])?;
        if *addresses == MailAddresses::default() {
            return Ok(());
        }
        let sql = "INSERT INTO email (account, confirmed, pending) VALUES (?1, ?2, ?3)";
        let confirmed = addresses.confirmed.as_ref().map(EmailAddress::as_str);
        self.execute(
            sql,
            (
                account.0,
                confirmed,
                addresses.pending.as_ref().map(EmailAddress::as_str),
            ),
        )
    }

    fn mailed_code(&mut self, account: AccountId) -> Result<Option<(MailedFor, StoredMailedCode)>> {
        let sql =
            "SELECT purpose, hash, sent, expires, used, wrong FROM mailed_code WHERE account = ?1";
        type Columns = (String, Vec<u8>, Timestamp, Timestamp, bool, u32);
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((
                row.get(0)?,
                row.get(1)?,
                time(row, 2)?,
                time(row, 3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        };
        let found = self.0.query_row(sql, [account.0], read).optional()?;
        let kept = |(name, hash, sent, expires, used, wrong): Columns| {
            let hash = MailedHash(bytes(hash, "a mailed code")?);
            Ok((
                purpose(&name)?,
                StoredMailedCode {
                    hash,
                    sent,
                    expires,
                    used,
                    wrong_confirmations: wrong,
                },
            ))
        };
        found.map(kept).transpose()
    }

    fn set_mailed_code(
        &mut self,
        account: AccountId,
        code: Option<(MailedFor, &StoredMailedCode)>,
    ) -> Result<()> {
        self.execute("DELETE FROM mailed_code WHERE account = ?1", [account.0])?;
        self.execute(
            "DELETE FROM outbox WHERE account = ?1 AND fate = ?2",
            [account.0, WAITING],
        )?;
        let Some((
            purpose,
            StoredMailedCode {
                hash,
                sent,
                expires,
                used,
                wrong_confirmations: wrong,
            },
        )) = code
        else {
            return Ok(());
        };
        let sql = "INSERT INTO mailed_code (account, purpose, hash, sent, expires, used, wrong) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (sent, expires) = (signed(sent.0), signed(expires.0));
        self.execute(
            sql,
            (
                account.0,
                purpose.name(),
                &hash.0[..],
                sent,
                expires,
                used,
                wrong,
            ),
        )
    }

    fn consume_mailed_code(&mut self, account: AccountId) -> Result<()> {
        self.execute(
            "UPDATE mailed_code SET used = TRUE WHERE account = ?1",
            [account.0],
        )
    }

    fn count_wrong_confirmation(&mut self, account: AccountId) -> Result<()> {
        self.execute(
            "UPDATE mailed_code SET wrong = wrong + 1 WHERE account = ?1",
            [account.0],
        )
    }

    fn queue_mail(
        &mut self,
        account: AccountId,
        to: &EmailAddress,
        purpose: MailedFor,
        expires: Timestamp,
        sealed: &[u8],
    ) -> Result<i64> {
        self.execute("DELETE FROM outbox WHERE account = ?1", [account.0])?;
        let sql = "INSERT INTO outbox (account, address, purpose, expires, sealed, fate) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let expires = signed(expires.0);
        self.execute(
            sql,
            (
                account.0,
                to.as_str(),
                purpose.name(),
                expires,
                sealed,
                WAITING,
            ),
        )?;
        Ok(self.0.last_insert_rowid())
    }

    fn waiting_mail(&mut self, limit: usize, now: Timestamp) -> Result<Vec<QueuedMail>> {
        let sql = "SELECT outbox.id, account.id, account.name, address, purpose, expires, sealed \
                   FROM outbox JOIN account ON account.id = outbox.account \
                   WHERE fate = 0 AND expires > ?2 AND at_renewal = (SELECT number FROM renewal) \
                   ORDER BY outbox.id LIMIT ?1";
        type Columns = (i64, i64, String, String, String, Timestamp, Vec<u8>);
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                time(row, 5)?,
                row.get(6)?,
            ))
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(sql, [limit, signed(now.0)], read)?
            .into_iter()
            .map(|(number, account, name, to, meant, expires, sealed)| {
                Ok(QueuedMail {
                    number,
                    account: AccountId(account),
                    name: UserName::from_store(&name).map_err(|_| damaged("an account's name"))?,
                    to: address(to)?,
                    purpose: purpose(&meant)?,
                    expires,
                    sealed,
                })
            })
            .collect()
    }

    fn expired_mail(&mut self, limit: usize, now: Timestamp) -> Result<Vec<ExpiredMail>> {
        let sql = "SELECT outbox.id, account.name, fate, why \
                   FROM outbox JOIN account ON account.id = outbox.account \
                   WHERE expires <= ?2 ORDER BY expires LIMIT ?1";
        type Columns = (i64, String, i64, Option<String>);
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(sql, [limit, signed(now.0)], read)?
            .into_iter()
            .map(|(number, name, fate, why)| {
                let name = UserName::from_store(&name).map_err(|_| damaged("an account's name"))?;
                Ok(ExpiredMail {
                    number,
                    name,
                    state: fate_of(fate, why),
                })
            })
            .collect()
    }

    fn oldest_waiting_mail(&mut self, now: Timestamp) -> Result<Option<Timestamp>> {
        let sql = "SELECT mailed_code.sent FROM outbox \
                   JOIN account ON account.id = outbox.account \
                   JOIN mailed_code ON mailed_code.account = outbox.account \
                   WHERE fate = 0 AND outbox.expires > ?1 AND at_renewal = (SELECT number FROM renewal) \
                   ORDER BY outbox.id LIMIT 1";
        Ok(self
            .0
            .query_row(sql, [signed(now.0)], |row| time(row, 0))
            .optional()?)
    }

    fn unsent_confirmations(&mut self, to: &EmailAddress, now: Timestamp) -> Result<u32> {
        let sql = "SELECT count(*) FROM outbox WHERE address = ?1 AND purpose = ?2 AND fate IN (?3, ?4) \
                   AND expires > ?5";
        let purpose = MailedFor::Confirmation.name();
        Ok(self.0.query_row(
            sql,
            (to.as_str(), purpose, WAITING, TAKEN, signed(now.0)),
            |row| row.get(0),
        )?)
    }

    fn set_mail_state(&mut self, number: i64, fate: &MailState) -> Result<()> {
        let (fate, why) = match fate {
            MailState::Waiting => (WAITING, None),
            MailState::Sending => (TAKEN, None),
            MailState::Sent => (SENT, None),
            MailState::Failed(why) => (FAILED, Some(why.as_str())),
        };
        let sql = "UPDATE outbox SET fate = ?2, why = ?3, sealed = x'' WHERE id = ?1";
        self.execute(sql, (number, fate, why))
    }

    fn mail_state(&mut self, number: i64) -> Result<Option<MailState>> {
        let sql = "SELECT fate, why FROM outbox WHERE id = ?1";
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?));
        let found = self.0.query_row(sql, [number], read).optional()?;
        Ok(found.map(|(fate, why)| fate_of(fate, why)))
    }

    fn remove_mail(&mut self, number: i64) -> Result<()> {
        self.execute("DELETE FROM outbox WHERE id = ?1", [number])
    }
}
