//! Sealed tokens: text that a browser, a program or a local user receives with one response and
//! presents with the next request. Each token is one envelope around a payload of its kind.
//!
//! MUST be opened by [`Token::open`] alone. MUST NOT be used before the transaction that writes has
//! proven that the parent of the token is valid (`engine/login/token_validity.rs`).

mod completed_factors;
mod end_sessions;
mod envelope;
mod kind;
mod login;
mod page_message;
mod passkey;
mod passkey_sign_in;
mod revoked;
pub mod session;
mod session_token;
#[cfg(test)]
mod tests;

pub use end_sessions::EndSessionsPayload;
pub(crate) use envelope::{AccountVersion, TokenHolder, TokenParent, TokenRecipient};
pub use envelope::{Token, TokenId};
pub use kind::TokenKind;
pub(crate) use kind::TokenPayload;
pub use login::LoginPayload;
pub use page_message::PageMessage;
pub use passkey::{PasskeyPayload, PasskeyPurpose};
pub use passkey_sign_in::PasskeySignIn;
pub(crate) use session_token::session_recipient;
pub use session_token::{AccessPayload, RefreshPayload, StepUpPayload};

pub type LoginToken = Token<LoginPayload>;
pub type StepUpToken = Token<StepUpPayload>;
/// A session in a header, valid for minutes.
pub type AccessToken = Token<AccessPayload>;
/// Ends every session of an account, once.
pub type EndSessionsToken = Token<EndSessionsPayload>;
/// A request to a passkey in a session, once.
pub type PasskeyToken = Token<PasskeyPayload>;
/// Obtains the next access token of a session, once.
pub type RefreshToken = Token<RefreshPayload>;
