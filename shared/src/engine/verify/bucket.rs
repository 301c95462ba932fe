//! Which bucket counts a request's wrong inputs, and what its address has failed before.
//! Reads only; what is written is in `charge`.

use super::attempt::VerificationRequest;
use crate::account::record::AccountId;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::transaction::EngineTransaction;
use crate::store::{BucketKey, BucketOwner, StoreError};
use crate::system::clock::Timestamp;
use crate::system::network::address::Address;
use crate::verify::origin::Origin;
use crate::verify::throttle;
use crate::verify::throttle_scope::ThrottleScope;

/// Maximum number of SSH keys per account with a bucket each. Only keys with wrong codes count; all
/// further keys share one bucket.
const MAX_KEY_BUCKETS: u32 = 8;

/// Name of the one bucket for all terminals of a host of a fleet.
const ANY_TERMINAL: &str = "any";

/// Returns the scope in whose bucket this request's wrong inputs are counted.
pub(super) fn throttle_scope(
    tx: &mut EngineTransaction<'_>,
    account: AccountId,
    owner: BucketOwner,
    request: &VerificationRequest<'_>,
) -> Result<ThrottleScope, StoreError> {
    let since = Engine::lock_window_start(tx.now);
    Ok(match (request.browser, request.origin) {
        (Some(number), _) => ThrottleScope::TrustedBrowser(number),
        (None, Origin::Key { key, address }) => {
            let own = BucketKey {
                owner,
                phase: request.phase,
                scope: ThrottleScope::VerifiedKey(key.clone()),
            };
            let others = tx.count_other_failed_keys(&own, MAX_KEY_BUCKETS, since)?;
            match (others < MAX_KEY_BUCKETS, address) {
                (true, _) => own.scope,
                (false, Some(address)) if is_familiar(tx, account, *address)? => {
                    ThrottleScope::FamiliarAddress(*address)
                }
                (false, _) => ThrottleScope::FurtherKeys,
            }
        }
        (None, Origin::Local(name)) if name.starts_with('#') => ThrottleScope::NamelessUsers,
        (None, Origin::Local(name)) => ThrottleScope::LocalUser(name.clone()),
        (None, Origin::Terminal(name)) => ThrottleScope::Terminal(name.clone()),
        (None, Origin::Remote(address)) if is_familiar(tx, account, *address)? => {
            ThrottleScope::FamiliarAddress(*address)
        }
        (None, Origin::Claimed(address)) if is_familiar(tx, account, *address)? => {
            ThrottleScope::ClaimedFamiliarAddress(*address)
        }
        (None, Origin::OnHost(host, stated)) => {
            let scope = scope_on_host(tx, account, request, stated)?;
            ThrottleScope::OnHost(host.number, Box::new(scope))
        }
        _ => ThrottleScope::Anywhere,
    })
}

/// Returns the scope on a host of a fleet. The host states users, terminals and keys without proof,
/// so that each kind has one bucket: invented ones MUST NOT give a host more tries. The account's own
/// user is apart from the others of the host.
fn scope_on_host(
    tx: &mut EngineTransaction<'_>,
    account: AccountId,
    request: &VerificationRequest<'_>,
    stated: &Origin,
) -> Result<ThrottleScope, StoreError> {
    let (since, until) = (
        Engine::lock_window_start(tx.now),
        tx.now.plus(throttle::CLOCK_SLACK),
    );
    let familiar = match request.origin.familiar_key() {
        Some(key) if tx.is_familiar(account, &key, since, until)? => stated.address(),
        _ => None,
    };
    Ok(match (stated, familiar) {
        (Origin::Key { .. }, _) => ThrottleScope::FurtherKeys,
        (Origin::Local(name), _) if name == request.name.as_str() => {
            ThrottleScope::LocalUser(name.clone())
        }
        (Origin::Local(_), _) => ThrottleScope::NamelessUsers,
        (Origin::Terminal(_), _) => ThrottleScope::Terminal(ANY_TERMINAL.to_owned()),
        (Origin::Remote(_), Some(address)) => ThrottleScope::FamiliarAddress(address),
        (Origin::Claimed(_), Some(address)) => ThrottleScope::ClaimedFamiliarAddress(address),
        _ => ThrottleScope::Anywhere,
    })
}

/// Returns whether the account logged in from this address during the last 30 days.
pub(in crate::engine) fn is_familiar(
    tx: &mut EngineTransaction<'_>,
    account: AccountId,
    address: Address,
) -> Result<bool, StoreError> {
    let (since, until) = (
        Engine::lock_window_start(tx.now),
        tx.now.plus(throttle::CLOCK_SLACK),
    );
    tx.is_familiar(account, &address.key(), since, until)
}

/// Returns when an address failed within its window, newest first.
pub(in crate::engine) fn address_failures(
    tx: &mut EngineTransaction<'_>,
    address_key: Option<&str>,
) -> Result<Vec<Timestamp>, StoreError> {
    let since = tx
        .now
        .minus(tx.config.throttle.address_window.seconds() - 1);
    match address_key {
        Some(address_key) => tx.address_failures(address_key, since),
        None => Ok(Vec::new()),
    }
}

/// Returns the seconds until the address may try again, which is when the failure that reaches the
/// limit leaves the window.
pub(in crate::engine) fn address_wait(
    config: &Config,
    newest_first: &[Timestamp],
    now: Timestamp,
) -> Option<u64> {
    let limit = config.throttle.address_limit.value() as usize;
    let filling = newest_first.get(limit - 1)?;
    let window = config.throttle.address_window.seconds();
    Some(window.saturating_sub(now.since(*filling)).max(1))
}

/// Wrong inputs of one host of a fleet over all accounts within [`HOST_WINDOW`], before the first
/// factor and after it, after which the host waits: an attacker with its key MUST NOT be able to try a few
/// codes of each of many accounts.
pub(super) const HOST_LIMIT: u32 = 100;
/// The time for which they count, in seconds.
pub(super) const HOST_WINDOW: u64 = 3600;

/// Returns the bucket in which the wrong inputs of a host are counted. Guesses before the first factor
/// do not use up what is left after it.
pub(super) fn host_bucket(request: &VerificationRequest<'_>) -> Option<BucketKey> {
    Some(BucketKey {
        owner: BucketOwner::FleetHost(request.origin.host()?.number),
        phase: request.phase,
        scope: ThrottleScope::Anywhere,
    })
}

/// Returns the seconds until the host may try again, which is when the failure that reaches the limit
/// leaves the window.
pub(super) fn host_wait(
    tx: &mut EngineTransaction<'_>,
    bucket: &BucketKey,
) -> Result<Option<u64>, StoreError> {
    let now = tx.now;
    let failures = tx.bucket_failures(bucket, now.minus(HOST_WINDOW - 1))?;
    let mut times: Vec<_> = failures.iter().map(|failure| failure.at.min(now)).collect();
    times.sort_unstable();
    let filling = times.iter().rev().nth(HOST_LIMIT as usize - 1);
    Ok(filling.map(|at| HOST_WINDOW.saturating_sub(now.since(*at)).max(1)))
}
