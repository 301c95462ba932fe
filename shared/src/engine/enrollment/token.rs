//! Enrollments in several steps. Nothing of one is kept before it is finished: what was made goes to whoever asked,
//! sealed, and comes back with the next step.

use super::pending::{EnrolmentKind, Footing, Pending};
use crate::account::name::{Label, UserName};
use crate::config::Config;
use crate::credential::recovery_code::RecoveryCode;
use crate::credential::secret::{RandomError, Secret, SecretError};
use crate::credential::totp::{Parameters, Step};
use crate::crypto::vault::TokenKeys;
use crate::protocol::command_request::Typed;
use crate::system::clock::Timestamp;
use crate::token::{Holder, Kind, Parent, Payload, Token};
use crate::verify::decision::Invitation;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Whether an enrollment may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MayEnroll {
    /// Not without an administrator's one-time code.
    WithOneTimeCode,
    /// Yes.
    Yes,
    /// Yes, in place of the second factor that there is: a fresh code was given.
    Replacing,
    /// Yes, by this one-time code.
    Invited(Invitation),
}

/// From the first factor, or an account's page, through an enrollment at the web.
pub type EnrollmentToken = Token<Enrollment>;

/// An enrollment at the web. Its drafts open with it alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrollment {
    /// Whether it may begin.
    pub may: MayEnroll,
    /// The page that was asked for.
    pub back_to: String,
}

impl Payload for Enrollment {
    const KIND: Kind = Kind::Enrollment;

    fn shorter(&self) -> Option<Enrollment> {
        Some(Enrollment {
            back_to: String::new(),
            ..self.clone()
        })
    }
}

impl EnrollmentToken {
    /// Opens one that is good at `now`.
    pub fn read(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<EnrollmentToken> {
        Token::open(text, keys, Holder::Bearer, now)
    }

    /// On the way to a page.
    #[must_use]
    pub fn to_page(self, back_to: String) -> EnrollmentToken {
        let enrollment = Enrollment {
            back_to,
            ..self.payload().clone()
        };
        self.with(enrollment)
    }

    /// The same, of someone who has a one-time code.
    #[must_use]
    pub(crate) fn invited(self, invitation: Invitation) -> EnrollmentToken {
        self.that_may(MayEnroll::Invited(invitation))
    }

    /// The same, that may begin so.
    #[must_use]
    pub(crate) fn that_may(self, may: MayEnroll) -> EnrollmentToken {
        let enrollment = Enrollment {
            may,
            ..self.payload().clone()
        };
        self.with(enrollment)
    }

    /// Whose drafts it opens.
    pub(crate) fn holder(&self) -> Holder {
        Holder::Enrollment(self.id())
    }
}

/// An authenticator that was shown and not confirmed yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct Draft {
    /// How the account was when it was begun.
    pub(crate) footing: Footing,
    label: Label,
    parameters: Parameters,
    first: Step,
    secret: Typed,
    kind: EnrolmentKind,
    recovery_codes: Vec<Typed>,
    invitation: Option<Invitation>,
}

impl Payload for Draft {
    const KIND: Kind = Kind::Draft;
}

impl Draft {
    /// What is kept of a setup between two steps.
    pub(crate) fn of(pending: &Pending, footing: Footing, invitation: Option<Invitation>) -> Draft {
        let code = |code: &RecoveryCode| Typed::from(code.plain().to_owned());
        Draft {
            footing,
            label: pending.label().clone(),
            parameters: pending.parameters(),
            first: pending.first(),
            secret: pending.secret().to_base32().into(),
            kind: pending.kind(),
            recovery_codes: pending.recovery_codes().iter().map(code).collect(),
            invitation,
        }
    }

    /// The setup again.
    pub(crate) fn pending(
        &self,
        config: &Config,
        account: &UserName,
        parent: &Parent,
    ) -> Result<Pending, DraftError> {
        let secret = Secret::from_base32(&self.secret).map_err(DraftError::Secret)?;
        let pending = Pending::further(config, account)
            .map_err(DraftError::Random)?
            .restored(self.kind, restored(&self.recovery_codes))
            .called(self.label.clone())
            .with_parameters(self.parameters, self.first)
            .with_secret(secret)
            .on(self.footing.clone())
            .born_of(parent.clone());
        Ok(match self.invitation {
            Some(invitation) => pending.invited(invitation),
            None => pending,
        })
    }
}

/// Why a draft gives no setup.
pub(crate) enum DraftError {
    Secret(SecretError),
    Random(RandomError),
}

/// An authenticator that a code has confirmed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Confirmed {
    pub(crate) draft: Draft,
    pub(crate) step: Step,
}

impl Payload for Confirmed {
    const KIND: Kind = Kind::Confirmed;
}

/// Recovery codes that were shown and are not good yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct NewCodes {
    /// How the account was when they were made.
    pub(crate) footing: Footing,
    codes: Vec<Typed>,
}

impl Payload for NewCodes {
    const KIND: Kind = Kind::RecoveryCodes;
}

impl NewCodes {
    /// What is kept of a new set between two steps.
    pub(crate) fn of(codes: &[RecoveryCode], footing: Footing) -> NewCodes {
        NewCodes {
            footing,
            codes: codes
                .iter()
                .map(|code| code.plain().to_owned().into())
                .collect(),
        }
    }

    /// The set again.
    pub(crate) fn codes(&self) -> Vec<RecoveryCode> {
        restored(&self.codes)
    }
}

fn restored(codes: &[Typed]) -> Vec<RecoveryCode> {
    codes
        .iter()
        .map(|code| RecoveryCode::restored(Zeroizing::new((**code).to_owned())))
        .collect()
}
