//! Configuration of the daemon, as it was last valid.

use shared::config::file::LastInForce;

/// The configuration that this process goes by.
pub static CONFIGURATION: LastInForce = LastInForce::new();
