//! `[gate]`: the gate's URL and listeners, the proxies it trusts, sessions, scopes and rules.

pub(super) mod administration;
pub mod branding;
mod check;
mod first_factor;
mod listen;
mod passkeys;
pub mod rule;

pub use administration::AdministrationConfig;
pub use branding::BrandingConfig;
pub use check::{ProxySecrets, check_cookie_domain, check_gate, registrable_domain};
pub use first_factor::{FirstFactorSource, HOST_PASSWORD_SERVICE, IdentityHeader, PamServiceFile};
pub use listen::{ListenAddress, Listeners, OperationsListener};
pub use passkeys::{PasskeysConfig, UserVerification};
use rule::GateRule;

use super::AbsolutePath;
use super::value::Duration;
use crate::credential::scope::{ScopeName, WebScope};
use crate::system::network::address::{Address, Network};
use crate::system::network::web_address::{WebPath, is_host};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The table `[gate]` of postern.toml.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// The gate's URL: a host of its own, or a path of the protected host.
    pub url: Option<GateUrl>,
    /// Listeners for proxies and browsers.
    pub listen: Listeners,
    /// Certificate of the `tls:` listeners.
    pub tls: Option<TlsConfig>,
    /// How the first factor is verified.
    pub first_factor: FirstFactorSource,
    /// PAM service that verifies passwords of this host.
    pub pam_service: PamServiceFile,
    /// Domain of session cookies, if the gate has a host of its own.
    pub cookie_domain: Option<CookieDomain>,
    /// Applications that are not trusted: the gate's pages are served at a path of the
    /// application's host, and its sessions are valid there only.
    pub application_urls: Vec<GateUrl>,
    pub session_lifetime: Duration<300, 2_592_000, { 12 * 3600 }>,
    /// Time without a request after which a session ends; unset: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Duration<300, 2_592_000>>,
    pub trusted_browser_lifetime: Duration<3600, 31_536_000, { 30 * 24 * 3600 }>,
    /// Whether programs may send tokens in headers instead of cookies.
    pub api_tokens: bool,
    /// Whether the address alone identifies a proxy on loopback and on the Unix socket.
    pub insecure_loopback: bool,
    /// Proxies whose checks and client addresses are accepted.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Scopes of app passwords, by name.
    pub scope: BTreeMap<ScopeName, WebScope>,
    /// Access rules; the first that matches decides.
    pub rule: Vec<GateRule>,
    /// Listener for readiness and metrics.
    pub operations: Option<OperationsListener>,
    /// Format of log lines.
    pub log: LogFormat,
    /// Whether each check and page request is logged.
    pub access_log: bool,
    pub branding: BrandingConfig,
    pub administration: AdministrationConfig,
    pub passkeys: PasskeysConfig,
}

/// The value of the key `gate.log`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Words and `key=value` pairs, as fail2ban reads them.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// `gate.url`, parsed: the scheme is https, and the path ends with a slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GateUrl {
    /// Host, with the port if it is not 443.
    pub authority: String,
    /// `/` if the gate has a host of its own.
    pub path: String,
}

impl GateUrl {
    /// Returns the host without the port.
    pub fn host(&self) -> &str {
        self.authority.split(':').next().unwrap_or_default()
    }

    pub fn has_own_host(&self) -> bool {
        self.path == "/"
    }

    /// Returns scheme and authority in the form of the Origin header.
    pub fn origin(&self) -> String {
        format!("https://{}", self.authority)
    }
}

impl TryFrom<String> for GateUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<GateUrl, Self::Error> {
        const EXPECTED: &str = "must be https://HOST/ or https://HOST/PATH/, without a query";
        let rest = url.strip_prefix("https://").ok_or(EXPECTED)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if !is_host(host)
            || port.parse::<u16>().is_err()
            || !path.chars().all(plain)
            || path.contains("..")
        {
            return Err(EXPECTED);
        }
        let path = match path.trim_matches('/') {
            "" => "/".to_owned(),
            inner => format!("/{inner}/"),
        };
        // browsers omit the default port
        let authority = authority.strip_suffix(":443").unwrap_or(authority);
        WebPath::parse(&path).map_err(|_| EXPECTED)?;
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

/// A domain and all hosts below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct CookieDomain(String);

impl CookieDomain {
    /// Returns the domain in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a host in lower case is the domain or lies below it.
    pub fn covers(&self, host: &str) -> bool {
        host.strip_suffix(&self.0)
            .is_some_and(|front| front.is_empty() || front.ends_with('.'))
    }
}

impl TryFrom<String> for CookieDomain {
    type Error = &'static str;

