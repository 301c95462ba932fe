//! Postern's core: what module, posternd, gate and command share. No PAM, no HTTP, no async.
//!
//! # Layout
//!
//! Each folder imports only those above it in this list.
//!
//! - `system`: the clock, trusted files, processes, threads, name service, admission to scarce resources;
//!   addresses, hosts and paths of web requests, local sockets (`network`).
//! - `account`: names, e-mail addresses, audit events, and what the store keeps of an account.
//! - `credential`: what people type or show: TOTP and HOTP codes, recovery codes, app passwords, SSH keys;
//!   otpauth URIs, QR codes, and the files of other systems that hold authenticators.
//! - `crypto`: master key, data keys, sealing, keyed hashes, password hashes.
//! - `config`: postern.toml.
//! - `policy`: who must give a second factor; the gate's rules; groups.
//! - `verify`: the decision about one input, time windows, throttle. Pure functions of values, time included.
//! - `token`: sealed tokens between two requests, and the session cookie.
//! - `store`: what is kept, in transactions; SQLite.
//! - `protocol`: frames and requests over local sockets and between hosts of a fleet (TLS), and the types of
//!   the administration API.
//! - `engine`: the opened store with keys and configuration, and every act on it.
#![forbid(unsafe_code)]

pub mod account;
pub mod config;
pub mod credential;
pub mod crypto;
pub mod engine;
pub mod policy;
pub mod protocol;
pub mod store;
pub mod system;
pub mod token;
pub mod verify;
