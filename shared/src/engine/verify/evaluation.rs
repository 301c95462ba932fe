//! One visit in one transaction: the account and the row of guesses as they stand, and what a ruling writes.

use crate::account::event::{Event, What};
use crate::account::name::NewName;
use crate::account::record::{AccountId, AccountRecord};
use crate::account::second_factor::{Enrolled, Mail};
use crate::config::{Config, OnUse};
use crate::credential::input::Answer;
use crate::credential::secret::Secret;
use crate::credential::totp::Parameters;
use crate::crypto::vault::{MailedFor, Vault};
use crate::engine::administration::app_passwords;
use crate::engine::mail::notification;
use crate::engine::{COMMAND, Door, DoorError, Entered, Outcome, Recovered, Visitor, account_data};
use crate::network::address::Address;
use crate::store::{FailureId, Owner, RowKey, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::verify::account::Account;
use crate::verify::decision::{
    Attempt, Invitation, Refusal, Ruling, Spent, Verdict, decide, decide_invitation,
};
use crate::verify::method::Means;
use crate::verify::origin::Origin;
use crate::verify::throttle::{self, Failure, Row, Stage, Standing, Wrong};
use crate::verify::throttle_scope::Place;

/// Keys of an account that have a bucket each. Those with wrong codes count; all further keys share one.
const KEYS: u32 = 8;

/// A visit, loaded.
pub(in crate::engine) struct Visit<'a> {
    pub(in crate::engine) config: &'a Config,
    vault: &'a Vault,
    visitor: &'a Visitor<'a>,
    now: Timestamp,
    /// The account, if there is one.
    pub(in crate::engine) record: Option<AccountRecord>,
    /// How it stands.
    pub(in crate::engine) account: Account,
    key: RowKey,
    from: Option<String>,
    /// Under which its wrong inputs for all accounts are counted.
    count_key: Option<String>,
    /// Whether something was mended that is worth a commit of its own.
    pub(in crate::engine) mended: bool,
}

impl<'a> Visit<'a> {
    /// Loads the account, its row, and how its address stands.
    pub(in crate::engine) fn load(
        config: &'a Config,
        vault: &'a Vault,
        tx: &mut dyn Transaction,
        visitor: &'a Visitor<'a>,
        declared: Option<(Secret, Parameters)>,
        now: Timestamp,
    ) -> Result<Visit<'a>, DoorError> {
        let record = match tx.account(visitor.name)? {
            None if declared.is_some() => {
                Some(tx.add_account(&NewName::by_root(visitor.name), now)?)
            }
            found => found,
        };
        let authenticators =
            account_data::authenticators(vault, tx, visitor.name, record.as_ref(), declared)?;
        let decoy = match authenticators.is_empty() {
            true => Some(account_data::decoy(
                vault,
                tx,
                visitor.name,
                config.totp.parameters(),
            )?),
            false => None,
        };
        let id = record.as_ref().map_or(AccountId(0), |record| record.id);
        let mail = match account_data::mail_address(config, tx, visitor.name, id)? {
            Some(_) => Mail::On,
            None => Mail::Off,
        };
        let enrolled = match (&decoy, mail) {
            (Some(_), Mail::Off) => Enrolled::No,
            _ => Enrolled::Yes,
        };
        let mailed_code = tx
            .mailed_code(id)?
            .filter(|(purpose, _)| *purpose == MailedFor::SignIn);
        let owner = match &record {
            Some(record) => Owner::Account(record.id),
            None => Owner::Stranger(vault.bucket(visitor.name)),
        };
        let key = RowKey {
            owner,
            stage: visitor.stage,
            place: place(tx, id, owner, visitor, now)?,
        };
        let from = visitor.origin.address().map(|address| address.key());
        let count_key = visitor.origin.count_key();

