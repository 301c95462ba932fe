//! The watch over what is revoked: a snapshot in memory that checks go by, the keys of cookies and the live app
//! passwords with it, and the lease for which it is sure. A gate that has not been sure of its store for the length of a lease lets nobody in.

use super::app_password_cache::AppPasswordCache;
use crate::observe::log;
use arc_swap::{ArcSwap, Guard};
use shared::config::Config;
use shared::credential::secret::fill_random;
use shared::crypto::vault::TokenKeys;
use shared::engine::{Engine, EngineError, KnownRevisions, LEASE, RevocationUpdate};
use shared::system::admission::Class;
use shared::system::clock;
use shared::token::session::{RevokedSessions, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the gate looks at the store.
const INTERVAL: Duration = Duration::from_millis(200);

/// What checks go by.
pub(crate) struct RevocationCache {
    shared: Arc<CacheState>,
}

struct CacheState {
    revoked: ArcSwap<RevokedSessions>,
    keys: ArcSwap<TokenKeys>,
    app_passwords: Arc<AppPasswordCache>,
    /// Until when the snapshot is sure, in milliseconds since boot.
    sure_until: AtomicU64,
    ended: AtomicBool,
}

impl RevocationCache {
    /// Takes the first snapshot, and goes on looking in a thread of its own.
    pub(crate) fn start(config: &Config) -> Result<(RevocationCache, JoinHandle<()>), EngineError> {
        let mut door = open(config)?;
        let shared = Arc::new(CacheState {
            revoked: ArcSwap::from_pointee(RevokedSessions::default()),
            keys: ArcSwap::from_pointee(door.token_keys()),
            app_passwords: Arc::default(),
            sure_until: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let mut watcher = CacheRefresher {
            shared: Arc::clone(&shared),
            config: config.clone(),
            gate: [0; 16],
            goes_by: None,
        };
        if fill_random(&mut watcher.gate).is_err() {
            watcher.gate = std::process::id()
                .to_be_bytes()
                .repeat(4)
                .try_into()
                .unwrap_or_default();
        }
        watcher.look(&mut door)?;
        let thread = std::thread::spawn(move || watcher.run(door));
        Ok((RevocationCache { shared }, thread))
    }

    /// What signs and seals cookies now.
    pub(crate) fn token_keys(&self) -> Guard<Arc<TokenKeys>> {
        self.shared.keys.load()
    }

    /// The live app passwords: good for as long as [`Watch::is_sure`].
    pub(crate) fn app_passwords(&self) -> &Arc<AppPasswordCache> {
        &self.shared.app_passwords
    }

    /// Whether a session was revoked, or nobody can be sure that it was not.
    pub(crate) fn refuses(&self, session: &Session) -> bool {
        !self.has_lease() || self.shared.revoked.load().covers(session)
    }

    pub(crate) fn has_lease(&self) -> bool {
        milliseconds(clock::since_boot()) < self.shared.sure_until.load(Ordering::Acquire)
    }

    /// How long ago the store was seen last.
    pub(crate) fn since_last_read(&self) -> Duration {
        let seen = Duration::from_millis(self.shared.sure_until.load(Ordering::Acquire))
            .saturating_sub(LEASE);
        clock::since_boot().saturating_sub(seen)
    }

    /// Ends the watch: from now on nobody is let in.
    pub(crate) fn end(&self) {
        self.shared.ended.store(true, Ordering::Release);
    }
}

/// Opens the store. Its writes have the best class: without them no session is valid.
fn open(config: &Config) -> Result<Engine, EngineError> {
    let mut door = Engine::open(config.clone())?;
    door.set_write_class(Class::Authenticated);
    Ok(door)
}

struct CacheRefresher {
    shared: Arc<CacheState>,
    config: Config,
    gate: [u8; 16],
    goes_by: Option<KnownRevisions>,
}

impl CacheRefresher {
    fn run(mut self, door: Engine) {
        let mut door = Some(door);
        while !self.shared.ended.load(Ordering::Acquire) {
            std::thread::sleep(INTERVAL);
            let looked = match door.take() {
                Some(door) => Ok(door),
                None => {
                    // it may be another store, which counts for itself
                    self.goes_by = None;
                    open(&self.config)
                }
            };
            match looked.and_then(|mut opened| self.look(&mut opened).map(|()| opened)) {
                Ok(opened) => door = Some(opened),
                Err(error) => log::write_message(format_args!(
                    "the store cannot be read, access is denied: {error}"
                )),
            }
        }
        self.shared.sure_until.store(0, Ordering::Release);
        if let Some(mut door) = door {
            if let Err(error) = door.remove_gate(&self.gate) {
                log::write_message(error);
            }
        }
    }

    fn look(&mut self, door: &mut Engine) -> Result<(), EngineError> {
        let began = clock::since_boot();
        let now = clock::now().unwrap_or(clock::Timestamp(0));
        let (shared, mut goes_by) = (&self.shared, self.goes_by);
        // another store counts for itself
        let goes_on = goes_by.is_some();
        door.update_revocations(&self.gate, self.goes_by, now, |seen| {
            let RevocationUpdate {
                revoked,
                keys,
                app_passwords,
            } = seen;
            let of_app_passwords = match (app_passwords.last(), goes_by) {
                (Some(live), _) => live.revision,
                (None, before) => before.map_or(0, |before| before.app_passwords),
            };
            goes_by = Some(KnownRevisions {
                revision: revoked.revision,
                app_passwords: of_app_passwords,
            });
            shared.keys.store(Arc::new(keys));
            let revoked = match goes_on {
                true => shared.revoked.load().with(revoked),
                false => revoked,
            };
            shared.revoked.store(Arc::new(revoked));
            for live in app_passwords {
                shared.app_passwords.apply_changes(live);
            }
        })?;
        self.goes_by = goes_by;
        self.shared
            .sure_until
            .store(milliseconds(began.saturating_add(LEASE)), Ordering::Release);
        Ok(())
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
