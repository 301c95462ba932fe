//! What postern-password writes on standard error. Nobody waits for whoever reads it: lines go through the gate's bounded
//! queue.

#[path = "../../observe/log/queue.rs"]
mod queue;

use queue::{LogQueue, Lost};
use std::fmt::Display;
use std::time::Duration;

static QUEUE: LogQueue = LogQueue::new(told, || ());

/// Has lines written by a thread of their own. Until then each line is written by whoever says it.
pub(crate) fn begin() {
    QUEUE.begin();
    std::panic::set_hook(Box::new(|panic| says(panic)));
}

/// A line.
pub(crate) fn says(words: impl Display) {
    QUEUE.push(line(words), None);
}

/// A line that comes as often as connections do: of each kind so many are written, and then how many were not.
pub(crate) fn seldom(kind: &'static str, words: impl Display) {
    QUEUE.push(line(words), Some(kind));
}

/// Waits until all is written, but no longer than so.
pub(crate) fn flush(within: Duration) {
    QUEUE.flush(within);
}

fn line(words: impl Display) -> String {
    format!("postern-password: {words}\n")
}

/// The line that tells of lost ones.
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
