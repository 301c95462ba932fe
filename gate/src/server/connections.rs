//! The connections that are open: how many there may be at once, and which of them go when there are more, when
//! nothing is asked, and when the gate ends.

use crate::http::memory_limit::{Held, Memory, OfConnection};
use crate::observe::log;
use hyper::Request;
use hyper::body::Body;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use shared::network::address::Address;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Connections open at once.
const MOST: usize = 4096;
/// Descriptors for all else: stores, listeners, questions to the host, files.
const OTHERS: usize = 256;
/// Room is made by one in so many of them, so that looking for the oldest is worth it.
const SHARE: usize = 64;
/// One address has one in so many of them, unless it is a proxy's.
const OF_ADDRESS: usize = 8;

/// All of them.
pub(crate) struct Connections {
    most: usize,
    room: Arc<Semaphore>,
    open: Mutex<OpenSeat>,
    memory: Arc<Memory>,
    numbers: AtomicU64,
    began: Instant,
    crowded: AtomicBool,
}

/// Those that are open, and how many of them each address has.
#[derive(Default)]
struct OpenSeat {
    activities: HashMap<u64, Arc<ConnectionActivity>>,
    addresses: HashMap<String, usize>,
}

/// What one of them does.
struct ConnectionActivity {
    /// Its address; none of proxies.
    from: Option<String>,
    /// When it came, or asked last, in nanoseconds since the gate began.
    heard: AtomicU64,
    /// Requests that are not answered yet.
    asking: AtomicU32,
    /// It has to go.
    leave: Notify,
    /// Answers that are not sent yet, and how many were.
    unsent: AtomicU32,
    sent: AtomicU64,
    is_watched: AtomicBool,
    held: OfConnection,
}

impl Connections {
    /// As many as there can be descriptors for. A store that cannot be opened would let nobody in, so connections
    /// never take the last ones.
    pub(crate) fn affordable() -> Arc<Connections> {
        let wanted = MOST + OTHERS;
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(OTHERS as u64, |(soft, hard)| {
            let raised = hard.min(wanted as u64).max(soft);
            // the softer limit is enough to go on with
            setrlimit(Resource::RLIMIT_NOFILE, raised, hard).map_or(soft, |()| raised)
        });
        let most = usize::try_from(limit)
            .unwrap_or(wanted)
            .saturating_sub(OTHERS)
            .clamp(16, MOST);
        if most < MOST {
            log::write_message(format_args!(
                "accepts {most} connections at once instead of {MOST}, because the limit on open files is {limit}; set LimitNOFILE={wanted} or more in its unit"
            ));
        }
        Arc::new(Connections::of(most))
    }

    fn of(most: usize) -> Connections {
        Connections {
            most,
            room: Arc::new(Semaphore::new(most)),
            open: Mutex::default(),
            memory: Arc::default(),
            numbers: AtomicU64::new(0),
            began: Instant::now(),
            crowded: AtomicBool::new(false),
        }
    }

