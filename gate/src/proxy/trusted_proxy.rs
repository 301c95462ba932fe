//! Authenticates proxies. A check, and a client's address, are taken only from a trusted proxy that
//! proves itself by its secret, by a client certificate, or by an address that no other process can
//! use.
//!
//! MUST NOT take a peer that is listed as a proxy for a browser.

use super::identity::Identity;
use crate::http::header_fields::single_value;
use hyper::HeaderMap;
use hyper::header::HeaderName;
use postern_shared::config::ProxySecrets;
use postern_shared::config::gate::{
    GateConfig, IdentityHeader, ProxyKind, ProxyPeer, TrustedProxy,
};
use postern_shared::system::network::address::Address;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Header with the proxy's secret.
pub(super) static HEADER: HeaderName = HeaderName::from_static("x-postern-proxy");

/// Connection that a request arrived on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProxyConnection {
    /// Address of the peer, none on a unix socket.
    pub(crate) address: Option<Address>,
    /// Whether a client certificate was verified.
    pub(crate) certificate: bool,
    /// Whether the connection uses the gate's own TLS.
    pub(crate) encrypted: bool,
}

/// Trusted proxies, with their secrets.
pub(crate) struct TrustedProxies {
    proxies: Vec<TrustedPeer>,
    insecure_loopback: bool,
}

struct TrustedPeer {
    proxy: ProxyKind,
    from: Vec<ProxyPeer>,
    secret: Option<Zeroizing<Vec<u8>>>,
    certificate: bool,
    identity_header: Option<IdentityHeader>,
}

/// A trusted proxy that has proven itself. Only [`TrustedProxies::authenticate`] makes this value.
#[derive(Clone, Copy)]
pub(crate) struct ProvenProxy<'a> {
    pub(crate) kind: ProxyKind,
    identity_header: Option<&'a IdentityHeader>,
}

impl ProvenProxy<'_> {
    /// Returns the user that the proxy names.
    pub(crate) fn parse_identity(&self, headers: &HeaderMap) -> Identity {
        match self.identity_header {
            Some(header) => Identity::parse(headers, header.as_str()),
            None => Identity::NotProvided,
        }
    }
}

/// A peer that proved to be no trusted proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UntrustedPeer {
    peer: ProxyConnection,
    reason: UntrustedReason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum UntrustedReason {
    /// No entry of `gate.trusted_proxies` lists the peer.
    NotListed,
    /// The entry requires a secret, and the peer sent none, another one, or two.
    Secret(ProxyKind),
    /// The entry requires a client certificate.
    Certificate(ProxyKind),
    /// The entry requires no proof, and any local process can use the address.
    Local(ProxyKind),
    /// The peer is a proxy with another contract.
    Contract(ProxyKind),
}

impl UntrustedPeer {
    /// Returns the address of a browser that connects directly: over the gate's own TLS, from an
    /// address that no proxy has and no local process can use.
    pub(crate) fn as_browser(&self, insecure_loopback: bool) -> Option<Address> {
        let address = self
            .peer
            .address
            .filter(|_| self.reason == UntrustedReason::NotListed)?;
        let comes_by_itself = match address.is_loopback() {
            true => insecure_loopback,
            false => self.peer.encrypted,
        };
        comes_by_itself.then_some(address)
    }
}

const NO_SECRET: &str = "does not send the secret of its secret_file as the only X-Postern-Proxy";
const NO_CERTIFICATE: &str =
    "shows no client certificate of gate.tls.client_ca_file, which certificate = true requires";
const NO_PROOF: &str =
    "proves nothing by its address, which any local process can use: set secret_file";
const OTHER_CONTRACT: &str =
    "uses the check endpoint of another proxy: correct proxy, or the URL of its check";

/// Names the peer and the key to set.
impl fmt::Display for UntrustedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer.address {
            Some(address) => write!(f, "the peer {address} is ")?,
            None => f.write_str("the peer on the unix socket is ")?,
        }
        let (proxy, why) = match self.reason {
            UntrustedReason::NotListed => {
                return f.write_str("not listed in from of gate.trusted_proxies");
            }
            UntrustedReason::Secret(proxy) => (proxy, NO_SECRET),
            UntrustedReason::Certificate(proxy) => (proxy, NO_CERTIFICATE),
            UntrustedReason::Local(proxy) => (proxy, NO_PROOF),
            UntrustedReason::Contract(proxy) => (proxy, OTHER_CONTRACT),
        };
        let proxy = proxy.name();
        write!(f, "listed in gate.trusted_proxies as {proxy}, and {why}")
    }
}

