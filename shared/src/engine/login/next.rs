//! What comes after a first factor that has passed: the session, the code, or a setup and nothing else.

use super::known_browser::Recognised;
use super::new_session::Opening;
use super::proof::{FirstFactorPassed, OpensSession, SecondFactorPassed, SteppedUp};
use super::{AfterPassword, Browser, HostGroups, Opened, Page, SERVICE, SignInError, Spared};
use crate::account::event::What;
use crate::account::record::AccountRecord;
use crate::account::second_factor::{Enrolled, Methods};
use crate::config::Config;
use crate::config::rule::Access;
use crate::credential::input::Answer;
use crate::crypto::password::PasswordError;
use crate::crypto::vault::Vault;
use crate::engine::enrollment::token::Enrollment;
use crate::engine::mail::code;
use crate::engine::verify::evaluation::Visit;
use crate::engine::{EnrollmentToken, MayEnroll, Visitor, account_data};
use crate::policy::requirement::{Need, Subject};
use crate::policy::rule::{self, Person, Request};
use crate::policy::session_groups::AskedGroups;
use crate::store::Transaction;
use crate::system::clock::Timestamp;
use crate::token::{AccountAt, Holder, Login, Parent, StepUpToken, To, Token};
use crate::verify::decision::{Refusal, Verdict};
use crate::verify::method::Means;
use crate::verify::throttle::Stage;

/// Someone whose first factor has passed.
pub(super) struct Entering<'a> {
    pub(super) config: &'a Config,
    pub(super) vault: &'a Vault,
    pub(super) browser: &'a Browser<'a>,
    pub(super) record: &'a AccountRecord,
    pub(super) host: &'a HostGroups,
    /// What came along with a password.
    pub(super) recovery: &'a Answer,
    /// The first factor, and what it is or belongs to.
    pub(super) first: FirstFactorPassed,
    pub(super) parent: Parent,
    pub(super) now: Timestamp,
}

