//! What requests consult in memory or wait for: the revocation cache, app passwords, the store
//! pool, the password helper, and mail that posternd sends.

pub(crate) mod app_password_cache;
pub(crate) mod host_password;
pub(crate) mod outbox;
pub(crate) mod revision_notifications;
pub(crate) mod revocation_cache;
pub(crate) mod session_uses;
pub(crate) mod store_pool;
pub(crate) mod usage_writer;