    fn try_from(text: String) -> Result<CookieDomain, Self::Error> {
        let text = text.trim_start_matches('.').to_ascii_lowercase();
        if is_host(&text) {
            Ok(CookieDomain(text))
        } else {
            Err("must be a domain such as example.com")
        }
    }
}

/// The table `[gate.tls]` of postern.toml.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificate chain (PEM).
    pub cert_file: AbsolutePath,
    pub key_file: AbsolutePath,
    /// CA of the client certificates that identify proxies (PEM).
    #[serde(default)]
    pub client_ca_file: Option<AbsolutePath>,
}

/// The proxy contract: which headers the proxy sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyKind {
    /// nginx with auth_request; the client's address is in X-Real-IP.
    Nginx,
    /// Traefik with ForwardAuth; here and below, the client's address is in X-Forwarded-For.
    Traefik,
    /// Caddy with forward_auth.
    Caddy,
    /// HAProxy with postern.lua.
    Haproxy,
    /// Envoy with ext_authz over HTTP.
    Envoy,
    /// Apache with mod_authnz_fcgi, at a `fastcgi:` listener.
    Apache,
    /// nginx with a configuration that was written for Authelia's endpoint auth-request.
    #[serde(rename = "authelia-auth-request")]
    AutheliaAuthRequest,
    /// Traefik, Caddy and others with a configuration for Authelia's endpoint forward-auth.
    #[serde(rename = "authelia-forward-auth")]
    AutheliaForwardAuth,
    /// Envoy with a configuration for Authelia's endpoint ext-authz.
    #[serde(rename = "authelia-ext-authz")]
    AutheliaExtAuthz,
}

impl ProxyKind {
    pub const ALL: [ProxyKind; 9] = [
        ProxyKind::Nginx,
        ProxyKind::Traefik,
        ProxyKind::Caddy,
        ProxyKind::Haproxy,
        ProxyKind::Envoy,
        ProxyKind::Apache,
        ProxyKind::AutheliaAuthRequest,
        ProxyKind::AutheliaForwardAuth,
        ProxyKind::AutheliaExtAuthz,
    ];

    /// Returns the name in postern.toml. For a proxy with a sample configuration, it is also that of
    /// the check's endpoint, and for `postern print-config`.
    pub fn name(self) -> &'static str {
        match self {
            ProxyKind::Nginx => "nginx",
            ProxyKind::Traefik => "traefik",
            ProxyKind::Caddy => "caddy",
            ProxyKind::Haproxy => "haproxy",
            ProxyKind::Envoy => "envoy",
            ProxyKind::Apache => "apache",
            ProxyKind::AutheliaAuthRequest => "authelia-auth-request",
            ProxyKind::AutheliaForwardAuth => "authelia-forward-auth",
            ProxyKind::AutheliaExtAuthz => "authelia-ext-authz",
        }
    }

    /// Whether the proxy's configuration was written for Authelia: then it is not known which proxy
    /// it is, and there is no sample for it.
    pub fn is_for_authelia(self) -> bool {
        matches!(
            self,
            ProxyKind::AutheliaAuthRequest
                | ProxyKind::AutheliaForwardAuth
                | ProxyKind::AutheliaExtAuthz
        )
    }
}

/// The table `[[gate.trusted_proxies]]` of postern.toml.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedProxy {
    pub proxy: ProxyKind,
    /// Addresses that the proxy connects from.
    pub from: Vec<ProxyPeer>,
    /// File with the secret that the proxy sends as X-Postern-Proxy.
    #[serde(default)]
    pub secret_file: Option<AbsolutePath>,
    /// Whether a client certificate of `gate.tls.client_ca_file` identifies the proxy.
    #[serde(default)]
    pub certificate: bool,
    /// Header with the name of the user whom the proxy has authenticated.
    #[serde(default)]
    pub identity_header: Option<IdentityHeader>,
}

/// The peer address of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProxyPeer {
    Unix,
    Network(Network),
}

impl ProxyPeer {
    /// Whether a peer matches; `None` is a peer on the Unix socket.
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
