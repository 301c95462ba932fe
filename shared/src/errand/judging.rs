//! What a PAM host that is not root asks of the gate, which has the store: what the policy says of a person, whether an
//! answer opens, and what is left to do once the first factor has passed too.
//!
//! MUST NOT answer with more than the person's prompt shows and the host's own log line holds.

use super::Typed;
use crate::config::Grace;
use crate::decision::Spared;
use crate::earlier::Earlier;
use crate::guess::Stage;
use crate::name::Service;
use crate::place::Address;
use crate::policy::{Need, Waiver};
use serde::{Deserialize, Serialize};

/// One question about the account that the errand names. Where the person stands is believed only of hosts that
/// `pam.socket_users` names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judging {
    /// The host's PAM service.
    pub service: Service,
    /// Where the person comes from, if that is known.
    pub address: Option<Address>,
    /// Whether the first factor has passed.
    pub stage: Stage,
    /// What passed before.
    #[serde(default)]
    pub earlier: Earlier,
    /// The question.
    pub question: Question,
}

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// What the policy says.
    Need,
    /// Whether an answer opens; if it does, it is spent.
    Answer(Typed),
    /// The first factor has passed after an answer that opened: the ticket that came with that.
    Book(Typed),
    /// Whether someone who must have a second factor, and has none, may come in without.
    Waive,
    /// Whether an earlier code spares the next, where that counts for so long.
    Grace(Grace),
    /// The person's password of this host was changed: what a new one ends is ended.
    PasswordChanged,
}

/// What the gate says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// What the policy says.
    Need(Need),
    /// The answer opens.
    Accepted {
        /// By what, as logs name it.
        by: String,
        /// What books it, where the first factor is still to pass.
        ticket: Option<Typed>,
    },
    /// It does not.
    Refused {
        /// Why, as logs name it.
        cause: String,
        /// Why, as people read it.
        words: String,
    },
    /// It is booked.
    Booked,
    /// What grace says.
    Grace(Spared),
    /// It is ended.
    Ended,
    /// There is no account, and so nothing that could end.
    NothingToEnd,
    /// Why they may come in without, if they may.
    Waived(Option<Waiver>),
}
