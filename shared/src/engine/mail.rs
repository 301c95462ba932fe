//! Mail of the engine: codes and notifications are queued in the store's outbox, and posternd sends
//! them. No act here opens a connection to a mail server.

pub(super) mod code;
pub(super) mod notification;
pub(super) mod sign_in;
pub(super) mod waiting;
