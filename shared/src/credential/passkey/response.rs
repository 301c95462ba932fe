//! Responses of browsers: the JSON form of a `PublicKeyCredential` (section 5.1).

use super::{CredentialId, MAX_FIELD};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer};

/// Upper bound of a response in bytes.
const MAX: usize = 48 * 1024;
/// Upper bound of a user handle in bytes (section 4).
const MAX_USER_HANDLE: usize = 64;

/// Bytes in base64url without padding.
struct Encoded(Vec<u8>);

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Encoded, D::Error> {
        let text = String::deserialize(deserializer)?;
        match BASE64URL_NOPAD.decode(text.as_bytes()) {
            Ok(bytes) if bytes.len() <= MAX_FIELD => Ok(Encoded(bytes)),
            _ => Err(serde::de::Error::custom("is not base64url")),
        }
    }
}

/// Fields that are not named here are ignored.
#[derive(Deserialize)]
struct Credential<R> {
    #[serde(rename = "rawId")]
    id: Encoded,
    #[serde(rename = "type")]
    kind: String,
    response: R,
}

impl<R> Credential<R> {
    fn id(&self) -> Option<CredentialId> {
        match self.kind.as_str() {
            "public-key" => CredentialId::new(&self.id.0),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct AttestationFields {
    #[serde(rename = "clientDataJSON")]
    client_data: Encoded,
    #[serde(rename = "attestationObject")]
    attestation_object: Encoded,
}

#[derive(Deserialize)]
struct AssertionFields {
    #[serde(rename = "clientDataJSON")]
    client_data: Encoded,
    #[serde(rename = "authenticatorData")]
    authenticator_data: Encoded,
    signature: Encoded,
    #[serde(rename = "userHandle", default)]
    user_handle: Option<Encoded>,
}

fn parse<R: for<'de> Deserialize<'de>>(json: &str) -> Option<Credential<R>> {
    match json.len() <= MAX {
        true => serde_json::from_str(json).ok(),
        false => None,
    }
}

/// Response to the registration of a passkey.
pub struct RegistrationResponse {
    pub id: CredentialId,
    pub client_data: Vec<u8>,
    pub attestation_object: Vec<u8>,
}

impl RegistrationResponse {
    pub fn parse(json: &str) -> Option<RegistrationResponse> {
        let credential: Credential<AttestationFields> = parse(json)?;
        Some(RegistrationResponse {
            id: credential.id()?,
            client_data: credential.response.client_data.0,
            attestation_object: credential.response.attestation_object.0,
        })
    }
}

/// Response to the request to use a passkey.
pub struct AssertionResponse {
    pub id: CredentialId,
    pub client_data: Vec<u8>,
    pub authenticator_data: Vec<u8>,
    pub signature: Vec<u8>,
    /// The account's handle, which passkeys that sign in without a name return.
    pub user_handle: Option<Vec<u8>>,
}

impl AssertionResponse {
    pub fn parse(json: &str) -> Option<AssertionResponse> {
        let credential: Credential<AssertionFields> = parse(json)?;
        let id = credential.id()?;
        let AssertionFields {
            client_data,
            authenticator_data,
            signature,
            user_handle,
        } = credential.response;
        // An empty handle is none, as older browsers send it.
        let user_handle = user_handle.map(|handle| handle.0);
        let user_handle = user_handle.filter(|handle| !handle.is_empty());
        let is_short = |handle: &Vec<u8>| handle.len() <= MAX_USER_HANDLE;
        user_handle
            .as_ref()
            .is_none_or(is_short)
            .then_some(AssertionResponse {
                id,
                client_data: client_data.0,
                authenticator_data: authenticator_data.0,
                signature: signature.0,
                user_handle,
            })
    }
}
