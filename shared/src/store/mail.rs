//! Mail in the store: addresses, the newest mailed code of each account, and the outbox with mail
//! that waits for posternd.

use super::StoreError;
use crate::account::email::EmailAddress;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::crypto::vault::MailedFor;
use crate::system::clock::Timestamp;
use crate::verify::account::StoredMailedCode;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailAddresses {
    /// Address to which mail has arrived. Codes are sent there.
    pub confirmed: Option<EmailAddress>,
    /// Address that replaces `confirmed` once mail to it has arrived.
    pub pending: Option<EmailAddress>,
}

/// Mail that waits for posternd.
pub struct QueuedMail {
    pub number: i64,
    /// Account that the code belongs to.
    pub account: AccountId,
    pub name: UserName,
    pub to: EmailAddress,
    pub purpose: MailedFor,
    /// Expiry of the code.
    pub expires: Timestamp,
    pub sealed: Vec<u8>,
}

/// Queued mail whose code has expired.
pub struct ExpiredMail {
    pub number: i64,
    pub name: UserName,
    /// State at expiry.
    pub state: MailState,
}

/// State of queued mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailState {
    /// posternd has not read it.
    Waiting,
    /// posternd is sending it.
    Sending,
    Sent,
    /// The mail server or the connection refused it, with the reason.
    Failed(String),
}

pub trait MailStore {
    fn mail_addresses(&mut self, account: AccountId) -> Result<MailAddresses, StoreError>;
    fn set_mail_addresses(
        &mut self,
        account: AccountId,
        addresses: &MailAddresses,
    ) -> Result<(), StoreError>;

    /// Returns the newest code mailed to an account, and its purpose.
    fn mailed_code(
        &mut self,
        account: AccountId,
    ) -> Result<Option<(MailedFor, StoredMailedCode)>, StoreError>;
    /// Replaces or removes the mailed code. Mail that waits with the old code is removed.
    fn set_mailed_code(
        &mut self,
        account: AccountId,
        code: Option<(MailedFor, &StoredMailedCode)>,
    ) -> Result<(), StoreError>;
    fn consume_mailed_code(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// Counts a wrong confirmation of the address.
    fn count_wrong_confirmation(&mut self, account: AccountId) -> Result<(), StoreError>;

    /// Queues mail in place of older mail of the account. Returns its number.
    fn queue_mail(
        &mut self,
        account: AccountId,
        to: &EmailAddress,
        purpose: MailedFor,
        expires: Timestamp,
        sealed: &[u8],
    ) -> Result<i64, StoreError>;
    /// Returns at most `limit` waiting mails whose codes have not expired, oldest first.
    fn waiting_mail(&mut self, limit: usize, now: Timestamp)
    -> Result<Vec<QueuedMail>, StoreError>;
    /// Returns at most `limit` mails whose codes have expired, in any state.
    fn expired_mail(
        &mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<ExpiredMail>, StoreError>;
    /// Returns when the oldest waiting mail was queued.
    fn oldest_waiting_mail(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;
    /// Returns the number of mails that confirm this address and are not sent yet.
    fn unsent_confirmations(
        &mut self,
        to: &EmailAddress,
        now: Timestamp,
    ) -> Result<u32, StoreError>;
    /// Sets the state of a mail and removes its code.
    fn set_mail_state(&mut self, number: i64, fate: &MailState) -> Result<(), StoreError>;
    /// Returns the state of a mail, if its row still exists.
    fn mail_state(&mut self, number: i64) -> Result<Option<MailState>, StoreError>;
    fn remove_mail(&mut self, number: i64) -> Result<(), StoreError>;
}
