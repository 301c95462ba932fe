//! Authenticator data (section 6.1), and the attestation object around it (section 6.5.4). The
//! attestation statement is not looked at: which maker an authenticator has decides about nothing.

use super::cbor::Map;
use super::public_key::PasskeyPublicKey;
use super::{CredentialId, FormatError, MAX_FIELD};

const USER_PRESENT: u8 = 1 << 0;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// Length of hash, flags and counter.
const HEADER: usize = 37;
const AAGUID: usize = 16;

/// What an authenticator says, and signs at an assertion.
#[derive(Debug)]
pub struct AuthenticatorData {
    /// SHA-256 of the relying party's id.
    pub rp_id_hash: [u8; 32],
    flags: u8,
    /// Signature counter; always 0 where the authenticator keeps none.
    pub counter: u32,
    /// The new passkey, at a registration only.
    pub attested: Option<AttestedPasskey>,
}

#[derive(Debug)]
pub struct AttestedPasskey {
    pub id: CredentialId,
    pub public_key: PasskeyPublicKey,
}

impl AuthenticatorData {
    /// Parses authenticator data; bytes that its flags do not announce are an error.
    pub fn parse(bytes: &[u8]) -> Result<AuthenticatorData, FormatError> {
        let error = FormatError::AuthenticatorData;
        if bytes.len() > MAX_FIELD {
            return Err(error);
        }
        let (header, mut rest) = bytes.split_at_checked(HEADER).ok_or(error)?;
        let (rp_id_hash, flags_and_counter) = header.split_first_chunk::<32>().ok_or(error)?;
        let (&flags, counter) = flags_and_counter.split_first().ok_or(error)?;
        let counter = u32::from_be_bytes(counter.try_into().map_err(|_| error)?);
        if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
            return Err(error);
        }
        let attested = match flags & ATTESTED {
            0 => None,
            _ => Some(AttestedPasskey::read(&mut rest)?),
        };
        if flags & EXTENSIONS != 0 {
            Map::read(&mut rest).ok_or(error)?;
        }
        if !rest.is_empty() {
            return Err(error);
        }
        Ok(AuthenticatorData {
            rp_id_hash: *rp_id_hash,
            flags,
            counter,
            attested,
        })
    }

    /// Parses an attestation object, and returns the authenticator data in it.
    pub fn from_attestation(object: &[u8]) -> Result<AuthenticatorData, FormatError> {
        let error = FormatError::Attestation;
        if object.len() > MAX_FIELD {
            return Err(error);
        }
        let mut rest = object;
        let map = Map::read(&mut rest).ok_or(error)?;
        let has_statement = map.text("fmt").is_some_and(|format| format.is_text())
            && map
                .text("attStmt")
                .is_some_and(|statement| statement.is_map());
        let data = map.text("authData").and_then(|data| data.as_bytes());
        match data {
            Some(data) if has_statement && rest.is_empty() && map.len() == 3 => {
                AuthenticatorData::parse(data)
            }
            _ => Err(error),
        }
    }

    /// Whether somebody touched the authenticator.
    pub fn is_user_present(&self) -> bool {
        self.flags & USER_PRESENT != 0
    }

    /// Whether the authenticator recognized its user, by PIN or biometrics.
    pub fn is_user_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }

    /// Whether the passkey may be copied to other devices. It never changes.
    pub fn is_backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }

    pub fn is_backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}

impl AttestedPasskey {
    /// Reads attested credential data (section 6.5.2).
    fn read(rest: &mut &[u8]) -> Result<AttestedPasskey, FormatError> {
        let error = FormatError::AuthenticatorData;
        let (_aaguid, after) = rest.split_first_chunk::<AAGUID>().ok_or(error)?;
        let (length, after) = after.split_first_chunk::<2>().ok_or(error)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (id, after) = after.split_at_checked(length).ok_or(error)?;
        let id = CredentialId::new(id).ok_or(error)?;
        *rest = after;
        let public_key = PasskeyPublicKey::read(rest)?;
        Ok(AttestedPasskey { id, public_key })
    }
}
