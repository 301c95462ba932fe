//! posternd as a service: signals of the service manager, and notifications to it (sd_notify(3)).
//!
//! MUST be started before any other thread: the signals that are blocked here are blocked in the
//! threads that it starts.

use crate::daemon::configuration::CONFIGURATION;
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::log::log;
use crate::daemon::watchdog::{ACTIVITIES, WorkerActivity};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use postern_shared::config::DEFAULT_PATH;
use sd_notify::NotifyState;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The interval at which an accepting thread makes progress, and how late it may be.
const BEAT: Duration = Duration::from_secs(1);
const STUCK: Duration = Duration::from_secs(10);
/// The interval of watchdog notifications where the manager sets no time limit; else a fourth of
/// the limit.
const ROUND: Duration = Duration::from_secs(2);
/// Time limits while draining: for conversations, and then for those that are being verified. The
/// unit's TimeoutStopSec= is longer than their sum.
const GRACE: Duration = Duration::from_secs(10);
const LAST: Duration = Duration::from_secs(20);
/// The pause after a failed accept, so that a lack of descriptors costs no processor time.
const PAUSE: Duration = Duration::from_millis(100);

/// A service that has not started: its signals are blocked and wait.
pub struct Daemon {
    signals: SignalFd,
    accepting: Vec<JoinHandle<()>>,
}

impl Daemon {
    /// Blocks the signals that the service handles.
    ///
    /// # Errors
    /// Those of signalfd(2).
    pub fn prepare() -> io::Result<Daemon> {
        let mask: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]
            .into_iter()
            .collect();
        mask.thread_block()?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Daemon {
            signals,
            accepting: Vec::new(),
        })
    }

    /// Starts an accepting thread, which passes every connection to `begin`. `begin` MUST NOT
    /// block.
    ///
    /// # Errors
    /// Those of starting a thread, and of a listener that cannot be polled.
    pub fn accept(
        &mut self,
        listener: UnixListener,
        begin: impl FnMut(UnixStream) + Send + 'static,
    ) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let accepting = move || accept_until_drained(&listener, begin);
        self.accepting.push(
            thread::Builder::new()
                .name("accept".to_owned())
                .spawn(accepting)?,
        );
        Ok(())
    }

    /// Serves until SIGTERM or SIGINT, then drains.
    ///
    /// # Errors
    /// Those of waiting for signals, and of an accepting thread that has ended.
    pub fn run(self) -> io::Result<()> {
        let round = sd_notify::watchdog_enabled().map_or(ROUND, |patience| ROUND.min(patience / 4));
        log_configuration();
        notify_systemd(&[NotifyState::Ready]);
        loop {
            feed_watchdog();
            match self.wait_for_signal(round)? {
                None => {}
                Some(Signal::SIGHUP) => reload(),
                Some(_) => break,
            }
            if self.accepting.iter().any(JoinHandle::is_finished) {
                return Err(io::Error::other("a thread that accepts has ended"));
            }
        }
        notify_systemd(&[NotifyState::Stopping]);
        self.drain(round)
    }

    fn wait_for_signal(&self, within: Duration) -> io::Result<Option<Signal>> {
        wait_for_input(&self.signals, within)?;
        let signal = self.signals.read_signal()?;
        Ok(signal.and_then(|info| Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()))
    }

    fn drain(self, round: Duration) -> io::Result<()> {
        CONNECTIONS.begin_drain();
        for thread in self.accepting {
            // a panic there must not keep the conversations from ending
            let _ = thread.join();
        }
        if wait_for_end(GRACE, round) > 0 {
            CONNECTIONS.end_input();
            let cut = wait_for_end(LAST, round);
            if cut > 0 {
                log(format_args!(
                    "stops with {cut} conversations that are still being verified"
                ));
            }
        }
        Ok(())
    }
}

/// Waits `within`, and notifies the watchdog meanwhile. Returns how many connections are left.
fn wait_for_end(within: Duration, round: Duration) -> usize {
    let until = Instant::now() + within;
    loop {
        feed_watchdog();
        let left = until.saturating_duration_since(Instant::now());
        let open = CONNECTIONS.wait(left.min(round));
        if open == 0 || left.is_zero() {
            return open;
        }
    }
}

fn accept_until_drained(listener: &UnixListener, mut begin: impl FnMut(UnixStream)) {
    let activity = ACTIVITIES.begin("a thread that accepts", STUCK);
    while !CONNECTIONS.is_draining() {
        match accept_one(listener, &activity) {
            Ok(Some(stream)) => begin(stream),
            Ok(None) => {}
            Err(error) => {
                log(format_args!("a connection cannot be accepted: {error}"));
                if error.raw_os_error() == Some(Errno::EBADF as i32) {
                    return;
                }
                thread::sleep(PAUSE);
            }
        }
        activity.goes_on(STUCK);
    }
}

/// Accepts the next connection, if one comes within the interval.
fn accept_one(
    listener: &UnixListener,
    activity: &WorkerActivity<'_>,
) -> io::Result<Option<UnixStream>> {
    wait_for_input(listener, BEAT)?;
    activity.goes_on(STUCK);
    match listener.accept() {
        Ok((stream, _)) => Ok(Some(stream)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn wait_for_input(descriptor: &impl AsFd, within: Duration) -> io::Result<()> {
    let timeout = PollTimeout::try_from(within).unwrap_or(PollTimeout::MAX);
    match poll(
        &mut [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)],
        timeout,
    ) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Notifies the watchdog, unless an activity is late.
fn feed_watchdog() {
    match ACTIVITIES.late(Instant::now()) {
        None => notify_systemd(&[NotifyState::Watchdog]),
        Some(what) => log(format_args!(
            "{what} makes no progress; the watchdog is not notified"
        )),
    }
}

/// Logs which configuration is in force. Every conversation loads it when it begins.
fn reload() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify_systemd(&[NotifyState::Reloading, now]),
        Err(_) => notify_systemd(&[NotifyState::Reloading]),
    }
    if log_configuration() {
        log(format_args!("reloaded {DEFAULT_PATH}"));
    }
    notify_systemd(&[NotifyState::Ready]);
}

/// Logs each problem of the configuration. Returns whether there is none.
fn log_configuration() -> bool {
    let path = Path::new(DEFAULT_PATH);
    match CONFIGURATION.load_config(path) {
        Ok(in_force) => {
            if let Some(problem) = &in_force.fallback {
                log(problem);
            } else if !in_force.is_saved {
                let copy = postern_shared::config::file::copy_path(path);
                log(format_args!(
                    "{}: is not the configuration in force; save it as root, as the unit does: postern check --keep",
                    copy.display()
                ));
            }
            in_force.fallback.is_none()
        }
        Err(error) => {
            log(format_args!("{error}; until then access is denied"));
            false
        }
    }
}

fn notify_systemd(state: &[NotifyState<'_>]) {
    // a manager that does not receive notifications must not stop the service
    let _ = sd_notify::notify(state);
}
