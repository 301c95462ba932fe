//! Requests of PAM prompts for an approval at the web.

use super::Transaction;
use super::convert::{ColumnResult, Row, signed, unsigned};
use super::second_factor::consumed;
use crate::account::record::AccountId;
use crate::crypto::vault::ApprovalHash;
use crate::store::{ApprovalRecord, ApprovalState, StoreResult};
use crate::system::clock::Timestamp;
use crate::token::session::SessionId;

const COLUMNS: &str = "hash, generation, conversation, number, state, session, service, name, host, \
                       scope, origin, created, expires";

fn approval(row: &Row<'_>) -> ColumnResult<ApprovalRecord> {
    Ok(ApprovalRecord {
        hash: row.get(0)?,
        generation: unsigned(row.get(1)?),
        conversation: row.get(2)?,
        number: row.get(3)?,
        state: row.get(4)?,
        session: row.get(5)?,
        service: row.get(6)?,
        user: row.get(7)?,
        host: row.get(8)?,
        scope: row.get(9)?,
        origin: row.get(10)?,
        created: row.get(11)?,
        expires: row.get(12)?,
    })
}

impl Transaction<'_> {
    /// Adds a request, and removes those of every account that were made before `since`, or by a clock
    /// that ran ahead.
    pub fn add_approval(
        &mut self,
        account: AccountId,
        new: &ApprovalRecord,
        since: Timestamp,
    ) -> StoreResult<()> {
        let sql = "DELETE FROM approval_request WHERE hash IN \
                   (SELECT hash FROM approval_request WHERE created < ?1 OR created > ?2 /*+ FOR UPDATE SKIP LOCKED */)";
        self.execute(sql, (since, new.created))?;
        let sql = "INSERT INTO approval_request (hash, account, generation, conversation, number, state, \
                   service, name, host, scope, origin, created, expires) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING";
        let row = (
            new.hash,
            account,
            signed(new.generation),
            new.conversation,
            new.number,
            new.state,
            &new.service,
            &new.user,
            &new.host,
            &new.scope,
            &new.origin,
            new.created,
            new.expires,
        );
        consumed(self.execute_counted(sql, row)?)
    }

    /// Returns a request of an account.
    pub fn find_approval(
        &mut self,
        account: AccountId,
        hash: &ApprovalHash,
    ) -> StoreResult<Option<ApprovalRecord>> {
        let sql =
            format!("SELECT {COLUMNS} FROM approval_request WHERE hash = ?1 AND account = ?2");
        self.find_row(&sql, (hash, account), approval)
    }

    /// Returns the scope of each request of an account that a host has made since a time.
    pub fn approvals_since(
        &mut self,
        account: AccountId,
        host: &str,
        (since, now): (Timestamp, Timestamp),
    ) -> StoreResult<Vec<String>> {
        let sql = "SELECT scope FROM approval_request \
                   WHERE account = ?1 AND host = ?2 AND created BETWEEN ?3 AND ?4";
        self.query_rows(sql, (account, host, since, now), |row| row.get(0))
    }

    /// Ends every request of an account that a host has made in a scope.
    pub fn end_approvals(
        &mut self,
        account: AccountId,
        host: &str,
        scope: &str,
    ) -> StoreResult<()> {
        let sql = "UPDATE approval_request SET state = ?4 WHERE account = ?1 AND host = ?2 AND scope = ?3";
        self.execute(sql, (account, host, scope, ApprovalState::Ended))
    }

    /// Changes the state of a request.
    ///
    /// # Errors
    /// [`crate::store::StoreError::Conflict`]: another transaction has changed it meanwhile.
    pub fn set_approval_state(
        &mut self,
        hash: &ApprovalHash,
        from: ApprovalState,
        to: ApprovalState,
        session: Option<SessionId>,
    ) -> StoreResult<()> {
        let sql = "UPDATE approval_request SET state = ?3, session = coalesce(?4, session) \
                   WHERE hash = ?1 AND state = ?2";
        consumed(self.execute_counted(sql, (hash, from, to, session))?)
    }
}
