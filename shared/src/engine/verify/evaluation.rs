//! One visit in one transaction: the account and the row of guesses as they stand, and what a ruling writes.

use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::NewName;
use crate::account::record::{AccountId, AccountRecord};
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::{Config, OnUse};
use crate::credential::input::Input;
use crate::credential::secret::Secret;
use crate::credential::totp::OtpParameters;
use crate::crypto::vault::{MailedFor, Vault};
use crate::engine::administration::app_passwords;
use crate::engine::mail::notification;
use crate::engine::{
    AfterLogin, AfterRecovery, COMMAND, Engine, EngineError, VerificationRequest, VerifiedAttempt,
    account_data,
};
use crate::network::address::Address;
use crate::store::{BucketKey, BucketOwner, FailureId, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::verify::account::AccountCredentials;
use crate::verify::decision::{
    Attempt, Consumed, Decision, Invitation, Refusal, decide, decide_invitation,
};
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use crate::verify::throttle::{self, Bucket, BucketState, Phase, ThrottleFailure, WrongFactor};
use crate::verify::throttle_scope::ThrottleScope;

/// Keys of an account that have a bucket each. Those with wrong codes count; all further keys share one.
const KEYS: u32 = 8;

/// A visit, loaded.
pub(in crate::engine) struct Evaluation<'a> {
    pub(in crate::engine) config: &'a Config,
    vault: &'a Vault,
    visitor: &'a VerificationRequest<'a>,
    now: Timestamp,
    /// The account, if there is one.
    pub(in crate::engine) record: Option<AccountRecord>,
    /// How it stands.
    pub(in crate::engine) credentials: AccountCredentials,
    key: BucketKey,
    from: Option<String>,
    /// Under which its wrong inputs for all accounts are counted.
    count_key: Option<String>,
    /// Whether something was mended that is worth a commit of its own.
    pub(in crate::engine) clock_corrected: bool,
}

impl<'a> Evaluation<'a> {
    /// Loads the account, its row, and how its address stands.
    pub(in crate::engine) fn load(
        config: &'a Config,
        vault: &'a Vault,
        tx: &mut dyn Transaction,
        visitor: &'a VerificationRequest<'a>,
        declared: Option<(Secret, OtpParameters)>,
        now: Timestamp,
    ) -> Result<Evaluation<'a>, EngineError> {
        let record = match tx.find_account(visitor.name)? {
            None if declared.is_some() => {
                Some(tx.add_account(&NewName::accept_distinct(visitor.name), now)?)
            }
            found => found,
        };
        let authenticators =
            account_data::load_authenticators(vault, tx, visitor.name, record.as_ref(), declared)?;
        let decoy = match authenticators.is_empty() {
            true => Some(account_data::load_decoy(
                vault,
                tx,
                visitor.name,
                config.totp.otp_parameters(),
            )?),
            false => None,
        };
        let id = record.as_ref().map_or(AccountId(0), |record| record.id);
        let mail = match account_data::load_mail_address(config, tx, visitor.name, id)? {
            Some(_) => MailStatus::On,
            None => MailStatus::Off,
        };
        let enrolled = match (&decoy, mail) {
            (Some(_), MailStatus::Off) => Enrolled::No,
            _ => Enrolled::Yes,
        };
        let mailed_code = tx
            .mailed_code(id)?
            .filter(|(purpose, _)| *purpose == MailedFor::Login);
        let owner = match &record {
            Some(record) => BucketOwner::Account(record.id),
            None => BucketOwner::UnknownName(vault.shared_bucket(visitor.name)),
        };
        let key = BucketKey {
            owner,
            phase: visitor.phase,
            scope: throttle_scope(tx, id, owner, visitor, now)?,
        };
        let from = visitor.origin.address().map(|address| address.key());
        let count_key = visitor.origin.throttle_key();

