//! The configuration of the daemon: the file's, or the last valid one.

use postern_shared::config::file::LastValidConfig;

/// The last valid configuration of this process.
pub static CONFIGURATION: LastValidConfig = LastValidConfig::new();
