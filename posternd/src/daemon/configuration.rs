//! Configuration of the daemon, as it was last valid.

use shared::config::file::LastValidConfig;

/// The configuration that this process goes by.
pub static CONFIGURATION: LastValidConfig = LastValidConfig::new();
