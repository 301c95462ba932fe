//! The log of posternd, on standard error: every line of the daemon's own goes through here.
//!
//! MUST NOT end or hold up a thread where the log cannot be written: a log that nobody reads, or a full disk, is no reason to
//! serve nobody.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes one line.
pub fn log(words: impl Display) {
    write_line(format_args!("posternd: {words}"));
}

/// Writes one line as it is, in one call: lines of other threads do not come between its parts.
pub fn write_line(line: impl Display) {
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}
