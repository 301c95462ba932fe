//! The web's statements: each method of [`Sessions`] in SQL, and nothing else.

use super::rows::{Rows, bytes, signed, time, unsigned};
use crate::clock::Timestamp;
use crate::password::Hash;
use crate::session::{Revoked, SessionId};
use crate::store::{AccountId, BrowserRecord, SessionRecord, Sessions, StoreError, Token, Transaction};
use crate::vault::BrowserHash;
use rusqlite::{OptionalExtension, Row};

type Result<T> = std::result::Result<T, StoreError>;

const NEWEST: i64 = 0;
const OLDER: i64 = 1;
const STOLEN: i64 = 2;
/// Tokens that are remembered for each browser, so that stolen ones are recognised.
const TOKENS_KEPT: i64 = 64;

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

impl Sessions for Rows<'_> {
    fn password(&mut self, account: AccountId) -> Result<Option<Hash>> {
        let sql = "SELECT password FROM account WHERE id = ?1";
        let found: Option<Option<String>> =
            self.0.query_row(sql, [account.0], |row| row.get(0)).optional()?;
        Ok(found.flatten().map(Hash))
    }

    fn set_password(&mut self, account: AccountId, hash: &Hash) -> Result<()> {
        self.execute("UPDATE account SET password = ?2 WHERE id = ?1", (account.0, &hash.0))
    }

    fn end_sessions(&mut self, account: AccountId, now: Timestamp) -> Result<()> {
        let sql = "UPDATE account SET generation = generation + 1, generation_at = ?2 WHERE id = ?1";
        self.execute(sql, (account.0, signed(now.0)))?;
        self.end_grace(account)?;
        self.execute("DELETE FROM session WHERE account = ?1", [account.0])
    }

    fn end_all(&mut self, account: AccountId, now: Timestamp) -> Result<()> {
        self.end_sessions(account, now)?;
        self.execute("DELETE FROM trusted_browser WHERE account = ?1", [account.0])
    }

    fn revoked(&mut self, now: Timestamp, longest: u64) -> Result<Revoked> {
        let revision = self.revision()?;
        let sql = "SELECT id FROM revoked_session WHERE expires >= ?1";
        let ids = self.all(sql, [signed(now.0)], |row| row.get::<_, Vec<u8>>(0))?;
        let sessions = ids
            .into_iter()
            .map(|id| Ok(SessionId(bytes(id, "a revoked session")?)))
            .collect::<Result<_>>()?;
        // an account that is gone is beyond every generation
        let sql = "SELECT id, generation FROM account WHERE generation > 0 AND generation_at >= ?1 \
                   UNION ALL SELECT id, 9223372036854775807 FROM removed_account WHERE at >= ?1";
        let raised = self.all(sql, [signed(now.minus(longest).0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let generations = raised.into_iter().map(|(id, generation)| (id, unsigned(generation))).collect();
        Ok(Revoked { revision, sessions, generations })
    }

    fn revise(&mut self) -> Result<u64> {
        self.execute("UPDATE revision SET number = number + 1", [])?;
        self.revision()
    }

    fn revision(&mut self) -> Result<u64> {
        Ok(unsigned(self.0.query_row("SELECT number FROM revision", [], |row| row.get(0))?))
    }

    fn gate_goes_by(&mut self, gate: &[u8; 16], revision: u64) -> Result<()> {
        let sql = "INSERT INTO gate (id, seen) VALUES (?1, ?2) \
                   ON CONFLICT (id) DO UPDATE SET seen = excluded.seen";
        self.execute(sql, (&gate[..], signed(revision)))
    }

    fn gates_behind(&mut self, revision: u64) -> Result<u64> {
        let sql = "SELECT count(*) FROM gate WHERE seen < ?1";
        Ok(unsigned(self.0.query_row(sql, [signed(revision)], |row| row.get(0))?))
    }

    fn forget_gates_behind(&mut self, revision: u64) -> Result<()> {
        self.execute("DELETE FROM gate WHERE seen < ?1", [signed(revision)])
    }

    fn forget_gate(&mut self, gate: &[u8; 16]) -> Result<()> {
        self.execute("DELETE FROM gate WHERE id = ?1", [&gate[..]])
    }

    fn add_session(&mut self, account: AccountId, session: &SessionRecord) -> Result<()> {
        let created = signed(session.created.0);
        self.execute("DELETE FROM session WHERE account = ?1 AND expires < ?2", (account.0, created))?;
        self.execute("DELETE FROM revoked_session WHERE expires < ?1", [created])?;
        let sql = "INSERT INTO session (id, account, name, address, created, last_seen, expires) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let SessionRecord { id, browser, address, last_seen, expires, .. } = session;
        let (last_seen, expires) = (signed(last_seen.0), signed(expires.0));
        self.execute(sql, (&id.0[..], account.0, browser, address, created, last_seen, expires))
    }

    fn sessions(&mut self, account: AccountId, now: Timestamp) -> Result<Vec<SessionRecord>> {
        let sql = "SELECT id, name, address, created, last_seen, expires FROM session \
                   WHERE account = ?1 AND expires > ?2 ORDER BY created DESC, id";
        type Columns = (Vec<u8>, String, String, Timestamp, Timestamp, Timestamp);
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, time(row, 3)?, time(row, 4)?, time(row, 5)?))
        };
        self.all(sql, (account.0, signed(now.0)), read)?
            .into_iter()
            .map(|(id, browser, address, created, last_seen, expires)| {
                let id = SessionId(bytes(id, "a session")?);
                Ok(SessionRecord { id, browser, address, created, last_seen, expires })
            })
            .collect()
    }

    fn refreshed(&mut self, id: SessionId, now: Timestamp) -> Result<Option<u64>> {
        let sql = "SELECT refreshed FROM session WHERE id = ?1 AND expires > ?2";
        let key = (&id.0[..], signed(now.0));
        Ok(self.0.query_row(sql, key, |row| row.get(0)).optional()?.map(unsigned))
    }

    fn refresh(&mut self, id: SessionId, now: Timestamp) -> Result<()> {
        let sql = "UPDATE session SET refreshed = refreshed + 1, last_seen = ?2 WHERE id = ?1";
        self.execute(sql, (&id.0[..], signed(now.0)))
    }

    fn end_session(&mut self, id: SessionId) -> Result<bool> {
        let sql = "INSERT OR IGNORE INTO revoked_session (id, expires) \
                   SELECT id, expires FROM session WHERE id = ?1";
        self.execute(sql, [&id.0[..]])?;
        Ok(self.0.execute("DELETE FROM session WHERE id = ?1", [&id.0[..]])? > 0)
    }

    fn add_browser(&mut self, new: &BrowserRecord) -> Result<i64> {
        let sql = "DELETE FROM trusted_browser WHERE account = ?1 AND expires < ?2";
        self.execute(sql, (new.account.0, signed(new.created.0)))?;
        let sql = "INSERT INTO trusted_browser (account, name, address, created, last_seen, expires) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (created, last_seen) = (signed(new.created.0), signed(new.last_seen.0));
        let expires = signed(new.expires.0);
        self.execute(sql, (new.account.0, &new.name, &new.address, created, last_seen, expires))?;
        Ok(self.0.last_insert_rowid())
    }

    fn browsers(&mut self, account: AccountId, now: Timestamp) -> Result<Vec<BrowserRecord>> {
        let sql = format!(
            "SELECT {BROWSER} FROM trusted_browser WHERE account = ?1 AND expires > ?2 ORDER BY id DESC"
        );
        self.all(&sql, (account.0, signed(now.0)), browser)
    }

    fn browser_of(&mut self, token: &BrowserHash, now: Timestamp) -> Result<Option<(BrowserRecord, Token)>> {
        let sql = format!(
            "SELECT {BROWSER}, state FROM trusted_browser \
             JOIN browser_token ON browser_token.browser = trusted_browser.id \
             WHERE browser_token.hash = ?1 AND expires > ?2"
        );
        let found = self
            .0
            .query_row(&sql, (&token.0[..], signed(now.0)), |row| Ok((browser(row)?, row.get::<_, i64>(7)?)))
            .optional()?;
        Ok(found.map(|(record, state)| {
            let token = match state {
                NEWEST => Token::Newest,
                OLDER => Token::Older,
                _ => Token::Stolen,
            };
            (record, token)
        }))
    }

    fn rotate(
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

    fn remove_browser(&mut self, browser: i64) -> Result<bool> {
        Ok(self.0.execute("DELETE FROM trusted_browser WHERE id = ?1", [browser])? > 0)
    }
}
