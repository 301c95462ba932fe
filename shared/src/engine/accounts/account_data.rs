//! Loads what the decision needs of an account: stored and declared authenticators, their floors,
//! and the mail address.
//! An account without an authenticator gets a decoy, so that the time of a verification does not
//! show which accounts have one.

use crate::account::email::EmailAddress;
use crate::account::name::UserName;
use crate::account::record::{AccountId, AccountRecord};
use crate::config::{Config, DeclaredAccount};
use crate::credential::otp::OtpError;
use crate::credential::otp::otpauth_uri::parse_declared_secret;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{OtpParameters, Step};
use crate::crypto::vault::{SecretBinding, Vault};
use crate::engine::EngineError;
use crate::store::{AuthenticatorRecord, MailAddresses, StoreError, Transaction};
use crate::system::trusted_file::{self, FileError, Follow, Privacy};
use crate::verify::account::LiveAuthenticator;
use zeroize::Zeroizing;

/// Maximum size of a secret file, in bytes.
const MAX_SECRET_FILE: u64 = 4096;

/// Reads the secret of an account that the configuration declares.
pub(in crate::engine) fn read_declared_secret(
    config: &Config,
    name: &UserName,
) -> Result<Option<(Secret, OtpParameters)>, EngineError> {
    let Some(declared) = config.find_declared_account(name) else {
        return Ok(None);
    };
    let wrong = |error| EngineError::SecretContent(declared.secret_file.path().to_owned(), error);
    let read;
    let bytes = match declared.secret.bytes() {
        Some(bytes) => bytes,
        None => {
            read = read_secret_file(declared).map_err(EngineError::SecretFile)?;
            &read
        }
    };
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(OtpError::Malformed))?;
    Ok(Some(parse_declared_secret(text).map_err(wrong)?))
}

pub fn read_secret_file(declared: &DeclaredAccount) -> Result<Zeroizing<Vec<u8>>, FileError> {
    trusted_file::read_trusted(
        declared.secret_file.path(),
        Privacy::Secret,
        Follow::Yes,
        MAX_SECRET_FILE,
    )
}

pub(in crate::engine) fn load_authenticators(
    vault: &Vault,
    transaction: &mut Transaction<'_>,
    name: &UserName,
    record: Option<&AccountRecord>,
    declared: Option<(Secret, OtpParameters)>,
) -> Result<Vec<LiveAuthenticator>, EngineError> {
    let mut secrets: Vec<(Secret, OtpParameters)> = Vec::new();
    // A name without an account is looked up like any other, so that both take as long.
    let id = record.map_or(AccountId(0), |record| record.id);
    let stored = transaction.authenticators(id)?;
    match declared {
        // A declared secret replaces what was enrolled.
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

/// Returns a decoy for an account without authenticators. Its floor is looked up too, so that it
/// takes as long as an authenticator.
pub(in crate::engine) fn load_decoy(
    vault: &Vault,
    transaction: &mut Transaction<'_>,
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
    transaction: &mut Transaction<'_>,
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

/// Returns the highest accepted step of a secret. An older fingerprint key may have written it.
pub(in crate::engine) fn load_floor(
    vault: &Vault,
    transaction: &mut Transaction<'_>,
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

/// Returns the address to which codes are mailed: the declared one, or the confirmed one.
pub(in crate::engine) fn load_mail_address(
    config: &Config,
    tx: &mut Transaction<'_>,
    name: &UserName,
    account: AccountId,
) -> Result<Option<EmailAddress>, StoreError> {
    // Looked up in every case, so that the time does not show that the account is declared.
    let MailAddresses { confirmed, .. } = tx.mail_addresses(account)?;
    Ok(match config.find_declared_account(name) {
        Some(declared) => declared.email.clone(),
        None => confirmed,
    })
}
