//! Stores the recorded uses of app passwords and sessions once a minute and at the end, and deletes
//! expired rows.
//!
//! A thread and an engine of its own keep a busy store from delaying checks and the revocation
//! cache.

use super::app_password_cache::AppPasswordCache;
use super::session_uses::SessionUses;
use crate::observe::log;
use postern_shared::config::Config;
use postern_shared::engine::{Engine, EngineError};
use postern_shared::system::clock::{self, Timestamp};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pause between two writes.
const INTERVAL: Duration = Duration::from_secs(60);

pub(crate) struct UsageWriter {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl UsageWriter {
    pub(crate) fn start(
        config: &Config,
        passwords: &Arc<AppPasswordCache>,
        sessions: &Option<Arc<SessionUses>>,
    ) -> UsageWriter {
        let (stop, stopped) = mpsc::channel();
        let (config, passwords) = (config.clone(), Arc::clone(passwords));
        let mut sessions = sessions.clone().and_then(SessionUseWriter::new);
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                store_uses(&config, &passwords, &mut sessions);
            }
            store_uses(&config, &passwords, &mut sessions);
        });
        UsageWriter { stop, thread }
    }

    /// Stores the remaining uses, and waits for the thread.
    pub(crate) fn stop(self) {
        drop(self.stop);
        // The thread ends with this, so that its panic has no further effect.
        let _ = self.thread.join();
    }
}

/// The uses of sessions, and the time up to which they are stored.
struct SessionUseWriter {
    uses: Arc<SessionUses>,
    stored: Timestamp,
}

impl SessionUseWriter {
    fn new(uses: Arc<SessionUses>) -> Option<SessionUseWriter> {
        // what the previous generation has not stored yet
        let stored = clock::now().ok()?.minus(2 * INTERVAL.as_secs());
        Some(SessionUseWriter { uses, stored })
    }

    fn store(&mut self, engine: &mut Engine, now: Timestamp) -> Result<(), EngineError> {
        let Some(timeout) = engine.config().gate.idle_timeout else {
            return Ok(());
        };
        // a clock that was set back
        let since = self.stored.min(now);
        self.uses
            .synchronize(engine, timeout.seconds(), since, now)?;
        self.stored = now;
        Ok(())
    }
}

fn store_uses(
    config: &Config,
    passwords: &AppPasswordCache,
    sessions: &mut Option<SessionUseWriter>,
) {
    let (used, wrong) = passwords.take_uses();
    let Ok(now) = clock::now() else {
        return passwords.restore_uses(&used);
    };
    let wrong: Vec<_> = wrong.into_iter().map(|address| (address, now)).collect();
    let written = Engine::open(config.clone()).and_then(|mut engine| {
        engine
            .app_passwords()
            .record_app_password_use(&used, &wrong)?;
        engine.app_passwords().remove_expired_rows(now)?;
        Ok(engine)
    });
    let mut engine = match written {
        Ok(engine) => engine,
        Err(error) => {
            log::write_message(format_args!(
                "the last uses of app passwords and sessions cannot be stored yet: {error}"
            ));
            return passwords.restore_uses(&used);
        }
    };
    let stored = sessions
        .as_mut()
        .map_or(Ok(()), |sessions| sessions.store(&mut engine, now));
    if let Err(error) = stored {
        log::write_message(format_args!(
            "the last uses of sessions cannot be stored yet: {error}"
        ));
    }
}
