//! `postern log`: prints audit events, oldest first, as a table or as one JSON object on each line.

use crate::arguments::LogArguments;
use crate::context::Invocation;
use crate::terminal::output::{CommandResult, Output, OutputTable, cells};
use postern_shared::account::event::{AuditEvent, EventFilter, MAX_EVENTS};
use postern_shared::system::clock;
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

/// Interval at which `--follow` reads the store.
const INTERVAL: Duration = Duration::from_millis(500);
/// Largest number of events in one read.
const PAGE: u32 = 1000;
/// Number of past events that are printed if the command line gives neither a number nor a time.
const LINES: u32 = 100;

const HEAD: [&str; 7] = [
    "time",
    "event",
    "account",
    "principal",
    "service",
    "origin",
    "cause",
];

pub(super) fn run(run: Invocation<'_>, what: &LogArguments) -> CommandResult {
    let mut engine = run.engine()?;
    let now = clock::now()?;
    let filter = EventFilter {
        account: what.user.clone(),
        kind: what.event,
        service: what.service.clone(),
        since: what.since.map(|since| since.seen_from(now)),
        until: what.until.map(|until| until.seen_from(now)),
    };
    let bounded = what.since.is_some() || what.until.is_some();
    let lines = what
        .lines
        .unwrap_or(if bounded { MAX_EVENTS } else { LINES });
    let mut printer = Printer {
        output: run.output,
        table: None,
    };
    let mut last = engine.audit_log().before_newest(&filter, lines)?;
    loop {
        // Read before the page of events. Events that are added between the two reads, and those
        // that get a smaller number than one that others have committed, are in a later page.
        let until = match what.follow {
            true => engine.audit_log().settled_number()?.unwrap_or(last),
            false => i64::MAX,
        };
        let page = engine
            .audit_log()
            .list_events_until(&filter, (last, until), PAGE)?;
        let is_full = page.len() == PAGE as usize;
        last = match page.last() {
            Some((number, _)) if is_full => *number,
            _ => until.max(last),
        };
        printer.print(page.into_iter().map(|(_, event)| event))?;
        if is_full {
            continue;
        }
        if !what.follow {
            return Ok(());
        }
        sleep(INTERVAL);
    }
}

struct Printer {
    output: Output,
    /// The table that was printed first. Its column widths are used for later rows.
    table: Option<OutputTable<7>>,
}

impl Printer {
    fn print(&mut self, events: impl Iterator<Item = AuditEvent>) -> CommandResult {
        let mut events = events.map(|event| value(&event));
        if self.output.is_json() {
            return events.try_for_each(|event| self.output.json(&event));
        }
        match &self.table {
            Some(table) => {
                let lines: String = events
                    .map(|event| table.line(&cells(&event, HEAD)))
                    .collect();
                self.output.text(lines)
            }
            None => {
                let mut table = OutputTable::new(HEAD);
                events.for_each(|event| table.row(cells(&event, HEAD)));
                self.output.text(&table)?;
                self.table = Some(table);
                Ok(())
            }
        }
    }
}

fn value(event: &AuditEvent) -> Value {
    json!({
        "time": event.at.to_string(),
        "event": event.kind,
        "account": event.account,
        "principal": event.principal,
        "service": event.service,
        "origin": event.origin,
        "cause": event.cause,
    })
}
