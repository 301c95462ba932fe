//! An enrollment at the web: the first second factor of a user who must have one, or a replacement
//! after step-up. An [`EnrollmentToken`] permits it and ends with the session or first factor that
//! it was issued from. The store keeps nothing of it before activation.

use super::authenticators::read_account_snapshot;
use super::pending::{AccountSnapshot, EnrollmentConfirmation, PendingEnrollment};
use super::token::{ConfirmedEnrollment, EnrollmentDraft, WebEnrollment};
use crate::account::record::AccountId;
use crate::account::second_factor::Enrolled;
use crate::credential::input::Input;
use crate::crypto::vault::VaultError;
use crate::engine::Enrollment;
use crate::engine::login::proof::{FirstFactorPassed, SecondFactorPassed, SessionGrant};
use crate::engine::login::token_validity::{TokenValidity, check_token};
use crate::engine::principal::Principal;
use crate::engine::{
    AdministrationError, BrowserContext, EngineError, EnrollmentPermission, EnrollmentToken,
    LoginError, OpenedSession, SERVICE, VerificationRequest,
};
use crate::policy::requirement::EnrollmentRequirement;
use crate::protocol::command_request::TypedText;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{AccountVersion, StepUpToken, Token, TokenHolder, TokenParent, TokenRecipient};
use crate::verify::decision::Refusal;
use crate::verify::origin::Origin;
use crate::verify::throttle::Phase;

/// A new authenticator as the page shows it.
pub struct ShownEnrollment {
    /// Base32.
    pub secret: TypedText,
    /// Otpauth URI, the text of the QR code.
    pub url: TypedText,
    /// Sealed [`EnrollmentDraft`].
    pub draft: TypedText,
    /// Length of its codes.
    pub digits: u32,
}

/// Result of [`Engine::confirm_web_enrollment`].
pub enum AfterEnrollmentCode {
    Confirmed {
        /// Recovery codes, grouped for reading.
        codes: Vec<TypedText>,
        /// Sealed [`ConfirmedEnrollment`].
        confirmed: TypedText,
    },
    /// The code is refused, and the authenticator is shown again.
    Refused(Refusal, ShownEnrollment),
    /// The enrollment has ended, or this browser did not begin it.
    Over,
}

/// Result of [`Engine::finish_web_enrollment`].
pub enum AfterEnrollment {
    /// The second factor is active, and the session has begun.
    Opened(Box<OpenedSession>),
    /// The enrollment has ended.
    Over,
}

