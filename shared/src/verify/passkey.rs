//! The decision about a passkey: sections 7.1 and 7.2 of W3C Web Authentication Level 3, without
//! attestation. A pure function but for an ephemeral key of the
//! curve's check: no clock, no store, no log. That a challenge is answered once is
//! the business of the transaction around it.

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use crate::credential::passkey::authenticator_data::AuthenticatorData;
use crate::credential::passkey::client_data::{Ceremony, ClientData};
use crate::credential::passkey::public_key::PasskeyPublicKey;
use crate::credential::passkey::{CredentialId, FormatError};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// A challenge: random, and answered at most once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasskeyChallenge(pub [u8; 32]);

impl PasskeyChallenge {
    /// Returns the text in JSON: base64url without padding.
    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }
}

/// Who asks, and for what.
pub struct PasskeyRequest<'a> {
    /// The relying party's id: a host, or a parent domain of it.
    pub rp_id: &'a str,
    /// The one origin whose pages may ask.
    pub origin: &'a str,
    pub challenge: &'a PasskeyChallenge,
    /// Whether the authenticator must have recognized its user.
    pub requires_user_verification: bool,
}

/// What the store keeps of a passkey for its verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPasskey {
    pub id: CredentialId,
    pub public_key: PasskeyPublicKey,
    pub counter: u32,
    pub is_backup_eligible: bool,
    pub is_backed_up: bool,
    /// Whether its authenticator verified its user at the registration. Otherwise somebody who found
    /// it could set its first PIN, and be the user that it verifies.
    pub verifies_user: bool,
}

/// The response of `navigator.credentials.get`.
pub struct Assertion<'a> {
    pub client_data: &'a [u8],
    pub authenticator_data: &'a [u8],
    pub signature: &'a [u8],
}

/// Proof that an assertion was accepted.
#[derive(Debug, PartialEq, Eq)]
pub struct AcceptedPasskey {
    counter: u32,
    is_backed_up: bool,
    is_user_verified: bool,
}

impl AcceptedPasskey {
    /// Returns the counter that MUST be stored in the transaction that grants access.
    pub fn counter(&self) -> u32 {
        self.counter
    }

    pub fn is_backed_up(&self) -> bool {
        self.is_backed_up
    }

    /// Whether the authenticator verified its user, now and at the registration: then the passkey alone
    /// is two factors.
    pub fn is_user_verified(&self) -> bool {
        self.is_user_verified
    }
}

/// Why a response is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasskeyRefusal {
    Format(FormatError),
    /// The response of a registration where an assertion was asked for, or the other way round.
    Ceremony,
    Challenge,
    Origin,
    /// The page was in a frame of another origin.
    CrossOrigin,
    RelyingParty,
    UserPresence,
    UserVerification,
    Signature,
    /// A passkey that could not be copied says that it can, or the reverse.
    BackupEligibility,
    /// No passkey of the account has this identifier.
    Unknown,
    /// The counter did not rise: the passkey was copied, or a response is replayed.
    Counter,
}

impl fmt::Display for PasskeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            PasskeyRefusal::Format(error) => return error.fmt(f),
            PasskeyRefusal::Ceremony => "it answers another kind of request",
            PasskeyRefusal::Challenge => "it answers another request",
            PasskeyRefusal::Origin => "it was made for a page of another origin",
            PasskeyRefusal::CrossOrigin => "it was made in a frame of another site",
            PasskeyRefusal::RelyingParty => "it was made for another relying party",
            PasskeyRefusal::UserPresence => "nothing says that the user was present",
            PasskeyRefusal::UserVerification => "the authenticator did not verify its user",
            PasskeyRefusal::Signature => "its signature is wrong",
            PasskeyRefusal::BackupEligibility => "its backup eligibility has changed",
            PasskeyRefusal::Unknown => "it is no passkey of this account",
            PasskeyRefusal::Counter => "its signature counter did not rise",
        };
        f.write_str(text)
    }
}

impl std::error::Error for PasskeyRefusal {}

impl PasskeyRefusal {
    /// Whether an assertion with this refusal was signed by the passkey's key.
    pub fn has_right_signature(&self) -> bool {
        matches!(
            self,
            PasskeyRefusal::UserVerification | PasskeyRefusal::Counter
        )
    }
}