        let mut mended = false;
        let mut failures = tx.bucket_failures(&key, Engine::lock_window_start(now))?;
        let mut of_address = address_failures(tx, config, count_key.as_deref(), now)?;
        let ahead = |at: Timestamp| at > now;
        if failures.iter().any(|f| ahead(f.at)) || of_address.iter().any(|at| ahead(*at)) {
            // The clock ran ahead and was set back: no delay may end later than max_delay from now.
            tx.clamp_future_failures(&key, count_key.as_deref(), now)?;
            failures.iter_mut().for_each(|f| f.at = f.at.min(now));
            of_address.iter_mut().for_each(|at| *at = (*at).min(now));
            mended = true;
        }
        let account = AccountCredentials {
            enrolled,
            authenticators,
            decoy,
            mail,
            mailed_code: mailed_code.map(|(_, kept)| kept),
            recovery_codes: tx.recovery_codes(id)?,
            one_time_code: tx.one_time_code(id)?,
            bucket: Bucket {
                failures,
                locked: tx.is_bucket_locked(&key)?,
            },
            address_wait: match key.scope.is_exempt_from_address_count() {
                true => None,
                false => address_wait(config, &of_address, now),
            },
        };
        Ok(Evaluation {
            config,
            vault,
            visitor,
            now,
            record,
            credentials: account,
            key,
            from,
            count_key,
            clock_corrected: mended,
        })
    }

    /// The same, counted in the bucket of whoever has a right recovery or one-time code. No delay of others' making holds
    /// there, and none of an address.
    pub(in crate::engine) fn in_recovery_bucket(
        mut self,
        tx: &mut dyn Transaction,
    ) -> Result<Evaluation<'a>, StoreError> {
        self.key.scope = ThrottleScope::RecoveryCode;
        let mut failures = tx.bucket_failures(&self.key, Engine::lock_window_start(self.now))?;
        failures
            .iter_mut()
            .for_each(|failure| failure.at = failure.at.min(self.now));
        self.credentials.bucket = Bucket {
            failures,
            locked: tx.is_bucket_locked(&self.key)?,
        };
        self.credentials.address_wait = None;
        Ok(self)
    }

    /// Has an answer decided, and writes what the ruling says.
    pub(in crate::engine) fn verify_input(
        &self,
        tx: &mut dyn Transaction,
        answer: &Input,
    ) -> Result<VerifiedAttempt, StoreError> {
        let ruling = self.decide_input(answer);
        self.apply_decision(tx, ruling)
    }

    /// Has an answer decided, and writes nothing. What comes of it MUST be applied: a guess that is told and not counted
    /// is one of any number.
    pub(in crate::engine) fn decide_input(&self, answer: &Input) -> Decision {
        self.decide_at(answer, self.visitor.phase)
    }

    fn decide_at(&self, answer: &Input, stage: Phase) -> Decision {
        let attempt = self.attempt(answer, stage);
        decide(
            &self.credentials,
            &attempt,
            &self.config.totp,
            &self.config.throttle,
            self.now,
        )
    }

    /// Whether an answer is a right recovery or one-time code, as which nothing is used up yet. Digits are not looked at:
    /// this counts no try, and they can be guessed.
    pub(in crate::engine) fn has_recovery_code(&self, answer: &Input) -> bool {
        match answer {
            Input::RecoveryCode(_) | Input::OneTimeCode(_) => {
                matches!(self.decide_at(answer, Phase::After).result, Ok(_))
            }
            Input::Digits(_) | Input::Malformed => false,
        }
    }

    /// Has decided whether an answer invites to a first setup; what is wrong leaves an event.
    pub(in crate::engine) fn check_invitation(
        &self,
        tx: &mut dyn Transaction,
        answer: &Input,
    ) -> Result<Result<Invitation, Refusal>, StoreError> {
        let decided = decide_invitation(
            &self.credentials,
            &self.attempt(answer, self.visitor.phase),
            self.now,
        );
        if let Err(Refusal::Wrong) = decided {
            self.charge_address(tx)?;
            self.log_event(tx, EventKind::Refused, &Refusal::Wrong.to_string())?;
        }
        Ok(decided)
    }

    fn attempt<'b>(&self, answer: &'b Input, stage: Phase) -> Attempt<'b> {
        let number = self.record.as_ref().map_or(0, |record| record.id.0);
        let recovery_hash = match answer {
            Input::RecoveryCode(plain) => Some(self.vault.recovery_hash(number, plain)),
            Input::Digits(_) | Input::OneTimeCode(_) | Input::Malformed => None,
        };
        let one_time_hash = match answer {
            Input::OneTimeCode(plain) => Some(self.vault.one_time_hash(number, plain)),
            Input::Digits(_) | Input::RecoveryCode(_) | Input::Malformed => None,
        };
        let mailed_hash = match answer {
            Input::Digits(plain) => Some(self.vault.mailed_hash(number, MailedFor::Login, plain)),
            Input::RecoveryCode(_) | Input::OneTimeCode(_) | Input::Malformed => None,
        };
        let usual_length = self.config.recovery.length.value();
        Attempt {
            input: answer,
            recovery_hash,
            one_time_hash,
            mailed_hash,
            configured_length: usual_length,
            phase: stage,
        }
    }

    /// Why no first factor is looked at now, if so.
    pub(in crate::engine) fn first_factor_refusal(&self) -> Option<Refusal> {
        match (
            self.credentials.address_wait,
            self.credentials
                .bucket
                .state(&self.config.throttle, self.now),
        ) {
            (Some(wait), _) => Some(Refusal::AddressDelayed { wait }),
            (None, BucketState::Delayed { wait }) => Some(Refusal::Delayed { wait }),
            (None, BucketState::Locked) => Some(Refusal::Locked),
            (None, BucketState::Open) => None,
        }
    }

    /// Writes what a ruling says.
    pub(in crate::engine) fn apply_decision(
        &self,
        tx: &mut dyn Transaction,
        ruling: Decision,
    ) -> Result<VerifiedAttempt, StoreError> {
        let free = ruling.is_free();
        let mut outcome = VerifiedAttempt {
            result: ruling.result,
            missed: None,
            recovery: None,
            at: None,
            is_free: free,
        };
        match &outcome.result {
            Ok(accepted) => {
                let record = self
                    .record
                    .as_ref()
                    .expect("only an account with a second factor is accepted");
                // so that no limit on writing or full disk lets wrong ones fail uncounted and right ones through
                self.write_as_if_charged(tx)?;
                match accepted.consumed() {
                    Consumed::Step(fingerprint, step) => tx.raise_floor(&fingerprint, step)?,
                    Consumed::RecoveryCode(hash) => {
                        tx.consume_recovery_code(record.id, &hash, self.now)?
                    }
                    Consumed::OneTimeCode => tx.consume_one_time_code(record.id)?,
                    Consumed::MailedCode => tx.consume_mailed_code(record.id)?,
                }
                let means = AuthenticationMethod::from(accepted.consumed());
                self.log_event(tx, EventKind::Accepted, means.name())?;
                if self.visitor.phase == Phase::After {
                    let entered = self.record_login(tx, record, means)?;
                    (outcome.missed, outcome.recovery) = (entered.missed, entered.recovery);
                }
            }
            Err(Refusal::Delayed { .. }) if self.visitor.phase == Phase::Before => {
                self.write_as_if_charged(tx)?;
                outcome.is_free = false;
            }
            Err(_) if free => {}
            Err(refusal) => {
                if let Some(cost) = ruling.bucket_cost {
                    self.charge_bucket(tx, cost, WrongFactor::Code)?;
                }
                if ruling.charges_address {
                    self.charge_address(tx)?;
                }
                // Names without an account leave no event: before the first factor, neither may the others.
                if self.visitor.phase == Phase::After {
                    self.log_event(tx, EventKind::Refused, &refusal.to_string())?;
                }
            }
        }
        Ok(outcome)
    }

    /// Adds a failure to the row, and locks it if that was one too many.
    pub(in crate::engine) fn charge_bucket(
        &self,
        tx: &mut dyn Transaction,
        cost: u32,
        wrong: WrongFactor,
    ) -> Result<FailureId, StoreError> {
        let failure = ThrottleFailure { at: self.now, cost };
        let charged = tx.add_failure(
            &self.key,
            failure,
            wrong,
            self.from.as_deref(),
            self.remembered(),
        )?;
        let locks = self
            .credentials
            .bucket
            .locks_with(cost, &self.config.throttle);
        if self.visitor.phase == Phase::After && locks {
            tx.lock_bucket(&self.key, self.now)?;
            self.log_event(tx, EventKind::Locked, "too many wrong codes in 30 days")?;
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
        let failure = ThrottleFailure {
            at: self.now,
            cost: 1,
        };
        let from = self.from.as_deref();
        let charged = tx.add_failure(
            &self.key,
            failure,
            WrongFactor::Code,
            from,
            self.remembered(),
        )?;
        let charged_address = self.charge_address(tx)?;
        tx.remove_failure(charged, charged_address)
    }

    /// Since when failures of the bucket are kept. Before the first factor nothing locks, so only a day is remembered.
    fn remembered(&self) -> Timestamp {
        match self.visitor.phase {
            Phase::Before => self.now.minus(throttle::DELAY_WINDOW),
            Phase::After => Engine::lock_window_start(self.now),
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
            Some(from) if !self.key.scope.is_exempt_from_address_count() => {
                let limit = self.config.throttle.address_limit.value();
                Ok(tx.add_address_failure(from, self.now, since, limit)?)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Forgets what this visitor's own address put in the bucket. Where there is none it forgets nothing: everyone
    /// without an address would be forgiven by everyone else's success.
    pub(in crate::engine) fn forget_own_failures(
        &self,
        tx: &mut dyn Transaction,
    ) -> Result<(), StoreError> {
        match &self.from {
            Some(from) => tx.remove_failures_from(&self.key, from),
            None => Ok(()),
        }
    }

    /// The same of the bucket of [`Visit::with_recovery_code`].
    pub(in crate::engine) fn forget_recovery_failures(
        &self,
        tx: &mut dyn Transaction,
    ) -> Result<(), StoreError> {
        match &self.from {
            Some(from) => tx.remove_failures_from(
                &BucketKey {
                    scope: ThrottleScope::RecoveryCode,
                    ..self.key.clone()
                },
                from,
            ),
            None => Ok(()),
        }
    }

    /// A success: what its own address put in the row is forgotten, the address is familiar from now on. A code begins
    /// a grace.
    pub(in crate::engine) fn record_login(
        &self,
        tx: &mut dyn Transaction,
        record: &AccountRecord,
        means: AuthenticationMethod,
    ) -> Result<AfterLogin, StoreError> {
        let missed = tx.missed_inputs(record.id, record.last_sign_in.unwrap_or(Timestamp(0)))?;
        match means {
            AuthenticationMethod::Code
            | AuthenticationMethod::MailedCode
            | AuthenticationMethod::TrustedBrowser
            | AuthenticationMethod::Password
            | AuthenticationMethod::Identity => self.forget_own_failures(tx)?,
            // These open a lock.
            AuthenticationMethod::RecoveryCode | AuthenticationMethod::OneTimeCode => {
                tx.unlock_bucket(&self.key)?
            }
        }
        if let Some(from) = &self.from {
            let door = self.visitor.service;
            tx.record_familiar_address(
                record.id,
                from,
                door,
                self.now,
                Engine::lock_window_start(self.now),
            )?;
            // One that was given before the first factor is booked in a transaction of its own, and something may have
            // ended all sessions between the two.
            if self.visitor.phase == Phase::After
                && matches!(
                    means,
                    AuthenticationMethod::Code | AuthenticationMethod::MailedCode
                )
            {
                tx.record_code_time(record.id, from, door, self.now)?;
            }
        }
        tx.record_sign_in(record.id, self.now)?;
        let recovery = match means {
            AuthenticationMethod::Code
            | AuthenticationMethod::MailedCode
            | AuthenticationMethod::OneTimeCode
            | AuthenticationMethod::TrustedBrowser
            | AuthenticationMethod::Password
            | AuthenticationMethod::Identity => None,
            AuthenticationMethod::RecoveryCode => Some(self.after_recovery(tx, record)?),
        };
        Ok(AfterLogin { missed, recovery })
    }

    /// What the use of a recovery code leaves: no session and no trusted browser, since the device may be in other
    /// hands; fewer codes, or no second factor at all.
    fn after_recovery(
        &self,
        tx: &mut dyn Transaction,
        record: &AccountRecord,
    ) -> Result<AfterRecovery, StoreError> {
        let declared = self.config.find_declared_account(&record.name).is_some();
        tx.end_sessions_and_browsers(record.id)?;
        tx.raise_revision()?;
        if self.config.recovery.on_use == OnUse::Disable && !declared {
            tx.remove_second_factor(record.id)?;
            self.log_event(tx, EventKind::Disabled, "recovery.on_use = \"disable\"")?;
            let after = app_passwords::after_change(self.config, tx, record.id, self.now)?;
            if let Some((what, cause)) = after.event() {
                self.log_event(tx, what, cause)?;
            }
            return Ok(AfterRecovery::TurnedOff(after));
        }
        let left = tx
            .recovery_codes(record.id)?
            .iter()
            .filter(|code| !code.used)
            .count();
        Ok(AfterRecovery::CodesLeft(left))
    }

    pub(in crate::engine) fn log_event(
        &self,
        tx: &mut dyn Transaction,
        what: EventKind,
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
        let event = AuditEvent {
            at: self.now,
            account: record.name.clone(),
            kind: what,
            service: self.visitor.service.to_owned(),
            origin: self.visitor.origin.to_string(),
            principal: actor.to_owned(),
            cause: cause.to_owned(),
        };
        notification::log(self.config, tx, &event)
    }
}

/// The place whose row counts this visitor's guesses.
fn throttle_scope(
    tx: &mut dyn Transaction,
    account: AccountId,
    owner: BucketOwner,
    visitor: &VerificationRequest<'_>,
    now: Timestamp,
) -> Result<ThrottleScope, StoreError> {
    Ok(match (visitor.browser, visitor.origin) {
        (Some(number), _) => ThrottleScope::TrustedBrowser(number),
        (None, Origin::Key { key, address }) => {
            let own = BucketKey {
                owner,
                phase: visitor.phase,
                scope: ThrottleScope::VerifiedKey(key.clone()),
            };
            match tx.count_other_failed_keys(&own, KEYS, Engine::lock_window_start(now))? < KEYS {
                true => own.scope,
                false => match address {
                    Some(address) if is_familiar(tx, account, *address, now)? => {
                        ThrottleScope::FamiliarAddress(*address)
                    }
                    _ => ThrottleScope::FurtherKeys,
                },
            }
        }
        (None, Origin::Local(name)) if name.starts_with('#') => ThrottleScope::NamelessUsers,
        (None, Origin::Local(name)) => ThrottleScope::LocalUser(name.clone()),
        (None, Origin::Terminal(name)) => ThrottleScope::Terminal(name.clone()),
        (None, Origin::Remote(address)) if is_familiar(tx, account, *address, now)? => {
            ThrottleScope::FamiliarAddress(*address)
        }
        (None, Origin::Claimed(address)) if is_familiar(tx, account, *address, now)? => {
            ThrottleScope::ClaimedFamiliarAddress(*address)
        }
        _ => ThrottleScope::Anywhere,
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
        Engine::lock_window_start(now),
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
