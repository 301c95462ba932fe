//! A bounded queue of log lines, and the one thread that writes them, so that a log that is not
//! read delays no request.
//!
//! Lines beyond the bounds are dropped and counted, and the count is logged once there is space.
//! Lines that unauthenticated clients can cause at full speed have a limit per kind. postern-gate
//! and postern-password share this file.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Limits on lines that wait, and on their bytes.
const MAX_LINES: usize = 8192;
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// Limit on lines of one kind within [`WHILE`].
const MAX_OF_KIND: u64 = 10;
const KIND_INTERVAL: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// Pause where a pipe that does not block is full.
const WRITE_PAUSE: Duration = Duration::from_millis(50);

/// Lines that were not written, and are reported in a line of their own.
pub(super) enum LostLines {
    /// Number of lines beyond the bounds.
    Dropped(u64),
    /// Number of lines of a kind beyond its limit, within `seconds`.
    LeftOut {
        kind: &'static str,
        lines: u64,
        seconds: u64,
    },
}

pub(super) struct LogQueue {
    lines: Mutex<QueuedLines>,
    /// Notified when a line is queued, and when all lines are written.
    changed: Condvar,
    /// Formats the report on lost lines.
    format_lost: fn(&LostLines) -> String,
    /// Called for each line that is dropped.
    count_dropped: fn(),
}

struct QueuedLines {
    waiting: VecDeque<String>,
    bytes: usize,
    has_writer: bool,
    is_writing: bool,
    dropped: u64,
    kinds: Option<HashMap<&'static str, LineKind>>,
}

/// Lines of one kind since `began`.
struct LineKind {
    began: Instant,
    written: u64,
    left_out: u64,
}

impl LogQueue {
    pub(super) const fn new(
        format_lost: fn(&LostLines) -> String,
        count_dropped: fn(),
    ) -> LogQueue {
        let lines = QueuedLines {
            waiting: VecDeque::new(),
            bytes: 0,
            has_writer: false,
            is_writing: false,
            dropped: 0,
            kinds: None,
        };
        LogQueue {
            lines: Mutex::new(lines),
            changed: Condvar::new(),
            format_lost,
            count_dropped,
        }
    }

    /// Starts the thread that writes to standard error. Before that, each line is written by the
    /// thread that logs it.
    pub(super) fn start_writer(&'static self) {
        self.lock_lines().has_writer = true;
        let started = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(|| self.write_all(std::io::stderr()));
        if started.is_err() {
            self.lock_lines().has_writer = false;
        }
    }

    /// Queues a line, or drops it. Never waits for the reader.
    pub(super) fn push(&self, line: String, kind: Option<&'static str>) {
        let mut lines = self.lock_lines();
        if kind.is_some_and(|kind| !lines.count_line(kind, Instant::now())) {
            if lines
                .kinds
                .iter()
                .flatten()
                .any(|(of, counted)| Some(*of) == kind && counted.left_out == 1)
            {
                // The writer must wake up to report the number in time.
                self.changed.notify_all();
            }
            return;
        }
        if !lines.has_writer {
            drop(lines);
            // A log without a reader is no reason to exit.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
            return;
        }
        if lines.waiting.len() >= MAX_LINES || lines.bytes + line.len() > MAX_BYTES {
            lines.dropped += 1;
            drop(lines);
            (self.count_dropped)();
            return;
        }
        lines.bytes += line.len();
        lines.waiting.push_back(line);
        self.changed.notify_all();
    }

    fn write_all(&self, mut to: impl Write) {
        loop {
            let mut lines = self.lock_lines();
            let due = loop {
                let due = lines.take_due_reports(Instant::now());
                if !lines.waiting.is_empty() || lines.dropped > 0 || !due.is_empty() {
                    break due;
                }
                lines.is_writing = false;
                self.changed.notify_all();
                lines = match lines.time_until_report(Instant::now()) {
                    Some(wait) => self
                        .changed
                        .wait_timeout(lines, wait)
                        .map(|(lines, _)| lines)
                        .unwrap_or_else(|e| e.into_inner().0),
                    None => self
                        .changed
                        .wait(lines)
                        .unwrap_or_else(PoisonError::into_inner),
                };
            };
            let batch = std::mem::take(&mut lines.waiting);
            let dropped = std::mem::take(&mut lines.dropped);
            lines.is_writing = true;
            drop(lines);
            for line in batch {
                write(&mut to, line.as_bytes());
                let mut lines = self.lock_lines();
                lines.bytes = lines.bytes.saturating_sub(line.len());
            }
            let mut reports = due;
            if dropped > 0 {
                reports.push(LostLines::Dropped(dropped));
            }
            for lost in reports {
                write(&mut to, (self.format_lost)(&lost).as_bytes());
            }
        }
    }

    /// Waits until every line is written, at most for `within`.
    pub(super) fn flush(&self, within: Duration) {
        let lines = self.lock_lines();
        let is_busy = |lines: &mut QueuedLines| {
            lines.has_writer && (lines.is_writing || !lines.waiting.is_empty())
        };
        // Lines that still wait after the time limit are lost.
        drop(self.changed.wait_timeout_while(lines, within, is_busy));
    }

