//! App passwords in memory, found by their keyed hash, and their recorded uses.
//!
//! A check reads no disk and takes no lock, but for a wrong app password, which is recorded.
//! [`super::usage_writer`] stores the uses once a minute.

use crate::http::authorization::AppPasswordClaim;
use arc_swap::ArcSwap;
use postern_shared::credential::scope::{NamedScopes, WebRequest};
use postern_shared::crypto::vault::{AppPasswordHash, TokenKeys};
use postern_shared::store::LiveAppPasswords;
use postern_shared::system::clock::Timestamp;
use postern_shared::system::network::address::Address;
use postern_shared::verify::app_password::FoundAppPassword;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Limit on wrong app passwords that are recorded between two writes. Above it, more do not matter.
const MAX_WRONG: usize = 10_000;

/// Number of parts, by hash: a change copies one part, and not a million app passwords.
const PARTS: usize = 1024;

pub(crate) struct AppPasswordCache {
    parts: Box<[ArcSwap<CachePart>]>,
    recorded: Mutex<RecordedUse>,
}

type CachePart = HashMap<AppPasswordHash, Arc<CachedAppPassword>>;

struct CachedAppPassword {
    app_password: Arc<FoundAppPassword>,
    /// Minute of the last use that is not stored yet, since 1970; 0 if there is none.
    used: AtomicU64,
}

#[derive(Default)]
struct RecordedUse {
    /// Minutes of uses of app passwords that were replaced since, or whose uses could not be
    /// stored.
    used: HashMap<i64, u64>,
    /// The same wrong one from the same address counts once: it is a client with an old setting,
    /// not a guess.
    wrong: HashSet<(Address, AppPasswordHash)>,
}

/// Why an app password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheRefusal {
    /// No app password has this hash and account.
    Wrong,
    Expired,
    /// Its scope does not cover the request.
    Scope,
}

impl CacheRefusal {
    /// Cause, as logs name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            CacheRefusal::Wrong => "app-password-wrong",
            CacheRefusal::Expired => "app-password-expired",
            CacheRefusal::Scope => "scope",
        }
    }
}

impl Default for AppPasswordCache {
    fn default() -> AppPasswordCache {
        let parts = (0..PARTS).map(|_| ArcSwap::from_pointee(CachePart::default()));
        AppPasswordCache {
            parts: parts.collect(),
            recorded: Mutex::default(),
        }
    }
}

/// Returns the part of a hash. The hash is keyed, so that no client can choose its part.
fn part_of(hash: &AppPasswordHash) -> usize {
    usize::from(u16::from_be_bytes([hash.0[0], hash.0[1]])) % PARTS
}

impl AppPasswordCache {
    /// Replaces all app passwords, or applies what changed.
    pub(crate) fn apply_changes(&self, live: LiveAppPasswords) {
        let mut changes: BTreeMap<usize, (Vec<AppPasswordHash>, Vec<_>)> = BTreeMap::new();
        if live.is_complete {
            changes = (0..PARTS).map(|part| (part, Default::default())).collect();
        }
        for hash in live.removed {
            changes.entry(part_of(&hash)).or_default().0.push(hash);
        }
        for (hash, found) in live.all {
            changes
                .entry(part_of(&hash))
                .or_default()
                .1
                .push((hash, found));
        }
        for (number, (removed, changed)) in changes {
            let before = self.parts[number].load_full();
            let mut part = if live.is_complete {
                CachePart::default()
            } else {
                (*before).clone()
            };
            for hash in removed {
                part.remove(&hash);
            }
            for (hash, found) in changed {
                part.insert(
                    hash,
                    Arc::new(CachedAppPassword {
                        app_password: Arc::new(found),
                        used: AtomicU64::new(0),
                    }),
                );
            }
            self.parts[number].store(Arc::new(part));
            // The uses of app passwords that are removed must not be lost.
            self.lock_recorded().take_from(&before);
        }
    }

    /// Returns the app password, if it is valid for the request.
    pub(crate) fn verify_app_password(
        &self,
        claim: &AppPasswordClaim,
        keys: &TokenKeys,
        request: &WebRequest<'_>,
        scopes: &NamedScopes,
        address: Address,
        now: Timestamp,
    ) -> Result<Arc<FoundAppPassword>, CacheRefusal> {
        let hash = keys.app_password_hash(&claim.password);
        let live = self.parts[part_of(&hash)].load();
        let of_name = |cached: &&Arc<CachedAppPassword>| {
            claim
                .name
                .as_ref()
                .is_none_or(|name| *name == cached.app_password.account)
        };
        let Some(cached) = live.get(&hash).filter(of_name) else {
            self.record_wrong(address, hash);
            return Err(CacheRefusal::Wrong);
        };
        if cached
            .app_password
            .expires
            .is_some_and(|expires| expires <= now)
        {
            return Err(CacheRefusal::Expired);
        }
        if !cached.app_password.scope.covers_request(scopes, request) {
            return Err(CacheRefusal::Scope);
        }
        let minute = now.0 / 60;
        // Most uses fall into the minute of the last one, and write nothing that other threads
        // read.
        if cached.used.load(Ordering::Relaxed) < minute {
            cached.used.store(minute, Ordering::Relaxed);
        }
        Ok(Arc::clone(&cached.app_password))
    }

    fn record_wrong(&self, address: Address, hash: AppPasswordHash) {
        let mut recorded = self.lock_recorded();
        if recorded.wrong.len() < MAX_WRONG {
            recorded.wrong.insert((address, hash));
        }
    }

