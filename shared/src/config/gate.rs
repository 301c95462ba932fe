//! `[gate]`: where the gate listens, whom it believes, what it asks for.

pub(super) mod administration;
mod first_factor;

pub use administration::AdministrationConfig;
pub use first_factor::{FirstFactorSource, HOST_PASSWORD_SERVICE, IdentityHeader, PamServiceFile};

use super::AbsolutePath;
use super::branding::BrandingConfig;
pub use super::listen::{Listen, Operations};
use super::rule::GateRule;
use super::value::Duration;
use crate::credential::scope::{ScopeName, WebScope};
use crate::network::address::{Address, Network};
use crate::network::web_address::{WebPath, is_host};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[gate]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// Where the browser finds the gate: a host of its own, or a path of the protected host.
    pub url: Option<GateUrl>,
    /// Where proxies and browsers reach it.
    pub listen: Vec<Listen>,
    /// Certificate of the TCP listeners.
    pub tls: Option<TlsConfig>,
    /// What proves a person before the code.
    pub first_factor: FirstFactorSource,
    /// The service that PAM is asked by for a password of this host.
    pub pam_service: PamServiceFile,
    /// The parent domain that sessions are good for, where the gate has a host of its own.
    pub cookie_domain: Option<Domain>,
    /// Applications that are not trusted: the gate's pages at a path of their own host, and sessions good there alone.
    pub application_urls: Vec<GateUrl>,
    /// How long a session lasts.
    pub session_lifetime: Duration<300, 2_592_000>,
    /// How long a browser is trusted.
    pub trusted_browser_lifetime: Duration<3600, 31_536_000>,
    /// Whether programs may carry tokens in headers instead of cookies.
    pub api_tokens: bool,
    /// Whether an address alone proves a proxy on loopback and the unix socket.
    pub insecure_loopback: bool,
    /// Whom checks and client addresses are taken from.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Scopes of app passwords, by name.
    pub scope: BTreeMap<ScopeName, WebScope>,
    /// What it takes to enter where; the first that matches.
    pub rule: Vec<GateRule>,
    /// Where monitoring finds readiness and metrics.
    pub operations: Option<Operations>,
    /// How lines of the log are written.
    pub log: LogFormat,
    /// Whether the log has a line for each check and page, too.
    pub access_log: bool,
    /// How its pages look.
    pub branding: BrandingConfig,
    /// Administration through it.
    pub administration: AdministrationConfig,
}

impl Default for GateConfig {
    fn default() -> GateConfig {
        GateConfig {
            url: None,
            listen: vec![Listen::Unix(PathBuf::from("/run/postern/gate.sock"))],
            tls: None,
            first_factor: FirstFactorSource::default(),
            pam_service: PamServiceFile::default(),
            cookie_domain: None,
            application_urls: Vec::new(),
            session_lifetime: Duration::new(12 * 3600),
            trusted_browser_lifetime: Duration::new(30 * 24 * 3600),
            api_tokens: false,
            insecure_loopback: false,
            trusted_proxies: Vec::new(),
            scope: BTreeMap::new(),
            rule: Vec::new(),
            operations: None,
            log: LogFormat::Text,
            access_log: false,
            branding: BrandingConfig::default(),
            administration: AdministrationConfig::default(),
        }
    }
}

/// `gate.log`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Words and key=value, as fail2ban reads them.
    Text,
    /// One object a line.
    Json,
}

/// `gate.url`, taken apart: always https, and the path ends with a slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GateUrl {
    /// Host, with a port that is not 443.
    pub authority: String,
    /// `/` on a host of its own.
    pub path: String,
}

impl GateUrl {
    /// The host without a port.
    pub fn host(&self) -> &str {
        self.authority.split(':').next().unwrap_or_default()
    }

    /// Whether the gate has a host of its own.
    pub fn has_own_host(&self) -> bool {
        self.path == "/"
    }

    /// Scheme and authority, as browsers write an origin.
    pub fn origin(&self) -> String {
        format!("https://{}", self.authority)
    }
}

