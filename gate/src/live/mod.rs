//! What requests consult or wait for: the revocation cache, app passwords in memory, the workers of the store.

pub(crate) mod app_password_cache;
pub(crate) mod host_password;
pub(crate) mod outbox;
pub(crate) mod revocation_cache;
pub(crate) mod store_pool;
pub(crate) mod usage_writer;
