//! Mail about a sign-in from an address that the account has not used, at a PAM service or in a
//! browser that it does not trust: it says from where, and has a link that ends every session.
//!
//! A thief of the mail can do no more than that: the link signs out and grants nothing.

use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::config::email::SignInNotifications;
use crate::engine::login::token_validity::check_account_token;
use crate::engine::transaction::EngineTransaction;
use crate::engine::verify::bucket::is_familiar;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{
    AdministrationError, AfterLogin, AppPasswordsAfter, BrowserContext, Engine, EngineError, Mail,
    Principal, Sessions,
};
use crate::store::{Intent, LoginTokenState, StoreError};
use crate::system::clock::Timestamp;
use crate::system::network::address::Address;
use crate::system::network::user_agent;
use crate::token::EndSessionsToken;
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;

/// Page of the gate that a link leads to.
const PAGE: &str = "end-sessions";

/// Returns whether the owner is to be notified of a sign-in from this origin, whose address the
/// account has not used in the last 30 days. MUST be called before the sign-in makes it familiar.
pub(in crate::engine) fn is_new_address(
    tx: &mut EngineTransaction<'_>,
    record: &AccountRecord,
    origin: &Origin,
) -> Result<bool, StoreError> {
    let is_off = tx.config.email.sign_in_notifications == SignInNotifications::Off;
    let address = origin.address();
    let Some(address) = address.filter(|_| tx.config.email.is_enabled() && !is_off) else {
        return Ok(false);
    };
    let (name, account) = (&record.name, record.id);
    // what a host of a fleet states reaches no mailbox
    if origin.host().is_some() || is_familiar(tx, account, address)? {
        return Ok(false);
    }
    // Only a code makes an address familiar. A password alone is reported once, too.
    // After the owner's "it was not me", a return from the same address is reported again.
    let ended = tx.last_event(name, EventKind::SessionRevoked, BY_LINK)?;
    let after_link = ended.map_or(Timestamp(0), |ended| ended.plus(1));
    let since = Engine::lock_window_start(tx.now).max(after_link);
    let reported = tx.event_origins(name, EventKind::NewSignIn, since)?;
    let mut reported = reported.iter().filter_map(|text| Address::parse(text));
    Ok(!reported.any(|earlier| earlier.key() == address.key()))
}

/// Logs a login at a PAM service from a new address, which queues the mail.
pub(in crate::engine) fn report_login(
    evaluation: &mut Evaluation<'_>,
    after_login: &AfterLogin,
    method: AuthenticationMethod,
) -> Result<(), StoreError> {
    match after_login.from_new_address {
        true => evaluation.log_event(EventKind::NewSignIn, method.name()),
        false => Ok(()),
    }
}

/// Logs a sign-in at the web from a new address, which queues the mail.
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

/// Returns the account of a link that was not used, nor was any that was issued later.
fn find_unused_link(
    token: &EndSessionsToken,
    tx: &mut EngineTransaction<'_>,
) -> Result<Option<AccountRecord>, StoreError> {
    let Some(record) = check_account_token(token, tx)? else {
        return Ok(None);
    };
    let is_used = tx.login_token_state(token.id())?.used;
    let ended = tx.last_event(&record.name, EventKind::SessionRevoked, BY_LINK)?;
    let is_older = ended.is_some_and(|ended| token.issued() <= ended);
    Ok(Some(record).filter(|_| !is_used && !is_older))
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
    /// its app passwords as configured; no address is familiar any more. `None` if the link is no
    /// longer valid. When this returns, no gate accepts them.
    pub fn end_all_by_link(
        &mut self,
        token: &EndSessionsToken,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<AppPasswordsAfter>, AdministrationError> {
        let name = token.account();
        // without the one writer's turn, so that an old link delays no one
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        if find_unused_link(token, &mut tx)?.is_none() {
            return Ok(None);
        }
        drop(tx);
        let mut change = self
            .engine
            .begin_change(Principal::Browser(name, origin), now)?;
        let Some(record) = find_unused_link(token, &mut change.tx)? else {
            return Ok(None);
        };
        let used = LoginTokenState {
            used: true,
            ..LoginTokenState::default()
        };
        change
            .tx
            .set_login_token_state(record.id, token, used, now)?;
        change.tx.end_sessions_and_browsers(record.id)?;
        // the user who was signed in made the own address familiar
        change.tx.forget_familiar_addresses(record.id)?;
        change.log_event_with_cause(name, EventKind::SessionRevoked, BY_LINK)?;
        let after = change.apply_on_change(name, record.id)?;
        let revision = change.commit_revision()?;
        self.await_gate_confirmations(revision)?;
        Ok(Some(after))
    }
}

/// Cause in the log of sessions that ended by the link of a mail.
pub const BY_LINK: &str = "link-in-mail";
