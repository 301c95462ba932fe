//! The data keys: made, wrapped by the master key, unwrapped, renewed. Their use is in [`super`].

use super::{VaultError, seal, unseal};
use crate::crypto::master_key::{MasterKey, MasterKeyId, MasterKeys};
use crate::system::random::fill_random;

/// Purpose of a data key. Each use has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPurpose {
    Seal,
    /// Hashes recovery codes, one-time codes and mailed codes.
    Recovery,
    Fingerprint,
    /// Makes decoys for names without an account.
    Decoy,
    Password,
    Session,
    /// Seals the tokens between two requests.
    Token,
    Browser,
    AppPassword,
}

impl KeyPurpose {
    /// All purposes in the order of their declaration, with their names in the store. A change of
    /// a name would make existing data keys unreadable.
    const NAMES: [(KeyPurpose, &str); 9] = [
        (KeyPurpose::Seal, "seal"),
        (KeyPurpose::Recovery, "recovery"),
        (KeyPurpose::Fingerprint, "fingerprint"),
        (KeyPurpose::Decoy, "decoy"),
        (KeyPurpose::Password, "password"),
        (KeyPurpose::Session, "session"),
        (KeyPurpose::Token, "ticket"),
        (KeyPurpose::Browser, "browser"),
        (KeyPurpose::AppPassword, "app-password"),
    ];
}

/// A data key as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// Name of a [`KeyPurpose`], or the name of a previous key.
    pub purpose: String,
    pub master: MasterKeyId,
    pub wrapped: Vec<u8>,
}

/// The data keys that a rotation renews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Only the key that seals secrets: they can be sealed again, but hashes cannot be computed
    /// again.
    Seal,
    All,
}

/// Name of the previous sealing key, which is kept while it has sealed bytes in the store.
const SEAL_BEFORE: &str = "seal-before";

/// The unwrapped data keys.
#[derive(Clone)]
pub(super) struct DataKeys {
    /// In the order of [`KeyPurpose::NAMES`].
    current: Vec<MasterKey>,
    seal_before: Option<MasterKey>,
    /// Newest first. They are kept for ever, since floors outlive their secrets; they unseal
    /// nothing.
    fingerprints_before: Vec<MasterKey>,
}

impl DataKeys {
    pub(super) fn random() -> Result<DataKeys, VaultError> {
        let current = KeyPurpose::NAMES.iter().map(|_| random());
        Ok(DataKeys {
            current: current.collect::<Result<_, _>>()?,
            seal_before: None,
            fingerprints_before: Vec::new(),
        })
    }

    /// Unwraps the data keys of a store.
    pub(super) fn open(
        masters: &MasterKeys,
        wrapped: &[WrappedKey],
    ) -> Result<DataKeys, VaultError> {
        let find = |name: &str| wrapped.iter().find(|w| w.purpose == name);
        let open = |wrapped: &WrappedKey| open(masters, wrapped);
        let current = KeyPurpose::NAMES
            .iter()
            .map(|(_, name)| open(find(name).ok_or(VaultError::Incomplete)?))
            .collect::<Result<_, _>>()?;
        let seal_before = find(SEAL_BEFORE).map(open).transpose()?;
        let fingerprints_before = (1..)
            .map_while(|age| find(&fingerprint_before(age)).map(open))
            .collect::<Result<_, _>>()?;
        Ok(DataKeys {
            current,
            seal_before,
            fingerprints_before,
        })
    }

    /// Wraps all of them with the newest master key.
    pub(super) fn wrap(&self, masters: &MasterKeys) -> Result<Vec<WrappedKey>, VaultError> {
        let (master, master_key) = masters.newest();
        let names = KeyPurpose::NAMES.map(|(_, name)| name.to_owned());
        let current = names.into_iter().zip(&self.current);
        let seal_before = [SEAL_BEFORE.to_owned()].into_iter().zip(&self.seal_before);
        let fingerprints_before = (1..).map(fingerprint_before).zip(&self.fingerprints_before);
        current
            .chain(seal_before)
            .chain(fingerprints_before)
            .map(|(purpose, key)| {
                let wrapped = seal(master_key, &**key, &wrap_data(&purpose))?;
                Ok(WrappedKey {
                    purpose,
                    master,
                    wrapped,
                })
            })
            .collect()
    }

    /// Returns the next keys, which include those that previous bytes and fingerprints need.
    pub(super) fn renew(&self, renewal: Renewal) -> Result<DataKeys, VaultError> {
        let seal_before = Some(self.current_key(KeyPurpose::Seal).clone());
        Ok(match renewal {
            Renewal::Seal => {
                let mut renewed = DataKeys {
                    seal_before,
                    ..self.clone()
                };
                renewed.current[KeyPurpose::Seal as usize] = random()?;
                renewed
            }
            Renewal::All => {
                let mut fingerprints_before =
                    vec![self.current_key(KeyPurpose::Fingerprint).clone()];
                fingerprints_before.extend(self.fingerprints_before.iter().cloned());
                DataKeys {
                    seal_before,
                    fingerprints_before,
                    ..DataKeys::random()?
                }
            }
        })
    }

