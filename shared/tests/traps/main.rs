//! The traps that other systems and peers fell into (CAPABILITIES.md numbers them), each a test named by the trap.
//!
//! Two are shown at the real servers, in tests/stories/traps.rs: 8, a pending token in a URL, and 20, a session written
//! at every check. 19, errors answered with PAM_IGNORE, is in posternd/src/conversation/lines.rs; 16, an SSO sign-in that passes
//! without a code, needs the gate's `header` first factor.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod acts;
mod codes;
mod crowds;
#[path = "../home/mod.rs"]
mod home;
mod secrets;
mod tokens;
