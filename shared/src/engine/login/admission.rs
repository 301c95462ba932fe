//! The class of a login, looked up before anything expensive, in a read transaction and without a
//! hash.
//! The class decides for which workers the login waits. It never decides whether access is granted.

use super::{BrowserContext, LoginError};
use crate::account::name::UserName;
use crate::engine::Login;
use crate::engine::verify::bucket::{address_failures, address_wait, is_familiar};
use crate::store::{BrowserToken, Intent};
use crate::system::clock::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginClass {
    TrustedBrowser,
    /// An address from which the account logged in during the last 30 days.
    FamiliarAddress,
    Elsewhere,
    /// The address is over its limit: a password from there is not verified.
    AddressDelayed {
        /// Seconds until the address may try again.
        wait: u64,
    },
}

impl Login<'_> {
    /// Returns the class of a login. A name without an account is [`LoginClass::Elsewhere`].
    pub fn classify_login(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        now: Timestamp,
    ) -> Result<LoginClass, LoginError> {
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        let from = browser.origin.address();
        if let Some(record) = tx.find_account(name)? {
            if let Some(value) = browser.cookie {
                let hash = tx.vault.browser_hash(value.as_bytes());
                let found = tx.find_browser_by_token(&hash, now)?;
                if found.is_some_and(|(of, token)| {
                    of.account == record.id && token != BrowserToken::Stolen
                }) {
                    return Ok(LoginClass::TrustedBrowser);
                }
            }
            if let Some(from) = from {
                if is_familiar(&mut tx, record.id, from)? {
                    return Ok(LoginClass::FamiliarAddress);
                }
            }
        }
        let failures = address_failures(&mut tx, from.map(|from| from.key()).as_deref())?;
        // Failures in the future are corrected where the password is charged.
        let are_past = failures.iter().all(|at| *at <= now);
        Ok(
            match address_wait(tx.config, &failures, now).filter(|_| are_past) {
                Some(wait) => LoginClass::AddressDelayed { wait },
                None => LoginClass::Elsewhere,
            },
        )
    }
}
