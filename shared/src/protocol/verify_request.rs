//! What a PAM conversation asks: what the policy says of a person, whether an answer opens, what is left to do once the
//! first factor has passed too.

use super::command_request::TypedText;
use crate::account::name::{Service, UserName};
use crate::account::second_factor::MailStatus;
use crate::config::GracePeriod;
use crate::credential::completed_methods::CompletedMethods;
use crate::credential::input::InputReading;
use crate::policy::requirement::{EnrollmentGrace, Requirement};
use crate::system::process::{HostProcess, UnidentifiedProcess};
use crate::verify::decision::WithinGrace;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;
use std::fmt;

/// One question about an account. Where the person stands is believed only of root's hosts and
/// of those that `pam.socket_users` names.
#[derive(Debug)]
pub struct VerifyRequest {
    /// The host's PAM service.
    pub service: Service,
    /// Who signs in; the account's code may be another's.
    pub user: UserName,
    /// The host process.
    pub process: HostProcess,
    /// Where the person comes from.
    pub origin: Origin,
    /// Whether the first factor has passed.
    pub stage: Phase,
    /// What passed before.
    pub earlier: CompletedMethods,
    /// The question.
    pub question: VerifyOperation,
}

/// What is asked.
#[derive(Debug)]
pub enum VerifyOperation {
    /// What the policy says.
    Need,
    /// Whether an answer opens; if it does, it is spent.
    Answer {
        /// What was typed.
        typed: TypedText,
        /// How much of that is the answer.
        reading: InputReading,
    },
    /// `account`, with the mark that `auth` left: whether it is of this transaction, and still good. What opened before the
    /// first factor is booked.
    Account(TypedText),
    /// Whether someone who must have a second factor, and has none, may come in without.
    Waive,
    /// Whether an earlier code spares the next, where that counts for so long.
    Grace(GracePeriod),
    /// The person's password of this host was changed: what a new one ends is ended.
    PasswordChanged,
    /// A first setup.
    Setup(PromptEnrollment),
}

/// The steps of a first setup at a prompt.
#[derive(Debug)]
pub enum PromptEnrollment {
    /// A new authenticator, which nothing keeps yet; with an administrator's one-time code where one is needed.
    Begin(Option<TypedText>),
    /// A code confirms it; nothing keeps it yet.
    Confirm {
        /// What [`Judged::Setup`] gave.
        ticket: TypedText,
        /// What was typed.
        code: TypedText,
    },
    /// The recovery codes are saved: it becomes active.
    Activate(TypedText),
}

/// What the answer is.
#[derive(Debug)]
pub enum VerifyReply {
    /// What the policy says.
    Need {
        /// That.
        need: Requirement,
        /// Whether codes are mailed to the account.
        mail: MailStatus,
    },
    /// The answer opens.
    Accepted {
        /// By what, as logs name it.
        by: String,
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
    /// It is done: active, ended.
    Done,
    /// The mark is of this transaction, and good.
    Marked,
    /// It is not.
    NotMarked(MarkRefusal),
    /// There is no account, and so nothing that could end.
    NothingToEnd,
    /// What grace says.
    Grace(WithinGrace),
    /// Why they may come in without, if they may.
    Waived(Option<EnrollmentGrace>),
    /// A first setup needs an administrator's one-time code.
    OneTimeCodeNeeded,
    /// A new authenticator, shown once.
    Setup {
        /// The secret, in Base32.
        secret: TypedText,
        /// The text of the QR.
        url: TypedText,
        /// The recovery codes as people read them.
        recovery_codes: Vec<TypedText>,
        /// What confirms it.
        ticket: TypedText,
    },
    /// The code confirmed it.
    Confirmed {
        /// What activates it.
        ticket: TypedText,
    },
}

/// Why a mark does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkRefusal {
    /// It does not open: no mark, one of another store or peer, or one that has expired.
    Invalid,
    /// It is another user's.
    User,
    /// It is another service's.
    Service,
    /// It is of another host process, or of another transaction.
    Process,
    /// Nothing tells this host process from others, so that no mark is looked at.
    Unseen(UnidentifiedProcess),
    /// Something has ended all that the account had open since.
    Revoked,
}

impl fmt::Display for MarkRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            MarkRefusal::Invalid => {
                "the mark of its auth line has expired, or belongs to another store"
            }
            MarkRefusal::User => "the mark of its auth line belongs to another user",
            MarkRefusal::Service => "the mark of its auth line belongs to another service",
            MarkRefusal::Process => "the mark of its auth line belongs to another process",
            MarkRefusal::Unseen(why) => {
                return write!(f, "a mark of its auth line is not accepted: {why}");
            }
            MarkRefusal::Revoked => "what its auth line accepted has been revoked",
        };
        f.write_str(text)
    }
}
