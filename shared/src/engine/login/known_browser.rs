//! Recognition of the browser that logs in: whether the account trusts it.
//! A cookie that is sent although the browser got a newer one was copied: the trust ends.

use super::{BrowserContext, SERVICE};
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::crypto::vault::Vault;
use crate::engine::Login;
use crate::engine::mail::notification;
use crate::engine::{Engine, EngineError};
use crate::store::{BrowserRecord, BrowserSessions, BrowserToken, Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;

/// What a trusted-browser cookie proves.
pub(super) enum RecognizedBrowser {
    Trusted(TrustedBrowserProof),
    /// The cookie is older than the newest one. A code makes the browser trusted again. The value
    /// is the browser's number.
    OlderCookie(i64),
    Unknown,
}

/// Proof that the account trusts this browser. Only this file constructs it.
#[derive(Debug)]
pub(in crate::engine) struct TrustedBrowserProof {
    number: i64,
}

impl TrustedBrowserProof {
    pub(super) fn number(&self) -> i64 {
        self.number
    }
}

impl RecognizedBrowser {
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            RecognizedBrowser::Trusted(trusted) => Some(trusted.number),
            RecognizedBrowser::OlderCookie(number) => Some(*number),
            RecognizedBrowser::Unknown => None,
        }
    }
}

/// Looks up a browser's cookie. A cookie of another account proves nothing, nor does a stolen one.
pub(super) fn recognize_browser(
    vault: &Vault,
    tx: &mut Transaction<'_>,
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
    tx: &mut Transaction<'_>,
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

impl Login<'_> {
    /// Removes a trusted browser whose cookie was stolen, and ends every session that began in it:
    /// one of the two browsers that have the cookie belongs to a thief.
    ///
    /// This is a transaction of its own, so that no result of the login rolls it back. Every gate
    /// refuses the sessions when this returns.
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
        } = self.engine;
        if browser.cookie.is_none() {
            return Ok(());
        }
        let mut transaction = store.begin(vault, Intent::Read)?;
        let is_stolen = |found| matches!(found, Some((_, _, BrowserToken::Stolen)));
        if !is_stolen(find_browser(vault, &mut transaction, browser, name, now)?) {
            return Ok(());
        }
        drop(transaction);
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let tx = &mut transaction;
        // Read again under the write lock.
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
        self.engine.sessions().await_gate_confirmations(revision)
    }
}
