//! What the store keeps of mail: addresses, the newest mailed code of each account, and the outbox, whose letters wait for
//! posternd.

use super::StoreError;
use crate::account::email::EmailAddress;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::crypto::vault::MailedFor;
use crate::system::clock::Timestamp;
use crate::verify::account::StoredMailedCode;
use serde::{Deserialize, Serialize};

/// The addresses of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailAddresses {
    /// Mail to it has arrived: codes go there.
    pub confirmed: Option<EmailAddress>,
    /// It takes the other's place once mail to it has arrived.
    pub pending: Option<EmailAddress>,
}

/// A letter that waits for posternd.
pub struct QueuedMail {
    /// Its number.
    pub number: i64,
    /// Whose code it brings.
    pub account: AccountId,
    /// The account's name.
    pub name: UserName,
    /// Where it goes.
    pub to: EmailAddress,
    /// What the code is for.
    pub purpose: MailedFor,
    /// When the code's life ends.
    pub expires: Timestamp,
    /// The code, sealed.
    pub sealed: Vec<u8>,
}

/// A letter whose code has expired.
pub struct ExpiredMail {
    /// Its number.
    pub number: i64,
    /// The account's name.
    pub name: UserName,
    /// What became of it.
    pub state: MailState,
}

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailState {
    /// posternd has not taken it.
    Waiting,
    /// posternd is sending it.
    Sending,
    /// It is sent.
    Sent,
    /// It could not be sent: why.
    Failed(String),
}

/// Mail's part of a transaction.
pub trait MailStore {
    /// The addresses of an account.
    fn mail_addresses(&mut self, account: AccountId) -> Result<MailAddresses, StoreError>;
    /// Sets them.
    fn set_mail_addresses(
        &mut self,
        account: AccountId,
        addresses: &MailAddresses,
    ) -> Result<(), StoreError>;

    /// The newest code mailed to an account, and what it is for.
    fn mailed_code(
        &mut self,
        account: AccountId,
    ) -> Result<Option<(MailedFor, StoredMailedCode)>, StoreError>;
    /// Sets it, in place of an older one, or removes it. A letter that waits with the older one goes with it.
    fn set_mailed_code(
        &mut self,
        account: AccountId,
        code: Option<(MailedFor, &StoredMailedCode)>,
    ) -> Result<(), StoreError>;
    /// Marks it as used.
    fn consume_mailed_code(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// Counts a wrong confirmation of the address that it was mailed to.
    fn count_wrong_confirmation(&mut self, account: AccountId) -> Result<(), StoreError>;

    /// Leaves a letter in the outbox, in place of an older one of the account's; its number.
    fn queue_mail(
        &mut self,
        account: AccountId,
        to: &EmailAddress,
        purpose: MailedFor,
        expires: Timestamp,
        sealed: &[u8],
    ) -> Result<i64, StoreError>;
    /// Letters that wait and whose codes have not expired, oldest first, at most `limit`.
    fn waiting_mail(&mut self, limit: usize, now: Timestamp)
    -> Result<Vec<QueuedMail>, StoreError>;
    /// Letters whose codes have expired, whatever became of them, at most `limit`.
    fn expired_mail(
        &mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<ExpiredMail>, StoreError>;
    /// When the oldest letter that waits was left.
    fn oldest_waiting_mail(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;
    /// Letters that are to confirm an address and were not sent yet.
    fn unsent_confirmations(
        &mut self,
        to: &EmailAddress,
        now: Timestamp,
    ) -> Result<u32, StoreError>;
    /// Notes what became of a letter; its code is gone from it.
    fn set_mail_state(&mut self, number: i64, fate: &MailState) -> Result<(), StoreError>;
    /// What became of a letter, if it is still kept.
    fn mail_state(&mut self, number: i64) -> Result<Option<MailState>, StoreError>;
    /// Removes a letter.
    fn remove_mail(&mut self, number: i64) -> Result<(), StoreError>;
}
