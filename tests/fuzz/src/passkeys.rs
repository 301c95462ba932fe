//! Invariants of passkeys: whatever a browser sends is read within limits, and nothing that was not
//! signed is accepted.

use postern_shared::credential::passkey::authenticator_data::AuthenticatorData;
use postern_shared::credential::passkey::client_data::ClientData;
use postern_shared::credential::passkey::public_key::PasskeyPublicKey;
use postern_shared::credential::passkey::response::{AssertionResponse, RegistrationResponse};
use postern_shared::verify::passkey::{PasskeyChallenge, PasskeyRequest, verify_registration};

/// Reads the input as each part of a response. Returns whether one of them can be read.
pub fn response(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let registration = RegistrationResponse::parse(&text);
    let assertion = AssertionResponse::parse(&text);
    let data = AuthenticatorData::parse(bytes);
    let attested = AuthenticatorData::from_attestation(bytes);
    for data in data.iter().chain(&attested) {
        assert!(!data.is_backed_up() || data.is_backup_eligible());
        if let Some(new) = &data.attested {
            let again = PasskeyPublicKey::parse(new.public_key.as_cose());
            assert_eq!(again.as_ref(), Ok(&new.public_key));
        }
    }
    let key = PasskeyPublicKey::parse(bytes);
    if let Ok(key) = &key {
        assert_eq!(key.as_cose(), bytes);
        assert!(!key.verifies(b"not signed", bytes));
    }
    // The input may have found this challenge, but not by chance.
    let challenge = PasskeyChallenge([7; 32]);
    let request = PasskeyRequest {
        rp_id: "auth.example.com",
        origin: "https://auth.example.com",
        challenge: &challenge,
        requires_user_verification: false,
    };
    if let Some(registration) = &registration {
        let (data, object) = (&registration.client_data, &registration.attestation_object);
        let verified = verify_registration(&request, data, object);
        let knows = ClientData::parse(data).is_ok_and(|d| d.challenge() == challenge.to_text());
        assert!(verified.is_err() || knows);
    }
    registration.is_some() || assertion.is_some() || data.is_ok() || attested.is_ok() || key.is_ok()
}
