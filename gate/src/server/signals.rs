//! Signals that the gate handles: SIGTERM and SIGINT stop it, SIGHUP reloads it.

use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    End,
    Reload,
}

pub(crate) struct Orders {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Orders {
    pub(crate) fn listen() -> Result<Orders, String> {
        let of =
            |kind| signal(kind).map_err(|error| format!("signals cannot be waited for: {error}"));
        Ok(Orders {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            hang_up: of(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::End,
            _ = self.interrupt.recv() => Order::End,
            _ = self.hang_up.recv() => Order::Reload,
        }
    }
}
