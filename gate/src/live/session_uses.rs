//! When each session was used last, to the minute, for `gate.idle_timeout`.
//!
//! A check reads and writes one word of a fixed table of atomics: no disk, no lock. What the table
//! does not know counts as not used since the session was opened, so that every loss ends sessions
//! early and none lasts longer. The store learns of uses once a minute, and the table of those that
//! other gates stored.

use postern_shared::engine::{Engine, EngineError};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::{Session, SessionId};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of a slot that hold the minute, until the year 2097. The other bits begin the session's id.
const MINUTE_BITS: u32 = 26;
const MINUTES: u64 = (1 << MINUTE_BITS) - 1;
/// Buckets of each level. A level is allocated when a session finds no place in those before. All
/// of them hold 3,489,792 sessions in 27 MiB; a million needs them all, a thousand 128 KiB.
const LEVELS: [usize; 5] = [1 << 11, 1 << 13, 1 << 15, 1 << 17, 1 << 18];
const SLOTS: usize = 8;
/// Sessions that one transaction reads.
const PAGE: u32 = 1000;

/// The sessions that share a place: one line of the processor's cache.
#[derive(Default)]
#[repr(align(64))]
struct Bucket([AtomicU64; SLOTS]);

pub(crate) struct SessionUses {
    levels: [OnceLock<Box<[Bucket]>>; LEVELS.len()],
}

/// A session's place in every level, and the bits that tell it from others there.
struct SlotPosition {
    tag: u64,
    hash: u64,
}

impl SlotPosition {
    fn of(id: SessionId) -> SlotPosition {
        let number = u128::from_be_bytes(id.0);
        // both halves are random
        let (front, hash) = ((number >> 64) as u64, number as u64);
        SlotPosition {
            // an empty slot is 0
            tag: (front >> MINUTE_BITS).max(1),
            hash,
        }
    }

    fn bucket<'a>(&self, level: &'a [Bucket]) -> &'a Bucket {
        &level[(self.hash % level.len() as u64) as usize]
    }

    fn with_minute(&self, minute: u64) -> u64 {
        self.tag << MINUTE_BITS | minute.min(MINUTES)
    }

    fn fills(&self, slot: u64) -> bool {
        slot >> MINUTE_BITS == self.tag
    }
}

impl SessionUses {
    pub(crate) fn new() -> SessionUses {
        SessionUses {
            levels: [const { OnceLock::new() }; LEVELS.len()],
        }
    }

    /// Records that a session is used now. Returns false if it was not used for `timeout` seconds
    /// before, and records nothing then.
    pub(crate) fn record_use(&self, session: &Session, timeout: u64, now: Timestamp) -> bool {
        let (place, minute) = (SlotPosition::of(session.id), minute_of(now));
        let known = self.find(&place).map(|(_, value)| value & MINUTES);
        if known == Some(minute) {
            return true;
        }
        // A use in the future, by a clock that was set back, is none.
        let known = known.filter(|known| *known <= minute + 1);
        // The use may have been at the end of its minute.
        let last = known.map_or(Timestamp(0), |known| Timestamp((known + 1) * 60));
        if now.since(last.max(session.opened)) >= timeout {
            return false;
        }
        self.store(&place, minute, minute.saturating_sub(timeout / 60 + 2));
        true
    }

    /// Returns when a session was used last, at the beginning of that minute.
    fn last_use(&self, id: SessionId) -> Option<Timestamp> {
        let (_, value) = self.find(&SlotPosition::of(id))?;
        Some(Timestamp((value & MINUTES) * 60))
    }

    /// Takes a use that the store knows of.
    fn learn(&self, id: SessionId, at: Timestamp, timeout: u64, now: Timestamp) {
        let (place, minute) = (SlotPosition::of(id), minute_of(at));
        let oldest = minute_of(now).saturating_sub(timeout / 60 + 2);
        let known = self.find(&place).map(|(_, value)| value & MINUTES);
        let is_newer = known.is_none_or(|known| known < minute);
        if is_newer && minute >= oldest && at <= now.plus(60) {
            self.store(&place, minute, oldest);
        }
    }

