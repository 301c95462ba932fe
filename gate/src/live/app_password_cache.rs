//! App passwords at the gate: all that are live in memory, found by their keyed hash, and what was seen of them.
//! A check touches no disk and no lock; what is to be written down is taken from here once a minute.

use crate::http::authorization::AppPasswordClaim;
use arc_swap::ArcSwap;
use shared::credential::scope::{NamedScopes, WebRequest};
use shared::crypto::vault::{AppPasswordHash, TokenKeys};
use shared::network::address::Address;
use shared::store::LiveAppPasswords;
use shared::system::clock::Timestamp;
use shared::verify::app_password::FoundAppPassword;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Wrong ones that are remembered until they are written down; more are too many to count.
const MOST_WRONG: usize = 10_000;

/// Parts in which they are kept, by their hash: a change copies one part and not a million of them.
const PARTS: usize = 1024;

/// Those that are live.
pub(crate) struct AppPasswordCache {
    parts: Box<[ArcSwap<CachePart>]>,
    seen: Mutex<RecordedUse>,
}

type CachePart = HashMap<AppPasswordHash, Arc<CachedAppPassword>>;

struct CachedAppPassword {
    found: Arc<FoundAppPassword>,
    /// The minute of a use that is not written down yet, in minutes since 1970; 0 if there is none.
    used: AtomicU64,
}

#[derive(Default)]
struct RecordedUse {
    /// Minutes of uses, of app passwords that were replaced meanwhile or could not be written down.
    used: HashMap<i64, u64>,
    /// The same one again is a client that was not told, and no guess.
    wrong: HashSet<(Address, AppPasswordHash)>,
}

/// Why an app password does not let a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheRefusal {
    /// There is none such, or not of that name.
    Wrong,
    /// Its time is over.
    Expired,
    /// It is good elsewhere.
    Scope,
}

impl CacheRefusal {
    /// The cause, as logs name it.
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
            seen: Mutex::default(),
        }
    }
}

/// The part in which one is kept. The hash is keyed: nobody chooses it.
fn part_of(hash: &AppPasswordHash) -> usize {
    usize::from(u16::from_be_bytes([hash.0[0], hash.0[1]])) % PARTS
}

