//! pam_totp.so, the PAM module: relays PAM conversations of sshd, sudo and the console to posternd,
//! which decides.
//!
//! `hooks` has the entry points. `ffi` calls libpam, behind the trait in `host`, and the kernel.
//! `relay` speaks the protocol over a `connection` with the daemon, or with `posternd --stdio`,
//! which `fallback` starts through `helper`.
//!
//! MUST NOT decide anything itself but to deny access.
#![deny(unsafe_code)]

mod connection;
mod fallback;
mod ffi;
mod helper;
mod hooks;
mod host;
mod log;
mod relay;
