//! The matrix on the terminal.

use crate::report::results::{CaseEnd, Column, Verdict, rows};
use std::fmt::Write;

/// Longest part of a message that is printed, in characters.
const LONGEST: usize = 600;

/// Returns one line about a case.
pub(crate) fn line(end: &CaseEnd) -> String {
    let CaseEnd { group, name, .. } = end;
    let time = format!("{:.1} s", end.seconds);
    match &end.verdict {
        Verdict::Passed => format!("passed   {group}: {name} ({time})"),
        Verdict::Failed(message) => {
            format!("FAILED   {group}: {name}: {} ({time})", shown(message))
        }
        Verdict::Skipped(reason) => format!("skipped  {group}: {name}: {}", shown(reason)),
    }
}

/// Returns the matrix, and below it what failed and what was skipped.
pub(crate) fn render(columns: &[Column]) -> String {
    let rows = rows(columns);
    let width = rows
        .iter()
        .map(|(group, name)| group.len() + name.len() + 2);
    let width = width.max().unwrap_or(0);
    let mut text = format!("{:width$}", "");
    for column in columns {
        let _ = write!(text, "  {:8}", column.target);
    }
    text.push('\n');
    for (group, name) in rows {
        let _ = write!(text, "{:width$}", format!("{group}: {name}"));
        for column in columns {
            let shown = match column.end(group, name).map(|end| &end.verdict) {
                Some(Verdict::Passed) => "ok",
                Some(Verdict::Failed(_)) => "FAILED",
                Some(Verdict::Skipped(_)) => "skipped",
                None => "",
            };
            let cell = column.target.chars().count().max(8);
            let _ = write!(text, "  {shown:cell$}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for column in columns {
        let [passed, failed, skipped] = column.counts();
        let target = &column.target;
        let _ = writeln!(
            text,
            "\n{target}: {passed} passed, {failed} failed, {skipped} skipped"
        );
        for end in &column.ends {
            if end.verdict != Verdict::Passed {
                let _ = writeln!(text, "  {}", line(end));
            }
        }
    }
    text
}

/// Returns a message without control characters, which could move a terminal's cursor.
fn shown(message: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    message.chars().take(LONGEST).map(plain).collect()
}
