//! Notifications to the service manager (sd_notify(3)): readiness, reload, stop and watchdog.
//! Without a service manager, nothing is sent.

use sd_notify::NotifyState;

pub(crate) fn notify_ready() {
    notify(&[NotifyState::Ready]);
}

/// Notifies of a reload; [`notify_ready`] must follow.
pub(crate) fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

pub(crate) fn notify_stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Notifies the watchdog twice per timeout. MUST be called within the runtime, since its workers
/// are what the watchdog supervises.
pub(crate) fn start_watchdog() {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return;
    };
    tokio::spawn(async move {
        loop {
            notify(&[NotifyState::Watchdog]);
            tokio::time::sleep(patience / 2).await;
        }
    });
}

fn notify(state: &[NotifyState<'_>]) {
    // A service manager that does not listen is no reason to stop serving.
    let _ = sd_notify::notify(state);
}
