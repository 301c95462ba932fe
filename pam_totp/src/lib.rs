//! pam_totp.so: the PAM module. Has posternd ask for a code at sshd, sudo and the console, and does what it says.
//!
//! `ffi` is the edge to libpam, which `host` names; `relay` speaks the protocol, over a `connection` with the daemon or with
//! `posternd --stdio`, which `fallback` starts by `helper`.
#![deny(unsafe_code)]

mod connection;
mod fallback;
mod ffi;
mod helper;
mod host;
mod log;
mod relay;
