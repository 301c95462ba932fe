//! What a page asks a browser for: the request of one token, and the passkeys that may answer it.

use super::demand::refuse_weak_session;
use super::relying_party::{OtherRelyingParty, RelyingParty};
use crate::config::Config;
use crate::config::gate::UserVerification;
use crate::credential::passkey::CredentialId;
use crate::engine::login::token_validity::check_token;
use crate::engine::{AdministrationError, EngineError, Passkeys};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::system::random::random_bytes;
use crate::token::session::Session;
use crate::token::{LoginToken, PasskeyPayload, PasskeyPurpose, PasskeySignIn, PasskeyToken};
use crate::verify::passkey::PasskeyChallenge;

/// Length of a user handle in bytes: random, so that it says nothing of the account.
const USER_HANDLE: usize = 32;

/// What a page's script gives to `navigator.credentials`.
#[derive(Debug)]
pub struct PasskeyOptions {
    pub challenge: PasskeyChallenge,
    pub rp_id: String,
    pub user_verification: UserVerification,
    /// Passkeys of the account: those that may answer, or none of which may be registered again.
    pub ids: Vec<CredentialId>,
    /// The account's handle, for a registration.
    pub user_handle: Vec<u8>,
    /// Whether a passkey that is registered must be able to sign in without a name.
    pub is_discoverable: bool,
}

impl PasskeyOptions {
    /// Returns the request of a sign-in without a name: any passkey of the relying party may answer
    /// it. `None` where the configuration permits none.
    pub fn of_sign_in(config: &Config, request: &PasskeySignIn) -> Option<PasskeyOptions> {
        let party = RelyingParty::from_config(config)?;
        config.gate.passkeys.sign_in.then(|| PasskeyOptions {
            challenge: request.passkey_challenge(),
            rp_id: party.id,
            user_verification: UserVerification::Required,
            ids: Vec::new(),
            user_handle: Vec::new(),
            is_discoverable: true,
        })
    }
}

impl Passkeys<'_> {
    /// Returns the relying party of the passkeys that are there, if the configuration has another one.
    pub fn other_relying_party(&mut self) -> Result<Option<OtherRelyingParty>, EngineError> {
        let party = RelyingParty::from_config(&self.engine.config);
        let configured = party.map(|party| party.id);
        let mut tx = self.engine.begin(Intent::Read)?;
        let earlier = tx.passkey_relying_party()?;
        let other = earlier.filter(|earlier| Some(earlier) != configured.as_ref());
        Ok(other.map(|earlier| OtherRelyingParty {
            earlier,
            configured,
        }))
    }

    /// Whether the gate of this configuration can have passkeys.
    pub fn are_available(&self) -> bool {
        RelyingParty::from_config(&self.engine.config).is_some()
    }

    /// Whether a passkey can make a one-time code for PAM prompts.
    pub fn can_make_codes(&self) -> bool {
        self.engine.config.gate.passkeys.pam_code && self.are_available()
    }

    /// Returns the request of a login whose first factor has passed. `None` where the account has no
    /// passkey, or the login is over.
    pub fn request_at_login(
        &mut self,
        token: &LoginToken,
        now: Timestamp,
    ) -> Result<Option<PasskeyOptions>, EngineError> {
        let Some(party) = RelyingParty::from_config(&self.engine.config) else {
            return Ok(None);
        };
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        let validity = check_token(token, &mut tx)?;
        let Some(record) = validity.and_then(|validity| validity.record) else {
            return Ok(None);
        };
        let mut kept = tx.passkeys(record.id)?;
        kept.retain(|kept| kept.rp_id == party.id);
        let Some(first) = kept.first() else {
            return Ok(None);
        };
        Ok(Some(PasskeyOptions {
            challenge: token.passkey_challenge(),
            rp_id: party.id,
            user_verification: party.user_verification,
            user_handle: first.user_handle.clone(),
            is_discoverable: false,
            ids: kept.into_iter().map(|kept| kept.passkey.id).collect(),
        }))
    }

    /// Begins a request in a session, and returns its token. A step-up asks for a passkey whose
    /// authenticator verifies its user, since it takes the place of the password too.
    pub fn request_in_session(
        &mut self,
        session: &Session,
        purpose: PasskeyPurpose,
        now: Timestamp,
    ) -> Result<Option<(PasskeyToken, PasskeyOptions)>, AdministrationError> {
        let Some(party) = RelyingParty::from_config(&self.engine.config) else {
            return Ok(None);
        };
        let kept = self.list_passkeys(&session.name)?;
        if purpose == PasskeyPurpose::Registration {
            refuse_weak_session(&self.engine.config, &session.name, &kept, Some(session))?;
        }
        let user_handle = match kept.first() {
            Some(first) => first.user_handle.clone(),
            None => random_bytes::<USER_HANDLE>()?.to_vec(),
        };
        let (_, _, vault) = self.engine.begin_with_keys(Intent::Read)?;
        let payload = PasskeyPayload {
            purpose,
            user_handle: user_handle.clone(),
        };
        let token = PasskeyToken::issue_in(session, payload, &vault.token_keys(), now)?;
        let user_verification = match purpose {
            PasskeyPurpose::Registration => party.user_verification,
            PasskeyPurpose::StepUp | PasskeyPurpose::PamCode | PasskeyPurpose::Approval(_) => {
                UserVerification::Required
            }
        };
        let options = PasskeyOptions {
            challenge: token.passkey_challenge(),
            rp_id: party.id,
            user_verification,
            ids: kept
                .into_iter()
                .filter(|kept| {
                    purpose == PasskeyPurpose::Registration || kept.passkey.verifies_user
                })
                .map(|kept| kept.passkey.id)
                .collect(),
            user_handle,
            is_discoverable: self.engine.config.gate.passkeys.sign_in,
        };
        Ok(Some((token, options)))
    }
}
