//! Look-ups of this host's users and groups. A library that nsswitch.conf names answers them, and
//! may take any time. In a daemon each look-up runs on a thread of its own, with a time limit and a
//! limit on their number.
//!
//! MUST NOT be called while other threads wait for the same lock, transaction or worker.

use super::admission::{Admission, AdmissionClass, AdmissionLimits, ClassLimits};
use super::thread_pool::ThreadPool;
use nix::errno::Errno;
use std::cell::RefCell;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Time limit of a look-up.
pub const TIME_LIMIT: Duration = Duration::from_secs(3);
/// Stack of a look-up's thread in bytes. Directory libraries need much.
const STACK: usize = 1024 * 1024;
/// Threads that are kept for later look-ups.
const WAITING_THREADS: usize = 2;
/// Limits of concurrent look-ups. A look-up after its time limit keeps its permit until it returns.
const LIMITS: AdmissionLimits = AdmissionLimits {
    shared: 0,
    authenticated: CLASS_LIMITS,
    familiar: CLASS_LIMITS,
    unauthenticated: CLASS_LIMITS,
};
const CLASS_LIMITS: ClassLimits = ClassLimits {
    own: 64,
    per_key: 4,
    waiting_per_key: 256,
    waiting: 1024,
};

thread_local! {
    static LOOK_UPS: RefCell<Option<Lookups>> = const { RefCell::new(None) };
}

/// Look-ups of one daemon.
#[derive(Clone)]
pub struct NameService {
    admission: Admission<String>,
    threads: Arc<ThreadPool>,
    time_limit: Duration,
}

/// Service, class and key of one thread's look-ups.
struct Lookups {
    service: NameService,
    class: AdmissionClass,
    key: String,
}

impl Default for NameService {
    fn default() -> NameService {
        NameService::with_time_limit(TIME_LIMIT)
    }
}

impl NameService {
    pub fn with_time_limit(time_limit: Duration) -> NameService {
        let threads = Arc::new(ThreadPool::new("name service", STACK, WAITING_THREADS));
        NameService {
            admission: Admission::new(LIMITS),
            threads,
            time_limit,
        }
    }

    /// Makes the look-ups of this thread run on separate threads, counted by `key`, until the
    /// result is dropped.
    pub fn attach_thread(&self, class: AdmissionClass, key: String) -> LookupSlot {
        LOOK_UPS.replace(Some(Lookups {
            service: self.clone(),
            class,
            key,
        }));
        LookupSlot(())
    }

    fn run_lookup<T: Send + 'static>(
        &self,
        (class, key): (AdmissionClass, String),
        look_up: impl FnOnce() -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, Errno> {
        let until = Instant::now() + self.time_limit;
        let waiting = self
            .admission
            .acquire(class, key)
            .map_err(|_| Errno::EAGAIN)?;
        let permit = waiting.wait(self.time_limit).map_err(|_| Errno::EAGAIN)?;
        let (answer, answered) = mpsc::sync_channel(1);
        let started = self.threads.spawn(move || {
            let found = look_up();
            drop(permit);
            // the caller may have given up
            let _ = answer.send(found);
        });
        started.map_err(|_| Errno::EAGAIN)?;
        // a panic closes the channel
        let left = until.saturating_duration_since(Instant::now());
        answered.recv_timeout(left).unwrap_or(Err(Errno::ETIMEDOUT))
    }
}

/// Makes the look-ups of its thread run on separate threads while it exists.
pub struct LookupSlot(());

impl Drop for LookupSlot {
    fn drop(&mut self) {
        LOOK_UPS.replace(None);
    }
}

