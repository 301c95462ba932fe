//! Log of postern-password on standard error. Lines go through the gate's bounded queue, so that a
//! log that is not read delays no request.

#[path = "../../observe/log/queue.rs"]
mod queue;

use queue::{LogQueue, LostLines};
use std::fmt::Display;
use std::time::Duration;

static QUEUE: LogQueue = LogQueue::new(format_lost, || ());

/// Starts the thread that writes. Before that, each line is written by the thread that logs it.
pub(crate) fn start_writer() {
    QUEUE.start_writer();
    std::panic::set_hook(Box::new(|panic| write_message(panic)));
}

pub(crate) fn write_message(message: impl Display) {
    QUEUE.push(format_line(message), None);
}

/// Writes a line that can occur once per connection. A limited number of each kind is written, then
/// the number of those left out.
pub(crate) fn write_rate_limited(kind: &'static str, message: impl Display) {
    QUEUE.push(format_line(message), Some(kind));
}

/// Waits until every line is written, at most for `within`.
pub(crate) fn flush(within: Duration) {
    QUEUE.flush(within);
}

fn format_line(message: impl Display) -> String {
    format!("postern-password: {message}\n")
}

fn format_lost(lost: &LostLines) -> String {
    match lost {
        LostLines::Dropped(lines) => format_line(format_args!(
            "log dropped={lines}: {lines} lines were dropped, because the log was not read fast enough"
        )),
        LostLines::LeftOut {
            kind,
            lines,
            seconds,
        } => format_line(format_args!(
            "log kind={kind} suppressed={lines}: {lines} more lines of this kind in {seconds} s were left out"
        )),
    }
}
