//! What makes a restored store safe before it takes the place of the old one. A backup knows nothing
//! of what was used and revoked since: what may have been is ended or counts as used, and what
//! cannot be known is reported, for an administrator to renew.

use super::replaced::{BATCH, ReplacedStore};
use super::writing::event;
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{OtpParameters, Step};
use crate::crypto::vault::{SecretBinding, Vault, VaultError};
use crate::engine::accounts::account_data::{load_floor, read_declared_secret};
use crate::engine::{Backups, EngineError};
use crate::store::{Intent, OwnedAuthenticator, RestoredCredential, StoreError, Transaction};
use crate::system::clock::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Largest value of `totp.future_steps`: so many steps ahead a code may have been accepted.
const FUTURE_STEPS: u64 = 2;
/// Floor of a counter of which it is unknown how far it was used.
const EVERY_COUNTER: Step = Step(1 << 62);

/// Choices of the administrator.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestoreOptions {
    /// Revoke all app passwords.
    pub revoke_app_passwords: bool,
    /// Remove all recovery codes.
    pub revoke_recovery_codes: bool,
}

/// What an account has that a backup brings back, and that the restored store does not end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToRenew {
    /// Recovery codes: one that was used since the backup is valid again.
    pub recovery_codes: u64,
    /// App passwords: one that was revoked since the backup is valid again.
    pub app_passwords: u64,
    /// Passkeys: one that was removed since the backup is valid again.
    pub passkeys: u64,
    /// Authenticators by counter that accept no code, since it is unknown which were used.
    pub refused_counters: u64,
}

#[derive(Debug, Default)]
pub struct RestoreReport {
    pub renew: BTreeMap<UserName, ToRenew>,
    /// Accounts with a sealed secret that no key opens.
    pub damaged: BTreeSet<UserName>,
    /// Accounts that were removed since the backup, as far as the replaced store tells.
    pub removed: BTreeSet<UserName>,
    /// Why the replaced store could not be read.
    pub unreadable: Option<String>,
    /// Whether the replaced store told what was used since the backup.
    pub uses_are_known: bool,
}

impl Backups<'_> {
    /// Makes the restored store accept nothing that was valid before: sessions, trusted browsers,
    /// grace periods, sign-ins and enrollments that have begun, one-time and mailed codes end. Every
    /// time step up to now is used, and every counter that may have been.
    ///
    /// `replaced` MUST be locked before `now` is read, and until the restored store has taken its
    /// place. `created` is the time of the backup.
    pub fn end_revived(
        &mut self,
        mut replaced: Option<&mut ReplacedStore<'_>>,
        created: Timestamp,
        options: RestoreOptions,
        actor: &str,
        now: Timestamp,
    ) -> Result<RestoreReport, EngineError> {
        // a set back clock would let the codes pass that were used since
        self.refuse_clock(created, now)?;
        // before anything is done: its codes could be valid again
        for account in &self.engine.config.account {
            read_declared_secret(&self.engine.config, &account.name)?;
        }
        self.end_tokens(options)?;
        let done = self.refuse_used(replaced.as_deref_mut(), created, now);
        let unreadable = replaced.and_then(ReplacedStore::take_failure);
        let mut report = match (done, unreadable) {
            // it remains locked, but what was read of it is not all that it knew
            (Err(_), Some(why)) => RestoreReport {
                unreadable: Some(why),
                ..self.refuse_used(None, created, now)?
            },
            (done, _) => done?,
        };
        let mut transaction = self.engine.begin(Intent::Write)?;
        let cause = format!("backup of {created}");
        transaction.add_event(&event(EventKind::StoreRestored, actor, &cause, now))?;
        transaction.commit()?;
        self.count_to_renew(&mut report)?;
        self.engine.store.truncate_wal()?;
        Ok(report)
    }

    /// Refuses a time before that of the backup and of its newest event.
    fn refuse_clock(&mut self, created: Timestamp, now: Timestamp) -> Result<(), EngineError> {
        let mut transaction = self.engine.begin(Intent::Read)?;
        let newest = transaction.newest_event_time()?;
        refuse_time_before(newest.map_or(created, |newest| newest.max(created)), now)
    }

    /// Refuses what was used and revoked since the backup, as far as the replaced store tells.
    fn refuse_used(
        &mut self,
        mut replaced: Option<&mut ReplacedStore<'_>>,
        created: Timestamp,
        now: Timestamp,
    ) -> Result<RestoreReport, EngineError> {
        let mut report = RestoreReport::default();
        if let Some(old) = replaced.as_deref_mut() {
            if let Some(newest) = old.newest_event_time()? {
                refuse_time_before(newest, now)?;
            }
            report.uses_are_known = old.knows_uses_since(created, &self.engine.vault)?;
        }
        let mut uses = UsedCodes {
            replaced: replaced.as_deref_mut(),
            are_known: report.uses_are_known,
            future_steps: u64::from(self.engine.config.totp.future_steps.value()),
            now,
        };
        self.refuse_used_codes(&mut uses, &mut report)?;
        self.refuse_codes_of_declared_accounts(&mut uses, &mut report)?;
        let Some(old) = replaced else {
            return Ok(report);
        };
        old.consume_used_recovery_codes(self.engine)?;
        if old.is_of_same_store(&self.engine.vault) {
            old.copy_used_steps(self.engine)?;
        }
        if report.uses_are_known {
            old.remove_revoked(self.engine)?;
            report.removed = old.removed_accounts(self.engine)?;
        }
        Ok(report)
    }

    fn end_tokens(&mut self, options: RestoreOptions) -> Result<(), EngineError> {
        let masters = self.engine.store.masters_in_use()?;
        let (mut transaction, _, vault) = self.engine.begin_with_keys(Intent::Write)?;
        transaction.allow_long_work();
        transaction.replace_data_keys(&vault.renew_token_keys(&masters)?)?;
        transaction.end_what_a_backup_revives()?;
        if options.revoke_app_passwords {
            transaction.remove_all(RestoredCredential::AppPasswords)?;
        }
        if options.revoke_recovery_codes {
            transaction.remove_all(RestoredCredential::RecoveryCodes)?;
        }
        Ok(transaction.commit()?)
    }

    fn refuse_used_codes(
        &mut self,
        uses: &mut UsedCodes<'_, '_>,
        report: &mut RestoreReport,
    ) -> Result<(), EngineError> {
        let mut after = 0;
        loop {
            let (mut transaction, _, vault) = self.engine.begin_with_keys(Intent::Write)?;
            let batch = transaction.authenticators_after(after, BATCH)?;
            let Some(last) = batch.last() else {
                return Ok(());
            };
            after = last.number;
            for authenticator in batch {
                let parameters = authenticator.parameters;
                let secret = match unseal(vault, &authenticator) {
                    Ok(secret) => secret,
                    Err(_) => {
                        report.damaged.insert(authenticator.owner);
                        continue;
                    }
                };
                let counter = uses.refuse(&mut transaction, vault, &secret, parameters)?;
                if counter == RestoredCounter::Refused {
                    let renew = report.renew.entry(authenticator.owner).or_default();
                    renew.refused_counters += 1;
                }
            }
            transaction.commit()?;
        }
    }

    /// Does the same for the secrets that the configuration declares. The configuration may declare
    /// others later, which were never used here before.
    fn refuse_codes_of_declared_accounts(
        &mut self,
        uses: &mut UsedCodes<'_, '_>,
        report: &mut RestoreReport,
    ) -> Result<(), EngineError> {
        let accounts = &self.engine.config.account;
        let names: Vec<UserName> = accounts.iter().map(|one| one.name.clone()).collect();
        for name in names {
            let (mut transaction, config, vault) = self.engine.begin_with_keys(Intent::Write)?;
            let Some((secret, parameters)) = read_declared_secret(config, &name)? else {
                continue;
            };
            let counter = uses.refuse(&mut transaction, vault, &secret, parameters)?;
            if counter == RestoredCounter::Refused {
                report.renew.entry(name).or_default().refused_counters += 1;
            }
            transaction.commit()?;
        }
        Ok(())
    }

    fn count_to_renew(&mut self, report: &mut RestoreReport) -> Result<(), EngineError> {
        let mut transaction = self.engine.begin(Intent::Read)?;
        transaction.allow_long_work();
        for (name, count) in transaction.count_restored(RestoredCredential::RecoveryCodes)? {
            report.renew.entry(name).or_default().recovery_codes = count;
        }
        for (name, count) in transaction.count_restored(RestoredCredential::AppPasswords)? {
            report.renew.entry(name).or_default().app_passwords = count;
        }
        for (name, count) in transaction.count_restored(RestoredCredential::Passkeys)? {
            report.renew.entry(name).or_default().passkeys = count;
        }
        Ok(())
    }
}

