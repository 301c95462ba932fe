//! The connection that hears of new revisions. A notification arrives with the commit that it is of.
//!
//! It is a hint to read the store at once, and nothing else: what it misses, the next read finds, and
//! a lease is never renewed by it. MUST NOT be taken for a sign that the store can be read.

use super::connection::{Messages, OpenedConnection, Server, with_limit};
use crate::store::{StoreError, StoreResult};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_postgres::{AsyncMessage, Client, Error};

/// Name of the notifications. Each store has a database of its own, and so have they.
pub(in crate::store) const CHANNEL: &str = "postern_revision";
/// Time limit of the statement that subscribes.
const SUBSCRIBING: Duration = Duration::from_secs(5);

/// An open connection that waits for notifications.
pub(in crate::store) struct NotificationListener {
    messages: Messages,
    /// Closes the connection when it is dropped.
    _client: Client,
    /// `None` once the listener is dropped.
    runtime: Option<Runtime>,
}

impl NotificationListener {
    pub(in crate::store) fn connect(server: &Server) -> StoreResult<NotificationListener> {
        let OpenedConnection {
            client,
            mut messages,
            runtime,
            ..
        } = server.connect_with_messages()?;
        let listening = with_limit(&runtime, SUBSCRIBING, async {
            let sql = format!("LISTEN {CHANNEL}");
            let mut listen = pin!(client.batch_execute(&sql));
            // the caller that waits for the answer moves the connection on
            poll_fn(|context| {
                loop {
                    if let Poll::Ready(done) = listen.as_mut().poll(context) {
                        return Poll::Ready(done.map_err(StoreError::from));
                    }
                    match messages(context) {
                        Poll::Ready(Some(Ok(_))) => {}
                        Poll::Ready(end) => return Poll::Ready(Err(connection_lost(end))),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await
        });
        let listener = NotificationListener {
            messages,
            _client: client,
            runtime: Some(runtime),
        };
        match listening {
            Some(done) => done.map(|()| listener),
            None => Err(StoreError::Engine("PostgreSQL does not answer".to_owned())),
        }
    }

    /// Waits for a notification, for at most `limit`. Returns whether one arrived.
    ///
    /// # Errors
    /// The connection is lost: no notification arrives on it any more.
    pub(in crate::store) fn wait(&mut self, limit: Duration) -> StoreResult<bool> {
        let runtime = self
            .runtime
            .as_ref()
            .expect("a listener has its runtime until it is dropped");
        let messages = &mut self.messages;
        let heard = poll_fn(|context| {
            loop {
                match messages(context) {
                    Poll::Ready(Some(Ok(AsyncMessage::Notification(_)))) => {
                        return Poll::Ready(Ok(true));
                    }
                    // a notice of the server
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(end) => return Poll::Ready(Err(connection_lost(end))),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        with_limit(runtime, limit, heard).unwrap_or(Ok(false))
    }
}

fn connection_lost(end: Option<Result<AsyncMessage, Error>>) -> StoreError {
    match end {
        Some(Err(error)) => error.into(),
        Some(Ok(_)) | None => {
            StoreError::Engine("PostgreSQL closed the connection that listens".to_owned())
        }
    }
}

impl Drop for NotificationListener {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // a plain drop may not be done where asynchronous code runs
            runtime.shutdown_background();
        }
    }
}
