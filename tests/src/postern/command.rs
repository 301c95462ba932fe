//! The `postern` command, as an administrator types it.

use crate::machine::clock::on_the_clock;
use crate::process::processes::wait_for_output;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// A call of `postern`.
pub struct Postern {
    command: Command,
    input: String,
}

/// The result of a call.
#[derive(Debug)]
pub struct CommandOutput {
    /// Text on standard output.
    pub out: String,
    /// Text on standard error.
    pub err: String,
    /// The exit code; `None` after a signal.
    pub exit: Option<i32>,
}

impl Postern {
    /// Prepares `postern` with arguments separated by blanks.
    pub fn call(words: &str) -> Postern {
        let mut command = on_the_clock(Command::new("/usr/bin/postern"));
        command.args(words.split_whitespace());
        Postern {
            command,
            input: String::new(),
        }
    }

    /// Runs `postern` with arguments separated by blanks, and returns its JSON.
    #[track_caller]
    pub fn json(words: &str) -> Value {
        Postern::call(words).does().json()
    }

    /// Issues a one-time code for an account, and returns it.
    #[track_caller]
    pub fn one_time_code(name: &str) -> String {
        let issued = Postern::json(&format!("one-time-code {name} --json"));
        let code = issued["one_time_code"].as_str();
        code.expect("a one-time code").to_owned()
    }

    /// Prepares a call that is wrapped into another command.
    pub fn under(command: Command) -> Postern {
        Postern {
            command,
            input: String::new(),
        }
    }

    /// Adds text to standard input.
    pub fn input(mut self, text: &str) -> Postern {
        self.input.push_str(text);
        self
    }

    /// Adds a line to standard input.
    pub fn types(self, line: &str) -> Postern {
        self.input(line).input("\n")
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Postern {
        self.command.env(name, value);
        self
    }

    /// Returns the call itself, to be run on a terminal or under a tool.
    pub fn command(self) -> Command {
        self.command
    }

    /// Runs the call to its end.
    #[track_caller]
    pub fn run(mut self) -> CommandOutput {
        let streams = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = streams.spawn().expect("postern is installed");
        let mut stdin = running.stdin.take().expect("stdin is a pipe");
        // A command that needs no input may have ended already.
        let _ = stdin.write_all(self.input.as_bytes());
        drop(stdin);
        let output = wait_for_output(running);
        CommandOutput {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            exit: output.status.code(),
        }
    }

    /// Runs the call, and panics unless it exits with 0.
    #[track_caller]
    pub fn does(self) -> CommandOutput {
        self.exits(0)
    }

    /// Runs the call, and panics unless it exits with 1 and without a panic.
    #[track_caller]
    pub fn refuses(self) -> CommandOutput {
        self.exits(1)
    }

    #[track_caller]
    fn exits(self, expected: i32) -> CommandOutput {
        let call = format!("{:?}", self.command);
        let printed = self.run();
        assert_eq!(
            printed.exit,
            Some(expected),
            "{call}\n{}{}",
            printed.out,
            printed.err
        );
        assert!(
            !printed.all().contains("panicked"),
            "{call}\n{}{}",
            printed.out,
            printed.err
        );
        printed
    }
}

impl CommandOutput {
    /// Returns standard output and standard error.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Parses the output of `--json`.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.all()))
    }
}
