//! Sealed tokens: what goes to a browser, a program or a local user with one step, and comes back with the next. Each is
//! one envelope around a payload of its kind, and is opened in one place.
//!
//! MUST open by [`Token::open`] alone, and MUST NOT be used before the transaction that writes has proven that what the
//! token was born of is alive (`door/alive.rs`).

mod completed_factors;
mod envelope;
mod kind;
mod login;
mod revoked;
pub mod session;
mod session_token;
#[cfg(test)]
mod tests;

pub(crate) use envelope::{AccountVersion, TokenHolder, TokenParent, TokenRecipient};
pub use envelope::{Token, TokenId};
pub use kind::TokenKind;
pub(crate) use kind::TokenPayload;
pub use login::LoginPayload;
pub(crate) use session_token::session_recipient;
pub use session_token::{AccessPayload, RefreshPayload, StepUpPayload};

/// From the first factor to the code.
pub type LoginToken = Token<LoginPayload>;
/// A fresh proof in a session.
pub type StepUpToken = Token<StepUpPayload>;
/// A session in a header, for a short time.
pub type AccessToken = Token<AccessPayload>;
/// What gets a session's next access token, once.
pub type RefreshToken = Token<RefreshPayload>;
