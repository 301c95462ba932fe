//! Attacks that once succeeded, by subject. Each test has the name of the fault and fails without
//! its fix.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../test_store/mod.rs"]
mod test_store;

mod clock_ahead;
mod configuration;
mod names;
mod policy;
mod store;
mod store_load;
mod throttle;
mod tokens;
