//! Mail: codes and notifications in the outbox of the store, which posternd sends.

pub(super) mod code;
pub(super) mod notification;
pub(super) mod waiting;