    /// A seat for one more, from an address that is no proxy's, or from a proxy. If all are taken, those go that have
    /// asked nothing for longest, and none that waits for its answer before one that does not: idle connections cannot
    /// keep others waiting, and a new one has its seat for as long as it takes thousands of newer ones to come. An
    /// address that has more than its share ends its own.
    pub(crate) async fn seat(
        self: &Arc<Connections>,
        from: Option<Address>,
    ) -> std::io::Result<ConnectionPermit> {
        let from = from.map(Address::key);
        if let Some(from) = &from {
            self.make_room_of(from);
        }
        let permit = match Arc::clone(&self.room).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.make_room();
                // nobody closes the semaphore
                Arc::clone(&self.room)
                    .acquire_owned()
                    .await
                    .map_err(std::io::Error::other)?
            }
        };
        if self.room.available_permits() > self.most / 4 {
            self.crowded.store(false, Ordering::Relaxed);
        }
        let came = self.now();
        let activity = Arc::new(ConnectionActivity {
            from: from.clone(),
            heard: AtomicU64::new(came),
            asking: AtomicU32::new(0),
            leave: Notify::new(),
            unsent: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            is_watched: AtomicBool::new(false),
            held: OfConnection::default(),
        });
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open();
        open.activities.insert(number, Arc::clone(&activity));
        if let Some(from) = from {
            *open.addresses.entry(from).or_default() += 1;
        }
        drop(open);
        Ok(ConnectionPermit {
            all: Arc::clone(self),
            number,
            came,
            activity,
            _permit: permit,
        })
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.most.saturating_sub(self.room.available_permits())
    }

    fn make_room(&self) {
        let mut open = self.open();
        let mut oldest: Vec<_> = open
            .activities
            .iter()
            .map(|(number, one)| (one.age(), *number))
            .collect();
        let few = oldest.len() / SHARE;
        // none are left if all are about to go
        if few < oldest.len() {
            oldest.select_nth_unstable(few);
            for (_, number) in &oldest[..=few] {
                if let Some(one) = open.activities.remove(number) {
                    one.leave.notify_one();
                }
            }
        }
        if !self.crowded.swap(true, Ordering::Relaxed) {
            log::write_message(format_args!(
                "all {} connections are in use; each new one now closes those that have been idle longest; ss -tx shows who opens so many",
                self.most
            ));
        }
    }

    /// Ends the oldest of an address that has its share.
    fn make_room_of(&self, from: &str) {
        let mut open = self.open();
        if open
            .addresses
            .get(from)
            .is_none_or(|count| *count < self.most / OF_ADDRESS)
        {
            return;
        }
        let own = open
            .activities
            .iter()
            .filter(|(_, one)| one.from.as_deref() == Some(from));
        let oldest = own
            .min_by_key(|(_, one)| one.age())
            .map(|(number, _)| *number);
        if let Some(one) = oldest.and_then(|number| open.activities.remove(&number)) {
            one.leave.notify_one();
        }
    }

    /// The gate ends: whoever asks nothing right now goes at once.
    pub(crate) fn end_idle(&self) {
        for one in self.open().activities.values() {
            if one.asking.load(Ordering::Acquire) == 0 {
                one.leave.notify_one();
            }
        }
    }

    /// Each change is one insertion or removal: a panic cannot leave it half done.
    fn open(&self) -> MutexGuard<'_, OpenSeat> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl ConnectionActivity {
    /// Whoever waits for an answer goes last, and else who asked longest ago goes first.
    fn age(&self) -> (bool, u64) {
        (
            self.asking.load(Ordering::Acquire) > 0,
            self.heard.load(Ordering::Relaxed),
        )
    }
}

/// The seat of one connection.
pub(crate) struct ConnectionPermit {
    all: Arc<Connections>,
    number: u64,
    came: u64,
    activity: Arc<ConnectionActivity>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionPermit {
    /// A request begins; it lasts until what this returns is dropped.
    pub(crate) fn asks(&self) -> ActiveRequest {
        self.activity.heard.store(self.all.now(), Ordering::Relaxed);
        self.activity.asking.fetch_add(1, Ordering::AcqRel);
        ActiveRequest(Arc::clone(&self.activity))
    }

    /// The memory that a request holds, if there is so much; of a browser, its address is known.
    pub(crate) fn holds<B: Body>(
        &self,
        address: Option<Address>,
        request: &Request<B>,
    ) -> Option<Held> {
        self.all.memory.take(&self.activity.held, address, request)
    }

    /// An answer is to be sent; it is, or the connection is gone, when what this returns is dropped. A connection whose
    /// peer takes none of its answers for so long has to go.
    pub(crate) fn sends(&self, patience: Duration) -> Sending {
        let activity = &self.activity;
        activity.unsent.fetch_add(1, Ordering::AcqRel);
        if !activity.is_watched.swap(true, Ordering::AcqRel) {
            let watched = Arc::downgrade(activity);
            tokio::spawn(async move {
                let mut sent = None;
                loop {
                    tokio::time::sleep(patience).await;
                    let Some(activity) = watched.upgrade() else {
                        return;
                    };
                    if activity.unsent.load(Ordering::Acquire) == 0 {
                        activity.is_watched.store(false, Ordering::Release);
                        return;
                    }
                    let now = activity.sent.load(Ordering::Acquire);
                    if sent.replace(now) == Some(now) {
                        return activity.leave.notify_one();
                    }
                }
            });
        }
        Sending(Arc::clone(activity))
    }

    /// Waits until the connection has to go: others need its seat, the gate ends, or it has asked nothing at all
    /// for so long. hyper's own timer starts with the first byte only.
    pub(crate) async fn ends(&self, patience: Duration) {
        let leave = self.activity.leave.notified();
        if let Ok(()) = tokio::time::timeout(patience, leave).await {
            return;
        }
        if self.activity.heard.load(Ordering::Relaxed) != self.came {
            self.activity.leave.notified().await;
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.all.open();
        open.activities.remove(&self.number);
        let Some(from) = &self.activity.from else {
            return;
        };
        match open.addresses.get_mut(from) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.addresses.remove(from)),
        }
    }
}

