//! The gate's log on standard error, as text in the format of pam_totp(8) or as JSON.
//!
//! MUST write one line per event, whatever clients, proxies and mail servers send: their text
//! cannot begin another line.
//!
//! MUST NOT receive a query, a cookie, a code, a password or a token.
//!
//! MUST NOT delay a request for the log's reader: lines go through a bounded queue
//! (`log/queue.rs`).

mod queue;

use super::metrics::METRICS;
use postern_shared::config::file::{self, CurrentConfig};
use postern_shared::config::gate::{GateConfig, LogFormat};
use postern_shared::system::clock::{self, Timestamp};
use queue::{LogQueue, LostLines};
use serde_json::{Map, Value};
use std::fmt::{Display, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A process has one standard error, and so one format.
static JSON: AtomicBool = AtomicBool::new(false);
static ACCESS: AtomicBool = AtomicBool::new(false);
static QUEUE: LogQueue = LogQueue::new(format_lost, || METRICS.count_dropped_line());

/// Starts the thread that writes.
pub(crate) fn start_writer() {
    QUEUE.start_writer();
    // A panic is logged too, and its thread waits for no reader.
    std::panic::set_hook(Box::new(|panic| write_message(panic)));
}

/// Waits until every line is written, at most for `within`.
pub(crate) fn flush(within: Duration) {
    QUEUE.flush(within);
}

fn format_lost(lost: &LostLines) -> String {
    match lost {
        LostLines::Dropped(lines) => {
            event("log")
                .number("dropped", *lines)
                .format_with_message(format_args!(
                    "{lines} lines were dropped, because the log was not read fast enough"
                ))
        }
        LostLines::LeftOut {
            kind,
            lines,
            seconds,
        } => event("log")
            .with("kind", kind)
            .number("suppressed", *lines)
            .format_with_message(format_args!(
                "{lines} more lines of this kind in {seconds} s were left out"
            )),
    }
}

/// Sets the format and the access log by a configuration.
pub(crate) fn configure(gate: &GateConfig) {
    JSON.store(gate.log == LogFormat::Json, Ordering::Relaxed);
    ACCESS.store(gate.access_log, Ordering::Relaxed);
}

pub(crate) fn has_access_log() -> bool {
    ACCESS.load(Ordering::Relaxed)
}

/// Writes a line that has a message alone.
pub(crate) fn write_message(message: impl Display) {
    LogLine {
        message: Some(message.to_string()),
        ..LogLine::of(None)
    }
    .write();
}

/// Warns if the copy that root keeps is not the configuration in force.
pub(crate) fn warn_if_copy_differs(path: &Path, in_force: &CurrentConfig) {
    if !in_force.is_saved {
        let copy = file::copy_path(path);
        write_message(format_args!(
            "{}: is not the configuration in force; save it as root, as the unit does: postern check --keep",
            copy.display()
        ));
    }
}

/// Begins the line of a named event.
pub(crate) fn event(name: &str) -> LogLine {
    LogLine::of(Some(name.to_owned()))
}

/// A log line, which [`LogLine::write`] or [`LogLine::write_with_message`] ends.
#[must_use]
pub(crate) struct LogLine {
    event: Option<String>,
    fields: Vec<(&'static str, LogField)>,
    message: Option<String>,
    kind: Option<&'static str>,
}

enum LogField {
    /// Text that clients cannot choose.
    Word(String),
    /// Text that clients may choose, in quotes.
    Quoted(String),
    Number(u64),
}

impl LogLine {
    fn of(event: Option<String>) -> LogLine {
        LogLine {
            event,
            fields: Vec::new(),
            message: None,
            kind: None,
        }
    }

    /// Limits lines of a kind that unauthenticated clients can cause at full speed, and that
    /// fail2ban does not read. The number of lines left out is logged later.
    pub(crate) fn rate_limited(mut self, kind: &'static str) -> LogLine {
        self.kind = Some(kind);
        self
    }

    /// Adds a field that clients cannot choose, or an address.
    pub(crate) fn with(mut self, key: &'static str, word: impl Display) -> LogLine {
        self.fields.push((key, LogField::Word(word.to_string())));
        self
    }

    /// Adds a field that clients may choose.
    pub(crate) fn quoted(mut self, key: &'static str, text: impl Display) -> LogLine {
        self.fields.push((key, LogField::Quoted(text.to_string())));
        self
    }

    pub(crate) fn number(mut self, key: &'static str, number: u64) -> LogLine {
        self.fields.push((key, LogField::Number(number)));
        self
    }

    /// Ends the line with a message.
    pub(crate) fn write_with_message(mut self, why: impl Display) {
        self.message = Some(why.to_string());
        self.write();
    }

    /// Returns the formatted line with a message.
    fn format_with_message(mut self, why: impl Display) -> String {
        self.message = Some(why.to_string());
        self.format()
    }

    /// Ends the line without a message.
    pub(crate) fn write(self) {
        QUEUE.push(self.format(), self.kind);
    }

    fn format(&self) -> String {
        match JSON.load(Ordering::Relaxed) {
            false => self.text(),
            true => self.json(clock::now().unwrap_or(Timestamp(0))),
        }
    }

    fn text(&self) -> String {
        let mut text = self.event.clone().unwrap_or_default();
        for (key, field) in &self.fields {
            // Writing to a String cannot fail.
            let _ = match field {
                LogField::Word(word) => write!(text, " {key}={word}"),
                LogField::Quoted(quoted) => write!(text, " {key}={quoted:?}"),
                LogField::Number(number) => write!(text, " {key}={number}"),
            };
        }
        if let Some(message) = &self.message {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(message);
        }
        format!("postern-gate: {}\n", escape_line_breaks(&text))
    }

    fn json(&self, now: Timestamp) -> String {
        let mut object = Map::new();
        object.insert("time".to_owned(), now.to_string().into());
        if let Some(event) = &self.event {
            object.insert("event".to_owned(), event.as_str().into());
        }
        for (key, field) in &self.fields {
            let value = match field {
                LogField::Word(text) | LogField::Quoted(text) => text.as_str().into(),
                LogField::Number(number) => (*number).into(),
            };
            object.insert((*key).to_owned(), value);
        }
        if let Some(message) = &self.message {
            object.insert("message".to_owned(), message.as_str().into());
        }
        let mut line = String::new();
        for c in Value::Object(object).to_string().chars() {
            // JSON permits some of these characters, and all of them are within its strings.
            match breaks_lines(c) {
                true => line.push_str(&format!("\\u{:04x}", u32::from(c))),
                false => line.push(c),
            }
        }
        line.push('\n');
        line
    }
}

/// Whether a character is a line feed, begins an escape sequence of terminals, or ends a line for
/// some readers.
fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Escapes line breaks and control characters as Rust literals do.
fn escape_line_breaks(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match breaks_lines(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(user: &str) -> LogLine {
        let line = event("refused")
            .with("cause", "wrong")
            .with("address", "192.0.2.7");
        line.with("service", "web").quoted("user", user)
    }

    fn with_message(mut line: LogLine, why: &str) -> LogLine {
        line.message = Some(why.to_owned());
        line
    }

    #[test]
    fn text_is_what_fail2ban_reads() {
        assert_eq!(
            refused("alice").text(),
            "postern-gate: refused cause=wrong address=192.0.2.7 service=web user=\"alice\"\n"
        );
        let line = with_message(
            event("refused").with("cause", "proxy-contract"),
            "a check came without it",
        );
        assert_eq!(
            line.text(),
            "postern-gate: refused cause=proxy-contract: a check came without it\n"
        );
        let message = LogLine {
            message: Some("reloaded /etc".to_owned()),
            ..LogLine::of(None)
        };
        assert_eq!(message.text(), "postern-gate: reloaded /etc\n");
    }

    #[test]
    fn json_has_the_same_fields_and_the_time() {
        let line = with_message(refused("alice").number("micros", 12), "why")
            .json(Timestamp(1_800_000_000));
        assert_eq!(
            line,
            concat!(
                r#"{"time":"2027-01-15T08:00:00Z","event":"refused","cause":"wrong","address":"192.0.2.7","#,
                r#""service":"web","user":"alice","micros":12,"message":"why"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn lost_lines_are_reported() {
        assert_eq!(
            format_lost(&LostLines::Dropped(7)),
            "postern-gate: log dropped=7: 7 lines were dropped, because the log was not read fast enough\n"
        );
        assert_eq!(
            format_lost(&LostLines::LeftOut {
                kind: "proxy-contract",
                lines: 990,
                seconds: 10
            }),
            "postern-gate: log kind=proxy-contract suppressed=990: 990 more lines of this kind in 10 s were left out\n"
        );
    }

    #[test]
    fn text_of_clients_begins_no_other_line() {
        let forged = "a\npostern-gate: refused cause=wrong address=192.0.2.1 service=web\r\u{1b}[2J\u{2028}\u{85}\0";
        for line in [
            refused(forged),
            event("refused").with("cause", forged),
            with_message(event("refused").with("cause", "mail"), forged),
            with_message(LogLine::of(None), forged),
        ] {
            for written in [line.text(), line.json(Timestamp(0))] {
                let (one, rest) = written.split_once('\n').unwrap();
                assert!(
                    rest.is_empty() && !one.chars().any(char::is_control),
                    "{written:?}"
                );
                assert!(!one.contains('\u{2028}'), "{written:?}");
            }
            let object: Value = serde_json::from_str(&line.json(Timestamp(0))).unwrap();
            assert!(
                object
                    .as_object()
                    .unwrap()
                    .values()
                    .any(|value| value == forged)
            );
        }
    }

    #[test]
    fn a_quote_ends_no_quoted_field() {
        let text = refused("a\" address=192.0.2.1 x=\"").text();
        assert!(
            text.ends_with("user=\"a\\\" address=192.0.2.1 x=\\\"\"\n"),
            "{text}"
        );
    }
}