fn refuse_time_before(newest: Timestamp, now: Timestamp) -> Result<(), EngineError> {
    match now < newest {
        true => Err(EngineError::ClockBehind { now, newest }),
        false => Ok(()),
    }
}

/// What became of an authenticator by counter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RestoredCounter {
    /// It is one by time, or its last counter is known.
    Known,
    Refused,
}

fn unseal(vault: &Vault, authenticator: &OwnedAuthenticator) -> Result<Secret, VaultError> {
    let binding = SecretBinding {
        account: authenticator.account.0,
        name: &authenticator.owner,
        parameters: authenticator.parameters,
    };
    vault.unseal(&authenticator.sealed, &binding)
}

/// What is known of the codes that were used since the backup.
struct UsedCodes<'a, 'e> {
    replaced: Option<&'a mut ReplacedStore<'e>>,
    /// Whether the replaced store knows all of them.
    are_known: bool,
    /// The value of `totp.future_steps`.
    future_steps: u64,
    now: Timestamp,
}

impl UsedCodes<'_, '_> {
    /// Refuses every code of a secret that may have been accepted before now.
    fn refuse(
        &mut self,
        transaction: &mut Transaction<'_>,
        vault: &Vault,
        secret: &Secret,
        parameters: OtpParameters,
    ) -> Result<RestoredCounter, StoreError> {
        let fingerprint = vault.fingerprint(secret, parameters);
        // an older fingerprint key may have written it
        let before = load_floor(vault, transaction, secret, parameters)?;
        let since = match &mut self.replaced {
            Some(old) => old.floor(secret, parameters)?,
            None => None,
        };
        let floor = before.max(since);
        if let Some(floor) = floor {
            transaction.raise_floor(&fingerprint, floor)?;
        }
        let Some(Step(current)) = parameters.moving.step_at(self.now) else {
            // a store that went on from the backup never has a lower floor
            let is_known = self.are_known && since >= before && floor < Some(EVERY_COUNTER);
            if is_known {
                return Ok(RestoredCounter::Known);
            }
            transaction.raise_floor(&fingerprint, EVERY_COUNTER)?;
            return Ok(RestoredCounter::Refused);
        };
        // Steps before this one lie below the floor, also if `postern unlock --clock` lowers it. A
        // floor above the window would look like a clock that was set back.
        let newest = current.saturating_add(self.future_steps);
        for step in current..=newest {
            transaction.raise_floor(&fingerprint, Step(step))?;
        }
        for step in newest..=current.saturating_add(FUTURE_STEPS) {
            transaction.refuse_step(&fingerprint, Step(step))?;
        }
        Ok(RestoredCounter::Known)
    }
}
