//! Throttle of programs that administer through the gate. A wrong API secret counts for the client
//! address alone, together with wrong inputs from that address.

use crate::config::Config;
use crate::engine::Accounts;
use crate::engine::EngineError;
use crate::engine::verify::evaluation::{address_failures, address_wait};
use crate::network::address::Address;
use crate::store::{Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;

/// Result of comparing what a program sent with the API secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownSecret {
    Right,
    Wrong,
}

impl Accounts<'_> {
    /// Returns the seconds that an address must wait before a secret from it is accepted, be it the
    /// right one. Counts a wrong secret, unless the address has to wait.
    pub fn throttle_api_secret(
        &mut self,
        address: Address,
        shown: ShownSecret,
        now: Timestamp,
    ) -> Result<Option<u64>, EngineError> {
        let (mut tx, config, _) = self.engine.begin_with_keys(Intent::Read)?;
        let wait = address_delay(config, &mut tx, address, now)?;
        if wait.is_some() || shown == ShownSecret::Right {
            return Ok(wait);
        }
        drop(tx);
        // The delay is read again, under the write lock.
        let (mut tx, config, _) = self.engine.begin_with_keys(Intent::Write)?;
        let wait = address_delay(config, &mut tx, address, now)?;
        if wait.is_none() {
            let since = now.minus(config.throttle.address_window.seconds());
            let limit = config.throttle.address_limit.value();
            tx.add_address_failure(&address.key(), now, since, limit)?;
            tx.commit()?;
        }
        Ok(wait)
    }
}

fn address_delay(
    config: &Config,
    tx: &mut Transaction<'_>,
    address: Address,
    now: Timestamp,
) -> Result<Option<u64>, StoreError> {
    let mut failures = address_failures(tx, config, Some(&address.key()), now)?;
    // Failures recorded by a clock that ran ahead must not delay an address until that time comes
    // again. An API secret is too long to be guessed in the meantime.
    failures.retain(|at| *at <= now);
    Ok(address_wait(config, &failures, now))
}
