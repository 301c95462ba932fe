//! Throttle of programs that administer through the gate. A wrong API secret counts for the client
//! address alone, together with wrong inputs from that address.

use crate::engine::transaction::EngineTransaction;
use crate::engine::verify::bucket::{address_failures, address_wait};
use crate::engine::{Accounts, EngineError};
use crate::store::{Intent, StoreError};
use crate::system::clock::Timestamp;
use crate::system::network::address::Address;

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
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        let wait = address_delay(&mut tx, address)?;
        if wait.is_some() || shown == ShownSecret::Right {
            return Ok(wait);
        }
        drop(tx);
        // The delay is read again, under the write lock.
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        let wait = address_delay(&mut tx, address)?;
        if wait.is_none() {
            let throttle = &tx.config.throttle;
            let since = now.minus(throttle.address_window.seconds());
            tx.add_address_failure(&address.key(), now, since, throttle.address_limit.value())?;
            tx.commit()?;
        }
        Ok(wait)
    }
}

fn address_delay(
    tx: &mut EngineTransaction<'_>,
    address: Address,
) -> Result<Option<u64>, StoreError> {
    let now = tx.now;
    let mut failures = address_failures(tx, Some(&address.key()))?;
    // Failures recorded by a clock that ran ahead must not delay an address until that time comes
    // again. An API secret is too long to be guessed in the meantime.
    failures.retain(|at| *at <= now);
    Ok(address_wait(tx.config, &failures, now))
}
