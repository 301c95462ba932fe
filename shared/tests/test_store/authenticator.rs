//! An authenticator in software: it makes passkeys and signs as W3C Web Authentication says. What it
//! says of itself can be chosen.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use postern_shared::credential::passkey::response::{AssertionResponse, RegistrationResponse};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// One passkey with its private key.
pub(crate) struct SoftAuthenticator {
    key: EcdsaKeyPair,
    random: SystemRandom,
    pub(crate) id: Vec<u8>,
    pub(crate) counter: u32,
    pub(crate) verifies_user: bool,
    pub(crate) rp_id: &'static str,
    pub(crate) origin: &'static str,
    pub(crate) user_handle: Option<Vec<u8>>,
    /// Whether its client says that the page was in a frame of another origin.
    pub(crate) is_cross_origin: bool,
    /// Whether its counter is always 0, as that of a synchronized passkey.
    pub(crate) keeps_no_counter: bool,
}

impl SoftAuthenticator {
    pub(crate) fn new(id: &[u8]) -> SoftAuthenticator {
        let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        SoftAuthenticator {
            key: EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap(),
            random,
            id: id.to_vec(),
            counter: 0,
            verifies_user: true,
            rp_id: "auth.example.com",
            origin: "https://auth.example.com",
            user_handle: None,
            is_cross_origin: false,
            keeps_no_counter: false,
        }
    }

    fn client_data(&self, ceremony: &str, challenge: &str) -> Vec<u8> {
        let data = json!({
            "type": ceremony, "challenge": challenge, "origin": self.origin,
            "crossOrigin": self.is_cross_origin,
        });
        data.to_string().into_bytes()
    }

    fn authenticator_data(&mut self, more: u8) -> Vec<u8> {
        self.counter += u32::from(!self.keeps_no_counter);
        let verified = if self.verifies_user { USER_VERIFIED } else { 0 };
        let mut data = digest(&SHA256, self.rp_id.as_bytes()).as_ref().to_vec();
        data.push(USER_PRESENT | verified | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    pub(crate) fn registers(&mut self, challenge: &str) -> RegistrationResponse {
        let mut data = self.authenticator_data(ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        let point = self.key.public_key().as_ref();
        data.extend(HEXLOWER.decode(b"a5010203262001215820").unwrap());
        data.extend(&point[1..33]);
        data.extend(HEXLOWER.decode(b"225820").unwrap());
        data.extend(&point[33..]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend(data);
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let response = json!({
            "rawId": encode(&self.id), "type": "public-key",
            "response": {
                "clientDataJSON": encode(&self.client_data("webauthn.create", challenge)),
                "attestationObject": encode(&object),
            },
        });
        RegistrationResponse::parse(&response.to_string()).unwrap()
    }

    pub(crate) fn asserts(&mut self, challenge: &str) -> AssertionResponse {
        let data = self.authenticator_data(0);
        let client_data = self.client_data("webauthn.get", challenge);
        let hash = digest(&SHA256, &client_data);
        let message = [data.as_slice(), hash.as_ref()].concat();
        let signature = self.key.sign(&self.random, &message).unwrap();
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let response = json!({
            "rawId": encode(&self.id), "type": "public-key",
            "response": {
                "clientDataJSON": encode(&client_data),
                "authenticatorData": encode(&data),
                "signature": encode(signature.as_ref()),
                "userHandle": self.user_handle.as_ref().map(|handle| encode(handle)),
            },
        });
        AssertionResponse::parse(&response.to_string()).unwrap()
    }
}
