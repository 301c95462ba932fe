//! What a PAM conversation asks: what the policy says of a person, whether an answer opens, what is left to do once the
//! first factor has passed too.

use super::Typed;
use crate::account::Mail;
use crate::answer::Reading;
use crate::config::Grace;
use crate::decision::Spared;
use crate::earlier::Earlier;
use crate::guess::Stage;
use crate::name::Service;
use crate::place::Origin;
use crate::policy::{Need, Waiver};

/// One question about an account. Where the person stands is believed only of root's hosts and
/// of those that `pam.socket_users` names.
#[derive(Debug)]
pub struct Judging {
    /// The host's PAM service.
    pub service: Service,
    /// Where the person comes from.
    pub origin: Origin,
    /// Whether the first factor has passed.
    pub stage: Stage,
    /// What passed before.
    pub earlier: Earlier,
    /// The question.
    pub question: Question,
}

/// What is asked.
#[derive(Debug)]
pub enum Question {
    /// What the policy says.
    Need,
    /// Whether an answer opens; if it does, it is spent.
    Answer {
        /// What was typed.
        typed: Typed,
        /// How much of that is the answer.
        reading: Reading,
    },
    /// The first factor has passed after an answer that opened: the ticket that came with that.
    Book(Typed),
    /// Whether someone who must have a second factor, and has none, may come in without.
    Waive,
    /// Whether an earlier code spares the next, where that counts for so long.
    Grace(Grace),
    /// The person's password of this host was changed: what a new one ends is ended.
    PasswordChanged,
    /// A code by mail; answered when it was sent.
    Mail,
    /// A first setup.
    Setup(AtPrompt),
}

/// The steps of a first setup at a prompt.
#[derive(Debug)]
pub enum AtPrompt {
    /// A new authenticator, which nothing keeps yet; with an administrator's one-time code where one is needed.
    Begin(Option<Typed>),
    /// A code confirms it; nothing keeps it yet.
    Confirm {
        /// What [`Judged::Setup`] gave.
        ticket: Typed,
        /// What was typed.
        code: Typed,
    },
    /// The recovery codes are saved: it becomes active.
    Activate(Typed),
}

/// What the answer is.
#[derive(Debug)]
pub enum Judged {
    /// What the policy says.
    Need {
        /// That.
        need: Need,
        /// Whether codes are mailed to the account.
        mail: Mail,
    },
    /// The answer opens.
    Accepted {
        /// By what, as logs name it.
        by: String,
        /// What books it, where the first factor is still to pass.
        ticket: Option<Typed>,
        /// How many bytes at the end of what was typed were the answer.
        taken: usize,
    },
    /// It does not, or what was asked for is not done.
    Refused {
        /// Why, as logs name it.
        cause: String,
        /// Why, as people read it.
        words: String,
        /// How many bytes at the end of what was typed were the answer.
        taken: usize,
    },
    /// It is done: booked, active, ended.
    Done,
    /// There is no account, and so nothing that could end.
    NothingToEnd,
    /// What grace says.
    Grace(Spared),
    /// Why they may come in without, if they may.
    Waived(Option<Waiver>),
    /// A code is on its way; what there is to tell.
    Mailed(String),
    /// A first setup needs an administrator's one-time code.
    OneTimeCodeNeeded,
    /// A new authenticator, shown once.
    Setup {
        /// The secret, in Base32.
        secret: Typed,
        /// The text of the QR.
        url: Typed,
        /// The recovery codes as people read them.
        recovery_codes: Vec<Typed>,
        /// What confirms it.
        ticket: Typed,
    },
    /// The code confirmed it.
    Confirmed {
        /// What activates it.
        ticket: Typed,
    },
}
