//! What comes after a first factor that has passed: the session, the code, or a setup and nothing else.

use super::recognised::Recognised;
use super::{AfterPassword, Browser, HostGroups, Opened, Page, SERVICE, SignInError, Spared};
use crate::account::{Enrolled, Methods};
use crate::answer::Answer;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::config::gate::FirstFactor;
use crate::config::rule::Access;
use crate::decision::{Refusal, Verdict};
use crate::door::opening::Opening;
use crate::door::visit::Visit;
use crate::door::{Means, Visitor, load, mail};
use crate::event::What;
use crate::guess::Stage;
use crate::host_groups::AskedGroups;
use crate::password::PasswordError;
use crate::policy::{Enrolling, Need, Subject};
use crate::rule::{self, Person, Request};
use crate::session::Factors;
use crate::store::{AccountRecord, Transaction};
use crate::ticket::Pass;
use crate::vault::Vault;

/// Someone whose first factor has passed.
pub(super) struct Entering<'a> {
    pub(super) config: &'a Config,
    pub(super) vault: &'a Vault,
    pub(super) browser: &'a Browser<'a>,
    pub(super) record: &'a AccountRecord,
    pub(super) host: &'a HostGroups,
    /// What came along with a password.
    pub(super) recovery: &'a Answer,
    /// When the session began that rises, if one does.
    pub(super) rises_from: Option<Timestamp>,
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
            let mut opened = self.opening(self.record).session(tx, self.alone(), None)?;
            if let Need::Exempt(rule) = need {
                opened.session.factors = Factors::Password;
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
            let generation = self.record.generation;
            return Ok(AfterPassword::Setup { generation, needs: Enrolling::OneTimeCode });
        }
        if let Recognised::Trusted(number) = *recognised {
            visit.log(tx, What::Accepted, Means::TrustedBrowser.name())?;
            let missed = visit.enter(tx, self.record, Means::TrustedBrowser)?.missed;
            let opening = self.opening(self.record);
            let cookie = opening.rotate(tx, number, true)?;
            let opened = Opened { missed, ..opening.session(tx, Means::TrustedBrowser, Some(cookie))? };
            return Ok(AfterPassword::Opened(Box::new(opened)));
        }
        if let Some(rule) = by_rule {
            let mut opened = self.opening(self.record).session(tx, self.alone(), None)?;
            opened.session.factors = Factors::Password;
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
        let Entering { config, vault, browser, host, now, .. } = *self;
        Opening { config, vault, browser, record, host, began: self.rises_from.unwrap_or(now), now }
    }

    /// By what someone gets in who needs no more.
    fn alone(&self) -> Means {
        match self.config.gate.first_factor {
            FirstFactor::Password | FirstFactor::Pam => Means::Password,
            FirstFactor::Header => Means::Identity,
        }
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
        let declared = self.config.declared(&self.record.name).map_or(&[][..], |declared| &declared.groups);
        let groups = [declared, &self.record.groups];
        let person = Person { name: &self.record.name, groups, of_host: known.answer(&asked) };
        // a page is gone back to by GET, whatever was asked for first
        let request = Request { host, target, method: "GET", address: self.browser.origin.certain_address() };
        let decision = rule::decide(&self.config.gate.rule, &request, Some(&person));
        decision.rule.filter(|_| decision.access == Access::Password)
    }

    /// A recovery code or a one-time code that came along.
    fn recover(&self, tx: &mut dyn Transaction) -> Result<AfterPassword, SignInError> {
        let Entering { config, vault, browser, record, now, .. } = *self;
        let name = &record.name;
        let origin = browser.origin;
        let after = Visitor { name, stage: Stage::After, origin, browser: None, service: SERVICE };
        let visit = Visit::load(config, vault, tx, &after, load::declared(config, name)?, now)?;
        let outcome = visit.judge(tx, self.recovery)?;
        let accepted = match outcome.verdict {
            Verdict::Refused(refusal) => return Ok(AfterPassword::Refused(refusal)),
            Verdict::Accepted(accepted) => accepted,
        };
        // its use may have ended all sessions: the new one belongs to what is now
        let record = tx.account(name)?.unwrap_or_else(|| record.clone());
        let opened = self.opening(&record).session(tx, accepted.spent().into(), None)?;
        let opened = Opened { missed: outcome.missed, recovery: outcome.recovery, ..opened };
        Ok(AfterPassword::Opened(Box::new(opened)))
    }

    /// The code is to be asked for.
    fn ask(&self, tx: &mut dyn Transaction, visit: &Visit<'_>) -> Result<AfterPassword, SignInError> {
        let (config, record) = (self.config, self.record);
        let to = match config.email.is_on() {
            true => load::mail_address(config, tx, &record.name, record.id)?.map(|address| address.masked()),
            false => None,
        };
        let authenticators = &visit.account.authenticators;
        let lengths = authenticators.iter().map(|a| a.parameters.digits);
        let digits = lengths.chain(to.as_ref().map(|_| mail::DIGITS)).max().unwrap_or(mail::DIGITS);
        let methods = match to {
            None => Methods::App,
            Some(to) if authenticators.is_empty() => Methods::Mail(to),
            Some(to) => Methods::AppOrMail(to),
        };
        let pass = Pass::begun(record.generation, self.rises_from, self.now).map_err(PasswordError::from)?;
        Ok(AfterPassword::Code { pass, digits, methods })
    }
}
