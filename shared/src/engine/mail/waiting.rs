//! Callback of a thread whose acts wait for others: for gates to apply a revocation, or for
//! posternd to send mail. The caller uses it to report that the act still runs.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Interval between two calls of the callback.
const INTERVAL: Duration = Duration::from_secs(2);

thread_local! {
    static SAYS: RefCell<Option<Says>> = const { RefCell::new(None) };
}

struct Says {
    say: Box<dyn Fn()>,
    last: Instant,
}

/// Guard that removes the thread's callback when it is dropped.
#[must_use]
pub struct WaitCallbackGuard(());

/// Sets the callback that acts of this thread call every two seconds while they wait.
pub fn set_wait_callback(say: impl Fn() + 'static) -> WaitCallbackGuard {
    SAYS.replace(Some(Says {
        say: Box::new(say),
        last: Instant::now(),
    }));
    WaitCallbackGuard(())
}

impl Drop for WaitCallbackGuard {
    fn drop(&mut self) {
        SAYS.replace(None);
    }
}

/// Calls the thread's callback if its interval has passed. A waiting act MUST call this at each
/// poll.
pub fn report_waiting() {
    SAYS.with_borrow_mut(|says| {
        if let Some(says) = says.as_mut().filter(|says| says.last.elapsed() >= INTERVAL) {
            says.last = Instant::now();
            (says.say)();
        }
    });
}
