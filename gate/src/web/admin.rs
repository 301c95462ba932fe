//! Administration through the gate: its pages; programs use the API. What is not configured, or is
//! not reachable from the client's address, is answered with 404.

pub(crate) mod accounts;
pub(crate) mod audit_log;
pub(crate) mod pages;
mod templates;
