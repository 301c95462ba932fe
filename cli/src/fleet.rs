//! A connection of this host to a server of its fleet, to see whether the server accepts it.

use postern_shared::config::ServerUrl;
use postern_shared::protocol::fleet::connection::FleetConnection;
use postern_shared::protocol::fleet::{HostGreeting, HostStanding};
use postern_shared::protocol::receive;
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;

/// Time limit of a server for the connection, and for each reply.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Returns whether a server accepts this host.
///
/// # Errors
/// Why the server does not answer, as text.
pub(crate) fn ask_standing(
    server: &ServerUrl,
    tls: Arc<ClientConfig>,
) -> Result<HostStanding, String> {
    let connection = FleetConnection::connect(&server.authority(), tls, PATIENCE)
        .map_err(|error| error.to_string())?;
    connection
        .set_timeout(Some(PATIENCE))
        .map_err(|error| error.to_string())?;
    let greeting: HostGreeting = receive(&mut &connection).map_err(|error| error.to_string())?;
    Ok(greeting.standing)
}
