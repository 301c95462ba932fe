//! Callback of a thread whose acts wait for others: for gates to apply a revocation, or for
//! posternd to send mail. The caller uses it to report that the act still runs.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Interval between two calls of the callback.
const INTERVAL: Duration = Duration::from_secs(2);

thread_local! {
    static CALLBACK: RefCell<Option<WaitCallback>> = const { RefCell::new(None) };
}

struct WaitCallback {
    call: Box<dyn Fn()>,
    last_call: Instant,
}

/// Guard that removes the thread's callback when it is dropped.
#[must_use]
pub struct WaitCallbackGuard(());

/// Sets the callback that acts of this thread call every two seconds while they wait.
pub fn set_wait_callback(call: impl Fn() + 'static) -> WaitCallbackGuard {
    CALLBACK.replace(Some(WaitCallback {
        call: Box::new(call),
        last_call: Instant::now(),
    }));
    WaitCallbackGuard(())
}

impl Drop for WaitCallbackGuard {
    fn drop(&mut self) {
        CALLBACK.replace(None);
    }
}

/// Calls the thread's callback if its interval has passed. A waiting act MUST call this at each
/// poll.
pub fn report_waiting() {
    CALLBACK.with_borrow_mut(|callback| {
        if let Some(callback) = callback
            .as_mut()
            .filter(|callback| callback.last_call.elapsed() >= INTERVAL)
        {
            callback.last_call = Instant::now();
            (callback.call)();
        }
    });
}