    /// Returns the keys with new ones for cookies and tokens.
    pub(super) fn renew_token_keys(&self) -> Result<DataKeys, VaultError> {
        let mut renewed = self.clone();
        for purpose in [KeyPurpose::Session, KeyPurpose::Token, KeyPurpose::Browser] {
            renewed.current[purpose as usize] = random()?;
        }
        Ok(renewed)
    }

    /// Returns the keys without the previous sealing key, once nothing is sealed with it.
    pub(super) fn without_previous_key(&self) -> DataKeys {
        DataKeys {
            seal_before: None,
            ..self.clone()
        }
    }

    /// Returns the key in use.
    pub(super) fn current_key(&self, purpose: KeyPurpose) -> &MasterKey {
        &self.current[purpose as usize]
    }

    pub(super) fn previous_seal_key(&self) -> Option<&MasterKey> {
        self.seal_before.as_ref()
    }

    /// Returns every key that ever made fingerprints, newest first.
    pub(super) fn fingerprints(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(self.current_key(KeyPurpose::Fingerprint)).chain(&self.fingerprints_before)
    }
}

fn fingerprint_before(age: usize) -> String {
    format!("fingerprint-before-{age}")
}

fn random() -> Result<MasterKey, VaultError> {
    let mut key = MasterKey::default();
    fill_random(&mut *key)?;
    Ok(key)
}

fn open(masters: &MasterKeys, wrapped: &WrappedKey) -> Result<MasterKey, VaultError> {
    let master = masters.find(&wrapped.master).ok_or(VaultError::WrongKey)?;
    let plain = unseal(master, &wrapped.wrapped, &wrap_data(&wrapped.purpose))
        .ok_or(VaultError::WrongKey)?;
    let mut key = MasterKey::default();
    if plain.len() != key.len() {
        return Err(VaultError::Incomplete);
    }
    key.copy_from_slice(&plain);
    Ok(key)
}

fn wrap_data(purpose: &str) -> Vec<u8> {
    format!("postern data key\0{purpose}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masters() -> MasterKeys {
        MasterKeys::generate().unwrap().0
    }

    #[test]
    fn purposes_are_listed_in_the_order_of_their_declaration() {
        for (position, (purpose, _)) in KeyPurpose::NAMES.into_iter().enumerate() {
            assert_eq!(purpose as usize, position);
        }
    }

    #[test]
    fn another_master_key_unwraps_nothing() {
        let masters = masters();
        let wrapped = DataKeys::random().unwrap().wrap(&masters).unwrap();
        assert!(matches!(
            DataKeys::open(&self::masters(), &wrapped),
            Err(VaultError::WrongKey)
        ));
        assert!(matches!(
            DataKeys::open(&masters, &wrapped[1..]),
            Err(VaultError::Incomplete)
        ));
    }

    #[test]
    fn data_keys_cannot_be_exchanged() {
        let masters = masters();
        let mut wrapped = DataKeys::random().unwrap().wrap(&masters).unwrap();
        wrapped[0].purpose = "recovery".to_owned();
        wrapped[1].purpose = "seal".to_owned();
        assert!(matches!(
            DataKeys::open(&masters, &wrapped),
            Err(VaultError::WrongKey)
        ));
    }

    #[test]
    fn a_rotation_renews_only_the_sealing_key() {
        let keys = DataKeys::random().unwrap();
        let renewed = keys.renew(Renewal::Seal).unwrap();
        for (purpose, _) in KeyPurpose::NAMES {
            assert_eq!(
                keys.current_key(purpose) == renewed.current_key(purpose),
                purpose != KeyPurpose::Seal,
                "{purpose:?}"
            );
        }
        assert!(renewed.previous_seal_key() == Some(keys.current_key(KeyPurpose::Seal)));
        assert!(renewed.without_previous_key().previous_seal_key().is_none());
    }

    #[test]
    fn a_renewal_of_all_keys_keeps_the_keys_of_old_fingerprints() {
        let first = DataKeys::random().unwrap();
        let second = first.renew(Renewal::All).unwrap();
        let third = second.renew(Renewal::All).unwrap();
        for (purpose, _) in KeyPurpose::NAMES {
            assert!(
                first.current_key(purpose) != second.current_key(purpose),
                "{purpose:?}"
            );
        }
        let masters = masters();
        let read = DataKeys::open(&masters, &third.wrap(&masters).unwrap()).unwrap();
        let expected =
            [&third, &second, &first].map(|keys| keys.current_key(KeyPurpose::Fingerprint));
        assert!(read.fingerprints().eq(expected));
        assert!(read.previous_seal_key() == Some(second.current_key(KeyPurpose::Seal)));
    }
}
