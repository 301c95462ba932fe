//! The log of posternd, on standard error; every line of the daemon's own is written here.
//!
//! MUST NOT end or block a thread where the log cannot be written: a full disk must not stop the
//! service.

use std::fmt::Display;
use std::io::{self, Write};

pub fn log(words: impl Display) {
    write_line(format_args!("posternd: {words}"));
}

/// Writes a line in one call, so that lines of other threads do not mix with it.
pub fn write_line(line: impl Display) {
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}