    /// Each change is a few numbers: a panic between them costs a line.
    fn lock_lines(&self) -> MutexGuard<'_, QueuedLines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuedLines {
    /// Counts a line of a kind, and returns whether it is written.
    fn count_line(&mut self, kind: &'static str, now: Instant) -> bool {
        let kinds = self.kinds.get_or_insert_default();
        let kind = kinds.entry(kind).or_insert(LineKind {
            began: now,
            written: 0,
            left_out: 0,
        });
        if kind.left_out == 0 && now.duration_since(kind.began) >= KIND_INTERVAL {
            (kind.began, kind.written) = (now, 0);
        }
        match kind.written < MAX_OF_KIND {
            true => kind.written += 1,
            false => kind.left_out += 1,
        }
        kind.left_out == 0
    }

    /// Takes the reports that are due.
    fn take_due_reports(&mut self, now: Instant) -> Vec<LostLines> {
        let mut reports = Vec::new();
        for (name, kind) in self.kinds.iter_mut().flatten() {
            if kind.left_out > 0 && now.duration_since(kind.began) >= KIND_INTERVAL {
                let seconds = now.duration_since(kind.began).as_secs();
                reports.push(LostLines::LeftOut {
                    kind: name,
                    lines: kind.left_out,
                    seconds,
                });
                *kind = LineKind {
                    began: now,
                    written: 0,
                    left_out: 0,
                };
            }
        }
        reports
    }

    /// Time until the next report is due.
    fn time_until_report(&self, now: Instant) -> Option<Duration> {
        let counting = self
            .kinds
            .iter()
            .flatten()
            .filter(|(_, kind)| kind.left_out > 0);
        counting
            .map(|(_, kind)| (kind.began + KIND_INTERVAL).saturating_duration_since(now))
            .min()
    }
}

/// Writes as much as the reader takes. Blocks the writing thread alone.
fn write(to: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(WRITE_PAUSE),
            // A log without a reader is no reason to exit.
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    fn queue() -> &'static LogQueue {
        let tell = |lost: &LostLines| match lost {
            LostLines::Dropped(lines) => format!("dropped={lines}"),
            LostLines::LeftOut {
                kind,
                lines,
                seconds,
            } => format!("kind={kind} suppressed={lines} in {seconds}"),
        };
        let queue: &'static LogQueue = Box::leak(Box::new(LogQueue::new(tell, || ())));
        queue.lock_lines().has_writer = true;
        queue
    }

    /// A reader that takes one line for each `recv`.
    struct Pipe(SyncSender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let line = String::from_utf8_lossy(bytes).into_owned();
            self.0
                .send(line)
                .map(|()| bytes.len())
                .map_err(|_| ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn pipe(queue: &'static LogQueue) -> Receiver<String> {
        let (sender, receiver) = sync_channel(0);
        std::thread::spawn(move || queue.write_all(Pipe(sender)));
        receiver
    }

    /// A log that was not read stopped the gate.
    #[test]
    fn a_log_that_is_not_read_delays_no_thread_and_reports_lost_lines_later() {
        let queue = queue();
        let reader = pipe(queue);
        queue.push("0\n".to_owned(), None);
        // From now on the writer waits for the reader.
        while !queue.lock_lines().is_writing {
            std::thread::sleep(Duration::from_millis(1));
        }
        for number in 1..MAX_LINES + 1001 {
            queue.push(format!("{number}\n"), None);
        }
        queue.flush(Duration::from_millis(10));
        for number in 0..MAX_LINES + 1 {
            assert_eq!(reader.recv().unwrap(), format!("{number}\n"));
        }
        assert_eq!(reader.recv().unwrap(), "dropped=1000");
        for _ in 0..MAX_OF_KIND + 5 {
            queue.push("kind\n".to_owned(), Some("kind"));
        }
        for _ in 0..MAX_OF_KIND {
            assert_eq!(reader.recv().unwrap(), "kind\n");
        }
        let reports = reader
            .recv_timeout(KIND_INTERVAL * 3)
            .expect("it needs no other line");
        assert!(reports.contains("suppressed=5"), "{reports}");
        queue.push("after\n".to_owned(), None);
        assert_eq!(reader.recv().unwrap(), "after\n");
        queue.flush(Duration::from_secs(60));
        assert_eq!(queue.lock_lines().bytes, 0);
    }

    #[test]
    fn lines_of_a_kind_are_limited_and_the_rest_is_counted() {
        let mut lines = queue().lock_lines();
        let began = Instant::now();
        let written = (0..1000)
            .filter(|_| lines.count_line("proxy-contract", began))
            .count();
        assert_eq!(written as u64, MAX_OF_KIND);
        assert!(lines.count_line("another", began));
        assert!(
            lines.take_due_reports(began).is_empty()
                && lines.time_until_report(began) == Some(KIND_INTERVAL)
        );
        let reports = lines.take_due_reports(began + KIND_INTERVAL);
        assert!(matches!(
            reports[..],
            [LostLines::LeftOut {
                kind: "proxy-contract",
                lines: 990,
                seconds: 1..
            }]
        ));
        assert!(
            lines.count_line("proxy-contract", began + KIND_INTERVAL)
                && lines.time_until_report(began + KIND_INTERVAL).is_none()
        );
    }
}