/// An answer that is not sent yet.
pub(crate) struct Sending(Arc<ConnectionActivity>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.sent.fetch_add(1, Ordering::AcqRel);
        self.0.unsent.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request that is not answered yet.
pub(crate) struct ActiveRequest(Arc<ConnectionActivity>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(5);
    const NEVER: Duration = Duration::from_secs(3600);

    fn run(story: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(story);
    }

    async fn has_to_go(seat: &ConnectionPermit) -> bool {
        timeout(Duration::from_millis(1), seat.ends(NEVER))
            .await
            .is_ok()
    }

    #[test]
    fn whoever_asked_nothing_for_longest_makes_room() {
        run(async {
            let all = Arc::new(Connections::of(3));
            let first = all.seat(None).await.unwrap();
            let second = all.seat(None).await.unwrap();
            let _third = all.seat(None).await.unwrap();
            drop(first.asks());
            let (new, ()) = tokio::join!(timeout(SOON, all.seat(None)), async {
                second.ends(NEVER).await;
                drop(second);
            });
            assert!(new.unwrap().is_ok());
            assert!(!has_to_go(&first).await, "it came first, and asked since");
            assert!(all.crowded.load(Ordering::Relaxed));
        });
    }

    #[test]
    fn nobody_goes_while_there_is_room() {
        run(async {
            let all = Arc::new(Connections::of(2));
            let first = all.seat(None).await.unwrap();
            let second = all.seat(None).await.unwrap();
            drop(second);
            let _third = all.seat(None).await.unwrap();
            assert!(!has_to_go(&first).await && !all.crowded.load(Ordering::Relaxed));
        });
    }

    #[test]
    fn whoever_never_asks_goes_after_a_while() {
        run(async {
            let all = Arc::new(Connections::of(2));
            let (silent, other) = (all.seat(None).await.unwrap(), all.seat(None).await.unwrap());
            drop(other.asks());
            assert!(timeout(SOON, silent.ends(Duration::ZERO)).await.is_ok());
            let kept = timeout(Duration::from_millis(1), other.ends(Duration::ZERO)).await;
            assert!(kept.is_err(), "between two requests hyper's timer counts");
        });
    }

    /// Thousands of connections ended the one that waited for its answer.
    #[test]
    fn whoever_waits_for_an_answer_goes_after_whoever_does_not() {
        run(async {
            let all = Arc::new(Connections::of(2));
            let waits = all.seat(None).await.unwrap();
            let asking = waits.asks();
            let idle = all.seat(None).await.unwrap();
            drop(idle.asks());
            let (new, ()) = tokio::join!(timeout(SOON, all.seat(None)), async {
                idle.ends(NEVER).await;
                drop(idle);
            });
            assert!(new.unwrap().is_ok() && !has_to_go(&waits).await);
            drop(asking);
        });
    }

    #[test]
    fn an_address_with_more_than_its_share_ends_its_own() {
        run(async {
            let all = Arc::new(Connections::of(8 * OF_ADDRESS));
            let address = |text: &str| Address::parse(text);
            let other = all.seat(address("192.0.2.1")).await.unwrap();
            let mut own = Vec::new();
            for host in 0..9 {
                // one /64
                own.push(
                    all.seat(address(&format!("2001:db8::{host}")))
                        .await
                        .unwrap(),
                );
            }
            assert!(
                has_to_go(&own[0]).await && !has_to_go(&own[1]).await && !has_to_go(&other).await
            );
            own.clear();
            drop(other);
            assert!(all.open().addresses.is_empty());
        });
    }

    #[test]
    fn whoever_takes_no_answer_goes_after_a_while() {
        run(async {
            let all = Arc::new(Connections::of(2));
            let (stuck, reads) = (all.seat(None).await.unwrap(), all.seat(None).await.unwrap());
            let unsent = stuck.sends(Duration::from_millis(5));
            drop(reads.sends(Duration::from_millis(5)));
            assert!(timeout(SOON, stuck.ends(NEVER)).await.is_ok());
            assert!(!has_to_go(&reads).await);
            drop(unsent);
        });
    }

    #[test]
    fn at_the_end_whoever_waits_for_an_answer_stays() {
        run(async {
            let all = Arc::new(Connections::of(2));
            let (idle, other) = (all.seat(None).await.unwrap(), all.seat(None).await.unwrap());
            let asking = other.asks();
            all.end_idle();
            assert!(has_to_go(&idle).await && !has_to_go(&other).await);
            drop(asking);
        });
    }
}
