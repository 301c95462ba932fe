//! Sealed tokens between the steps of an enrollment. The store keeps nothing before activation: the
//! caller receives the pending state in a sealed token and returns it with the next step.

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
use crate::verify::decision::AcceptedEnrollmentCode;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Condition under which an enrollment may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnrollmentPermission {
    /// It requires an administrator's one-time code.
    WithOneTimeCode,
    Yes,
    /// It replaces the existing second factor, after step-up.
    Replacing,
    /// It is permitted by this one-time code.
    Invited(AcceptedEnrollmentCode),
}

/// Carries an enrollment at the web from the first factor, or from the account page, to its end.
pub type EnrollmentToken = Token<WebEnrollment>;

/// Payload of an [`EnrollmentToken`]. Drafts open only with the token that they were issued for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebEnrollment {
    pub may: EnrollmentPermission,
    /// Page that the browser returns to.
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
    /// Opens a token that is valid at `now`.
    pub fn open_enrollment(
        text: &str,
        keys: &TokenKeys,
        now: Timestamp,
    ) -> Option<EnrollmentToken> {
        Token::open(text, keys, TokenHolder::Bearer, now)
    }

    /// Sets the page that the browser returns to.
    #[must_use]
    pub fn to_page(self, back_to: String) -> EnrollmentToken {
        let enrollment = WebEnrollment {
            back_to,
            ..self.payload().clone()
        };
        self.with_payload(enrollment)
    }

    /// Permits the enrollment by a verified one-time code.
    #[must_use]
    pub(crate) fn with_invitation(self, invitation: AcceptedEnrollmentCode) -> EnrollmentToken {
        self.with_permission(EnrollmentPermission::Invited(invitation))
    }

    #[must_use]
    pub(crate) fn with_permission(self, may: EnrollmentPermission) -> EnrollmentToken {
        let enrollment = WebEnrollment {
            may,
            ..self.payload().clone()
        };
        self.with_payload(enrollment)
    }

    /// Holder of the drafts that this token opens.
    pub(crate) fn holder(&self) -> TokenHolder {
        TokenHolder::Enrollment(self.id())
    }
}

/// A pending enrollment that was shown and is not confirmed yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct EnrollmentDraft {
    #[serde(rename = "footing")]
    pub(crate) snapshot: AccountSnapshot,
    label: Label,
    parameters: OtpParameters,
    first: Step,
    secret: TypedText,
    kind: EnrollmentKind,
    recovery_codes: Vec<TypedText>,
    invitation: Option<AcceptedEnrollmentCode>,
}

impl TokenPayload for EnrollmentDraft {
    const KIND: TokenKind = TokenKind::Draft;
}

impl EnrollmentDraft {
    pub(crate) fn of(
        pending: &PendingEnrollment,
        snapshot: AccountSnapshot,
        invitation: Option<AcceptedEnrollmentCode>,
    ) -> EnrollmentDraft {
        let code = |code: &RecoveryCode| TypedText::from(code.plain().to_owned());
        EnrollmentDraft {
            snapshot,
            label: pending.label().clone(),
            parameters: pending.parameters(),
            first: pending.first(),
            secret: pending.secret().to_base32().into(),
            kind: pending.kind(),
            recovery_codes: pending.recovery_codes().iter().map(code).collect(),
            invitation,
        }
    }

    /// Restores the pending enrollment.
    pub(crate) fn pending(
        &self,
        config: &Config,
        account: &UserName,
        parent: &TokenParent,
    ) -> Result<PendingEnrollment, DraftError> {
        let secret = Secret::from_base32(&self.secret).map_err(DraftError::Secret)?;
        let pending = PendingEnrollment::further(config, account)
            .map_err(DraftError::Random)?
            .restored(self.kind, restore_recovery_codes(&self.recovery_codes))
            .with_label(self.label.clone())
            .with_parameters(self.parameters, self.first)
            .with_secret(secret)
            .with_snapshot(self.snapshot.clone())
            .with_parent(parent.clone());
        Ok(match self.invitation {
            Some(invitation) => pending.with_invitation(invitation),
            None => pending,
        })
    }
}

/// Why a draft cannot be restored.
pub(crate) enum DraftError {
    Secret(SecretError),
    Random(RandomError),
}

/// A pending enrollment that a code has confirmed.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConfirmedEnrollment {
    pub(crate) draft: EnrollmentDraft,
    pub(crate) step: Step,
}

impl TokenPayload for ConfirmedEnrollment {
    const KIND: TokenKind = TokenKind::Confirmed;
}

/// Recovery codes that were shown and are not valid yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct PendingRecoveryCodes {
    #[serde(rename = "footing")]
    pub(crate) snapshot: AccountSnapshot,
    codes: Vec<TypedText>,
}

impl TokenPayload for PendingRecoveryCodes {
    const KIND: TokenKind = TokenKind::RecoveryCodes;
}

impl PendingRecoveryCodes {
    pub(crate) fn of(codes: &[RecoveryCode], snapshot: AccountSnapshot) -> PendingRecoveryCodes {
        PendingRecoveryCodes {
            snapshot,
            codes: codes
                .iter()
                .map(|code| code.plain().to_owned().into())
                .collect(),
        }
    }

    pub(crate) fn codes(&self) -> Vec<RecoveryCode> {
        restore_recovery_codes(&self.codes)
    }
}

fn restore_recovery_codes(codes: &[TypedText]) -> Vec<RecoveryCode> {
    codes
        .iter()
        .map(|code| RecoveryCode::from_plain(Zeroizing::new((**code).to_owned())))
        .collect()
}
