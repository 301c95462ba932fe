//! The command, as an administrator types it.

use crate::clock::on_the_clock;
use crate::processes::outcome;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// A call of `postern`.
pub struct Postern {
    command: Command,
    input: String,
}

/// What it said.
#[derive(Debug)]
pub struct Said {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The exit code; `None` after a signal.
    pub exit: Option<i32>,
}

impl Postern {
    /// `postern` with words separated by blanks.
    pub fn call(words: &str) -> Postern {
        let mut command = on_the_clock(Command::new("/usr/bin/postern"));
        command.args(words.split_whitespace());
        Postern {
            command,
            input: String::new(),
        }
    }

    /// A call that was wrapped into another command.
    pub fn under(command: Command) -> Postern {
        Postern {
            command,
            input: String::new(),
        }
    }

    /// What is piped into it.
    pub fn input(mut self, text: &str) -> Postern {
        self.input.push_str(text);
        self
    }

    /// With a variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Postern {
        self.command.env(name, value);
        self
    }

    /// The call itself, to be run on a terminal or under a tool.
    pub fn command(self) -> Command {
        self.command
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(mut self) -> Said {
        let streams = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = streams.spawn().expect("postern is installed");
        let mut stdin = running.stdin.take().expect("stdin is a pipe");
        // a command that needs no input may have ended already
        let _ = stdin.write_all(self.input.as_bytes());
        drop(stdin);
        let output = outcome(running);
        Said {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            exit: output.status.code(),
        }
    }

    /// Runs it and insists on exit 0.
    #[track_caller]
    pub fn does(self) -> Said {
        self.exits(0)
    }

    /// Runs it and insists on a refusal: exit 1, without a word of a panic.
    #[track_caller]
    pub fn refuses(self) -> Said {
        self.exits(1)
    }

    #[track_caller]
    fn exits(self, expected: i32) -> Said {
        let call = format!("{:?}", self.command);
        let said = self.run();
        assert_eq!(
            said.exit,
            Some(expected),
            "{call}\n{}{}",
            said.out,
            said.err
        );
        assert!(
            !said.all().contains("panicked"),
            "{call}\n{}{}",
            said.out,
            said.err
        );
        said
    }
}

impl Said {
    /// Both streams.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// The output of `--json`.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.all()))
    }
}
