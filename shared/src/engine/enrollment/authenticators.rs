//! Authenticators and recovery codes of an account: activated, listed, removed, replaced. A change
//! of authenticators ends every session and trusted browser of the account, and returns after every
//! gate has applied it.

use super::pending::{AccountSnapshot, EnrollmentConfirmation, EnrollmentKind, PendingEnrollment};
use crate::account::event::EventKind;
use crate::account::name::{Distinct, Label, UserName};
use crate::account::record::AccountRecord;
use crate::account::second_factor::Enrolled;
use crate::config::Config;
use crate::credential::recovery_code::RecoveryCode;
use crate::crypto::vault::{SecretBinding, Vault};
use crate::engine::Enrollment;
use crate::engine::accounts::account_data;
use crate::engine::accounts::account_name::check_new_name;
use crate::engine::accounts::lookup::{
    AdministrationError, AdministrationResult, find_account, find_or_add_account, log_event,
};
use crate::engine::app_passwords::changes;
use crate::engine::app_passwords::changes::AppPasswordsAfter;
use crate::engine::login::token_validity::check_token_parent;
use crate::engine::principal::Principal;
use crate::engine::{EngineError, is_enrolled};
use crate::protocol::status::AuthenticatorState;
use crate::store::{AuthenticatorRecord, Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::verify::account::StoredRecoveryCode;

pub(in crate::engine) const MAX_AUTHENTICATORS: usize = 16;

impl Enrollment<'_> {
    /// Returns the error with which [`Engine::activate`] would fail, before a secret is shown.
    pub fn check_enrollment(&mut self, pending: &PendingEnrollment) -> AdministrationResult {
        self.engine.accounts().check_not_declared(pending.name())?;
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Read)?;
        match tx.find_account(pending.name())? {
            None if pending.kind() == EnrollmentKind::First => {
                match check_new_name(&self.engine.config, &mut tx, pending.name(), Distinct::No)? {
                    Ok(_) => Ok(()),
                    Err(other) => Err(AdministrationError::OtherSpelling(other)),
                }
            }
            None => Err(AdministrationError::UnknownAccount(pending.name().clone())),
            Some(record) => check_enrollment_kind(&tx.authenticators(record.id)?, pending),
        }
    }

    /// Activates a confirmed enrollment. One transaction stores the authenticator, the consumed
    /// time step and, unless it is an additional authenticator, the recovery codes.
    pub fn activate<'a>(
        &mut self,
        pending: &PendingEnrollment,
        confirmation: &EnrollmentConfirmation,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        let actor = actor.into();
        let name = pending.name();
        self.engine.accounts().check_not_declared(name)?;
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        let snapshot = read_account_snapshot(&mut tx, &self.engine.vault, name)?;
        let is_stale = match (pending.snapshot(), pending.parent()) {
            (Some(began_on), Some(parent)) => {
                let alive = check_token_parent(&mut tx, name, began_on.at(), parent, now)?;
                *began_on != snapshot || alive.is_none()
            }
            (Some(began_on), None) => *began_on != snapshot,
            (None, _) => false,
        };
        let record = match pending.kind() {
            EnrollmentKind::First => {
                find_or_add_account(&self.engine.config, &mut tx, name, actor, now)?
            }
            EnrollmentKind::Replacement | EnrollmentKind::Further => find_account(&mut tx, name)?,
        };
        actor.refuse_ended_session(&mut tx, now)?;
        check_enrollment_kind(&tx.authenticators(record.id)?, pending)?;
        if is_stale {
            return Err(AdministrationError::Stale);
        }
        if let Some(invitation) = pending.invitation() {
            match tx.one_time_code(record.id)? {
                Some(stored) if !stored.used && stored.hash == invitation.hash() => {
                    tx.consume_one_time_code(record.id)?;
                }
                _ => return Err(AdministrationError::Stale),
            }
        }
        // The same secret may have been stored before. Its floor is kept after its removal.
        let parameters = pending.parameters();
        let fingerprint = self.engine.vault.fingerprint(pending.secret(), parameters);
        let floor =
            account_data::load_floor(&self.engine.vault, &mut tx, pending.secret(), parameters)?;
        if confirmation.step().is_some_and(|step| floor >= Some(step)) {
            return Err(AdministrationError::CodeUsed);
        }
        if let Some(step) = confirmation.step().or(pending.before_first()).max(floor) {
            tx.raise_floor(&fingerprint, step)?;
        }
        let sealed = self.engine.vault.seal(
            pending.secret(),
            &SecretBinding {
                account: record.id.0,
                name,
                parameters,
            },
        )?;
        if pending.kind() == EnrollmentKind::Replacement {
            // The address for mailed codes is kept.
            for old in tx.authenticators(record.id)? {
                tx.remove_authenticator(old.number)?;
            }
        }
        let label = pending.label().clone();
        let authenticator = AuthenticatorRecord {
            number: 0,
            name: label,
            parameters,
            sealed,
            created: now,
        };
        tx.add_authenticator(record.id, &authenticator)?;
        let what = match pending.kind() {
            EnrollmentKind::Further => EventKind::AuthenticatorAdded,
            EnrollmentKind::First | EnrollmentKind::Replacement => {
                let hashes = StoredRecoveryCode::hash_all(
                    pending.recovery_codes(),
                    record.id.0,
                    &self.engine.vault,
                );
                tx.replace_recovery_codes(record.id, &hashes)?;
                EventKind::Enrolled
            }
        };
        let revision = end_all(&self.engine.config, &mut tx, &record, what, actor, now)?;
        let after = match pending.kind() {
            EnrollmentKind::Further => AppPasswordsAfter::None,
            EnrollmentKind::First | EnrollmentKind::Replacement => {
                let account = (name, record.id);
                changes::apply_on_change_and_log(&self.engine.config, &mut tx, account, actor, now)?
            }
        };
        tx.commit()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        if pending.kind() == EnrollmentKind::Replacement {
            self.engine
                .store
                .scrub()
                .map_err(AdministrationError::NotScrubbed)?;
        }
        Ok(after)
    }

    /// Returns the account's current snapshot, made with the current data keys.
    pub(in crate::engine) fn snapshot_account(
        &mut self,
        name: &UserName,
    ) -> Result<AccountSnapshot, EngineError> {
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Read)?;
        Ok(read_account_snapshot(&mut tx, &self.engine.vault, name)?)
    }

    /// Returns the authenticators of an account, oldest first.
    pub fn list_authenticators(
        &mut self,
        name: &UserName,
    ) -> Result<Vec<AuthenticatorState>, AdministrationError> {
        let declared = account_data::read_declared_secret(&self.engine.config, name)?;
        let is_declared = declared.is_some();
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Read)?;
        let record = match tx.find_account(name)? {
            None if !is_declared => return Err(AdministrationError::UnknownAccount(name.clone())),
            found => found,
        };
        let opened = account_data::load_authenticators(
            &self.engine.vault,
            &mut tx,
            name,
            record.as_ref(),
            declared,
        )?;
        let stored = match record {
            Some(record) if !is_declared => tx.authenticators(record.id)?,
            _ => Vec::new(),
        };
        let states = opened
            .into_iter()
            .enumerate()
            .map(|(number, opened)| AuthenticatorState {
                label: stored.get(number).map(|stored| stored.name.clone()),
                parameters: opened.parameters,
                created: stored.get(number).map(|stored| stored.created),
                last_used: opened
                    .floor
                    .and_then(|floor| opened.parameters.moving.begin_of_step(floor)),
            });
        Ok(states.collect())
    }

    /// Removes one authenticator. The last one can be removed only if codes are mailed to the
    /// account. When this returns, the secret is erased from the store's files.
    pub fn remove_authenticator<'a>(
        &mut self,
        name: &UserName,
        label: &Label,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let actor = actor.into();
        self.engine.accounts().check_not_declared(name)?;
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        let record = find_account(&mut tx, name)?;
        actor.refuse_ended_session(&mut tx, now)?;
        let all = tx.authenticators(record.id)?;
        let Some(found) = all.iter().find(|stored| stored.name == *label) else {
            return Err(AdministrationError::UnknownAuthenticator(
                name.clone(),
                label.clone(),
            ));
        };
        let by_mail = self.engine.config.email.is_enabled()
            && tx.mail_addresses(record.id)?.confirmed.is_some();
        if all.len() == 1 && !by_mail {
            return Err(AdministrationError::LastAuthenticator(name.clone()));
        }
        tx.remove_authenticator(found.number)?;
        let revision = end_all(
            &self.engine.config,
            &mut tx,
            &record,
            EventKind::AuthenticatorRemoved,
            actor,
            now,
        )?;
        tx.commit()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        self.engine
            .store
            .scrub()
            .map_err(AdministrationError::NotScrubbed)
    }

    /// Returns an error if the account may not have recovery codes, before any are shown.
    pub fn refuse_recovery_codes(&mut self, name: &UserName) -> AdministrationResult {
        match self.engine.load_policy_facts(name)?.enrolled {
            Enrolled::Yes => Ok(()),
            Enrolled::No => Err(AdministrationError::NotEnrolled(name.clone())),
        }
    }

    /// Replaces the recovery codes. The earlier ones are no longer valid.
    pub fn replace_recovery_codes<'a>(
        &mut self,
        name: &UserName,
        codes: &[RecoveryCode],
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let snapshot = self.snapshot_account(name)?;
        self.replace_recovery_codes_if_unchanged(&snapshot, name, codes, actor, now)
    }

    /// Replaces the recovery codes if the account has not changed since `began_on`.
    pub(in crate::engine) fn replace_recovery_codes_if_unchanged<'a>(
        &mut self,
        began_on: &AccountSnapshot,
        name: &UserName,
        codes: &[RecoveryCode],
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let actor = actor.into();
        let is_declared = self.engine.config.find_declared_account(name).is_some();
        let mut tx = self
            .engine
            .store
            .begin(&mut self.engine.vault, Intent::Write)?;
        if read_account_snapshot(&mut tx, &self.engine.vault, name)? != *began_on {
            return Err(AdministrationError::Stale);
        }
        let record = match is_declared {
            true => find_or_add_account(&self.engine.config, &mut tx, name, actor, now)?,
            false => find_account(&mut tx, name)?,
        };
        actor.refuse_ended_session(&mut tx, now)?;
        if !is_declared && !is_enrolled(&mut tx, record.id)? {
            return Err(AdministrationError::NotEnrolled(name.clone()));
        }
        tx.replace_recovery_codes(
            record.id,
            &StoredRecoveryCode::hash_all(codes, record.id.0, &self.engine.vault),
        )?;
        log_event(
            &self.engine.config,
            &mut tx,
            name,
            EventKind::RecoveryCodesReplaced,
            actor,
            now,
        )?;
        Ok(tx.commit()?)
    }
}

