//! SQL of [`LoginTokenStore`].

use super::sessions::REVOCATIONS_KEPT;
use super::transaction::{SqliteTransaction, signed};
use crate::account::record::AccountId;
use crate::store::{LoginTokenState, LoginTokenStore, StoreError};
use crate::system::clock::Timestamp;
use crate::token::{LoginToken, TokenId};
use rusqlite::OptionalExtension;

type Result<T> = std::result::Result<T, StoreError>;

impl LoginTokenStore for SqliteTransaction<'_> {
    fn login_token_state(&mut self, token: TokenId) -> Result<LoginTokenState> {
        let sql = "SELECT wrong, used FROM login_token WHERE id = ?1";
        let kept = self.0.query_row(sql, [&token.0[..]], |row| {
            Ok(LoginTokenState {
                wrong: row.get(0)?,
                used: row.get(1)?,
            })
        });
        Ok(kept.optional()?.unwrap_or_default())
    }

    fn set_login_token_state(
        &mut self,
        account: AccountId,
        token: &LoginToken,
        trials: LoginTokenState,
        now: Timestamp,
    ) -> Result<()> {
        // long after expiry: a clock that ran ahead and is set back makes no used token valid again
        let over = signed(now.minus(REVOCATIONS_KEPT).0);
        self.execute("DELETE FROM login_token WHERE expires < ?1", [over])?;
        let sql = "INSERT INTO login_token (id, account, expires, wrong, used) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (id) DO UPDATE SET wrong = excluded.wrong, used = excluded.used";
        let id = token.id();
        let (id, expires) = (&id.0[..], signed(token.expires().0));
        self.execute(sql, (id, account.0, expires, trials.wrong, trials.used))
    }
}
