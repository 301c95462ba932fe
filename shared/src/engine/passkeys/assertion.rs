//! The use of a passkey, in the transaction that grants what it proves.

use super::request::RelyingParty;
use crate::account::record::AccountId;
use crate::config::gate::UserVerification;
use crate::credential::passkey::response::AssertionResponse;
use crate::engine::transaction::EngineTransaction;
use crate::store::StoreError;
use crate::verify::passkey::{
    AcceptedPasskey, Assertion, PasskeyChallenge, PasskeyRefusal, verify_assertion,
};

/// Verifies a passkey of an account, and raises its counter.
///
/// MUST be called in the transaction that uses the token of the challenge up.
pub(in crate::engine) fn use_passkey(
    tx: &mut EngineTransaction<'_>,
    account: AccountId,
    challenge: &PasskeyChallenge,
    verification: UserVerification,
    response: &AssertionResponse,
) -> Result<Result<AcceptedPasskey, PasskeyRefusal>, StoreError> {
    let Some(party) = RelyingParty::from_config(tx.config) else {
        return Ok(Err(PasskeyRefusal::RelyingParty));
    };
    let kept = tx.passkeys(account)?;
    let Some(found) = kept.iter().find(|kept| kept.passkey.id == response.id) else {
        return Ok(Err(PasskeyRefusal::Unknown));
    };
    let is_own = |handle: &Vec<u8>| *handle == found.user_handle;
    if !response.user_handle.as_ref().is_none_or(is_own) {
        return Ok(Err(PasskeyRefusal::Unknown));
    }
    let assertion = Assertion {
        client_data: &response.client_data,
        authenticator_data: &response.authenticator_data,
        signature: &response.signature,
    };
    let verified = verify_assertion(
        &party.request(challenge, verification),
        &found.passkey,
        &assertion,
    );
    if let Ok(accepted) = &verified {
        let now = tx.now;
        tx.record_passkey_use(found.number, accepted, now)?;
    }
    Ok(verified)
}
