//! The authenticator: makes keys, and signs as U2F and PROTOCOL.u2f of OpenSSH describe it. Its user
//! touches it unless [`TOUCH`] says otherwise, and is verified by the [`PIN`].

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};

/// The PIN of the key.
pub const PIN: &str = "246813";
/// The environment variable that, with the value `no`, keeps the user's finger off the key.
pub const TOUCH: &str = "POSTERN_TEST_SECURITY_KEY_TOUCH";

/// Flags of a request and of a signature.
pub(crate) const USER_PRESENT: u8 = 0x01;
pub(crate) const USER_VERIFIED: u8 = 0x04;
/// The flag of a request for a key that the authenticator itself keeps.
const RESIDENT: u8 = 0x20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    EcdsaP256,
    Ed25519,
}

/// A failure, as sk-api.h numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Failure {
    General = -1,
    Unsupported = -2,
    PinRequired = -3,
}

pub(crate) struct EnrolledKey {
    pub(crate) public_key: Vec<u8>,
    pub(crate) key_handle: Vec<u8>,
}

pub(crate) struct Signature {
    pub(crate) flags: u8,
    pub(crate) counter: u32,
    /// R of ECDSA, or the whole signature of Ed25519.
    pub(crate) r: Vec<u8>,
    /// S of ECDSA.
    pub(crate) s: Vec<u8>,
}

/// What is to be signed, and how the user takes part.
pub(crate) struct SigningRequest<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) data: &'a [u8],
    pub(crate) application: &'a [u8],
    pub(crate) key_handle: &'a [u8],
    pub(crate) flags: u8,
    pub(crate) pin: Option<&'a [u8]>,
}

impl Algorithm {
    pub(crate) fn from_number(number: u32) -> Result<Algorithm, Failure> {
        match number {
            0 => Ok(Algorithm::EcdsaP256),
            1 => Ok(Algorithm::Ed25519),
            _ => Err(Failure::Unsupported),
        }
    }
}

/// Makes a key. A key that is to verify its user needs the PIN from the beginning.
pub(crate) fn enroll(
    algorithm: Algorithm,
    flags: u8,
    pin: Option<&[u8]>,
) -> Result<EnrolledKey, Failure> {
    if flags & RESIDENT != 0 {
        return Err(Failure::Unsupported);
    }
    verify_user(flags, pin)?;
    let random = SystemRandom::new();
    let (key_handle, public_key) = match algorithm {
        Algorithm::EcdsaP256 => {
            let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
            let made = made.map_err(|_| Failure::General)?.as_ref().to_vec();
            let public = ecdsa_key(&made)?.public_key().as_ref().to_vec();
            (made, public)
        }
        Algorithm::Ed25519 => {
            let made = Ed25519KeyPair::generate_pkcs8(&random);
            let made = made.map_err(|_| Failure::General)?.as_ref().to_vec();
            let public = ed25519_key(&made)?.public_key().as_ref().to_vec();
            (made, public)
        }
    };
    Ok(EnrolledKey {
        public_key,
        key_handle,
    })
}

/// Signs the hash of the application, flags, counter and the hash of the data.
pub(crate) fn sign(request: &SigningRequest<'_>) -> Result<Signature, Failure> {
    let mut flags = verify_user(request.flags, request.pin)?;
    if std::env::var_os(TOUCH).is_none_or(|touch| touch != "no") {
        flags |= USER_PRESENT;
    }
    // sshd does not look at the counter
    let counter = 1;
    let mut message = digest(&SHA256, request.application).as_ref().to_vec();
    message.push(flags);
    message.extend(u32::to_be_bytes(counter));
    message.extend(digest(&SHA256, request.data).as_ref());
    let (r, s) = match request.algorithm {
        Algorithm::EcdsaP256 => {
            let made = ecdsa_key(request.key_handle)?.sign(&SystemRandom::new(), &message);
            let made = made.map_err(|_| Failure::General)?;
            let (r, s) = made.as_ref().split_at(32);
            (r.to_vec(), s.to_vec())
        }
        Algorithm::Ed25519 => {
            let made = ed25519_key(request.key_handle)?.sign(&message);
            (made.as_ref().to_vec(), Vec::new())
        }
    };
    Ok(Signature {
        flags,
        counter,
        r,
        s,
    })
}

/// Returns the flag of a verified user, where one is asked for.
fn verify_user(flags: u8, pin: Option<&[u8]>) -> Result<u8, Failure> {
    match (flags & USER_VERIFIED, pin) {
        (0, _) => Ok(0),
        (_, Some(pin)) if pin == PIN.as_bytes() => Ok(USER_VERIFIED),
        _ => Err(Failure::PinRequired),
    }
}

fn ecdsa_key(key_handle: &[u8]) -> Result<EcdsaKeyPair, Failure> {
    let random = SystemRandom::new();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key_handle, &random)
        .map_err(|_| Failure::General)
}

fn ed25519_key(key_handle: &[u8]) -> Result<Ed25519KeyPair, Failure> {
    Ed25519KeyPair::from_pkcs8(key_handle).map_err(|_| Failure::General)
}
