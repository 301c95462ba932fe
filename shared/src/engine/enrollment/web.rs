//! An enrollment at the web: the first one, of someone who must have a second factor and has none, or one in place of
//! it after a fresh code. An [`EnrollmentToken`] says which may begin, and ends with what it was born of. Nothing of it
//! is kept before it is active.

use super::authenticators::footing;
use super::pending::{AccountSnapshot, EnrollmentConfirmation, PendingEnrollment};
use super::token::{ConfirmedEnrollment, EnrollmentDraft, WebEnrollment};
use crate::account::record::AccountId;
use crate::account::second_factor::Enrolled;
use crate::credential::input::Input;
use crate::crypto::vault::VaultError;
use crate::engine::login::proof::{FirstFactorPassed, SecondFactorPassed, SessionGrant};
use crate::engine::login::token_validity::{TokenValidity, check_token};
use crate::engine::principal::Principal;
use crate::engine::{
    AdministrationError, BrowserContext, Engine, EngineError, EnrollmentPermission,
    EnrollmentToken, LoginError, OpenedSession, SERVICE, VerificationRequest,
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

/// A new authenticator, for the page that shows it.
pub struct ShownEnrollment {
    /// The secret in Base32.
    pub secret: TypedText,
    /// The text of the QR.
    pub url: TypedText,
    /// What brings it back.
    pub draft: TypedText,
    /// How long its codes are.
    pub digits: u32,
}

/// What comes after a code of the new authenticator.
pub enum AfterEnrollmentCode {
    /// The recovery codes, and what makes it all active.
    Confirmed {
        /// The codes, grouped.
        codes: Vec<TypedText>,
        /// What brings it back.
        confirmed: TypedText,
    },
    /// The code is refused; the authenticator is shown again.
    Refused(Refusal, ShownEnrollment),
    /// The setup is over, or was never begun by this browser.
    Over,
}

/// What comes at the end.
pub enum AfterEnrollment {
    /// The second factor is on, and the session has begun.
    Opened(Box<OpenedSession>),
    /// The setup is over.
    Over,
}

impl Engine {
    /// The one-time code without which the setup may not begin.
    pub fn invite_to_setup(
        &mut self,
        browser: &BrowserContext<'_>,
        token: EnrollmentToken,
        answer: &Input,
        now: Timestamp,
    ) -> Result<Result<EnrollmentToken, Refusal>, LoginError> {
        let visitor = VerificationRequest {
            name: token.account(),
            phase: Phase::After,
            origin: browser.origin,
            browser: None,
            service: SERVICE,
        };
        let decided = self.judge_invitation(&visitor, answer, Some(&token), now)?;
        Ok(decided.map(|invitation| token.invited(invitation)))
    }

    /// A new authenticator, another one each time; `None` if the setup may not begin, or is over.
    pub fn begin_web_setup(
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
        let Some((footing, _)) = self.footing_of(token, now)? else {
            return Ok(None);
        };
        let account = token.account();
        let pending = match may {
            EnrollmentPermission::Replacing => {
                PendingEnrollment::replacement(&self.config, account)
            }
            EnrollmentPermission::WithOneTimeCode
            | EnrollmentPermission::Yes
            | EnrollmentPermission::Invited(_) => PendingEnrollment::new(&self.config, account),
        };
        let pending = pending.map_err(VaultError::Random)?;
        if self.refuse_setup(&pending).is_err() {
            return Ok(None);
        }
        let (holder, parent) = (token.holder(), token.parent().clone());
        let to = TokenRecipient {
            account,
            at: footing.at(),
            holder,
            parent,
        };
        let (keys, draft) = (
            self.token_keys(),
            EnrollmentDraft::of(&pending, footing, invitation),
        );
        let draft = Token::issue(&keys, to, draft, now).map_err(VaultError::Random)?;
        Ok(Some(shown(&pending, draft.seal(&keys)?.into())))
    }

    /// A code of the new authenticator.
    pub fn confirm_web_setup(
        &mut self,
        token: &EnrollmentToken,
        draft: TypedText,
        answer: &Input,
        now: Timestamp,
    ) -> Result<AfterEnrollmentCode, LoginError> {
        if self.footing_of(token, now)?.is_none() {
            return Ok(AfterEnrollmentCode::Over);
        }
        let opened =
            Token::<EnrollmentDraft>::open(&draft, &self.token_keys(), token.holder(), now);
        let Some(opened) = opened.filter(|opened| opened.account() == token.account()) else {
            return Ok(AfterEnrollmentCode::Over);
        };
        let Ok(pending) = opened
            .payload()
            .pending(&self.config, token.account(), opened.parent())
        else {
            return Ok(AfterEnrollmentCode::Over);
        };
        let confirmation = match pending.confirm(answer, &self.config, now) {
            Err(refusal) => {
                return Ok(AfterEnrollmentCode::Refused(
                    refusal,
                    shown(&pending, draft),
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
            confirmed: confirmed.seal(&self.token_keys())?.into(),
        })
    }

    /// What leads to a first authenticator of someone who is signed in and has just proven themselves; none where there is
    /// one.
    pub fn turn_on(
        &mut self,
        session: &Session,
        proof: &StepUpToken,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<EnrollmentToken>, LoginError> {
        let may = match self.turning_on_needs(session, origin, now)? {
            None => return Ok(None),
            Some(EnrollmentRequirement::None) => EnrollmentPermission::Yes,
            Some(EnrollmentRequirement::OneTimeCode) => EnrollmentPermission::WithOneTimeCode,
        };
        Ok(Some(self.enrollment_of(session, proof, may, now)?))
    }

    /// What leads to an authenticator in place of all that there are.
    pub fn replace(
        &mut self,
        session: &Session,
        proof: &StepUpToken,
        now: Timestamp,
    ) -> Result<EnrollmentToken, LoginError> {
        self.enrollment_of(session, proof, EnrollmentPermission::Replacing, now)
    }

    fn enrollment_of(
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
        let token = Token::issue_until(&self.token_keys(), to, enrollment, now, session.expires);
        Ok(token.map_err(VaultError::Random)?)
    }

    /// How the account is now, if what an enrollment was born of is alive.
    fn footing_of(
        &mut self,
        token: &EnrollmentToken,
        now: Timestamp,
    ) -> Result<Option<(AccountSnapshot, TokenValidity)>, EngineError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let Some(alive) = check_token(token, tx.as_mut(), &self.vault.token_keys(), now)? else {
            return Ok(None);
        };
        Ok(Some((
            footing(tx.as_mut(), &self.vault, token.account())?,
            alive,
        )))
    }

    /// What a first authenticator needs; none where there is one. Whoever gets codes by mail proved themselves by one.
    fn turning_on_needs(
        &mut self,
        session: &Session,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<EnrollmentRequirement>, LoginError> {
        let name = &session.name;
        if !self.authenticators(name).map_or(true, |all| all.is_empty()) {
            return Ok(None);
        }
        if self.load_policy_facts(name)?.enrolled == Enrolled::Yes {
            return Ok(Some(EnrollmentRequirement::None));
        }
        let visitor = VerificationRequest {
            name,
            phase: Phase::After,
            origin,
            browser: None,
            service: SERVICE,
        };
        Ok(Some(self.enrollment_requirement(&visitor, now)?))
    }

    /// The person has saved the recovery codes: the second factor is on, and a session begins.
    pub fn finish_web_setup(
        &mut self,
        browser: &BrowserContext<'_>,
        token: &EnrollmentToken,
        confirmed: &str,
        now: Timestamp,
    ) -> Result<AfterEnrollment, LoginError> {
        let account = token.account();
        let first = match self.footing_of(token, now)? {
            Some((_, alive)) => FirstFactorPassed::by_token_parent(token.parent(), &alive, now),
            None => None,
        };
        let opened =
            Token::<ConfirmedEnrollment>::open(confirmed, &self.token_keys(), token.holder(), now);
        let opened = opened.filter(|opened| opened.account() == account);
        let (Some(opened), Some(first), Some(at)) = (opened, first, token.at()) else {
            return Ok(AfterEnrollment::Over);
        };
        let Ok(pending) = opened
            .payload()
            .draft
            .pending(&self.config, account, opened.parent())
        else {
            return Ok(AfterEnrollment::Over);
        };
        let confirmation = EnrollmentConfirmation::given(opened.payload().step);
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
            Err(AdministrationError::Door(error)) => return Err(error.into()),
            Err(_) => return Ok(AfterEnrollment::Over),
        };
        let Some(second) = SecondFactorPassed::by_enrollment(&confirmation) else {
            return Ok(AfterEnrollment::Over);
        };
        let opens = SessionGrant::by_factors(&first, &second);
        Ok(
            match self.open_session_after(browser, (account, at, before), opens, now)? {
                None => AfterEnrollment::Over,
                Some(opened) => AfterEnrollment::Opened(Box::new(OpenedSession {
                    app_passwords,
                    ..opened
                })),
            },
        )
    }
}

pub(in crate::engine) fn shown(pending: &PendingEnrollment, draft: TypedText) -> ShownEnrollment {
    ShownEnrollment {
        secret: pending.secret().to_base32().into(),
        url: pending.url().into(),
        draft,
        digits: pending.parameters().digits,
    }
}
