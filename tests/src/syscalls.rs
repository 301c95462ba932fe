//! A process killed at a chosen system call, by strace's fault injection.

/// What became of it.
pub struct Killed;
