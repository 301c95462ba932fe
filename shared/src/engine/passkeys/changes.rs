//! Passkeys: added, listed, renamed, removed. Each act is one transaction.
//!
//! A registration and a removal MUST be called with a step-up: a passkey that somebody else adds signs
//! in for good.

use super::demand::refuse_weak_owner;
use super::error::PasskeyError;
use super::relying_party::RelyingParty;
use crate::account::event::EventKind;
use crate::account::name::{Label, UserName};
use crate::config::gate::UserVerification;
use crate::credential::passkey::response::RegistrationResponse;
use crate::engine::login::token_validity::check_token;
use crate::engine::{AdministrationError, Passkeys, Principal, is_enrolled};
use crate::store::{LoginTokenState, PasskeyRecord};
use crate::system::clock::Timestamp;
use crate::token::PasskeyToken;
use crate::verify::passkey::verify_registration;

/// As many as authenticators.
const MAX_PASSKEYS: usize = 16;

impl Passkeys<'_> {
    /// Registers a passkey for the request of a token, once. The account needs a second factor: a
    /// passkey is one beside it.
    pub fn add_passkey<'a>(
        &mut self,
        token: &PasskeyToken,
        response: &RegistrationResponse,
        name: &Label,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let account = token.account();
        let Some(party) = RelyingParty::from_config(&self.engine.config) else {
            return Err(PasskeyError::NotAvailable.into());
        };
        self.engine.check_not_declared(account)?;
        let actor = actor.into();
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(account)?;
        let state = change.tx.login_token_state(token.id())?;
        if state.used || check_token(token, &mut change.tx)?.is_none() {
            return Err(AdministrationError::Stale);
        }
        let used = LoginTokenState {
            used: true,
            ..state
        };
        change
            .tx
            .set_login_token_state(record.id, token, used, now)?;
        if !is_enrolled(&mut change.tx, record.id)? {
            return Err(AdministrationError::NotEnrolled(account.clone()));
        }
        let kept = change.tx.passkeys(record.id)?;
        refuse_weak_owner(change.tx.config, account, &kept, actor)?;
        if kept.len() >= MAX_PASSKEYS {
            return Err(PasskeyError::TooMany(account.clone(), MAX_PASSKEYS).into());
        }
        if kept.iter().any(|kept| kept.name == *name) {
            return Err(PasskeyError::NameTaken(account.clone(), name.clone()).into());
        }
        // fixed by the first passkey of all
        let earlier = change.tx.passkey_relying_party()?;
        if let Some(earlier) = earlier.filter(|earlier| earlier != party.id()) {
            return Err(PasskeyError::OtherRelyingParty(earlier).into());
        }
        let challenge = token.passkey_challenge();
        let passkey = verify_registration(
            &party.request(&challenge, UserVerification::Preferred),
            &response.client_data,
            &response.attestation_object,
        )
        .map_err(PasskeyError::Refused)?;
        let is_of_another = change.tx.find_passkey_owner(&passkey.id)?.is_some();
        if is_of_another || passkey.id != response.id {
            return Err(PasskeyError::Registered.into());
        }
        let new = PasskeyRecord {
            number: 0,
            name: name.clone(),
            // the handle that its authenticator was given
            user_handle: token.payload().user_handle.clone(),
            rp_id: party.id().to_owned(),
            passkey,
            created: now,
            last_used: None,
        };
        change.tx.add_passkey(record.id, &new)?;
        change.log_event_with_cause(account, EventKind::PasskeyAdded, name.as_str())?;
        Ok(change.commit()?)
    }

    /// Returns the passkeys of an account, oldest first.
    pub fn list_passkeys(
        &mut self,
        name: &UserName,
    ) -> Result<Vec<PasskeyRecord>, AdministrationError> {
        let (mut tx, record) = self.engine.read_account(name)?;
        Ok(tx.passkeys(record.id)?)
    }

    /// Does the same; of an account that is declared in a file and has never signed in it returns none.
    pub fn list_passkeys_if_any(
        &mut self,
        name: &UserName,
    ) -> Result<Vec<PasskeyRecord>, AdministrationError> {
        match self.list_passkeys(name) {
            Err(AdministrationError::UnknownAccount(_))
                if self.engine.config.find_declared_account(name).is_some() =>
            {
                Ok(Vec::new())
            }
            listed => listed,
        }
    }

    /// Refuses a passkey that the account does not have.
    pub(in crate::engine) fn require_passkey(
        &mut self,
        account: &UserName,
        name: &Label,
    ) -> Result<(), AdministrationError> {
        find(&self.list_passkeys(account)?, account, name)?;
        Ok(())
    }

    pub fn rename_passkey<'a>(
        &mut self,
        account: &UserName,
        name: &Label,
        new: &Label,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(account)?;
        let kept = change.tx.passkeys(record.id)?;
        let number = find(&kept, account, name)?.number;
        if name != new && kept.iter().any(|kept| kept.name == *new) {
            return Err(PasskeyError::NameTaken(account.clone(), new.clone()).into());
        }
        change.tx.rename_passkey(number, new)?;
        let cause = format!("{} -> {}", name.as_str(), new.as_str());
        change.log_event_with_cause(account, EventKind::PasskeyRenamed, &cause)?;
        Ok(change.commit()?)
    }

    /// Removes a passkey, and ends every session and trusted browser of the account, as the removal
    /// of an authenticator does. Returns after every gate has applied it.
    pub fn remove_passkey<'a>(
        &mut self,
        account: &UserName,
        name: &Label,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let actor = actor.into();
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(account)?;
        let kept = change.tx.passkeys(record.id)?;
        refuse_weak_owner(change.tx.config, account, &kept, actor)?;
        change
            .tx
            .remove_passkey(find(&kept, account, name)?.number)?;
        change.tx.end_sessions_and_browsers(record.id)?;
        change.log_event_with_cause(account, EventKind::PasskeyRemoved, name.as_str())?;
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok(())
    }
}

fn find<'a>(
    kept: &'a [PasskeyRecord],
    account: &UserName,
    name: &Label,
) -> Result<&'a PasskeyRecord, PasskeyError> {
    kept.iter()
        .find(|kept| kept.name == *name)
        .ok_or_else(|| PasskeyError::Unknown(account.clone(), name.clone()))
}
