//! Administration through the gate: where it is reached, and the pages of people. Programs come by the API. Whatever of it
//! is not configured, or is asked for from elsewhere, is not there: 404.

pub(crate) mod accounts;
pub(crate) mod audit_log;
pub(crate) mod pages;

pub(crate) use accounts::AdminAct;
pub(crate) use pages::AccountDetails;
