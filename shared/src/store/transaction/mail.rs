//! Mail: addresses, the newest mailed code of each account, and the outbox with mail that waits for
//! posternd.

use super::Transaction;
use super::convert::{ColumnResult, Row, mail_addresses, signed};
use super::second_factor::consumed;
use crate::account::email::EmailAddress;
use crate::account::record::AccountId;
use crate::crypto::vault::MailedFor;
use crate::store::{ExpiredMail, MailAddresses, MailState, QueuedMail, StoreResult};
use crate::system::clock::Timestamp;
use crate::verify::account::StoredMailedCode;

const WAITING: i64 = 0;
const SENDING: i64 = 1;
const SENT: i64 = 2;
const FAILED: i64 = 3;

fn mail_state(row: &Row<'_>, first: usize) -> ColumnResult<MailState> {
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
        let found = self.find_row(sql, [account], |row| mail_addresses(row, 0))?;
        Ok(found.unwrap_or_default())
    }

    pub fn set_mail_addresses(
        &mut self,
        account: AccountId,
        addresses: &MailAddresses,
    ) -> StoreResult<()> {
        self.app_passwords_changed_of(account)?;
        self.execute("DELETE FROM email WHERE account = ?1", [account])?;
        if *addresses == MailAddresses::default() {
            return Ok(());
        }
        let sql = "INSERT INTO email (account, confirmed, pending) VALUES (?1, ?2, ?3)";
        self.execute(sql, (account, &addresses.confirmed, &addresses.pending))
    }

    /// Returns the newest code mailed to an account, and its purpose.
    pub fn mailed_code(
        &mut self,
        account: AccountId,
    ) -> StoreResult<Option<(MailedFor, StoredMailedCode)>> {
        let sql =
            "SELECT purpose, hash, sent, expires, used, wrong FROM mailed_code WHERE account = ?1";
        self.find_row(sql, [account], |row| {
            let code = StoredMailedCode {
                hash: row.get(1)?,
                sent: row.get(2)?,
                expires: row.get(3)?,
                used: row.get(4)?,
                wrong_confirmations: row.get(5)?,
            };
            Ok((row.get(0)?, code))
        })
    }

    /// Replaces or removes the mailed code. Mail that waits with the old code is removed.
    pub fn set_mailed_code(
        &mut self,
        account: AccountId,
        code: Option<(MailedFor, &StoredMailedCode)>,
    ) -> StoreResult<()> {
        self.execute("DELETE FROM mailed_code WHERE account = ?1", [account])?;
        let sql = "DELETE FROM outbox WHERE account = ?1 AND fate = ?2";
        self.execute(sql, (account, WAITING))?;
        let Some((purpose, code)) = code else {
            return Ok(());
        };
        let sql = "INSERT INTO mailed_code (account, purpose, hash, sent, expires, used, wrong) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (sent, expires, used) = (code.sent, code.expires, code.used);
        let (hash, wrong) = (code.hash, code.wrong_confirmations);
        self.execute(sql, (account, purpose, hash, sent, expires, used, wrong))
    }

    /// Consumes the unused mailed code.
    ///
    /// # Errors
    /// [`StoreError::Conflict`](crate::store::StoreError::Conflict): another transaction has consumed
    /// it meanwhile.
    pub fn consume_mailed_code(&mut self, account: AccountId) -> StoreResult<()> {
        let sql = "UPDATE mailed_code SET used = 1 WHERE account = ?1 AND used = 0";
        consumed(self.execute_counted(sql, [account])?)
    }

    /// Counts a wrong confirmation of the address.
    pub fn count_wrong_confirmation(&mut self, account: AccountId) -> StoreResult<()> {
        let sql = "UPDATE mailed_code SET wrong = wrong + 1 WHERE account = ?1";
        self.execute(sql, [account])
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
        self.execute("DELETE FROM outbox WHERE account = ?1", [account])?;
        let sql = "INSERT INTO outbox (account, address, purpose, expires, sealed, fate) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
        let row = (account, to, purpose, expires, sealed, WAITING);
        self.query_row(sql, row, |row| row.get(0))
    }

    /// Returns at most `limit` waiting mails whose codes have not expired, oldest first.
    pub fn waiting_mail(&mut self, limit: usize, now: Timestamp) -> StoreResult<Vec<QueuedMail>> {
        let sql = "SELECT outbox.id, account.id, account.name, address, purpose, expires, sealed \
                   FROM outbox JOIN account ON account.id = outbox.account \
                   WHERE fate = 0 AND expires > ?2 AND at_renewal = (SELECT number FROM renewal) \
                   ORDER BY outbox.id LIMIT ?1 /*+ FOR UPDATE OF outbox SKIP LOCKED */";
        self.query_rows(sql, (signed(limit as u64), now), |row| {
            Ok(QueuedMail {
                number: row.get(0)?,
                account: row.get(1)?,
                name: row.get(2)?,
                to: row.get(3)?,
                purpose: row.get(4)?,
                expires: row.get(5)?,
                sealed: row.get(6)?,
            })
        })
    }

    /// Returns at most `limit` mails whose codes have expired, in any state.
    pub fn expired_mail(&mut self, limit: usize, now: Timestamp) -> StoreResult<Vec<ExpiredMail>> {
        let sql = "SELECT outbox.id, account.name, fate, why \
                   FROM outbox JOIN account ON account.id = outbox.account \
                   WHERE expires <= ?2 ORDER BY expires LIMIT ?1 /*+ FOR UPDATE OF outbox SKIP LOCKED */";
        self.query_rows(sql, (signed(limit as u64), now), |row| {
            Ok(ExpiredMail {
                number: row.get(0)?,
                name: row.get(1)?,
                state: mail_state(row, 2)?,
            })
        })
    }

    /// Returns when the oldest waiting mail was queued.
    pub fn oldest_waiting_mail(&mut self, now: Timestamp) -> StoreResult<Option<Timestamp>> {
        let sql = "SELECT mailed_code.sent FROM outbox \
                   JOIN account ON account.id = outbox.account \
                   JOIN mailed_code ON mailed_code.account = outbox.account \
                   WHERE fate = 0 AND outbox.expires > ?1 AND at_renewal = (SELECT number FROM renewal) \
                   ORDER BY outbox.id LIMIT 1";
        self.find_row(sql, [now], |row| row.get(0))
    }

    /// Returns the number of mails that confirm this address and are not sent yet.
    pub fn unsent_confirmations(&mut self, to: &EmailAddress, now: Timestamp) -> StoreResult<u32> {
        let sql = "SELECT count(*) FROM outbox WHERE address = ?1 AND purpose = ?2 AND fate IN (?3, ?4) \
                   AND expires > ?5";
        let parameters = (to, MailedFor::Confirmation, WAITING, SENDING, now);
        self.query_row(sql, parameters, |row| row.get(0))
    }

    /// Sets the state of a mail and removes its code.
    pub fn set_mail_state(&mut self, number: i64, fate: &MailState) -> StoreResult<()> {
        let (fate, why) = match fate {
            MailState::Waiting => (WAITING, None),
            MailState::Sending => (SENDING, None),
            MailState::Sent => (SENT, None),
            MailState::Failed(why) => (FAILED, Some(why.as_str())),
        };
        let sql = "UPDATE outbox SET fate = ?2, why = ?3, sealed = ?4 WHERE id = ?1";
        let no_code: &[u8] = &[];
        self.execute(sql, (number, fate, why, no_code))
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
