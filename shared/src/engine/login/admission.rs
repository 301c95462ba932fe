//! Where a sign-in comes from, looked up before anything that costs: a read transaction, and no hash. It decides whose
//! workers the sign-in waits for, and never whether it is let in.

use super::{BrowserContext, LoginError};
use crate::account::name::UserName;
use crate::engine::Engine;
use crate::engine::verify::evaluation::{address_failures, address_wait};
use crate::store::{BrowserToken, Intent};
use crate::system::clock::Timestamp;
use crate::verify::throttle;

/// Where a sign-in comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginClass {
    /// A browser that the account trusts.
    TrustedBrowser,
    /// An address from which the account got in during the last 30 days.
    FamiliarAddress,
    /// Anywhere else.
    Elsewhere,
    /// Anywhere else, and the address has to wait: a password from there is not looked at.
    AddressDelayed {
        /// Seconds.
        wait: u64,
    },
}

impl Engine {
    /// Looks up where a sign-in of an account comes from. A name without an account is from anywhere else.
    pub fn classify_login(
        &mut self,
        browser: &BrowserContext<'_>,
        name: &UserName,
        now: Timestamp,
    ) -> Result<LoginClass, LoginError> {
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let mut transaction = store.begin(vault, Intent::Read)?;
        let tx = transaction.as_mut();
        let from = browser.origin.address().map(|address| address.key());
        if let Some(record) = tx.find_account(name)? {
            if let Some(value) = browser.cookie {
                let found = tx.find_browser_by_token(&vault.browser_hash(value.as_bytes()), now)?;
                if found.is_some_and(|(of, token)| {
                    of.account == record.id && token != BrowserToken::Stolen
                }) {
                    return Ok(LoginClass::TrustedBrowser);
                }
            }
            if let Some(from) = &from {
                let until = now.plus(throttle::CLOCK_SLACK);
                if tx.is_familiar(record.id, from, Engine::lock_window_start(now), until)? {
                    return Ok(LoginClass::FamiliarAddress);
                }
            }
        }
        let failures = address_failures(tx, config, from.as_deref(), now)?;
        // a clock that ran ahead is mended where the password is charged
        let are_past = failures.iter().all(|at| *at <= now);
        Ok(
            match address_wait(config, &failures, now).filter(|_| are_past) {
                Some(wait) => LoginClass::AddressDelayed { wait },
                None => LoginClass::Elsewhere,
            },
        )
    }
}
