//! The vectors of the standard, and each of them with one thing changed.

use super::vectors::{
    NONE_ES256, NONE_ES256_CROSS_ORIGIN, NONE_ES256_TOP_ORIGIN, PACKED_EDDSA, PACKED_RS256,
    PACKED_SELF_ES256, Vector,
};
use super::*;
use data_encoding::HEXLOWER;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

const SUPPORTED: [Vector; 4] = [NONE_ES256, PACKED_SELF_ES256, PACKED_RS256, PACKED_EDDSA];

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).expect("hexadecimal")
}

fn challenge(hex: &str) -> PasskeyChallenge {
    PasskeyChallenge(bytes(hex).try_into().expect("32 bytes"))
}

fn request(challenge: &PasskeyChallenge) -> PasskeyRequest<'_> {
    PasskeyRequest {
        rp_id: "example.org",
        origin: "https://example.org",
        challenge,
        requires_user_verification: false,
    }
}

fn registers(vector: &Vector) -> Result<StoredPasskey, PasskeyRefusal> {
    verify_registration(
        &request(&challenge(vector.registration_challenge)),
        vector.registration_client_data.as_bytes(),
        &bytes(vector.attestation_object),
    )
}

/// An assertion of a vector, parts of which can be changed.
struct Changed {
    rp_id: &'static str,
    origin: &'static str,
    challenge: PasskeyChallenge,
    requires_user_verification: bool,
    passkey: StoredPasskey,
    client_data: Vec<u8>,
    data: Vec<u8>,
    signature: Vec<u8>,
}

impl Changed {
    fn of(vector: &Vector) -> Changed {
        Changed {
            rp_id: "example.org",
            origin: "https://example.org",
            challenge: challenge(vector.assertion_challenge),
            requires_user_verification: false,
            passkey: registers(vector).expect("it is registered"),
            client_data: vector.assertion_client_data.into(),
            data: bytes(vector.authenticator_data),
            signature: bytes(vector.signature),
        }
    }

    fn verify(&self) -> Result<AcceptedPasskey, PasskeyRefusal> {
        let request = PasskeyRequest {
            rp_id: self.rp_id,
            origin: self.origin,
            challenge: &self.challenge,
            requires_user_verification: self.requires_user_verification,
        };
        let assertion = Assertion {
            client_data: &self.client_data,
            authenticator_data: &self.data,
            signature: &self.signature,
        };
        verify_assertion(&request, &self.passkey, &assertion)
    }
}

/// Returns why the assertion is refused after a change.
fn refused(vector: &Vector, change: impl FnOnce(&mut Changed)) -> PasskeyRefusal {
    let mut changed = Changed::of(vector);
    changed.verify().expect("it is accepted unchanged");
    change(&mut changed);
    changed.verify().expect_err("it is refused")
}

#[test]
fn the_vectors_of_the_standard_are_registered_and_accepted() {
    for vector in &SUPPORTED {
        let passkey = registers(vector);
        let passkey = passkey.unwrap_or_else(|e| panic!("section {}: {e}", vector.section));
        let again = PasskeyPublicKey::parse(passkey.public_key.as_cose());
        assert_eq!(again.as_ref(), Ok(&passkey.public_key));
        assert_eq!(passkey.id.as_bytes().len(), 32);
        let accepted = Changed::of(vector).verify();
        let accepted = accepted.unwrap_or_else(|e| panic!("section {}: {e}", vector.section));
        assert_eq!(accepted.counter(), 0);
    }
    assert!(registers(&NONE_ES256).is_ok_and(|passkey| passkey.is_backup_eligible));
    assert!(registers(&PACKED_EDDSA).is_ok_and(|passkey| !passkey.is_backup_eligible));
}

