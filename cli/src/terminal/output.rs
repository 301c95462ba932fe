//! The output of commands: text for people, JSON for scripts, and the error message of a failure.

use nix::sys::stat::fstat;
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::process::ExitCode;
use zeroize::Zeroizing;

/// The reason why a command ends with exit status 1, or 2 for an invalid command line.
#[derive(Debug)]
pub(crate) enum CommandFailure {
    /// The command has printed the failure in its own format.
    Reported,
    Message(String),
    /// The command line is invalid.
    Usage(&'static str),
    /// The reader of standard output has closed it.
    Closed,
}

/// The result of a command, or of a part of one.
pub(crate) type CommandResult<T = ()> = Result<T, CommandFailure>;

impl CommandFailure {
    pub(crate) fn new(message: impl Display) -> CommandFailure {
        CommandFailure::Message(message.to_string())
    }
}

impl<E: std::error::Error> From<E> for CommandFailure {
    fn from(error: E) -> CommandFailure {
        CommandFailure::new(error)
    }
}

/// Returns a count with its noun, which takes an "s" in the plural: `1 code`, `2 codes`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Returns whether a character can change how the text beside it is shown or read: line ends,
/// escape sequences, and marks that change the direction of writing.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Replaces such characters by escapes, so that the text cannot move a terminal's cursor.
fn shown(
    text: &str,
    is_odd: impl Fn(char) -> bool,
    escape: impl Fn(char) -> String,
) -> Cow<'_, str> {
    match text.contains(&is_odd) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.chars().fold(
            String::with_capacity(text.len() + 16),
            |mut shown, c| {
                match is_odd(c) {
                    false => shown.push(c),
                    true => shown.push_str(&escape(c)),
                }
                shown
            },
        )),
    }
}

/// Escapes text that is shown on one line.
fn line(text: &str) -> Cow<'_, str> {
    shown(text, is_odd, |c| c.escape_unicode().to_string())
}

/// Escapes text of several lines.
fn lines(text: &str) -> Cow<'_, str> {
    shown(
        text,
        |c| is_odd(c) && c != '\n' && c != '\t',
        |c| c.escape_unicode().to_string(),
    )
}

/// The output format of a command.
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
    pub(crate) fn json(self, value: &impl Serialize) -> CommandResult {
        let text = Zeroizing::new(serde_json::to_string(value)?);
        // JSON allows the remaining characters only inside strings, where an escape is valid.
        let text = shown(&text, is_odd, |c| format!("\\u{:04x}", u32::from(c)));
        write_out(&format!("{text}\n"))
    }

    /// Prints text at once. Characters that would move a terminal's cursor are escaped,
    /// because the text may come from another person.
    pub(crate) fn text(self, text: impl Display) -> CommandResult {
        write_out(&lines(&Zeroizing::new(text.to_string())))
    }

    /// Returns an error if standard output is /dev/null, where a secret would be lost. It is called
    /// before a secret is created. The Rust runtime replaces a closed standard output by /dev/null
    /// before this program starts.
    pub(crate) fn is_seen(self) -> CommandResult {
        let seen = fstat(io::stdout())
            .is_ok_and(|stat| stat.st_rdev != NULL_DEVICE || stat.st_mode & S_IFMT != S_IFCHR);
        match seen {
            true => Ok(()),
            false => Err(CommandFailure::new(
                "standard output is closed or /dev/null, and the secret is shown only once; nothing was changed",
            )),
        }
    }

    /// Prints records: JSON, or a table whose columns are the keys. No record has a value other
    /// than a text, a number, or null.
    pub(crate) fn records<const N: usize>(self, keys: [&str; N], all: &[Value]) -> CommandResult {
        if self.json {
            return self.json(&all);
        }
        let heads = keys.map(|key| key.replace('_', " "));
        let mut table = OutputTable::new(heads.each_ref().map(String::as_str));
        for record in all {
            table.row(cells(record, keys));
        }
        self.text(table)
    }

    /// Prints that an act is done.
    pub(crate) fn done(self, message: impl Display) -> CommandResult {
        match self.json {
            true => self.json(&json!({"success": true, "message": message.to_string()})),
            false => self.text(format_args!("{message}\n")),
        }
    }

    /// Prints on standard error a warning, or what was done in addition to the output. The command
    /// continues.
    pub(crate) fn warn(self, message: impl Display) -> io::Result<()> {
        writeln!(io::stderr(), "postern: {}", lines(&message.to_string()))
    }

    /// Prints the failure and returns the exit status.
    pub(crate) fn fail(self, failure: &CommandFailure) -> ExitCode {
        let (message, status) = match failure {
            CommandFailure::Reported => return ExitCode::from(1),
            CommandFailure::Message(message) => (message.as_str(), 1),
            CommandFailure::Usage(message) => (*message, 2),
            CommandFailure::Closed => (
                "standard output was closed before everything was written",
                1,
            ),
        };
        if self.json {
            // An error here cannot be reported anywhere.
            let _ = self.json(&json!({"success": false, "message": message}));
        }
        let _ = self.warn(message);
        ExitCode::from(status)
    }
}

