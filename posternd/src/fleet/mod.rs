//! A host of a fleet, which holds no store: each PAM conversation is relayed to a server.
//!
//! MUST NOT decide anything: without a server, access is denied.

mod cut_input;
mod relay;
mod servers;

pub use relay::{relay, relay_here};
pub use servers::FleetServers;
