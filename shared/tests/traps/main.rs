//! Faults of other systems that Postern must not repeat. Each test has the number and the name of
//! the fault.
//!
//! The real servers show two of them, in `tests/stories/attacks/traps.rs`: 8, a pending token in a URL, and
//! 20, a session written at every check. 19, errors answered with PAM_IGNORE, is in
//! `posternd/src/pam/tests.rs` and `pam_totp/src/hooks.rs`. 16, a single sign-on that passes without
//! a code, is in `first_factors.rs`.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod acts;
mod codes;
mod crowds;
mod secrets;
#[path = "../test_store/mod.rs"]
mod test_store;
mod tokens;
