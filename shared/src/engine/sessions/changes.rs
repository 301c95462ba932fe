//! Sessions and trusted browsers of an account: their lists, and their revocation.

use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::engine::{AdministrationError, Principal, Sessions};
use crate::store::{BrowserRecord, BrowserSessions, SessionRecord};
use crate::system::clock::Timestamp;
use crate::token::session::SessionId;

/// Seconds after a use at which every gate has stored it.
const LATEST_WRITE: u64 = 180;

impl Sessions<'_> {
    /// Returns the sessions of an account, newest first, without those that have been idle for too
    /// long.
    pub fn list_sessions(
        &mut self,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>, AdministrationError> {
        let idle_timeout = self.engine.config.gate.idle_timeout;
        let (mut tx, record) = self.engine.read_account(name)?;
        let mut sessions = tx.sessions(record.id, now)?;
        if let Some(timeout) = idle_timeout {
            let is_used = |seen: Timestamp| now < seen.plus(timeout.seconds() + LATEST_WRITE);
            sessions.retain(|session| is_used(session.last_seen));
        }
        Ok(sessions)
    }

    /// Returns the trusted browsers of an account, newest first.
    pub fn list_trusted_browsers(
        &mut self,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Vec<BrowserRecord>, AdministrationError> {
        let (mut tx, record) = self.engine.read_account(name)?;
        Ok(tx.trusted_browsers(record.id, now)?)
    }

    /// Ends one session of an account, or all, and its grace period. Returns how many sessions
    /// ended. Ending all also ends sign-ins and enrollments that have begun. When this returns, no
    /// gate accepts them.
    pub fn revoke_sessions<'a>(
        &mut self,
        name: &UserName,
        one: Option<SessionId>,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        let nothing = || AdministrationError::NothingToRevoke("session", name.clone());
        let had_grace = change.tx.end_grace_period(record.id)?;
        let ended = match one {
            // finds also a session that has expired by a clock that runs ahead
            Some(id) => match change.tx.find_session(record.id, id, Timestamp(0))? {
                Some(_) => usize::from(change.tx.end_session(id)?),
                None => return Err(nothing()),
            },
            None => {
                let count = change.tx.sessions(record.id, now)?.len();
                change.tx.end_sessions(record.id)?;
                count
            }
        };
        let is_seen = ended > 0 || had_grace;
        if is_seen {
            change.log_event(name, EventKind::SessionRevoked)?;
        }
        let revision = change.commit_revision()?;
        self.await_gate_confirmations(revision)?;
        if is_seen { Ok(ended) } else { Err(nothing()) }
    }

    /// Revokes one trusted browser of an account, or all, and its grace period. Returns how many.
    /// Sessions in which the trust replaced the code end too, except the session of the actor. When
    /// this returns, no gate accepts them.
    pub fn revoke_browsers<'a>(
        &mut self,
        name: &UserName,
        one: Option<i64>,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        let (own, mut ended) = (change.actor_session(), 0);
        // finds also trust that has expired by a clock that runs ahead
        for browser in change.tx.trusted_browsers(record.id, Timestamp(0))? {
            if one.is_some_and(|one| one != browser.number) {
                continue;
            }
            ended += usize::from(change.tx.remove_trusted_browser(browser.number)?);
            change
                .tx
                .end_sessions_of_browser(browser.number, BrowserSessions::ByTrust, own)?;
        }
        let had_grace = change.tx.end_grace_period(record.id)? && one.is_none();
        if ended == 0 && !had_grace {
            return Err(AdministrationError::NothingToRevoke(
                "trusted browser",
                name.clone(),
            ));
        }
        change.log_event(name, EventKind::BrowserRevoked)?;
        let revision = change.commit_revision()?;
        self.await_gate_confirmations(revision)?;
        Ok(ended)
    }
}
