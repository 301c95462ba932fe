//! Loading an account for a decision: stored and declared authenticators opened, floors looked up, a decoy
//! where there is no second factor.

use super::{DeclaredError, EngineError};
use crate::account::email::EmailAddress;
use crate::account::name::UserName;
use crate::account::record::{AccountId, AccountRecord};
use crate::config::{Config, DeclaredAccount};
use crate::credential::otpauth_uri;
use crate::credential::secret::Secret;
use crate::credential::totp::{OtpParameters, Step};
use crate::crypto::vault::{SecretBinding, Vault};
use crate::store::{AuthenticatorRecord, MailAddresses, StoreError, Transaction};
use crate::system::trusted_file::{self, FileError, Follow, Privacy};
use crate::verify::account::LiveAuthenticator;
use zeroize::Zeroizing;

/// The most that is read of a secret file, in bytes.
const LARGEST: u64 = 4096;

/// The secret of an account that the configuration declares.
pub(super) fn read_declared_secret(
    config: &Config,
    name: &UserName,
) -> Result<Option<(Secret, OtpParameters)>, EngineError> {
    let Some(declared) = config.find_declared_account(name) else {
        return Ok(None);
    };
    let path = declared.secret_file.path();
    let wrong = |error| EngineError::Declared {
        path: path.to_owned(),
        error,
    };
    let read;
    let bytes = match declared.secret.bytes() {
        Some(bytes) => bytes,
        None => {
            read = read_secret_file(declared).map_err(|error| wrong(DeclaredError::File(error)))?;
            &read
        }
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|_| wrong(DeclaredError::Content(otpauth_uri::OtpauthError::Malformed)))?;
    let read = otpauth_uri::parse_declared_secret(text)
        .map_err(|error| wrong(DeclaredError::Content(error)))?;
    Ok(Some(read))
}

/// What the secret file of a declared account holds.
pub fn read_secret_file(declared: &DeclaredAccount) -> Result<Zeroizing<Vec<u8>>, FileError> {
    trusted_file::read_trusted(
        declared.secret_file.path(),
        Privacy::Secret,
        Follow::Yes,
        LARGEST,
    )
}

/// All live authenticators of an account with their floors.
pub(super) fn load_authenticators(
    vault: &Vault,
    transaction: &mut dyn Transaction,
    name: &UserName,
    record: Option<&AccountRecord>,
    declared: Option<(Secret, OtpParameters)>,
) -> Result<Vec<LiveAuthenticator>, EngineError> {
    let mut secrets: Vec<(Secret, OtpParameters)> = Vec::new();
    // A name without an account is looked up like any other.
    let id = record.map_or(AccountId(0), |record| record.id);
    let stored = transaction.authenticators(id)?;
    match declared {
        // a declaration stands in place of what was enrolled
        Some(declared) => secrets.push(declared),
        None => {
            for AuthenticatorRecord {
                parameters, sealed, ..
            } in stored
            {
                let binding = SecretBinding {
                    account: id.0,
                    name,
                    parameters,
                };
                secrets.push((vault.unseal(&sealed, &binding)?, parameters));
            }
        }
    }
    let with_floors = secrets
        .into_iter()
        .map(|secret| with_floor(vault, transaction, secret));
    Ok(with_floors.collect::<Result<_, StoreError>>()?)
}

/// What stands in place of authenticators where there are none: looked up like one, so that it takes as long.
pub(super) fn load_decoy(
    vault: &Vault,
    transaction: &mut dyn Transaction,
    name: &UserName,
    defaults: OtpParameters,
) -> Result<LiveAuthenticator, EngineError> {
    Ok(with_floor(
        vault,
        transaction,
        (vault.decoy(name)?, defaults),
    )?)
}

fn with_floor(
    vault: &Vault,
    transaction: &mut dyn Transaction,
    (secret, parameters): (Secret, OtpParameters),
) -> Result<LiveAuthenticator, StoreError> {
    let fingerprint = vault.fingerprint(&secret, parameters);
    let floor = load_floor(vault, transaction, &secret, parameters)?;
    let mut used_above = Vec::new();
    for older in vault.fingerprints(&secret, parameters) {
        used_above.extend(transaction.accepted_steps(&older)?);
    }
    Ok(LiveAuthenticator {
        secret,
        parameters,
        fingerprint,
        floor,
        used_above,
    })
}

/// The floor of a secret, which may have been written under an older key.
pub(super) fn load_floor(
    vault: &Vault,
    transaction: &mut dyn Transaction,
    secret: &Secret,
    parameters: OtpParameters,
) -> Result<Option<Step>, StoreError> {
    for fingerprint in vault.fingerprints(secret, parameters) {
        if let Some(floor) = transaction.step_floor(&fingerprint)? {
            return Ok(Some(floor));
        }
    }
    Ok(None)
}

/// Where codes for an account are mailed: what the configuration declares, or the confirmed address.
pub(super) fn load_mail_address(
    config: &Config,
    tx: &mut dyn Transaction,
    name: &UserName,
    account: AccountId,
) -> Result<Option<EmailAddress>, StoreError> {
    // Looked up in every case: what is declared must not show in the time.
    let MailAddresses { confirmed, .. } = tx.mail_addresses(account)?;
    Ok(match config.find_declared_account(name) {
        Some(declared) => declared.email.clone(),
        None => confirmed,
    })
}