impl AppPasswordCache {
    /// Goes by these from now on: by all that there are, or by what changed.
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
                        found: Arc::new(found),
                        used: AtomicU64::new(0),
                    }),
                );
            }
            self.parts[number].store(Arc::new(part));
            // uses of those that are there no longer
            self.seen().collect(&before);
        }
    }

    /// Whose request it is, if an app password lets it through.
    pub(crate) fn verify_app_password(
        &self,
        claim: &AppPasswordClaim,
        keys: &TokenKeys,
        request: &WebRequest<'_>,
        named: &NamedScopes,
        address: Address,
        now: Timestamp,
    ) -> Result<Arc<FoundAppPassword>, CacheRefusal> {
        let hash = keys.app_password_hash(&claim.password);
        let live = self.parts[part_of(&hash)].load();
        let of_name = |kept: &&Arc<CachedAppPassword>| {
            claim
                .name
                .as_ref()
                .is_none_or(|name| *name == kept.found.account)
        };
        let Some(kept) = live.get(&hash).filter(of_name) else {
            self.wrong(address, hash);
            return Err(CacheRefusal::Wrong);
        };
        if kept.found.expires.is_some_and(|expires| expires <= now) {
            return Err(CacheRefusal::Expired);
        }
        if !kept.found.scope.covers_request(named, request) {
            return Err(CacheRefusal::Scope);
        }
        let minute = now.0 / 60;
        // most uses are in the minute of the last one, and write nothing that other workers read
        if kept.used.load(Ordering::Relaxed) < minute {
            kept.used.store(minute, Ordering::Relaxed);
        }
        Ok(Arc::clone(&kept.found))
    }

    fn wrong(&self, address: Address, hash: AppPasswordHash) {
        let mut seen = self.seen();
        if seen.wrong.len() < MOST_WRONG {
            seen.wrong.insert((address, hash));
        }
    }

    /// What was seen since the last call: which were used in which minute, and addresses that sent wrong ones.
    pub(crate) fn take_uses(&self) -> (Vec<(i64, Timestamp)>, Vec<Address>) {
        let mut seen = self.seen();
        for part in &self.parts {
            seen.collect(&part.load());
        }
        let RecordedUse { used, wrong } = std::mem::take(&mut *seen);
        let used = used
            .into_iter()
            .map(|(number, minute)| (number, Timestamp(minute * 60)));
        (
            used.collect(),
            wrong.into_iter().map(|(address, _)| address).collect(),
        )
    }

    /// Uses that could not be written down.
    pub(crate) fn restore_uses(&self, used: &[(i64, Timestamp)]) {
        let mut seen = self.seen();
        for (number, at) in used {
            seen.used_in(*number, at.0 / 60);
        }
    }

    /// Each change is one number: a panic cannot leave it half done.
    fn seen(&self) -> MutexGuard<'_, RecordedUse> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordedUse {
    fn collect(&mut self, live: &CachePart) {
        for kept in live.values() {
            match kept.used.swap(0, Ordering::Relaxed) {
                0 => {}
                minute => self.used_in(kept.found.number, minute),
            }
        }
    }

    fn used_in(&mut self, number: i64, minute: u64) {
        let last = self.used.entry(number).or_default();
        *last = minute.max(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::credential::app_password::AppPassword;
    use shared::crypto::master_key::MasterKeys;
    use shared::crypto::vault::Vault;

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

        fn knows(&self, all: &[(i64, &AppPassword, Option<u64>)]) {
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

        fn judges(
            &self,
            name: Option<&str>,
            typed: &AppPassword,
            target: &str,
        ) -> Result<i64, CacheRefusal> {
            let password = AppPassword::read(&typed.grouped()).unwrap();
            let claim = AppPasswordClaim {
                name: name.map(|name| name.parse().unwrap()),
                password,
            };
            let request = WebRequest {
                host: "app.example.com",
                target,
                method: "GET",
            };
            let (named, address) = (NamedScopes::new(), Address::parse("192.0.2.7").unwrap());
            let judged = self
                .passwords
                .verify_app_password(&claim, &self.keys, &request, &named, address, NOW);
            judged.map(|found| found.number)
        }
    }

    #[test]
    fn one_is_good_for_its_account_its_time_and_its_scope() {
        let world = World::new();
        let [one, over, unknown] = [(); 3].map(|()| AppPassword::random().unwrap());
        world.knows(&[(1, &one, Some(NOW.0 + 1)), (2, &over, Some(NOW.0))]);
        assert_eq!(world.judges(Some("alice"), &one, "/dav/x"), Ok(1));
        assert_eq!(world.judges(None, &one, "/dav/x"), Ok(1));
        assert_eq!(
            world.judges(Some("bob"), &one, "/dav/x"),
            Err(CacheRefusal::Wrong)
        );
        assert_eq!(
            world.judges(Some("alice"), &unknown, "/dav/x"),
            Err(CacheRefusal::Wrong)
        );
        assert_eq!(
            world.judges(Some("alice"), &over, "/dav/x"),
            Err(CacheRefusal::Expired)
        );
        assert_eq!(
            world.judges(Some("alice"), &one, "/other"),
            Err(CacheRefusal::Scope)
        );
    }

    #[test]
    fn uses_are_told_once_also_those_of_before_a_replacement() {
        let world = World::new();
        let [one, two] = [(); 2].map(|()| AppPassword::random().unwrap());
        world.knows(&[(1, &one, None), (2, &two, None)]);
        world.judges(None, &one, "/dav").unwrap();
        world.judges(None, &two, "/elsewhere").unwrap_err();
        world.knows(&[(2, &two, None)]);
        assert_eq!(world.judges(None, &one, "/dav"), Err(CacheRefusal::Wrong));
        let (used, _) = world.passwords.take_uses();
        assert_eq!(used, [(1, MINUTE)]);
        assert!(world.passwords.take_uses().0.is_empty());
        world.passwords.restore_uses(&used);
        assert_eq!(world.passwords.take_uses().0, used);
    }

    #[test]
    fn the_same_wrong_one_counts_once_for_its_address_and_there_is_a_most() {
        let world = World::new();
        let typed = AppPassword::random().unwrap();
        for _ in 0..3 {
            world.judges(None, &typed, "/dav").unwrap_err();
        }
        assert_eq!(world.passwords.take_uses().1.len(), 1);
        for _ in 0..MOST_WRONG + 5 {
            world
                .judges(None, &AppPassword::random().unwrap(), "/dav")
                .unwrap_err();
        }
        assert_eq!(world.passwords.take_uses().1.len(), MOST_WRONG);
    }
}
