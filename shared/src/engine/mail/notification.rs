//! The path of every audit event to the log. For an event that the account's owner should know of,
//! the same transaction queues a notification, which posternd mails. No act waits for it.

use crate::account::email::EmailAddress;
use crate::account::event::{AuditEvent, EventKind};
use crate::config::Config;
use crate::engine::{EngineError, Mail};
use crate::store::{Intent, LoggedEvent, Notification, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::verify::method::AuthenticationMethod;

/// Seconds after which an unsent notification is dropped.
const RETRY_LIMIT: u64 = 3 * 24 * 3600;
/// Seconds after which an unsent notification is tried again; longer than sending may take.
const RETRY_DELAY: u64 = 300;

/// Logs an event and queues its notification. MUST be called while the account still has the
/// address that the notification goes to.
pub(in crate::engine) fn log_event(
    config: &Config,
    tx: &mut Transaction<'_>,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    let logged = tx.add_event(event)?;
    // The user's own processes, or any sign-in, can cause these events without limit, and must
    // not fill the user's mailbox.
    let is_limited = [EventKind::HostPasswordChanged, EventKind::NewSignIn].contains(&event.kind);
    if logged == LoggedEvent::TooMany && is_limited {
        return Ok(());
    }
    if config.email.is_enabled() && concerns_owner(event) {
        if let Some(to) = notification_address(config, tx, event)? {
            tx.add_notification(&to, event, event.at.minus(RETRY_LIMIT))?;
        }
    }
    Ok(())
}

/// Returns whether the account's owner is notified, since someone else may have acted.
fn concerns_owner(event: &AuditEvent) -> bool {
    let is_own = event.principal == event.account.as_str();
    match event.kind {
        EventKind::Enrolled
        | EventKind::Imported
        | EventKind::AuthenticatorAdded
        | EventKind::AuthenticatorRemoved
        | EventKind::PasskeyAdded
        | EventKind::PasskeyRemoved
        | EventKind::ApprovalRefused
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
        | EventKind::NewSignIn
        | EventKind::ClockUnlocked => true,
        // access was granted without the user's own authenticator
        EventKind::Accepted => [
            AuthenticationMethod::RecoveryCode,
            AuthenticationMethod::OneTimeCode,
        ]
        .iter()
        .any(|method| event.cause == method.name()),
        // The user's own act needs no notification; a session that ends because of theft has a
        // cause.
        EventKind::BrowserRevoked | EventKind::SessionRevoked => !is_own || !event.cause.is_empty(),
        // The mail with the code is the notification.
        EventKind::CodeRequested | EventKind::EmailSet => false,
        EventKind::AppPasswordRenamed
        | EventKind::PasskeyRenamed
        // made with the user's passkey a moment ago
        | EventKind::PasskeyCodeIssued => false,
        EventKind::AccountAdded
        | EventKind::Refused
        | EventKind::KeysRotated
        | EventKind::KeysRenewed
        | EventKind::BackupMade
        | EventKind::StoreRestored
        | EventKind::StoreMoved
        | EventKind::HostInvited
        | EventKind::HostJoined
        | EventKind::HostRevoked
        | EventKind::BreakGlassIssued
        | EventKind::BreakGlassLost => false,
    }
}

/// Returns the address for notifications: the confirmed one or, without it, the one that waits for
/// its confirmation.
fn notification_address(
    config: &Config,
    tx: &mut Transaction<'_>,
    event: &AuditEvent,
) -> Result<Option<EmailAddress>, StoreError> {
    if let Some(declared) = config.find_declared_account(&event.account) {
        return Ok(declared.email.clone());
    }
    let Some(record) = tx.find_account(&event.account)? else {
        return Ok(None);
    };
    let addresses = tx.mail_addresses(record.id)?;
    Ok(match event.kind {
        // this mail has a link that ends sessions
        EventKind::NewSignIn => addresses.confirmed,
        _ => addresses.confirmed.or(addresses.pending),
    })
}

impl Mail<'_> {
    /// Takes at most `limit` due notifications for posternd to send. Each becomes due again later
    /// unless [`Engine::remove_sent_notification`] removes it.
    pub fn take_due_notifications(
        &mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Notification>, EngineError> {
        let retry_at = now.plus(RETRY_DELAY);
        let mut tx = self.engine.begin(Intent::Read)?;
        if limit == 0 || tx.due_notifications(now, retry_at, 1)?.is_empty() {
            return Ok(Vec::new());
        }
        drop(tx);
        let mut tx = self.engine.begin(Intent::Write)?;
        tx.remove_notifications_before(now.minus(RETRY_LIMIT))?;
        let due = tx.due_notifications(now, retry_at, limit)?;
        for notification in &due {
            tx.postpone_notification(notification.number, retry_at)?;
        }
        tx.commit()?;
        Ok(due)
    }

    /// Removes a notification that posternd has sent.
    pub fn remove_sent_notification(
        &mut self,
        notification: &Notification,
    ) -> Result<(), EngineError> {
        let mut tx = self.engine.begin(Intent::Write)?;
        tx.remove_notification(notification.number)?;
        Ok(tx.commit()?)
    }
}
