//! What a worker has found out about secret texts such as cookies, so that it need not find out again.
//!
//! Each worker has its own memory, without a lock. It holds no text: an entry is found by a keyed
//! hash of 128 bits, whose key the worker made by itself, so that only the very same text finds it.
//!
//! Another text with the same hash would give no more than what the known text itself gives. That of
//! another user has a signature that its owner alone knows, so that its hash cannot be aimed at, even
//! by one who knew the key. SipHash-1-3 therefore suffices, at half the cost of SipHash-2-4.

use lru::LruCache;
use postern_shared::system::random::fill_random;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroUsize;
use zeroize::Zeroizing;

/// Limit on entries. The one that was used least recently is displaced.
pub(super) const CAPACITY: NonZeroUsize = NonZeroUsize::new(512).expect("more than none");

pub(super) struct KeyedCache<V> {
    key: Zeroizing<[u8; 16]>,
    entries: LruCache<u128, V, BuildHasherDefault<FirstHalf>>,
}

impl<V> KeyedCache<V> {
    /// Makes an empty cache, `None` where the system gave no random bytes.
    pub(super) fn new() -> Option<KeyedCache<V>> {
        let mut key = Zeroizing::new([0; 16]);
        fill_random(&mut *key).ok()?;
        Some(KeyedCache {
            key,
            entries: LruCache::with_hasher(CAPACITY, BuildHasherDefault::default()),
        })
    }

    /// Returns the hash of a text, by which its entry is found.
    pub(super) fn hash(&self, text: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(text);
        hasher.finish128().as_u128()
    }

    pub(super) fn get(&mut self, hash: u128) -> Option<&V> {
        self.entries.get(&hash)
    }

    pub(super) fn put(&mut self, hash: u128, value: V) {
        self.entries.put(hash, value);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// The first half of a key that is a hash itself.
#[derive(Default)]
struct FirstHalf(u64);

impl Hasher for FirstHalf {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
