//! Client data (section 5.8.1): what the browser says of the request that it answers.

use super::{FormatError, MAX_FIELD};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The ceremony that a response belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ceremony {
    Registration,
    Assertion,
}

impl Ceremony {
    fn name(self) -> &'static str {
        match self {
            Ceremony::Registration => "webauthn.create",
            Ceremony::Assertion => "webauthn.get",
        }
    }
}

/// Other fields are ignored, as the section demands; one of these that is there twice is an error.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type")]
    ceremony: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    is_cross_origin: Option<bool>,
    #[serde(rename = "topOrigin", default)]
    top_origin: Option<String>,
}

/// Parsed client data with the hash that the authenticator signed.
pub struct ClientData {
    fields: Fields,
    hash: [u8; 32],
}

impl ClientData {
    pub fn parse(json: &[u8]) -> Result<ClientData, FormatError> {
        if json.len() > MAX_FIELD {
            return Err(FormatError::ClientData);
        }
        let fields = serde_json::from_slice(json).map_err(|_| FormatError::ClientData)?;
        let hash = Sha256::digest(json).into();
        Ok(ClientData { fields, hash })
    }

    pub fn is_of(&self, ceremony: Ceremony) -> bool {
        self.fields.ceremony == ceremony.name()
    }

    /// Returns the challenge, in base64url without padding.
    pub fn challenge(&self) -> &str {
        &self.fields.challenge
    }

    pub fn origin(&self) -> &str {
        &self.fields.origin
    }

    /// Whether the page was in a frame of another origin.
    pub fn is_cross_origin(&self) -> bool {
        self.fields.is_cross_origin == Some(true) || self.fields.top_origin.is_some()
    }

    /// Returns the SHA-256 of the JSON text.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }
}
