//! The state of the process: configuration, log, open connections, watchdog.

pub mod configuration;
pub mod drain;
pub mod log;
pub(crate) mod user_log;
pub mod watchdog;
