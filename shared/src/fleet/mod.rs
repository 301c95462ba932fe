//! Connections between a host of a fleet and its servers: TLS 1.3, in which both show certificates of
//! the fleet's authority, and the files of a host.
//!
//! MUST NOT trust any other authority, and MUST NOT send anything before the server is verified.

pub mod break_glass;
pub mod connection;
pub mod files;
pub mod sealed_file;
pub mod tls;