impl TrustedProxies {
    /// `secrets` are those that [`postern_shared::config::check_gate`] read.
    pub(crate) fn new(gate: &GateConfig, secrets: ProxySecrets) -> TrustedProxies {
        let entry = |(trusted, secret): (&TrustedProxy, Option<Zeroizing<Vec<u8>>>)| TrustedPeer {
            proxy: trusted.proxy,
            from: trusted.from.clone(),
            secret,
            certificate: trusted.certificate,
            identity_header: trusted.identity_header.clone(),
        };
        let proxies = gate
            .trusted_proxies
            .iter()
            .zip(secrets.in_order())
            .map(entry)
            .collect();
        TrustedProxies {
            proxies,
            insecure_loopback: gate.insecure_loopback,
        }
    }

    /// Returns the trusted proxy that sent a request, if it proves itself. `contract` is that of
    /// the endpoint, none at the gate's own pages.
    pub(crate) fn authenticate(
        &self,
        connection: ProxyConnection,
        headers: &HeaderMap,
        contract: Option<ProxyKind>,
    ) -> Result<ProvenProxy<'_>, UntrustedPeer> {
        let secret_header = match single_value(headers, &HEADER) {
            Ok(Some(entry)) => entry.as_bytes(),
            _ => b"",
        };
        let mut reason = UntrustedReason::NotListed;
        for entry in self.proxies.iter().filter(|entry| {
            entry
                .from
                .iter()
                .any(|peer| peer.covers(connection.address))
        }) {
            match self.missing_proof(entry, connection, secret_header) {
                None if contract.is_none_or(|contract| entry.proxy == contract) => {
                    return Ok(ProvenProxy {
                        kind: entry.proxy,
                        identity_header: entry.identity_header.as_ref(),
                    });
                }
                None => reason = UntrustedReason::Contract(entry.proxy),
                Some(missing) if reason == UntrustedReason::NotListed => reason = missing,
                Some(_) => {}
            }
        }
        Err(UntrustedPeer {
            peer: connection,
            reason,
        })
    }

    /// Returns the proof that a listed peer lacks.
    fn missing_proof(
        &self,
        entry: &TrustedPeer,
        connection: ProxyConnection,
        secret_header: &[u8],
    ) -> Option<UntrustedReason> {
        let local = connection
            .address
            .is_none_or(|address| address.is_loopback());
        match &entry.secret {
            // Where an entry requires both a certificate and a secret, one of them does not
            // suffice.
            _ if entry.certificate && !connection.certificate => {
                Some(UntrustedReason::Certificate(entry.proxy))
            }
            Some(secret) if !are_equal(secret, secret_header) => {
                Some(UntrustedReason::Secret(entry.proxy))
            }
            None if !entry.certificate && local && !self.insecure_loopback => {
                Some(UntrustedReason::Local(entry.proxy))
            }
            _ => None,
        }
    }

    /// Returns the headers in which proxies of this contract name a user.
    pub(crate) fn identity_headers(
        &self,
        contract: ProxyKind,
    ) -> impl Iterator<Item = &str> + Clone {
        let of_contract = move |entry: &&TrustedPeer| entry.proxy == contract;
        let entries = self.proxies.iter().filter(of_contract);
        entries.filter_map(|entry| Some(entry.identity_header.as_ref()?.as_str()))
    }

    pub(crate) fn is_proxy(&self, address: Address) -> bool {
        self.proxies
            .iter()
            .any(|entry| entry.from.iter().any(|peer| peer.covers(Some(address))))
    }
}

