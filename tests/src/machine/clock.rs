//! The host's clock as sshd and the commands see it: frozen by libfaketime, and moved only by the
//! story.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The file from which libfaketime reads the time at every call. It works in sshd's PAM process
/// too, which empties its environment.
const FILE: &str = "/etc/faketimerc";
/// The middle of a time step of 30 s, so that a story may move by a few seconds and stay in the
/// same time step.
const BEGIN: u64 = 1_800_000_015;

static NOW: AtomicU64 = AtomicU64::new(BEGIN);

/// Instead of a time in [`NOW`]: the clock runs with that of the machine.
const RUNNING: u64 = 0;

/// The one clock of the test host.
#[derive(Clone, Copy, Debug)]
pub struct Clock;

impl Clock {
    /// Sets the clock to the time at which every story begins.
    pub(crate) fn start() -> Clock {
        Clock.set(BEGIN);
        Clock
    }

    /// Returns the time, in seconds since 1970.
    pub fn now(self) -> u64 {
        match NOW.load(Ordering::SeqCst) {
            RUNNING => machine_time(),
            stopped => stopped,
        }
    }

    /// Lets the clock run with the machine's own, for servers with time limits of their own, which
    /// on a stopped clock never expire.
    pub fn run(self) {
        self.set(RUNNING);
    }

    /// Stops the clock at a time, in seconds since 1970.
    pub fn set(self, to: u64) {
        NOW.store(to, Ordering::SeqCst);
        // The rename is atomic, so that no process reads a part of the text.
        let new = Path::new(FILE).with_extension("new");
        let text = match to {
            // an offset from the machine's clock
            RUNNING => "+0".to_owned(),
            stopped => stopped.to_string(),
        };
        fs::write(&new, text).expect("the clock's file can be written");
        fs::rename(&new, FILE).expect("the clock's file can be replaced");
    }

    /// Sets the clock to the machine's own time. Setuid programs see no other, since the loader
    /// ignores LD_PRELOAD there.
    pub fn as_setuid_programs_see_it(self) {
        self.set(machine_time());
    }

    /// Sets the clock ahead.
    pub fn forward(self, seconds: u64) {
        self.set(self.now() + seconds);
    }

    pub fn back(self, seconds: u64) {
        self.set(self.now() - seconds);
    }
}

fn machine_time() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs()
}

/// Returns the same command, with the environment that makes it use the story's clock.
pub fn on_the_clock(mut command: Command) -> Command {
    for (name, value) in [
        ("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1"),
        ("FAKETIME_FMT", "%s"),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("TZ", "UTC"),
    ] {
        command.env(name, value);
    }
    command
}
