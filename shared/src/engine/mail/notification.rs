//! Every event goes through here on its way to the log. Those that a person should know of leave a notice as well, in the
//! same transaction, for posternd to mail. No act waits for it.

use crate::account::email::EmailAddress;
use crate::account::event::{Event, What};
use crate::config::Config;
use crate::engine::{Door, DoorError};
use crate::store::{Intent, Logged, Notice, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::verify::method::Means;

/// How long a notice is tried again before it is given up, in seconds.
const KEPT: u64 = 3 * 24 * 3600;
/// How soon one that was not sent is tried again, in seconds. Longer than sending may take.
const AGAIN: u64 = 300;

/// Logs an event. To be called while the account still has the address that the notice should go to.
pub(in crate::engine) fn log(
    config: &Config,
    tx: &mut dyn Transaction,
    event: &Event,
) -> Result<(), StoreError> {
    let logged = tx.log(event)?;
    // what one's own processes can do as often as they like must not fill one's mailbox
    if logged == Logged::TooMany && event.what == What::HostPasswordChanged {
        return Ok(());
    }
    if config.email.is_on() && concerns_its_person(event) {
        if let Some(to) = address(config, tx, event)? {
            tx.add_notice(&to, event, event.at.minus(KEPT))?;
        }
    }
    Ok(())
}

/// Whether the person should know, since someone else may have done it.
fn concerns_its_person(event: &Event) -> bool {
    let is_own = event.actor == event.account.as_str();
    match event.what {
        What::Enrolled
        | What::Imported
        | What::AuthenticatorAdded
        | What::AuthenticatorRemoved
        | What::RecoveryCodesReplaced
        | What::OneTimeCodeIssued
        | What::OneTimeCodeCancelled
        | What::EmailConfirmed
        | What::EmailRemoved
        | What::Disabled
        | What::Locked
        | What::Unlocked
        | What::PasswordSet
        | What::HostPasswordChanged
        | What::GroupsChanged
        | What::AccountRenamed
        | What::AccountRemoved
        | What::AppPasswordAdded
        | What::AppPasswordRevoked
        | What::ClockMended => true,
        // which opened without the person's own device
        What::Accepted => [Means::RecoveryCode, Means::OneTimeCode]
            .iter()
            .any(|means| event.cause == means.name()),
        // one's own is no news, but theft has a cause
        What::BrowserRevoked | What::SessionRevoked => !is_own || !event.cause.is_empty(),
        // the letter with the code says so itself
        What::CodeAsked | What::EmailSet => false,
        What::AppPasswordRenamed => false,
        What::AccountAdded | What::Refused | What::KeysRotated | What::KeysRenewed => false,
    }
}

/// Where mail about an account goes: also to an address that is not confirmed, if there is no other.
fn address(
    config: &Config,
    tx: &mut dyn Transaction,
    event: &Event,
) -> Result<Option<EmailAddress>, StoreError> {
    if let Some(declared) = config.declared(&event.account) {
        return Ok(declared.email.clone());
    }
    let Some(record) = tx.account(&event.account)? else {
        return Ok(None);
    };
    let addresses = tx.addresses(record.id)?;
    Ok(addresses.confirmed.or(addresses.pending))
}

impl Door {
    /// posternd takes notices that are due, at most `limit`. Each comes again later, unless [`Door::notice_sent`] follows.
    pub fn take_notices(&mut self, limit: usize, now: Timestamp) -> Result<Vec<Notice>, DoorError> {
        let again = now.plus(AGAIN);
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        if limit == 0 || tx.due_notices(now, again, 1)?.is_empty() {
            return Ok(Vec::new());
        }
        drop(tx);
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        tx.remove_notices_before(now.minus(KEPT))?;
        let due = tx.due_notices(now, again, limit)?;
        for notice in &due {
            tx.put_notice_off(notice.number, again)?;
        }
        tx.commit()?;
        Ok(due)
    }

    /// posternd has sent a notice.
    pub fn notice_sent(&mut self, notice: &Notice) -> Result<(), DoorError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        tx.remove_notice(notice.number)?;
        Ok(tx.commit()?)
    }
}
