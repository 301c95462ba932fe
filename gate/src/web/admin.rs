//! Administration through the gate: where it is reachable, and its pages; programs use the API.
//! What is not configured, or is not reachable from the client's address, is answered with 404.

pub(crate) mod accounts;
pub(crate) mod audit_log;
pub(crate) mod pages;

pub(crate) use accounts::AdminAct;
pub(crate) use pages::AccountDetails;
