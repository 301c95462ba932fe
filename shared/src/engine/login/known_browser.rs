//! Recognition of the browser that logs in: whether the account trusts it.
//! A cookie that is sent although the browser got a newer one was copied: the trust ends.

use super::BrowserContext;
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::engine::transaction::EngineTransaction;
use crate::engine::{EngineError, Login, Principal};
use crate::store::{BrowserRecord, BrowserSessions, BrowserToken, Intent, StoreError};
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
    tx: &mut EngineTransaction<'_>,
    browser: &BrowserContext<'_>,
    name: &UserName,
) -> Result<RecognizedBrowser, StoreError> {
    Ok(match find_browser(tx, browser, name)? {
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
    tx: &mut EngineTransaction<'_>,
    browser: &BrowserContext<'_>,
    name: &UserName,
) -> Result<Option<(BrowserRecord, AccountRecord, BrowserToken)>, StoreError> {
    let Some(value) = browser.cookie else {
        return Ok(None);
    };
    let (hash, now) = (tx.vault.browser_hash(value.as_bytes()), tx.now);
    let Some((record, token)) = tx.find_browser_by_token(&hash, now)? else {
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
        if browser.cookie.is_none() {
            return Ok(());
        }
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        let Some((_, _, BrowserToken::Stolen)) = find_browser(&mut tx, browser, name)? else {
            return Ok(());
        };
        drop(tx);
        // Read again under the write lock.
        let mut tx = self.engine.begin_act(Intent::Attempt, now)?;
        let Some((record, owner, BrowserToken::Stolen)) = find_browser(&mut tx, browser, name)?
        else {
            return Ok(());
        };
        tx.remove_trusted_browser(record.number)?;
        tx.end_sessions_of_browser(record.number, BrowserSessions::All, None)?;
        let revision = tx.raise_revision()?;
        tx.log_event(
            &owner.name,
            EventKind::BrowserRevoked,
            "an old cookie was used after a newer one",
            Principal::Browser(name, browser.origin),
        )?;
        tx.commit()?;
        self.engine.sessions().await_gate_confirmations(revision)
    }
}
