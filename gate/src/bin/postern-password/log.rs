//! Log of postern-password on standard error. Lines go through the gate's bounded queue, so that a
//! log that is not read delays no request.

#[path = "../../observe/log/queue.rs"]
mod queue;

use queue::{LogQueue, Lost};
use std::fmt::Display;
use std::time::Duration;

static QUEUE: LogQueue = LogQueue::new(told, || ());

/// Starts the thread that writes. Before that, each line is written by the thread that logs it.
pub(crate) fn begin() {
    QUEUE.begin();
    std::panic::set_hook(Box::new(|panic| says(panic)));
}

pub(crate) fn says(words: impl Display) {
    QUEUE.push(line(words), None);
}

/// Writes a line that can occur once per connection. A limited number of each kind is written, then
/// the number of those left out.
pub(crate) fn seldom(kind: &'static str, words: impl Display) {
    QUEUE.push(line(words), Some(kind));
}

/// Waits until every line is written, at most for `within`.
pub(crate) fn flush(within: Duration) {
    QUEUE.flush(within);
}

fn line(words: impl Display) -> String {
    format!("postern-password: {words}\n")
}

fn told(lost: &Lost) -> String {
    match lost {
        Lost::Dropped(lines) => line(format_args!(
            "log dropped={lines}: {lines} lines were dropped, because the log was not read fast enough"
        )),
        Lost::LeftOut {
            kind,
            lines,
            seconds,
        } => line(format_args!(
            "log kind={kind} suppressed={lines}: {lines} more lines of this kind in {seconds} s were left out"
        )),
    }
}