/// Device number of /dev/null: major 1, minor 3.
const NULL_DEVICE: u64 = (1 << 8) | 3;
const S_IFMT: u32 = 0o170_000;
const S_IFCHR: u32 = 0o020_000;

fn write_out(text: &str) -> CommandResult {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CommandFailure::Closed),
        written => Ok(written?),
    }
}

/// Returns the cells of a record, by its keys.
pub(crate) fn cells<const N: usize>(record: &Value, keys: [&str; N]) -> [String; N] {
    keys.map(|key| match &record[key] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

/// A table for people. Each column is as wide as its widest cell.
pub(crate) struct OutputTable<const N: usize> {
    rows: Vec<[String; N]>,
    widths: [usize; N],
}

impl<const N: usize> OutputTable<N> {
    pub(crate) fn new(head: [&str; N]) -> OutputTable<N> {
        let mut table = OutputTable {
            rows: Vec::new(),
            widths: [0; N],
        };
        table.row(head.map(str::to_owned));
        table
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        // A cell is one line, whatever its text contains.
        let cells = cells.map(|cell| line(&cell).into_owned());
        let wider = |column: usize| self.widths[column].max(cells[column].chars().count());
        self.widths = std::array::from_fn(wider);
        self.rows.push(cells);
    }

    /// Formats a row with the column widths of the table that was already printed.
    pub(crate) fn line(&self, cells: &[String; N]) -> String {
        let padded = cells
            .iter()
            .zip(self.widths)
            .map(|(cell, width)| format!("{:width$}", line(cell)));
        let line = padded.collect::<Vec<_>>().join(" | ");
        format!("{}\n", line.trim_end())
    }
}

impl<const N: usize> Display for OutputTable<N> {
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

    /// A name in the store wrote escape sequences to root's terminal.
    #[test]
    fn text_from_the_store_moves_no_terminals_cursor() {
        let evil = "\u{1b}]0;owned\u{7}\r\n\u{9b}2J\u{202e}txt";
        let mut table = OutputTable::new(["name"]);
        table.row([evil.into()]);
        let printed = lines(&table.to_string()).into_owned();
        assert_eq!(printed.lines().count(), 3, "{printed:?}");
        assert!(
            printed.contains("\\u{1b}]0;owned\\u{7}\\u{d}\\u{a}\\u{9b}2J\\u{202e}txt"),
            "{printed:?}"
        );
        assert!(!printed.chars().any(|c| is_odd(c) && c != '\n'));
        assert_eq!(lines("a\n\tb ü\n"), "a\n\tb ü\n");
        assert!(!lines(evil).chars().any(|c| is_odd(c) && c != '\n'));

        let json = serde_json::to_string(&json!({ "name": evil })).unwrap();
        let shown = shown(&json, is_odd, |c| format!("\\u{:04x}", u32::from(c)));
        assert!(!shown.chars().any(is_odd), "{shown:?}");
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read["name"], evil);
    }

    #[test]
    fn a_noun_is_singular_for_one_only() {
        let texts = [0, 1, 2].map(|count| counted(count, "code"));
        assert_eq!(texts, ["0 codes", "1 code", "2 codes"]);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = OutputTable::new(["success", "message"]);
        table.row(["true".into(), "ü off".into()]);
        assert_eq!(
            table.to_string(),
            "success | message\n--------+--------\ntrue    | ü off\n"
        );
        assert_eq!(table.line(&["no".into(), String::new()]), "no      |\n");
    }
}
