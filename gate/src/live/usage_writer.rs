//! Writes down once a minute, and at the end, what checks saw of app passwords, and clears what is too old. In a thread and with a door of its own,
//! so that a busy store holds up neither checks nor the watch.

use super::app_password_cache::AppPasswordCache;
use crate::observe::log;
use shared::config::Config;
use shared::engine::Engine;
use shared::system::clock;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often.
const INTERVAL: Duration = Duration::from_secs(60);

/// The thread that writes.
pub(crate) struct UsageWriter {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl UsageWriter {
    pub(crate) fn start(config: &Config, passwords: &Arc<AppPasswordCache>) -> UsageWriter {
        let (end, ended) = mpsc::channel();
        let (config, passwords) = (config.clone(), Arc::clone(passwords));
        let thread = std::thread::spawn(move || {
            while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                write_down(&config, &passwords);
            }
            write_down(&config, &passwords);
        });
        UsageWriter { end, thread }
    }

    /// Writes down the rest.
    pub(crate) fn end(self) {
        drop(self.end);
        // A panic there has nothing left to spoil.
        let _ = self.thread.join();
    }
}

fn write_down(config: &Config, passwords: &AppPasswordCache) {
    let (used, wrong) = passwords.take_uses();
    let Ok(now) = clock::now() else {
        return passwords.restore_uses(&used);
    };
    let wrong: Vec<_> = wrong.into_iter().map(|address| (address, now)).collect();
    let written = Engine::open(config.clone()).and_then(|mut door| {
        door.record_app_password_use(&used, &wrong)?;
        door.remove_expired_rows(now)
    });
    if let Err(error) = written {
        log::write_message(format_args!(
            "the last uses of app passwords cannot be stored yet: {error}"
        ));
        passwords.restore_uses(&used);
    }
}