/// Runs a look-up with the limits of this thread's daemon, or directly if there is none.
///
/// # Errors
/// The error of the look-up; `ETIMEDOUT` after the time limit; `EAGAIN` if no permit is free.
pub fn look_up<T: Send + 'static>(
    look_up: impl FnOnce() -> Result<T, Errno> + Send + 'static,
) -> Result<T, Errno> {
    let attached = LOOK_UPS.with_borrow(|attached| {
        let Lookups {
            service,
            class,
            key,
        } = attached.as_ref()?;
        Some((service.clone(), *class, key.clone()))
    });
    match attached {
        Some((service, class, key)) => service.run_lookup((class, key), look_up),
        None => look_up(),
    }
}

/// Explains a failed look-up, and names the configured sources of `database` (passwd, group).
pub fn explain_failure(error: Errno, database: &str) -> String {
    let why = match error {
        Errno::ETIMEDOUT => format!("no answer within {} s", TIME_LIMIT.as_secs()),
        Errno::EAGAIN => "too many look-ups wait for an answer".to_owned(),
        error => error.to_string(),
    };
    let text = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let line = text
        .lines()
        .filter_map(|line| line.split('#').next()?.split_once(':'));
    let mut sources = line
        .filter(|(name, _)| name.trim() == database)
        .map(|(_, sources)| sources.trim());
    match sources.next() {
        Some(sources) => {
            let sources: Vec<&str> = sources.split_ascii_whitespace().collect();
            format!(
                "{why} (/etc/nsswitch.conf: {database}: {})",
                sources.join(" ")
            )
        }
        None => why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::thread;

    fn never() -> Result<(), Errno> {
        loop {
            thread::park();
        }
    }

    #[test]
    fn a_look_up_that_never_ends_blocks_no_other() {
        let service = NameService::with_time_limit(Duration::from_millis(200));
        for number in 0..60 {
            let _entered =
                service.attach_thread(AdmissionClass::Unauthenticated, format!("made-up-{number}"));
            // the maximum of threads, without their time limit
            let service = NameService {
                time_limit: Duration::ZERO,
                ..service.clone()
            };
            let _ = service.run_lookup(
                (AdmissionClass::Unauthenticated, format!("made-up-{number}")),
                never,
            );
        }
        let _entered = service.attach_thread(AdmissionClass::Authenticated, "alice".to_owned());
        let began = Instant::now();
        assert_eq!(look_up(|| Ok(7)), Ok(7));
        assert!(began.elapsed() < service.time_limit, "it waited");
        assert_eq!(look_up(never), Err(Errno::ETIMEDOUT));
    }

    #[test]
    fn one_key_has_a_bounded_number_of_look_ups() {
        let service = NameService::with_time_limit(Duration::from_millis(20));
        let mallory = || (AdmissionClass::Unauthenticated, "mallory".to_owned());
        let errors: Vec<_> = (0..6)
            .map(|_| service.run_lookup(mallory(), never).unwrap_err())
            .collect();
        assert_eq!(errors[..4], [Errno::ETIMEDOUT; 4]);
        assert_eq!(errors[4..], [Errno::EAGAIN; 2]);
        assert_eq!(
            service.run_lookup((AdmissionClass::Unauthenticated, "bob".to_owned()), || Ok(
                1
            )),
            Ok(1)
        );
    }

    #[test]
    fn a_look_up_that_panics_fails() {
        let service = NameService::with_time_limit(Duration::from_secs(5));
        let panics =
            || -> Result<(), Errno> { panic!("a look-up that panics, as the test wants it") };
        assert_eq!(
            service.run_lookup((AdmissionClass::Authenticated, "alice".to_owned()), panics),
            Err(Errno::ETIMEDOUT)
        );
        assert_eq!(service.admission.in_use(), 0);
    }

    #[test]
    fn without_a_daemon_a_look_up_runs_on_the_calling_thread() {
        let here = thread::current().id();
        let ran = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&ran);
        look_up(move || {
            *kept.lock().unwrap() = Some(thread::current().id());
            Ok(())
        })
        .unwrap();
        assert_eq!(*ran.lock().unwrap(), Some(here));
    }
}
