//! A setup at the web: the first one, of someone who must have a second factor and has none, or one in place of it
//! after a fresh code. A [`SetupTicket`] says which may begin. Nothing of it is kept before it is active.

use super::actor::Actor;
use super::{AdministrationError, Browser, Door, Opened, SERVICE, SignInError, Visitor};
use crate::account::Enrolled;
use crate::answer::Answer;
use crate::clock::Timestamp;
use crate::decision::Refusal;
use crate::enrolment::{Confirmation, Footing, Pending};
use crate::errand::Typed;
use crate::guess::Stage;
use crate::name::UserName;
use crate::place::Origin;
use crate::policy::Enrolling;
use crate::ticket::{Confirmed, Draft, ErrandTicket, Leave, SetupTicket};
use crate::vault::VaultError;

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
        ticket: SetupTicket,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Result<SetupTicket, Refusal>, SignInError> {
        let visitor = Visitor {
            name: &ticket.name,
            stage: Stage::After,
            origin: browser.origin,
            browser: None,
            service: SERVICE,
        };
        let decided = self.judge_invitation(&visitor, answer, now)?;
        Ok(decided.map(|invitation| ticket.invited(invitation)))
    }

    /// A new authenticator, another one each time; `None` if the setup may not begin, or is over.
    pub fn begin_web_setup(
        &mut self,
        ticket: &SetupTicket,
        now: Timestamp,
    ) -> Result<Option<Shown>, SignInError> {
        let invitation = match ticket.leave {
            Leave::OneTimeCode => return Ok(None),
            Leave::Given | Leave::Replacement(_) => None,
            Leave::Invited(invitation) => Some(invitation),
        };
        let footing = self.footing(&ticket.name)?;
        if !stands(ticket, &footing) {
            return Ok(None);
        }
        let pending = match ticket.leave {
            Leave::Replacement(_) => Pending::replacement(&self.config, &ticket.name),
            Leave::OneTimeCode | Leave::Given | Leave::Invited(_) => Pending::new(&self.config, &ticket.name),
        };
        let pending = pending.map_err(VaultError::Random)?;
        if self.refuse_setup(&pending).is_err() {
            return Ok(None);
        }
        let draft = Draft::of(&pending, invitation);
        let draft = ErrandTicket::begun(&ticket.name, ticket.holder(), footing, draft, now);
        Ok(Some(shown(&pending, draft.seal(&self.token_keys())?)))
    }

    /// A code of the new authenticator.
    pub fn confirm_web_setup(
        &mut self,
        ticket: &SetupTicket,
        draft: Typed,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<AfterSetupCode, SignInError> {
        // drafts are opened with the keys of now
        self.footing(&ticket.name)?;
        let opened =
            ErrandTicket::<Draft>::open(&draft, &self.token_keys(), &ticket.name, ticket.holder(), now);
        let Some(opened) = opened.filter(|opened| stands(ticket, &opened.footing)) else {
            return Ok(AfterSetupCode::Over);
        };
        let Ok(pending) = opened.what.pending(&self.config, &ticket.name, &opened.footing) else {
            return Ok(AfterSetupCode::Over);
        };
        let confirmation = match pending.confirm(answer, &self.config, now) {
            Err(refusal) => return Ok(AfterSetupCode::Refused(refusal, shown(&pending, draft))),
            Ok(confirmation) => confirmation,
        };
        let Some(step) = confirmation.step() else { return Ok(AfterSetupCode::Over) };
        let codes = pending.recovery_codes().iter().map(|code| code.grouped().into()).collect();
        let confirmed = opened.next(|draft| Confirmed { draft, step });
        Ok(AfterSetupCode::Confirmed { codes, confirmed: confirmed.seal(&self.token_keys())? })
    }

    /// What a first authenticator needs of someone who is signed in and has just proven themselves; none where there is
    /// one. Whoever gets codes by mail proved themselves by one.
    pub fn turning_on_needs(
        &mut self,
        name: &UserName,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<Enrolling>, SignInError> {
        if !self.authenticators(name).map_or(true, |all| all.is_empty()) {
            return Ok(None);
        }
        if self.membership(name)?.enrolled == Enrolled::Yes {
            return Ok(Some(Enrolling::Free));
        }
        let visitor = Visitor { name, stage: Stage::After, origin, browser: None, service: SERVICE };
        Ok(Some(self.first_setup_needs(&visitor, now)?))
    }

    /// The person has saved the recovery codes: the second factor is on, and a session begins.
    pub fn finish_web_setup(
        &mut self,
        browser: &Browser<'_>,
        ticket: &SetupTicket,
        confirmed: &str,
        now: Timestamp,
    ) -> Result<AfterSetup, SignInError> {
        self.footing(&ticket.name)?;
        let keys = self.token_keys();
        let opened = ErrandTicket::<Confirmed>::open(confirmed, &keys, &ticket.name, ticket.holder(), now);
        let Some(opened) = opened.filter(|opened| stands(ticket, &opened.footing)) else {
            return Ok(AfterSetup::Over);
        };
        let draft = &opened.what.draft;
        let Ok(pending) = draft.pending(&self.config, &ticket.name, &opened.footing) else {
            return Ok(AfterSetup::Over);
        };
        let confirmation = Confirmation::given(opened.what.step);
        let actor = match ticket.leave {
            Leave::Replacement(session) => Actor::Session(&ticket.name, browser.origin, session),
            Leave::OneTimeCode | Leave::Given | Leave::Invited(_) => {
                Actor::Browser(&ticket.name, browser.origin)
            }
        };
        let app_passwords = match self.activate(&pending, &confirmation, actor, now) {
            Ok(after) => after,
            Err(AdministrationError::Door(error)) => return Err(error.into()),
            Err(_) => return Ok(AfterSetup::Over),
        };
        Ok(match self.open_after(browser, (&ticket.name, ticket.generation), now, now)? {
            None => AfterSetup::Over,
            Some(opened) => AfterSetup::Opened(Box::new(Opened { app_passwords, ..opened })),
        })
    }
}

/// Whether the account is still as it was when the password passed.
fn stands(ticket: &SetupTicket, footing: &Footing) -> bool {
    footing.account.is_some_and(|(_, generation)| generation == ticket.generation)
}

pub(super) fn shown(pending: &Pending, draft: Typed) -> Shown {
    Shown {
        secret: pending.secret().to_base32().into(),
        url: pending.url().into(),
        draft,
        digits: pending.parameters().digits,
    }
}
