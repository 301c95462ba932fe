//! Revoked sessions, token keys and app passwords in memory, refreshed from the store by a thread
//! of its own, and the lease for which they are certain. Notifications of the store have it read at
//! once; an interval is the backstop, and the lease is renewed by reading alone, in PostgreSQL by a
//! commit after it.
//!
//! Every doubt denies: a gate that could not read its store for the length of a lease accepts no
//! session.

use super::app_password_cache::AppPasswordCache;
use super::revision_notifications::RevisionNotifications;
use crate::observe::log;
use arc_swap::{ArcSwap, Guard};
use postern_shared::config::Config;
use postern_shared::crypto::vault::TokenKeys;
use postern_shared::engine::{
    Engine, EngineError, KnownRevisions, LEASE, RevocationUpdate, UpdateResult,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::clock;
use postern_shared::system::random::fill_random;
use postern_shared::token::session::{RevokedSessions, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pause between two reads of the store.
const INTERVAL: Duration = Duration::from_millis(200);
/// Time between two commits that renew the lease, where reading alone does not.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct RevocationCache {
    shared: Arc<CacheState>,
}

struct CacheState {
    revoked: ArcSwap<RevokedSessions>,
    keys: ArcSwap<TokenKeys>,
    app_passwords: Arc<AppPasswordCache>,
    /// End of the lease, in milliseconds since boot.
    lease_end: AtomicU64,
    is_stopping: Arc<AtomicBool>,
}

impl RevocationCache {
    /// Reads the store once, and starts the thread that refreshes the cache.
    pub(crate) fn start(config: &Config) -> Result<(RevocationCache, JoinHandle<()>), EngineError> {
        let mut engine = open_engine(config)?;
        let shared = Arc::new(CacheState {
            revoked: ArcSwap::from_pointee(RevokedSessions::default()),
            keys: ArcSwap::from_pointee(engine.token_keys()),
            app_passwords: Arc::default(),
            lease_end: AtomicU64::new(0),
            is_stopping: Arc::default(),
        });
        let mut refresher = CacheRefresher {
            shared: Arc::clone(&shared),
            config: config.clone(),
            gate: [0; 16],
            revisions: None,
            renewed: Duration::ZERO,
        };
        if fill_random(&mut refresher.gate).is_err() {
            refresher.gate = std::process::id()
                .to_be_bytes()
                .repeat(4)
                .try_into()
                .unwrap_or_default();
        }
        refresher.refresh(&mut engine)?;
        let is_stopping = Arc::clone(&shared.is_stopping);
        let notifications = RevisionNotifications::start(&config.store, is_stopping);
        let thread =
            std::thread::spawn(move || refresher.refresh_until_stopped(engine, &notifications));
        Ok((RevocationCache { shared }, thread))
    }

    /// Returns the keys that sign and seal cookies now.
    pub(crate) fn token_keys(&self) -> Guard<Arc<TokenKeys>> {
        self.shared.keys.load()
    }

    /// App passwords, which are valid only while [`RevocationCache::has_lease`] holds.
    pub(crate) fn app_passwords(&self) -> &Arc<AppPasswordCache> {
        &self.shared.app_passwords
    }

    /// Whether a session was revoked, or that is not certain.
    pub(crate) fn refuses_session(&self, session: &Session) -> bool {
        !self.has_lease() || self.shared.revoked.load().covers(session)
    }

    pub(crate) fn has_lease(&self) -> bool {
        milliseconds(clock::since_boot()) < self.shared.lease_end.load(Ordering::Acquire)
    }

    /// Time since the last successful read of the store.
    pub(crate) fn since_last_read(&self) -> Duration {
        let last_read = Duration::from_millis(self.shared.lease_end.load(Ordering::Acquire))
            .saturating_sub(LEASE);
        clock::since_boot().saturating_sub(last_read)
    }

    /// Ends the lease and the thread: from now on no session is valid.
    pub(crate) fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Release);
    }
}

/// Opens the store. Its writes have the highest class, since without them no session is valid.
fn open_engine(config: &Config) -> Result<Engine, EngineError> {
    let mut engine = Engine::open(config.clone())?;
    engine.set_write_class(AdmissionClass::Authenticated);
    Ok(engine)
}

struct CacheRefresher {
    shared: Arc<CacheState>,
    config: Config,
    gate: [u8; 16],
    revisions: Option<KnownRevisions>,
    /// When the read began that renewed the lease last, since boot.
    renewed: Duration,
}

impl CacheRefresher {
    fn refresh_until_stopped(mut self, engine: Engine, notifications: &RevisionNotifications) {
        let mut engine = Some(engine);
        while !self.shared.is_stopping.load(Ordering::Acquire) {
            notifications.wait(INTERVAL);
            let opened = match engine.take() {
                Some(engine) => Ok(engine),
                None => {
                    // The path may lead to another store now, whose revisions are unrelated.
                    self.revisions = None;
                    open_engine(&self.config)
                }
            };
            match opened.and_then(|mut opened| self.refresh(&mut opened).map(|()| opened)) {
                Ok(opened) => engine = Some(opened),
                Err(error) => log::write_message(format_args!(
                    "the store cannot be read, access is denied: {error}"
                )),
            }
        }
        self.shared.lease_end.store(0, Ordering::Release);
        if let Some(mut engine) = engine {
            if let Err(error) = engine.sessions().remove_gate(&self.gate) {
                log::write_message(error);
            }
        }
    }

    fn refresh(&mut self, engine: &mut Engine) -> Result<(), EngineError> {
        let began = clock::since_boot();
        let now = clock::now().unwrap_or(clock::Timestamp(0));
        let (shared, mut revisions) = (&self.shared, self.revisions);
        // A store that was opened again gives all revoked sessions, not only new ones.
        let is_same_store = revisions.is_some();
        let updated =
            engine
                .sessions()
                .update_revocations(&self.gate, self.revisions, now, |changes| {
                    let RevocationUpdate {
                        revoked,
                        keys,
                        app_passwords,
                    } = changes;
                    let app_password_revision = match (app_passwords.last(), revisions) {
                        (Some(live), _) => live.revision,
                        (None, before) => before.map_or(0, |before| before.app_passwords),
                    };
                    revisions = Some(KnownRevisions {
                        revision: revoked.revision,
                        app_passwords: app_password_revision,
                    });
                    shared.keys.store(Arc::new(keys));
                    let revoked = match is_same_store {
                        true => shared.revoked.load().merge(revoked),
                        false => revoked,
                    };
                    shared.revoked.store(Arc::new(revoked));
                    for live in app_passwords {
                        shared.app_passwords.apply_changes(live);
                    }
                })?;
        self.revisions = revisions;
        if let (UpdateResult::Unchanged, Some(known), true) = (
            updated,
            revisions,
            engine.sessions().needs_commits_for_leases(),
        ) {
            if began < self.renewed.saturating_add(COMMIT_INTERVAL) {
                return Ok(());
            }
            engine.sessions().confirm_unchanged(&self.gate, known)?;
        }
        self.renewed = began;
        self.shared
            .lease_end
            .store(milliseconds(began.saturating_add(LEASE)), Ordering::Release);
        Ok(())
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
