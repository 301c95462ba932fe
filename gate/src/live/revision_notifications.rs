//! Notifications of the store, received by a thread of its own, so that a connection that hangs
//! delays no reader of the store.
//!
//! MUST NOT renew a lease: what is not received here, the next read finds.

use crate::observe::log;
use postern_shared::config::{StoreConfig, StoreUrl};
use postern_shared::store::{RevisionListener, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Time between two looks at whether the thread is to end.
const STOP_INTERVAL: Duration = Duration::from_secs(1);
/// Pause before a lost connection is made again.
const RECONNECT: Duration = Duration::from_secs(1);

pub(crate) struct RevisionNotifications(Receiver<()>);

impl RevisionNotifications {
    /// Starts the thread, which ends soon after `is_stopping`. A store in a file has none.
    pub(crate) fn start(
        settings: &StoreConfig,
        is_stopping: Arc<AtomicBool>,
    ) -> RevisionNotifications {
        // one that waits is enough: the store is read after it
        let (sender, receiver) = sync_channel(1);
        if let StoreUrl::Postgres(_) = settings.url {
            let settings = settings.clone();
            std::thread::spawn(move || receive(&settings, &sender, &is_stopping));
        }
        RevisionNotifications(receiver)
    }

    /// Waits for a notification, for at most `limit`.
    pub(crate) fn wait(&self, limit: Duration) {
        if let Err(RecvTimeoutError::Disconnected) = self.0.recv_timeout(limit) {
            std::thread::sleep(limit);
        }
    }
}

fn receive(settings: &StoreConfig, notified: &SyncSender<()>, is_stopping: &AtomicBool) {
    let mut is_reported = false;
    while !is_stopping.load(Ordering::Acquire) {
        let listened = listen(settings, notified, is_stopping, &mut is_reported);
        if let Err(error) = listened {
            if !is_reported {
                log::write_message(format_args!(
                    "no notifications of revocations arrive, so they are read a little later: {error}"
                ));
            }
            is_reported = true;
            std::thread::sleep(RECONNECT);
        }
    }
}

/// Passes notifications on until the thread is to end.
fn listen(
    settings: &StoreConfig,
    notified: &SyncSender<()>,
    is_stopping: &AtomicBool,
    is_reported: &mut bool,
) -> Result<(), StoreError> {
    let Some(mut listener) = RevisionListener::open(settings)? else {
        return Ok(());
    };
    // what was committed before this is read once now
    let _ = notified.try_send(());
    *is_reported = false;
    while !is_stopping.load(Ordering::Acquire) {
        if listener.wait(STOP_INTERVAL)? {
            let _ = notified.try_send(());
        }
    }
    Ok(())
}
