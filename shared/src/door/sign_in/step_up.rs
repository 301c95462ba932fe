//! A fresh proof in a session, for what a session alone may not do: the first factor again, charged like that of a
//! sign-in, and a code. Where a proxy establishes who is there, a fresh code alone.
//!
//! A recovery code steps nobody up here: its use ends every session, this one too; signing in with it does.

use super::first_factor::{FirstFactorTried, before};
use super::recognised::recognise;
use super::{Browser, SERVICE, SignInError};
use crate::account::Enrolled;
use crate::answer::Answer;
use crate::clock::Timestamp;
use crate::config::gate::FirstFactor;
use crate::decision::{Refusal, Verdict};
use crate::door::visit::Visit;
use crate::door::{Door, Visitor, load};
use crate::event::What;
use crate::guess::Stage;
use crate::host_password::Said;
use crate::password::Password;
use crate::session::Session;
use crate::store::Intent;
use crate::ticket::StepUpTicket;

/// What comes of it.
pub enum AfterStepUp {
    /// The proof, for this session.
    Proven(StepUpTicket),
    /// The password is refused; the code was not looked at.
    Password(Refusal),
    /// The code is refused.
    Code(Refusal),
    /// The host could not be asked; nothing was charged.
    Unasked,
    /// The session has ended.
    Over,
}

impl Door {
    /// The password that the store keeps, and a code. An account without a second factor has no code to give.
    pub fn step_up(
        &mut self,
        browser: &Browser<'_>,
        session: &Session,
        password: Option<&Password>,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<AfterStepUp, SignInError> {
        if self.config.gate.first_factor != FirstFactor::Password {
            return Ok(AfterStepUp::Password(Refusal::Unfit));
        }
        match self.try_first_factor(browser, &session.name, &Answer::Unfit, now)? {
            Err(refusal) => Ok(AfterStepUp::Password(refusal)),
            Ok(tried) => {
                let said = self.judge_password(&tried, password)?;
                self.settle_step_up(browser, session, &tried, said, answer, now)
            }
        }
    }

    /// A code, by what the judge said of a password that [`Door::try_first_factor`] charged.
    pub fn settle_step_up(
        &mut self,
        browser: &Browser<'_>,
        session: &Session,
        tried: &FirstFactorTried,
        said: Said,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<AfterStepUp, SignInError> {
        match said {
            Said::Right => self.prove_again(browser, session, Some(tried), answer, now),
            Said::Wrong => Ok(AfterStepUp::Password(Refusal::Wrong)),
            Said::Unasked => {
                self.take_back(tried)?;
                Ok(AfterStepUp::Unasked)
            }
        }
    }

    /// A code alone, where a trusted proxy establishes who is there.
    pub fn step_up_by_code(
        &mut self,
        browser: &Browser<'_>,
        session: &Session,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<AfterStepUp, SignInError> {
        match self.config.gate.first_factor {
            FirstFactor::Header => self.prove_again(browser, session, None, answer, now),
            FirstFactor::Password | FirstFactor::Pam => Ok(AfterStepUp::Password(Refusal::Unfit)),
        }
    }

    fn prove_again(
        &mut self,
        browser: &Browser<'_>,
        session: &Session,
        tried: Option<&FirstFactorTried>,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<AfterStepUp, SignInError> {
        let name = &session.name;
        let Door { config, vault, store, .. } = self;
        let declared = || load::declared(config, name);
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        if let Some(tried) = tried {
            tx.take_back(tried.row, tried.address)?;
            let recognised = recognise(config, vault, tx, browser, name, now)?;
            let visitor = before(browser, name, &recognised);
            Visit::load(config, vault, tx, &visitor, declared()?, now)?.forgive(tx)?;
        }
        let after =
            Visitor { name, stage: Stage::After, origin: browser.origin, browser: None, service: SERVICE };
        let visit = Visit::load(config, vault, tx, &after, declared()?, now)?;
        let lives = match &visit.record {
            Some(record) if record.id.0 == session.account && record.generation == session.generation => {
                tx.sessions(record.id, now)?.iter().any(|kept| kept.id == session.id)
            }
            _ => false,
        };
        let is_same = tried.is_none_or(|tried| tried.generation == Some(session.generation));
        if !lives || !is_same {
            drop(visit);
            transaction.commit()?;
            return Ok(AfterStepUp::Over);
        }
        let after = match (visit.account.enrolled, answer) {
            (Enrolled::Yes, Answer::Recovery(_)) => AfterStepUp::Code(Refusal::Unfit),
            (Enrolled::Yes, _) => match visit.judge(tx, answer)?.verdict {
                Verdict::Accepted(_) => AfterStepUp::Proven(StepUpTicket::begun(session, now)),
                Verdict::Refused(refusal) => AfterStepUp::Code(refusal),
            },
            (Enrolled::No, _) if tried.is_some() => {
                visit.log(tx, What::Accepted, "password-again")?;
                AfterStepUp::Proven(StepUpTicket::begun(session, now))
            }
            (Enrolled::No, _) => AfterStepUp::Code(Refusal::NotEnrolled),
        };
        drop(visit);
        transaction.commit()?;
        Ok(after)
    }
}
