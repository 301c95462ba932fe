//! Authenticators and recovery codes of an account: made active, listed, removed, replaced. Each change ends every
//! session and trusted browser of the account, and is in force at every gate when it is reported done.

use super::pending::{AccountSnapshot, EnrollmentConfirmation, EnrollmentKind, PendingEnrollment};
use crate::account::event::EventKind;
use crate::account::name::{Distinct, Label, UserName};
use crate::account::record::AccountRecord;
use crate::account::second_factor::Enrolled;
use crate::config::Config;
use crate::credential::recovery_code::RecoveryCode;
use crate::crypto::vault::{SecretBinding, Vault};
use crate::engine::administration::account_name::new_name;
use crate::engine::administration::acting::{
    AdministrationError, AdministrationResult, known, known_or_new, log,
};
use crate::engine::administration::app_passwords::{self, AppPasswordsAfter};
use crate::engine::login::token_validity::check_token_parent;
use crate::engine::principal::Principal;
use crate::engine::{Engine, EngineError, account_data, is_enrolled};
use crate::protocol::status::AuthenticatorState;
use crate::store::{AuthenticatorRecord, Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::verify::account::StoredRecoveryCode;

/// The most authenticators that an account may have.
pub(in crate::engine) const MOST: usize = 16;

impl Engine {
    /// Whether a setup would be refused, before anything is shown.
    pub fn refuse_setup(&mut self, pending: &PendingEnrollment) -> AdministrationResult {
        self.refuse_declared(pending.name())?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        match tx.find_account(pending.name())? {
            None if pending.kind() == EnrollmentKind::First => {
                match new_name(&self.config, tx.as_mut(), pending.name(), Distinct::No)? {
                    Ok(_) => Ok(()),
                    Err(other) => Err(AdministrationError::OtherSpelling(other)),
                }
            }
            None => Err(AdministrationError::UnknownAccount(pending.name().clone())),
            Some(record) => refuse_setup(&tx.authenticators(record.id)?, pending),
        }
    }

    /// Makes a confirmed setup active: the authenticator, the spent step, and with the first one recovery codes,
    /// together.
    pub fn activate<'a>(
        &mut self,
        pending: &PendingEnrollment,
        confirmation: &EnrollmentConfirmation,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        let actor = actor.into();
        let name = pending.name();
        self.refuse_declared(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let footing = footing(tx.as_mut(), &self.vault, name)?;
        let is_stale = match (pending.footing(), pending.parent()) {
            (Some(began_on), Some(parent)) => {
                let alive = check_token_parent(tx.as_mut(), name, began_on.at(), parent, now)?;
                *began_on != footing || alive.is_none()
            }
            (Some(began_on), None) => *began_on != footing,
            (None, _) => false,
        };
        let record = match pending.kind() {
            EnrollmentKind::First => known_or_new(&self.config, tx.as_mut(), name, actor, now)?,
            EnrollmentKind::Replacement | EnrollmentKind::Further => known(tx.as_mut(), name)?,
        };
        actor.refuse_ended_session(tx.as_mut(), now)?;
        refuse_setup(&tx.authenticators(record.id)?, pending)?;
        if is_stale {
            return Err(AdministrationError::Stale);
        }
        if let Some(invitation) = pending.invitation() {
            match tx.one_time_code(record.id)? {
                Some(kept) if !kept.used && kept.hash == invitation.hash() => {
                    tx.consume_one_time_code(record.id)?;
                }
                _ => return Err(AdministrationError::Stale),
            }
        }
        // The same secret may have been here before: its floor outlives it.
        let parameters = pending.parameters();
        let fingerprint = self.vault.fingerprint(pending.secret(), parameters);
        let floor =
            account_data::load_floor(&self.vault, tx.as_mut(), pending.secret(), parameters)?;
        if confirmation.step().is_some_and(|step| floor >= Some(step)) {
            return Err(AdministrationError::CodeUsed);
        }
        if let Some(step) = confirmation.step().or(pending.before_first()).max(floor) {
            tx.raise_floor(&fingerprint, step)?;
        }
        let sealed = self.vault.seal(
            pending.secret(),
            &SecretBinding {
                account: record.id.0,
                name,
                parameters,
            },
        )?;
        if pending.kind() == EnrollmentKind::Replacement {
            // the address that codes are mailed to stays
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
                    &self.vault,
                );
                tx.replace_recovery_codes(record.id, &hashes)?;
                EventKind::Enrolled
            }
        };
        let revision = end_all(&self.config, tx.as_mut(), &record, what, actor, now)?;
        let after = match pending.kind() {
            EnrollmentKind::Further => AppPasswordsAfter::None,
            EnrollmentKind::First | EnrollmentKind::Replacement => {
                let account = (name, record.id);
                app_passwords::after_administration(&self.config, tx.as_mut(), account, actor, now)?
            }
        };
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        if pending.kind() == EnrollmentKind::Replacement {
            self.store
                .scrub()
                .map_err(AdministrationError::NotScrubbed)?;
        }
        Ok(after)
    }

    /// How an account stands now, by the data keys of now.
    pub(in crate::engine) fn footing(
        &mut self,
        name: &UserName,
    ) -> Result<AccountSnapshot, EngineError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        Ok(footing(tx.as_mut(), &self.vault, name)?)
    }

    /// The authenticators of an account, oldest first.
    pub fn authenticators(
        &mut self,
        name: &UserName,
    ) -> Result<Vec<AuthenticatorState>, AdministrationError> {
        let declared = account_data::read_declared_secret(&self.config, name)?;
        let is_declared = declared.is_some();
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let record = match tx.find_account(name)? {
            None if !is_declared => return Err(AdministrationError::UnknownAccount(name.clone())),
            found => found,
        };
        let opened = account_data::load_authenticators(
            &self.vault,
            tx.as_mut(),
            name,
            record.as_ref(),
            declared,
        )?;
        let kept = match record {
            Some(record) if !is_declared => tx.authenticators(record.id)?,
            _ => Vec::new(),
        };
        let states = opened
            .into_iter()
            .enumerate()
            .map(|(number, opened)| AuthenticatorState {
                label: kept.get(number).map(|kept| kept.name.clone()),
                parameters: opened.parameters,
                created: kept.get(number).map(|kept| kept.created),
                last_used: opened
                    .floor
                    .and_then(|floor| opened.parameters.moving.begin_of_step(floor)),
            });
        Ok(states.collect())
    }

    /// Removes one authenticator of several, or the last one where codes are mailed too. When this returns, its secret
    /// is gone from the store's bytes.
    pub fn remove_authenticator<'a>(
        &mut self,
        name: &UserName,
        label: &Label,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let actor = actor.into();
        self.refuse_declared(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        actor.refuse_ended_session(tx.as_mut(), now)?;
        let all = tx.authenticators(record.id)?;
        let Some(meant) = all.iter().find(|kept| kept.name == *label) else {
            return Err(AdministrationError::UnknownAuthenticator(
                name.clone(),
                label.clone(),
            ));
        };
        let by_mail =
            self.config.email.is_enabled() && tx.mail_addresses(record.id)?.confirmed.is_some();
        if all.len() == 1 && !by_mail {
            return Err(AdministrationError::LastAuthenticator(name.clone()));
        }
        tx.remove_authenticator(meant.number)?;
        let revision = end_all(
            &self.config,
            tx.as_mut(),
            &record,
            EventKind::AuthenticatorRemoved,
            actor,
            now,
        )?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        self.store.scrub().map_err(AdministrationError::NotScrubbed)
    }

    /// Whether new recovery codes would be refused, before they are shown.
    pub fn refuse_recovery_codes(&mut self, name: &UserName) -> AdministrationResult {
        match self.load_policy_facts(name)?.enrolled {
            Enrolled::Yes => Ok(()),
            Enrolled::No => Err(AdministrationError::NotEnrolled(name.clone())),
        }
    }

    /// A new set of recovery codes; the old ones open no more.
    pub fn replace_recovery_codes<'a>(
        &mut self,
        name: &UserName,
        codes: &[RecoveryCode],
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let footing = self.footing(name)?;
        self.replace_recovery_codes_on(&footing, name, codes, actor, now)
    }

    /// The same, if the account stands so.
    pub(in crate::engine) fn replace_recovery_codes_on<'a>(
        &mut self,
        began_on: &AccountSnapshot,
        name: &UserName,
        codes: &[RecoveryCode],
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let actor = actor.into();
        let is_declared = self.config.find_declared_account(name).is_some();
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        if footing(tx.as_mut(), &self.vault, name)? != *began_on {
            return Err(AdministrationError::Stale);
        }
        let record = match is_declared {
            true => known_or_new(&self.config, tx.as_mut(), name, actor, now)?,
            false => known(tx.as_mut(), name)?,
        };
        actor.refuse_ended_session(tx.as_mut(), now)?;
        if !is_declared && !is_enrolled(tx.as_mut(), record.id)? {
            return Err(AdministrationError::NotEnrolled(name.clone()));
        }
        tx.replace_recovery_codes(
            record.id,
            &StoredRecoveryCode::hash_all(codes, record.id.0, &self.vault),
        )?;
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::RecoveryCodesReplaced,
            actor,
            now,
        )?;
        Ok(tx.commit()?)
    }
}

