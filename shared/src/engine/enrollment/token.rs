//! Sealed tokens between the steps of an enrollment. The store keeps nothing before activation: the
//! caller receives the pending state in a sealed token and returns it with the next step.

use super::pending::{AccountSnapshot, EnrollmentDraft};
use super::sealed_fields::sealed_recovery_codes;
use crate::credential::otp::totp::Step;
use crate::credential::recovery_code::RecoveryCode;
use crate::crypto::vault::TokenKeys;
use crate::policy::requirement::EnrollmentRequirement;
use crate::system::clock::Timestamp;
use crate::token::{Token, TokenHolder, TokenKind, TokenPayload};
use crate::verify::one_time_code::AcceptedEnrollmentCode;
use serde::{Deserialize, Serialize};

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
    #[serde(rename = "invited")]
    ByOneTimeCode(AcceptedEnrollmentCode),
}

impl From<EnrollmentRequirement> for EnrollmentPermission {
    fn from(requirement: EnrollmentRequirement) -> EnrollmentPermission {
        match requirement {
            EnrollmentRequirement::None => EnrollmentPermission::Yes,
            EnrollmentRequirement::OneTimeCode => EnrollmentPermission::WithOneTimeCode,
        }
    }
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
    pub(crate) fn with_one_time_code(
        self,
        accepted_code: AcceptedEnrollmentCode,
    ) -> EnrollmentToken {
        self.with_permission(EnrollmentPermission::ByOneTimeCode(accepted_code))
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

impl TokenPayload for EnrollmentDraft {
    const KIND: TokenKind = TokenKind::Draft;
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
    #[serde(with = "sealed_recovery_codes")]
    pub(crate) codes: Vec<RecoveryCode>,
}

impl TokenPayload for PendingRecoveryCodes {
    const KIND: TokenKind = TokenKind::RecoveryCodes;
}
