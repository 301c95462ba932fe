//! Threads that wait for their next job. Creating and ending a thread costs as much as a name
//! look-up.
//!
//! MUST NOT make a job wait for another one: if no thread waits, a new one is created.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

/// Time that a thread waits for a job before it ends.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

type Job = Box<dyn FnOnce() + Send>;

pub struct ThreadPool {
    name: &'static str,
    /// Stack size in bytes. Memory is used only as far as it is touched.
    stack: usize,
    /// Maximum of waiting threads.
    most_waiting: usize,
    idle_limit: Duration,
    queue: Arc<JobQueue>,
}

#[derive(Default)]
struct JobQueue {
    state: Mutex<ThreadPoolState>,
    changed: Condvar,
}

/// Each waiting thread takes one job, so that there are never more jobs than waiting threads.
#[derive(Default)]
struct ThreadPoolState {
    waiting: usize,
    jobs: VecDeque<Job>,
}

impl ThreadPool {
    /// Creates an empty pool that keeps at most `most_waiting` waiting threads.
    pub fn new(name: &'static str, stack: usize, most_waiting: usize) -> ThreadPool {
        ThreadPool {
            name,
            stack,
            most_waiting,
            idle_limit: IDLE_LIMIT,
            queue: Arc::default(),
        }
    }

    /// Runs a job on a waiting or new thread. A panic ends only the job.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.queue.lock();
        if state.waiting > state.jobs.len() {
            state.jobs.push_back(Box::new(job));
            drop(state);
            self.queue.changed.notify_one();
            return Ok(());
        }
        drop(state);
        let (queue, patience, most) = (Arc::clone(&self.queue), self.idle_limit, self.most_waiting);
        let builder = thread::Builder::new()
            .name(self.name.to_owned())
            .stack_size(self.stack);
        builder.spawn(move || {
            let mut next: Option<Job> = Some(Box::new(job));
            while let Some(job) = next {
                // the panic hook has logged the message
                let _ = panic::catch_unwind(AssertUnwindSafe(job));
                next = queue.next(patience, most);
            }
        })?;
        Ok(())
    }
}

impl JobQueue {
    fn lock(&self) -> MutexGuard<'_, ThreadPoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job of the calling thread. Returns `None` if the thread is to end.
    fn next(&self, patience: Duration, most: usize) -> Option<Job> {
        let mut state = self.lock();
        if state.waiting >= most {
            return None;
        }
        state.waiting += 1;
        let nothing = |state: &mut ThreadPoolState| state.jobs.is_empty();
        let waited = self.changed.wait_timeout_while(state, patience, nothing);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state.jobs.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread::ThreadId;

    fn threads(most_waiting: usize) -> ThreadPool {
        ThreadPool::new("test", 64 * 1024, most_waiting)
    }

    /// Waits until `count` threads wait and no job is left.
    fn waits(threads: &ThreadPool, count: usize) {
        let is_so = |state: MutexGuard<'_, ThreadPoolState>| {
            state.waiting == count && state.jobs.is_empty()
        };
        while !is_so(threads.queue.lock()) {
            thread::yield_now();
        }
    }

    fn runs_on(threads: &ThreadPool) -> ThreadId {
        let (send, receive) = mpsc::channel();
        threads
            .spawn(move || send.send(thread::current().id()).unwrap())
            .unwrap();
        receive.recv().unwrap()
    }

    #[test]
    fn a_thread_that_waits_takes_the_next_job() {
        let threads = threads(1);
        let first = runs_on(&threads);
        waits(&threads, 1);
        assert_eq!(runs_on(&threads), first);
    }

    #[test]
    fn no_job_waits_for_another() {
        let threads = threads(2);
        runs_on(&threads);
        waits(&threads, 1);
        let (last, ended) = mpsc::channel();
        // each job ends once the next one has run
        let mut previous = last;
        for _ in 0..20 {
            let (send, receive) = mpsc::channel::<()>();
            threads
                .spawn(move || {
                    receive.recv().unwrap();
                    previous.send(()).unwrap();
                })
                .unwrap();
            previous = send;
        }
        threads.spawn(move || previous.send(()).unwrap()).unwrap();
        ended.recv().unwrap();
        waits(&threads, 2);
    }

    #[test]
    fn a_job_that_panics_takes_no_thread_along() {
        let threads = threads(1);
        let first = runs_on(&threads);
        waits(&threads, 1);
        threads.spawn(|| panic!("for a test")).unwrap();
        waits(&threads, 1);
        assert_eq!(runs_on(&threads), first);
    }

    #[test]
    fn a_thread_without_a_job_ends() {
        let threads = ThreadPool {
            idle_limit: Duration::from_millis(1),
            ..threads(1)
        };
        runs_on(&threads);
        waits(&threads, 0);
        let queue = Arc::clone(&threads.queue);
        while Arc::strong_count(&queue) > 2 {
            thread::yield_now();
        }
        runs_on(&threads);
    }
}
