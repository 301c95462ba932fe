//! The certificate authority of a fleet: certificates of its servers, which it makes with a key each,
//! and of its hosts, whose keys it never sees.
//!
//! A certificate proves no more than that the authority issued it. Whether a host may ask is decided
//! by the fingerprint of its key, which the store keeps.

use crate::account::host::HostName;
use crate::system::clock::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
    SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Name that every server's certificate is for. Hosts find a server by the URL that they are
/// configured with, and trust no authority but the one of their fleet.
pub const SERVER_NAME: &str = "server.postern.internal";

/// Lifetimes of certificates, in seconds. A server makes its own again each day.
const OF_AUTHORITY: u64 = 30 * 365 * DAY;
const OF_SERVER: u64 = 7 * DAY;
pub const OF_HOST: u64 = 90 * DAY;
const DAY: u64 = 24 * 3600;
/// How far the clock of a host may be behind, in seconds.
const CLOCK_SLACK: u64 = DAY;

/// SubjectPublicKeyInfo (RFC 5480) of a P-256 key up to its point, which is not compressed.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Bytes of such a point.
const POINT: usize = 65;

/// SHA-256 of a certificate or a public key.
pub type Fingerprint = [u8; 32];

/// Returns the fingerprint of a certificate.
pub fn certificate_fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Sha256::digest(certificate).into()
}

/// The public key of a host: a point of P-256.
#[derive(Clone, PartialEq, Eq)]
pub struct HostPublicKey([u8; POINT]);

impl HostPublicKey {
    /// Parses the DER encoding of a SubjectPublicKeyInfo.
    pub fn parse(spki: &[u8]) -> Option<HostPublicKey> {
        let point: [u8; POINT] = spki.strip_prefix(&P256_PREFIX)?.try_into().ok()?;
        (point[0] == 4).then_some(HostPublicKey(point))
    }

    /// Returns the SHA-256 of the SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Fingerprint {
        Sha256::new()
            .chain_update(P256_PREFIX)
            .chain_update(self.0)
            .finalize()
            .into()
    }
}

impl PublicKeyData for HostPublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// The key of a host, which never leaves it.
pub struct HostKey(KeyPair);

impl HostKey {
    pub fn generate() -> Result<HostKey, CertificateError> {
        Ok(HostKey(generate_key()?))
    }

    /// Returns the SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// Returns the private key as PEM, for its file.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }
}

/// A certificate with its private key, for TLS.
pub struct TlsIdentity {
    /// The certificate, and that of the authority.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// The authority: its certificate and its key.
pub struct FleetAuthority {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl FleetAuthority {
    pub fn create(now: Timestamp) -> Result<FleetAuthority, CertificateError> {
        let key = generate_key()?;
        let parameters = authority_parameters(now);
        let certificate = parameters.self_signed(&key).map_err(CertificateError)?;
        Ok(FleetAuthority {
            certificate: certificate.der().clone(),
            key,
        })
    }

    /// Opens the authority with this certificate and this PKCS #8 key.
    pub fn open(certificate: Vec<u8>, key: &[u8]) -> Result<FleetAuthority, CertificateError> {
        let der = PrivatePkcs8KeyDer::from(key);
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256);
        Ok(FleetAuthority {
            certificate: certificate.into(),
            key: key.map_err(CertificateError)?,
        })
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Returns the key as PKCS #8.
    pub(crate) fn key(&self) -> &[u8] {
        self.key.serialized_der()
    }

    /// Returns the fingerprint of the certificate, by which an invitation names the authority.
    pub fn fingerprint(&self) -> Fingerprint {
        certificate_fingerprint(&self.certificate)
    }

    /// Issues a certificate of a server, with a new key.
    pub fn issue_to_server(&self, now: Timestamp) -> Result<TlsIdentity, CertificateError> {
        let key = generate_key()?;
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        let parameters = leaf_parameters(SERVER_NAME, usage, now, OF_SERVER)?;
        let certificate = self.sign(&parameters, &key, now)?;
        let der = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(TlsIdentity {
            chain: vec![certificate, self.certificate.clone()],
            key: der.into(),
        })
    }

    /// Issues a certificate of a host for its key; it is no certificate of a server.
    pub fn issue_to_host(
        &self,
        name: &HostName,
        key: &HostPublicKey,
        now: Timestamp,
    ) -> Result<CertificateDer<'static>, CertificateError> {
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        let parameters = leaf_parameters(name.as_str(), usage, now, OF_HOST)?;
        self.sign(&parameters, key, now)
    }

    fn sign(
        &self,
        parameters: &CertificateParams,
        key: &impl PublicKeyData,
        now: Timestamp,
    ) -> Result<CertificateDer<'static>, CertificateError> {
        let issuer = Issuer::new(authority_parameters(now), &self.key);
        let signed = parameters.signed_by(key, &issuer);
        Ok(signed.map_err(CertificateError)?.der().clone())
    }
}

fn generate_key() -> Result<KeyPair, CertificateError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CertificateError)
}

/// Returns the parameters of the authority's certificate. What it issues names it by its subject.
fn authority_parameters(now: Timestamp) -> CertificateParams {
    let mut parameters = named("Postern fleet", now, OF_AUTHORITY);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

fn leaf_parameters(
    name: &str,
    usage: ExtendedKeyUsagePurpose,
    now: Timestamp,
    lifetime: u64,
) -> Result<CertificateParams, CertificateError> {
    let name_of_dns = name.try_into().map_err(CertificateError)?;
    let mut parameters = named(name, now, lifetime);
    parameters.subject_alt_names = vec![SanType::DnsName(name_of_dns)];
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![usage];
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

fn named(name: &str, now: Timestamp, lifetime: u64) -> CertificateParams {
    let epoch = date_time_ymd(1970, 1, 1);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = epoch + Duration::from_secs(now.minus(CLOCK_SLACK).0);
    parameters.not_after = epoch + Duration::from_secs(now.plus(lifetime).0);
    parameters
}

/// A key or a certificate cannot be made.
#[derive(Debug)]
pub struct CertificateError(rcgen::Error);

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a certificate of the fleet cannot be made: {}", self.0)
    }
}

impl std::error::Error for CertificateError {}
