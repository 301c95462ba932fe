//! Asking: one line from whoever types, or from a script's pipe.

use crate::output::{Failure, Output};
use std::io::{self, BufRead, IsTerminal, Read};
use zeroize::Zeroizing;

/// The longest line that is read, in bytes.
const LONGEST: u64 = 4096;

/// Reads one line from stdin; the prompt is shown on a terminal only. The end of input is a refusal.
pub(crate) fn ask(output: Output, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() && !output.is_json() {
        output.text(prompt)?;
    }
    let mut line = Zeroizing::new(String::with_capacity(128));
    let read = stdin.lock().take(LONGEST).read_line(&mut line);
    match read {
        Ok(0) => Err(Failure::new("cancelled: the input ended; nothing was changed")),
        Ok(_) => Ok(line),
        Err(error) => Err(Failure::new(format_args!("the input cannot be read: {error}"))),
    }
}
