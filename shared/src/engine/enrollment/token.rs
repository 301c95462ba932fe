//! Enrollments in several steps. Nothing of one is kept before it is finished: what was made goes to whoever asked,
//! sealed, and comes back with the next step.

use super::pending::{AccountSnapshot, EnrollmentKind, PendingEnrollment};
use crate::account::name::{Label, UserName};
use crate::config::Config;
use crate::credential::recovery_code::RecoveryCode;
use crate::credential::secret::{RandomError, Secret, SecretError};
use crate::credential::totp::{OtpParameters, Step};
use crate::crypto::vault::TokenKeys;
use crate::protocol::command_request::TypedText;
use crate::system::clock::Timestamp;
use crate::token::{Token, TokenHolder, TokenKind, TokenParent, TokenPayload};
use crate::verify::decision::Invitation;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Whether an enrollment may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnrollmentPermission {
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
pub type EnrollmentToken = Token<WebEnrollment>;

/// An enrollment at the web. Its drafts open with it alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebEnrollment {
    /// Whether it may begin.
    pub may: EnrollmentPermission,
    /// The page that was asked for.
    pub back_to: String,
}

impl TokenPayload for WebEnrollment {
    const KIND: TokenKind = TokenKind::Enrollment;

    fn shorter(&self) -> Option<WebEnrollment> {
        Some(WebEnrollment {
            back_to: String::new(),
            ..self.clone()
        })
    }
}

impl EnrollmentToken {
    /// Opens one that is good at `now`.
    pub fn read(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<EnrollmentToken> {
        Token::open(text, keys, TokenHolder::Bearer, now)
    }

    /// On the way to a page.
    #[must_use]
    pub fn to_page(self, back_to: String) -> EnrollmentToken {
        let enrollment = WebEnrollment {
            back_to,
            ..self.payload().clone()
        };
        self.with_payload(enrollment)
    }

    /// The same, of someone who has a one-time code.
    #[must_use]
    pub(crate) fn invited(self, invitation: Invitation) -> EnrollmentToken {
        self.that_may(EnrollmentPermission::Invited(invitation))
    }

    /// The same, that may begin so.
    #[must_use]
    pub(crate) fn that_may(self, may: EnrollmentPermission) -> EnrollmentToken {
        let enrollment = WebEnrollment {
            may,
            ..self.payload().clone()
        };
        self.with_payload(enrollment)
    }

    /// Whose drafts it opens.
    pub(crate) fn holder(&self) -> TokenHolder {
        TokenHolder::Enrollment(self.id())
    }
}

/// An authenticator that was shown and not confirmed yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct EnrollmentDraft {
    /// How the account was when it was begun.
    pub(crate) footing: AccountSnapshot,
    label: Label,
    parameters: OtpParameters,
    first: Step,
    secret: TypedText,
    kind: EnrollmentKind,
    recovery_codes: Vec<TypedText>,
    invitation: Option<Invitation>,
}

impl TokenPayload for EnrollmentDraft {
    const KIND: TokenKind = TokenKind::Draft;
}

impl EnrollmentDraft {
    /// What is kept of a setup between two steps.
    pub(crate) fn of(
        pending: &PendingEnrollment,
        footing: AccountSnapshot,
        invitation: Option<Invitation>,
    ) -> EnrollmentDraft {
        let code = |code: &RecoveryCode| TypedText::from(code.plain().to_owned());
        EnrollmentDraft {
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
        parent: &TokenParent,
    ) -> Result<PendingEnrollment, DraftError> {
        let secret = Secret::from_base32(&self.secret).map_err(DraftError::Secret)?;
        let pending = PendingEnrollment::further(config, account)
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
pub(crate) struct ConfirmedEnrollment {
    pub(crate) draft: EnrollmentDraft,
    pub(crate) step: Step,
}

impl TokenPayload for ConfirmedEnrollment {
    const KIND: TokenKind = TokenKind::Confirmed;
}

/// Recovery codes that were shown and are not good yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct PendingRecoveryCodes {
    /// How the account was when they were made.
    pub(crate) footing: AccountSnapshot,
    codes: Vec<TypedText>,
}

impl TokenPayload for PendingRecoveryCodes {
    const KIND: TokenKind = TokenKind::RecoveryCodes;
}

impl PendingRecoveryCodes {
    /// What is kept of a new set between two steps.
    pub(crate) fn of(codes: &[RecoveryCode], footing: AccountSnapshot) -> PendingRecoveryCodes {
        PendingRecoveryCodes {
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

fn restored(codes: &[TypedText]) -> Vec<RecoveryCode> {
    codes
        .iter()
        .map(|code| RecoveryCode::from_plain(Zeroizing::new((**code).to_owned())))
        .collect()
}
