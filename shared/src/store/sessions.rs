//! What the store keeps for the web: passwords, sessions, trusted browsers, and which gates go by what.

use super::StoreError;
use crate::account::record::AccountId;
use crate::crypto::password::PasswordHash;
use crate::crypto::vault::BrowserHash;
use crate::system::clock::Timestamp;
use crate::token::session::{RevokedSessions, SessionId};
use serde::{Deserialize, Serialize};

/// What is kept of a session.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// Its name.
    pub id: SessionId,
    /// What the browser calls itself.
    pub browser: String,
    /// Where it began, or `-`.
    pub address: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// The trusted browser that it was begun in, if any.
    pub trusted_browser: Option<SessionBrowser>,
}

/// The trusted browser of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionBrowser {
    /// Its number.
    pub number: i64,
    /// Whether the trust took the place of the code.
    pub by_trust: bool,
}

impl SessionRecord {
    /// Whether the trust in its browser took the place of the code.
    pub fn is_by_trust(&self) -> bool {
        self.trusted_browser.is_some_and(|in_it| in_it.by_trust)
    }
}

/// Sessions of a trusted browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserSessions {
    /// All that were begun in it.
    All,
    /// Those where the trust took the place of the code.
    ByTrust,
}

/// What is kept of a trusted browser.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BrowserRecord {
    /// Its number.
    pub number: i64,
    /// Whose.
    pub account: AccountId,
    /// What it calls itself.
    pub name: String,
    /// Where it was last seen, or `-`.
    pub address: String,
    /// Since when it is trusted.
    pub created: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// When the trust ends by itself.
    pub expires: Timestamp,
}

/// What the cookie of a trusted browser is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserToken {
    /// The newest: it skips the code.
    Newest,
    /// An older one, while the newest was not seen yet: two tabs, or a lost answer. It asks for the code.
    Older,
    /// One from before the newest was seen: stolen.
    Stolen,
}

/// The web's part of a transaction.
pub trait SessionStore {
    /// The hash of an account's password.
    fn password_hash(&mut self, account: AccountId) -> Result<Option<PasswordHash>, StoreError>;
    /// Sets it.
    fn set_password_hash(
        &mut self,
        account: AccountId,
        hash: &PasswordHash,
    ) -> Result<(), StoreError>;

    /// Ends every session of an account, and its grace: raises its generation.
    fn end_sessions(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// Ends every session and every trusted browser of an account, and its grace.
    fn end_sessions_and_browsers(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// What was revoked after a revision and is not forgotten; after 0 all.
    fn revoked_sessions_after(&mut self, after: u64) -> Result<RevokedSessions, StoreError>;
    /// Forgets revocations that no session that is still good can have been opened before.
    ///
    /// A clock may run ahead and come back, so that no revocation may be forgotten by the time alone. Each has the
    /// revision with which it was made, and a session says which revision there was when it was opened: with a
    /// revocation, the revision up to which all are forgotten is raised, and sessions that were opened before that are
    /// refused. A clock that is right forgets after 31 days, when each of these has ended by itself; one that is wrong
    /// makes people sign in again, and lets nobody in.
    fn forget_revocations(&mut self, now: Timestamp) -> Result<(), StoreError>;
    /// Makes every gate's snapshot stale; the new revision.
    fn raise_revision(&mut self) -> Result<u64, StoreError>;
    /// The revision now.
    fn revision(&mut self) -> Result<u64, StoreError>;
    /// A gate goes by a revision from now on.
    fn set_gate_revision(&mut self, gate: &[u8; 16], revision: u64) -> Result<(), StoreError>;
    /// How many gates go by an older one.
    fn count_gates_behind(&mut self, revision: u64) -> Result<u64, StoreError>;
    /// Forgets those: their leases have run out.
    fn remove_gates_behind(&mut self, revision: u64) -> Result<(), StoreError>;
    /// A gate has ended.
    fn remove_gate(&mut self, gate: &[u8; 16]) -> Result<(), StoreError>;

    /// A new session.
    fn add_session(
        &mut self,
        account: AccountId,
        session: &SessionRecord,
    ) -> Result<(), StoreError>;
    /// An account's sessions that are good at `now`, newest first.
    fn sessions(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>, StoreError>;
    /// One of them, if it is good at `now`.
    fn find_session(
        &mut self,
        account: AccountId,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError>;
    /// How many refresh tokens a session that is good at `now` has had after its first.
    fn refresh_count(&mut self, id: SessionId, now: Timestamp) -> Result<Option<u64>, StoreError>;
    /// It has one more.
    fn record_refresh(&mut self, id: SessionId, now: Timestamp) -> Result<(), StoreError>;
    /// Ends one session; whether there was one. Where there is none, no other takes its place.
    fn end_session(&mut self, id: SessionId) -> Result<bool, StoreError>;
    /// Ends the sessions that were begun in a trusted browser, but for one.
    fn end_sessions_of_browser(
        &mut self,
        browser: i64,
        which: BrowserSessions,
        but: Option<SessionId>,
    ) -> Result<(), StoreError>;
    /// Whether a session was ended by itself.
    fn is_revoked(&mut self, id: SessionId) -> Result<bool, StoreError>;

    /// A new trusted browser; its number.
    fn add_trusted_browser(&mut self, browser: &BrowserRecord) -> Result<i64, StoreError>;
    /// An account's trusted browsers that are good at `now`, newest first.
    fn trusted_browsers(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<BrowserRecord>, StoreError>;
    /// The trusted browser that was given a token, good at `now`.
    fn find_browser_by_token(
        &mut self,
        token: &BrowserHash,
        now: Timestamp,
    ) -> Result<Option<(BrowserRecord, BrowserToken)>, StoreError>;
    /// Gives a browser a new token. The newest until now becomes an older one; if it was `seen`, all others are
    /// stolen from now on.
    fn rotate_browser_token(
        &mut self,
        browser: i64,
        token: &BrowserHash,
        seen: bool,
        address: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Trusts a browser no longer; whether it was.
    fn remove_trusted_browser(&mut self, browser: i64) -> Result<bool, StoreError>;
}
