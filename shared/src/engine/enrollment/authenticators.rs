//! Authenticators and recovery codes of an account: listed, removed, replaced. A change of
//! authenticators ends every session and trusted browser of the account, and returns after every
//! gate has applied it.

use super::pending::{AccountSnapshot, group_recovery_codes};
use super::steps::read_account_snapshot;
use super::token::PendingRecoveryCodes;
use crate::account::event::EventKind;
use crate::account::name::{Label, UserName};
use crate::account::second_factor::Enrolled;
use crate::credential::recovery_code::RecoveryCode;
use crate::engine::accounts::account_data;
use crate::engine::{AdministrationError, Enrollment, Principal, is_enrolled};
use crate::protocol::command_request::TypedText;
use crate::protocol::status::AuthenticatorState;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::{Token, TokenHolder, TokenRecipient};
use crate::verify::account::StoredRecoveryCode;

/// Recovery codes that are shown once and are not valid yet.
pub struct ShownRecoveryCodes {
    /// The codes in groups, for reading.
    pub codes: Vec<TypedText>,
    /// Sealed token that activates them.
    pub token: TypedText,
}

impl Enrollment<'_> {
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
        let by_mail = change.tx.config.email.mails_codes()
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

    /// Issues new recovery codes, which the store does not keep yet, to the recipient of their token.
    pub(in crate::engine) fn issue_recovery_codes(
        &mut self,
        to: TokenRecipient<'_>,
        snapshot: AccountSnapshot,
        now: Timestamp,
    ) -> Result<ShownRecoveryCodes, AdministrationError> {
        let codes = self.engine.config().recovery.generate_codes()?;
        let shown = group_recovery_codes(&codes);
        let keys = self.engine.token_keys();
        let issued = Token::issue(&keys, to, PendingRecoveryCodes { snapshot, codes }, now)?;
        Ok(ShownRecoveryCodes {
            codes: shown,
            token: issued.seal(&keys)?.into(),
        })
    }

    /// Replaces the recovery codes by those of a token.
    pub(in crate::engine) fn activate_recovery_codes(
        &mut self,
        sealed: &str,
        account: &UserName,
        holder: TokenHolder,
        actor: Principal<'_>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let token = self
            .open_step::<PendingRecoveryCodes>(sealed, account, holder, now)?
            .ok_or(AdministrationError::Stale)?;
        let PendingRecoveryCodes { snapshot, codes } = token.payload();
        self.replace_recovery_codes_if_unchanged(snapshot, account, codes, actor, now)
    }

    /// Replaces the recovery codes if the account has not changed since `began_on`.
    fn replace_recovery_codes_if_unchanged<'a>(
        &mut self,
        began_on: &AccountSnapshot,
        name: &UserName,
        codes: &[RecoveryCode],
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let mut change = self.engine.begin_change(actor, now)?;
        let vault = change.tx.vault;
        if read_account_snapshot(&mut change.tx, vault, name)? != *began_on {
            return Err(AdministrationError::Stale);
        }
        let record = change.find_or_add_declared_account(name)?;
        let is_declared = change.tx.config.find_declared_account(name).is_some();
        if !is_declared && !is_enrolled(&mut change.tx, record.id)? {
            return Err(AdministrationError::NotEnrolled(name.clone()));
        }
        let hashes = StoredRecoveryCode::hash_all(codes, record.id.0, vault);
        change.tx.replace_recovery_codes(record.id, &hashes)?;
        change.log_event(name, EventKind::RecoveryCodesReplaced)?;
        Ok(change.commit()?)
    }
}
