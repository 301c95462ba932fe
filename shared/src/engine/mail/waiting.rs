//! Acts that wait for others (gates that confirm a revocation, a letter that is sent): whoever runs them may want to say
//! meanwhile that they are still working.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// How often it is said.
const INTERVAL: Duration = Duration::from_secs(2);

thread_local! {
    static SAYS: RefCell<Option<Says>> = const { RefCell::new(None) };
}

struct Says {
    say: Box<dyn Fn()>,
    last: Instant,
}

/// While this lives, acts of its thread that wait call what was given.
#[must_use]
pub struct WaitCallbackGuard(());

/// Has the acts of this thread call `say` every two seconds while they wait.
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

/// To be called by whatever waits, as often as it looks.
pub fn report_waiting() {
    SAYS.with_borrow_mut(|says| {
        if let Some(says) = says.as_mut().filter(|says| says.last.elapsed() >= INTERVAL) {
            says.last = Instant::now();
            (says.say)();
        }
    });
}
