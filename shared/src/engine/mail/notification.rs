//! Every event goes through here on its way to the log. Those that a person should know of leave a notice as well, in the
//! same transaction, for posternd to mail. No act waits for it.

use crate::account::email::EmailAddress;
use crate::account::event::{AuditEvent, EventKind};
use crate::config::Config;
use crate::engine::{Engine, EngineError};
use crate::store::{Intent, LoggedEvent, Notification, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::verify::method::AuthenticationMethod;

/// How long a notice is tried again before it is given up, in seconds.
const KEPT: u64 = 3 * 24 * 3600;
/// How soon one that was not sent is tried again, in seconds. Longer than sending may take.
const AGAIN: u64 = 300;

/// Logs an event. To be called while the account still has the address that the notice should go to.
pub(in crate::engine) fn log(
    config: &Config,
    tx: &mut dyn Transaction,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    let logged = tx.add_event(event)?;
    // what one's own processes can do as often as they like must not fill one's mailbox
    if logged == LoggedEvent::TooMany && event.kind == EventKind::HostPasswordChanged {
        return Ok(());
    }
    if config.email.is_enabled() && concerns_its_person(event) {
        if let Some(to) = address(config, tx, event)? {
            tx.add_notification(&to, event, event.at.minus(KEPT))?;
        }
    }
    Ok(())
}

/// Whether the person should know, since someone else may have done it.
fn concerns_its_person(event: &AuditEvent) -> bool {
    let is_own = event.principal == event.account.as_str();
    match event.kind {
        EventKind::Enrolled
        | EventKind::Imported
        | EventKind::AuthenticatorAdded
        | EventKind::AuthenticatorRemoved
        | EventKind::RecoveryCodesReplaced
        | EventKind::OneTimeCodeIssued
        | EventKind::OneTimeCodeCancelled
        | EventKind::EmailConfirmed
        | EventKind::EmailRemoved
        | EventKind::Disabled
        | EventKind::Locked
        | EventKind::Unlocked
        | EventKind::PasswordSet
        | EventKind::HostPasswordChanged
        | EventKind::GroupsChanged
        | EventKind::AccountRenamed
        | EventKind::AccountRemoved
        | EventKind::AppPasswordAdded
        | EventKind::AppPasswordRevoked
        | EventKind::ClockUnlocked => true,
        // which opened without the person's own device
        EventKind::Accepted => [
            AuthenticationMethod::RecoveryCode,
            AuthenticationMethod::OneTimeCode,
        ]
        .iter()
        .any(|means| event.cause == means.name()),
        // one's own is no news, but theft has a cause
        EventKind::BrowserRevoked | EventKind::SessionRevoked => !is_own || !event.cause.is_empty(),
        // the letter with the code says so itself
        EventKind::CodeRequested | EventKind::EmailSet => false,
        EventKind::AppPasswordRenamed => false,
        EventKind::AccountAdded
        | EventKind::Refused
        | EventKind::KeysRotated
        | EventKind::KeysRenewed => false,
    }
}

/// Where mail about an account goes: also to an address that is not confirmed, if there is no other.
fn address(
    config: &Config,
    tx: &mut dyn Transaction,
    event: &AuditEvent,
) -> Result<Option<EmailAddress>, StoreError> {
    if let Some(declared) = config.find_declared_account(&event.account) {
        return Ok(declared.email.clone());
    }
    let Some(record) = tx.find_account(&event.account)? else {
        return Ok(None);
    };
    let addresses = tx.mail_addresses(record.id)?;
    Ok(addresses.confirmed.or(addresses.pending))
}

impl Engine {
    /// posternd takes notices that are due, at most `limit`. Each comes again later, unless [`Door::notice_sent`] follows.
    pub fn take_notices(
        &mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Notification>, EngineError> {
        let again = now.plus(AGAIN);
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        if limit == 0 || tx.due_notifications(now, again, 1)?.is_empty() {
            return Ok(Vec::new());
        }
        drop(tx);
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        tx.remove_notifications_before(now.minus(KEPT))?;
        let due = tx.due_notifications(now, again, limit)?;
        for notice in &due {
            tx.postpone_notification(notice.number, again)?;
        }
        tx.commit()?;
        Ok(due)
    }

    /// posternd has sent a notice.
    pub fn notice_sent(&mut self, notice: &Notification) -> Result<(), EngineError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        tx.remove_notification(notice.number)?;
        Ok(tx.commit()?)
    }
}
