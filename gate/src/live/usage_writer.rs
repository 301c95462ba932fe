//! Stores the recorded uses of app passwords once a minute and at the end, and deletes expired
//! rows.
//!
//! A thread and an engine of its own keep a busy store from delaying checks and the revocation
//! cache.

use super::app_password_cache::AppPasswordCache;
use crate::observe::log;
use postern_shared::config::Config;
use postern_shared::engine::Engine;
use postern_shared::system::clock;
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
    pub(crate) fn start(config: &Config, passwords: &Arc<AppPasswordCache>) -> UsageWriter {
        let (stop, stopped) = mpsc::channel();
        let (config, passwords) = (config.clone(), Arc::clone(passwords));
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                store_uses(&config, &passwords);
            }
            store_uses(&config, &passwords);
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

fn store_uses(config: &Config, passwords: &AppPasswordCache) {
    let (used, wrong) = passwords.take_uses();
    let Ok(now) = clock::now() else {
        return passwords.restore_uses(&used);
    };
    let wrong: Vec<_> = wrong.into_iter().map(|address| (address, now)).collect();
    let written = Engine::open(config.clone()).and_then(|mut engine| {
        engine
            .app_passwords()
            .record_app_password_use(&used, &wrong)?;
        engine.app_passwords().remove_expired_rows(now)
    });
    if let Err(error) = written {
        log::write_message(format_args!(
            "the last uses of app passwords cannot be stored yet: {error}"
        ));
        passwords.restore_uses(&used);
    }
}
