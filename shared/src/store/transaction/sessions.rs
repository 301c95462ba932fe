//! Web sign-in: passwords, login tokens, sessions, trusted browsers.
//!
//! MUST NOT return a session or browser that has expired or whose keys were renewed.

use super::Transaction;
use super::convert::{ColumnResult, Row, unsigned};
use super::keys::IS_UP_TO_DATE;
use super::revocations::REVOCATIONS_KEPT;
use super::second_factor::consumed;
use crate::account::record::AccountId;
use crate::crypto::password::PasswordHash;
use crate::crypto::vault::BrowserHash;
use crate::store::{
    BrowserRecord, BrowserSessions, BrowserToken, LoginTokenState, SessionBrowser, SessionRecord,
    StoreResult,
};
use crate::system::clock::Timestamp;
use crate::token::session::{CLOCKS_APART, SessionId};
use crate::token::{PasskeySignIn, Token, TokenId};

const NEWEST: i64 = 0;
const OLDER: i64 = 1;
const STOLEN: i64 = 2;
/// Stolen tokens that are stored per browser, so that they are recognised.
const TOKENS_KEPT: i64 = 64;

const SESSION: &str = "id, name, address, created, last_seen, expires, trusted_browser, by_trust";

fn session_record(row: &Row<'_>) -> ColumnResult<SessionRecord> {
    let session_browser = |number| SessionBrowser {
        number,
        by_trust: row.get(7).unwrap_or(true),
    };
    Ok(SessionRecord {
        id: row.get(0)?,
        browser: row.get(1)?,
        address: row.get(2)?,
        created: row.get(3)?,
        last_seen: row.get(4)?,
        expires: row.get(5)?,
        trusted_browser: row.get::<Option<i64>>(6)?.map(session_browser),
    })
}

const BROWSER: &str = "id, account, name, address, created, last_seen, expires";

fn browser_record(row: &Row<'_>) -> ColumnResult<BrowserRecord> {
    Ok(BrowserRecord {
        number: row.get(0)?,
        account: row.get(1)?,
        name: row.get(2)?,
        address: row.get(3)?,
        created: row.get(4)?,
        last_seen: row.get(5)?,
        expires: row.get(6)?,
    })
}

