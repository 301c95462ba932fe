//! The mark of a PAM transaction: what its `auth` hook leaves for its `account` hook, once access was granted. The module
//! keeps it, and posternd, a restarted one and `--stdio` open it.

use crate::account::name::{Service, UserName};
use crate::system::clock::Timestamp;
use crate::system::process::ProcessBinding;
use crate::token::{TokenKind, TokenPayload};
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use serde::{Deserialize, Serialize};

/// Who passed `auth` where. Whose code it was, and how that account was, stands in the envelope.
#[derive(Serialize, Deserialize)]
pub(crate) struct AuthMark {
    /// Who signs in.
    pub(crate) user: UserName,
    /// The PAM service.
    pub(crate) service: Service,
    /// The host process, and its transaction.
    pub(crate) binding: ProcessBinding,
    /// What is booked once the first factor has passed too.
    pub(crate) accepted: Option<EarlyAcceptance>,
    /// What is told then.
    pub(crate) told: Vec<String>,
}

/// A code that was accepted before the first factor had passed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct EarlyAcceptance {
    pub(crate) means: AuthenticationMethod,
    pub(crate) at: Timestamp,
    pub(crate) from: Origin,
}

impl TokenPayload for AuthMark {
    const KIND: TokenKind = TokenKind::Mark;
}
