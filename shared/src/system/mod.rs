//! Services of the operating system: time, files, processes, threads, users and groups; and
//! admission to scarce resources.
//!
//! Knows nothing of accounts, codes or the store.

pub mod admission;
pub mod clock;
pub mod name_service;
pub mod network;
pub mod pam_service;
pub mod process;
pub mod random;
pub mod thread_pool;
pub mod trusted_file;