    fn find(&self, place: &SlotPosition) -> Option<(&AtomicU64, u64)> {
        let levels = self.levels.iter().map_while(OnceLock::get);
        levels
            .flat_map(|level| &place.bucket(level).0)
            .map(|slot| (slot, slot.load(Ordering::Relaxed)))
            .find(|(_, value)| place.fills(*value))
    }

    /// Writes a use: over the session's earlier one, else into a slot that is empty or whose session
    /// was used last before `oldest`, else over the oldest use in the last level.
    fn store(&self, place: &SlotPosition, minute: u64, oldest: u64) {
        let new = place.with_minute(minute);
        // Another use of this session, or of one in the same place, may win. After a few tries the
        // use is lost, as if it were not recorded.
        for _ in 0..SLOTS {
            let (slot, seen) = match self.find(place) {
                Some(found) => found,
                None => self.free_slot(place, minute, oldest),
            };
            if place.fills(seen) && seen >= new && seen & MINUTES <= minute + 1 {
                return;
            }
            let replaced = slot.compare_exchange(seen, new, Ordering::Relaxed, Ordering::Relaxed);
            if replaced.is_ok() {
                return;
            }
        }
    }

    fn free_slot(&self, place: &SlotPosition, minute: u64, oldest: u64) -> (&AtomicU64, u64) {
        let is_free = |value: u64| {
            let at = value & MINUTES;
            value == 0 || at < oldest || at > minute + 1
        };
        let mut last: Option<(&AtomicU64, u64)> = None;
        for (level, buckets) in self.levels.iter().zip(LEVELS) {
            let level = level.get_or_init(|| (0..buckets).map(|_| Bucket::default()).collect());
            let slots = place.bucket(level).0.iter();
            let mut slots = slots.map(|slot| (slot, slot.load(Ordering::Relaxed)));
            if let Some(free) = slots.clone().find(|(_, value)| is_free(*value)) {
                return free;
            }
            last = slots.by_ref().min_by_key(|(_, value)| value & MINUTES);
        }
        last.expect("a level has slots")
    }

    /// Returns the bits that begin the ids of the sessions that were used in or after a minute.
    fn used_since(&self, minute: u64) -> Vec<u64> {
        let levels = self.levels.iter().map_while(OnceLock::get);
        let slots = levels.flat_map(|level| level.iter().flat_map(|bucket| &bucket.0));
        slots
            .map(|slot| slot.load(Ordering::Relaxed))
            .filter(|value| value & MINUTES >= minute && *value != 0)
            .map(|value| value >> MINUTE_BITS)
            .collect()
    }

    /// Reads all uses that the store knows of.
    pub(crate) fn load(
        &self,
        engine: &mut Engine,
        timeout: u64,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let mut after = SessionId([0; 16]);
        loop {
            let page = engine.sessions().session_uses(after, PAGE, now)?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = *last;
            for (id, at) in page {
                self.learn(id, at, timeout, now);
            }
        }
    }

    /// Stores the uses of sessions since `since`, and reads those that other gates stored.
    pub(crate) fn synchronize(
        &self,
        engine: &mut Engine,
        timeout: u64,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        for front in self.used_since(minute_of(since)).chunks(PAGE as usize) {
            let mut uses = Vec::new();
            for tag in front {
                let bits = u128::from(*tag) << MINUTE_BITS << 64;
                let ids = (bits, bits | ((1 << (MINUTE_BITS + 64)) - 1));
                let ids = (ids.0.to_be_bytes(), ids.1.to_be_bytes());
                let ids = (SessionId(ids.0), SessionId(ids.1));
                for (id, stored) in engine.sessions().session_uses_between(ids, now)? {
                    let used = self.last_use(id).filter(|used| *used > stored);
                    uses.extend(used.map(|used| (id, used)));
                }
            }
            engine.sessions().record_session_uses(&uses)?;
        }
        match engine.sessions().has_other_gates()? {
            true => self.load(engine, timeout, now),
            false => Ok(()),
        }
    }
}

fn minute_of(time: Timestamp) -> u64 {
    time.0 / 60
}

#[cfg(test)]
mod tests;
