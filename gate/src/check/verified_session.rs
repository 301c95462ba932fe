//! Session cookies that a worker has verified, so that the next request with the same cookie costs
//! neither its signature nor its decoding. A page loads many resources with one cookie.
//!
//! Each worker has its own memory of them, without a lock. It holds no cookie: an entry is found by a
//! keyed hash of 128 bits, whose key the worker made by itself, so that only the very same cookie
//! finds it.
//!
//! MUST keep nothing but what follows from the cookie, the token keys and the configuration. Expiry,
//! revocation, idle time and rules are evaluated at each check.

use super::identity_headers::IdentityHeaders;
use lru::LruCache;
use postern_shared::config::Config;
use postern_shared::credential::secret::fill_random;
use postern_shared::crypto::vault::TokenKeys;
use postern_shared::token::session::Session;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::borrow::Borrow;
use std::cell::RefCell;
use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use zeroize::Zeroizing;

/// Limit on the sessions that a worker keeps. One needs 1 to 4 KiB.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(512).expect("more than none");

thread_local! {
    /// `None` where the system gave no random bytes: then each cookie is verified.
    static VERIFIED: Option<RefCell<VerifiedSessions>> = VerifiedSessions::new().map(RefCell::new);
}

/// A session whose signature is right, with the headers that an application receives for it.
#[derive(Clone)]
pub(crate) struct VerifiedSession(Rc<Verified>);

struct Verified {
    session: Session,
    /// `None` if a value is no header value.
    identity: Option<IdentityHeaders>,
    /// The keys and the configuration that it was verified with.
    keys: [u8; 32],
    config: Weak<Config>,
}

impl Borrow<Session> for VerifiedSession {
    fn borrow(&self) -> &Session {
        &self.0.session
    }
}

impl VerifiedSession {
    /// Returns the session of a cookie if its signature is right.
    pub(crate) fn verify(
        config: &Arc<Config>,
        keys: &TokenKeys,
        cookie: &str,
    ) -> Option<VerifiedSession> {
        VERIFIED.with(|verified| match verified {
            None => VerifiedSession::decode(config, keys, cookie),
            Some(verified) => verified.borrow_mut().verify(config, keys, cookie),
        })
    }

    fn decode(config: &Arc<Config>, keys: &TokenKeys, cookie: &str) -> Option<VerifiedSession> {
        let session = Session::from_cookie(cookie, keys)?;
        Some(VerifiedSession(Rc::new(Verified {
            identity: IdentityHeaders::of_user(
                config,
                &session.name,
                &session.groups,
                session.email.as_ref(),
            ),
            session,
            keys: keys.fingerprint(),
            config: Arc::downgrade(config),
        })))
    }

    /// Returns the headers that an application receives for the session's user.
    pub(crate) fn identity(&self) -> Option<&IdentityHeaders> {
        self.0.identity.as_ref()
    }

    fn is_of(&self, config: &Arc<Config>, keys: &TokenKeys) -> bool {
        self.0.keys == keys.fingerprint() && std::ptr::eq(self.0.config.as_ptr(), &**config)
    }
}

struct VerifiedSessions {
    key: Zeroizing<[u8; 16]>,
    by_cookie: LruCache<u128, VerifiedSession, BuildHasherDefault<FirstHalf>>,
}

impl VerifiedSessions {
    fn new() -> Option<VerifiedSessions> {
        let mut key = Zeroizing::new([0; 16]);
        fill_random(&mut *key).ok()?;
        Some(VerifiedSessions {
            key,
            by_cookie: LruCache::with_hasher(CAPACITY, BuildHasherDefault::default()),
        })
    }

    fn verify(
        &mut self,
        config: &Arc<Config>,
        keys: &TokenKeys,
        cookie: &str,
    ) -> Option<VerifiedSession> {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(cookie.as_bytes());
        let hash = hasher.finish128().as_u128();
        match self.by_cookie.get(&hash) {
            Some(known) if known.is_of(config, keys) => return Some(known.clone()),
            _ => {}
        }
        let decoded = VerifiedSession::decode(config, keys, cookie)?;
        self.by_cookie.put(hash, decoded.clone());
        Some(decoded)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::cookies::sample_session;
    use postern_shared::crypto::master_key::MasterKeys;
    use postern_shared::crypto::vault::Vault;
    use postern_shared::token::session::{SecondFactorMethod, SessionId};

    fn keys() -> TokenKeys {
        let (masters, _) = MasterKeys::generate().unwrap();
        Vault::open(&masters, &Vault::create(&masters).unwrap())
            .unwrap()
            .token_keys()
    }

    fn cookie(name: &str, keys: &TokenKeys) -> String {
        let id = SessionId::random().unwrap();
        sample_session(name, id, SecondFactorMethod::Code).to_cookie(keys)
    }

    #[test]
    fn a_cookie_is_verified_once_and_each_has_its_own_user() {
        let (config, keys) = (Arc::new(Config::default()), keys());
        let verify = |cookie: &str| VerifiedSession::verify(&config, &keys, cookie).unwrap();
        let (alice, bob) = (cookie("alice", &keys), cookie("bob", &keys));
        let (first, other, again) = (verify(&alice), verify(&bob), verify(&alice));
        assert!(Rc::ptr_eq(&first.0, &again.0) && !Rc::ptr_eq(&first.0, &other.0));
        assert_eq!(first.identity().unwrap().user(), "alice");
        assert_eq!(other.identity().unwrap().user(), "bob");
    }

    /// Every byte counts, also those that follow a valid beginning.
    #[test]
    fn a_changed_cookie_is_not_the_verified_one() {
        let (config, keys) = (Arc::new(Config::default()), keys());
        let cookie = cookie("alice", &keys);
        assert!(VerifiedSession::verify(&config, &keys, &cookie).is_some());
        for at in 0..cookie.len() {
            let mut bytes = cookie.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(VerifiedSession::verify(&config, &keys, &changed).is_none());
        }
        for cut in [&cookie[..cookie.len() - 1], &format!("{cookie}A")] {
            assert!(VerifiedSession::verify(&config, &keys, cut).is_none());
        }
    }

    #[test]
    fn what_other_keys_verified_is_not_valid() {
        let (config, keys, renewed) = (Arc::new(Config::default()), keys(), self::keys());
        let cookie = cookie("alice", &keys);
        for _ in 0..2 {
            assert!(VerifiedSession::verify(&config, &keys, &cookie).is_some());
            assert!(VerifiedSession::verify(&config, &renewed, &cookie).is_none());
        }
    }

    #[test]
    fn a_new_configuration_declares_other_headers() {
        let (before, keys) = (Arc::new(Config::default()), keys());
        let after = Arc::new(Config::default());
        let cookie = cookie("alice", &keys);
        let first = VerifiedSession::verify(&before, &keys, &cookie).unwrap();
        let second = VerifiedSession::verify(&after, &keys, &cookie).unwrap();
        assert!(!Rc::ptr_eq(&first.0, &second.0));
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let (config, keys) = (Arc::new(Config::default()), keys());
        let first = cookie("alice", &keys);
        let before = VerifiedSession::verify(&config, &keys, &first).unwrap();
        for _ in 0..CAPACITY.get() {
            VerifiedSession::verify(&config, &keys, &cookie("bob", &keys)).unwrap();
        }
        VERIFIED.with(|verified| {
            let verified = verified.as_ref().unwrap().borrow();
            assert_eq!(verified.by_cookie.len(), CAPACITY.get());
        });
        let after = VerifiedSession::verify(&config, &keys, &first).unwrap();
        assert!(!Rc::ptr_eq(&before.0, &after.0));
    }
}
