//! Tests of sealing and hashing: a sealed secret is bound to its account, and a rotation loses nothing.

use super::*;
use crate::credential::otp::totp::{Algorithm, OtpKind};

const PARAMETERS: OtpParameters = OtpParameters {
    algorithm: Algorithm::Sha1,
    digits: 6,
    moving: OtpKind::Time { period: 30 },
};

fn vault() -> Vault {
    let (masters, _) = MasterKeys::generate().unwrap();
    Vault::open(&masters, &Vault::create(&masters).unwrap()).unwrap()
}

#[test]
fn a_secret_is_unsealed_only_with_its_own_binding() {
    let (vault, secret) = (vault(), Secret::random().unwrap());
    let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
    let bound = |account, name, parameters| SecretBinding {
        account,
        name,
        parameters,
    };
    let binding = bound(1, &alice, PARAMETERS);
    let sealed = vault.seal(&secret, &binding).unwrap();
    assert!(vault.unseal(&sealed, &binding).unwrap() == secret);

    let eight = OtpParameters {
        digits: 8,
        ..PARAMETERS
    };
    for other in [
        bound(2, &alice, PARAMETERS),
        bound(1, &bob, PARAMETERS),
        bound(1, &alice, eight),
    ] {
        assert!(matches!(
            vault.unseal(&sealed, &other),
            Err(VaultError::Sealed(_))
        ));
    }
    for position in [0, NONCE, sealed.len() - 1] {
        let mut altered = sealed.clone();
        altered[position] ^= 1;
        assert!(vault.unseal(&altered, &binding).is_err());
    }
    assert!(vault.unseal(&[], &binding).is_err());
}

#[test]
fn bytes_of_the_previous_key_are_unsealed_until_it_is_dropped() {
    let (masters, _) = MasterKeys::generate().unwrap();
    let open = |wrapped: &[WrappedKey]| Vault::open(&masters, wrapped).unwrap();
    let (first, secret) = (
        open(&Vault::create(&masters).unwrap()),
        Secret::random().unwrap(),
    );
    let alice = "alice".parse().unwrap();
    let binding = SecretBinding {
        account: 1,
        name: &alice,
        parameters: PARAMETERS,
    };
    let old = first.seal(&secret, &binding).unwrap();

    let between = open(&first.renew_keys(Renewal::Seal, &masters).unwrap());
    assert!(between.has_previous_key() && between.unseal(&old, &binding).unwrap() == secret);
    let Ok(Resealed::Replaced(new)) = between.reseal(&old, &binding.bytes()) else {
        panic!("not renewed")
    };
    assert_eq!(new.len(), old.len());
    assert!(matches!(
        between.reseal(&new, &binding.bytes()),
        Ok(Resealed::Current)
    ));
    let other_account = SecretBinding {
        account: 2,
        ..binding
    };
    assert!(matches!(
        between.reseal(&old, &other_account.bytes()),
        Ok(Resealed::Damaged)
    ));

    let after = open(&between.drop_previous_key(&masters).unwrap());
    assert!(!after.has_previous_key() && after.unseal(&new, &binding).unwrap() == secret);
    assert!(matches!(
        after.unseal(&old, &binding),
        Err(VaultError::Sealed(_))
    ));
    assert!(
        matches!(first.unseal(&new, &binding), Err(VaultError::Sealed(_))),
        "an old backup's key"
    );
}

#[test]
fn a_recovery_hash_belongs_to_one_account() {
    let vault = vault();
    let hash = |account| vault.recovery_hash(account, "ABCDEFGH23");
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn eight_digits_have_the_fingerprint_of_six() {
    let (vault, secret) = (vault(), Secret::random().unwrap());
    let of = |digits, period| {
        let parameters = OtpParameters {
            digits,
            moving: OtpKind::Time { period },
            ..PARAMETERS
        };
        vault.fingerprint(&secret, parameters)
    };
    assert_eq!(of(6, 30), of(8, 30));
    assert_ne!(of(6, 30), of(6, 60));
}
