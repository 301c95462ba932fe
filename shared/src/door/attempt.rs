//! One attempt, in one transaction: load, decide, mark, commit. Nothing is answered before the commit.

use super::{Door, DoorError, load};
use crate::account::{Account, Enrolled};
use crate::answer::Answer;
use crate::clock::Timestamp;
use crate::config::{Config, OnUse};
use crate::decision::{Attempt, Refusal, Ruling, Spent, Verdict, decide};
use crate::event::{Event, What};
use crate::guess::{self, Failure, Row, Stage};
use crate::name::UserName;
use crate::place::{Origin, Place};
use crate::store::{AccountRecord, Intent, Missed, Owner, RowKey, StoreError, Transaction};

/// Who stands at which door.
pub struct Visitor<'a> {
    /// The account's name.
    pub name: &'a UserName,
    /// Whether the first factor is known to have passed.
    pub stage: Stage,
    /// Where from.
    pub origin: &'a Origin,
    /// The PAM service, or the name of another door.
    pub service: &'a str,
}

/// By what someone got in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// A code of an authenticator.
    Code,
    /// A recovery code.
    RecoveryCode,
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict. If it accepts, what it spends is durably marked.
    pub verdict: Verdict,
    /// Wrong codes since the last sign-in; told to whoever got in.
    pub missed: Option<Missed>,
    /// Recovery codes left, where one was used.
    pub recovery_codes_left: Option<usize>,
}

impl Door {
    /// Judges one answer.
    pub fn attempt(
        &mut self,
        visitor: &Visitor<'_>,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Outcome, DoorError> {
        let Door { config, vault, store } = self;
        let declared = load::declared(config, visitor.name)?;
        let mut transaction = store.begin(Intent::Write)?;
        let tx = transaction.as_mut();

        let record = match tx.account(visitor.name)? {
            None if declared.is_some() => Some(tx.add_account(visitor.name, now)?),
            found => found,
        };
        let defaults = config.totp.parameters();
        let (enrolled, authenticators) =
            load::authenticators(vault, tx, visitor.name, record.as_ref(), declared, defaults)?;
        let owner = match &record {
            Some(record) => Owner::Account(record.id),
            None => Owner::Stranger(vault.bucket(visitor.name)),
        };
        let place = place(tx, owner, visitor.origin, now)?;
        let key = RowKey { owner, stage: visitor.stage, place };
        let from = visitor.origin.address().map(|address| address.key());

        let mut mended = false;
        let mut failures = tx.failures(&key, Door::memory(now))?;
        let mut of_address = address_failures(tx, config, from.as_deref(), now)?;
        let ahead = |at: Timestamp| at > now;
        if failures.iter().any(|f| ahead(f.at)) || of_address.iter().any(|at| ahead(*at)) {
            // The clock ran ahead and was set back: no delay may end later than max_delay from now.
            tx.clamp(&key, from.as_deref(), now)?;
            failures.iter_mut().for_each(|f| f.at = f.at.min(now));
            of_address.iter_mut().for_each(|at| *at = (*at).min(now));
            mended = true;
        }
        let account = Account {
            enrolled,
            authenticators,
            recovery_codes: match &record {
                Some(record) => tx.recovery_codes(record.id)?,
                None => Vec::new(),
            },
            row: Row { failures, locked: tx.is_locked(&key)? },
            address_wait: address_wait(config, &of_address, now),
        };
        let number = record.as_ref().map_or(0, |record| record.id.0);
        let attempt = Attempt {
            answer,
            recovery_hash: match answer {
                Answer::Recovery(plain) => Some(vault.recovery_hash(number, plain)),
                Answer::Digits(_) | Answer::Unfit => None,
            },
            stage: visitor.stage,
        };
        let ruling = decide(&account, &attempt, &config.totp, &config.throttle, now);

        let visit = Visit { config, visitor, record: record.as_ref(), key: &key, from: from.as_deref(), now };
        let outcome = visit.apply(tx, ruling, &account)?;
        let silent = matches!(
            outcome.verdict,
            Verdict::Refused(
                Refusal::Delayed { .. } | Refusal::AddressDelayed { .. } | Refusal::Locked | Refusal::Unfit
            )
        );
        if !silent || mended {
            transaction.commit()?;
        }
        Ok(outcome)
    }

