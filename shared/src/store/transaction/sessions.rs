//! Web sign-in: passwords, sessions, trusted browsers, and the revision that each gate has read.
//!
//! MUST NOT return a session or browser that has expired or whose keys were renewed.

use super::Transaction;
use super::convert::{bytes, signed, time, unsigned};
use super::second_factor::IS_UP_TO_DATE;
use crate::account::record::AccountId;
use crate::crypto::password::PasswordHash;
use crate::crypto::vault::BrowserHash;
use crate::store::{
    BrowserRecord, BrowserSessions, BrowserToken, SessionBrowser, SessionRecord, StoreResult,
};
use crate::system::clock::Timestamp;
use crate::token::session::{CLOCKS_APART, RevokedSessions, SessionId};
use rusqlite::Row;

const NEWEST: i64 = 0;
const OLDER: i64 = 1;
const STOLEN: i64 = 2;
/// Stolen tokens that are stored per browser, so that they are recognised.
const TOKENS_KEPT: i64 = 64;

/// Time that revocations are stored, in seconds. A session lasts 30 days at most
/// (`gate.session_lifetime`), so that no valid session can predate a removed revocation.
pub(super) const REVOCATIONS_KEPT: u64 = 31 * 86_400;
/// Minimum time between two stored revision times, in seconds.
const REVISION_TIMES: i64 = 6 * 3600;

const SESSION: &str = "id, name, address, created, last_seen, expires, trusted_browser, by_trust";

fn session_record(row: &Row<'_>) -> StoreResult<SessionRecord> {
    let session_browser = |number| SessionBrowser {
        number,
        by_trust: row.get(7).unwrap_or(true),
    };
    Ok(SessionRecord {
        id: SessionId(bytes(row, 0, "a session")?),
        browser: row.get(1)?,
        address: row.get(2)?,
        created: time(row, 3)?,
        last_seen: time(row, 4)?,
        expires: time(row, 5)?,
        trusted_browser: row.get::<_, Option<i64>>(6)?.map(session_browser),
    })
}

const BROWSER: &str = "id, account, name, address, created, last_seen, expires";

fn browser_record(row: &Row<'_>) -> StoreResult<BrowserRecord> {
    Ok(BrowserRecord {
        number: row.get(0)?,
        account: AccountId(row.get(1)?),
        name: row.get(2)?,
        address: row.get(3)?,
        created: time(row, 4)?,
        last_seen: time(row, 5)?,
        expires: time(row, 6)?,
    })
}

