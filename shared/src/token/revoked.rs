//! Revoked sessions: a snapshot that checks consult in memory. It contains no more than the store
//! remembers; a session older than that is refused.

use super::session::{Session, SessionId};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Revocations that are kept apart from the older ones, which then need not be copied with each new
/// one.
const NEWEST: usize = 1024;

/// The revocations that the store remembers.
#[derive(Clone, Debug, Default)]
pub struct RevokedSessions {
    /// Revision of the store at the time of the snapshot.
    pub revision: u64,
    /// Sessions that began before this revision are refused: revocations up to it are forgotten.
    pub forgotten: u64,
    newest: EndedSessions,
    older: Arc<EndedSessions>,
}

/// Ended sessions, each with the revision at which it ended.
#[derive(Clone, Debug, Default)]
struct EndedSessions {
    /// Sessions that were ended one by one.
    sessions: IdMap<SessionId, u64>,
    /// Accounts whose generation was raised: the new generation and the revision.
    generations: IdMap<i64, (u64, u64)>,
}

type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// A hasher of numbers of accounts and ids of sessions, which the store makes: a client selects none,
/// since its cookie is signed. Every check looks for both, and this takes a tenth of the instructions
/// of the standard hasher.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        // The table uses the first bits and the last ones.
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        /// 2^64 divided by the golden ratio, as in Knuth's multiplicative hashing.
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.0 = (self.0.rotate_left(5) ^ u64::from_ne_bytes(word)).wrapping_mul(FACTOR);
        }
    }
}

impl EndedSessions {
    fn covers(&self, session: &Session) -> bool {
        let raised = self.generations.get(&session.account);
        raised.is_some_and(|(generation, _)| session.generation < *generation)
            || self.sessions.contains_key(&session.id)
    }

    fn extend(&mut self, newer: EndedSessions) {
        self.sessions.extend(newer.sessions);
        self.generations.extend(newer.generations);
    }

    fn len(&self) -> usize {
        self.sessions.len() + self.generations.len()
    }
}

impl RevokedSessions {
    /// Makes an empty snapshot.
    pub(crate) fn new(revision: u64, forgotten: u64) -> RevokedSessions {
        RevokedSessions {
            revision,
            forgotten,
            ..RevokedSessions::default()
        }
    }

    /// Records the end of a session.
    pub(crate) fn end_session(&mut self, id: SessionId, revision: u64) {
        self.newest.sessions.insert(id, revision);
    }

    /// Records that the generation of an account was raised.
    pub(crate) fn raise_generation(&mut self, account: i64, generation: u64, revision: u64) {
        self.newest
            .generations
            .insert(account, (generation, revision));
    }

    /// Returns whether a session was ended, or may have been ended by a revocation that is
    /// forgotten.
    pub fn covers(&self, session: &Session) -> bool {
        session.revision < self.forgotten
            || self.newest.covers(session)
            || self.older.covers(session)
    }

    /// Returns this snapshot with the revocations `since`.
    #[must_use]
    pub fn merge(&self, since: RevokedSessions) -> RevokedSessions {
        let mut newest = self.newest.clone();
        newest.extend(Arc::unwrap_or_clone(since.older));
        newest.extend(since.newest);
        let mut older = Arc::clone(&self.older);
        if newest.len() > NEWEST || since.forgotten > self.forgotten {
            let mut all = (*older).clone();
            all.extend(std::mem::take(&mut newest));
            all.sessions
                .retain(|_, revision| *revision > since.forgotten);
            all.generations
                .retain(|_, (_, revision)| *revision > since.forgotten);
            older = Arc::new(all);
        }
        RevokedSessions {
            revision: since.revision,
            forgotten: since.forgotten,
            newest,
            older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_revoked_itself_or_by_its_generation() {
        let session = Session {
            account: 7,
            generation: 3,
            revision: 5,
            ..Session::of_alice()
        };
        let covers = |change: &dyn Fn(&mut RevokedSessions)| {
            let mut revoked = RevokedSessions::new(9, 0);
            change(&mut revoked);
            revoked.covers(&session)
        };
        assert!(covers(&|revoked| revoked.end_session(session.id, 6)));
        assert!(covers(&|revoked| revoked.raise_generation(7, 4, 6)));
        assert!(!covers(&|revoked| revoked.raise_generation(7, 3, 6)));
        assert!(!covers(&|_| {}));
    }

    /// It is unknown whether such a session was revoked.
    #[test]
    fn a_session_from_before_what_is_forgotten_is_refused() {
        let session = Session {
            revision: 5,
            ..Session::of_alice()
        };
        assert!(
            !RevokedSessions::new(9, 5).covers(&session)
                && RevokedSessions::new(9, 6).covers(&session)
        );
    }

    #[test]
    fn a_revoked_session_stays_revoked_after_many_others() {
        let session = Session {
            account: 7,
            revision: 0,
            ..Session::of_alice()
        };
        let mut revoked = RevokedSessions::default();
        let mut first = RevokedSessions::new(1, 0);
        first.end_session(session.id, 1);
        revoked = revoked.merge(first);
        for revision in 2..5000 {
            let mut next = RevokedSessions::new(revision, 0);
            next.raise_generation(i64::try_from(revision).unwrap() + 100, 1, revision);
            revoked = revoked.merge(next);
            assert!(revoked.covers(&session), "{revision}");
        }
        let later = Session {
            revision: 4000,
            ..session
        };
        let forgotten = revoked.merge(RevokedSessions::new(5000, 4000));
        assert!(!forgotten.covers(&later), "the id is forgotten");
        assert!(forgotten.covers(&Session {
            revision: 3999,
            ..later
        }));
        assert!(forgotten.newest.len() + forgotten.older.len() < 1000);
    }
}
