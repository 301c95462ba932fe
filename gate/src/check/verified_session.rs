//! Session cookies that a worker has verified, so that the next request with the same cookie costs
//! neither its signature nor its decoding. A page loads many resources with one cookie.
//!
//! MUST keep nothing but what follows from the cookie, the token keys and the configuration. Expiry,
//! revocation, idle time and rules are evaluated at each check.

use super::identity_headers::IdentityHeaders;
use super::keyed_cache::KeyedCache;
use postern_shared::config::Config;
use postern_shared::crypto::vault::TokenKeys;
use postern_shared::token::session::Session;
use std::borrow::Borrow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};

thread_local! {
    /// A session needs 1 to 4 KiB. `None` where the system gave no random bytes: then each cookie is
    /// verified.
    static VERIFIED: Option<RefCell<KeyedCache<VerifiedSession>>> = KeyedCache::new().map(RefCell::new);
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
            Some(verified) => {
                let verified = &mut *verified.borrow_mut();
                let hash = verified.hash(cookie.as_bytes());
                match verified.get(hash) {
                    Some(known) if known.is_of(config, keys) => return Some(known.clone()),
                    _ => {}
                }
                let decoded = VerifiedSession::decode(config, keys, cookie)?;
                verified.put(hash, decoded.clone());
                Some(decoded)
            }
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

    /// Whether these keys and this configuration are those that it was verified with.
    pub(super) fn is_of(&self, config: &Arc<Config>, keys: &TokenKeys) -> bool {
        self.0.keys == keys.fingerprint() && std::ptr::eq(self.0.config.as_ptr(), &**config)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::check::keyed_cache::CAPACITY;
    use crate::http::cookies::sample_session;
    use postern_shared::crypto::master_key::MasterKeys;
    use postern_shared::crypto::vault::Vault;
    use postern_shared::token::session::{SecondFactorMethod, SessionId};

    pub(in crate::check) fn keys() -> TokenKeys {
        let (masters, _) = MasterKeys::generate().unwrap();
        Vault::open(&masters, &Vault::create(&masters).unwrap())
            .unwrap()
            .token_keys()
    }

    pub(in crate::check) fn cookie(name: &str, keys: &TokenKeys) -> String {
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
            assert_eq!(verified.len(), CAPACITY.get());
        });
        let after = VerifiedSession::verify(&config, &keys, &first).unwrap();
        assert!(!Rc::ptr_eq(&before.0, &after.0));
    }
}
