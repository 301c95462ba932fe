//! What was revoked: a snapshot that checks go by, small enough for memory.

use super::session::{Session, SessionId};
use std::collections::HashMap;
use std::sync::Arc;

/// How many revocations are kept apart from the many older ones, which need not be copied with each new one.
const NEWEST: usize = 1024;

/// What was revoked, of all that is not forgotten.
#[derive(Clone, Debug, Default)]
pub struct RevokedSessions {
    /// The revision that this is.
    pub revision: u64,
    /// Sessions that were opened before this revision are refused: what was revoked up to it is forgotten.
    pub forgotten: u64,
    newest: EndedSession,
    older: Arc<EndedSession>,
}

/// Each with the revision with which it was.
#[derive(Clone, Debug, Default)]
struct EndedSession {
    /// Sessions ended one by one.
    sessions: HashMap<SessionId, u64>,
    /// Accounts whose generation was raised, and to what.
    generations: HashMap<i64, (u64, u64)>,
}

impl EndedSession {
    fn covers(&self, session: &Session) -> bool {
        let raised = self.generations.get(&session.account);
        raised.is_some_and(|(generation, _)| session.generation < *generation)
            || self.sessions.contains_key(&session.id)
    }

    fn extend(&mut self, newer: EndedSession) {
        self.sessions.extend(newer.sessions);
        self.generations.extend(newer.generations);
    }

    fn len(&self) -> usize {
        self.sessions.len() + self.generations.len()
    }
}

impl RevokedSessions {
    /// Nothing yet, at a revision.
    pub(crate) fn new(revision: u64, forgotten: u64) -> RevokedSessions {
        RevokedSessions {
            revision,
            forgotten,
            ..RevokedSessions::default()
        }
    }

    /// A session was ended.
    pub(crate) fn end_session(&mut self, id: SessionId, revision: u64) {
        self.newest.sessions.insert(id, revision);
    }

    /// An account's generation was raised.
    pub(crate) fn raise_generation(&mut self, account: i64, generation: u64, revision: u64) {
        self.newest
            .generations
            .insert(account, (generation, revision));
    }

    /// Whether a session was ended, or may have been by what is forgotten.
    pub fn covers(&self, session: &Session) -> bool {
        session.revision < self.forgotten
            || self.newest.covers(session)
            || self.older.covers(session)
    }

    /// This and what was revoked since.
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
    fn revoked_is_the_session_or_its_generation() {
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

    /// It cannot be known whether it was revoked.
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
    fn what_was_revoked_stays_so_however_much_comes_after_it() {
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
