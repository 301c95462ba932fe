//! SQL of [`SessionStore`], and the conversion of its rows.

use super::transaction::{IS_UP_TO_DATE, SqliteTransaction, bytes, signed, time, unsigned};
use crate::account::record::AccountId;
use crate::crypto::password::PasswordHash;
use crate::crypto::vault::BrowserHash;
use crate::store::{
    BrowserRecord, BrowserSessions, BrowserToken, SessionBrowser, SessionRecord, SessionStore,
    StoreError, Transaction,
};
use crate::system::clock::Timestamp;
use crate::token::session::{CLOCKS_APART, RevokedSessions, SessionId};
use rusqlite::{OptionalExtension, Row};

type Result<T> = std::result::Result<T, StoreError>;

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

fn session(row: &Row<'_>) -> rusqlite::Result<(Vec<u8>, SessionRecord)> {
    let in_browser = |number| SessionBrowser {
        number,
        by_trust: row.get(7).unwrap_or(true),
    };
    let record = SessionRecord {
        id: SessionId([0; 16]),
        browser: row.get(1)?,
        address: row.get(2)?,
        created: time(row, 3)?,
        last_seen: time(row, 4)?,
        expires: time(row, 5)?,
        trusted_browser: row.get::<_, Option<i64>>(6)?.map(in_browser),
    };
    Ok((row.get(0)?, record))
}

fn named((id, record): (Vec<u8>, SessionRecord)) -> Result<SessionRecord> {
    Ok(SessionRecord {
        id: SessionId(bytes(id, "a session")?),
        ..record
    })
}

const BROWSER: &str = "id, account, name, address, created, last_seen, expires";

