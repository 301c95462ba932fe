//! State of the process: configuration in force, log, open connections, watchdog.

pub mod configuration;
pub mod drain;
pub mod log;
pub(crate) mod user_log;
pub mod watchdog;
