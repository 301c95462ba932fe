//! Signing in at the web: the password, then the code, then a session; or the password alone in a browser that
//! the account trusts. Each step is one transaction, and the session's row is written with what it spends.

use super::opening::Opening;
use super::rise::Page;
use super::visit::Visit;
use super::{AppPasswordsAfter, Door, DoorError, Means, Recovered, Visitor, load, notice};
use crate::account::{Enrolled, Methods};
use crate::answer::Answer;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::decision::{Refusal, Verdict};
use crate::earlier::Earlier;
use crate::event::{Event, What};
use crate::groups::GroupsError;
use crate::guess::{Stage, Standing};
use crate::name::{Group, UserName};
use crate::password::{Password, PasswordError};
use crate::place::Origin;
use crate::policy::{Enrolling, Need, Subject};
use crate::rule::RuleName;
use crate::session::{Factors, Session, SessionId};
use crate::store::{AccountId, Intent, Missed, StoreError, Token, Transaction, Wrong};
use crate::vault::{TokenKeys, Vault};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// The name of this door in logs and policies.
pub const SERVICE: &str = "web";

/// A browser at the gate.
pub struct Browser<'a> {
    /// Where from.
    pub origin: &'a Origin,
    /// What it calls itself.
    pub name: &'a str,
    /// Its cookie of a trusted browser, if it sent one.
    pub cookie: Option<&'a str>,
    /// The host or domain that a session is to be good for.
    pub scope: &'a str,
    /// The page that it came from, if a rule may say what that takes.
    pub page: Option<Page<'a>>,
    /// The session that it has: over when another begins.
    pub session: Option<SessionId>,
}

/// Whether the browser is to be trusted from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Yes.
    Asked,
    /// No.
    NotAsked,
}

/// A session that has begun.
pub struct Opened {
    /// The session; its row is in the store.
    pub session: Session,
    /// By what.
    pub means: Means,
    /// What spared the code.
    pub spared: Option<Spared>,
    /// What signs its cookie: the keys of the transaction that opened it, so that it ends with them.
    pub keys: TokenKeys,
    /// The browser's new cookie, if it is trusted.
    pub browser_cookie: Option<Zeroizing<String>>,
    /// Wrong codes since the last sign-in.
    pub missed: Option<Missed>,
    /// What the use of a recovery code left.
    pub recovery: Option<Recovered>,
    /// What became of app passwords, at the end of a setup.
    pub app_passwords: AppPasswordsAfter,
    /// The revision that ended the session before, which gates have to confirm.
    pub(super) ended: Option<u64>,
}

/// What spares someone the code, by its position in postern.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spared {
    /// An exemption.
    Exemption(usize),
    /// The rule of the page.
    Rule(usize),
}

impl Opened {
    /// By what, as logs name it.
    pub fn cause(&self) -> Cow<'static, str> {
        match self.spared {
            Some(Spared::Exemption(rule)) => format!("policy.exempt-{rule}").into(),
            Some(Spared::Rule(rule)) => RuleName(Some(rule)).to_string().into(),
            None => self.means.name().into(),
        }
    }
}

/// What comes after the password.
pub enum AfterPassword {
    /// Nothing: the session has begun.
    Opened(Box<Opened>),
    /// The code.
    Code {
        /// The account's generation, for the ticket.
        generation: u64,
        /// How long its longest code is.
        digits: u32,
        /// What codes there are.
        methods: Methods,
    },
    /// Nobody enters without a second factor, and there is none: nothing but setting one up.
    Setup {
        /// The account's generation, for the ticket.
        generation: u64,
        /// What that needs.
        needs: Enrolling,
    },
    /// Refused.
    Refused(Refusal),
}

/// What comes after the code.
pub enum AfterCode {
    /// The session has begun.
    Opened(Box<Opened>),
    /// Refused.
    Refused(Refusal),
}

