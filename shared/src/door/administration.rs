//! What administrators do to accounts, each act in one transaction with its event.

use super::{Door, DoorError, load};
use crate::account::Enrolled;
use crate::clock::Timestamp;
use crate::enrolment::{Confirmation, Pending};
use crate::event::{Event, What};
use crate::name::UserName;
use crate::password::PasswordError;
use crate::store::{AccountRecord, AuthenticatorRecord, Intent, StoreError, Transaction};
use crate::totp::Step;
use crate::vault::Binding;
use serde::Serialize;
use std::fmt;

/// Where an account's second factor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No second factor.
    Off,
    /// Enrolled.
    On,
    /// Declared in postern.toml or accounts.d: commands cannot change it.
    Declared,
}

/// One line of `postern status`.
#[derive(Clone, Debug)]
pub struct Status {
    /// The account.
    pub name: UserName,
    /// Its second factor.
    pub state: State,
    /// Since when it is on.
    pub since: Option<Timestamp>,
    /// The last sign-in with it.
    pub last_sign_in: Option<Timestamp>,
    /// Recovery codes left.
    pub recovery_codes: usize,
    /// Places that are locked.
    pub locks: u64,
}

impl Door {
    /// Makes an account.
    pub fn add_account(&mut self, name: &UserName, actor: &str, now: Timestamp) -> Done {
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        if tx.account(name)?.is_some() {
            return Err(AdministrationError::AccountExists(name.clone()));
        }
        tx.add_account(name, now)?;
        log(tx.as_mut(), name, What::AccountAdded, actor, now)?;
        Ok(tx.commit()?)
    }

