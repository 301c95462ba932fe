//! The signals that the gate goes by.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// SIGTERM, SIGINT: to end.
    End,
    /// SIGHUP: to go by the files as they are now.
    Reload,
}

/// Where orders come in.
pub(crate) struct Orders {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Orders {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Orders, String> {
        let of =
            |kind| signal(kind).map_err(|error| format!("signals cannot be waited for: {error}"));
        Ok(Orders {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            hang_up: of(SignalKind::hangup())?,
        })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::End,
            _ = self.interrupt.recv() => Order::End,
            _ = self.hang_up.recv() => Order::Reload,
        }
    }
}