/// What the store says of a browser's cookie.
enum Recognised {
    /// It is trusted: the number of the browser.
    Trusted(i64),
    /// It was, until the newest cookie that it was given: a code makes it trusted again.
    Behind(i64),
    /// Its cookie was stolen; the browser is trusted no longer.
    Stolen,
    /// Nothing.
    Stranger,
}

impl Door {
    /// The password, with a recovery code if the person gave one along.
    pub fn enter_password(
        &mut self,
        browser: &Browser<'_>,
        name: &UserName,
        password: Option<&Password>,
        recovery: &Answer,
        now: Timestamp,
    ) -> Result<AfterPassword, SignInError> {
        let Door { config, vault, store, hashing } = self;
        // First the try is charged, so that however many come at once, no more are looked at than the row allows.
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        let recognised = recognise(config, vault, tx, browser, name, now)?;
        let visitor = Visitor {
            name,
            stage: Stage::Before,
            origin: browser.origin,
            browser: match recognised {
                Recognised::Trusted(number) => Some(number),
                _ => None,
            },
            service: SERVICE,
        };
        let visit = Visit::load(config, vault, tx, &visitor, load::declared(config, name)?, now)?;
        let with_recovery = matches!(visit.decide(recovery, Stage::After).verdict, Verdict::Accepted(_));
        let refusal = match (visit.account.address_wait, visit.account.row.standing(&config.throttle, now)) {
            (Some(wait), _) => Some(Refusal::AddressDelayed { wait }),
            (None, Standing::Delayed { wait }) if !with_recovery => Some(Refusal::Delayed { wait }),
            (None, Standing::Locked) if !with_recovery => Some(Refusal::Locked),
            (None, _) => None,
        };
        if let Some(refusal) = refusal {
            let worth_keeping = visit.mended || matches!(recognised, Recognised::Stolen);
            drop(visit);
            match worth_keeping {
                true => transaction.commit()?,
                false => drop(transaction),
            }
            if !matches!(refusal, Refusal::AddressDelayed { .. }) {
                // It must not show in the time whether this name's row is delayed: names without an account share theirs.
                vault.verify_password(hashing, password, None)?;
            }
            return Ok(AfterPassword::Refused(refusal));
        }
        let charged = visit.charge(tx, 1, Wrong::Password)?;
        let charged_address = visit.charge_address(tx)?;
        let id = visit.record.as_ref().map_or(AccountId(0), |record| record.id);
        let hash = tx.password(id)?;
        let generation = visit.record.as_ref().map(|record| record.generation);
        drop(visit);
        transaction.commit()?;

        if !vault.verify_password(hashing, password, hash.as_ref())? {
            return Ok(AfterPassword::Refused(Refusal::Wrong));
        }

        // Then it is taken back, and what follows happens together with it.
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        tx.take_back(charged, charged_address)?;
        let visit = Visit::load(config, vault, tx, &visitor, load::declared(config, name)?, now)?;
        visit.forgive(tx)?;
        // Whatever ended all sessions meanwhile (a new password, the second factor on or off) ended this too.
        let record = match &visit.record {
            Some(record) if Some(record.generation) == generation => record,
            _ => return Ok(AfterPassword::Refused(Refusal::Expired)),
        };
        let opening = Opening { config, vault, browser, record, now };
        let need = need(config, &visitor, &record.groups, visit.account.enrolled)?;
        let by_rule = match recovery {
            Answer::Digits(_) | Answer::Unfit => opening.password_suffices()?,
            // whoever gives more gets more
            Answer::Recovery(_) | Answer::OneTime(_) => None,
        };
        let next = if let Need::Nothing | Need::Exempt(_) = need {
            let mut opened = opening.session(tx, Means::Password, None)?;
            if let Need::Exempt(rule) = need {
                opened.session.factors = Factors::Password;
                opened.spared = Some(Spared::Exemption(rule));
            }
            visit.log(tx, What::Accepted, &opened.cause())?;
            AfterPassword::Opened(Box::new(opened))
        } else if visit.account.enrolled == Enrolled::No && by_rule.is_none() {
            visit.log(tx, What::Refused, &Refusal::NotEnrolled.to_string())?;
            AfterPassword::Setup { generation: record.generation, needs: Enrolling::OneTimeCode }
        } else if let Recognised::Trusted(number) = recognise(config, vault, tx, browser, name, now)? {
            visit.log(tx, What::Accepted, Means::TrustedBrowser.name())?;
            let missed = visit.enter(tx, record, Means::TrustedBrowser)?.missed;
            let cookie = opening.rotate(tx, number, true)?;
            let opened = Opened { missed, ..opening.session(tx, Means::TrustedBrowser, Some(cookie))? };
            AfterPassword::Opened(Box::new(opened))
        } else if let Answer::Recovery(_) | Answer::OneTime(_) = recovery {
            let after = Visitor { stage: Stage::After, browser: None, ..visitor };
            let visit = Visit::load(config, vault, tx, &after, load::declared(config, name)?, now)?;
            let outcome = visit.judge(tx, recovery)?;
            match outcome.verdict {
                Verdict::Refused(refusal) => AfterPassword::Refused(refusal),
                Verdict::Accepted(accepted) => {
                    // its use may have ended all sessions: the new one belongs to what is now
                    let record = tx.account(name)?.unwrap_or_else(|| record.clone());
                    let opening = Opening { record: &record, ..opening };
                    AfterPassword::Opened(Box::new(Opened {
                        missed: outcome.missed,
                        recovery: outcome.recovery,
                        ..opening.session(tx, accepted.spent().into(), None)?
                    }))
                }
            }
        } else if let Some(rule) = by_rule {
            let mut opened = opening.session(tx, Means::Password, None)?;
            opened.session.factors = Factors::Password;
            opened.spared = Some(Spared::Rule(rule));
            visit.log(tx, What::Accepted, &opened.cause())?;
            AfterPassword::Opened(Box::new(opened))
        } else {
            visit.ask_code(tx, record)?
        };
        drop(visit);
        transaction.commit()?;
        match next {
            AfterPassword::Opened(opened) => {
                self.settle_recovery(opened.recovery)?;
                self.settle_session(&opened)?;
                Ok(AfterPassword::Opened(opened))
            }
            // They may set it up by themselves while they could come in without.
            AfterPassword::Setup { generation, .. } => {
                let visitor = Visitor { stage: Stage::After, browser: None, ..visitor };
                Ok(AfterPassword::Setup { generation, needs: self.first_setup_needs(&visitor, now)? })
            }
            AfterPassword::Code { .. } | AfterPassword::Refused(_) => Ok(next),
        }
    }