        let mut mended = false;
        let mut failures = tx.failures(&key, Door::memory(now))?;
        let mut of_address = address_failures(tx, config, count_key.as_deref(), now)?;
        let ahead = |at: Timestamp| at > now;
        if failures.iter().any(|f| ahead(f.at)) || of_address.iter().any(|at| ahead(*at)) {
            // The clock ran ahead and was set back: no delay may end later than max_delay from now.
            tx.clamp(&key, count_key.as_deref(), now)?;
            failures.iter_mut().for_each(|f| f.at = f.at.min(now));
            of_address.iter_mut().for_each(|at| *at = (*at).min(now));
            mended = true;
        }
        let account = Account {
            enrolled,
            authenticators,
            decoy,
            mail,
            mailed_code: mailed_code.map(|(_, kept)| kept),
            recovery_codes: tx.recovery_codes(id)?,
            one_time_code: tx.one_time_code(id)?,
            row: Row {
                failures,
                locked: tx.is_locked(&key)?,
            },
            address_wait: match key.place.is_exempt_from_address_count() {
                true => None,
                false => address_wait(config, &of_address, now),
            },
        };
        Ok(Visit {
            config,
            vault,
            visitor,
            now,
            record,
            account,
            key,
            from,
            count_key,
            mended,
        })
    }

    /// The same, counted in the bucket of whoever has a right recovery or one-time code. No delay of others' making holds
    /// there, and none of an address.
    pub(in crate::engine) fn with_recovery_code(
        mut self,
        tx: &mut dyn Transaction,
    ) -> Result<Visit<'a>, StoreError> {
        self.key.place = Place::RecoveryCode;
        let mut failures = tx.failures(&self.key, Door::memory(self.now))?;
        failures
            .iter_mut()
            .for_each(|failure| failure.at = failure.at.min(self.now));
        self.account.row = Row {
            failures,
            locked: tx.is_locked(&self.key)?,
        };
        self.account.address_wait = None;
        Ok(self)
    }

    /// Has an answer decided, and writes what the ruling says.
    pub(in crate::engine) fn judge(
        &self,
        tx: &mut dyn Transaction,
        answer: &Answer,
    ) -> Result<Outcome, StoreError> {
        let ruling = self.decide(answer);
        self.apply(tx, ruling)
    }

    /// Has an answer decided, and writes nothing. What comes of it MUST be applied: a guess that is told and not counted
    /// is one of any number.
    pub(in crate::engine) fn decide(&self, answer: &Answer) -> Ruling {
        self.decide_at(answer, self.visitor.stage)
    }

    fn decide_at(&self, answer: &Answer, stage: Stage) -> Ruling {
        let attempt = self.attempt(answer, stage);
        decide(
            &self.account,
            &attempt,
            &self.config.totp,
            &self.config.throttle,
            self.now,
        )
    }

    /// Whether an answer is a right recovery or one-time code, as which nothing is used up yet. Digits are not looked at:
    /// this counts no try, and they can be guessed.
    pub(in crate::engine) fn has_recovery_code(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Recovery(_) | Answer::OneTime(_) => {
                matches!(
                    self.decide_at(answer, Stage::After).verdict,
                    Verdict::Accepted(_)
                )
            }
            Answer::Digits(_) | Answer::Unfit => false,
        }
    }

    /// Has decided whether an answer invites to a first setup; what is wrong leaves an event.
    pub(in crate::engine) fn invite(
        &self,
        tx: &mut dyn Transaction,
        answer: &Answer,
    ) -> Result<Result<Invitation, Refusal>, StoreError> {
        let decided = decide_invitation(
            &self.account,
            &self.attempt(answer, self.visitor.stage),
            self.now,
        );
        if let Err(Refusal::Wrong) = decided {
            self.charge_address(tx)?;
            self.log(tx, What::Refused, &Refusal::Wrong.to_string())?;
        }
        Ok(decided)
    }

    fn attempt<'b>(&self, answer: &'b Answer, stage: Stage) -> Attempt<'b> {
        let number = self.record.as_ref().map_or(0, |record| record.id.0);
        let recovery_hash = match answer {
            Answer::Recovery(plain) => Some(self.vault.recovery_hash(number, plain)),
            Answer::Digits(_) | Answer::OneTime(_) | Answer::Unfit => None,
        };
        let one_time_hash = match answer {
            Answer::OneTime(plain) => Some(self.vault.one_time_hash(number, plain)),
            Answer::Digits(_) | Answer::Recovery(_) | Answer::Unfit => None,
        };
        let mailed_hash = match answer {
            Answer::Digits(plain) => Some(self.vault.mailed_hash(number, MailedFor::SignIn, plain)),
            Answer::Recovery(_) | Answer::OneTime(_) | Answer::Unfit => None,
        };
        let usual_length = self.config.recovery.length.value();
        Attempt {
            answer,
            recovery_hash,
            one_time_hash,
            mailed_hash,
            usual_length,
            stage,
        }
    }

    /// Why no first factor is looked at now, if so.
    pub(in crate::engine) fn standing(&self) -> Option<Refusal> {
        match (
            self.account.address_wait,
            self.account.row.standing(&self.config.throttle, self.now),
        ) {
            (Some(wait), _) => Some(Refusal::AddressDelayed { wait }),
            (None, Standing::Delayed { wait }) => Some(Refusal::Delayed { wait }),
            (None, Standing::Locked) => Some(Refusal::Locked),
            (None, Standing::Open) => None,
        }
    }

    /// Writes what a ruling says.
    pub(in crate::engine) fn apply(
        &self,
        tx: &mut dyn Transaction,
        ruling: Ruling,
    ) -> Result<Outcome, StoreError> {
        let free = ruling.is_free();
        let mut outcome = Outcome {
            verdict: ruling.verdict,
            missed: None,
            recovery: None,
            at: None,
            is_free: free,
        };
        match &outcome.verdict {
            Verdict::Accepted(accepted) => {
                let record = self
                    .record
                    .as_ref()
                    .expect("only an account with a second factor is accepted");
                // so that no limit on writing or full disk lets wrong ones fail uncounted and right ones through
                self.write_as_if_charged(tx)?;
                match accepted.spent() {
                    Spent::Step(fingerprint, step) => tx.raise_floor(&fingerprint, step)?,
                    Spent::RecoveryCode(hash) => {
                        tx.use_recovery_code(record.id, &hash, self.now)?
                    }
                    Spent::OneTimeCode => tx.use_one_time_code(record.id)?,
                    Spent::MailedCode => tx.use_mailed_code(record.id)?,
                }
                let means = Means::from(accepted.spent());
                self.log(tx, What::Accepted, means.name())?;
                if self.visitor.stage == Stage::After {
                    let entered = self.enter(tx, record, means)?;
                    (outcome.missed, outcome.recovery) = (entered.missed, entered.recovery);
                }
            }
            Verdict::Refused(Refusal::Delayed { .. }) if self.visitor.stage == Stage::Before => {
                self.write_as_if_charged(tx)?;
                outcome.is_free = false;
            }
            Verdict::Refused(_) if free => {}
            Verdict::Refused(refusal) => {
                if let Some(cost) = ruling.row_cost {
                    self.charge(tx, cost, Wrong::Code)?;
                }
                if ruling.charges_address {
                    self.charge_address(tx)?;
                }
                // Names without an account leave no event: before the first factor, neither may the others.
                if self.visitor.stage == Stage::After {
                    self.log(tx, What::Refused, &refusal.to_string())?;
                }
            }
        }
        Ok(outcome)
    }

    /// Adds a failure to the row, and locks it if that was one too many.
    pub(in crate::engine) fn charge(
        &self,
        tx: &mut dyn Transaction,
        cost: u32,
        wrong: Wrong,
    ) -> Result<FailureId, StoreError> {
        let failure = Failure { at: self.now, cost };
        let charged = tx.add_failure(
            &self.key,
            failure,
            wrong,
            self.from.as_deref(),
            self.remembered(),
        )?;
        let locks = self.account.row.locks_with(cost, &self.config.throttle);
        if self.visitor.stage == Stage::After && locks {
            tx.lock(&self.key, self.now)?;
            self.log(tx, What::Locked, "too many wrong codes in 30 days")?;
        }
        Ok(charged)
    }

    /// Writes what a wrong answer writes, and takes it back. Before the first factor, a refusal that comes from the delay
    /// of the bucket does this too: names without an account share their buckets, and the time of a commit would tell
    /// that of an account, whose bucket is not delayed, from theirs.
    pub(in crate::engine) fn write_as_if_charged(
        &self,
        tx: &mut dyn Transaction,
    ) -> Result<(), StoreError> {
        let failure = Failure {
            at: self.now,
            cost: 1,
        };
        let from = self.from.as_deref();
        let charged = tx.add_failure(&self.key, failure, Wrong::Code, from, self.remembered())?;
        let charged_address = self.charge_address(tx)?;
        tx.take_back(charged, charged_address)
    }

    /// Since when failures of the bucket are kept. Before the first factor nothing locks, so only a day is remembered.
    fn remembered(&self) -> Timestamp {
        match self.visitor.stage {
            Stage::Before => self.now.minus(throttle::DELAY_WINDOW),
            Stage::After => Door::memory(self.now),
        }
    }

    /// Adds a failure to the address, if there is one.
    pub(in crate::engine) fn charge_address(
        &self,
        tx: &mut dyn Transaction,
    ) -> Result<Option<FailureId>, StoreError> {
        let since = self
            .now
            .minus(self.config.throttle.address_window.seconds());
        match &self.count_key {
            Some(from) if !self.key.place.is_exempt_from_address_count() => {
                let limit = self.config.throttle.address_limit.value();
                Ok(tx.add_address_failure(from, self.now, since, limit)?)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Forgets what this visitor's own address put in the bucket. Where there is none it forgets nothing: everyone
    /// without an address would be forgiven by everyone else's success.
    pub(in crate::engine) fn forgive(&self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        match &self.from {
            Some(from) => tx.forgive(&self.key, from),
            None => Ok(()),
        }
    }

    /// The same of the bucket of [`Visit::with_recovery_code`].
    pub(in crate::engine) fn forgive_with_recovery_code(
        &self,
        tx: &mut dyn Transaction,
    ) -> Result<(), StoreError> {
        match &self.from {
            Some(from) => tx.forgive(
                &RowKey {
                    place: Place::RecoveryCode,
                    ..self.key.clone()
                },
                from,
            ),
            None => Ok(()),
        }
    }

    /// A success: what its own address put in the row is forgotten, the address is familiar from now on. A code begins
    /// a grace.
    pub(in crate::engine) fn enter(
        &self,
        tx: &mut dyn Transaction,
        record: &AccountRecord,
        means: Means,
    ) -> Result<Entered, StoreError> {
        let missed = tx.missed(record.id, record.last_sign_in.unwrap_or(Timestamp(0)))?;
        match means {
            Means::Code
            | Means::MailedCode
            | Means::TrustedBrowser
            | Means::Password
            | Means::Identity => self.forgive(tx)?,
            // These open a lock.
            Means::RecoveryCode | Means::OneTimeCode => tx.unlock(&self.key)?,
        }
        if let Some(from) = &self.from {
            let door = self.visitor.service;
            tx.remember_address(record.id, from, door, self.now, Door::memory(self.now))?;
            // One that was given before the first factor is booked in a transaction of its own, and something may have
            // ended all sessions between the two.
            if self.visitor.stage == Stage::After
                && matches!(means, Means::Code | Means::MailedCode)
            {
                tx.remember_code(record.id, from, door, self.now)?;
            }
        }
        tx.signed_in(record.id, self.now)?;
        let recovery = match means {
            Means::Code
            | Means::MailedCode
            | Means::OneTimeCode
            | Means::TrustedBrowser
            | Means::Password
            | Means::Identity => None,
            Means::RecoveryCode => Some(self.after_recovery(tx, record)?),
        };
        Ok(Entered { missed, recovery })
    }

    /// What the use of a recovery code leaves: no session and no trusted browser, since the device may be in other
    /// hands; fewer codes, or no second factor at all.
    fn after_recovery(
        &self,
        tx: &mut dyn Transaction,
        record: &AccountRecord,
    ) -> Result<Recovered, StoreError> {
        let declared = self.config.declared(&record.name).is_some();
        tx.end_all(record.id)?;
        tx.revise()?;
        if self.config.recovery.on_use == OnUse::Disable && !declared {
            tx.remove_second_factor(record.id)?;
            self.log(tx, What::Disabled, "recovery.on_use = \"disable\"")?;
            let after = app_passwords::after_change(self.config, tx, record.id, self.now)?;
            if let Some((what, cause)) = after.event() {
                self.log(tx, what, cause)?;
            }
            return Ok(Recovered::TurnedOff(after));
        }
        let left = tx
            .recovery_codes(record.id)?
            .iter()
            .filter(|code| !code.used)
            .count();
        Ok(Recovered::CodesLeft(left))
    }

    pub(in crate::engine) fn log(
        &self,
        tx: &mut dyn Transaction,
        what: What,
        cause: &str,
    ) -> Result<(), StoreError> {
        // Names without an account leave nothing that grows.
        let Some(record) = &self.record else {
            return Ok(());
        };
        let actor = match self.visitor.origin {
            Origin::Local(name) if self.visitor.service == COMMAND => name.as_str(),
            _ => record.name.as_str(),
        };
        let event = Event {
            at: self.now,
            account: record.name.clone(),
            what,
            door: self.visitor.service.to_owned(),
            origin: self.visitor.origin.to_string(),
            actor: actor.to_owned(),
            cause: cause.to_owned(),
        };
        notification::log(self.config, tx, &event)
    }
}

/// The place whose row counts this visitor's guesses.
fn place(
    tx: &mut dyn Transaction,
    account: AccountId,
    owner: Owner,
    visitor: &Visitor<'_>,
    now: Timestamp,
) -> Result<Place, StoreError> {
    Ok(match (visitor.browser, visitor.origin) {
        (Some(number), _) => Place::TrustedBrowser(number),
        (None, Origin::Key { key, address }) => {
            let own = RowKey {
                owner,
                stage: visitor.stage,
                place: Place::VerifiedKey(key.clone()),
            };
            match tx.other_keys(&own, KEYS, Door::memory(now))? < KEYS {
                true => own.place,
                false => match address {
                    Some(address) if is_familiar(tx, account, *address, now)? => {
                        Place::Familiar(*address)
                    }
                    _ => Place::FurtherKeys,
                },
            }
        }
        (None, Origin::Local(name)) if name.starts_with('#') => Place::NamelessUsers,
        (None, Origin::Local(name)) => Place::LocalUser(name.clone()),
        (None, Origin::Terminal(name)) => Place::Terminal(name.clone()),
        (None, Origin::Remote(address)) if is_familiar(tx, account, *address, now)? => {
            Place::Familiar(*address)
        }
        (None, Origin::Claimed(address)) if is_familiar(tx, account, *address, now)? => {
            Place::ClaimedFamiliar(*address)
        }
        _ => Place::Elsewhere,
    })
}

fn is_familiar(
    tx: &mut dyn Transaction,
    account: AccountId,
    address: Address,
    now: Timestamp,
) -> Result<bool, StoreError> {
    tx.is_familiar(
        account,
        &address.key(),
        Door::memory(now),
        now.plus(throttle::CLOCK_SLACK),
    )
}

/// When an address failed within its window, newest first.
pub(in crate::engine) fn address_failures(
    tx: &mut dyn Transaction,
    config: &Config,
    from: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    match from {
        Some(from) => tx.address_failures(
            from,
            now.minus(config.throttle.address_window.seconds() - 1),
        ),
        None => Ok(Vec::new()),
    }
}

/// Seconds until the address may try again: until the failure that fills its count leaves the window.
pub(in crate::engine) fn address_wait(
    config: &Config,
    newest_first: &[Timestamp],
    now: Timestamp,
) -> Option<u64> {
    let limit = config.throttle.address_limit.value() as usize;
    let filling = newest_first.get(limit - 1)?;
    Some(
        config
            .throttle
            .address_window
            .seconds()
            .saturating_sub(now.since(*filling))
            .max(1),
    )
}
