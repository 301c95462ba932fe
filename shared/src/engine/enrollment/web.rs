//! An enrollment at the web: the first one, of someone who must have a second factor and has none, or one in place of
//! it after a fresh code. An [`EnrollmentToken`] says which may begin, and ends with what it was born of. Nothing of it
//! is kept before it is active.

use super::authenticators::footing;
use super::pending::{Confirmation, Footing, Pending};
use super::token::{Confirmed, Draft, Enrollment};
use crate::account::record::AccountId;
use crate::account::second_factor::Enrolled;
use crate::credential::input::Answer;
use crate::crypto::vault::VaultError;
use crate::engine::login::proof::{FirstFactorPassed, OpensSession, SecondFactorPassed};
use crate::engine::login::token_validity::{Alive, alive};
use crate::engine::principal::Actor;
use crate::engine::{
    AdministrationError, Browser, Door, DoorError, EnrollmentToken, MayEnroll, Opened, SERVICE,
    SignInError, Visitor,
};
use crate::policy::requirement::Enrolling;
use crate::protocol::command_request::Typed;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{AccountAt, Holder, Parent, StepUpToken, To, Token};
use crate::verify::decision::Refusal;
use crate::verify::origin::Origin;
use crate::verify::throttle::Stage;

/// A new authenticator, for the page that shows it.
pub struct Shown {
    /// The secret in Base32.
    pub secret: Typed,
    /// The text of the QR.
    pub url: Typed,
    /// What brings it back.
    pub draft: Typed,
    /// How long its codes are.
    pub digits: u32,
}

/// What comes after a code of the new authenticator.
pub enum AfterSetupCode {
    /// The recovery codes, and what makes it all active.
    Confirmed {
        /// The codes, grouped.
        codes: Vec<Typed>,
        /// What brings it back.
        confirmed: Typed,
    },
    /// The code is refused; the authenticator is shown again.
    Refused(Refusal, Shown),
    /// The setup is over, or was never begun by this browser.
    Over,
}

/// What comes at the end.
pub enum AfterSetup {
    /// The second factor is on, and the session has begun.
    Opened(Box<Opened>),
    /// The setup is over.
    Over,
}

