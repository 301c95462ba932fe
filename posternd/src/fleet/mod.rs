//! A host of a fleet, which holds no store: each PAM conversation is relayed to a server.
//!
//! MUST NOT decide anything while a server answers. Without one, access is denied, except for what a
//! server has granted beforehand.

mod cut_input;
mod offline;
mod offline_files;
mod offline_sync;
mod relay;
mod servers;
mod wrong_codes;

pub use relay::{RelayedModule, relay, relay_here};
pub use servers::FleetServers;
