//! The limit of a story: whatever it waits for, it comes to an end after a time that none needs, and is named.

use crate::processes::{below, end};
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How long a story may take. The longest measure time, and take some minutes on a busy machine.
const STORY: Duration = Duration::from_secs(15 * 60);
/// How long it may take to fail, once all that it started has been ended.
const FAILING: Duration = Duration::from_secs(60);

/// A running limit; it goes with the story's host.
pub(crate) struct Limit {
    /// Closed when this goes, which ends the thread that waits.
    _ends: Sender<()>,
}

impl Limit {
    /// Begins for the story on whose thread this is called.
    pub(crate) fn begin() -> Limit {
        let story = std::thread::current()
            .name()
            .unwrap_or("a story")
            .to_owned();
        let (sender, ends) = channel::<()>();
        std::thread::spawn(move || {
            if ends.recv_timeout(STORY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            say(&format!(
                "{story} stood still: no end within {} s",
                STORY.as_secs()
            ));
            // what it waits for, as a rule: it then fails by itself, and the next one begins
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

/// Past libtest, which keeps what a story prints until it ends.
fn say(words: &str) {
    // nobody is left to tell
    let _ = writeln!(std::io::stderr(), "\ntests: {words}");
}
