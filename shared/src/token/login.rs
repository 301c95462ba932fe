//! From the first factor to the code.

use super::{LoginToken, Token, TokenHolder, TokenKind, TokenPayload};
use crate::account::second_factor::CodeMethods;
use crate::crypto::vault::TokenKeys;
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// What a code page needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginPayload {
    /// How long the account's longest code is: the code page submits itself there.
    pub digits: u32,
    /// What codes there are.
    pub methods: CodeMethods,
    /// The page that was asked for.
    pub back_to: String,
}

impl LoginPayload {
    /// Wrong codes; then the first factor is asked again.
    pub const MAX_WRONG_CODES: u32 = 5;
}

impl TokenPayload for LoginPayload {
    const KIND: TokenKind = TokenKind::Login;

    fn shorter(&self) -> Option<LoginPayload> {
        Some(LoginPayload {
            back_to: String::new(),
            ..self.clone()
        })
    }
}

impl LoginToken {
    /// Opens one that is good at `now`.
    pub fn open_login(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<LoginToken> {
        Token::open(text, keys, TokenHolder::Bearer, now)
    }

    /// On the way to a page.
    #[must_use]
    pub fn with_back_to(self, back_to: String) -> LoginToken {
        let login = LoginPayload {
            back_to,
            ..self.payload().clone()
        };
        self.with_payload(login)
    }
}