    /// Takes what was recorded since the last call: minutes of uses, and addresses that sent wrong
    /// ones.
    pub(crate) fn take_uses(&self) -> (Vec<(i64, Timestamp)>, Vec<Address>) {
        let mut recorded = self.lock_recorded();
        for part in &self.parts {
            recorded.take_from(&part.load());
        }
        let RecordedUse { used, wrong } = std::mem::take(&mut *recorded);
        let used = used
            .into_iter()
            .map(|(number, minute)| (number, Timestamp(minute * 60)));
        (
            used.collect(),
            wrong.into_iter().map(|(address, _)| address).collect(),
        )
    }

    /// Puts uses back that could not be stored.
    pub(crate) fn restore_uses(&self, used: &[(i64, Timestamp)]) {
        let mut recorded = self.lock_recorded();
        for (number, at) in used {
            recorded.record_minute(*number, at.0 / 60);
        }
    }

    /// Each change is one number: a panic cannot leave it inconsistent.
    fn lock_recorded(&self) -> MutexGuard<'_, RecordedUse> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordedUse {
    fn take_from(&mut self, part: &CachePart) {
        for cached in part.values() {
            match cached.used.swap(0, Ordering::Relaxed) {
                0 => {}
                minute => self.record_minute(cached.app_password.number, minute),
            }
        }
    }

    fn record_minute(&mut self, number: i64, minute: u64) {
        let last = self.used.entry(number).or_default();
        *last = minute.max(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_shared::credential::app_password::AppPassword;
    use postern_shared::crypto::master_key::MasterKeys;
    use postern_shared::crypto::vault::Vault;

    const NOW: Timestamp = Timestamp(1_800_000_015);
    const MINUTE: Timestamp = Timestamp(1_800_000_000);

    struct World {
        keys: TokenKeys,
        passwords: AppPasswordCache,
    }

    impl World {
        fn new() -> World {
            let (masters, _) = MasterKeys::generate().unwrap();
            let keys = Vault::open(&masters, &Vault::create(&masters).unwrap())
                .unwrap()
                .token_keys();
            World {
                keys,
                passwords: AppPasswordCache::default(),
            }
        }

        fn load(&self, all: &[(i64, &AppPassword, Option<u64>)]) {
            let one = |(number, password, expires): &(i64, &AppPassword, Option<u64>)| {
                let found = FoundAppPassword {
                    number: *number,
                    account: "alice".parse().unwrap(),
                    groups: Vec::new(),
                    email: None,
                    scope: "web:app.example.com/dav".parse().unwrap(),
                    expires: expires.map(Timestamp),
                };
                (self.keys.app_password_hash(password), found)
            };
            let all = all.iter().map(one).collect();
            self.passwords.apply_changes(LiveAppPasswords {
                revision: 1,
                is_complete: true,
                all,
                removed: Vec::new(),
            });
        }

        fn verify(
            &self,
            name: Option<&str>,
            typed: &AppPassword,
            target: &str,
        ) -> Result<i64, CacheRefusal> {
            let password = AppPassword::parse(&typed.grouped()).unwrap();
            let claim = AppPasswordClaim {
                name: name.map(|name| name.parse().unwrap()),
                password,
            };
            let request = WebRequest {
                host: "app.example.com",
                target,
                method: "GET",
            };
            let (scopes, address) = (NamedScopes::new(), Address::parse("192.0.2.7").unwrap());
            let verified = self
                .passwords
                .verify_app_password(&claim, &self.keys, &request, &scopes, address, NOW);
            verified.map(|found| found.number)
        }
    }

    #[test]
    fn an_app_password_is_valid_for_its_account_its_time_and_its_scope() {
        let world = World::new();
        let [one, over, unknown] = [(); 3].map(|()| AppPassword::random().unwrap());
        world.load(&[(1, &one, Some(NOW.0 + 1)), (2, &over, Some(NOW.0))]);
        for (name, typed, target, expected) in [
            (Some("alice"), &one, "/dav/x", Ok(1)),
            (None, &one, "/dav/x", Ok(1)),
            (Some("bob"), &one, "/dav/x", Err(CacheRefusal::Wrong)),
            (Some("alice"), &unknown, "/dav/x", Err(CacheRefusal::Wrong)),
            (Some("alice"), &over, "/dav/x", Err(CacheRefusal::Expired)),
            (Some("alice"), &one, "/other", Err(CacheRefusal::Scope)),
        ] {
            assert_eq!(
                world.verify(name, typed, target),
                expected,
                "{name:?} {target}"
            );
        }
    }

    #[test]
    fn uses_are_reported_once_also_those_before_a_replacement() {
        let world = World::new();
        let [one, two] = [(); 2].map(|()| AppPassword::random().unwrap());
        world.load(&[(1, &one, None), (2, &two, None)]);
        world.verify(None, &one, "/dav").unwrap();
        world.verify(None, &two, "/elsewhere").unwrap_err();
        world.load(&[(2, &two, None)]);
        assert_eq!(world.verify(None, &one, "/dav"), Err(CacheRefusal::Wrong));
        let (used, _) = world.passwords.take_uses();
        assert_eq!(used, [(1, MINUTE)]);
        assert!(world.passwords.take_uses().0.is_empty());
        world.passwords.restore_uses(&used);
        assert_eq!(world.passwords.take_uses().0, used);
    }

    #[test]
    fn the_same_wrong_password_counts_once_per_address_and_their_number_is_limited() {
        let world = World::new();
        let typed = AppPassword::random().unwrap();
        for _ in 0..3 {
            world.verify(None, &typed, "/dav").unwrap_err();
        }
        assert_eq!(world.passwords.take_uses().1.len(), 1);
        for _ in 0..MAX_WRONG + 5 {
            world
                .verify(None, &AppPassword::random().unwrap(), "/dav")
                .unwrap_err();
        }
        assert_eq!(world.passwords.take_uses().1.len(), MAX_WRONG);
    }
}
