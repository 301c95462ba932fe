//! What the store keeps of sign-ins between the first factor and the code: how often each was tried.

use super::StoreError;
use crate::account::record::AccountId;
use crate::system::clock::Timestamp;
use crate::token::{LoginToken, TokenId};

/// What became of a sign-in; one that is not kept was not tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginTokenState {
    /// Wrong codes.
    pub wrong: u32,
    /// Whether a code was right: the sign-in is over.
    pub used: bool,
}

/// Their part of a transaction.
pub trait LoginTokenStore {
    /// What became of a sign-in.
    fn login_token_state(&mut self, token: TokenId) -> Result<LoginTokenState, StoreError>;
    /// Keeps what became of it, and forgets those whose life ended long before `now`.
    fn set_login_token_state(
        &mut self,
        account: AccountId,
        token: &LoginToken,
        trials: LoginTokenState,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
