//! Web sign-in in the store: passwords, sessions, trusted browsers, and the revision that each gate
//! has read.
//!
//! MUST NOT return a session or browser that has expired or whose keys were renewed.

use super::StoreError;
use crate::account::record::AccountId;
use crate::crypto::password::PasswordHash;
use crate::crypto::vault::BrowserHash;
use crate::system::clock::Timestamp;
use crate::token::session::{RevokedSessions, SessionId};
use serde::{Deserialize, Serialize};

/// Session as the store keeps it.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    pub id: SessionId,
    /// Name from the User-Agent header.
    pub browser: String,
    /// Address at sign-in, or `-`.
    pub address: String,
    pub created: Timestamp,
    pub last_seen: Timestamp,
    pub expires: Timestamp,
    /// Trusted browser in which the session began, if any.
    pub trusted_browser: Option<SessionBrowser>,
}

/// Trusted browser of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionBrowser {
    pub number: i64,
    /// Whether the trusted browser replaced the second factor.
    pub by_trust: bool,
}

impl SessionRecord {
    /// Returns whether the trusted browser replaced the second factor.
    pub fn is_by_trust(&self) -> bool {
        self.trusted_browser.is_some_and(|in_it| in_it.by_trust)
    }
}

/// Selection among the sessions of a trusted browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserSessions {
    /// All sessions that began in it.
    All,
    /// Sessions in which the trusted browser replaced the second factor.
    ByTrust,
}

/// Trusted browser as the store keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BrowserRecord {
    pub number: i64,
    pub account: AccountId,
    /// Name from the User-Agent header.
    pub name: String,
    /// Address of the last use, or `-`.
    pub address: String,
    /// Time since which it is trusted.
    pub created: Timestamp,
    pub last_seen: Timestamp,
    /// Expiry of the trust.
    pub expires: Timestamp,
}

/// Validity of a trusted browser's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserToken {
    /// The newest token. It replaces the second factor.
    Newest,
    /// An older token, while the newest was not seen yet: two tabs, or a lost reply. The second
    /// factor is required.
    Older,
    /// A token from before the newest was seen. It was stolen.
    Stolen,
}

pub trait SessionStore {
    fn password_hash(&mut self, account: AccountId) -> Result<Option<PasswordHash>, StoreError>;
    fn set_password_hash(
        &mut self,
        account: AccountId,
        hash: &PasswordHash,
    ) -> Result<(), StoreError>;

    /// Ends every session and grace period of an account: raises its generation.
    fn end_sessions(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// Ends every session, trusted browser and grace period of an account.
    fn end_sessions_and_browsers(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// Returns what was revoked after a revision and is still stored; after 0 everything.
    fn revoked_sessions_after(&mut self, after: u64) -> Result<RevokedSessions, StoreError>;
    /// Removes revocations that no valid session can predate.
    ///
    /// Time alone does not decide this, since the clock may run ahead and be set back. Each
    /// revocation has the revision that it was made with, and a session names the revision that it
    /// was opened at. With the revocations, the revision `forgotten` rises, and sessions opened
    /// before it are refused. With a correct clock this happens after 31 days, when each of these
    /// sessions has expired. With a wrong clock people must sign in again; no access is granted
    /// wrongly.
    fn forget_revocations(&mut self, now: Timestamp) -> Result<(), StoreError>;
    /// Raises the revision, which makes every gate's copy stale. Returns the new revision.
    fn raise_revision(&mut self) -> Result<u64, StoreError>;
    fn revision(&mut self) -> Result<u64, StoreError>;
    /// Records the revision that a gate has read.
    fn set_gate_revision(&mut self, gate: &[u8; 16], revision: u64) -> Result<(), StoreError>;
    /// Returns how many gates have read only an older revision.
    fn count_gates_behind(&mut self, revision: u64) -> Result<u64, StoreError>;
    /// Removes the gates that have read only an older revision, once their leases have expired.
    fn remove_gates_behind(&mut self, revision: u64) -> Result<(), StoreError>;
    /// Removes a gate that has ended.
    fn remove_gate(&mut self, gate: &[u8; 16]) -> Result<(), StoreError>;

    fn add_session(
        &mut self,
        account: AccountId,
        session: &SessionRecord,
    ) -> Result<(), StoreError>;
    /// Returns an account's sessions that are valid at `now`, newest first.
    fn sessions(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>, StoreError>;
    /// Returns one session, if it is valid at `now`.
    fn find_session(
        &mut self,
        account: AccountId,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError>;
    /// Returns the number of refresh tokens after the first of a session that is valid at `now`.
    fn refresh_count(&mut self, id: SessionId, now: Timestamp) -> Result<Option<u64>, StoreError>;
    /// Counts one more refresh token.
    fn record_refresh(&mut self, id: SessionId, now: Timestamp) -> Result<(), StoreError>;
    /// Ends one session. Returns whether there was one. A session that is unknown is revoked too,
    /// so that its id can never become valid.
    fn end_session(&mut self, id: SessionId) -> Result<bool, StoreError>;
    /// Ends the sessions of a trusted browser, except `but`.
    fn end_sessions_of_browser(
        &mut self,
        browser: i64,
        which: BrowserSessions,
        but: Option<SessionId>,
    ) -> Result<(), StoreError>;
    /// Returns whether the session was ended individually.
    fn is_revoked(&mut self, id: SessionId) -> Result<bool, StoreError>;

    /// Adds a trusted browser. Returns its number.
    fn add_trusted_browser(&mut self, browser: &BrowserRecord) -> Result<i64, StoreError>;
    /// Returns an account's trusted browsers that are valid at `now`, newest first.
    fn trusted_browsers(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<BrowserRecord>, StoreError>;
    /// Returns the trusted browser with this token, if it is valid at `now`.
    fn find_browser_by_token(
        &mut self,
        token: &BrowserHash,
        now: Timestamp,
    ) -> Result<Option<(BrowserRecord, BrowserToken)>, StoreError>;
    /// Gives a browser a new token. The newest token becomes an older one. If it was `seen`, all
    /// other tokens count as stolen from now on.
    fn rotate_browser_token(
        &mut self,
        browser: i64,
        token: &BrowserHash,
        seen: bool,
        address: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Removes a trusted browser. Returns whether there was one.
    fn remove_trusted_browser(&mut self, browser: i64) -> Result<bool, StoreError>;
}
