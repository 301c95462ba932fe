//! What the operating system provides: time, files, processes, threads, names; and admission to what is scarce.

pub mod admission;
pub mod clock;
pub mod name_service;
pub mod process;
pub mod thread_pool;
pub mod trusted_file;
