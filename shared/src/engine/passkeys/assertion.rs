//! The use of a passkey, in the transaction that grants what it proves.

use super::relying_party::RelyingParty;
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
    let checked = check_passkey(tx, account, challenge, verification, response)?;
    Ok(match checked {
        Ok((number, accepted)) => {
            let now = tx.now;
            tx.record_passkey_use(number, &accepted, now)?;
            Ok(accepted)
        }
        Err(refusal) => Err(refusal),
    })
}

/// Verifies a passkey of an account, and returns its number. Writes nothing, so that it grants
/// nothing.
pub(in crate::engine) fn check_passkey(
    tx: &mut EngineTransaction<'_>,
    account: AccountId,
    challenge: &PasskeyChallenge,
    verification: UserVerification,
    response: &AssertionResponse,
) -> Result<Result<(i64, AcceptedPasskey), PasskeyRefusal>, StoreError> {
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
    let request = party.request(challenge, verification);
    let verified = verify_assertion(&request, &found.passkey, &assertion);
    Ok(verified.map(|accepted| (found.number, accepted)))
}
