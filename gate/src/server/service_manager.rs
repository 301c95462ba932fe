//! What the service manager is told (sd_notify(3)): that the gate serves, goes by other files, ends; and while it lives,
//! that it does. Without a manager that wants to know, nothing.

use sd_notify::NotifyState;

/// It serves, by the files as they are.
pub(crate) fn is_ready() {
    tell(&[NotifyState::Ready]);
}

/// It reads them anew; [`is_ready`] follows.
pub(crate) fn is_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// It ends.
pub(crate) fn is_stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the gate lives, twice in the time after which the manager would take it for hung. MUST be called within the
/// runtime, whose workers it is about.
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
    // a manager that does not listen is no reason to serve nobody
    let _ = sd_notify::notify(state);
}