    /// Someone whose code was accepted before the first factor has passed that too: what a success brings.
    pub fn entered(
        &mut self,
        visitor: &Visitor<'_>,
        means: Means,
        now: Timestamp,
    ) -> Result<Option<Missed>, DoorError> {
        let Door { config, store, .. } = self;
        let mut transaction = store.begin(Intent::Write)?;
        let tx = transaction.as_mut();
        let Some(record) = tx.account(visitor.name)? else { return Ok(None) };
        let owner = Owner::Account(record.id);
        let key = RowKey { owner, stage: visitor.stage, place: place(tx, owner, visitor.origin, now)? };
        let from = visitor.origin.address().map(|address| address.key());
        let visit = Visit { config, visitor, record: Some(&record), key: &key, from: from.as_deref(), now };
        let missed = visit.enter(tx, &record, means)?;
        transaction.commit()?;
        Ok(missed)
    }
}

/// The place whose row counts this visitor's guesses.
fn place(
    tx: &mut dyn Transaction,
    owner: Owner,
    origin: &Origin,
    now: Timestamp,
) -> Result<Place, StoreError> {
    Ok(match (origin, owner) {
        (Origin::Local(name), _) => Place::LocalUser(name.clone()),
        (Origin::Remote(address), Owner::Account(id))
            if tx.is_familiar(id, &address.key(), Door::memory(now))? =>
        {
            Place::Familiar(*address)
        }
        _ => Place::Elsewhere,
    })
}

fn address_failures(
    tx: &mut dyn Transaction,
    config: &Config,
    from: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    match from {
        Some(from) => tx.address_failures(from, now.minus(config.throttle.address_window.seconds() - 1)),
        None => Ok(Vec::new()),
    }
}

/// Seconds until the address may try again: until the failure that fills its count leaves the window.
fn address_wait(config: &Config, newest_first: &[Timestamp], now: Timestamp) -> Option<u64> {
    let limit = config.throttle.address_limit.value() as usize;
    let filling = newest_first.get(limit - 1)?;
    Some(config.throttle.address_window.seconds().saturating_sub(now.since(*filling)).max(1))
}

/// One visit, as its effects need it.
struct Visit<'a> {
    config: &'a Config,
    visitor: &'a Visitor<'a>,
    record: Option<&'a AccountRecord>,
    key: &'a RowKey,
    from: Option<&'a str>,
    now: Timestamp,
}