/// Compares secrets in constant time, eight bytes at once: that takes a sixth of the instructions of
/// a comparison byte by byte. Their lengths are not secret.
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
    let (words, others) = (one.chunks_exact(8), other.chunks_exact(8));
    let rest = words.remainder().ct_eq(others.remainder());
    let all = words.zip(others).fold(rest, |equal, (one, other)| {
        equal & word(one).ct_eq(&word(other))
    });
    one.len() == other.len() && bool::from(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_shared::config::{Config, check_gate};

    const SECRET: &str = "0123456789abcdef";

    /// Reads a configuration, in which `SECRET` is replaced by a file that holds it.
    fn trusted_proxies_of(proxies: &str) -> TrustedProxies {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, SECRET).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let text = format!("[gate]\nurl = \"https://app.example.com/_postern/\"\n{proxies}");
        let text = text.replace("SECRET", &format!("\"{}\"", path.display()));
        let config: Config = toml(&text);
        let secrets = check_gate(&path, Some(&text), &config).unwrap();
        TrustedProxies::new(&config.gate, secrets)
    }

    fn toml(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        std::fs::write(&path, "# none\n").unwrap();
        postern_shared::config::file::validate_with_accounts(&path, text.to_owned())
            .unwrap()
            .config
    }

    fn peer(address: &str, encrypted: bool) -> ProxyConnection {
        ProxyConnection {
            address: Address::parse(address),
            certificate: false,
            encrypted,
        }
    }

    #[test]
    fn secrets_are_equal_if_every_byte_is() {
        let secret: Vec<u8> = (1..=40).collect();
        for length in 0..secret.len() {
            let whole = &secret[..length];
            assert!(are_equal(whole, whole), "{length}");
            assert!(!are_equal(whole, &secret[..length + 1]), "{length}");
            for at in 0..length {
                let mut changed = whole.to_vec();
                changed[at] ^= 0x80;
                assert!(!are_equal(whole, &changed), "{length} {at}");
            }
        }
    }

    fn with_secrets(secrets: &[&str]) -> HeaderMap {
        crate::proxy::original_request::headers(
            &secrets
                .iter()
                .map(|secret| (HEADER.as_str(), *secret))
                .collect::<Vec<_>>(),
        )
    }

    /// A listed proxy without its secret was served as a browser at its own address, which an
    /// exemption may cover.
    #[test]
    fn a_listed_peer_without_proof_is_no_browser() {
        let list = "[[gate.trusted_proxies]]\nproxy = \"nginx\"\nfrom = [\"192.0.2.0/24\", \"unix\"]\nsecret_file = SECRET\n";
        let trusted_proxies = trusted_proxies_of(list);
        let at = |peer: ProxyConnection, secrets: &[&str]| {
            trusted_proxies
                .authenticate(peer, &with_secrets(secrets), None)
                .map(|proxy| proxy.kind)
        };
        assert_eq!(at(peer("192.0.2.7", true), &[SECRET]), Ok(ProxyKind::Nginx));
        for secrets in [
            &[][..],
            &["another-secret-of-16"],
            &[SECRET, SECRET],
            &["x", SECRET],
            &[""],
        ] {
            for from in ["192.0.2.7", ""] {
                let untrusted = at(peer(from, true), secrets).unwrap_err();
                assert_eq!(untrusted.as_browser(true), None, "{secrets:?}");
                let message = untrusted.to_string();
                assert!(
                    message.contains("is listed in gate.trusted_proxies as nginx")
                        && message.contains("secret_file"),
                    "{message}"
                );
            }
        }
    }

    #[test]
    fn an_unlisted_peer_is_a_browser_over_tls_alone() {
        let trusted_proxies = trusted_proxies_of("");
        for (from, encrypted, insecure, is_browser) in [
            ("198.51.100.9", true, false, true),
            ("198.51.100.9", false, false, false),
            ("198.51.100.9", false, true, false),
            ("127.0.0.1", true, false, false),
            ("127.0.0.1", false, true, true),
            ("", false, true, false),
        ] {
            let untrusted = trusted_proxies
                .authenticate(peer(from, encrypted), &with_secrets(&[]), None)
                .err()
                .unwrap();
            let browser = Address::parse(from).filter(|_| is_browser);
            assert_eq!(
                untrusted.as_browser(insecure),
                browser,
                "{from} {encrypted} {insecure}"
            );
            assert!(
                untrusted
                    .to_string()
                    .contains("not listed in from of gate.trusted_proxies"),
                "{untrusted}"
            );
        }
    }

    /// With certificate = true and an empty secret, a missing header was the right one.
    #[test]
    fn where_both_are_required_neither_a_secret_nor_a_certificate_suffices() {
        let list = "[[gate.trusted_proxies]]\nproxy = \"traefik\"\nfrom = [\"192.0.2.7\"]\nsecret_file = SECRET\ncertificate = true\n";
        let trusted_proxies = trusted_proxies_of(list);
        let certified = ProxyConnection {
            certificate: true,
            ..peer("192.0.2.7", true)
        };
        assert!(
            trusted_proxies
                .authenticate(certified, &with_secrets(&[SECRET]), None)
                .is_ok()
        );
        for (peer, secrets) in [
            (certified, &[][..]),
            (certified, &[""]),
            (peer("192.0.2.7", true), &[SECRET]),
        ] {
            assert!(
                trusted_proxies
                    .authenticate(peer, &with_secrets(secrets), None)
                    .is_err()
            );
        }
    }

    #[test]
    fn a_proxy_must_use_the_endpoint_of_its_contract() {
        let entry = |proxy: &str| {
            format!(
                "[[gate.trusted_proxies]]\nproxy = \"{proxy}\"\nfrom = [\"192.0.2.7\"]\nsecret_file = SECRET\n"
            )
        };
        let both = trusted_proxies_of(&(entry("nginx") + &entry("traefik")));
        let nginx = trusted_proxies_of(&entry("nginx"));
        let at = |trusted_proxies: &TrustedProxies, contract| {
            trusted_proxies
                .authenticate(
                    peer("192.0.2.7", false),
                    &with_secrets(&[SECRET]),
                    Some(contract),
                )
                .map(|proxy| proxy.kind)
        };
        assert_eq!(at(&both, ProxyKind::Traefik), Ok(ProxyKind::Traefik));
        assert_eq!(at(&both, ProxyKind::Nginx), Ok(ProxyKind::Nginx));
        let untrusted = at(&nginx, ProxyKind::Traefik).unwrap_err();
        assert!(
            untrusted
                .to_string()
                .contains("uses the check endpoint of another proxy")
                && untrusted.as_browser(true).is_none()
        );
    }
}