/// How an account stands now. The least hash tells a set of recovery codes from every other, since each is random.
pub(in crate::engine) fn footing(
    tx: &mut dyn Transaction,
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
        .map(|kept| kept.hash.0)
        .min();
    Ok(AccountSnapshot {
        account: Some((record.id, record.generation)),
        recovery,
        keys,
    })
}

fn refuse_setup(live: &[AuthenticatorRecord], pending: &PendingEnrollment) -> AdministrationResult {
    let name = || pending.name().clone();
    match (live, pending.kind()) {
        ([], EnrollmentKind::First) => Ok(()),
        ([], _) => Err(AdministrationError::NotEnrolled(name())),
        (_, EnrollmentKind::First) => Err(AdministrationError::AlreadyEnrolled(name())),
        (_, EnrollmentKind::Replacement) => Ok(()),
        (many, EnrollmentKind::Further) if many.len() >= MOST => {
            Err(AdministrationError::TooMany(name(), MOST))
        }
        (live, EnrollmentKind::Further)
            if live.iter().any(|kept| kept.name == *pending.label()) =>
        {
            Err(AdministrationError::LabelTaken(
                name(),
                pending.label().clone(),
            ))
        }
        (_, EnrollmentKind::Further) => Ok(()),
    }
}

/// Ends every session and trusted browser of an account, with its event; the revision that gates must go by.
fn end_all<'a>(
    config: &Config,
    tx: &mut dyn Transaction,
    record: &AccountRecord,
    what: EventKind,
    actor: impl Into<Principal<'a>>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    tx.end_sessions_and_browsers(record.id)?;
    log(config, tx, &record.name, what, actor, now)?;
    tx.raise_revision()
}
