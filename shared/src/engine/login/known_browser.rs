//! The browser that signs in: whether the account trusts it.

use super::{BrowserContext, SERVICE};
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::crypto::vault::Vault;
use crate::engine::mail::notification;
use crate::engine::{Engine, EngineError};
use crate::store::{BrowserRecord, BrowserSessions, BrowserToken, Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;

/// What the store says of a browser's cookie.
pub(super) enum RecognizedBrowser {
    /// It is trusted.
    Trusted(TrustedBrowserProof),
    /// It was, until the newest cookie that it was given: a code makes it trusted again. Its number.
    OlderCookie(i64),
    /// Nothing.
    Unknown,
}

/// The account trusts this browser. Only this file makes one.
#[derive(Debug)]
pub(in crate::engine) struct TrustedBrowserProof {
    number: i64,
}

impl TrustedBrowserProof {
    /// The number of the browser.
    pub(super) fn number(&self) -> i64 {
        self.number
    }
}

impl RecognizedBrowser {
    /// The number of the browser, if it is one.
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            RecognizedBrowser::Trusted(trusted) => Some(trusted.number),
            RecognizedBrowser::OlderCookie(number) => Some(*number),
            RecognizedBrowser::Unknown => None,
        }
    }
}

/// Looks a browser's cookie up; one of another account's says nothing, nor does one that was stolen.
pub(super) fn recognize_browser(
    vault: &Vault,
    tx: &mut dyn Transaction,
    browser: &BrowserContext<'_>,
    name: &UserName,
    now: Timestamp,
) -> Result<RecognizedBrowser, StoreError> {
    Ok(match find_browser(vault, tx, browser, name, now)? {
        Some((record, _, BrowserToken::Newest)) => {
            RecognizedBrowser::Trusted(TrustedBrowserProof {
                number: record.number,
            })
        }
        Some((record, _, BrowserToken::Older)) => RecognizedBrowser::OlderCookie(record.number),
        Some((_, _, BrowserToken::Stolen)) | None => RecognizedBrowser::Unknown,
    })
}

fn find_browser(
    vault: &Vault,
    tx: &mut dyn Transaction,
    browser: &BrowserContext<'_>,
    name: &UserName,
    now: Timestamp,
) -> Result<Option<(BrowserRecord, AccountRecord, BrowserToken)>, StoreError> {
    let Some(value) = browser.cookie else {
        return Ok(None);
    };
    let Some((record, token)) =
        tx.find_browser_by_token(&vault.browser_hash(value.as_bytes()), now)?
    else {
        return Ok(None);
    };
    let owner = tx
        .find_account(name)?
        .filter(|account| account.id == record.account);
    Ok(owner.map(|owner| (record, owner, token)))
}

impl Engine {
    /// Ends the trust in a browser whose cookie was stolen, and every session that was begun in it: of the two that have
    /// it one is a thief. In a transaction of its own, so that nothing that comes of the sign-in takes it back; over at
    /// every gate when this returns.
    pub(super) fn end_stolen_browser(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        if browser.cookie.is_none() {
            return Ok(());
        }
        let mut transaction = store.begin(vault, Intent::Read)?;
        let is_stolen = |found| matches!(found, Some((_, _, BrowserToken::Stolen)));
        if !is_stolen(find_browser(
            vault,
            transaction.as_mut(),
            browser,
            name,
            now,
        )?) {
            return Ok(());
        }
        drop(transaction);
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = transaction.as_mut();
        // as it is when this one's turn has come
        let Some((record, owner, BrowserToken::Stolen)) =
            find_browser(vault, tx, browser, name, now)?
        else {
            return Ok(());
        };
        tx.remove_trusted_browser(record.number)?;
        tx.end_sessions_of_browser(record.number, BrowserSessions::All, None)?;
        let revision = tx.raise_revision()?;
        let event = AuditEvent {
            at: now,
            account: owner.name,
            kind: EventKind::BrowserRevoked,
            service: SERVICE.to_owned(),
            origin: browser.origin.to_string(),
            principal: name.to_string(),
            cause: "an old cookie was used after a newer one".to_owned(),
        };
        notification::log_event(config, tx, &event)?;
        transaction.commit()?;
        self.await_gate_confirmations(revision)
    }
}
