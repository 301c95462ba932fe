//! Signals that the gate handles: SIGTERM and SIGINT stop it, SIGHUP reloads it.

use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalAction {
    Stop,
    Reload,
}

pub(crate) struct SignalReceiver {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl SignalReceiver {
    pub(crate) fn listen() -> Result<SignalReceiver, String> {
        let of =
            |kind| signal(kind).map_err(|error| format!("signals cannot be waited for: {error}"));
        Ok(SignalReceiver {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            hang_up: of(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn receive(&mut self) -> SignalAction {
        tokio::select! {
            _ = self.terminate.recv() => SignalAction::Stop,
            _ = self.interrupt.recv() => SignalAction::Stop,
            _ = self.hang_up.recv() => SignalAction::Reload,
        }
    }
}
