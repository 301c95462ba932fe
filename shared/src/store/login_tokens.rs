//! Use of login tokens, which connect the first factor with the second: wrong codes and completion.

use super::StoreError;
use crate::account::record::AccountId;
use crate::system::clock::Timestamp;
use crate::token::{LoginToken, TokenId};

/// Use of a login token so far. A token without a row is unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginTokenState {
    /// Number of wrong codes.
    pub wrong: u32,
    /// Whether a code was right, which ends the login.
    pub used: bool,
}

pub trait LoginTokenStore {
    fn login_token_state(&mut self, token: TokenId) -> Result<LoginTokenState, StoreError>;
    /// Stores the state of a token, and removes tokens that expired long before `now`.
    fn set_login_token_state(
        &mut self,
        account: AccountId,
        token: &LoginToken,
        trials: LoginTokenState,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
