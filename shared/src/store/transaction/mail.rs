//! Mail: addresses, the newest mailed code of each account, and the outbox with mail that waits for
//! posternd.

use super::Transaction;
use super::convert::{account_name, address, bytes, mail_addresses, mail_purpose, signed, time};
use crate::account::email::EmailAddress;
use crate::account::record::AccountId;
use crate::crypto::vault::{MailedFor, MailedHash};
use crate::store::{ExpiredMail, MailAddresses, MailState, QueuedMail, StoreResult};
use crate::system::clock::Timestamp;
use crate::verify::account::StoredMailedCode;
use rusqlite::Row;

const WAITING: i64 = 0;
const SENDING: i64 = 1;
const SENT: i64 = 2;
const FAILED: i64 = 3;

fn mail_state(row: &Row<'_>, first: usize) -> StoreResult<MailState> {
    Ok(match row.get(first)? {
        WAITING => MailState::Waiting,
        SENDING => MailState::Sending,
        SENT => MailState::Sent,
        _ => {
            let reason: Option<String> = row.get(first + 1)?;
            MailState::Failed(reason.unwrap_or_default())
        }
    })
}

impl Transaction<'_> {
    pub fn mail_addresses(&mut self, account: AccountId) -> StoreResult<MailAddresses> {
        let sql = "SELECT confirmed, pending FROM email WHERE account = ?1";
        let found = self.find_row(sql, [account.0], |row| mail_addresses(row, 0))?;
        Ok(found.unwrap_or_default())
    }

    pub fn set_mail_addresses(
        &mut self,
        account: AccountId,
        addresses: &MailAddresses,
    ) -> StoreResult<()> {
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

    /// Returns the newest code mailed to an account, and its purpose.
    pub fn mailed_code(
        &mut self,
        account: AccountId,
    ) -> StoreResult<Option<(MailedFor, StoredMailedCode)>> {
        let sql =
            "SELECT purpose, hash, sent, expires, used, wrong FROM mailed_code WHERE account = ?1";
        let read = |row: &Row<'_>| -> StoreResult<(MailedFor, StoredMailedCode)> {
            let code = StoredMailedCode {
                hash: MailedHash(bytes(row, 1, "a mailed code")?),
                sent: time(row, 2)?,
                expires: time(row, 3)?,
                used: row.get(4)?,
                wrong_confirmations: row.get(5)?,
            };
            Ok((mail_purpose(row, 0)?, code))
        };
        self.find_row(sql, [account.0], read)
    }

    /// Replaces or removes the mailed code. Mail that waits with the old code is removed.
    pub fn set_mailed_code(
        &mut self,
        account: AccountId,
        code: Option<(MailedFor, &StoredMailedCode)>,
    ) -> StoreResult<()> {
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

    pub fn consume_mailed_code(&mut self, account: AccountId) -> StoreResult<()> {
        self.execute(
            "UPDATE mailed_code SET used = TRUE WHERE account = ?1",
            [account.0],
        )
    }

    /// Counts a wrong confirmation of the address.
    pub fn count_wrong_confirmation(&mut self, account: AccountId) -> StoreResult<()> {
        self.execute(
            "UPDATE mailed_code SET wrong = wrong + 1 WHERE account = ?1",
            [account.0],
        )
    }

    /// Queues mail in place of older mail of the account. Returns its number.
    pub fn queue_mail(
        &mut self,
        account: AccountId,
        to: &EmailAddress,
        purpose: MailedFor,
        expires: Timestamp,
        sealed: &[u8],
    ) -> StoreResult<i64> {
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
        Ok(self.last_insert_rowid())
    }

    /// Returns at most `limit` waiting mails whose codes have not expired, oldest first.
    pub fn waiting_mail(&mut self, limit: usize, now: Timestamp) -> StoreResult<Vec<QueuedMail>> {
        let sql = "SELECT outbox.id, account.id, account.name, address, purpose, expires, sealed \
                   FROM outbox JOIN account ON account.id = outbox.account \
                   WHERE fate = 0 AND expires > ?2 AND at_renewal = (SELECT number FROM renewal) \
                   ORDER BY outbox.id LIMIT ?1";
        let read = |row: &Row<'_>| -> StoreResult<QueuedMail> {
            Ok(QueuedMail {
                number: row.get(0)?,
                account: AccountId(row.get(1)?),
                name: account_name(row, 2)?,
                to: address(row.get(3)?)?,
                purpose: mail_purpose(row, 4)?,
                expires: time(row, 5)?,
                sealed: row.get(6)?,
            })
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.query_rows(sql, [limit, signed(now.0)], read)
    }

    /// Returns at most `limit` mails whose codes have expired, in any state.
    pub fn expired_mail(&mut self, limit: usize, now: Timestamp) -> StoreResult<Vec<ExpiredMail>> {
        let sql = "SELECT outbox.id, account.name, fate, why \
                   FROM outbox JOIN account ON account.id = outbox.account \
                   WHERE expires <= ?2 ORDER BY expires LIMIT ?1";
        let read = |row: &Row<'_>| -> StoreResult<ExpiredMail> {
            Ok(ExpiredMail {
                number: row.get(0)?,
                name: account_name(row, 1)?,
                state: mail_state(row, 2)?,
            })
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.query_rows(sql, [limit, signed(now.0)], read)
    }

    /// Returns when the oldest waiting mail was queued.
    pub fn oldest_waiting_mail(&mut self, now: Timestamp) -> StoreResult<Option<Timestamp>> {
        let sql = "SELECT mailed_code.sent FROM outbox \
                   JOIN account ON account.id = outbox.account \
                   JOIN mailed_code ON mailed_code.account = outbox.account \
                   WHERE fate = 0 AND outbox.expires > ?1 AND at_renewal = (SELECT number FROM renewal) \
                   ORDER BY outbox.id LIMIT 1";
        self.find_row(sql, [signed(now.0)], |row| time(row, 0))
    }

    /// Returns the number of mails that confirm this address and are not sent yet.
    pub fn unsent_confirmations(&mut self, to: &EmailAddress, now: Timestamp) -> StoreResult<u32> {
        let sql = "SELECT count(*) FROM outbox WHERE address = ?1 AND purpose = ?2 AND fate IN (?3, ?4) \
                   AND expires > ?5";
        let purpose = MailedFor::Confirmation.name();
        self.query_row(
            sql,
            (to.as_str(), purpose, WAITING, SENDING, signed(now.0)),
            |row| Ok(row.get(0)?),
        )
    }

    /// Sets the state of a mail and removes its code.
    pub fn set_mail_state(&mut self, number: i64, fate: &MailState) -> StoreResult<()> {
        let (fate, why) = match fate {
            MailState::Waiting => (WAITING, None),
            MailState::Sending => (SENDING, None),
            MailState::Sent => (SENT, None),
            MailState::Failed(why) => (FAILED, Some(why.as_str())),
        };
        let sql = "UPDATE outbox SET fate = ?2, why = ?3, sealed = x'' WHERE id = ?1";
        self.execute(sql, (number, fate, why))
    }

    /// Returns the state of a mail, if its row still exists.
    pub fn mail_state(&mut self, number: i64) -> StoreResult<Option<MailState>> {
        let sql = "SELECT fate, why FROM outbox WHERE id = ?1";
        self.find_row(sql, [number], |row| mail_state(row, 0))
    }

    pub fn remove_mail(&mut self, number: i64) -> StoreResult<()> {
        self.execute("DELETE FROM outbox WHERE id = ?1", [number])
    }
}