fn browser(row: &Row<'_>) -> rusqlite::Result<BrowserRecord> {
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

impl SessionStore for SqliteTransaction<'_> {
    fn password_hash(&mut self, account: AccountId) -> Result<Option<PasswordHash>> {
        let sql = "SELECT password FROM account WHERE id = ?1";
        let found: Option<Option<String>> = self
            .0
            .query_row(sql, [account.0], |row| row.get(0))
            .optional()?;
        Ok(found.flatten().map(PasswordHash))
    }

    fn set_password_hash(&mut self, account: AccountId, hash: &PasswordHash) -> Result<()> {
        self.execute(
            "UPDATE account SET password = ?2 WHERE id = ?1",
            (account.0, &hash.0),
        )
    }

    fn end_sessions(&mut self, account: AccountId) -> Result<()> {
        let sql = "UPDATE account SET generation = generation + 1, \
                   generation_revision = (SELECT number + 1 FROM revision) * had_session WHERE id = ?1";
        self.execute(sql, [account.0])?;
        self.end_grace_period(account)?;
        self.execute("DELETE FROM session WHERE account = ?1", [account.0])
    }

    fn end_sessions_and_browsers(&mut self, account: AccountId) -> Result<()> {
        self.end_sessions(account)?;
        self.execute(
            "DELETE FROM trusted_browser WHERE account = ?1",
            [account.0],
        )
    }

    fn revoked_sessions_after(&mut self, after: u64) -> Result<RevokedSessions> {
        let sql = "SELECT number, forgotten FROM revision";
        let (revision, forgotten): (i64, i64) = self
            .0
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut revoked = RevokedSessions::new(unsigned(revision), unsigned(forgotten));
        let after = signed(after).max(forgotten);
        let sql = "SELECT id, revision FROM revoked_session WHERE revision > ?1";
        for (id, at) in self.all(sql, [after], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?))
        })? {
            revoked.end_session(SessionId(bytes(id, "a revoked session")?), unsigned(at));
        }
        // a removed account counts as beyond every generation
        let sql = "SELECT id, generation + number, generation_revision FROM account, renewal \
                   WHERE generation_revision > 0 AND generation_revision > ?1 \
                   UNION ALL SELECT id, 9223372036854775807, revision FROM removed_account WHERE revision > ?1";
        for (id, generation, at) in self.all(sql, [after], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })? {
            revoked.raise_generation(id, unsigned(generation), unsigned(at));
        }
        Ok(revoked)
    }

    fn forget_revocations(&mut self, now: Timestamp) -> Result<()> {
        let sql = "SELECT number, at FROM revision_time ORDER BY number DESC LIMIT 1";
        let last: Option<(i64, i64)> = self
            .0
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
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
            self.0
                .query_row(sql, [signed(now.minus(REVOCATIONS_KEPT).0)], |row| {
                    row.get(0)
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

    fn raise_revision(&mut self) -> Result<u64> {
        self.execute("UPDATE revision SET number = number + 1", [])?;
        self.revision()
    }

    fn revision(&mut self) -> Result<u64> {
        Ok(unsigned(self.0.query_row(
            "SELECT number FROM revision",
            [],
            |row| row.get(0),
        )?))
    }

    fn set_gate_revision(&mut self, gate: &[u8; 16], revision: u64) -> Result<()> {
        let sql = "INSERT INTO gate (id, seen) VALUES (?1, ?2) \
                   ON CONFLICT (id) DO UPDATE SET seen = excluded.seen";
        self.execute(sql, (&gate[..], signed(revision)))
    }

    fn count_gates_behind(&mut self, revision: u64) -> Result<u64> {
        let sql = "SELECT count(*) FROM gate WHERE seen < ?1";
        Ok(unsigned(self.0.query_row(
            sql,
            [signed(revision)],
            |row| row.get(0),
        )?))
    }

    fn remove_gates_behind(&mut self, revision: u64) -> Result<()> {
        self.execute("DELETE FROM gate WHERE seen < ?1", [signed(revision)])
    }

    fn remove_gate(&mut self, gate: &[u8; 16]) -> Result<()> {
        self.execute("DELETE FROM gate WHERE id = ?1", [&gate[..]])
    }

    fn add_session(&mut self, account: AccountId, session: &SessionRecord) -> Result<()> {
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

    fn sessions(&mut self, account: AccountId, now: Timestamp) -> Result<Vec<SessionRecord>> {
        let sql = format!(
            "SELECT {SESSION} FROM session WHERE account = ?1 AND expires > ?2 AND {IS_UP_TO_DATE} \
             ORDER BY created DESC, id"
        );
        self.all(&sql, (account.0, signed(now.0)), session)?
            .into_iter()
            .map(named)
            .collect()
    }

    fn find_session(
        &mut self,
        account: AccountId,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>> {
        let sql = format!(
            "SELECT {SESSION} FROM session WHERE id = ?1 AND account = ?2 AND expires > ?3"
        );
        let key = (&id.0[..], account.0, signed(now.0));
        self.0
            .query_row(&sql, key, session)
            .optional()?
            .map(named)
            .transpose()
    }

    fn end_sessions_of_browser(
        &mut self,
        browser: i64,
        which: BrowserSessions,
        but: Option<SessionId>,
    ) -> Result<()> {
        let sql = match which {
            BrowserSessions::All => "SELECT id FROM session WHERE trusted_browser = ?1",
            BrowserSessions::ByTrust => {
                "SELECT id FROM session WHERE trusted_browser = ?1 AND by_trust = 1"
            }
        };
        let ids = self.all(sql, [browser], |row| row.get::<_, Vec<u8>>(0))?;
        for id in ids {
            let id = SessionId(bytes(id, "a session")?);
            if but != Some(id) {
                self.end_session(id)?;
            }
        }
        Ok(())
    }

    fn is_revoked(&mut self, id: SessionId) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM revoked_session WHERE id = ?1)";
        Ok(self.0.query_row(sql, [&id.0[..]], |row| row.get(0))?)
    }

    fn refresh_count(&mut self, id: SessionId, now: Timestamp) -> Result<Option<u64>> {
        let sql = "SELECT refreshed FROM session WHERE id = ?1 AND expires > ?2";
        let key = (&id.0[..], signed(now.0));
        Ok(self
            .0
            .query_row(sql, key, |row| row.get(0))
            .optional()?
            .map(unsigned))
    }

    fn record_refresh(&mut self, id: SessionId, now: Timestamp) -> Result<()> {
        let sql = "UPDATE session SET refreshed = refreshed + 1, last_seen = ?2 WHERE id = ?1";
        self.execute(sql, (&id.0[..], signed(now.0)))
    }

    fn end_session(&mut self, id: SessionId) -> Result<bool> {
        let sql = "INSERT OR IGNORE INTO revoked_session (id, revision) SELECT ?1, number + 1 FROM revision";
        self.execute(sql, [&id.0[..]])?;
        Ok(self
            .0
            .execute("DELETE FROM session WHERE id = ?1", [&id.0[..]])?
            > 0)
    }

    fn add_trusted_browser(&mut self, new: &BrowserRecord) -> Result<i64> {
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
        Ok(self.0.last_insert_rowid())
    }

    fn trusted_browsers(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<BrowserRecord>> {
        let sql = format!(
            "SELECT {BROWSER} FROM trusted_browser WHERE account = ?1 AND expires > ?2 AND {IS_UP_TO_DATE} \
             ORDER BY id DESC"
        );
        self.all(&sql, (account.0, signed(now.0)), browser)
    }

    fn find_browser_by_token(
        &mut self,
        token: &BrowserHash,
        now: Timestamp,
    ) -> Result<Option<(BrowserRecord, BrowserToken)>> {
        let sql = format!(
            "SELECT {BROWSER}, state FROM trusted_browser \
             JOIN browser_token ON browser_token.browser = trusted_browser.id \
             WHERE browser_token.hash = ?1 AND expires > ?2 AND created <= ?3"
        );
        // trusted in the future: the clock ran ahead and was set back
        let of_the_past = signed(now.plus(CLOCKS_APART).0);
        let found = self
            .0
            .query_row(&sql, (&token.0[..], signed(now.0), of_the_past), |row| {
                Ok((browser(row)?, row.get::<_, i64>(7)?))
            })
            .optional()?;
        Ok(found.map(|(record, state)| {
            let token = match state {
                NEWEST => BrowserToken::Newest,
                OLDER => BrowserToken::Older,
                _ => BrowserToken::Stolen,
            };
            (record, token)
        }))
    }

    fn rotate_browser_token(
        &mut self,
        browser: i64,
        token: &BrowserHash,
        seen: bool,
        address: &str,
        now: Timestamp,
    ) -> Result<()> {
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

    fn remove_trusted_browser(&mut self, browser: i64) -> Result<bool> {
        Ok(self
            .0
            .execute("DELETE FROM trusted_browser WHERE id = ?1", [browser])?
            > 0)
    }
}
