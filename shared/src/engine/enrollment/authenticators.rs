//! Authenticators and recovery codes of an account: activated, listed, removed, replaced. A change
//! of authenticators ends every session and trusted browser of the account, and returns after every
//! gate has applied it.

use super::pending::{AccountSnapshot, EnrollmentConfirmation, EnrollmentKind, PendingEnrollment};
use crate::account::event::EventKind;
use crate::account::name::{Distinct, Label, UserName};
use crate::account::second_factor::Enrolled;
use crate::credential::recovery_code::RecoveryCode;
use crate::crypto::vault::{SecretBinding, Vault};
use crate::engine::Enrollment;
use crate::engine::accounts::account_data;
use crate::engine::accounts::account_name::check_new_name;
use crate::engine::accounts::error::AdministrationError;
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
    pub fn check_enrollment(
        &mut self,
        pending: &PendingEnrollment,
    ) -> Result<(), AdministrationError> {
        self.engine.check_not_declared(pending.name())?;
        let (mut tx, config, _) = self.engine.begin_with_keys(Intent::Read)?;
        match tx.find_account(pending.name())? {
            None if pending.kind() == EnrollmentKind::First => {
                match check_new_name(config, &mut tx, pending.name(), Distinct::No)? {
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
        let name = pending.name();
        self.engine.check_not_declared(name)?;
        let mut change = self.engine.begin_change(actor, now)?;
        let snapshot = read_account_snapshot(&mut change.tx, change.vault, name)?;
        let is_stale = match (pending.snapshot(), pending.parent()) {
            (Some(began_on), Some(parent)) => {
                let alive = check_token_parent(&mut change.tx, name, began_on.at(), parent, now)?;
                *began_on != snapshot || alive.is_none()
            }
            (Some(began_on), None) => *began_on != snapshot,
            (None, _) => false,
        };
        let record = match pending.kind() {
            EnrollmentKind::First => change.find_or_add_account(name)?,
            EnrollmentKind::Replacement | EnrollmentKind::Further => change.find_account(name)?,
        };
        check_enrollment_kind(&change.tx.authenticators(record.id)?, pending)?;
        if is_stale {
            return Err(AdministrationError::Stale);
        }
        if let Some(invitation) = pending.invitation() {
            match change.tx.one_time_code(record.id)? {
                Some(stored) if !stored.used && stored.hash == invitation.hash() => {
                    change.tx.consume_one_time_code(record.id)?;
                }
                _ => return Err(AdministrationError::Stale),
            }
        }
        // The same secret may have been stored before. Its floor is kept after its removal.
        let parameters = pending.parameters();
        let fingerprint = change.vault.fingerprint(pending.secret(), parameters);
        let floor =
            account_data::load_floor(change.vault, &mut change.tx, pending.secret(), parameters)?;
        if confirmation.step().is_some_and(|step| floor >= Some(step)) {
            return Err(AdministrationError::CodeUsed);
        }
        if let Some(step) = confirmation.step().or(pending.before_first()).max(floor) {
            change.tx.raise_floor(&fingerprint, step)?;
        }
        let sealed = change.vault.seal(
            pending.secret(),
            &SecretBinding {
                account: record.id.0,
                name,
                parameters,
            },
        )?;
        if pending.kind() == EnrollmentKind::Replacement {
            // The address for mailed codes is kept.
            for old in change.tx.authenticators(record.id)? {
                change.tx.remove_authenticator(old.number)?;
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
        change.tx.add_authenticator(record.id, &authenticator)?;
        let what = match pending.kind() {
            EnrollmentKind::Further => EventKind::AuthenticatorAdded,
            EnrollmentKind::First | EnrollmentKind::Replacement => {
                let hashes = StoredRecoveryCode::hash_all(
                    pending.recovery_codes(),
                    record.id.0,
                    change.vault,
                );
                change.tx.replace_recovery_codes(record.id, &hashes)?;
                EventKind::Enrolled
            }
        };
        change.tx.end_sessions_and_browsers(record.id)?;
        change.log_event(name, what)?;
        let after = match pending.kind() {
            EnrollmentKind::Further => AppPasswordsAfter::None,
            EnrollmentKind::First | EnrollmentKind::Replacement => {
                change.apply_on_change(name, record.id)?
            }
        };
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        if pending.kind() == EnrollmentKind::Replacement {
            self.engine.truncate_wal()?;
        }
        Ok(after)
    }

    /// Returns the account's current snapshot, made with the current data keys.
    pub(in crate::engine) fn snapshot_account(
        &mut self,
        name: &UserName,
    ) -> Result<AccountSnapshot, EngineError> {
        let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Read)?;
        Ok(read_account_snapshot(&mut tx, vault, name)?)
    }

    /// Returns the authenticators of an account, oldest first.
    pub fn list_authenticators(
        &mut self,
        name: &UserName,
    ) -> Result<Vec<AuthenticatorState>, AdministrationError> {
        let declared = account_data::read_declared_secret(&self.engine.config, name)?;
        let is_declared = declared.is_some();
        let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Read)?;
        let record = match tx.find_account(name)? {
            None if !is_declared => return Err(AdministrationError::UnknownAccount(name.clone())),
            found => found,
        };
        let opened =
            account_data::load_authenticators(vault, &mut tx, name, record.as_ref(), declared)?;
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
    ) -> Result<(), AdministrationError> {
        self.engine.check_not_declared(name)?;
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        let all = change.tx.authenticators(record.id)?;
        let Some(found) = all.iter().find(|stored| stored.name == *label) else {
            return Err(AdministrationError::UnknownAuthenticator(
                name.clone(),
                label.clone(),
            ));
        };
        let by_mail = change.config.email.is_enabled()
            && change.tx.mail_addresses(record.id)?.confirmed.is_some();
        if all.len() == 1 && !by_mail {
            return Err(AdministrationError::LastAuthenticator(name.clone()));
        }
        change.tx.remove_authenticator(found.number)?;
        change.tx.end_sessions_and_browsers(record.id)?;
        change.log_event(name, EventKind::AuthenticatorRemoved)?;
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        self.engine.truncate_wal()
    }

    /// Returns an error if the account may not have recovery codes, before any are shown.
    pub fn refuse_recovery_codes(&mut self, name: &UserName) -> Result<(), AdministrationError> {
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
    ) -> Result<(), AdministrationError> {
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
    ) -> Result<(), AdministrationError> {
        let mut change = self.engine.begin_change(actor, now)?;
        if read_account_snapshot(&mut change.tx, change.vault, name)? != *began_on {
            return Err(AdministrationError::Stale);
        }
        let record = change.find_or_add_declared_account(name)?;
        let is_declared = change.config.find_declared_account(name).is_some();
        if !is_declared && !is_enrolled(&mut change.tx, record.id)? {
            return Err(AdministrationError::NotEnrolled(name.clone()));
        }
        change.tx.replace_recovery_codes(
            record.id,
            &StoredRecoveryCode::hash_all(codes, record.id.0, change.vault),
        )?;
        change.log_event(name, EventKind::RecoveryCodesReplaced)?;
        Ok(change.commit()?)
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
) -> Result<(), AdministrationError> {
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
