//! What a PAM operation is about, and the result of each operation, from the decision to the PAM
//! module's result.
//!
//! MUST NOT let any module but the engine make a [`PamGrant`]: the PAM conversation asks for one
//! before a hook passes.

use crate::account::name::{Service, UserName};
use crate::account::second_factor::MailStatus;
use crate::credential::completed_methods::CompletedMethods;
use crate::engine::{Requester, VerificationRequest, messages};
use crate::policy::requirement::Requirement;
use crate::protocol::command_request::TypedText;
use crate::system::process::{HostProcess, UnidentifiedProcess};
use crate::verify::decision::{AppPasswordRefusal, Refusal};
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;
use std::fmt;

/// Who signs in through which PAM host, from where. Origin, phase and completed methods are what
/// the host says: they count only for root's hosts and for the users that `pam.socket_users` names.
#[derive(Clone, Copy, Debug)]
pub struct PamContext<'a> {
    /// The user whom the host runs as, as the kernel says.
    pub requester: Requester<'a>,
    pub service: &'a Service,
    pub user: &'a UserName,
    /// Whose codes count: another account than the user's with the option `user=`.
    pub account: &'a UserName,
    pub process: &'a HostProcess,
    pub origin: &'a Origin,
    pub phase: Phase,
    pub completed_methods: &'a CompletedMethods,
}

impl<'a> PamContext<'a> {
    /// The same for the engine's other operations, with an origin and a phase that are trusted.
    pub(in crate::engine) fn verification_request(
        &self,
        origin: &'a Origin,
        phase: Phase,
    ) -> VerificationRequest<'a> {
        VerificationRequest::new(self.account, phase, origin, self.service.as_str())
    }
}

/// What the policy requires of a user.
#[derive(Debug)]
pub struct PamRequirement {
    pub requirement: Requirement,
    pub mail: MailStatus,
    /// The mark for the `account` hook, where no code is needed.
    pub mark: Option<TypedText>,
}

/// Access is granted, as far as the PAM module is concerned.
#[derive(Debug)]
pub struct PamGrant {
    by: &'static str,
    mark: Option<TypedText>,
    /// Messages for the user: wrong codes since the last sign-in, recovery codes that are left.
    pub messages: Vec<String>,
}

impl PamGrant {
    pub(in crate::engine) fn new(by: &'static str, mark: Option<TypedText>) -> PamGrant {
        PamGrant {
            by,
            mark,
            messages: Vec::new(),
        }
    }

    pub(in crate::engine) fn with_messages(self, messages: Vec<String>) -> PamGrant {
        PamGrant { messages, ..self }
    }

    /// The method, as logs name it, and the mark for the `account` hook: none where the host
    /// process cannot be distinguished from others.
    pub fn into_parts(self) -> (&'static str, Option<TypedText>) {
        (self.by, self.mark)
    }
}

/// The verification result of one input.
#[derive(Debug)]
pub struct PamVerification {
    pub result: Result<PamGrant, PamRefusal>,
    /// Bytes at the end of the input that were taken for the code.
    pub code_length: usize,
}

/// Why access is denied, or an operation is not done.
#[derive(Debug)]
pub struct PamRefusal {
    /// As logs name it.
    pub cause: String,
    /// As the user reads it.
    pub message: String,
}

impl From<AppPasswordRefusal> for PamRefusal {
    fn from(refusal: AppPasswordRefusal) -> PamRefusal {
        PamRefusal {
            cause: refusal.to_string(),
            message: messages::app_password_refusal(refusal),
        }
    }
}

impl From<Refusal> for PamRefusal {
    fn from(refusal: Refusal) -> PamRefusal {
        PamRefusal {
            cause: refusal.to_string(),
            message: messages::refusal(refusal),
        }
    }
}

/// Why a mark is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkRefusal {
    /// Not a mark, or sealed by another store or for another peer, or expired.
    Invalid,
    User,
    Service,
    /// Of another host process, or of another transaction.
    Process,
    /// The host process cannot be distinguished from others, so that no mark is accepted.
    Unseen(UnidentifiedProcess),
    /// All that the account had open was ended since.
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