impl TryFrom<String> for GateUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<GateUrl, Self::Error> {
        const WHAT: &str = "must be https://HOST/ or https://HOST/PATH/, without a query";
        let rest = url.strip_prefix("https://").ok_or(WHAT)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if !is_host(host)
            || port.parse::<u16>().is_err()
            || !path.chars().all(plain)
            || path.contains("..")
        {
            return Err(WHAT);
        }
        let path = match path.trim_matches('/') {
            "" => "/".to_owned(),
            inner => format!("/{inner}/"),
        };
        // browsers leave this port out
        let authority = authority.strip_suffix(":443").unwrap_or(authority);
        WebPath::parse(&path).map_err(|_| WHAT)?;
        Ok(GateUrl {
            authority: authority.to_ascii_lowercase(),
            path,
        })
    }
}

impl From<GateUrl> for String {
    fn from(url: GateUrl) -> String {
        format!("{}{}", url.origin(), url.path)
    }
}

/// A domain and everything below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl Domain {
    /// The domain, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a host, in lower case, is the domain or lies below it.
    pub fn covers(&self, host: &str) -> bool {
        host.strip_suffix(&self.0)
            .is_some_and(|front| front.is_empty() || front.ends_with('.'))
    }
}

impl TryFrom<String> for Domain {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Domain, Self::Error> {
        let text = text.trim_start_matches('.').to_ascii_lowercase();
        if is_host(&text) {
            Ok(Domain(text))
        } else {
            Err("must be a domain such as example.com")
        }
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> String {
        domain.0
    }
}

/// `[gate.tls]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificate chain, PEM.
    pub cert_file: AbsolutePath,
    /// Its key, PEM.
    pub key_file: AbsolutePath,
    /// The authority of client certificates that prove a proxy, PEM.
    #[serde(default)]
    pub client_ca_file: Option<AbsolutePath>,
}

/// Which contract a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyKind {
    /// nginx: auth_request; the client's address in X-Real-IP.
    Nginx,
    /// Traefik: ForwardAuth; the client's address in X-Forwarded-For.
    Traefik,
}

impl ProxyKind {
    /// The word in postern.toml.
    pub fn name(self) -> &'static str {
        match self {
            ProxyKind::Nginx => "nginx",
            ProxyKind::Traefik => "traefik",
        }
    }
}

/// `[[gate.trusted_proxies]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedProxy {
    /// Its contract.
    pub proxy: ProxyKind,
    /// Where it connects from.
    pub from: Vec<ProxyPeer>,
    /// Holds the secret that it sends as X-Postern-Proxy.
    #[serde(default)]
    pub secret_file: Option<AbsolutePath>,
    /// Whether a client certificate of `gate.tls.client_ca_file` proves it.
    #[serde(default)]
    pub certificate: bool,
    /// The header in which it says who is there, where it has established that.
    #[serde(default)]
    pub identity_header: Option<IdentityHeader>,
}

/// Where a proxy connects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProxyPeer {
    /// A unix socket.
    Unix,
    /// A network.
    Network(Network),
}

impl ProxyPeer {
    /// Whether a peer is meant: an address, or none on a unix socket.
    pub fn covers(&self, peer: Option<Address>) -> bool {
        match (self, peer) {
            (ProxyPeer::Unix, None) => true,
            (ProxyPeer::Network(network), Some(address)) => network.contains(address),
            _ => false,
        }
    }
}

impl TryFrom<String> for ProxyPeer {
    type Error = &'static str;

    fn try_from(text: String) -> Result<ProxyPeer, Self::Error> {
        match text.as_str() {
            "unix" => Ok(ProxyPeer::Unix),
            _ => Network::try_from(text)
                .map(ProxyPeer::Network)
                .map_err(|_| "must be \"unix\", an address, or a network such as 192.0.2.0/24"),
        }
    }
}

impl From<ProxyPeer> for String {
    fn from(from: ProxyPeer) -> String {
        match from {
            ProxyPeer::Unix => "unix".to_owned(),
            ProxyPeer::Network(network) => network.into(),
        }
    }
}
