//! Programs that administer through the gate: what a wrong secret costs. It counts for the address alone, with the wrong
//! answers that it gave elsewhere.

use crate::config::Config;
use crate::engine::verify::evaluation::{address_failures, address_wait};
use crate::engine::{Engine, EngineError};
use crate::network::address::Address;
use crate::store::{Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;

/// What a program showed, compared with the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownSecret {
    /// The secret.
    Right,
    /// Something else.
    Wrong,
}

impl Engine {
    /// Seconds that an address has to wait before anything that it shows is looked at, the secret itself included. What
    /// is wrong is counted, if it was looked at.
    pub fn throttle_api_secret(
        &mut self,
        address: Address,
        shown: ShownSecret,
        now: Timestamp,
    ) -> Result<Option<u64>, EngineError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let wait = waits(&self.config, tx.as_mut(), address, now)?;
        if wait.is_some() || shown == ShownSecret::Right {
            return Ok(wait);
        }
        drop(tx);
        // again, as it stands when this one's turn has come
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let wait = waits(&self.config, tx.as_mut(), address, now)?;
        if wait.is_none() {
            let since = now.minus(self.config.throttle.address_window.seconds());
            let limit = self.config.throttle.address_limit.value();
            tx.add_address_failure(&address.key(), now, since, limit)?;
            tx.commit()?;
        }
        Ok(wait)
    }
}

fn waits(
    config: &Config,
    tx: &mut dyn Transaction,
    address: Address,
    now: Timestamp,
) -> Result<Option<u64>, StoreError> {
    let mut failures = address_failures(tx, config, Some(&address.key()), now)?;
    // Those of a clock that ran ahead must not shut anyone out until it comes there again; no secret is guessed by that.
    failures.retain(|at| *at <= now);
    Ok(address_wait(config, &failures, now))
}
