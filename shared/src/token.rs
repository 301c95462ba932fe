//! Sealed tokens: what goes to a browser, a program or a local user with one step, and comes back with the next. Each is
//! one envelope around a payload of its kind, and is opened in one place.
//!
//! MUST open by [`Token::open`] alone, and MUST NOT be used before the transaction that writes has proven that what the
//! token was born of is alive (`door/alive.rs`).

mod enrollment;
mod envelope;
mod kind;
mod login;
mod mark;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use enrollment::{Confirmed, Draft, DraftError, NewCodes};
pub use enrollment::{Enrollment, MayEnroll};
pub(crate) use envelope::{AccountAt, Holder, Parent, To};
pub use envelope::{Token, TokenId};
pub use kind::Kind;
pub(crate) use kind::Payload;
pub use login::Login;
pub(crate) use mark::{AcceptedBefore, Mark};
pub use session::{Access, Refresh, StepUp};

/// From the first factor to the code.
pub type LoginToken = Token<Login>;
/// From the first factor, or an account's page, through an enrollment at the web.
pub type EnrollmentToken = Token<Enrollment>;
/// A fresh proof in a session.
pub type StepUpToken = Token<StepUp>;
/// A session in a header, for a short time.
pub type AccessToken = Token<Access>;
/// What gets a session's next access token, once.
pub type RefreshToken = Token<Refresh>;
