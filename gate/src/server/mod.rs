//! The server: listeners, connections, routes, reload, and monitoring.
//!
//! A request passes `serve` (limits), `routes` (check, health or page), then `check` or
//! `own_routes`.

pub(crate) mod access_log;
pub(crate) mod connections;
mod fastcgi;
mod lingering_stream;
pub(crate) mod listener;
pub(crate) mod monitoring;
pub(crate) mod own_routes;
pub(crate) mod reload;
pub(crate) mod routes;
pub(crate) mod serve;
pub(crate) mod service_manager;
pub(crate) mod signals;
pub(crate) mod sockets;
