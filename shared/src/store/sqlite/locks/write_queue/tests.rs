//! Tests of the write queue: order, group commit, and failures of single attempts.

use super::*;
use crate::credential::otp::totp::Step;
use crate::crypto::vault::SecretFingerprint;
use crate::store::database::Database;
use crate::store::sqlite::SqliteStore;
use crate::store::sqlite::new_store;
use crate::store::{Intent, Store, StoreError, StoreResult, Transaction};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

fn acquire(queue: &Arc<WriteQueue>) -> WritePermit {
    queue.acquire(AdmissionClass::Familiar, false).unwrap().0
}

fn wait_until_waiting(queue: &WriteQueue, count: usize) {
    while queue.lock().waiting.len() != count {
        thread::yield_now();
    }
}

#[test]
fn writers_are_ordered_by_class_and_then_by_arrival() {
    let queue = WriteQueue::of_store((0, 1));
    assert!(Arc::ptr_eq(&queue, &WriteQueue::of_store((0, 1))));
    let first = acquire(&queue);
    let _other_store = acquire(&WriteQueue::of_store((0, 2)));
    let (send, order) = mpsc::channel();
    let classes = [
        AdmissionClass::Unauthenticated,
        AdmissionClass::Familiar,
        AdmissionClass::Unauthenticated,
        AdmissionClass::Familiar,
        AdmissionClass::Authenticated,
    ];
    let all: Vec<_> = (0..)
        .zip(classes)
        .map(|(number, class)| {
            let (waiting, send) = (WriteQueue::of_store((0, 1)), send.clone());
            let thread = thread::spawn(move || {
                let _permit = waiting.acquire(class, false).unwrap();
                send.send(number).unwrap();
            });
            wait_until_waiting(&queue, number + 1);
            thread
        })
        .collect();
    drop(first);
    all.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(order.try_iter().collect::<Vec<_>>(), [4, 1, 3, 0, 2]);
}

/// A client that writes endlessly in the best class must not starve the other classes.
#[test]
fn a_writer_that_was_passed_four_times_is_next() {
    let waiting = |number, class, shares| WaitingWriter {
        number,
        class,
        may_join: shares,
        passed_over: 0,
        thread: thread::current(),
    };
    let mut queue = WriteQueueState {
        waiting: vec![waiting(0, AdmissionClass::Unauthenticated, true)],
        ..WriteQueueState::default()
    };
    let mut order = Vec::new();
    for number in 1..10 {
        queue
            .waiting
            .push(waiting(number, AdmissionClass::Authenticated, false));
        queue.start_next().unwrap();
        order.push(queue.current.unwrap());
    }
    assert_eq!(order, [1, 2, 3, 4, 0, 5, 6, 7, 8]);
    // nor does a possible shared transaction let a later writer pass
    let mut queue = WriteQueueState {
        waiting: vec![
            waiting(1, AdmissionClass::Familiar, true),
            waiting(0, AdmissionClass::Familiar, false),
        ],
        ..queue
    };
    assert!(queue.start_next_if(|one| one.may_join).is_none());
    queue.waiting.retain(|one| one.may_join);
    assert!(queue.start_next_if(|one| one.may_join).is_some());
}

#[test]
fn a_writer_gives_up_after_the_time_limit() {
    let queue = WriteQueue::of_store((0, 3));
    let first = acquire(&queue);
    let gives_up = || assert!(queue.acquire(AdmissionClass::Familiar, true).is_none());
    thread::scope(|scope| scope.spawn(gives_up).join().unwrap());
    assert!(queue.lock().waiting.is_empty());
    drop(first);
    assert_eq!(queue.lock().current, None);
}

/// A new store, and its write queue.
struct TestStore {
    _folder: tempfile::TempDir,
    path: PathBuf,
    queue: Arc<WriteQueue>,
}

fn opened(path: &Path) -> Store {
    Store(Database::Sqlite(Box::new(SqliteStore::open(path).unwrap())))
}

fn sqlite(store: &Store) -> &SqliteStore {
    match &store.0 {
        Database::Sqlite(store) => store,
        Database::Postgres(_) => panic!("the store is a file"),
    }
}

fn connection(store: &Store) -> &rusqlite::Connection {
    &sqlite(store).open_connection().unwrap().connection
}

impl TestStore {
    fn new() -> TestStore {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store/postern.db");
        let queue = Arc::clone(&sqlite(&new_store(&folder)).write_queue);
        TestStore {
            _folder: folder,
            path,
            queue,
        }
    }