    /// The code, or a recovery code. The ticket's generation must be the account's: whatever ended all sessions
    /// meanwhile ended this sign-in too.
    pub fn enter_code(
        &mut self,
        browser: &Browser<'_>,
        name: &UserName,
        generation: u64,
        answer: &Answer,
        trust: Trust,
        now: Timestamp,
    ) -> Result<AfterCode, SignInError> {
        let Door { config, vault, store, .. } = self;
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        let recognised = recognise(config, vault, tx, browser, name, now)?;
        let visitor =
            Visitor { name, stage: Stage::After, origin: browser.origin, browser: None, service: SERVICE };
        let visit = Visit::load(config, vault, tx, &visitor, load::declared(config, name)?, now)?;
        let record = match &visit.record {
            Some(record) if record.generation == generation => record,
            _ => return Ok(AfterCode::Refused(Refusal::Expired)),
        };
        let outcome = visit.judge(tx, answer)?;
        let means = match outcome.verdict {
            Verdict::Accepted(accepted) => accepted.spent().into(),
            Verdict::Refused(refusal) => {
                if !outcome.is_free || visit.mended || matches!(recognised, Recognised::Stolen) {
                    drop(visit);
                    transaction.commit()?;
                }
                return Ok(AfterCode::Refused(refusal));
            }
        };
        // The use of a recovery code may have ended all sessions: the new one belongs to what is now.
        let record = tx.account(name)?.unwrap_or_else(|| record.clone());
        let opening = Opening { config, vault, browser, record: &record, now };
        let cookie = match (outcome.recovery, recognised, trust) {
            (Some(Recovered::TurnedOff(_)), ..) => None,
            // the use of a recovery code ended every trust
            (Some(Recovered::CodesLeft(_)), _, Trust::Asked) => Some(opening.trust(tx)?),
            (Some(Recovered::CodesLeft(_)), _, Trust::NotAsked) => None,
            (None, Recognised::Behind(number), _) => Some(opening.rotate(tx, number, false)?),
            // another tab was first: it is one browser
            (_, Recognised::Trusted(number), Trust::Asked) => Some(opening.rotate(tx, number, true)?),
            (_, _, Trust::Asked) => Some(opening.trust(tx)?),
            (_, _, Trust::NotAsked) => None,
        };
        let opened = Opened {
            missed: outcome.missed,
            recovery: outcome.recovery,
            ..opening.session(tx, means, cookie)?
        };
        drop(visit);
        transaction.commit()?;
        self.settle_recovery(opened.recovery)?;
        self.settle_session(&opened)?;
        Ok(AfterCode::Opened(Box::new(opened)))
    }
}

