//! Notifications to the service manager (sd_notify(3)): readiness, reload, stop and watchdog.
//! Without a service manager, nothing is sent.

use sd_notify::NotifyState;

pub(crate) fn is_ready() {
    tell(&[NotifyState::Ready]);
}

/// Notifies of a reload; [`notify_ready`] must follow.
pub(crate) fn is_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

pub(crate) fn is_stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Notifies the watchdog twice per timeout. MUST be called within the runtime, since its workers
/// are what the watchdog supervises.
pub(crate) fn watch_over_us() {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return;
    };
    tokio::spawn(async move {
        loop {
            tell(&[NotifyState::Watchdog]);
            tokio::time::sleep(patience / 2).await;
        }
    });
}

fn tell(state: &[NotifyState<'_>]) {
    // A service manager that does not listen is no reason to stop serving.
    let _ = sd_notify::notify(state);
}