    /// Starts an attempt on a thread of its own, once the expected number waits.
    fn attempt(
        &self,
        waiting: usize,
        act: impl FnOnce(Transaction<'_>) -> StoreResult<()> + Send + 'static,
    ) -> JoinHandle<StoreResult<()>> {
        self.attempt_on(opened(&self.path), waiting, act)
    }

    fn attempt_on(
        &self,
        mut store: Store,
        waiting: usize,
        act: impl FnOnce(Transaction<'_>) -> StoreResult<()> + Send + 'static,
    ) -> JoinHandle<StoreResult<()>> {
        let thread = thread::spawn(move || act(store.begin(Intent::Attempt)?));
        wait_until_waiting(&self.queue, waiting);
        thread
    }

    fn used(&self) -> Vec<u8> {
        let mut store = opened(&self.path);
        let mut tx = store.begin(Intent::Read).unwrap();
        (0..100)
            .filter(|number| tx.step_floor(&fingerprint(*number)).unwrap().is_some())
            .collect()
    }
}

fn fingerprint(number: u8) -> SecretFingerprint {
    SecretFingerprint([number; 32])
}

/// Returns an attempt that marks a code as used and commits.
fn uses(number: u8) -> impl FnOnce(Transaction<'_>) -> StoreResult<()> {
    move |mut tx| {
        tx.raise_floor(&fingerprint(number), Step(1))?;
        tx.commit()
    }
}

#[test]
fn attempts_that_wait_share_a_commit_and_one_that_fails_is_undone_alone() {
    let test = TestStore::new();
    let mut store = opened(&test.path);
    uses(0)(store.begin(Intent::Attempt).unwrap()).unwrap();
    // an attempt that arrives after the transaction began gets its own
    let mut first = store.begin(Intent::Write).unwrap();
    first.raise_floor(&fingerprint(1), Step(1)).unwrap();
    let leader = test.attempt(1, uses(2));
    let fails = test.attempt(2, |mut tx| {
        tx.raise_floor(&fingerprint(3), Step(1))?;
        Err(StoreError::Full)
    });
    let panics = test.attempt(3, |mut tx| {
        tx.raise_floor(&fingerprint(4), Step(1))?;
        panic!("within its part")
    });
    let last = test.attempt(4, uses(5));
    let commits = |store: &Store| -> i64 {
        let own = connection(store);
        own.query_row("PRAGMA data_version", [], |row| row.get(0))
            .unwrap()
    };
    let watch = opened(&test.path);
    let before = commits(&watch);
    first.commit().unwrap();
    leader.join().unwrap().unwrap();
    assert!(matches!(fails.join().unwrap(), Err(StoreError::Full)));
    assert!(panics.join().is_err());
    last.join().unwrap().unwrap();
    assert_eq!(test.used(), [0, 1, 2, 5]);
    assert_ne!(commits(&watch), before);
    let queue = test.queue.lock();
    assert!(queue.current.is_none() && queue.waiting.is_empty() && queue.finished.is_empty());
    assert!(queue.handed_over.is_none());
}

#[test]
fn no_attempt_returns_before_the_commit() {
    let test = TestStore::new();
    let mut store = opened(&test.path);
    let first = store.begin(Intent::Write).unwrap();
    let leader = test.attempt(1, uses(1));
    let second = test.attempt(2, uses(2));
    let (answered, is_answered) = mpsc::channel::<()>();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let breaks = test.attempt(3, move |mut tx| {
        tx.raise_floor(&fingerprint(3), Step(1))?;
        // the two attempts before have finished their part
        answered.send(()).unwrap();
        goes_on.recv().unwrap();
        Err(StoreError::Full)
    });
    first.commit().unwrap();
    is_answered.recv().unwrap();
    assert!(!leader.is_finished() && !second.is_finished());
    assert_eq!(test.used(), [] as [u8; 0]);
    go_on.send(()).unwrap();
    assert!(breaks.join().unwrap().is_err());
    leader.join().unwrap().unwrap();
    second.join().unwrap().unwrap();
    assert_eq!(test.used(), [1, 2]);
}

#[test]
fn a_failed_commit_fails_for_the_whole_group_and_not_for_the_next_attempt() {
    let test = TestStore::new();
    let mut store = opened(&test.path);
    let first = store.begin(Intent::Write).unwrap();
    let leads = opened(&test.path);
    let own = connection(&leads);
    own.commit_hook(Some(|| true)).unwrap();
    let leader = test.attempt_on(leads, 1, uses(1));
    // and for an attempt that only reads what they wrote
    let reads = |mut tx: Transaction<'_>| {
        assert!(tx.step_floor(&fingerprint(1))?.is_some());
        tx.commit()
    };
    let others = [
        test.attempt(2, uses(2)),
        test.attempt(3, uses(3)),
        test.attempt(4, reads),
    ];
    first.commit().unwrap();
    assert!(leader.join().unwrap().is_err());
    for other in others {
        assert!(other.join().unwrap().is_err());
    }
    assert_eq!(test.used(), [] as [u8; 0]);
    uses(4)(store.begin(Intent::Attempt).unwrap()).unwrap();
    assert_eq!(test.used(), [4]);
}

#[test]
fn a_permit_dropped_by_a_panic_blocks_no_other_writer() {
    let test = TestStore::new();
    let mut store = opened(&test.path);
    let first = store.begin(Intent::Write).unwrap();
    let leader = test.attempt(1, uses(1));
    let queue = Arc::clone(&test.queue);
    let lost = thread::spawn(move || {
        let (permit, connection) = queue.acquire(AdmissionClass::Familiar, true).unwrap();
        assert!(permit.has_joined() && connection.is_some());
    });
    wait_until_waiting(&test.queue, 2);
    first.commit().unwrap();
    lost.join().unwrap();
    assert!(leader.join().unwrap().is_err());
    uses(2)(store.begin(Intent::Attempt).unwrap()).unwrap();
    assert_eq!(test.used(), [2]);
}

/// Attempts that share transactions lose no write, accept no code twice and lose no permit.
#[test]
fn many_concurrent_attempts_use_each_code_once() {
    const THREADS: u8 = 12;
    const CODES: u8 = 40;
    let test = TestStore::new();
    let accepted = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (accepted, path) = (&accepted, &test.path);
            scope.spawn(move || {
                let mut store = opened(path);
                for code in 0..CODES {
                    let mut tx = store.begin(Intent::Attempt).unwrap();
                    if tx.step_floor(&fingerprint(code)).unwrap().is_some()
                        || (code + thread) % 7 == 0
                    {
                        continue;
                    }
                    tx.raise_floor(&fingerprint(code), Step(1)).unwrap();
                    tx.commit().unwrap();
                    accepted.lock().unwrap().push(code);
                }
            });
        }
    });
    let mut accepted = accepted.into_inner().unwrap();
    accepted.sort_unstable();
    assert_eq!(accepted, test.used());
    assert_eq!(accepted.len(), usize::from(CODES));
    assert_eq!(test.queue.lock().current, None);
}
