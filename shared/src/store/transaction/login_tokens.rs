//! Use of login tokens, which connect the first factor with the second: wrong codes and completion.

use super::Transaction;
use super::convert::signed;
use super::sessions::REVOCATIONS_KEPT;
use crate::account::record::AccountId;
use crate::store::{LoginTokenState, StoreResult};
use crate::system::clock::Timestamp;
use crate::token::{LoginToken, TokenId};

impl Transaction<'_> {
    pub fn login_token_state(&mut self, token: TokenId) -> StoreResult<LoginTokenState> {
        let sql = "SELECT wrong, used FROM login_token WHERE id = ?1";
        let kept = self.find_row(sql, [&token.0[..]], |row| {
            Ok(LoginTokenState {
                wrong: row.get(0)?,
                used: row.get(1)?,
            })
        })?;
        Ok(kept.unwrap_or_default())
    }

    /// Stores the state of a token, and removes tokens that expired long before `now`.
    pub fn set_login_token_state(
        &mut self,
        account: AccountId,
        token: &LoginToken,
        trials: LoginTokenState,
        now: Timestamp,
    ) -> StoreResult<()> {
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
