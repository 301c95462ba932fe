//! Mail about a sign-in at the web from a browser and an address that the account has not used: it
//! says from where, and has a link that ends every session.
//!
//! A thief of the mail can do no more than that: the link signs out and grants nothing.

use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::record::{AccountId, AccountRecord};
use crate::config::email::SignInNotifications;
use crate::engine::login::token_validity::check_token;
use crate::engine::transaction::EngineTransaction;
use crate::engine::verify::bucket::is_familiar;
use crate::engine::{
    AdministrationError, AppPasswordsAfter, BrowserContext, Engine, EngineError, Mail, Principal,
    Sessions,
};
use crate::network::address::Address;
use crate::network::user_agent;
use crate::store::{Intent, StoreError};
use crate::system::clock::Timestamp;
use crate::token::EndSessionsToken;
use crate::verify::origin::Origin;

/// Page of the gate that a link leads to.
const PAGE: &str = "end-sessions";

/// Returns whether a sign-in in a browser that the account does not trust comes from an address that
/// it has not used in the last 30 days. MUST be called before the sign-in makes it familiar.
pub(in crate::engine) fn is_new_sign_in(
    tx: &mut EngineTransaction<'_>,
    (name, account): (&UserName, AccountId),
    browser: &BrowserContext<'_>,
) -> Result<bool, StoreError> {
    let is_off = tx.config.email.sign_in_notifications == SignInNotifications::Off;
    let address = browser.origin.address();
    let Some(address) = address.filter(|_| tx.config.email.is_enabled() && !is_off) else {
        return Ok(false);
    };
    if is_familiar(tx, account, address)? {
        return Ok(false);
    }
    // Only a code makes an address familiar. A password alone is reported once, too.
    let since = Engine::lock_window_start(tx.now);
    let reported = tx.event_origins(name, EventKind::NewSignIn, since)?;
    let mut reported = reported.iter().filter_map(|text| Address::parse(text));
    Ok(!reported.any(|earlier| earlier.key() == address.key()))
}

/// Logs the sign-in, which queues the mail.
pub(in crate::engine) fn report_sign_in(
    tx: &mut EngineTransaction<'_>,
    name: &UserName,
    browser: &BrowserContext<'_>,
) -> Result<(), StoreError> {
    let shown = user_agent::recognize(browser.name);
    let shown = shown.as_deref().unwrap_or("an unknown browser");
    let principal = Principal::Browser(name, browser.origin);
    tx.log_event(name, EventKind::NewSignIn, shown, principal)
}

impl Mail<'_> {
    /// Returns the link that ends every session of an account; `None` without a gate or an account.
    pub fn end_sessions_link(
        &mut self,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Option<String>, EngineError> {
        let tx = &mut self.engine.begin_act(Intent::Read, now)?;
        let found: Option<AccountRecord> = tx.find_account(name)?;
        let (Some(url), Some(record)) = (tx.config.gate.url.clone(), found) else {
            return Ok(None);
        };
        let keys = tx.vault.token_keys();
        let token = EndSessionsToken::issue_link(&record, &keys, now)
            .map_err(crate::crypto::vault::VaultError::Random)?;
        let token = token.seal(&keys)?;
        Ok(Some(format!(
            "{}{PAGE}?token={}",
            String::from(url),
            *token
        )))
    }
}

impl Sessions<'_> {
    /// Ends every session, trusted browser and grace period of the account that a link is for, and
    /// its app passwords as configured. `None` if the link is no longer valid. When this returns,
    /// no gate accepts them.
    pub fn end_all_by_link(
        &mut self,
        token: &EndSessionsToken,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<AppPasswordsAfter>, AdministrationError> {
        let name = token.account();
        let mut change = self
            .engine
            .begin_change(Principal::Browser(name, origin), now)?;
        let valid = check_token(token, &mut change.tx)?;
        let Some(record) = valid.and_then(|validity| validity.record) else {
            return Ok(None);
        };
        change.tx.end_sessions_and_browsers(record.id)?;
        change.log_event_with_cause(name, EventKind::SessionRevoked, BY_LINK)?;
        let after = change.apply_on_change(name, record.id)?;
        let revision = change.commit_revision()?;
        self.await_gate_confirmations(revision)?;
        Ok(Some(after))
    }
}

/// Cause in the log of sessions that ended by the link of a mail.
pub const BY_LINK: &str = "link-in-mail";
