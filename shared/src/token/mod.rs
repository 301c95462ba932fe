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

pub(crate) use envelope::{AccountAt, Holder, Parent, To};
pub use envelope::{Token, TokenId};
pub use kind::Kind;
pub(crate) use kind::Payload;
pub use login::Login;
pub(crate) use session_token::of_session;
pub use session_token::{Access, Refresh, StepUp};

/// From the first factor to the code.
pub type LoginToken = Token<Login>;
/// A fresh proof in a session.
pub type StepUpToken = Token<StepUp>;
/// A session in a header, for a short time.
pub type AccessToken = Token<Access>;
/// What gets a session's next access token, once.
pub type RefreshToken = Token<Refresh>;