impl Entering<'_> {
    pub(super) fn next(
        &self,
        tx: &mut dyn Transaction,
        visit: &Visit<'_>,
        recognised: &Recognised,
    ) -> Result<AfterPassword, SignInError> {
        let need = self.need(visit.account.enrolled);
        if let Need::Nothing | Need::Exempt(_) = need {
            let mut opened =
                self.opening(self.record)
                    .session(tx, self.alone(visit, recognised), None)?;
            if let Need::Exempt(rule) = need {
                opened.spared = Some(Spared::Exemption(rule));
            }
            visit.log(tx, What::Accepted, &opened.cause())?;
            return Ok(AfterPassword::Opened(Box::new(opened)));
        }
        let by_rule = match self.recovery {
            Answer::Digits(_) | Answer::Unfit => self.rule(),
            // whoever gives more gets more
            Answer::Recovery(_) | Answer::OneTime(_) => None,
        };
        if visit.account.enrolled == Enrolled::No && by_rule.is_none() {
            visit.log(tx, What::Refused, &Refusal::NotEnrolled.to_string())?;
            return Ok(AfterPassword::Setup(Box::new(self.enrollment()?)));
        }
        if let Recognised::Trusted(trusted) = recognised {
            visit.log(tx, What::Accepted, Means::TrustedBrowser.name())?;
            let missed = visit.enter(tx, self.record, Means::TrustedBrowser)?.missed;
            let opening = self.opening(self.record);
            let (_, cookie) = opening.rotate(tx, trusted.number(), true)?;
            let opens = OpensSession::by(&self.first, &SecondFactorPassed::trusted(trusted));
            let opens = opens.in_browser(Some(trusted.number()));
            let opened = Opened {
                missed,
                ..opening.session(tx, opens, Some(cookie))?
            };
            return Ok(AfterPassword::Opened(Box::new(opened)));
        }
        if let Some(rule) = by_rule {
            let mut opened =
                self.opening(self.record)
                    .session(tx, self.alone(visit, recognised), None)?;
            opened.spared = Some(Spared::Rule(rule));
            visit.log(tx, What::Accepted, &opened.cause())?;
            return Ok(AfterPassword::Opened(Box::new(opened)));
        }
        match self.recovery {
            Answer::Recovery(_) | Answer::OneTime(_) => self.recover(tx),
            Answer::Digits(_) | Answer::Unfit => self.ask(tx, visit),
        }
    }

    fn opening<'a>(&'a self, record: &'a AccountRecord) -> Opening<'a> {
        let Entering {
            config,
            vault,
            browser,
            host,
            now,
            ..
        } = *self;
        Opening {
            config,
            vault,
            browser,
            record,
            host,
            now,
        }
    }

    /// The first factor alone.
    fn alone(&self, visit: &Visit<'_>, recognised: &Recognised) -> OpensSession {
        let none = SecondFactorPassed::none(visit.account.enrolled);
        OpensSession::by(&self.first, &none).in_browser(recognised.number())
    }

    /// For whom a token is.
    fn to(&self) -> To<'_> {
        let at = AccountAt {
            id: self.record.id,
            generation: self.record.generation,
        };
        let (account, parent) = (&self.record.name, self.parent.clone());
        To {
            account,
            at: Some(at),
            holder: Holder::Bearer,
            parent,
        }
    }

    /// What leads to a first enrollment, which takes a one-time code unless there is more to say.
    fn enrollment(&self) -> Result<EnrollmentToken, SignInError> {
        let enrollment = Enrollment {
            may: MayEnroll::WithOneTimeCode,
            back_to: String::new(),
        };
        let token = Token::issue(&self.vault.token_keys(), self.to(), enrollment, self.now);
        Ok(token.map_err(PasswordError::from)?)
    }

    fn need(&self, enrolled: Enrolled) -> Need {
        let groups = self.host.for_policy(self.config, self.record);
        let subject = Subject {
            name: &self.record.name,
            groups: &groups,
            service: SERVICE,
            address: self.browser.origin.certain_address(),
            earlier: self.config.gate.first_factor.earlier(),
        };
        self.config.policy.need(&subject, enrolled)
    }

    /// The rule by which the page that the browser came from takes no more than the first factor.
    fn rule(&self) -> Option<usize> {
        let Page { host, target } = self.browser.page?;
        let asked = AskedGroups::of(self.config);
        let known = self.host.known(&asked);
        let declared = self
            .config
            .declared(&self.record.name)
            .map_or(&[][..], |declared| &declared.groups);
        let groups = [declared, &self.record.groups];
        let person = Person {
            name: &self.record.name,
            groups,
            of_host: known.answer(&asked),
        };
        // a page is gone back to by GET, whatever was asked for first
        let request = Request {
            host,
            target,
            method: "GET",
            address: self.browser.origin.certain_address(),
        };
        let decision = rule::decide(&self.config.gate.rule, &request, Some(&person));
        decision
            .rule
            .filter(|_| decision.access == Access::Password)
    }

    /// A recovery code or a one-time code that came along.
    fn recover(&self, tx: &mut dyn Transaction) -> Result<AfterPassword, SignInError> {
        let Entering {
            config,
            vault,
            browser,
            record,
            now,
            ..
        } = *self;
        let name = &record.name;
        let origin = browser.origin;
        let after = Visitor {
            name,
            stage: Stage::After,
            origin,
            browser: None,
            service: SERVICE,
        };
        let visit = Visit::load(
            config,
            vault,
            tx,
            &after,
            account_data::declared(config, name)?,
            now,
        )?;
        let outcome = visit.judge(tx, self.recovery)?;
        let accepted = match outcome.verdict {
            Verdict::Refused(refusal) => return Ok(AfterPassword::Refused(refusal)),
            Verdict::Accepted(accepted) => accepted,
        };
        // its use may have ended all sessions: the new one belongs to what is now
        let record = tx.account(name)?.unwrap_or_else(|| record.clone());
        let opens = OpensSession::by(&self.first, &SecondFactorPassed::accepted(&accepted));
        let mut opened = self.opening(&record).session(tx, opens, None)?;
        opened.step_up = step_up(&opened, SteppedUp::by_sign_in(&accepted), now)?;
        let opened = Opened {
            missed: outcome.missed,
            recovery: outcome.recovery,
            ..opened
        };
        Ok(AfterPassword::Opened(Box::new(opened)))
    }

    /// The code is to be asked for.
    fn ask(
        &self,
        tx: &mut dyn Transaction,
        visit: &Visit<'_>,
    ) -> Result<AfterPassword, SignInError> {
        let (config, record) = (self.config, self.record);
        let to = match config.email.is_on() {
            true => account_data::mail_address(config, tx, &record.name, record.id)?
                .map(|address| address.masked()),
            false => None,
        };
        let authenticators = &visit.account.authenticators;
        let lengths = authenticators.iter().map(|a| a.parameters.digits);
        let digits = lengths
            .chain(to.as_ref().map(|_| code::DIGITS))
            .max()
            .unwrap_or(code::DIGITS);
        let methods = match to {
            None => Methods::App,
            Some(to) if authenticators.is_empty() => Methods::Mail(to),
            Some(to) => Methods::AppOrMail(to),
        };
        let login = Login {
            digits,
            methods,
            back_to: String::new(),
        };
        let token = Token::issue(&self.vault.token_keys(), self.to(), login, self.now);
        Ok(AfterPassword::Code(Box::new(
            token.map_err(PasswordError::from)?,
        )))
    }
}

/// The proof that a sign-in was, for the session that it opened.
pub(super) fn step_up(
    opened: &Opened,
    proof: Option<SteppedUp>,
    now: Timestamp,
) -> Result<Option<StepUpToken>, SignInError> {
    let begun = proof.map(|proof| StepUpToken::begun(&proof, &opened.session, &opened.keys, now));
    Ok(begun.transpose().map_err(PasswordError::from)?)
}