/// Looks a browser's cookie up. A stolen one revokes the browser, which the caller must commit; one of another
/// account's says nothing.
fn recognise(
    config: &Config,
    vault: &Vault,
    tx: &mut dyn Transaction,
    browser: &Browser<'_>,
    name: &UserName,
    now: Timestamp,
) -> Result<Recognised, StoreError> {
    let Some(value) = browser.cookie else { return Ok(Recognised::Stranger) };
    let hash = vault.browser_hash(value.as_bytes());
    let Some((record, token)) = tx.browser_of(&hash, now)? else { return Ok(Recognised::Stranger) };
    let owner = tx.account(name)?.filter(|account| account.id == record.account);
    let Some(owner) = owner else { return Ok(Recognised::Stranger) };
    match token {
        Token::Newest => return Ok(Recognised::Trusted(record.number)),
        Token::Older => return Ok(Recognised::Behind(record.number)),
        Token::Stolen => {}
    }
    tx.remove_browser(record.number)?;
    let event = Event {
        at: now,
        account: owner.name,
        what: What::BrowserRevoked,
        door: SERVICE.to_owned(),
        origin: browser.origin.to_string(),
        actor: name.to_string(),
        cause: "an old cookie was used after a newer one".to_owned(),
    };
    notice::log(config, tx, &event)?;
    Ok(Recognised::Stolen)
}

fn need(
    config: &Config,
    visitor: &Visitor<'_>,
    kept: &[Group],
    enrolled: Enrolled,
) -> Result<Need, SignInError> {
    let groups = config.groups_of(visitor.name, kept).map_err(SignInError::Groups)?;
    let address = visitor.origin.address();
    let earlier = &Earlier::PASSWORD;
    let subject = Subject { name: visitor.name, groups: &groups, service: visitor.service, address, earlier };
    Ok(config.policy.need(&subject, enrolled))
}

/// Why nobody can sign in.
#[derive(Debug)]
pub enum SignInError {
    /// Key, store, or what lies in it.
    Door(DoorError),
    /// A password's hash.
    Password(PasswordError),
    /// The clock.
    Clock(crate::clock::ClockError),
    /// The host's name service.
    Groups(GroupsError),
}

impl<E: Into<DoorError>> From<E> for SignInError {
    fn from(error: E) -> SignInError {
        SignInError::Door(error.into())
    }
}

impl From<PasswordError> for SignInError {
    fn from(error: PasswordError) -> SignInError {
        SignInError::Password(error)
    }
}

impl std::fmt::Display for SignInError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SignInError::Door(error) => error.fmt(f),
            SignInError::Password(error) => error.fmt(f),
            SignInError::Clock(error) => error.fmt(f),
            SignInError::Groups(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SignInError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SignInError::Door(error) => Some(error),
            SignInError::Password(error) => Some(error),
            SignInError::Clock(error) => Some(error),
            SignInError::Groups(error) => Some(error),
        }
    }
}
