//! The token of a PAM transaction: what the `auth` hook leaves for the `account` hook once access
//! was granted.
//! The module keeps the sealed token. Any posternd opens it: the same, a restarted one, or one that
//! runs with `--stdio`.

use crate::account::name::{Service, UserName};
use crate::system::clock::Timestamp;
use crate::system::process::ProcessBinding;
use crate::token::{TokenKind, TokenPayload};
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use serde::{Deserialize, Serialize};

/// Who passed `auth` at which service. The account and its version are in the envelope.
#[derive(Serialize, Deserialize)]
pub(crate) struct AuthMark {
    /// The PAM user, who may differ from the account whose code was given.
    pub(crate) user: UserName,
    pub(crate) service: Service,
    pub(crate) binding: ProcessBinding,
    /// Login to record once the first factor has passed too.
    pub(crate) accepted: Option<EarlyAcceptance>,
    /// Messages for the person at that time.
    pub(crate) told: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct EarlyAcceptance {
    pub(crate) means: AuthenticationMethod,
    pub(crate) at: Timestamp,
    pub(crate) from: Origin,
}

impl TokenPayload for AuthMark {
    const KIND: TokenKind = TokenKind::Mark;
}
