//! An enrollment at the web: the first second factor of a user who must have one, or a replacement
//! after step-up. An [`EnrollmentToken`] permits it and ends with the session or first factor that
//! it was issued from. The store keeps nothing of it before activation.

use super::pending::{AccountSnapshot, PendingEnrollment};
use super::steps::{
    ActivatedEnrollment, AfterEnrollmentCode, ShownEnrollment, read_account_snapshot,
    show_enrollment,
};
use super::token::{EnrollmentPermission, EnrollmentToken, WebEnrollment};
use crate::account::record::AccountId;
use crate::account::second_factor::Enrolled;
use crate::credential::input::Input;
use crate::engine::login::proof::{FirstFactorPassed, SecondFactorPassed, SessionGrant};
use crate::engine::login::token_validity::{TokenValidity, check_token};
use crate::engine::{
    AdministrationError, BrowserContext, EngineError, Enrollment, LoginError, OpenedSession,
    Principal, SERVICE, VerificationRequest,
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
        let request =
            VerificationRequest::new(token.account(), Phase::After, browser.origin, SERVICE);
        let verified = self.engine.accounts().verify_enrollment_one_time_code(
            &request,
            input,
            Some(&token),
            now,
        )?;
        Ok(verified.map(|accepted_code| token.with_one_time_code(accepted_code)))
    }

    /// Makes a new authenticator, a different one on each call. Returns `None` if the enrollment is
    /// not permitted or has ended.
    pub fn begin_web_enrollment(
        &mut self,
        token: &EnrollmentToken,
        now: Timestamp,
    ) -> Result<Option<ShownEnrollment>, LoginError> {
        let permission = token.payload().may;
        let accepted_code = match permission {
            EnrollmentPermission::WithOneTimeCode => return Ok(None),
            EnrollmentPermission::Yes | EnrollmentPermission::Replacing => None,
            EnrollmentPermission::ByOneTimeCode(accepted_code) => Some(accepted_code),
        };
        let Some((snapshot, _)) = self.read_live_snapshot(token, now)? else {
            return Ok(None);
        };
        let account = token.account();
        let pending = if permission == EnrollmentPermission::Replacing {
            PendingEnrollment::replacement(&self.engine.config, account)?
        } else {
            PendingEnrollment::new(&self.engine.config, account)?
        };
        if self.check_enrollment(&pending).is_err() {
            return Ok(None);
        }
        let to = TokenRecipient {
            account,
            at: snapshot.at(),
            holder: token.holder(),
            parent: token.parent().clone(),
        };
        let (draft, sealed) = self.issue_draft(pending, snapshot, accepted_code, to, now)?;
        Ok(Some(show_enrollment(&self.engine.config, &draft, sealed)))
    }

    /// Returns the new authenticator of a draft, to be shown again. Returns `None` if the enrollment
    /// has ended, or the draft belongs to another one.
    pub fn reopen_web_enrollment(
        &mut self,
        token: &EnrollmentToken,
        draft: TypedText,
        now: Timestamp,
    ) -> Result<Option<ShownEnrollment>, LoginError> {
        if self.read_live_snapshot(token, now)?.is_none() {
            return Ok(None);
        }
        Ok(self.reopen_draft(draft, token.account(), token.holder(), now)?)
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
        Ok(self.confirm_draft(draft, token.account(), token.holder(), input, now)?)
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
        let required = self.first_enrollment_requirement(session, origin, now)?;
        let issued = required
            .map(|required| self.issue_enrollment_token(session, proof, required.into(), now));
        Ok(issued.transpose()?)
    }

    /// Returns the token for an authenticator that replaces all existing ones, after step-up.
    pub fn issue_replacement_enrollment_token(
        &mut self,
        session: &Session,
        proof: &StepUpToken,
        now: Timestamp,
    ) -> Result<EnrollmentToken, AdministrationError> {
        // its enrollment shows new recovery codes
        self.refuse_new_recovery_codes(session)?;
        let may = EnrollmentPermission::Replacing;
        Ok(self.issue_enrollment_token(session, proof, may, now)?)
    }

    fn issue_enrollment_token(
        &mut self,
        session: &Session,
        _: &StepUpToken,
        may: EnrollmentPermission,
        now: Timestamp,
    ) -> Result<EnrollmentToken, EngineError> {
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
        let keys = self.engine.token_keys();
        let token = Token::issue_until(&keys, to, enrollment, now, session.expires);
        Ok(token?)
    }

    /// Returns the account's snapshot if the token's parent is still valid.
    fn read_live_snapshot(
        &mut self,
        token: &EnrollmentToken,
        now: Timestamp,
    ) -> Result<Option<(AccountSnapshot, TokenValidity)>, EngineError> {
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        let Some(alive) = check_token(token, &mut tx)? else {
            return Ok(None);
        };
        let vault = tx.vault;
        let snapshot = read_account_snapshot(&mut tx, vault, token.account())?;
        Ok(Some((snapshot, alive)))
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
        let request = VerificationRequest::new(name, Phase::After, origin, SERVICE);
        Ok(Some(
            self.engine.policy().enrollment_requirement(&request, now)?,
        ))
    }

    /// Activates the second factor and opens a session, after the user has saved the recovery
    /// codes. It reports no new sign-in: the notification of the enrollment says as much.
    pub fn finish_web_enrollment(
        &mut self,
        browser: &BrowserContext<'_>,
        token: &EnrollmentToken,
        confirmed: &str,
        now: Timestamp,
    ) -> Result<AfterEnrollment, LoginError> {
        let account = token.account();
        let first = match self.read_live_snapshot(token, now)? {
            Some((_, alive)) => {
                FirstFactorPassed::by_token_parent(token.parent(), &alive, token.issued(), now)
            }
            None => None,
        };
        let (Some(first), Some(at)) = (first, token.at()) else {
            return Ok(AfterEnrollment::Over);
        };
        let (actor, before) = match token.parent() {
            TokenParent::Session { id, .. } => {
                (Principal::Session(account, browser.origin, *id), Some(*id))
            }
            TokenParent::FirstFactor { .. } | TokenParent::Peer => {
                (Principal::Browser(account, browser.origin), None)
            }
        };
        let activated = self.activate_confirmed(confirmed, account, token.holder(), actor, now);
        let ActivatedEnrollment {
            confirmation,
            app_passwords,
            ..
        } = match activated {
            Ok(activated) => activated,
            Err(AdministrationError::Engine(error)) => return Err(error.into()),
            Err(_) => return Ok(AfterEnrollment::Over),
        };
        let Some(second) = SecondFactorPassed::by_enrollment(&confirmation, token.issued()) else {
            return Ok(AfterEnrollment::Over);
        };
        let opens = SessionGrant::by_factors(&first, &second);
        let after = (account, at, before);
        let opened = self
            .engine
            .login()
            .open_session_after(browser, after, opens, now)?;
        Ok(match opened {
            None => AfterEnrollment::Over,
            Some(opened) => AfterEnrollment::Opened(Box::new(OpenedSession {
                app_passwords,
                ..opened
            })),
        })
    }
}
