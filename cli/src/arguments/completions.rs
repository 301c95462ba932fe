//! Shell completions, generated from the declaration of the command line. `packaging/install`
//! writes them to the folder of each shell.

use crate::arguments::Arguments;
use clap::{CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// The argument before the shell's name. It is not declared to clap, so no shell completes it.
const OPTION: &str = "--generate-completions";

/// Writes the completions of a shell to standard output if the arguments request them. Returns
/// `None` if they do not.
pub(crate) fn run_if_asked(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let arguments: Vec<OsString> = arguments.skip(1).collect();
    let [option, shell] = arguments.as_slice() else {
        return None;
    };
    let shell = Shell::from_str(shell.to_str().filter(|_| option == OPTION)?, false).ok()?;
    Some(match io::stdout().write_all(&of(shell)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

fn of(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    generate(shell, &mut Arguments::command(), "postern", &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_completes_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = String::from_utf8(of(shell)).unwrap();
            for command in Arguments::command().get_subcommands() {
                assert!(text.contains(command.get_name()), "{shell}: {command}");
            }
            assert!(!text.contains(OPTION), "{shell}");
        }
    }

    #[test]
    fn other_arguments_are_left_to_the_declaration() {
        for words in [
            &["postern"][..],
            &["postern", OPTION],
            &["postern", OPTION, "csh"],
            &["postern", "status", "alice"],
            &["postern", "--json", OPTION, "bash"],
        ] {
            let words = words.iter().map(OsString::from);
            assert!(run_if_asked(words).is_none());
        }
    }
}
