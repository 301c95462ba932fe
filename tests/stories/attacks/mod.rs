//! Attacks that once succeeded, against the real servers. Each story is named by the fault and fails without its fix.

mod cookies;
mod exceptions;
mod fairness;
mod files;
mod policy;
mod readme;
mod samples;
mod throttle;
mod tokens;
