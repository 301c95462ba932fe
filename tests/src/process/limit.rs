//! The time limit of a story. A story that exceeds it is ended, and its name is printed.

use crate::process::processes::{below, end};
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Time limit of a story. The longest stories measure times, and take some minutes on a busy
/// machine.
const STORY: Duration = Duration::from_secs(15 * 60);
/// Time for a story to fail, after every process that it started has been killed.
const FAILING: Duration = Duration::from_secs(60);

/// A running time limit. It ends with the story's host.
pub(crate) struct Limit {
    /// The drop of this sender ends the thread that waits.
    _ends: Sender<()>,
}

impl Limit {
    /// Begins for the story on whose thread this is called.
    pub(crate) fn begin() -> Limit {
        let story = std::thread::current()
            .name()
            .unwrap_or("a story")
            .to_owned();
        let limit = time_limit();
        let (sender, ends) = channel::<()>();
        std::thread::spawn(move || {
            if ends.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            say(&format!(
                "{story} stood still: no end within {} s",
                limit.as_secs()
            ));
            // The story usually waits for one of these processes. It then fails by itself, and the
            // next story begins.
            below(std::process::id()).into_iter().for_each(end);
            if ends.recv_timeout(FAILING) == Err(RecvTimeoutError::Timeout) {
                say(&format!(
                    "{story} waits for something else: this ends it, and those that would follow"
                ));
                std::process::exit(101);
            }
        });
        Limit { _ends: sender }
    }
}

/// POSTERN_TEST_STORY_LIMIT is another time limit, in seconds, for a story with a number of rounds.
fn time_limit() -> Duration {
    let set = std::env::var("POSTERN_TEST_STORY_LIMIT").ok();
    set.and_then(|seconds| seconds.parse().ok())
        .map_or(STORY, Duration::from_secs)
}

/// Prints directly to standard error: libtest keeps what a story prints until the story ends.
fn say(words: &str) {
    // An error has no reader here.
    let _ = writeln!(std::io::stderr(), "\ntests: {words}");
}