impl Transaction<'_> {
    pub fn password_hash(&mut self, account: AccountId) -> StoreResult<Option<PasswordHash>> {
        let sql = "SELECT password FROM account WHERE id = ?1";
        let found: Option<Option<String>> =
            self.find_row(sql, [account.0], |row| Ok(row.get(0)?))?;
        Ok(found.flatten().map(PasswordHash))
    }

    pub fn set_password_hash(
        &mut self,
        account: AccountId,
        hash: &PasswordHash,
    ) -> StoreResult<()> {
        self.execute(
            "UPDATE account SET password = ?2 WHERE id = ?1",
            (account.0, &hash.0),
        )
    }

    /// Ends every session and grace period of an account: raises its generation.
    pub fn end_sessions(&mut self, account: AccountId) -> StoreResult<()> {
        let sql = "UPDATE account SET generation = generation + 1, \
                   generation_revision = (SELECT number + 1 FROM revision) * had_session WHERE id = ?1";
        self.execute(sql, [account.0])?;
        self.end_grace_period(account)?;
        self.execute("DELETE FROM session WHERE account = ?1", [account.0])
    }

    /// Ends every session, trusted browser and grace period of an account.
    pub fn end_sessions_and_browsers(&mut self, account: AccountId) -> StoreResult<()> {
        self.end_sessions(account)?;
        self.execute(
            "DELETE FROM trusted_browser WHERE account = ?1",
            [account.0],
        )
    }

    /// Returns what was revoked after a revision and is still stored; after 0 everything.
    pub fn revoked_sessions_after(&mut self, after: u64) -> StoreResult<RevokedSessions> {
        let sql = "SELECT number, forgotten FROM revision";
        let (revision, forgotten) =
            self.query_row(sql, [], |row| Ok(<(i64, i64)>::try_from(row)?))?;
        let mut revoked = RevokedSessions::new(unsigned(revision), unsigned(forgotten));
        let after = signed(after).max(forgotten);
        let sql = "SELECT id, revision FROM revoked_session WHERE revision > ?1";
        for (id, at) in self.query_rows(sql, [after], |row| {
            let id = SessionId(bytes(row, 0, "a revoked session")?);
            Ok((id, row.get(1)?))
        })? {
            revoked.end_session(id, unsigned(at));
        }
        // a removed account counts as beyond every generation
        let sql = "SELECT id, generation + number, generation_revision FROM account, renewal \
                   WHERE generation_revision > 0 AND generation_revision > ?1 \
                   UNION ALL SELECT id, 9223372036854775807, revision FROM removed_account WHERE revision > ?1";
        for (id, generation, at) in
            self.query_rows(sql, [after], |row| Ok(<(i64, i64, i64)>::try_from(row)?))?
        {
            revoked.raise_generation(id, unsigned(generation), unsigned(at));
        }
        Ok(revoked)
    }

    /// Removes revocations that no valid session can predate.
    ///
    /// Time alone does not decide this, since the clock may run ahead and be set back. Each
    /// revocation has the revision that it was made with, and a session names the revision that it
    /// was opened at. With the revocations, the revision `forgotten` rises, and sessions opened
    /// before it are refused. With a correct clock this happens after 31 days, when each of these
    /// sessions has expired. With a wrong clock people must sign in again; no access is granted
    /// wrongly.
    pub fn forget_revocations(&mut self, now: Timestamp) -> StoreResult<()> {
        let sql = "SELECT number, at FROM revision_time ORDER BY number DESC LIMIT 1";
        let last = self.find_row(sql, [], |row| Ok(<(i64, i64)>::try_from(row)?))?;
        let number = signed(self.revision()?);
        // no row while the clock is before the last one
        if last.is_none_or(|(last, at)| number > last && signed(now.0) >= at + REVISION_TIMES) {
            self.execute(
                "INSERT INTO revision_time (number, at) VALUES (?1, ?2)",
                (number, signed(now.0)),
            )?;
        }
        let sql = "SELECT max(number) FROM revision_time WHERE at < ?1";
        let by_time: Option<i64> =
            self.query_row(sql, [signed(now.minus(REVOCATIONS_KEPT).0)], |row| {
                Ok(row.get(0)?)
            })?;
        let Some(forgotten) = by_time else {
            return Ok(());
        };
        self.execute("UPDATE revision SET forgotten = ?1", [forgotten])?;
        for table in ["revoked_session", "removed_account"] {
            self.execute(
                &format!("DELETE FROM {table} WHERE revision <= ?1"),
                [forgotten],
            )?;
        }
        self.execute("DELETE FROM revision_time WHERE number <= ?1", [forgotten])
    }

    /// Raises the revision, which makes every gate's copy stale. Returns the new revision.
    pub fn raise_revision(&mut self) -> StoreResult<u64> {
        self.execute("UPDATE revision SET number = number + 1", [])?;
        self.revision()
    }

    pub fn revision(&mut self) -> StoreResult<u64> {
        Ok(unsigned(self.query_row(
            "SELECT number FROM revision",
            [],
            |row| Ok(row.get(0)?),
        )?))
    }

    /// Records the revision that a gate has read.
    pub fn set_gate_revision(&mut self, gate: &[u8; 16], revision: u64) -> StoreResult<()> {
        let sql = "INSERT INTO gate (id, seen) VALUES (?1, ?2) \
                   ON CONFLICT (id) DO UPDATE SET seen = excluded.seen";
        self.execute(sql, (&gate[..], signed(revision)))
    }

    /// Returns how many gates have read only an older revision.
    pub fn count_gates_behind(&mut self, revision: u64) -> StoreResult<u64> {
        let sql = "SELECT count(*) FROM gate WHERE seen < ?1";
        Ok(unsigned(self.query_row(
            sql,
            [signed(revision)],
            |row| Ok(row.get(0)?),
        )?))
    }

    /// Removes the gates that have read only an older revision, once their leases have expired.
    pub fn remove_gates_behind(&mut self, revision: u64) -> StoreResult<()> {
        self.execute("DELETE FROM gate WHERE seen < ?1", [signed(revision)])
    }

    /// Removes a gate that has ended.
    pub fn remove_gate(&mut self, gate: &[u8; 16]) -> StoreResult<()> {
        self.execute("DELETE FROM gate WHERE id = ?1", [&gate[..]])
    }

    pub fn add_session(&mut self, account: AccountId, session: &SessionRecord) -> StoreResult<()> {
        let created = signed(session.created.0);
        // a clock that ran ahead and is set back finds every session that is valid then in the list
        let over = signed(session.created.minus(REVOCATIONS_KEPT).0);
        self.execute(
            "DELETE FROM session WHERE account = ?1 AND expires < ?2",
            (account.0, over),
        )?;
        self.execute(
            "UPDATE account SET had_session = 1 WHERE id = ?1 AND had_session = 0",
            [account.0],
        )?;
        let sql = "INSERT INTO session (id, account, name, address, created, last_seen, expires, \
                   trusted_browser, by_trust) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let SessionRecord {
            id,
            browser,
            address,
            last_seen,
            expires,
            trusted_browser,
            ..
        } = session;
        let (last_seen, expires) = (signed(last_seen.0), signed(expires.0));
        let (trusted, by_trust) = (
            trusted_browser.map(|in_it| in_it.number),
            session.is_by_trust(),
        );
        let columns = (
            &id.0[..],
            account.0,
            browser,
            address,
            created,
            last_seen,
            expires,
            trusted,
            by_trust,
        );
        self.execute(sql, columns)
    }

    /// Returns an account's sessions that are valid at `now`, newest first.
    pub fn sessions(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> StoreResult<Vec<SessionRecord>> {
        let sql = format!(
            "SELECT {SESSION} FROM session WHERE account = ?1 AND expires > ?2 AND {IS_UP_TO_DATE} \
             ORDER BY created DESC, id"
        );
        self.query_rows(&sql, (account.0, signed(now.0)), session_record)
    }

    /// Returns one session, if it is valid at `now`.
    pub fn find_session(
        &mut self,
        account: AccountId,
        id: SessionId,
        now: Timestamp,
    ) -> StoreResult<Option<SessionRecord>> {
        let sql = format!(
            "SELECT {SESSION} FROM session WHERE id = ?1 AND account = ?2 AND expires > ?3"
        );
        let key = (&id.0[..], account.0, signed(now.0));
        self.find_row(&sql, key, session_record)
    }

    /// Ends the sessions of a trusted browser, except `but`.
    pub fn end_sessions_of_browser(
        &mut self,
        browser: i64,
        which: BrowserSessions,
        but: Option<SessionId>,
    ) -> StoreResult<()> {
        let sql = match which {
            BrowserSessions::All => "SELECT id FROM session WHERE trusted_browser = ?1",
            BrowserSessions::ByTrust => {
                "SELECT id FROM session WHERE trusted_browser = ?1 AND by_trust = 1"
            }
        };
        for id in self.query_rows(sql, [browser], |row| bytes(row, 0, "a session"))? {
            let id = SessionId(id);
            if but != Some(id) {
                self.end_session(id)?;
            }
        }
        Ok(())
    }

    /// Returns whether the session was ended individually.
    pub fn is_revoked(&mut self, id: SessionId) -> StoreResult<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM revoked_session WHERE id = ?1)";
        self.query_row(sql, [&id.0[..]], |row| Ok(row.get(0)?))
    }

    /// Returns the number of refresh tokens after the first of a session that is valid at `now`.
    pub fn refresh_count(&mut self, id: SessionId, now: Timestamp) -> StoreResult<Option<u64>> {
        let sql = "SELECT refreshed FROM session WHERE id = ?1 AND expires > ?2";
        let key = (&id.0[..], signed(now.0));
        Ok(self
            .find_row(sql, key, |row| Ok(row.get(0)?))?
            .map(unsigned))
    }

    /// Counts one more refresh token.
    pub fn record_refresh(&mut self, id: SessionId, now: Timestamp) -> StoreResult<()> {
        let sql = "UPDATE session SET refreshed = refreshed + 1, last_seen = ?2 WHERE id = ?1";
        self.execute(sql, (&id.0[..], signed(now.0)))
    }

    /// Ends one session. Returns whether there was one. A session that is unknown is revoked too,
    /// so that its id can never become valid.
    pub fn end_session(&mut self, id: SessionId) -> StoreResult<bool> {
        let sql = "INSERT OR IGNORE INTO revoked_session (id, revision) SELECT ?1, number + 1 FROM revision";
        self.execute(sql, [&id.0[..]])?;
        Ok(self.execute_counted("DELETE FROM session WHERE id = ?1", [&id.0[..]])? > 0)
    }

    /// Adds a trusted browser. Returns its number.
    pub fn add_trusted_browser(&mut self, new: &BrowserRecord) -> StoreResult<i64> {
        let sql = "DELETE FROM trusted_browser WHERE account = ?1 AND expires < ?2";
        self.execute(sql, (new.account.0, signed(new.created.0)))?;
        let sql = "INSERT INTO trusted_browser (account, name, address, created, last_seen, expires) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (created, last_seen) = (signed(new.created.0), signed(new.last_seen.0));
        let expires = signed(new.expires.0);
        self.execute(
            sql,
            (
                new.account.0,
                &new.name,
                &new.address,
                created,
                last_seen,
                expires,
            ),
        )?;
        Ok(self.last_insert_rowid())
    }

    /// Returns an account's trusted browsers that are valid at `now`, newest first.
    pub fn trusted_browsers(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> StoreResult<Vec<BrowserRecord>> {
        let sql = format!(
            "SELECT {BROWSER} FROM trusted_browser WHERE account = ?1 AND expires > ?2 AND {IS_UP_TO_DATE} \
             ORDER BY id DESC"
        );
        self.query_rows(&sql, (account.0, signed(now.0)), browser_record)
    }

    /// Returns the trusted browser with this token, if it is valid at `now`.
    pub fn find_browser_by_token(
        &mut self,
        token: &BrowserHash,
        now: Timestamp,
    ) -> StoreResult<Option<(BrowserRecord, BrowserToken)>> {
        let sql = format!(
            "SELECT {BROWSER}, state FROM trusted_browser \
             JOIN browser_token ON browser_token.browser = trusted_browser.id \
             WHERE browser_token.hash = ?1 AND expires > ?2 AND created <= ?3"
        );
        // trusted in the future: the clock ran ahead and was set back
        let of_the_past = signed(now.plus(CLOCKS_APART).0);
        let found = self.find_row(&sql, (&token.0[..], signed(now.0), of_the_past), |row| {
            Ok((browser_record(row)?, row.get::<_, i64>(7)?))
        })?;
        Ok(found.map(|(record, state)| {
            let token = match state {
                NEWEST => BrowserToken::Newest,
                OLDER => BrowserToken::Older,
                _ => BrowserToken::Stolen,
            };
            (record, token)
        }))
    }

    /// Gives a browser a new token. The newest token becomes an older one. If it was `seen`, all
    /// other tokens count as stolen from now on.
    pub fn rotate_browser_token(
        &mut self,
        browser: i64,
        token: &BrowserHash,
        seen: bool,
        address: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        if seen {
            let sql = "UPDATE browser_token SET state = ?2 WHERE browser = ?1 AND state = ?3";
            self.execute(sql, (browser, STOLEN, OLDER))?;
        }
        let sql = "UPDATE browser_token SET state = ?2 WHERE browser = ?1 AND state = ?3";
        self.execute(sql, (browser, OLDER, NEWEST))?;
        let sql = "INSERT INTO browser_token (hash, browser, state, at) VALUES (?1, ?2, ?3, ?4)";
        let now = signed(now.0);
        self.execute(sql, (&token.0[..], browser, NEWEST, now))?;
        let sql = "DELETE FROM browser_token WHERE browser = ?1 AND state = ?2 AND hash NOT IN \
                   (SELECT hash FROM browser_token WHERE browser = ?1 ORDER BY at DESC LIMIT ?3)";
        self.execute(sql, (browser, STOLEN, TOKENS_KEPT))?;
        let sql = "UPDATE trusted_browser SET last_seen = ?2, address = ?3 WHERE id = ?1";
        self.execute(sql, (browser, now, address))
    }

    /// Removes a trusted browser. Returns whether there was one.
    pub fn remove_trusted_browser(&mut self, browser: i64) -> StoreResult<bool> {
        Ok(self.execute_counted("DELETE FROM trusted_browser WHERE id = ?1", [browser])? > 0)
    }
}
