//! A FIDO security key in software: a provider library for OpenSSH (sk-api.h, version 10), whose
//! keys and signatures are real. ssh and ssh-keygen load it through ssh-sk-helper.
//!
//! It protects nothing: the key handle, which OpenSSH keeps in the file of the key, is the private
//! key itself. MUST NOT be installed anywhere.

mod authenticator;
pub mod ffi;

pub use authenticator::{PIN, TOUCH};
