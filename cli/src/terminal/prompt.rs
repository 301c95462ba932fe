//! Prompts: one line of input from a terminal or from a pipe.

use super::output::{CommandFailure, CommandResult, Output};
use nix::sys::termios::{self, LocalFlags, SetArg};
use std::io::{self, BufRead, IsTerminal, Read};
use zeroize::Zeroizing;

/// Maximum length of a line, in bytes.
const LONGEST: u64 = 4096;

/// Returns whether a person uses the command at a terminal.
pub(crate) fn is_watched(output: Output) -> bool {
    io::stdin().is_terminal() && !output.is_json()
}

/// Asks like [`ask`], without echo.
pub(crate) fn ask_hidden(output: Output, prompt: &str) -> CommandResult<Zeroizing<String>> {
    let stdin = io::stdin();
    let line = match termios::tcgetattr(&stdin) {
        // there is no terminal
        Err(_) => ask(output, prompt)?,
        Ok(shown) => {
            let mut hidden = shown.clone();
            hidden.local_flags.remove(LocalFlags::ECHO);
            termios::tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden)?;
            let line = ask(output, prompt);
            termios::tcsetattr(&stdin, SetArg::TCSANOW, &shown)?;
            output.text("\n")?;
            line?
        }
    };
    Ok(Zeroizing::new(
        line.trim_end_matches(['\n', '\r']).to_owned(),
    ))
}

/// Reads one line from standard input. The prompt is shown on a terminal only. The end of input is
/// an error.
pub(crate) fn ask(output: Output, prompt: &str) -> CommandResult<Zeroizing<String>> {
    let stdin = io::stdin();
    if is_watched(output) {
        output.text(prompt)?;
    }
    let mut line = Zeroizing::new(String::with_capacity(128));
    let read = stdin.lock().take(LONGEST).read_line(&mut line);
    match read {
        Ok(0) => Err(CommandFailure::new(
            "cancelled: the input ended; nothing was changed",
        )),
        Ok(_) => Ok(line),
        Err(error) => Err(CommandFailure::new(format_args!(
            "the input cannot be read: {error}"
        ))),
    }
}