#[test]
fn a_page_in_a_frame_of_another_origin_is_refused() {
    for vector in [NONE_ES256_CROSS_ORIGIN, NONE_ES256_TOP_ORIGIN] {
        assert_eq!(registers(&vector), Err(PasskeyRefusal::CrossOrigin));
        // The same key at an honest page, so that only the assertion is at fault.
        let framed = vector.registration_client_data;
        let honest = framed.replace(r#","crossOrigin":true"#, "");
        let honest = honest.replace(r#","topOrigin":"https://example.com""#, "");
        let passkey = verify_registration(
            &request(&challenge(vector.registration_challenge)),
            honest.as_bytes(),
            &bytes(vector.attestation_object),
        );
        let changed = Changed {
            passkey: passkey.expect("it is registered"),
            ..Changed::of(&NONE_ES256)
        };
        let changed = Changed {
            challenge: challenge(vector.assertion_challenge),
            client_data: vector.assertion_client_data.into(),
            data: bytes(vector.authenticator_data),
            signature: bytes(vector.signature),
            ..changed
        };
        assert_eq!(changed.verify(), Err(PasskeyRefusal::CrossOrigin));
    }
}

#[test]
fn each_part_of_an_assertion_counts() {
    use PasskeyRefusal as Refusal;
    for vector in &SUPPORTED {
        for origin in [
            "https://example.com",
            "https://www.example.org",
            "http://example.org",
            "https://example.org/",
            "https://example.org:443",
            "https://EXAMPLE.org",
        ] {
            assert_eq!(refused(vector, |c| c.origin = origin), Refusal::Origin);
        }
        for rp_id in ["example.com", "org", "www.example.org", ""] {
            assert_eq!(refused(vector, |c| c.rp_id = rp_id), Refusal::RelyingParty);
        }
        let other = challenge(vector.registration_challenge);
        assert_eq!(refused(vector, |c| c.challenge = other), Refusal::Challenge);
        let registration = vector.registration_client_data;
        assert_eq!(
            refused(vector, |c| c.client_data = registration.into()),
            Refusal::Ceremony
        );
        assert_eq!(refused(vector, |c| c.data[32] ^= 1), Refusal::UserPresence);
        // the counter, the flag of user verification, the hash of the client data
        assert_eq!(refused(vector, |c| c.data[36] ^= 1), Refusal::Signature);
        assert_eq!(refused(vector, |c| c.data[32] ^= 4), Refusal::Signature);
        assert_eq!(
            refused(vector, |c| c.client_data.insert(1, b' ')),
            Refusal::Signature
        );
        let last = bytes(vector.signature).len() - 1;
        for at in [0, last / 2, last] {
            assert_eq!(
                refused(vector, |c| c.signature[at] ^= 1),
                Refusal::Signature
            );
        }
        for length in [0, 1, last] {
            assert_eq!(
                refused(vector, |c| c.signature.truncate(length)),
                Refusal::Signature
            );
        }
    }
}

#[test]
fn a_passkey_of_another_account_or_algorithm_verifies_nothing() {
    for vector in &SUPPORTED {
        for other in SUPPORTED.iter().filter(|v| v.section != vector.section) {
            let passkey = registers(other).expect("it is registered");
            let eligible = Changed::of(vector).passkey.is_backup_eligible;
            let key_alone = StoredPasskey {
                is_backup_eligible: eligible,
                ..passkey
            };
            assert_eq!(
                refused(vector, |c| c.passkey = key_alone),
                PasskeyRefusal::Signature
            );
        }
    }
}

#[test]
fn user_verification_is_demanded_where_it_is_required() {
    // Section 16.2's authenticator did not verify its user.
    assert_eq!(
        refused(&NONE_ES256, |c| c.requires_user_verification = true),
        PasskeyRefusal::UserVerification
    );
    let strict = challenge(NONE_ES256.registration_challenge);
    let strict = PasskeyRequest {
        requires_user_verification: true,
        ..request(&strict)
    };
    assert_eq!(
        verify_registration(
            &strict,
            NONE_ES256.registration_client_data.as_bytes(),
            &bytes(NONE_ES256.attestation_object),
        ),
        Err(PasskeyRefusal::UserVerification)
    );
}

/// A PIN that was set later may be a finder's.
#[test]
fn a_key_that_verified_nobody_at_its_registration_never_counts_as_verified() {
    let mut changed = Changed::of(&PACKED_SELF_ES256);
    let accepted = changed.verify().expect("it is accepted");
    assert!(!accepted.is_user_verified(), "the vector's is not");
    changed.passkey.verifies_user = false;
    changed.requires_user_verification = true;
    assert_eq!(changed.verify(), Err(PasskeyRefusal::UserVerification));
}

#[test]
fn a_change_of_what_may_be_backed_up_is_refused() {
    assert_eq!(
        refused(&NONE_ES256, |c| c.passkey.is_backup_eligible = false),
        PasskeyRefusal::BackupEligibility
    );
    // Backed up, though not eligible: no authenticator data at all.
    let format = PasskeyRefusal::Format(FormatError::AuthenticatorData);
    assert_eq!(refused(&NONE_ES256, |c| c.data[32] ^= 8), format);
}

/// An authenticator of this program, whose counter is set at will.
struct Authenticator {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Authenticator {
    fn new() -> Authenticator {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
        Authenticator { key, random }
    }

    fn passkey(&self, counter: u32) -> StoredPasskey {
        let point = self.key.public_key().as_ref();
        let mut cose = bytes("a5010203262001215820");
        cose.extend(&point[1..33]);
        cose.extend(bytes("225820"));
        cose.extend(&point[33..]);
        StoredPasskey {
            id: CredentialId::new(b"id").expect("its length is right"),
            public_key: PasskeyPublicKey::parse(&cose).expect("a key"),
            counter,
            is_backup_eligible: false,
            is_backed_up: false,
            verifies_user: true,
        }
    }

    fn asserts(&self, stored: u32, sent: u32) -> Result<u32, PasskeyRefusal> {
        let mut changed = Changed::of(&PACKED_EDDSA);
        changed.passkey = self.passkey(stored);
        changed.data[33..].copy_from_slice(&sent.to_be_bytes());
        let hash = Sha256::digest(&changed.client_data);
        let message = [changed.data.as_slice(), hash.as_slice()].concat();
        let signature = self.key.sign(&self.random, &message).expect("it signs");
        changed.signature = signature.as_ref().to_vec();
        changed.verify().map(|accepted| accepted.counter())
    }
}

#[test]
fn a_counter_must_rise_where_there_is_one() {
    let authenticator = Authenticator::new();
    for (stored, sent) in [(0, 0), (0, 1), (1, 2), (7, u32::MAX)] {
        assert_eq!(authenticator.asserts(stored, sent), Ok(sent));
    }
    for (stored, sent) in [(1, 0), (1, 1), (9, 8), (u32::MAX, u32::MAX)] {
        let refusal = authenticator.asserts(stored, sent);
        assert_eq!(refusal, Err(PasskeyRefusal::Counter), "{stored} {sent}");
    }
}

#[test]
fn client_data_that_can_be_read_in_two_ways_is_refused() {
    let format = PasskeyRefusal::Format(FormatError::ClientData);
    let own = NONE_ES256.assertion_client_data;
    let twice = |field: &str| own.replacen('{', &format!("{{{field},"), 1);
    for text in [
        twice(r#""origin":"https://example.com""#),
        twice(r#""type":"webauthn.get""#),
        twice(r#""challenge":"AA""#),
        own.replace("webauthn.get\"", "webauthn.get\"\u{0}"),
        own.replace(r#""https://example.org""#, "7"),
        format!("\u{feff}{own}"),
        format!("{own}{own}"),
        "[]".to_owned(),
        "{}".to_owned(),
        String::new(),
        "[".repeat(100_000),
        own.replace('}', &format!(",\"a\":\"{}\"}}", "x".repeat(20_000))),
    ] {
        assert_eq!(
            refused(&NONE_ES256, |c| c.client_data = text.clone().into_bytes()),
            format,
            "{text:.80}"
        );
    }
}

#[test]
fn authenticator_data_is_what_its_flags_announce() {
    let format = PasskeyRefusal::Format(FormatError::AuthenticatorData);
    for change in [
        (|data: &mut Vec<u8>| data.push(0)) as fn(&mut Vec<u8>),
        |data| data.truncate(36),
        |data| data.clear(),
        // a passkey that does not follow; extensions that do not; extensions that are no map
        |data| data[32] |= 0x40,
        |data| data[32] |= 0x80,
        |data| {
            data[32] |= 0x80;
            data.push(0x80);
        },
    ] {
        assert_eq!(refused(&NONE_ES256, |c| change(&mut c.data)), format);
    }
}

#[test]
fn registrations_cut_short_or_lengthened_are_refused_at_every_byte() {
    for vector in &SUPPORTED {
        let whole = bytes(vector.attestation_object);
        let challenge = challenge(vector.registration_challenge);
        let verify = |object: &[u8]| {
            let client_data = vector.registration_client_data.as_bytes();
            verify_registration(&request(&challenge), client_data, object)
        };
        for length in 0..whole.len() {
            assert!(verify(&whole[..length]).is_err(), "{length}");
        }
        assert!(verify(&[whole.as_slice(), &[0]].concat()).is_err());
        assert!(verify(&[]).is_err());
    }
}

#[test]
fn keys_that_fit_no_algorithm_are_refused() {
    let key = "a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61\
               225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220";
    let parse = |hex: &str| PasskeyPublicKey::parse(&bytes(hex)).map(|_| ());
    assert_eq!(parse(key), Ok(()));
    let error = Err(FormatError::PublicKey);
    // the curve P-384, the type of RSA, a label twice, one coordinate too short, one missing
    assert_eq!(parse(&key.replace("2001", "2002")), error);
    assert_eq!(parse(&key.replacen("0102", "0103", 1)), error);
    assert_eq!(
        parse(&key.replacen("a501020326", "a6010203260326", 1)),
        error
    );
    assert_eq!(parse(&key.replacen("215820af", "21581f", 1)), error);
    assert_eq!(parse(&key.replacen("a5", "a4", 1)), error);
    assert_eq!(parse(&format!("{key}00")), error);
    // ES512, and no algorithm of COSE
    assert_eq!(
        parse(&key.replacen("0326", "033823", 1)),
        Err(FormatError::Algorithm)
    );
    assert_eq!(
        parse(&key.replacen("0326", "0300", 1)),
        Err(FormatError::Algorithm)
    );
    // deep and endless CBOR
    assert_eq!(parse(&"a1".repeat(5000)), error);
    assert_eq!(parse(&"81".repeat(5000)), error);
    assert_eq!(parse("bb7fffffffffffffff"), error);
    assert_eq!(parse("5b7fffffffffffffff"), error);
    assert_eq!(parse("a1015b00000000ffffffff"), error);
    // more entries than any key has
    let many: String = (0..200)
        .map(|key| format!("18{:02x}00", 24 + key))
        .collect();
    assert_eq!(parse(&format!("b8c8{many}")), error);
}

#[test]
fn a_point_outside_the_curve_verifies_nothing() {
    let mut changed = Changed::of(&NONE_ES256);
    let mut cose = changed.passkey.public_key.as_cose().to_vec();
    *cose.last_mut().expect("a byte") ^= 1;
    changed.passkey.public_key = PasskeyPublicKey::parse(&cose).expect("it has the form of a key");
    assert_eq!(changed.verify(), Err(PasskeyRefusal::Signature));
}

#[test]
fn a_point_outside_the_curve_is_not_registered() {
    let mut cose = Changed::of(&NONE_ES256)
        .passkey
        .public_key
        .as_cose()
        .to_vec();
    assert!(PasskeyPublicKey::parse(&cose).unwrap().is_on_curve());
    let object = bytes(NONE_ES256.attestation_object);
    let at = object
        .windows(cose.len())
        .position(|part| part == cose)
        .expect("the object has the key");
    *cose.last_mut().expect("a byte") ^= 1;
    assert!(!PasskeyPublicKey::parse(&cose).unwrap().is_on_curve());
    let mut changed = object;
    changed[at..at + cose.len()].copy_from_slice(&cose);
    let registered = verify_registration(
        &request(&challenge(NONE_ES256.registration_challenge)),
        NONE_ES256.registration_client_data.as_bytes(),
        &changed,
    );
    assert_eq!(registered, Err(FormatError::PublicKey.into()));
}
