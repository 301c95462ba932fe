//! The arguments of `postern print-config`.

use clap::{Args, ValueEnum};
use postern_shared::config::gate::{GateUrl, ProxyKind};
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct PrintConfig {
    /// The proxy
    #[arg(value_enum)]
    pub(crate) proxy: ProxyArguments,
    /// Where a proxy in a container or a cluster reaches the gate; one of gate.listen if not given, else that of Docker
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) address: Option<SocketAddr>,
    /// The host of the application; a likely one if not given
    #[arg(long, value_name = "HOST")]
    pub(crate) app: Option<String>,
    /// The folder for the other files that the proxy reads; /etc/PROXY if not given, for Traefik /etc/traefik/dynamic, for Apache /etc/apache2
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The URL of the gate's pages; gate.url if not given
    #[arg(long, value_name = "URL", value_parser = |url: &str| GateUrl::try_from(url.to_owned()))]
    pub(crate) url: Option<GateUrl>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ProxyArguments {
    /// auth_request
    Nginx,
    /// ForwardAuth
    Traefik,
    /// forward_auth
    Caddy,
    /// Lua
    Haproxy,
    /// ext_authz
    Envoy,
    /// mod_authnz_fcgi
    Apache,
    /// lines for the tab Advanced
    NginxProxyManager,
    /// Docker labels
    TraefikLabels,
    /// annotations
    IngressNginx,
    /// manifests, with Envoy Gateway
    GatewayApi,
}

impl ProxyArguments {
    pub(crate) fn kind(self) -> ProxyKind {
        match self {
            ProxyArguments::Nginx
            | ProxyArguments::NginxProxyManager
            | ProxyArguments::IngressNginx => ProxyKind::Nginx,
            ProxyArguments::Traefik | ProxyArguments::TraefikLabels => ProxyKind::Traefik,
            ProxyArguments::Caddy => ProxyKind::Caddy,
            ProxyArguments::Haproxy => ProxyKind::Haproxy,
            ProxyArguments::Envoy | ProxyArguments::GatewayApi => ProxyKind::Envoy,
            ProxyArguments::Apache => ProxyKind::Apache,
        }
    }
}