impl Transaction<'_> {
    pub fn password_hash(&mut self, account: AccountId) -> StoreResult<Option<PasswordHash>> {
        let sql = "SELECT password FROM account WHERE id = ?1";
        Ok(self.find_row(sql, [account], |row| row.get(0))?.flatten())
    }

    pub fn set_password_hash(
        &mut self,
        account: AccountId,
        hash: &PasswordHash,
    ) -> StoreResult<()> {
        let sql = "UPDATE account SET password = ?2 WHERE id = ?1";
        self.execute(sql, (account, hash))
    }

    /// Ends every session and grace period of an account, and the code that a passkey has made in a
    /// session: raises its generation.
    pub fn end_sessions(&mut self, account: AccountId) -> StoreResult<()> {
        self.lock_revision()?;
        let sql = "UPDATE account SET generation = generation + 1, \
                   generation_revision = (SELECT number + 1 FROM revision) * had_session WHERE id = ?1";
        self.execute(sql, [account])?;
        self.end_grace_period(account)?;
        self.set_passkey_code(account, None)?;
        self.execute("DELETE FROM session WHERE account = ?1", [account])
    }

    /// Ends every session, trusted browser and grace period of an account.
    pub fn end_sessions_and_browsers(&mut self, account: AccountId) -> StoreResult<()> {
        self.end_sessions(account)?;
        let sql = "DELETE FROM trusted_browser WHERE account = ?1";
        self.execute(sql, [account])
    }

    pub fn add_session(&mut self, account: AccountId, session: &SessionRecord) -> StoreResult<()> {
        // a clock that ran ahead and is set back finds every session that is valid then in the list
        let over = session.created.minus(REVOCATIONS_KEPT);
        let sql = "DELETE FROM session WHERE account = ?1 AND expires < ?2";
        self.execute(sql, (account, over))?;
        let sql = "UPDATE account SET had_session = 1 WHERE id = ?1 AND had_session = 0";
        self.execute(sql, [account])?;
        let sql = "INSERT INTO session (id, account, name, address, created, last_seen, expires, \
                   trusted_browser, by_trust) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let (id, created) = (session.id, session.created);
        let (last_seen, expires) = (session.last_seen, session.expires);
        let (name, address) = (&session.browser, &session.address);
        let browser = session.trusted_browser.map(|in_it| in_it.number);
        let by_trust = session.is_by_trust();
        self.execute(
            sql,
            (
                id, account, name, address, created, last_seen, expires, browser, by_trust,
            ),
        )
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
        self.query_rows(&sql, (account, now), session_record)
    }

    /// Returns one session, if it is valid at `now`. It cannot end before a transaction that writes
    /// does.
    pub fn find_session(
        &mut self,
        account: AccountId,
        id: SessionId,
        now: Timestamp,
    ) -> StoreResult<Option<SessionRecord>> {
        let sql = format!(
            "SELECT {SESSION} FROM session WHERE id = ?1 AND account = ?2 AND expires > ?3 \
             /*+ FOR SHARE */"
        );
        let key = (id, account, now);
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
        for id in self.query_rows(sql, [browser], |row| row.get(0))? {
            if but != Some(id) {
                self.end_session(id)?;
            }
        }
        Ok(())
    }

    /// Returns the number of refresh tokens after the first of a session that is valid at `now`.
    pub fn refresh_count(&mut self, id: SessionId, now: Timestamp) -> StoreResult<Option<u64>> {
        let sql = "SELECT refreshed FROM session WHERE id = ?1 AND expires > ?2";
        let count = self.find_row(sql, (id, now), |row| row.get(0))?;
        Ok(count.map(unsigned))
    }

    /// Counts one more refresh token.
    pub fn record_refresh(&mut self, id: SessionId, now: Timestamp) -> StoreResult<()> {
        let sql = "UPDATE session SET refreshed = refreshed + 1, last_seen = ?2 WHERE id = ?1";
        self.execute(sql, (id, now))
    }

    /// Returns the last uses of at most `limit` sessions with ids above `after` that are valid at
    /// `now`, by id.
    pub fn session_uses(
        &mut self,
        after: SessionId,
        limit: u32,
        now: Timestamp,
    ) -> StoreResult<Vec<(SessionId, Timestamp)>> {
        let sql = "SELECT id, last_seen FROM session WHERE id > ?1 AND expires > ?2 \
                   ORDER BY id LIMIT ?3";
        self.query_rows(sql, (after, now, limit), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Returns the last uses of the sessions with ids from `first` to `last` that are valid at
    /// `now`.
    pub fn session_uses_between(
        &mut self,
        first: SessionId,
        last: SessionId,
        now: Timestamp,
    ) -> StoreResult<Vec<(SessionId, Timestamp)>> {
        let sql = "SELECT id, last_seen FROM session WHERE id BETWEEN ?1 AND ?2 AND expires > ?3";
        self.query_rows(sql, (first, last, now), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Stores the last use of a session, unless a later one is stored.
    pub fn record_session_use(&mut self, id: SessionId, at: Timestamp) -> StoreResult<()> {
        let sql = "UPDATE session SET last_seen = ?2 WHERE id = ?1 AND last_seen < ?2";
        self.execute(sql, (id, at))
    }

    /// Ends one session, and the code that a passkey of its account has made. Returns whether there was one. A session that is unknown is revoked too,
    /// so that its id can never become valid.
    pub fn end_session(&mut self, id: SessionId) -> StoreResult<bool> {
        self.lock_revision()?;
        let sql = "INSERT INTO revoked_session (id, revision) SELECT ?1, number + 1 FROM revision \
                   WHERE TRUE ON CONFLICT DO NOTHING";
        self.execute(sql, [id])?;
        let sql =
            "DELETE FROM passkey_code WHERE account = (SELECT account FROM session WHERE id = ?1)";
        self.execute(sql, [id])?;
        Ok(self.execute_counted("DELETE FROM session WHERE id = ?1", [id])? > 0)
    }

    /// Adds a trusted browser. Returns its number.
    pub fn add_trusted_browser(&mut self, new: &BrowserRecord) -> StoreResult<i64> {
        let sql = "DELETE FROM trusted_browser WHERE account = ?1 AND expires < ?2";
        self.execute(sql, (new.account, new.created))?;
        let sql = "INSERT INTO trusted_browser (account, name, address, created, last_seen, expires) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
        let (account, name, address) = (new.account, &new.name, &new.address);
        let (created, seen, expires) = (new.created, new.last_seen, new.expires);
        let row = (account, name, address, created, seen, expires);
        self.query_row(sql, row, |row| row.get(0))
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
        self.query_rows(&sql, (account, now), browser_record)
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
        let sql_of_owner = "SELECT id FROM account WHERE id = (SELECT account FROM trusted_browser \
             JOIN browser_token ON browser_token.browser = trusted_browser.id WHERE hash = ?1) FOR UPDATE";
        self.lock_rows(sql_of_owner, [token])?;
        // trusted in the future: the clock ran ahead and was set back
        let of_the_past = now.plus(CLOCKS_APART);
        self.find_row(&sql, (token, now, of_the_past), |row| {
            let token = match row.get(7)? {
                NEWEST => BrowserToken::Newest,
                OLDER => BrowserToken::Older,
                _ => BrowserToken::Stolen,
            };
            Ok((browser_record(row)?, token))
        })
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
        self.execute(sql, (token, browser, NEWEST, now))?;
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

    pub fn login_token_state(&mut self, token: TokenId) -> StoreResult<LoginTokenState> {
        let sql = "SELECT wrong, used FROM login_token WHERE id = ?1";
        let kept = self.find_row(sql, [token], |row| {
            Ok(LoginTokenState {
                wrong: row.get(0)?,
                used: row.get(1)?,
            })
        })?;
        Ok(kept.unwrap_or_default())
    }

    /// Stores the state of a token, and removes tokens that expired long before `now`.
    pub fn set_login_token_state<P>(
        &mut self,
        account: AccountId,
        token: &Token<P>,
        trials: LoginTokenState,
        now: Timestamp,
    ) -> StoreResult<()> {
        self.forget_old_token_states(now)?;
        let sql = "INSERT INTO login_token (id, account, expires, wrong, used) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (id) DO UPDATE SET wrong = excluded.wrong, used = excluded.used";
        let (id, expires) = (token.id(), token.expires());
        self.execute(sql, (id, account, expires, trials.wrong, trials.used))
    }

    /// Uses up the request of a sign-in by a passkey alone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: another transaction has used it up meanwhile.
    pub fn use_passkey_sign_in(
        &mut self,
        account: AccountId,
        request: &PasskeySignIn,
        now: Timestamp,
    ) -> StoreResult<()> {
        self.forget_old_token_states(now)?;
        let sql = "INSERT INTO login_token (id, account, expires, wrong, used) VALUES (?1, ?2, ?3, 0, ?4) \
                   ON CONFLICT DO NOTHING";
        let (id, expires) = (request.id(), request.expires());
        consumed(self.execute_counted(sql, (id, account, expires, true))?)
    }

    /// Removes what is kept of tokens that expired long before `now`: a clock that ran ahead and is
    /// set back makes no used token valid again.
    fn forget_old_token_states(&mut self, now: Timestamp) -> StoreResult<()> {
        let over = now.minus(REVOCATIONS_KEPT);
        let sql = "DELETE FROM login_token WHERE id IN \
                   (SELECT id FROM login_token WHERE expires < ?1 /*+ FOR UPDATE SKIP LOCKED */)";
        self.execute(sql, [over])
    }
}