impl From<FormatError> for PasskeyRefusal {
    fn from(error: FormatError) -> PasskeyRefusal {
        PasskeyRefusal::Format(error)
    }
}

/// Verifies a registration, and returns the passkey to store. The caller MUST refuse an id that any
/// account has (section 7.1, step 26).
pub fn verify_registration(
    request: &PasskeyRequest<'_>,
    client_data: &[u8],
    attestation_object: &[u8],
) -> Result<StoredPasskey, PasskeyRefusal> {
    check_client_data(request, client_data, Ceremony::Registration)?;
    let data = AuthenticatorData::from_attestation(attestation_object)?;
    check_authenticator_data(request, &data)?;
    let (is_backup_eligible, is_backed_up) = (data.is_backup_eligible(), data.is_backed_up());
    let (counter, verifies_user) = (data.counter, data.is_user_verified());
    if request.requires_user_verification && !verifies_user {
        return Err(PasskeyRefusal::UserVerification);
    }
    let attested = data.attested.ok_or(FormatError::AuthenticatorData)?;
    if !attested.public_key.is_on_curve() {
        return Err(FormatError::PublicKey.into());
    }
    Ok(StoredPasskey {
        id: attested.id,
        public_key: attested.public_key,
        counter,
        is_backup_eligible,
        is_backed_up,
        verifies_user,
    })
}

/// Verifies an assertion by a passkey of the account. The caller MUST have found the passkey by the
/// id in the response, and MUST compare the user handle with the account's.
pub fn verify_assertion(
    request: &PasskeyRequest<'_>,
    passkey: &StoredPasskey,
    assertion: &Assertion<'_>,
) -> Result<AcceptedPasskey, PasskeyRefusal> {
    let client_data = check_client_data(request, assertion.client_data, Ceremony::Assertion)?;
    let data = AuthenticatorData::parse(assertion.authenticator_data)?;
    check_authenticator_data(request, &data)?;
    if data.attested.is_some() {
        return Err(FormatError::AuthenticatorData.into());
    }
    if data.is_backup_eligible() != passkey.is_backup_eligible {
        return Err(PasskeyRefusal::BackupEligibility);
    }
    let signed = [assertion.authenticator_data, client_data.hash()].concat();
    if !passkey.public_key.verifies(&signed, assertion.signature) {
        return Err(PasskeyRefusal::Signature);
    }
    // Only now: who has no key MUST NOT learn from the refusal whether there is such a passkey.
    let is_user_verified = data.is_user_verified() && passkey.verifies_user;
    if request.requires_user_verification && !is_user_verified {
        return Err(PasskeyRefusal::UserVerification);
    }
    // Both are 0 where the authenticator keeps no counter, as those that are synchronized do.
    if (data.counter != 0 || passkey.counter != 0) && data.counter <= passkey.counter {
        return Err(PasskeyRefusal::Counter);
    }
    Ok(AcceptedPasskey {
        counter: data.counter,
        is_backed_up: data.is_backed_up(),
        is_user_verified,
    })
}

fn check_client_data(
    request: &PasskeyRequest<'_>,
    json: &[u8],
    ceremony: Ceremony,
) -> Result<ClientData, PasskeyRefusal> {
    let data = ClientData::parse(json)?;
    if !data.is_of(ceremony) {
        return Err(PasskeyRefusal::Ceremony);
    }
    let challenge = request.challenge.to_text();
    if !bool::from(data.challenge().as_bytes().ct_eq(challenge.as_bytes())) {
        return Err(PasskeyRefusal::Challenge);
    }
    if data.origin() != request.origin {
        return Err(PasskeyRefusal::Origin);
    }
    match data.is_cross_origin() {
        true => Err(PasskeyRefusal::CrossOrigin),
        false => Ok(data),
    }
}

fn check_authenticator_data(
    request: &PasskeyRequest<'_>,
    data: &AuthenticatorData,
) -> Result<(), PasskeyRefusal> {
    let rp_id_hash: [u8; 32] = Sha256::digest(request.rp_id).into();
    if data.rp_id_hash != rp_id_hash {
        return Err(PasskeyRefusal::RelyingParty);
    }
    if !data.is_user_present() {
        return Err(PasskeyRefusal::UserPresence);
    }
    Ok(())
}
