//! Locks of the store: waiting for SQLite's, the queue of the writers of this process before them,
//! and who holds one. No lock is held that a user can stop.

pub(super) mod busy_handler;
pub(super) mod lock_holder;
mod stop_signals;
mod write_queue;

pub(in crate::store) use stop_signals::StopsBlocked;
pub(super) use write_queue::{WritePermit, WriteQueue};
