//! The files of a host that has joined: its key, its certificate, and the authority of its fleet.
//! Root writes them; posternd writes a renewed certificate into a file that root has made.

use super::tls;
use crate::config::FleetConfig;
use crate::crypto::fleet::authority::{Fingerprint, TlsIdentity};
use crate::crypto::fleet::host_key::{HostSealKey, HostSealPurpose};
use crate::system::trusted_file::{self, FileError, Follow, Privacy};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where posternd keeps a renewed certificate.
pub const RENEWED: &str = "/var/lib/postern/host.crt";

/// Size limit of each file, in bytes.
const LARGEST: u64 = 64 * 1024;

/// What a host proves itself with, and whom it trusts.
pub struct HostFiles {
    pub identity: TlsIdentity,
    pub authority: CertificateDer<'static>,
}

/// A file of the host cannot be used.
#[derive(Debug)]
pub enum HostFileError {
    File(FileError),
    /// The file holds no key or no certificate (PEM).
    Content(PathBuf, &'static str),
}

impl From<FileError> for HostFileError {
    fn from(error: FileError) -> HostFileError {
        HostFileError::File(error)
    }
}

impl fmt::Display for HostFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = "have this host join with postern host join";
        match self {
            HostFileError::File(error) => write!(f, "{error}; {join}"),
            HostFileError::Content(path, what) => {
                write!(f, "{}: holds no {what}; {join}", path.display())
            }
        }
    }
}

impl std::error::Error for HostFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            HostFileError::File(error) => Some(error),
            HostFileError::Content(..) => None,
        }
    }
}

impl HostFiles {
    /// Reads the files. `renewed` names a certificate that takes the place of the one in
    /// `fleet.cert_file`, if it holds one.
    ///
    /// # Errors
    /// [`HostFileError`]; a renewed certificate that cannot be read is none.
    pub fn read(fleet: &FleetConfig, renewed: Option<&Path>) -> Result<HostFiles, HostFileError> {
        let key_file = fleet.key_file.path();
        let pem = trusted_file::read_trusted(key_file, Privacy::Secret, Follow::Yes, LARGEST)?;
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| HostFileError::Content(key_file.to_owned(), "private key"))?;
        let renewed = renewed.and_then(read_renewed);
        let certificate = match renewed {
            Some(certificate) => certificate,
            None => read_certificate(fleet.cert_file.path())?,
        };
        Ok(HostFiles {
            identity: TlsIdentity {
                chain: vec![certificate],
                key,
            },
            authority: read_certificate(fleet.ca_file.path())?,
        })
    }
}

impl HostFiles {
    /// Derives a key from the private key of the host.
    pub fn derive_seal_key(&self, purpose: HostSealPurpose) -> HostSealKey {
        HostSealKey::derive(self.identity.key.secret_der(), purpose)
    }

    /// Returns the fingerprint of the public key, by which the servers know the host.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let key = tls::public_key(self.identity.chain.first()?)?;
        Some(key.fingerprint())
    }
}

/// Reads a certificate that posternd wrote. It need not be trusted: with a wrong one, the server
/// refuses the host.
fn read_renewed(path: &Path) -> Option<CertificateDer<'static>> {
    let mut pem = Vec::new();
    let file = File::open(path).ok()?;
    file.take(LARGEST).read_to_end(&mut pem).ok()?;
    CertificateDer::from_pem_slice(&pem).ok()
}

fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, HostFileError> {
    let pem = trusted_file::read_trusted(path, Privacy::Public, Follow::Yes, LARGEST)?;
    CertificateDer::from_pem_slice(&pem)
        .map_err(|_| HostFileError::Content(path.to_owned(), "certificate"))
}

/// Returns a certificate as PEM (RFC 7468).
pub fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let text = data_encoding::BASE64.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
