//! What is printed: text for people, JSON for scripts, and why something was refused.

use serde::Serialize;
use serde_json::json;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::process::ExitCode;

/// Why a command ends with exit status 1, or 2 for a wrong command line.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Said already, in the command's own form.
    Said,
    /// To be said.
    Message(String),
    /// The command line was wrong.
    Usage(&'static str),
}

impl Failure {
    pub(crate) fn new(message: impl Display) -> Failure {
        Failure::Message(message.to_string())
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::new(error)
    }
}

/// Where a command prints to, and how.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        Output { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints one JSON value on a line.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Failure> {
        let line = serde_json::to_string(value)?;
        self.text(format_args!("{line}\n"))
    }

    /// Prints text as it is, at once.
    pub(crate) fn text(self, text: impl Display) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        write!(stdout, "{text}")?;
        Ok(stdout.flush()?)
    }

    /// Says that an act is done.
    pub(crate) fn done(self, message: impl Display) -> Result<(), Failure> {
        match self.json {
            true => self.json(&json!({"success": true, "message": message.to_string()})),
            false => self.text(format_args!("{message}\n")),
        }
    }

    /// Says what did not go well, on stderr, and goes on.
    pub(crate) fn warn(self, message: impl Display) -> io::Result<()> {
        writeln!(io::stderr(), "postern: {message}")
    }

    /// Says on stderr what was done besides what is printed.
    pub(crate) fn note(self, message: impl Display) -> io::Result<()> {
        writeln!(io::stderr(), "postern: {message}")
    }

    /// Says the failure; gives the exit status.
    pub(crate) fn fail(self, failure: &Failure) -> ExitCode {
        let (message, status) = match failure {
            Failure::Said => return ExitCode::from(1),
            Failure::Message(message) => (message.as_str(), 1),
            Failure::Usage(message) => (*message, 2),
        };
        if self.json {
            // Nobody is left to tell if this fails too.
            let _ = self.json(&json!({"success": false, "message": message}));
        }
        let _ = self.warn(message);
        ExitCode::from(status)
    }
}

/// A table for people: columns as wide as their widest cell.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    widths: [usize; N],
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(head: [&str; N]) -> Table<N> {
        let mut table = Table { rows: Vec::new(), widths: [0; N] };
        table.row(head.map(str::to_owned));
        table
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        let wider = |column: usize| self.widths[column].max(cells[column].chars().count());
        self.widths = std::array::from_fn(wider);
        self.rows.push(cells);
    }

    /// A row by itself, for below the printed table.
    pub(crate) fn line(&self, cells: &[String; N]) -> String {
        let padded = cells.iter().zip(self.widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = padded.collect::<Vec<_>>().join(" | ");
        format!("{}\n", line.trim_end())
    }
}

impl<const N: usize> Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, row) in self.rows.iter().enumerate() {
            f.write_str(&self.line(row))?;
            if number == 0 {
                let rule: Vec<_> = self.widths.iter().map(|width| "-".repeat(*width)).collect();
                writeln!(f, "{}", rule.join("-+-"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["success", "message"]);
        table.row(["true".into(), "ü off".into()]);
        assert_eq!(table.to_string(), "success | message\n--------+--------\ntrue    | ü off\n");
        assert_eq!(table.line(&["no".into(), String::new()]), "no      |\n");
    }
}