impl Visit<'_> {
    /// Writes what the ruling says.
    fn apply(
        &self,
        tx: &mut dyn Transaction,
        ruling: Ruling,
        account: &Account,
    ) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome { verdict: ruling.verdict, missed: None, recovery_codes_left: None };
        match &outcome.verdict {
            Verdict::Accepted(accepted) => {
                let record = self.record.expect("only an account with a second factor is accepted");
                let means = match accepted.spent() {
                    Spent::Step(fingerprint, step) => {
                        tx.set_floor(&fingerprint, step)?;
                        Means::Code
                    }
                    Spent::RecoveryCode(hash) => {
                        tx.use_recovery_code(record.id, &hash, self.now)?;
                        let unused = account.recovery_codes.iter().filter(|code| !code.used).count();
                        outcome.recovery_codes_left = Some(unused - 1);
                        Means::RecoveryCode
                    }
                };
                self.log(tx, What::Accepted, means_text(means))?;
                if self.visitor.stage == Stage::After {
                    outcome.missed = self.enter(tx, record, means)?;
                }
            }
            Verdict::Refused(refusal) => {
                if let Some(cost) = ruling.row_cost {
                    self.charge(tx, cost, account)?;
                }
                if let (true, Some(from)) = (ruling.charges_address, self.from) {
                    let since = self.now.minus(self.config.throttle.address_window.seconds());
                    tx.add_address_failure(from, self.now, since)?;
                }
                if !matches!(
                    refusal,
                    Refusal::Delayed { .. }
                        | Refusal::AddressDelayed { .. }
                        | Refusal::Locked
                        | Refusal::Unfit
                ) {
                    self.log(tx, What::Refused, &refusal.to_string())?;
                }
            }
        }
        Ok(outcome)
    }

    fn charge(&self, tx: &mut dyn Transaction, cost: u32, account: &Account) -> Result<(), StoreError> {
        // Before the first factor nothing locks, so only a day is remembered.
        let since = match self.visitor.stage {
            Stage::Before => self.now.minus(guess::DELAY_WINDOW),
            Stage::After => Door::memory(self.now),
        };
        tx.add_failure(self.key, Failure { at: self.now, cost }, self.from, since)?;
        let locks = account.row.locks_with(cost, &self.config.throttle);
        if self.visitor.stage == Stage::After && locks {
            tx.lock(self.key, self.now)?;
            self.log(tx, What::Locked, "too many wrong codes in 30 days")?;
        }
        Ok(())
    }

    /// A success: what its own address put in the row is forgotten, the address is familiar from now on.
    fn enter(
        &self,
        tx: &mut dyn Transaction,
        record: &AccountRecord,
        means: Means,
    ) -> Result<Option<Missed>, StoreError> {
        let missed = tx.missed(record.id, record.last_sign_in.unwrap_or(Timestamp(0)))?;
        match means {
            Means::Code => tx.forgive(self.key, self.from)?,
            // A recovery code opens a lock.
            Means::RecoveryCode => tx.unlock(self.key)?,
        }
        if let Some(from) = self.from {
            tx.remember_address(record.id, from, self.now, Door::memory(self.now))?;
        }
        tx.signed_in(record.id, self.now)?;
        if means == Means::RecoveryCode && self.config.recovery.on_use == OnUse::Disable {
            tx.remove_second_factor(record.id)?;
            self.log(tx, What::Disabled, "recovery.on_use = \"disable\"")?;
        }
        Ok(missed)
    }

    fn log(&self, tx: &mut dyn Transaction, what: What, detail: &str) -> Result<(), StoreError> {
        // Names without an account leave nothing that grows.
        let Some(record) = self.record else { return Ok(()) };
        tx.log(&Event {
            at: self.now,
            account: record.name.clone(),
            what,
            door: self.visitor.service.to_owned(),
            origin: self.visitor.origin.to_string(),
            detail: detail.to_owned(),
        })
    }
}

fn means_text(means: Means) -> &'static str {
    match means {
        Means::Code => "code",
        Means::RecoveryCode => "recovery-code",
    }
}

/// The cause, as logs name it.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Wrong => f.write_str("wrong"),
            Refusal::Used { .. } => f.write_str("used"),
            Refusal::Behind { seconds } => write!(f, "behind-{seconds}s"),
            Refusal::Ahead { seconds } => write!(f, "ahead-{seconds}s"),
            Refusal::ClockSetBack { seconds } => write!(f, "clock-set-back-{seconds}s"),
            Refusal::Delayed { wait } => write!(f, "delayed-{wait}s"),
            Refusal::AddressDelayed { wait } => write!(f, "address-delayed-{wait}s"),
            Refusal::Locked => f.write_str("locked"),
            Refusal::Unfit => f.write_str("unfit"),
            Refusal::NotEnrolled => f.write_str("not-enrolled"),
        }
    }
}

/// Whether the account has a second factor, as people read it.
impl std::fmt::Display for Enrolled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Enrolled::Yes => "on",
            Enrolled::No => "off",
        })
    }
}
