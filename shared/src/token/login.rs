//! Login tokens: issued after the first factor, presented with the second. The token grants nothing
//! by itself.

use super::{LoginToken, Token, TokenHolder, TokenKind, TokenPayload};
use crate::account::second_factor::CodeMethods;
use crate::crypto::vault::TokenKeys;
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// The data that a page for codes needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginPayload {
    /// Digits of the longest code of the account: the page submits itself at this length.
    pub digits: u32,
    pub methods: CodeMethods,
    /// The page that the client requested before the login.
    pub back_to: String,
    /// Whether the requested page needs a passkey, so that a code does not lead there.
    #[serde(default)]
    pub needs_passkey: bool,
}

impl LoginPayload {
    /// Wrong codes after which the first factor is required again.
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
    /// Opens a login token that is valid at `now`.
    pub fn open_login(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<LoginToken> {
        Token::open(text, keys, TokenHolder::Bearer, now)
    }

    /// Replaces the page that follows the login.
    #[must_use]
    pub fn with_back_to(self, back_to: String) -> LoginToken {
        let login = LoginPayload {
            back_to,
            ..self.payload().clone()
        };
        self.with_payload(login)
    }
}
