//! Attacks that once succeeded, repeated against the real servers. Each story is named after the
//! fault, and fails without its fix.

mod cookies;
mod exceptions;
mod fairness;
mod fastcgi;
mod files;
mod log_and_memory;
mod policy;
mod samples;
mod throttle;
mod tokens;
mod traps;
mod trusted_proxies;