impl Door {
    /// The one-time code without which the setup may not begin.
    pub fn invite_to_setup(
        &mut self,
        browser: &Browser<'_>,
        token: EnrollmentToken,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Result<EnrollmentToken, Refusal>, SignInError> {
        let visitor = Visitor {
            name: token.account(),
            stage: Stage::After,
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
    ) -> Result<Option<Shown>, SignInError> {
        let may = token.payload().may;
        let invitation = match may {
            MayEnroll::WithOneTimeCode => return Ok(None),
            MayEnroll::Yes | MayEnroll::Replacing => None,
            MayEnroll::Invited(invitation) => Some(invitation),
        };
        let Some((footing, _)) = self.footing_of(token, now)? else {
            return Ok(None);
        };
        let account = token.account();
        let pending = match may {
            MayEnroll::Replacing => Pending::replacement(&self.config, account),
            MayEnroll::WithOneTimeCode | MayEnroll::Yes | MayEnroll::Invited(_) => {
                Pending::new(&self.config, account)
            }
        };
        let pending = pending.map_err(VaultError::Random)?;
        if self.refuse_setup(&pending).is_err() {
            return Ok(None);
        }
        let (holder, parent) = (token.holder(), token.parent().clone());
        let to = To {
            account,
            at: footing.at(),
            holder,
            parent,
        };
        let (keys, draft) = (self.token_keys(), Draft::of(&pending, footing, invitation));
        let draft = Token::issue(&keys, to, draft, now).map_err(VaultError::Random)?;
        Ok(Some(shown(&pending, draft.seal(&keys)?.into())))
    }

    /// A code of the new authenticator.
    pub fn confirm_web_setup(
        &mut self,
        token: &EnrollmentToken,
        draft: Typed,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<AfterSetupCode, SignInError> {
        if self.footing_of(token, now)?.is_none() {
            return Ok(AfterSetupCode::Over);
        }
        let opened = Token::<Draft>::open(&draft, &self.token_keys(), token.holder(), now);
        let Some(opened) = opened.filter(|opened| opened.account() == token.account()) else {
            return Ok(AfterSetupCode::Over);
        };
        let Ok(pending) = opened
            .payload()
            .pending(&self.config, token.account(), opened.parent())
        else {
            return Ok(AfterSetupCode::Over);
        };
        let confirmation = match pending.confirm(answer, &self.config, now) {
            Err(refusal) => return Ok(AfterSetupCode::Refused(refusal, shown(&pending, draft))),
            Ok(confirmation) => confirmation,
        };
        let Some(step) = confirmation.step() else {
            return Ok(AfterSetupCode::Over);
        };
        let codes = pending
            .recovery_codes()
            .iter()
            .map(|code| code.grouped().into())
            .collect();
        let confirmed = opened.next(|draft| Confirmed { draft, step });
        Ok(AfterSetupCode::Confirmed {
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
    ) -> Result<Option<EnrollmentToken>, SignInError> {
        let may = match self.turning_on_needs(session, origin, now)? {
            None => return Ok(None),
            Some(Enrolling::Free) => MayEnroll::Yes,
            Some(Enrolling::OneTimeCode) => MayEnroll::WithOneTimeCode,
        };
        Ok(Some(self.enrollment_of(session, proof, may, now)?))
    }

    /// What leads to an authenticator in place of all that there are.
    pub fn replace(
        &mut self,
        session: &Session,
        proof: &StepUpToken,
        now: Timestamp,
    ) -> Result<EnrollmentToken, SignInError> {
        self.enrollment_of(session, proof, MayEnroll::Replacing, now)
    }

    fn enrollment_of(
        &mut self,
        session: &Session,
        _: &StepUpToken,
        may: MayEnroll,
        now: Timestamp,
    ) -> Result<EnrollmentToken, SignInError> {
        let at = AccountAt {
            id: AccountId(session.account),
            generation: session.generation,
        };
        let (holder, parent) = (Holder::Bearer, Parent::session(session));
        let to = To {
            account: &session.name,
            at: Some(at),
            holder,
            parent,
        };
        let enrollment = Enrollment {
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
    ) -> Result<Option<(Footing, Alive)>, DoorError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let Some(alive) = alive(token, tx.as_mut(), &self.vault.token_keys(), now)? else {
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
    ) -> Result<Option<Enrolling>, SignInError> {
        let name = &session.name;
        if !self.authenticators(name).map_or(true, |all| all.is_empty()) {
            return Ok(None);
        }
        if self.membership(name)?.enrolled == Enrolled::Yes {
            return Ok(Some(Enrolling::Free));
        }
        let visitor = Visitor {
            name,
            stage: Stage::After,
            origin,
            browser: None,
            service: SERVICE,
        };
        Ok(Some(self.first_setup_needs(&visitor, now)?))
    }

    /// The person has saved the recovery codes: the second factor is on, and a session begins.
    pub fn finish_web_setup(
        &mut self,
        browser: &Browser<'_>,
        token: &EnrollmentToken,
        confirmed: &str,
        now: Timestamp,
    ) -> Result<AfterSetup, SignInError> {
        let account = token.account();
        let first = match self.footing_of(token, now)? {
            Some((_, alive)) => FirstFactorPassed::of(token.parent(), &alive, now),
            None => None,
        };
        let opened = Token::<Confirmed>::open(confirmed, &self.token_keys(), token.holder(), now);
        let opened = opened.filter(|opened| opened.account() == account);
        let (Some(opened), Some(first), Some(at)) = (opened, first, token.at()) else {
            return Ok(AfterSetup::Over);
        };
        let Ok(pending) = opened
            .payload()
            .draft
            .pending(&self.config, account, opened.parent())
        else {
            return Ok(AfterSetup::Over);
        };
        let confirmation = Confirmation::given(opened.payload().step);
        let (actor, before) = match token.parent() {
            Parent::Session { id, .. } => (Actor::Session(account, browser.origin, *id), Some(*id)),
            Parent::FirstFactor { .. } | Parent::Peer => {
                (Actor::Browser(account, browser.origin), None)
            }
        };
        let app_passwords = match self.activate(&pending, &confirmation, actor, now) {
            Ok(after) => after,
            Err(AdministrationError::Door(error)) => return Err(error.into()),
            Err(_) => return Ok(AfterSetup::Over),
        };
        let Some(second) = SecondFactorPassed::confirmed(&confirmation) else {
            return Ok(AfterSetup::Over);
        };
        let opens = OpensSession::by(&first, &second);
        Ok(
            match self.open_after(browser, (account, at, before), opens, now)? {
                None => AfterSetup::Over,
                Some(opened) => AfterSetup::Opened(Box::new(Opened {
                    app_passwords,
                    ..opened
                })),
            },
        )
    }
}

pub(in crate::engine) fn shown(pending: &Pending, draft: Typed) -> Shown {
    Shown {
        secret: pending.secret().to_base32().into(),
        url: pending.url().into(),
        draft,
        digits: pending.parameters().digits,
    }
}
