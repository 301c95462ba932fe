//! The mark of a PAM transaction: what its `auth` hook leaves for its `account` hook, once access was granted. The module
//! keeps it, and posternd, a restarted one and `--stdio` open it.

use super::{Kind, Payload};
use crate::clock::Timestamp;
use crate::door::Means;
use crate::host_process::Binding;
use crate::name::{Service, UserName};
use crate::place::Origin;
use serde::{Deserialize, Serialize};

/// Who passed `auth` where. Whose code it was, and how that account was, stands in the envelope.
#[derive(Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Who signs in.
    pub(crate) user: UserName,
    /// The PAM service.
    pub(crate) service: Service,
    /// The host process, and its transaction.
    pub(crate) binding: Binding,
    /// What is booked once the first factor has passed too.
    pub(crate) accepted: Option<AcceptedBefore>,
    /// What is told then.
    pub(crate) told: Vec<String>,
}

/// A code that was accepted before the first factor had passed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AcceptedBefore {
    pub(crate) means: Means,
    pub(crate) at: Timestamp,
    pub(crate) from: Origin,
}

impl Payload for Mark {
    const KIND: Kind = Kind::Mark;
}