impl Enrollment<'_> {
    /// Verifies the one-time code that the enrollment requires. Returns the token that permits it.
    pub fn verify_web_one_time_code(
        &mut self,
        browser: &BrowserContext<'_>,
        token: EnrollmentToken,
        input: &Input,
        now: Timestamp,
    ) -> Result<Result<EnrollmentToken, Refusal>, LoginError> {
        let request = VerificationRequest {
            name: token.account(),
            phase: Phase::After,
            origin: browser.origin,
            browser: None,
            service: SERVICE,
        };
        let verified = self.engine.accounts().verify_enrollment_one_time_code(
            &request,
            input,
            Some(&token),
            now,
        )?;
        Ok(verified.map(|invitation| token.with_invitation(invitation)))
    }

    /// Makes a new authenticator, a different one on each call. Returns `None` if the enrollment is
    /// not permitted or has ended.
    pub fn begin_web_enrollment(
        &mut self,
        token: &EnrollmentToken,
        now: Timestamp,
    ) -> Result<Option<ShownEnrollment>, LoginError> {
        let may = token.payload().may;
        let invitation = match may {
            EnrollmentPermission::WithOneTimeCode => return Ok(None),
            EnrollmentPermission::Yes | EnrollmentPermission::Replacing => None,
            EnrollmentPermission::Invited(invitation) => Some(invitation),
        };
        let Some((snapshot, _)) = self.read_live_snapshot(token, now)? else {
            return Ok(None);
        };
        let account = token.account();
        let pending = match may {
            EnrollmentPermission::Replacing => {
                PendingEnrollment::replacement(&self.engine.config, account)
            }
            EnrollmentPermission::WithOneTimeCode
            | EnrollmentPermission::Yes
            | EnrollmentPermission::Invited(_) => {
                PendingEnrollment::new(&self.engine.config, account)
            }
        };
        let pending = pending.map_err(VaultError::Random)?;
        if self.check_enrollment(&pending).is_err() {
            return Ok(None);
        }
        let (holder, parent) = (token.holder(), token.parent().clone());
        let to = TokenRecipient {
            account,
            at: snapshot.at(),
            holder,
            parent,
        };
        let (keys, draft) = (
            self.engine.token_keys(),
            EnrollmentDraft::of(&pending, snapshot, invitation),
        );
        let draft = Token::issue(&keys, to, draft, now).map_err(VaultError::Random)?;
        Ok(Some(show_enrollment(&pending, draft.seal(&keys)?.into())))
    }

    /// Verifies a code of the new authenticator.
    pub fn confirm_web_enrollment(
        &mut self,
        token: &EnrollmentToken,
        draft: TypedText,
        input: &Input,
        now: Timestamp,
    ) -> Result<AfterEnrollmentCode, LoginError> {
        if self.read_live_snapshot(token, now)?.is_none() {
            return Ok(AfterEnrollmentCode::Over);
        }
        let opened =
            Token::<EnrollmentDraft>::open(&draft, &self.engine.token_keys(), token.holder(), now);
        let Some(opened) = opened.filter(|opened| opened.account() == token.account()) else {
            return Ok(AfterEnrollmentCode::Over);
        };
        let Ok(pending) =
            opened
                .payload()
                .pending(&self.engine.config, token.account(), opened.parent())
        else {
            return Ok(AfterEnrollmentCode::Over);
        };
        let confirmation = match pending.confirm(input, &self.engine.config, now) {
            Err(refusal) => {
                return Ok(AfterEnrollmentCode::Refused(
                    refusal,
                    show_enrollment(&pending, draft),
                ));
            }
            Ok(confirmation) => confirmation,
        };
        let Some(step) = confirmation.step() else {
            return Ok(AfterEnrollmentCode::Over);
        };
        let codes = pending
            .recovery_codes()
            .iter()
            .map(|code| code.grouped().into())
            .collect();
        let confirmed = opened.into_next(|draft| ConfirmedEnrollment { draft, step });
        Ok(AfterEnrollmentCode::Confirmed {
            codes,
            confirmed: confirmed.seal(&self.engine.token_keys())?.into(),
        })
    }

    /// Returns the token for a first authenticator of a user after step-up; `None` if the account
    /// has one.
    pub fn issue_first_enrollment_token(
        &mut self,
        session: &Session,
        proof: &StepUpToken,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<EnrollmentToken>, LoginError> {
        let may = match self.first_enrollment_requirement(session, origin, now)? {
            None => return Ok(None),
            Some(EnrollmentRequirement::None) => EnrollmentPermission::Yes,
            Some(EnrollmentRequirement::OneTimeCode) => EnrollmentPermission::WithOneTimeCode,
        };
        Ok(Some(self.issue_enrollment_token(session, proof, may, now)?))
    }

    /// Returns the token for an authenticator that replaces all existing ones, after step-up.
    pub fn issue_replacement_enrollment_token(
        &mut self,
        session: &Session,
        proof: &StepUpToken,
        now: Timestamp,
    ) -> Result<EnrollmentToken, LoginError> {
        self.issue_enrollment_token(session, proof, EnrollmentPermission::Replacing, now)
    }

    fn issue_enrollment_token(
        &mut self,
        session: &Session,
        _: &StepUpToken,
        may: EnrollmentPermission,
        now: Timestamp,
    ) -> Result<EnrollmentToken, LoginError> {
        let at = AccountVersion {
            id: AccountId(session.account),
            generation: session.generation,
        };
        let (holder, parent) = (TokenHolder::Bearer, TokenParent::session(session));
        let to = TokenRecipient {
            account: &session.name,
            at: Some(at),
            holder,
            parent,
        };
        let enrollment = WebEnrollment {
            may,
            back_to: String::new(),
        };
        let token = Token::issue_until(
            &self.engine.token_keys(),
            to,
            enrollment,
            now,
            session.expires,
        );
        Ok(token.map_err(VaultError::Random)?)
    }

    /// Returns the account's snapshot if the token's parent is still valid.
    fn read_live_snapshot(
        &mut self,
        token: &EnrollmentToken,
        now: Timestamp,
    ) -> Result<Option<(AccountSnapshot, TokenValidity)>, EngineError> {
        let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Read)?;
        let Some(alive) = check_token(token, &mut tx, &vault.token_keys(), now)? else {
            return Ok(None);
        };
        Ok(Some((
            read_account_snapshot(&mut tx, vault, token.account())?,
            alive,
        )))
    }

    /// Returns what a first authenticator requires; `None` if the account has one. An account with
    /// mailed codes is free to enroll, since its step-up verified a mailed code.
    fn first_enrollment_requirement(
        &mut self,
        session: &Session,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<EnrollmentRequirement>, LoginError> {
        let name = &session.name;
        if !self
            .list_authenticators(name)
            .map_or(true, |all| all.is_empty())
        {
            return Ok(None);
        }
        if self.engine.load_policy_facts(name)?.enrolled == Enrolled::Yes {
            return Ok(Some(EnrollmentRequirement::None));
        }
        let request = VerificationRequest {
            name,
            phase: Phase::After,
            origin,
            browser: None,
            service: SERVICE,
        };
        Ok(Some(
            self.engine.policy().enrollment_requirement(&request, now)?,
        ))
    }

    /// Activates the second factor and opens a session, after the user has saved the recovery
    /// codes.
    pub fn finish_web_enrollment(
        &mut self,
        browser: &BrowserContext<'_>,
        token: &EnrollmentToken,
        confirmed: &str,
        now: Timestamp,
    ) -> Result<AfterEnrollment, LoginError> {
        let account = token.account();
        let first = match self.read_live_snapshot(token, now)? {
            Some((_, alive)) => FirstFactorPassed::by_token_parent(token.parent(), &alive, now),
            None => None,
        };
        let opened = Token::<ConfirmedEnrollment>::open(
            confirmed,
            &self.engine.token_keys(),
            token.holder(),
            now,
        );
        let opened = opened.filter(|opened| opened.account() == account);
        let (Some(opened), Some(first), Some(at)) = (opened, first, token.at()) else {
            return Ok(AfterEnrollment::Over);
        };
        let Ok(pending) =
            opened
                .payload()
                .draft
                .pending(&self.engine.config, account, opened.parent())
        else {
            return Ok(AfterEnrollment::Over);
        };
        let confirmation = EnrollmentConfirmation::by_code(opened.payload().step);
        let (actor, before) = match token.parent() {
            TokenParent::Session { id, .. } => {
                (Principal::Session(account, browser.origin, *id), Some(*id))
            }
            TokenParent::FirstFactor { .. } | TokenParent::Peer => {
                (Principal::Browser(account, browser.origin), None)
            }
        };
        let app_passwords = match self.activate(&pending, &confirmation, actor, now) {
            Ok(after) => after,
            Err(AdministrationError::Engine(error)) => return Err(error.into()),
            Err(_) => return Ok(AfterEnrollment::Over),
        };
        let Some(second) = SecondFactorPassed::by_enrollment(&confirmation) else {
            return Ok(AfterEnrollment::Over);
        };
        let opens = SessionGrant::by_factors(&first, &second);
        Ok(
            match self.engine.login().open_session_after(
                browser,
                (account, at, before),
                opens,
                now,
            )? {
                None => AfterEnrollment::Over,
                Some(opened) => AfterEnrollment::Opened(Box::new(OpenedSession {
                    app_passwords,
                    ..opened
                })),
            },
        )
    }
}

pub(in crate::engine) fn show_enrollment(
    pending: &PendingEnrollment,
    draft: TypedText,
) -> ShownEnrollment {
    ShownEnrollment {
        secret: pending.secret().to_base32().into(),
        url: pending.url().into(),
        draft,
        digits: pending.parameters().digits,
    }
}
