//! All unsafe code of the module: the interface to libpam, and the system calls that start the
//! helper and that no crate offers as safe functions.
//!
//! MUST NOT hand out a pointer: other modules get values, or references with a lifetime.
#![allow(unsafe_code)]

pub(crate) mod libpam;
pub(crate) mod system_calls;
