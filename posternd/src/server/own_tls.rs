//! The TLS configuration of this server for hosts of a fleet, with a certificate of its own.

use postern_shared::system::clock::Timestamp;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;

/// Age in seconds at which the server makes itself another certificate, by the clock: a machine
/// may have been suspended.
const LIFETIME: u64 = 24 * 3600;

pub(super) struct OwnTls {
    pub(super) issued: Timestamp,
    /// The certificate of the authority that issued it.
    pub(super) authority: CertificateDer<'static>,
    pub(super) config: Arc<ServerConfig>,
}

impl OwnTls {
    /// Whether it is used on, where this is the certificate of the authority now: new keys have
    /// another.
    pub(super) fn is_current(&self, authority: Option<&[u8]>, now: Timestamp) -> bool {
        authority == Some(&*self.authority)
            && self.issued <= now
            && now.since(self.issued) < LIFETIME
    }
}