    /// Makes a confirmed enrolment active: authenticator, recovery codes and the spent step, together.
    pub fn activate(
        &mut self,
        pending: &Pending,
        confirmation: &Confirmation,
        actor: &str,
        now: Timestamp,
    ) -> Done {
        let name = pending.name();
        self.refuse_declared(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known_or_new(tx.as_mut(), name, actor, now)?;
        if !tx.authenticators(record.id)?.is_empty() {
            return Err(AdministrationError::AlreadyEnrolled(name.clone()));
        }
        let parameters = pending.parameters();
        let binding = Binding { account: record.id.0, name, parameters };
        let sealed = self.vault.seal(pending.secret(), &binding)?;
        tx.add_authenticator(record.id, &AuthenticatorRecord { parameters, sealed, created: now })?;
        let hashes = self.vault.recovery_hashes(record.id.0, pending.recovery_codes());
        tx.replace_recovery_codes(record.id, &hashes)?;
        if let Some(step) = confirmation.step() {
            tx.set_floor(&self.vault.fingerprint(pending.secret(), parameters), step)?;
        }
        tx.end_all(record.id, now)?;
        let revision = tx.revise()?;
        log(tx.as_mut(), name, What::Enrolled, actor, now)?;
        tx.commit()?;
        Ok(self.await_gates(revision)?)
    }

    /// Turns the second factor off. When this returns, the secret is gone from the store's bytes.
    pub fn disable(&mut self, name: &UserName, actor: &str, now: Timestamp) -> Done {
        self.refuse_declared(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        if tx.authenticators(record.id)?.is_empty() {
            drop(tx);
            // an earlier one may have left bytes behind
            self.store.scrub().map_err(AdministrationError::NotScrubbed)?;
            return Err(AdministrationError::NotEnrolled(name.clone()));
        }
        tx.remove_second_factor(record.id)?;
        tx.unlock_all(record.id)?;
        tx.end_all(record.id, now)?;
        let revision = tx.revise()?;
        log(tx.as_mut(), name, What::Disabled, actor, now)?;
        tx.commit()?;
        self.await_gates(revision)?;
        self.store.scrub().map_err(AdministrationError::NotScrubbed)
    }

    /// Lifts every delay and lock of an account.
    pub fn unlock(&mut self, name: &UserName, actor: &str, now: Timestamp) -> Done {
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        tx.unlock_all(record.id)?;
        log(tx.as_mut(), name, What::Unlocked, actor, now)?;
        Ok(tx.commit()?)
    }

    /// Lowers floors that lie ahead of the clock to the current step. Returns how many did.
    pub fn mend_clock(
        &mut self,
        name: &UserName,
        actor: &str,
        now: Timestamp,
    ) -> Result<usize, AdministrationError> {
        let declared = load::declared(&self.config, name)?;
        let defaults = self.config.totp.parameters();
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = match tx.account(name)? {
            None if declared.is_some() => tx.add_account(name, now)?,
            None => return Err(AdministrationError::UnknownAccount(name.clone())),
            Some(record) => record,
        };
        let (_, authenticators) =
            load::authenticators(&self.vault, tx.as_mut(), name, Some(&record), declared, defaults)?;
        let mut mended = 0;
        for authenticator in authenticators {
            let current: Step = authenticator.parameters.step_at(now);
            // A floor within the window was set by this clock: lowering it would open a used code again.
            let newest = Step(current.0.saturating_add(u64::from(self.config.totp.future_steps.value())));
            if authenticator.floor.is_some_and(|floor| floor > newest) {
                tx.set_floor(&authenticator.fingerprint, current)?;
                mended += 1;
            }
        }
        log(tx.as_mut(), name, What::ClockMended, actor, now)?;
        tx.commit()?;
        Ok(mended)
    }

    /// The state of one account.
    pub fn status(&mut self, name: &UserName) -> Result<Status, AdministrationError> {
        let found = self.statuses()?.into_iter().find(|status| status.name == *name);
        found.ok_or_else(|| AdministrationError::UnknownAccount(name.clone()))
    }

    /// The state of every account, by name.
    pub fn statuses(&mut self) -> Result<Vec<Status>, AdministrationError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let mut statuses = Vec::new();
        for record in tx.accounts()? {
            let authenticators = tx.authenticators(record.id)?;
            let codes = tx.recovery_codes(record.id)?;
            statuses.push(Status {
                state: match (self.config.declared(&record.name), authenticators.first()) {
                    (Some(_), _) => State::Declared,
                    (None, Some(_)) => State::On,
                    (None, None) => State::Off,
                },
                since: authenticators.first().map(|authenticator| authenticator.created),
                last_sign_in: record.last_sign_in,
                recovery_codes: codes.iter().filter(|code| !code.used).count(),
                locks: tx.locks(record.id)?,
                name: record.name,
            });
        }
        for declared in &self.config.account {
            if !statuses.iter().any(|status| status.name == declared.name) {
                statuses.push(Status {
                    name: declared.name.clone(),
                    state: State::Declared,
                    since: None,
                    last_sign_in: None,
                    recovery_codes: 0,
                    locks: 0,
                });
            }
        }
        statuses.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(statuses)
    }

    /// Events numbered after `after`, oldest first, at most the newest `limit`.
    pub fn events(
        &mut self,
        account: Option<&UserName>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Event)>, DoorError> {
        Ok(self.store.begin(&mut self.vault, Intent::Read)?.events(account, after, limit)?)
    }

    /// Whether `enroll` would be refused, before anything is shown.
    pub fn refuse_enrolment(&mut self, name: &UserName) -> Done {
        self.refuse_declared(name)?;
        match self.enrolled(name)? {
            Enrolled::Yes => Err(AdministrationError::AlreadyEnrolled(name.clone())),
            Enrolled::No => Ok(()),
        }
    }

    fn refuse_declared(&self, name: &UserName) -> Done {
        match self.config.declared(name) {
            Some(_) => Err(AdministrationError::Declared(name.clone())),
            None => Ok(()),
        }
    }
}

/// An account; made if there is none.
pub(super) fn known_or_new(
    tx: &mut dyn Transaction,
    name: &UserName,
    actor: &str,
    now: Timestamp,
) -> Result<AccountRecord, StoreError> {
    if let Some(record) = tx.account(name)? {
        return Ok(record);
    }
    log(tx, name, What::AccountAdded, actor, now)?;
    tx.add_account(name, now)
}

pub(super) fn known(tx: &mut dyn Transaction, name: &UserName) -> Result<AccountRecord, AdministrationError> {
    tx.account(name)?.ok_or_else(|| AdministrationError::UnknownAccount(name.clone()))
}

pub(super) fn log(
    tx: &mut dyn Transaction,
    name: &UserName,
    what: What,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.log(&Event {
        at: now,
        account: name.clone(),
        what,
        door: "postern".to_owned(),
        origin: format!("local user {actor}"),
        detail: String::new(),
    })
}

/// Outcome of an act that returns nothing.
type Done = Result<(), AdministrationError>;

/// Why an act was refused.
#[derive(Debug)]
pub enum AdministrationError {
    /// No such account.
    UnknownAccount(UserName),
    /// There is one already.
    AccountExists(UserName),
    /// It has a second factor already.
    AlreadyEnrolled(UserName),
    /// It has none.
    NotEnrolled(UserName),
    /// It is declared in the configuration.
    Declared(UserName),
    /// There is no such session or trusted browser.
    NothingToRevoke(&'static str, UserName),
    /// The password.
    Password(PasswordError),
    /// Turned off, but bytes of the old secret may be left in the journal.
    NotScrubbed(StoreError),
    /// Nothing could be done.
    Door(DoorError),
}

impl<E: Into<DoorError>> From<E> for AdministrationError {
    fn from(error: E) -> AdministrationError {
        AdministrationError::Door(error.into())
    }
}

impl fmt::Display for AdministrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdministrationError::UnknownAccount(name) => {
                write!(f, "there is no account {name}; postern status lists them")
            }
            AdministrationError::AccountExists(name) => write!(f, "there is an account {name} already"),
            AdministrationError::AlreadyEnrolled(name) => write!(
                f,
                "{name} has a second factor already; postern disable {name} turns it off, then enrol anew"
            ),
            AdministrationError::NotEnrolled(name) => write!(f, "{name} has no second factor"),
            AdministrationError::Declared(name) => write!(
                f,
                "{name} is declared in postern.toml or accounts.d; change its [[account]] table or its secret_file instead"
            ),
            AdministrationError::NothingToRevoke(what, name) => write!(f, "{name} has no such {what}"),
            AdministrationError::Password(error) => error.fmt(f),
            AdministrationError::NotScrubbed(error) => write!(
                f,
                "the second factor is off, but bytes of the old secret may be left in the store's journal ({error}); run postern disable again later"
            ),
            AdministrationError::Door(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AdministrationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AdministrationError::NotScrubbed(error) => Some(error),
            AdministrationError::Door(error) => Some(error),
            _ => None,
        }
    }
}
