//! Whom the gate believes: a check or a client's address is taken only from a proxy that proves itself, by its
//! secret, by a client certificate, or by its address where no stranger can stand.

use crate::identity::Identity;
use hyper::HeaderMap;
use shared::config::gate::{Gate, IdentityHeader, Peer, Proxy};
use shared::files::{self, FileError, Follow, Privacy};
use shared::place::Address;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The header in which a proxy shows its secret.
const HEADER: &str = "x-postern-proxy";
/// The most that is read of a secret file, in bytes.
const LARGEST: u64 = 4096;

/// Who connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connected {
    /// The peer's address; none on a unix socket.
    pub(crate) address: Option<Address>,
    /// Whether a client certificate was verified.
    pub(crate) certificate: bool,
}

/// The trusted proxies with their secrets read.
pub(crate) struct Believed {
    proxies: Vec<One>,
    insecure_loopback: bool,
}

struct One {
    proxy: Proxy,
    from: Vec<Peer>,
    secret: Option<Zeroizing<Vec<u8>>>,
    certificate: bool,
    identity_header: Option<IdentityHeader>,
}

/// The proxy that a request comes through, which has proven itself.
#[derive(Clone, Copy)]
pub(crate) struct Through<'a> {
    /// Its contract.
    pub(crate) proxy: Proxy,
    identity_header: Option<&'a IdentityHeader>,
}

impl Through<'_> {
    /// Who it says is there.
    pub(crate) fn identity(&self, headers: &HeaderMap) -> Identity {
        match self.identity_header {
            Some(header) => Identity::read(headers, header.as_str()),
            None => Identity::NotBrought,
        }
    }
}

impl Believed {
    pub(crate) fn read(gate: &Gate) -> Result<Believed, FileError> {
        let mut proxies = Vec::new();
        for trusted in &gate.trusted_proxies {
            let secret = match &trusted.secret_file {
                None => None,
                Some(path) => {
                    let bytes = files::read(path.path(), Privacy::Secret, Follow::Yes, LARGEST)?;
                    Some(Zeroizing::new(bytes.trim_ascii().to_vec()))
                }
            };
            proxies.push(One {
                proxy: trusted.proxy,
                from: trusted.from.clone(),
                secret,
                certificate: trusted.certificate,
                identity_header: trusted.identity_header.clone(),
            });
        }
        Ok(Believed { proxies, insecure_loopback: gate.insecure_loopback })
    }

    /// The proxy that a request comes through, if it proves itself.
    pub(crate) fn proxy(&self, connected: Connected, headers: &HeaderMap) -> Option<Through<'_>> {
        let shown = headers.get(HEADER).map_or(&b""[..], |value| value.as_bytes());
        let local = connected.address.is_none_or(|address| address.is_loopback());
        let proves = |one: &&One| {
            if !one.from.iter().any(|peer| peer.covers(connected.address)) {
                return false;
            }
            match (&one.secret, one.certificate) {
                (Some(secret), false) => secret.len() >= 16 && bool::from(secret.as_slice().ct_eq(shown)),
                (None, true) => connected.certificate,
                (Some(secret), true) => connected.certificate && bool::from(secret.as_slice().ct_eq(shown)),
                (None, false) => !local || self.insecure_loopback,
            }
        };
        let one = self.proxies.iter().find(proves)?;
        Some(Through { proxy: one.proxy, identity_header: one.identity_header.as_ref() })
    }

    /// Whether an address is one of a trusted proxy's.
    pub(crate) fn is_proxy(&self, address: Address) -> bool {
        self.proxies.iter().any(|one| one.from.iter().any(|peer| peer.covers(Some(address))))
    }
}