/// Returns the account's current snapshot. Recovery codes are random, so the least hash identifies
/// the set.
pub(in crate::engine) fn read_account_snapshot(
    tx: &mut Transaction<'_>,
    vault: &Vault,
    name: &UserName,
) -> Result<AccountSnapshot, StoreError> {
    let keys = vault.token_keys().fingerprint();
    let Some(record) = tx.find_account(name)? else {
        return Ok(AccountSnapshot {
            account: None,
            recovery: None,
            keys,
        });
    };
    let recovery = tx
        .recovery_codes(record.id)?
        .into_iter()
        .map(|stored| stored.hash.0)
        .min();
    Ok(AccountSnapshot {
        account: Some((record.id, record.generation)),
        recovery,
        keys,
    })
}

fn check_enrollment_kind(
    live: &[AuthenticatorRecord],
    pending: &PendingEnrollment,
) -> AdministrationResult {
    let name = || pending.name().clone();
    match (live, pending.kind()) {
        ([], EnrollmentKind::First) => Ok(()),
        ([], _) => Err(AdministrationError::NotEnrolled(name())),
        (_, EnrollmentKind::First) => Err(AdministrationError::AlreadyEnrolled(name())),
        (_, EnrollmentKind::Replacement) => Ok(()),
        (many, EnrollmentKind::Further) if many.len() >= MAX_AUTHENTICATORS => {
            Err(AdministrationError::TooMany(name(), MAX_AUTHENTICATORS))
        }
        (live, EnrollmentKind::Further)
            if live.iter().any(|stored| stored.name == *pending.label()) =>
        {
            Err(AdministrationError::LabelTaken(
                name(),
                pending.label().clone(),
            ))
        }
        (_, EnrollmentKind::Further) => Ok(()),
    }
}

/// Ends every session and trusted browser of an account and logs the event. Returns the revision
/// that gates must apply.
fn end_all<'a>(
    config: &Config,
    tx: &mut Transaction<'_>,
    record: &AccountRecord,
    what: EventKind,
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    tx.end_sessions_and_browsers(record.id)?;
    log_event(config, tx, &record.name, what, actor, now)?;
    tx.raise_revision()
}
